package pseudonym_test

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/pseudonym"
)

const (
	owner = "974761076"
	other = "991825827"
)

func TestDecide_section13(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		r    pseudonym.Request
		want pseudonym.Protection
	}{
		{"ordinary login", pseudonym.Request{OpenID: true, Profile: true}, pseudonym.Open},
		{"plain OAuth2, self-contained", pseudonym.Request{}, pseudonym.Open},
		{"method 1", pseudonym.Request{Opaque: true}, pseudonym.ByReference},
		{"method 1 spoilt by openid", pseudonym.Request{Opaque: true, OpenID: true}, pseudonym.Open},
		{"method 1 spoilt by profile", pseudonym.Request{Opaque: true, Profile: true}, pseudonym.Open},
		{"method 2", pseudonym.Request{Scope: true, OpenID: true, Profile: true}, pseudonym.Pseudonymous},
		{"method 2 with opaque", pseudonym.Request{Scope: true, Opaque: true}, pseudonym.Pseudonymous},
		{"method 3", pseudonym.Request{NoPID: true, AllowNoPID: true, OpenID: true}, pseudonym.Pseudonymous},
		{"method 3 switched off", pseudonym.Request{NoPID: true, OpenID: true}, pseudonym.Open},
		{"sticky (K8)", pseudonym.Request{Inherited: true, OpenID: true}, pseudonym.Pseudonymous},
		{"sticky, opaque", pseudonym.Request{Inherited: true, Opaque: true}, pseudonym.Pseudonymous},
	} {
		require.Equal(t, tt.want, pseudonym.Decide(tt.r), tt.name)
	}
}

func TestMayIntrospect_section10_2_H2(t *testing.T) {
	t.Parallel()
	owned := pseudonym.TokenScope{OwnerOrgno: owner}
	listed := pseudonym.TokenScope{OwnerOrgno: other, Listed: []string{"x", "api"}}
	foreign := pseudonym.TokenScope{OwnerOrgno: other, Listed: []string{"x"}}
	nobody := pseudonym.TokenScope{}
	api := pseudonym.Resolver{ClientID: "api", Orgno: owner, Authenticated: true, Introspects: true}
	type ts = []pseudonym.TokenScope
	for _, tt := range []struct {
		name            string
		change          func(*pseudonym.Resolver)
		token           string
		scopes          ts
		ask, pid, byRef bool
	}{
		{"owner", nil, "c", ts{owned}, true, true, true},
		{"listed", nil, "c", ts{listed}, true, false, true},
		{"owner of one, listed for the other", nil, "c", ts{owned, listed}, true, false, true},
		{"owner of one only", nil, "c", ts{owned, foreign}, false, false, false},
		{"listed for one only", nil, "c", ts{listed, foreign}, false, false, false},
		{"order does not matter", nil, "c", ts{foreign, owned}, false, false, false},
		{"neither", nil, "c", ts{foreign}, false, false, false},
		{"a scope whose record is gone", nil, "c", ts{owned, nobody}, false, false, false},
		{"only reserved scopes", nil, "c", nil, false, false, false},
		{"only reserved scopes, its own client", nil, "api", nil, true, false, false},
		{"its own client", nil, "api", ts{foreign}, true, false, false},
		{"its own client, and owner", nil, "api", ts{owned}, true, true, true},
		{"not authenticated", func(r *pseudonym.Resolver) { r.Authenticated = false }, "api", ts{owned}, false, false, false},
		{"without the scope", func(r *pseudonym.Resolver) { r.Introspects = false }, "api", ts{owned}, false, false, false},
		{"no organisation owns nothing", func(r *pseudonym.Resolver) { r.Orgno = "" }, "c", ts{nobody}, false, false, false},
		{"no client_id is not the token's", func(r *pseudonym.Resolver) { r.ClientID = "" }, "", ts{owned}, false, false, false},
		{"no client_id is not listed", func(r *pseudonym.Resolver) { r.ClientID = "" }, "c", ts{{Listed: []string{""}}}, false, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := api
			if tt.change != nil {
				tt.change(&r)
			}
			require.Equal(t, tt.ask, pseudonym.MayIntrospect(r, tt.token, tt.scopes))
			require.Equal(t, tt.pid, pseudonym.MayResolve(r, tt.scopes))
			require.Equal(t, tt.ask, pseudonym.MayReadPID(pseudonym.Open, r, tt.token, tt.scopes))
			require.Equal(t, tt.byRef, pseudonym.MayReadPID(pseudonym.ByReference, r, tt.token, tt.scopes))
			require.Equal(t, tt.pid, pseudonym.MayReadPID(pseudonym.Pseudonymous, r, tt.token, tt.scopes))
			require.Equal(t, tt.pid, pseudonym.MayReadPID("", r, tt.token, tt.scopes), "unknown protection: the strongest")
		})
	}
}

// Over random scope sets: the pid is harder to get the stronger the protection, more scopes never
// open a token, and nobody unauthenticated, unqualified or unrelated gets anything.
func TestResolvingProperties(t *testing.T) {
	t.Parallel()
	orgs, ids := []string{"", owner, other, "910753614"}, []string{"", "a", "b", "c"}
	yes := map[pseudonym.Protection]int{}
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
				yes[p]++
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
		if len(scopes) > 1 { // one scope fewer never closes
			fewer := scopes[1:]
			require.False(t, open && !pseudonym.MayIntrospect(r, token, fewer))
			require.False(t, owns && !pseudonym.MayResolve(r, fewer))
		}
	}
	for _, p := range []pseudonym.Protection{pseudonym.Open, pseudonym.ByReference, pseudonym.Pseudonymous} {
		require.Greater(t, yes[p], 100, "the cases reach a yes for %s", p)
	}
}
