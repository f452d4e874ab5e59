package provider_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/optest"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/rar"
)

// TestDetailsAreGrantedToTheCustomer: the organisation that the consent page names is the one that the types of authorization_details
// are told: when the page is shown, when the details are granted, when the code is redeemed and at each refresh.
func TestDetailsAreGrantedToTheCustomer(t *testing.T) {
	t.Parallel()
	const customer = "910753614"
	for name, tt := range map[string]struct {
		supplier     string // of the registration
		onBehalfOf   string
		orgno, actor string
	}{
		"the client itself":         {orgno: optest.Org},
		"a supplier's client":       {supplier: optest.OwnerOrg, orgno: optest.Org, actor: optest.OwnerOrg},
		"a customer":                {onBehalfOf: "kunde", orgno: customer, actor: optest.Org},
		"a customer of a supplier":  {supplier: optest.OwnerOrg, onBehalfOf: "kunde", orgno: customer, actor: optest.OwnerOrg},
		"a customer without number": {onBehalfOf: "nameless", orgno: "", actor: optest.Org},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := optest.Clients(t)[0]
			c.ClientID, c.RedirectURIs, c.SupplierOrgno = "leverandor", []string{optest.RedirectURI("leverandor")}, tt.supplier
			c.PostLogoutRedirectURIs, c.FrontchannelLogoutURI, c.FrontchannelLogoutSessionRequired = nil, "", false
			c.OnBehalfOf = []client.OnBehalfOf{{Value: "kunde", Name: "Kunden", Orgno: customer}, {Value: "nameless", Name: "Uten nummer"}}
			told, shown := &requests{}, authorize.ClientInfo{}
			op := optest.New(t, optest.Options{Clients: []client.Client{c}, Change: func(cfg *provider.Config) {
				var err error
				cfg.AuthorizationDetails, err = rar.NewRegistry(told.receipt())
				require.NoError(t, err)
				page := cfg.Page
				cfg.Page = func(w http.ResponseWriter, r *http.Request, p *authorize.Pending) *authorize.Decision {
					if p.Step == authorize.ConsentStep {
						shown = p.Client
					}
					return page(w, r, p)
				}
			}})
			b := op.Browser()
			r := op.Request(c.ClientID, "openid", "onbehalfof", tt.onBehalfOf, "authorization_details", `[{"type":"receipt"}]`)
			p := b.Login(t, r, "kari")
			require.Equal(t, "consent", p.Step())
			require.Equal(t, tt.orgno, shown.Orgno, "the page")
			got := op.Exchange(t, r, b.Post(t, p, url.Values{"scope": {"detail 1"}}).Code(t))
			details, err := json.Marshal(payload(t, got.String("access_token"))["authorization_details"])
			require.NoError(t, err)
			require.JSONEq(t, `[{"type":"receipt","given_to":"`+tt.orgno+`"}]`, string(details))
			op.Refresh(t, c.ClientID, got.String("refresh_token"))
			for _, step := range []string{"describe", "grant", "redeem or refresh"} {
				require.NotEmpty(t, told.of(step), step)
				for _, r := range told.of(step) {
					require.Equal(t, client.Parties{Consumer: tt.orgno, Supplier: tt.actor}, client.Parties{Consumer: r.Organisation, Supplier: r.Supplier}, step)
				}
			}
		})
	}
}

// requests records what the functions of a type of authorization_details are told.
type requests struct {
	mu  sync.Mutex
	all map[string][]rar.Request
}

func (q *requests) add(step string, r rar.Request) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.all == nil {
		q.all = map[string][]rar.Request{}
	}
	q.all[step] = append(q.all[step], r)
}

func (q *requests) of(step string) []rar.Request {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.all[step]
}

// receipt is a type whose details name the organisation they are granted to.
func (q *requests) receipt() rar.Type {
	return rar.Type{
		Name: "receipt",
		Describe: func(_ context.Context, r rar.Request, _ []rar.Detail) ([]rar.Text, error) {
			q.add("describe", r)
			return []rar.Text{{Title: "Kvittering"}}, nil
		},
		Grant: func(_ context.Context, r rar.Request, _ []rar.Detail, _ []string) ([]json.RawMessage, error) {
			q.add("grant", r)
			detail, err := json.Marshal(map[string]string{"type": "receipt", "given_to": r.Organisation})
			return []json.RawMessage{detail}, err
		},
		Refresh: func(_ context.Context, r rar.Request, granted []rar.Detail) (all []json.RawMessage, err error) {
			q.add("redeem or refresh", r)
			for _, d := range granted {
				all = append(all, d.JSON)
			}
			return all, nil
		},
	}
}
