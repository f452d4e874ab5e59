package provider_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/optest"
	"github.com/portner-go/portner/provider"
)

// TestPathsOfTheProfile: the endpoints of a provider are at the paths of its profile, and at no other, and the metadata has these URLs.
func TestPathsOfTheProfile(t *testing.T) {
	t.Parallel()
	pr := provider.OpenIDConnect()
	pr.Paths = provider.Paths{
		Authorize: "/connect/authorize", PushedRequests: "/connect/par", Token: "/connect/token", UserInfo: "/connect/userinfo",
		Introspection: "/connect/introspect", Revocation: "/connect/revocation", EndSession: "/connect/endsession",
		JWKS: "/.well-known/openid-configuration/jwks",
	}
	op := newProfile(t, pr)
	missing := func(path string) bool {
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, optest.Issuer+path, nil)
		op.Provider.Handler(http.NotFoundHandler()).ServeHTTP(w, r)
		return w.Code == http.StatusNotFound
	}
	for _, old := range []string{"/authorize", "/par", "/token", "/userinfo", "/tokeninfo", "/introspect", "/tokenintrospect", "/revoke", "/logout", "/endsession", "/jwks.json"} {
		require.True(t, missing(old), old)
	}
	meta := op.Browser().Get(t, optest.Issuer+"/.well-known/openid-configuration").Body
	for _, path := range []string{
		pr.Paths.Authorize, pr.Paths.PushedRequests, pr.Paths.Token, pr.Paths.UserInfo, pr.Paths.Introspection, pr.Paths.Revocation, pr.Paths.EndSession,
		pr.Paths.JWKS,
	} {
		require.False(t, missing(path), path)
		require.Contains(t, meta, `"`+optest.Issuer+path+`"`)
	}
}

// TestIntrospectionPaths: the introspection endpoint is at every path that ID-porten's pages name, and the metadata has one of them.
func TestIntrospectionPaths(t *testing.T) {
	t.Parallel()
	op := optest.New(t, optest.Options{})
	for path, status := range map[string]int{
		"/tokeninfo": http.StatusUnauthorized, "/tokenintrospect": http.StatusUnauthorized, "/introspect": http.StatusUnauthorized, "/tokeninspect": http.StatusNotFound,
	} {
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, optest.Issuer+path, strings.NewReader("token=x"))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		op.Provider.Handler(http.NotFoundHandler()).ServeHTTP(w, r)
		require.Equal(t, status, w.Code, path)
	}
	require.Contains(t, op.Browser().Get(t, optest.Issuer+"/.well-known/openid-configuration").Body, `"introspection_endpoint":"`+optest.Issuer+`/tokeninfo"`)
}

// TestEndpoint: each path has the name that events have, and other paths have none.
func TestEndpoint(t *testing.T) {
	t.Parallel()
	op := optest.New(t, optest.Options{})
	for path, want := range map[string]string{
		"/authorize": "authorize", "/par": "par", "/token": "token", "/userinfo": "userinfo", "/tokeninfo": "introspection",
		"/introspect": "introspection", "/tokenintrospect": "introspection", "/revoke": "revocation", "/logout": "logout", "/endsession": "logout", "/jwks.json": "jwks",
		"/.well-known/openid-configuration": "metadata", "/.well-known/oauth-authorization-server": "metadata",
		"/login": "login", "/step-up": "step_up", "/consent": "consent", "/representation": "representation",
		"/": "", "": "", "/token/": "", "//token": "", "/Token": "", "/unknown": "",
	} {
		require.Equal(t, want, op.Endpoint(path), path)
	}
}

// TestEndpointOfEvents: an event and the request that it is about name the same endpoint.
func TestEndpointOfEvents(t *testing.T) {
	t.Parallel()
	var events []portner.Event
	op := optest.New(t, optest.Options{Change: func(c *provider.Config) {
		c.OnEvent = func(_ context.Context, e portner.Event) { events = append(events, e) }
	}})
	for _, path := range []string{"/authorize", "/par", "/token", "/userinfo", "/tokeninfo", "/revoke", "/logout"} {
		events = nil
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, optest.Issuer+path, nil) // without a form
		op.ServeHTTP(httptest.NewRecorder(), r)
		for _, e := range events {
			require.Equal(t, op.Endpoint(path), e.Endpoint, path)
		}
		require.NotEmpty(t, events, path)
	}
}
