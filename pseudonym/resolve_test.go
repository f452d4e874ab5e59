package pseudonym_test

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/pseudonym"
)

const (
	owner = "974761076"
	other = "991825827"
)

func TestDecide(t *testing.T) {
	t.Parallel()
	const open = pseudonym.Open
	for _, tt := range []struct {
		name string
		g    pseudonym.Grant
		want pseudonym.Protection
	}{
		{"zero value", pseudonym.Grant{}, pseudonym.Pseudonymous},
		{"login", pseudonym.Grant{Prior: open, IDToken: true, UserInfo: true}, open},
		{"self-contained access token only", pseudonym.Grant{Prior: open}, open},
		{"opaque", pseudonym.Grant{Prior: open, OpaqueTokens: true}, pseudonym.ByReference},
		{"opaque with an id_token", pseudonym.Grant{Prior: open, OpaqueTokens: true, IDToken: true}, open},
		{"opaque with userinfo", pseudonym.Grant{Prior: open, OpaqueTokens: true, UserInfo: true}, open},
		{"pseudonymous scope", pseudonym.Grant{Prior: open, RequiresPseudonym: true, IDToken: true, UserInfo: true}, pseudonym.Pseudonymous},
		{"pseudonymous and opaque", pseudonym.Grant{Prior: open, RequiresPseudonym: true, OpaqueTokens: true}, pseudonym.Pseudonymous},
		{"was pseudonymous", pseudonym.Grant{IDToken: true}, pseudonym.Pseudonymous},
		{"was pseudonymous, opaque", pseudonym.Grant{OpaqueTokens: true}, pseudonym.Pseudonymous},
		{"was by reference", pseudonym.Grant{Prior: pseudonym.ByReference, IDToken: true}, pseudonym.ByReference},
	} {
		require.Equal(t, tt.want, pseudonym.Decide(tt.g), tt.name)
	}
}

// The result is never weaker than the protection before, and a requirement is never ignored.
func TestDecideIsMonotonic(t *testing.T) {
	t.Parallel()
	for i := range 16 {
		for prior := pseudonym.Pseudonymous; prior <= pseudonym.Open; prior++ {
			g := pseudonym.Grant{Prior: prior, RequiresPseudonym: i&1 != 0, OpaqueTokens: i&2 != 0, IDToken: i&4 != 0, UserInfo: i&8 != 0}
			got := pseudonym.Decide(g)
			require.LessOrEqual(t, got, prior, "%+v", g)
			if g.RequiresPseudonym {
				require.Equal(t, pseudonym.Pseudonymous, got, "%+v", g)
			}
		}
	}
}

func TestProtectionString(t *testing.T) {
	t.Parallel()
	require.Equal(t, "[pseudonymous by_reference open Protection(7)]",
		fmt.Sprint([]pseudonym.Protection{pseudonym.Pseudonymous, pseudonym.ByReference, pseudonym.Open, 7}))
}

func TestMayIntrospect(t *testing.T) {
	t.Parallel()
	owned := pseudonym.TokenScope{OwnerOrgno: owner}
	listed := pseudonym.TokenScope{OwnerOrgno: other, Listed: []string{"x", "api"}}
	foreign := pseudonym.TokenScope{OwnerOrgno: other, Listed: []string{"x"}}
	missing := pseudonym.TokenScope{}
	api := pseudonym.Resolver{ClientID: "api", Orgno: owner, Authenticated: true, Introspects: true}
	type ts = []pseudonym.TokenScope
	for _, tt := range []struct {
		name            string
		change          func(*pseudonym.Resolver)
		token           string
		scopes          ts
		any, pid, byRef bool
	}{
		{"owner", nil, "c", ts{owned}, true, true, true},
		{"listed", nil, "c", ts{listed}, true, false, true},
		{"owner of one, listed for the other", nil, "c", ts{owned, listed}, true, false, true},
		{"owner of one only", nil, "c", ts{owned, foreign}, false, false, false},
		{"listed for one only", nil, "c", ts{listed, foreign}, false, false, false},
		{"order does not matter", nil, "c", ts{foreign, owned}, false, false, false},
		{"neither owner nor listed", nil, "c", ts{foreign}, false, false, false},
		{"a scope without a record", nil, "c", ts{owned, missing}, false, false, false},
		{"only reserved scopes", nil, "c", nil, false, false, false},
		{"only reserved scopes, client of the token", nil, "api", nil, true, false, false},
		{"client of the token", nil, "api", ts{foreign}, true, false, false},
		{"client of the token and owner", nil, "api", ts{owned}, true, true, true},
		{"not authenticated", func(r *pseudonym.Resolver) { r.Authenticated = false }, "api", ts{owned}, false, false, false},
		{"without the introspection scope", func(r *pseudonym.Resolver) { r.Introspects = false }, "api", ts{owned}, false, false, false},
		{"no organisation and no owner", func(r *pseudonym.Resolver) { r.Orgno = "" }, "c", ts{missing}, false, false, false},
		{"empty client_id of the token", func(r *pseudonym.Resolver) { r.ClientID = "" }, "", ts{owned}, false, false, false},
		{"empty client_id in the list", func(r *pseudonym.Resolver) { r.ClientID = "" }, "c", ts{{Listed: []string{""}}}, false, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := api
			if tt.change != nil {
				tt.change(&r)
			}
			require.Equal(t, tt.any, pseudonym.MayIntrospect(r, tt.token, tt.scopes))
			require.Equal(t, tt.pid, pseudonym.MayResolve(r, tt.scopes))
			require.Equal(t, tt.any, pseudonym.MayReadPID(pseudonym.Open, r, tt.token, tt.scopes))
			require.Equal(t, tt.byRef, pseudonym.MayReadPID(pseudonym.ByReference, r, tt.token, tt.scopes))
			require.Equal(t, tt.pid, pseudonym.MayReadPID(pseudonym.Pseudonymous, r, tt.token, tt.scopes))
			require.Equal(t, tt.pid, pseudonym.MayReadPID(7, r, tt.token, tt.scopes), "unknown protection")
		})
	}
}

// Over random scopes and resolvers: a stricter protection never discloses more, a further scope never discloses more, and a
// resolver without authentication, introspection scope or relation to the token learns nothing.
func TestResolvingProperties(t *testing.T) {
	t.Parallel()
	orgs, ids := []string{"", owner, other, "910753614"}, []string{"", "a", "b", "c"}
	allowed := map[pseudonym.Protection]int{}
	for i := range uint32(20000) {
		d := sha256.Sum256(binary.BigEndian.AppendUint32(nil, i))
		r := pseudonym.Resolver{ClientID: ids[d[0]%4], Orgno: orgs[d[1]%4], Authenticated: d[2]%8 != 0, Introspects: d[3]%8 != 0}
		token := ids[d[4]%4]
		var scopes []pseudonym.TokenScope
		for _, b := range d[5 : 5+d[31]%4] {
			scopes = append(scopes, pseudonym.TokenScope{OwnerOrgno: orgs[b%4], Listed: ids[:b>>2%5]})
		}
		open := pseudonym.MayReadPID(pseudonym.Open, r, token, scopes)
		byRef := pseudonym.MayReadPID(pseudonym.ByReference, r, token, scopes)
		owns := pseudonym.MayReadPID(pseudonym.Pseudonymous, r, token, scopes)
		require.False(t, owns && !byRef || byRef && !open, "%+v %q %+v", r, token, scopes)
		for p, ok := range map[pseudonym.Protection]bool{pseudonym.Open: open, pseudonym.ByReference: byRef, pseudonym.Pseudonymous: owns} {
			if ok {
				allowed[p]++
			}
		}
		if open {
			require.True(t, r.Authenticated && r.Introspects && r.ClientID != "")
			for _, s := range scopes {
				require.True(t, token == r.ClientID || s.OwnerOrgno == r.Orgno || slices.Contains(s.Listed, r.ClientID))
			}
		}
		for _, s := range scopes {
			require.False(t, owns && (s.OwnerOrgno != r.Orgno || r.Orgno == ""))
		}
		if len(scopes) > 1 { // with one scope less, MayResolve still returns true
			fewer := scopes[1:]
			require.False(t, open && !pseudonym.MayIntrospect(r, token, fewer))
			require.False(t, owns && !pseudonym.MayResolve(r, fewer))
		}
	}
	for _, p := range []pseudonym.Protection{pseudonym.Open, pseudonym.ByReference, pseudonym.Pseudonymous} {
		require.Greater(t, allowed[p], 100, "cases that disclose with %s", p)
	}
}
