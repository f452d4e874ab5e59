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
	const api1, api2 = "https://api1.example.no", "https://api2.example.no"
	type ts = []pseudonym.TokenScope
	owned, ownedOpaque := pseudonym.TokenScope{OwnerOrgno: owner}, pseudonym.TokenScope{OwnerOrgno: owner, Opaque: true}
	hidden, foreignHidden := pseudonym.TokenScope{OwnerOrgno: owner, Pseudonymous: true}, pseudonym.TokenScope{OwnerOrgno: other, Pseudonymous: true}
	listed := pseudonym.TokenScope{OwnerOrgno: other, Listed: []string{"x", "api"}, Opaque: true}
	listedHidden := pseudonym.TokenScope{OwnerOrgno: other, Listed: []string{"api"}, Pseudonymous: true}
	foreign := pseudonym.TokenScope{OwnerOrgno: other, Listed: []string{"x"}, Opaque: true}
	missing := pseudonym.TokenScope{}
	resolver := pseudonym.Resolver{ClientID: "api", Orgno: owner, Authenticated: true, Introspects: true, Resources: []string{api1}}
	none := func(*pseudonym.Resolver, *pseudonym.Token) {}
	sameOrg := func(_ *pseudonym.Resolver, t *pseudonym.Token) { t.Organisations = append(t.Organisations, owner) }
	own := func(_ *pseudonym.Resolver, t *pseudonym.Token) { t.ClientID = "api" }
	noRight := func(r *pseudonym.Resolver, _ *pseudonym.Token) { r.Introspects = false }
	to := func(aud ...string) func(*pseudonym.Resolver, *pseudonym.Token) {
		return func(_ *pseudonym.Resolver, t *pseudonym.Token) { t.Audience = aud }
	}
	for _, tt := range []struct {
		name            string
		change          func(*pseudonym.Resolver, *pseudonym.Token)
		scopes          ts
		any, byRef, pid bool
		sees            []bool // one for each scope
		more            ts     // of the grant
	}{
		{"owner", none, ts{owned}, true, true, true, []bool{true}, nil},
		{"owner of a pseudonymous scope", none, ts{hidden}, true, true, true, []bool{true}, nil},
		{"listed", none, ts{listed}, true, true, false, []bool{true}, nil},
		{"owner of one, listed for the other", none, ts{owned, listed}, true, true, false, []bool{true, true}, nil},
		{"one of two owners", none, ts{owned, foreign}, true, false, false, []bool{true, false}, nil},
		{"one of two owners, opaque", none, ts{foreign, ownedOpaque}, true, true, false, []bool{false, true}, nil},
		{"one of two owners of pseudonymous scopes", none, ts{foreignHidden, hidden}, true, true, true, []bool{false, true}, nil},
		{"owner of a scope beside a pseudonymous one", none, ts{owned, foreignHidden}, true, false, false, []bool{true, false}, nil},
		{"owner of an opaque scope beside a pseudonymous one", none, ts{ownedOpaque, foreignHidden}, true, true, false, []bool{true, false}, nil},
		{"listed for one of two", none, ts{listed, foreign}, true, true, false, []bool{true, false}, nil},
		{"listed for a pseudonymous scope beside another one", none, ts{listedHidden, foreignHidden}, true, true, false, []bool{true, false}, nil},
		{"neither owner nor listed", none, ts{foreign}, false, false, false, []bool{false}, nil},
		{"a scope without a record", none, ts{owned, missing}, true, false, false, []bool{true, false}, nil},
		{"only reserved scopes", none, nil, false, false, false, nil, nil},
		{"all scopes of the token, not of the grant", none, ts{owned}, true, false, false, []bool{true}, ts{foreign}},
		{"a pseudonymous scope of a narrowed token", none, ts{hidden}, true, true, true, []bool{true}, ts{foreignHidden}},

		{"organisation of the client, own scopes", sameOrg, ts{hidden}, true, true, true, []bool{true}, nil},
		{"organisation of the client, beside scopes of others", sameOrg, ts{hidden, foreignHidden}, true, false, false, []bool{true, false}, nil},
		{"organisation of the client, narrowed", sameOrg, ts{hidden}, true, false, false, []bool{true}, ts{foreignHidden}},
		{"organisation of the client, opaque beside others", sameOrg, ts{ownedOpaque, foreign}, true, false, false, []bool{true, false}, nil},

		{"exchanged", func(_ *pseudonym.Resolver, t *pseudonym.Token) { t.Exchanged = true }, ts{hidden, foreignHidden}, true, false, false, []bool{true, false}, nil},
		{"exchanged, own scopes", func(_ *pseudonym.Resolver, t *pseudonym.Token) { t.Exchanged = true }, ts{hidden}, true, true, true, []bool{true}, nil},
		{"only reserved scopes, client of the token", own, nil, true, false, false, nil, nil},
		{"client of the token", own, ts{foreign}, true, false, false, []bool{true}, nil},
		{"client of the token and owner", own, ts{owned}, true, true, true, []bool{true}, nil},
		{"client of the token and owner of one", own, ts{hidden, foreignHidden}, true, false, false, []bool{true, true}, nil},
		{"client of the token, no resource server", func(r *pseudonym.Resolver, t *pseudonym.Token) { own(r, t); noRight(r, t) }, ts{hidden}, true, false, false, []bool{true}, nil},

		{"the audience", to(api1), ts{foreign, missing}, true, false, false, []bool{true, true}, nil},
		{"one of two audiences", to(api2, api1), ts{foreign, missing, owned}, true, false, false, []bool{false, true, true}, nil},
		{"another audience", to(api2), ts{foreign}, false, false, false, []bool{false}, nil},
		{"an audience without API scopes", to(api1), nil, true, false, false, nil, nil},
		{"another audience, owner", to(api2), ts{owned, foreign}, true, false, false, []bool{true, false}, nil},

		{"not authenticated", func(r *pseudonym.Resolver, t *pseudonym.Token) { own(r, t); r.Authenticated = false }, ts{owned}, false, false, false, []bool{false}, nil},
		{"no resource server", noRight, ts{owned}, false, false, false, []bool{false}, nil},
		{"no resource server, audience", func(r *pseudonym.Resolver, t *pseudonym.Token) { noRight(r, t); t.Audience = []string{api1} }, ts{owned}, false, false, false, []bool{false}, nil},
		{"no organisation and no owner", func(r *pseudonym.Resolver, _ *pseudonym.Token) { r.Orgno = "" }, ts{missing}, false, false, false, []bool{false}, nil},
		{"no organisation on both sides", func(r *pseudonym.Resolver, t *pseudonym.Token) { r.Orgno, t.Organisations = "", []string{""} }, ts{missing}, false, false, false, []bool{false}, nil},
		{"empty client_id of the token", func(r *pseudonym.Resolver, t *pseudonym.Token) { r.ClientID, t.ClientID = "", "" }, ts{owned}, false, false, false, []bool{false}, nil},
		{"empty client_id in the list", func(r *pseudonym.Resolver, _ *pseudonym.Token) { r.ClientID = "" }, ts{{Listed: []string{""}}}, false, false, false, []bool{false}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r, token := resolver, pseudonym.Token{ClientID: "c", Organisations: []string{"910753614"}, Scopes: tt.scopes, Granted: slices.Concat(tt.scopes, tt.more)}
			tt.change(&r, &token)
			require.Equal(t, tt.any, pseudonym.MayIntrospect(r, token))
			require.Equal(t, tt.any, pseudonym.MayReadPID(pseudonym.Open, r, token))
			require.Equal(t, tt.byRef, pseudonym.MayReadPID(pseudonym.ByReference, r, token))
			require.Equal(t, tt.pid, pseudonym.MayReadPID(pseudonym.Pseudonymous, r, token))
			require.Equal(t, tt.pid, pseudonym.MayReadPID(7, r, token), "unknown protection")
			for i, want := range tt.sees {
				require.Equal(t, want, pseudonym.MaySeeScope(r, token, tt.scopes[i]), "scope %d", i)
			}
		})
	}
}

// Over random scopes and resolvers: a stricter protection never discloses more. A resolver without authentication or relation to the token
// learns nothing. A pid that is protected is disclosed to resource servers, by a scope of their own, and to one of the organisation of the client
// only if it owns everything, so that a further scope never discloses more to it.
func TestResolvingProperties(t *testing.T) {
	t.Parallel()
	orgs, ids := []string{"", owner, other, "910753614"}, []string{"", "a", "b", "c"}
	allowed := map[pseudonym.Protection]int{}
	for i := range uint32(40000) {
		d := sha256.Sum256(binary.BigEndian.AppendUint32(nil, i))
		r := pseudonym.Resolver{ClientID: ids[d[0]%4], Orgno: orgs[d[1]%4], Authenticated: d[2]%8 != 0, Introspects: d[3]%8 != 0, Resources: ids[1 : 1+d[25]%3]}
		token := pseudonym.Token{ClientID: ids[d[4]%4], Exchanged: d[29]%4 == 0, Organisations: orgs[d[26]%4:][:1], Audience: ids[1+d[27]%3:][:d[28]%2]}
		for _, b := range d[5 : 5+d[31]%4] {
			token.Granted = append(token.Granted, pseudonym.TokenScope{OwnerOrgno: orgs[b%4], Listed: ids[:b>>2%5], Opaque: b&32 != 0, Pseudonymous: b&64 != 0})
		}
		token.Scopes = token.Granted[:len(token.Granted)-min(len(token.Granted), int(d[30]%2))]
		open := pseudonym.MayReadPID(pseudonym.Open, r, token)
		byRef := pseudonym.MayReadPID(pseudonym.ByReference, r, token)
		owns := pseudonym.MayReadPID(pseudonym.Pseudonymous, r, token)
		require.False(t, owns && !byRef || byRef && !open, "%+v %+v", r, token)
		for p, ok := range map[pseudonym.Protection]bool{pseudonym.Open: open, pseudonym.ByReference: byRef, pseudonym.Pseudonymous: owns} {
			if ok {
				allowed[p]++
			}
		}
		mine := func(s pseudonym.TokenScope) bool { return s.OwnerOrgno == r.Orgno && r.Orgno != "" }
		foreign := func(s pseudonym.TokenScope) bool { return !mine(s) }
		if open {
			require.True(t, r.Authenticated && r.ClientID != "")
			require.True(t, token.ClientID == r.ClientID || slices.ContainsFunc(token.Audience, func(aud string) bool { return slices.Contains(r.Resources, aud) }) ||
				slices.ContainsFunc(token.Scopes, func(s pseudonym.TokenScope) bool { return mine(s) || slices.Contains(s.Listed, r.ClientID) }))
		}
		for _, s := range token.Scopes {
			require.False(t, pseudonym.MaySeeScope(r, token, s) && !open)
		}
		if byRef {
			require.True(t, r.Introspects)
		}
		if owns {
			require.True(t, slices.ContainsFunc(token.Scopes, mine))
			own := token.Exchanged || token.ClientID == r.ClientID || slices.Contains(token.Organisations, r.Orgno)
			hidden := slices.ContainsFunc(token.Scopes, func(s pseudonym.TokenScope) bool { return mine(s) && s.Pseudonymous })
			require.True(t, !own && hidden || !slices.ContainsFunc(token.Granted, foreign), "%+v %+v", r, token)
		}
	}
	for _, p := range []pseudonym.Protection{pseudonym.Open, pseudonym.ByReference, pseudonym.Pseudonymous} {
		require.Greater(t, allowed[p], 100, "cases that disclose with %s", p)
	}
}
