package maskinporten_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/digdir/maskinporten"
	"github.com/portner-go/portner/scope"
)

// TestSupplierManaged: a client that a supplier operates needs what consumer_org needs: the access of the consumer, and its delegation
// to the supplier (docs/spec/maskinporten.md §1.9). The access of the supplier is worth nothing.
func TestSupplierManaged(t *testing.T) {
	t.Parallel()
	const (
		owner, supplier = customer, digdir // of the client "managed"
		query           = owner + ">" + supplier + ":difitest:delegated"
	)
	for name, tt := range map[string]struct {
		consumer    scope.AccessState // of the access of the consumer; "" if it has none
		supplier    scope.AccessState
		forAll      bool
		undelegated bool
		noSource    bool // the scope has no delegation source
		entry       string
		queries     []string
	}{
		"granted and delegated":                 {consumer: scope.Approved, queries: []string{query}},
		"granted to both":                       {consumer: scope.Approved, supplier: scope.Approved, queries: []string{query}},
		"for all, delegated":                    {forAll: true, queries: []string{query}},
		"for all, not delegated":                {forAll: true, undelegated: true, entry: "MP-251", queries: []string{query}},
		"granted, not delegated":                {consumer: scope.Approved, undelegated: true, entry: "MP-251", queries: []string{query}},
		"granted to both, not delegated":        {consumer: scope.Approved, supplier: scope.Approved, undelegated: true, entry: "MP-251", queries: []string{query}},
		"granted to the supplier, denied owner": {consumer: scope.Denied, supplier: scope.Approved, entry: "MP-250"},
		"granted to the supplier only":          {supplier: scope.Approved, entry: "MP-250"},
		"granted to nobody":                     {entry: "MP-250"},
		"no delegation source":                  {consumer: scope.Approved, supplier: scope.Approved, noSource: true, entry: "combination"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := scope.Scope{Name: "difitest:delegated", OwnerOrgno: "974761076", Description: "x", DelegationSource: delegated, AccessibleForAll: tt.forAll}
			if tt.noSource {
				s.DelegationSource = ""
			}
			var access []scope.Access
			for orgno, state := range map[string]scope.AccessState{owner: tt.consumer, supplier: tt.supplier} {
				if state != "" {
					access = append(access, scope.Access{Scope: s.Name, ConsumerOrgno: orgno, State: state})
				}
			}
			w := newWorld(t, func(cfg *maskinporten.Config) { cfg.Scopes = must(scope.NewRegistry([]scope.Scope{s}, access)) })
			w.sources.delegated = !tt.undelegated
			a := w.grant(t, v4().with("iss", "managed", "scope", s.Name))
			require.Equal(t, tt.queries, w.sources.queries)
			if tt.entry == "" {
				w.requireToken(t, a, object{"scope": s.Name, "consumer": organisation(owner), "supplier": organisation(supplier), "delegation_source": delegated})
				return
			}
			require.Equal(t, http.StatusBadRequest, a.status, a.raw)
			require.Equal(t, catalogue[tt.entry].code, a.str("error"), a.raw)
		})
	}
}

// TestOwnerAsSupplier: a registration that names its owner as supplier names no supplier.
func TestOwnerAsSupplier(t *testing.T) {
	t.Parallel()
	own := clients()[0]
	own.SupplierOrgno = own.OrganisationNo
	w := newWorld(t, func(cfg *maskinporten.Config) {
		cfg.Clients = must(client.NewRegistry(client.Environment{Test: true}, own))
	})
	w.requireToken(t, w.grant(t, v4()), object{"consumer": organisation(digdir)})
	require.Empty(t, w.sources.queries)
}
