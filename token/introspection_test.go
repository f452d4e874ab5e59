package token_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/token"
)

// Each caller introspects each kind of token.
func TestIntrospectionMatrix(t *testing.T) {
	t.Parallel()
	const no, yes, withPID = "inactive", "active", "active with pid"
	for _, tt := range []struct {
		name   string
		scopes []string
		want   map[string]string
	}{
		// web: the token's own client. api: on the owner's organisation number. listed: in
		// enforced_aud_for_introspection of api:read, api:opaque, api:pseudo. nosy: has the scope to
		// introspect. powerless: the owner's organisation, without that scope.
		{
			"login only",
			[]string{"openid", "profile"},
			map[string]string{"web": withPID, "api": no, "listed": no, "nosy": no, "powerless": no},
		},
		{
			"self-contained",
			[]string{"openid", "api:read"},
			map[string]string{"web": withPID, "api": withPID, "listed": withPID, "nosy": no, "powerless": no},
		},
		{
			"listed for one of two",
			[]string{"openid", "api:read", "api:write"},
			map[string]string{"web": withPID, "api": withPID, "listed": withPID, "nosy": no, "powerless": no},
		},
		{
			"opaque without openid",
			[]string{"api:opaque"},
			map[string]string{"web": yes, "api": withPID, "listed": withPID, "nosy": no, "powerless": no},
		},
		{
			"opaque with openid",
			[]string{"openid", "api:opaque"},
			map[string]string{"web": withPID, "api": withPID, "listed": withPID, "nosy": no, "powerless": no},
		},
		{
			"pseudonymous",
			[]string{"openid", "api:pseudo"},
			map[string]string{"web": yes, "api": withPID, "listed": yes, "nosy": no, "powerless": no},
		},
		{
			"pseudonymous and opaque",
			[]string{"api:pseudo", "api:opaque"},
			map[string]string{"web": yes, "api": withPID, "listed": yes, "nosy": no, "powerless": no},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			at := f.login("web", tt.scopes...).str("access_token")
			for caller, want := range tt.want {
				a := f.introspect(caller, at)
				got := no
				if a.body["active"] == true {
					got = yes
					if a.body["pid"] != nil {
						require.Equal(t, pid, a.body["pid"])
						got = withPID
					}
				} else {
					require.Equal(t, `{"active":false}`, a.Body.String())
				}
				require.Equal(t, want, got, caller)
			}
		})
	}
}

// TestIntrospectionHasAllClaims verifies that an active response has every claim of the token (docs/spec/idporten.md §10.3).
func TestIntrospectionHasAllClaims(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	code := f.code(forClient("web", "openid", "api:read"), func(c *storage.AuthorizationCode) { c.Grant.Resources = []string{"urn:a", "urn:b"} })
	at := f.redeem("web", code).str("access_token")
	_, claims := segments(t, at)
	f.advance(20 * time.Second)
	a := f.introspect("api", at)
	for name, value := range claims {
		require.Equal(t, value, a.body[name], name)
	}
	require.EqualValues(t, 100, a.body["expires_in"])
	require.Equal(t, "Bearer", a.body["token_type"])
	require.Equal(t, consumerOrgno, a.body["client_orgno"])
	require.Len(t, a.body, len(claims)+4)
}

// Every negative response is equal, header fields included.
func TestIntrospectionInactive(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	live := f.login("web", "api:read")
	rotated := live.str("refresh_token")
	second := f.refresh("web", rotated)
	revoked := f.login("web", "api:read").str("access_token")
	f.send(f.ep.Revocation(), "web", url.Values{"token": {revoked}})
	expired := newFixture(t, func(c *token.Config) { c.Store = f.store })
	expired.advance(3 * time.Hour)
	var want answer
	for i, a := range []answer{
		f.introspect("nosy", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
		f.introspect("nosy", "x"),
		f.introspect("nosy", live.str("access_token")),
		f.introspect("web", revoked),
		f.introspect("web", rotated),
		f.introspect("nosy", second.str("refresh_token")),
		f.introspect("api", second.str("refresh_token")),
		expired.introspect("web", live.str("access_token")),
	} {
		if i == 0 {
			want = a
		}
		require.Equal(t, `{"active":false}`, a.Body.String(), i)
		require.Equal(t, want.Header(), a.Header(), i)
	}
	require.True(t, f.active(second.str("access_token")), "asking about a rotated token is not using it")
}

func TestIntrospectionOfOwnRefreshToken(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	a := f.introspect("web", f.login("web").str("refresh_token"))
	require.Equal(t, true, a.body["active"])
	require.Equal(t, "web", a.body["client_id"])
	require.NotContains(t, a.body, "pid")
}

func TestIntrospectionNeedsAuthentication(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.clients["spa"].Scopes = append(f.clients["spa"].Scopes, scope.Introspection)
	at := f.login("spa", "api:read").str("access_token")
	f.requireError(f.send(f.ep.Introspection(), "spa", url.Values{"token": {at}}), http.StatusUnauthorized, portner.InvalidClient)
	f.requireError(f.send(f.ep.Introspection(), "nobody", url.Values{"token": {at}}), http.StatusUnauthorized, portner.InvalidClient)
	f.requireError(f.send(f.ep.Introspection(), "web", nil), http.StatusBadRequest, portner.InvalidRequest)
}

// twoOwners adds scopes of a second owner, with a resource server "foreign", to a fixture.
func twoOwners(t *testing.T) *fixture {
	f := newFixture(t)
	const secondOrgno = "910753614"
	for _, s := range []scope.Scope{
		{Name: "other:read"}, {Name: "other:opaque", TokenType: scope.Opaque}, {Name: "other:pseudo", RequiresPseudonymousTokens: true},
	} {
		s.AccessibleForAll, s.OwnerOrgno = true, secondOrgno
		f.scopes[s.Name] = &s
		f.clients["web"].Scopes = append(f.clients["web"].Scopes, s.Name)
	}
	foreign := *f.clients["api"]
	foreign.ClientID, foreign.OrganisationNo = "foreign", secondOrgno
	f.clients["foreign"] = &foreign
	f.clients["listed"].OrganisationNo = "987654325" // not that of the client
	return f
}

// A token with scopes of two owners is active for both. Each sees its own scopes, and the pid if its own scope entitles it to.
func TestIntrospectionOfTwoOwners(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		scopes []string
		want   map[string]string // "" is inactive
		pid    []string
	}{
		{
			"self-contained",
			[]string{"openid", "api:read", "other:read"},
			map[string]string{"api": "openid api:read", "foreign": "openid other:read", "web": "openid api:read other:read", "listed": "openid api:read", "nosy": ""},
			[]string{"api", "foreign", "web", "listed"}, // the token has it
		},
		{
			"opaque, of both",
			[]string{"api:opaque", "other:opaque"},
			map[string]string{"api": "api:opaque", "foreign": "other:opaque", "web": "api:opaque other:opaque", "listed": "api:opaque", "nosy": ""},
			[]string{"api", "foreign", "listed"},
		},
		{
			"opaque, of one",
			[]string{"api:opaque", "other:read"},
			map[string]string{"api": "api:opaque", "foreign": "other:read", "web": "api:opaque other:read", "nosy": ""},
			[]string{"api"},
		},
		{
			"pseudonymous, of both",
			[]string{"openid", "api:pseudo", "other:pseudo"},
			map[string]string{"api": "openid api:pseudo", "foreign": "openid other:pseudo", "web": "openid api:pseudo other:pseudo", "listed": "openid api:pseudo", "nosy": ""},
			[]string{"api", "foreign"},
		},
		{
			"pseudonymous, of one",
			[]string{"api:pseudo", "other:read"},
			map[string]string{"api": "api:pseudo", "foreign": "other:read", "web": "api:pseudo other:read", "nosy": ""},
			[]string{"api"},
		},
		{
			"opaque of one, pseudonymous of the other",
			[]string{"api:opaque", "other:pseudo"},
			map[string]string{"api": "api:opaque", "foreign": "other:pseudo", "web": "api:opaque other:pseudo", "nosy": ""},
			[]string{"foreign"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := twoOwners(t)
			at := f.login("web", tt.scopes...).str("access_token")
			for caller, want := range tt.want {
				a := f.introspect(caller, at)
				require.Equal(t, want != "", a.body["active"], caller)
				require.Equal(t, want, a.str("scope"), caller)
				require.Equal(t, slices.Contains(tt.pid, caller), a.body["pid"] != nil, caller)
				if a.body["pid"] != nil {
					require.Contains(t, a.body, "sub")
				}
			}
		})
	}
}

// A resource server that does not see every scope of an opaque token sees none of its authorization_details, which may be for the APIs of
// others. A self-contained token has them itself.
func TestIntrospectionOfDetailsOfTwoOwners(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		scopes []string
		want   []string // the callers that see the details
	}{
		{"opaque, of both", []string{"openid", "api:opaque", "other:opaque"}, []string{"web"}},
		{"opaque, of one", []string{"openid", "api:opaque"}, []string{"web", "api"}},
		{"self-contained, of both", []string{"openid", "api:read", "other:read"}, []string{"web", "api", "foreign"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := twoOwners(t)
			at := f.redeem("web", f.detailed(bothDetails, tt.scopes...)).str("access_token")
			for _, caller := range []string{"web", "api", "foreign"} {
				a := f.introspect(caller, at)
				if slices.Contains(tt.want, caller) {
					require.Len(t, a.body["authorization_details"], 2, caller)
					continue
				}
				require.NotContains(t, a.body, "authorization_details", caller)
			}
		})
	}
}

// A client does not learn who the user of a protected grant is through a resource server of its own organisation: neither with a scope of its
// own beside those of others, nor for a token with fewer scopes.
func TestIntrospectionByTheOrganisationOfTheClient(t *testing.T) {
	t.Parallel()
	for name, join := range map[string]func(*client.Client) (customer string){
		"owner":    func(c *client.Client) string { c.OrganisationNo = ownerOrgno; return "" },
		"supplier": func(c *client.Client) string { c.SupplierOrgno = ownerOrgno; return "" },
		"customer": func(c *client.Client) string {
			c.OnBehalfOf = onBehalfOf
			return c.Party(onBehalfOf[0])
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := twoOwners(t)
			customer := join(f.clients["web"])
			for _, scopes := range [][]string{{"api:pseudo", "other:pseudo"}, {"api:pseudo", "other:read"}, {"api:opaque", "other:opaque"}, {"api:opaque", "other:read"}} {
				code := f.code(forClient("web", scopes...), func(c *storage.AuthorizationCode) { c.Grant.Customer = customer })
				a := f.redeem("web", code)
				form := refreshForm(a.str("refresh_token"))
				form.Set("scope", scopes[0])
				for _, at := range []string{a.str("access_token"), f.send(f.ep, "web", form).str("access_token")} {
					got := f.introspect("api", at).body
					require.Equal(t, true, got["active"])
					require.NotContains(t, got, "pid")
				}
			}
			code := f.code(forClient("web", "api:pseudo"), func(c *storage.AuthorizationCode) { c.Grant.Customer = customer })
			require.Equal(t, pid, f.introspect("api", f.redeem("web", code).str("access_token")).body["pid"], "it owns every scope")
		})
	}
}

// A token with fewer scopes than its grant discloses no more: the owner of a scope that the token does not have cannot introspect it.
func TestIntrospectionOfNarrowedToken(t *testing.T) {
	t.Parallel()
	f := twoOwners(t)
	form := refreshForm(f.login("web", "api:pseudo", "other:read").str("refresh_token"))
	form.Set("scope", "other:read")
	at := f.send(f.ep, "web", form).str("access_token")
	require.Equal(t, false, f.introspect("api", at).body["active"])
	got := f.introspect("foreign", at).body
	require.Equal(t, true, got["active"])
	require.NotContains(t, got, "pid", "the grant has a pseudonymous scope of another owner")
}

// A client that authenticates may introspect its own tokens, without any right.
func TestIntrospectionOfOwnTokens(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	require.NotContains(t, f.clients["other"].Scopes, scope.Introspection)
	a := f.login("other", "openid", "api:read", "api:write")
	for kind, scopes := range map[string]string{"access_token": "openid api:read api:write", "refresh_token": "openid api:read api:write"} {
		got := f.introspect("other", a.str(kind))
		require.Equal(t, true, got.body["active"], kind)
		require.Equal(t, scopes, got.str("scope"))
	}
	require.Equal(t, false, f.introspect("codeonly", a.str("access_token")).body["active"])
	for _, scopes := range []string{"api:opaque", "api:pseudo"} {
		got := f.introspect("other", f.login("other", scopes).str("access_token")).body
		require.Equal(t, true, got["active"])
		require.NotContains(t, got, "pid")
	}
}

// A resource server may introspect tokens for its audiences, under the neutral name of the registration. An audience is the choice of the
// client, so it discloses no identity that is withheld from the client.
func TestIntrospectionByAudience(t *testing.T) {
	t.Parallel()
	const own, others = "https://api.example.no", "https://other.example.no"
	f := newFixture(t)
	server := *f.clients["other"]
	server.ClientID, server.OrganisationNo, server.TokenEndpointAuthMethod = "server", "", ""
	server.Scopes, server.ResourceServer, server.Resources = nil, true, []string{own, "urn:example:api"}
	f.clients["server"] = &server
	f.scopes["plain:read"] = &scope.Scope{Name: "plain:read", AccessibleForAll: true}
	f.clients["web"].Scopes = append(f.clients["web"].Scopes, "plain:read")
	token := func(scopes []string, audience ...string) string {
		code := f.code(forClient("web", scopes...), func(c *storage.AuthorizationCode) { c.Grant.Resources = audience })
		return f.redeem("web", code).str("access_token")
	}
	all := []string{"openid", "plain:read", "api:write"}
	for _, tt := range []struct {
		audience []string
		want     any
	}{
		{[]string{own}, "openid plain:read api:write"},
		{[]string{"urn:example:api", own}, "openid plain:read api:write"},
		{[]string{own, others}, "openid plain:read"},
		{[]string{others}, nil},
		{nil, nil},
		{[]string{own + "/"}, nil},
	} {
		got := f.introspect("server", token(all, tt.audience...)).body
		require.Equal(t, tt.want != nil, got["active"], tt.audience)
		require.Equal(t, tt.want, got["scope"], tt.audience)
		require.Equal(t, tt.want != nil, got["sub"] != nil, tt.audience)
	}
	for _, scopes := range [][]string{{"api:opaque"}, {"api:pseudo"}, {"openid", "api:pseudo"}} {
		got := f.introspect("server", token(scopes, own)).body
		require.Equal(t, true, got["active"])
		require.NotContains(t, got, "pid")
	}
	opaque := f.introspect("server", token([]string{"openid", "api:opaque"}, own)).body
	require.Equal(t, pid, opaque["pid"], "the client knows the user")
	at := token(all, own)
	f.clients["server"].ResourceServer = false
	require.Equal(t, false, f.introspect("server", at).body["active"])
	f.clients["server"].OrganisationNo, f.clients["server"].ResourceServer = ownerOrgno, true
	require.Equal(t, "openid api:write", f.introspect("server", token(all)).body["scope"], "it owns the scope")
}

// Revocation of each kind of token, by its client and by others.
func TestRevocation(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"access_token", "refresh_token"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			a, elsewhere := f.login("web", "api:read"), f.login("other", "api:read")
			f.eventNames()
			foreign := f.send(f.ep.Revocation(), "other", url.Values{"token": {a.str(kind)}})
			f.requireError(foreign, http.StatusBadRequest, portner.UnauthorizedClient)
			require.Contains(t, f.eventNames(), portner.EventRevokeForeign)
			require.True(t, f.active(a.str("access_token")))
			for range 2 {
				own := f.send(f.ep.Revocation(), "web", url.Values{"token": {a.str(kind)}, "token_type_hint": {"refresh_token"}})
				require.Equal(t, http.StatusOK, own.Code)
				require.Empty(t, own.Body.String())
			}
			require.False(t, f.active(a.str("access_token")))
			require.Equal(t, false, f.introspect("api", a.str("access_token")).body["active"])
			f.requireError(f.userInfo(a.str("access_token")), http.StatusUnauthorized, portner.InvalidToken)
			f.requireError(f.refresh("web", a.str("refresh_token")), http.StatusBadRequest, portner.InvalidGrant)
			require.True(t, f.active(elsewhere.str("access_token")), "only this client's grant")
		})
	}
	t.Run("unknown", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		for _, v := range []string{"x", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"} {
			require.Equal(t, http.StatusOK, f.send(f.ep.Revocation(), "web", url.Values{"token": {v}}).Code)
		}
		f.requireError(f.send(f.ep.Revocation(), "web", nil), http.StatusBadRequest, portner.InvalidRequest)
		f.requireError(f.send(f.ep.Revocation(), "nobody", url.Values{"token": {"x"}}), http.StatusUnauthorized, portner.InvalidClient)
	})
	t.Run("a rotated refresh token names its family", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		old := f.login("web").str("refresh_token")
		a := f.refresh("web", old)
		require.Equal(t, http.StatusOK, f.send(f.ep.Revocation(), "web", url.Values{"token": {old}}).Code)
		require.False(t, f.active(a.str("access_token")))
	})
	t.Run("a public client revokes its own", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		a := f.login("spa")
		require.Equal(t, http.StatusOK, f.send(f.ep.Revocation(), "spa", url.Values{"token": {a.str("access_token")}}).Code)
		require.False(t, f.active(a.str("access_token")))
	})
}

// Every kind of token at every endpoint: each endpoint accepts its own kind only.
func TestTokenSubstitution(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	kinds := func() map[string]string {
		a := f.login("web", "openid", "profile", "api:read")
		return map[string]string{
			"code": f.code(), "refresh": a.str("refresh_token"), "id_token": a.str("id_token"), "access": a.str("access_token"),
			"opaque access": f.login("web", "openid", "profile", "api:opaque").str("access_token"),
			"client_secret": secret, "sub": "ERIFvpD7pM6j6Xvrnz0ml53V-L_W5ZDSs3kYMs6dTVc",
		}
	}
	for _, e := range []struct {
		name  string
		works []string
		try   func(value string) bool
	}{
		{"code", []string{"code"}, func(v string) bool { return f.redeem("web", v).Code == 200 }},
		{"refresh", []string{"refresh"}, func(v string) bool { return f.refresh("web", v).Code == 200 }},
		{"userinfo", []string{"access", "opaque access"}, func(v string) bool { return f.userInfo(v).Code == 200 }},
		{"introspection", []string{"access", "opaque access"}, func(v string) bool { return f.introspect("api", v).body["active"] == true }},
		{"assertion", nil, func(v string) bool {
			f.clients["web"].TokenEndpointAuthMethod = client.PrivateKeyJWT
			defer func() { f.clients["web"].TokenEndpointAuthMethod = "" }()
			form := codeForm(f.code())
			form.Set("client_id", "web")
			form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
			form.Set("client_assertion", v)
			return f.send(f.ep, "", form).Code == 200
		}},
	} {
		for kind, value := range kinds() {
			want := false
			for _, w := range e.works {
				want = want || w == kind
			}
			require.Equal(t, want, e.try(value), "%s at %s", kind, e.name)
		}
	}
}

// A token that is longer than any of this provider is not looked up in the store.
func TestTokensAreBounded(t *testing.T) {
	t.Parallel()
	const longest = 32 << 10
	store := &brokenStore{}
	f := newFixture(t, func(c *token.Config) { store.Store, c.Store = c.Store, store })
	for name, send := range map[string]func(value string){
		"introspection": func(v string) { f.introspect("web", v) },
		"revocation":    func(v string) { f.send(f.ep.Revocation(), "web", url.Values{"token": {v}}) },
		"userinfo":      func(v string) { f.userInfo(v) },
	} {
		for length, want := range map[int]int{longest: 1, longest + 1: 0} {
			calls := 0
			store.hook = func(string) { calls++ }
			send(strings.Repeat("x", length))
			require.Equal(t, want, calls, "%s of %d bytes", name, length)
		}
	}
}
