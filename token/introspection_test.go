package token_test

import (
	"net/http"
	"net/url"
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
			map[string]string{"web": withPID, "api": withPID, "listed": no, "nosy": no, "powerless": no},
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

// A caller that may not read the pid of the grant does not receive it for a token with fewer scopes.
func TestIntrospectionOfNarrowedToken(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.scopes["api:foreign"] = &scope.Scope{Name: "api:foreign", AccessibleForAll: true, OwnerOrgno: "987654325", RequiresPseudonymousTokens: true}
	f.clients["web"].Scopes = append(f.clients["web"].Scopes, "api:foreign")
	form := refreshForm(f.login("web", "api:pseudo", "api:foreign").str("refresh_token"))
	form.Set("scope", "api:pseudo")
	at := f.send(f.ep, "web", form).str("access_token")
	a := f.introspect("api", at)
	require.Equal(t, true, a.body["active"])
	require.NotContains(t, a.body, "pid")
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
