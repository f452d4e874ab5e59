package token_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/token"
)

// CORS: each origin at each endpoint.
func TestCORS(t *testing.T) {
	t.Parallel()
	const own, sibling = "https://spa.example.no", "https://spa2.example.no"
	f := newFixture(t)
	handlers := map[string]http.Handler{"token": f.ep, "userinfo": f.ep.UserInfo(), "revocation": f.ep.Revocation(), "introspection": f.ep.Introspection()}
	for name, h := range handlers {
		for origin, allowed := range map[string]bool{
			own: true, sibling: true, "null": false, "https://client.example.no": true, "https://evil.example": false,
			"https://spa.example.no.evil.example": false, "http://spa.example.no": false, "https://SPA.example.no": false, own + "/": false,
		} {
			r := httptest.NewRequest(http.MethodOptions, "https://idporten.dev/x", nil)
			r.Header.Set("Origin", origin)
			r.Header.Set("Access-Control-Request-Method", "POST")
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			require.Empty(t, w.Header().Get("Access-Control-Allow-Credentials"))
			if name == "introspection" {
				require.Equal(t, http.StatusMethodNotAllowed, w.Code)
				require.Empty(t, w.Header().Get("Access-Control-Allow-Origin"))
				continue
			}
			require.Equal(t, http.StatusNoContent, w.Code)
			require.Equal(t, "Origin", w.Header().Get("Vary"))
			if !allowed {
				origin = ""
			}
			require.Equal(t, origin, w.Header().Get("Access-Control-Allow-Origin"), name)
		}
	}

	call := func(h http.Handler, clientID, origin string, form url.Values) string {
		r := f.request(clientID, form)
		r.Header.Set("Origin", origin)
		a := f.sendRequest(h, r)
		require.Equal(t, "Origin", a.Header().Get("Vary"))
		return a.Header().Get("Access-Control-Allow-Origin")
	}
	at := f.login("spa").str("access_token")
	for origin, want := range map[string]string{own: own, sibling: "", "null": "", "https://evil.example": ""} {
		require.Equal(t, want, call(f.ep, "spa", origin, codeForm("x")))
		require.Equal(t, want, call(f.ep, "spa", origin, codeForm(f.code(forClient("spa")))))
		require.Equal(t, want, call(f.ep.Revocation(), "spa", origin, url.Values{"token": {"x"}}))
		require.Empty(t, call(f.ep, "web", origin, codeForm("x")), "no browser client")
		r := httptest.NewRequest(http.MethodGet, "https://idporten.dev/userinfo", nil)
		r.Header.Set("Authorization", "Bearer "+at)
		r.Header.Set("Origin", origin)
		require.Equal(t, want, f.sendRequest(f.ep.UserInfo(), r).Header().Get("Access-Control-Allow-Origin"))
	}
}

// An OPTIONS request that is not a preflight request is rejected like other methods.
func TestMethods(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, h := range []http.Handler{f.ep, f.ep.Introspection(), f.ep.Revocation()} {
		for _, m := range []string{"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "QUERY"} {
			code := f.code()
			r := f.request("web", codeForm(code))
			r.Method = m
			r.Header.Set("X-HTTP-Method-Override", "POST")
			a := f.sendRequest(h, r)
			require.Equal(t, http.StatusMethodNotAllowed, a.Code)
			require.Equal(t, "POST", a.Header().Get("Allow"))
			require.Equal(t, http.StatusOK, f.redeem("web", code).Code, "nothing was consumed")
		}
	}
}

// TestOriginsFail: if the origins cannot be looked up, a preflight fails, and a request gets the origins of its own client only.
func TestOriginsFail(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(c *token.Config) {
		c.Origins = func(context.Context, string) (bool, error) { return true, errors.New("connection refused") }
	})
	r := httptest.NewRequest(http.MethodOptions, "https://idporten.dev/token", nil)
	r.Header.Set("Origin", "https://spa.example.no")
	r.Header.Set("Access-Control-Request-Method", "POST")
	w := f.sendRequest(f.ep, r)
	require.Equal(t, http.StatusServiceUnavailable, w.Code)
	require.Empty(t, w.Header().Get("Access-Control-Allow-Origin"))

	for origin, want := range map[string]string{"https://spa.example.no": "https://spa.example.no", "https://evil.example": ""} {
		r = f.request("spa", codeForm(f.code(forClient("spa"))))
		r.Header.Set("Origin", origin)
		w = f.sendRequest(f.ep, r)
		require.Equal(t, http.StatusOK, w.Code)
		require.Equal(t, want, w.Header().Get("Access-Control-Allow-Origin"))
	}
}

// TestOriginsNotConfigured: without Config.Origins a preflight of any origin is rejected.
func TestOriginsNotConfigured(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(c *token.Config) { c.Origins = nil })
	r := httptest.NewRequest(http.MethodOptions, "https://idporten.dev/token", nil)
	r.Header.Set("Origin", "https://spa.example.no")
	r.Header.Set("Access-Control-Request-Method", "POST")
	require.Empty(t, f.sendRequest(f.ep, r).Header().Get("Access-Control-Allow-Origin"))
}
