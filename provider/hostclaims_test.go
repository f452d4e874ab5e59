package provider_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/optest"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/token"
)

// TestClaimsFunctionFails: while a claims function fails, every request is answered with 503, no code or refresh token is
// consumed, and no token looks inactive. Afterwards the same requests succeed.
func TestClaimsFunctionFails(t *testing.T) {
	t.Parallel()
	set := func(name string) token.ClaimsFunc {
		return func(_ context.Context, d *token.Document) error { d.Set(name, "x"); return nil }
	}
	for name, failure := range map[string]token.ClaimsFunc{
		"error":          func(context.Context, *token.Document) error { return errors.New("directory: connection refused") },
		"protocol error": func(context.Context, *token.Document) error { return &portner.Error{Code: portner.InvalidGrant} },
		"panic":          func(context.Context, *token.Document) error { panic(optest.KariPID) },
		"reserved name":  set("iss"),
		"profile's name": set("acr"),
		"repeated name": func(_ context.Context, d *token.Document) error {
			d.Set("roles", "a")
			d.Set("roles", "b")
			return nil
		},
		"value": func(_ context.Context, d *token.Document) error { d.Set("f", func() {}); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var (
				failing bool
				mu      sync.Mutex
				events  []portner.EventName
			)
			op := optest.New(t, optest.Options{Clients: []client.Client{app(t, "app", "", "")}, Change: func(c *provider.Config) {
				c.Claims = func(ctx context.Context, d *token.Document) error {
					if failing {
						return failure(ctx, d)
					}
					return nil
				}
				c.OnEvent = func(_ context.Context, e portner.Event) {
					mu.Lock()
					defer mu.Unlock()
					events = append(events, e.Name)
				}
			}})
			b := op.Browser()
			code := func() (optest.Request, string) {
				r := op.Request("app", "openid profile test:api")
				return r, b.Login(t, r, "kari").Code(t)
			}
			r, first := code()
			tokens := op.Exchange(t, r, first)
			require.Equal(t, http.StatusOK, tokens.Status, "%v", tokens.JSON)
			accessToken, refreshToken := tokens.String("access_token"), tokens.String("refresh_token")
			r, second := code()

			requests := func() map[string]optest.Answer {
				return map[string]optest.Answer{
					"code": op.Exchange(t, r, second), "refresh": op.Refresh(t, "app", refreshToken),
					"introspection": op.Introspect(t, "app", accessToken), "userinfo": op.UserInfo(t, accessToken),
				}
			}
			failing = true
			for range 2 {
				for what, a := range requests() {
					require.Equal(t, http.StatusServiceUnavailable, a.Status, "%s: %v", what, a.JSON)
					require.Equal(t, "temporarily_unavailable", a.String("error"), what)
					require.NotEmpty(t, a.Header.Get("Retry-After"), what)
					require.NotContains(t, a.JSON, "active", what)
				}
			}
			require.Contains(t, events, portner.EventFault)
			require.NotContains(t, events, portner.EventCodeReplay)
			failing = false
			for what, a := range requests() {
				require.Equal(t, http.StatusOK, a.Status, "%s: %v", what, a.JSON)
			}
		})
	}
}

// TestClaimsFunctionIsPseudonymous: a claims function adds no identifying claim to the documents of a pseudonymous grant, and
// does not receive the identity. An identifier under another name fails the document.
func TestClaimsFunctionIsPseudonymous(t *testing.T) {
	t.Parallel()
	leak := ""
	op := optest.New(t, optest.Options{Clients: []client.Client{app(t, "app", client.Public, "")}, Change: func(c *provider.Config) {
		c.Users = token.UserFunc(func(context.Context, string) (token.User, error) {
			return token.User{Claims: map[string]any{"email": "kari@example.no", "roles": []string{"admin"}}}, nil
		})
		c.Claims = func(_ context.Context, d *token.Document) error {
			d.Set("roles", d.User.Claims["roles"])
			d.Set("email", d.User.Claims["email"])
			d.Set("given_name", "Kari")
			d.Set("employer", map[string]any{"name": "Etat", "phone_number": "+4799999999", "unit": 1})
			d.SetString("seen", d.Identity.Subject)
			d.SetString("note", leak)
			return nil
		}
	}})
	all, _ := documents(t, op, op.Browser(), "app", "openid profile")
	for name, claims := range all {
		require.Equal(t, "kari@example.no", claims["email"], name)
		require.Equal(t, "kari", claims["seen"], name)
	}
	all, _ = documents(t, op, op.Browser(), "app", "openid profile test:pseudonym")
	for name, claims := range all {
		require.Equal(t, []any{"admin"}, claims["roles"], name)
		require.Equal(t, map[string]any{"unit": 1.0}, claims["employer"], name)
		for _, identifying := range []string{"email", "given_name", "seen", "pid"} {
			require.NotContains(t, claims, identifying, name)
		}
	}
	leak = "number " + optest.KariPID
	r := op.Request("app", "openid profile test:pseudonym")
	a := op.Exchange(t, r, op.Browser().Login(t, r, "kari").Code(t))
	require.Equal(t, http.StatusInternalServerError, a.Status)
	require.Equal(t, "server_error", a.String("error"))
}

// TestScopeClaims: userinfo has the claims of the user that the profile maps the scopes to, and other documents do not.
func TestScopeClaims(t *testing.T) {
	t.Parallel()
	op := optest.New(t, optest.Options{Clients: []client.Client{app(t, "app", "", "")}, Change: func(c *provider.Config) {
		c.Profile = provider.OpenIDConnect()
		c.Profile.ScopeClaims = map[string][]string{"test:api": {"department", "office"}, "profile": {"name"}}
		c.Users = token.UserFunc(func(context.Context, string) (token.User, error) {
			return token.User{Claims: map[string]any{"department": "tax", "office": "", "name": "Kari Nordmann", "salary": 1}}, nil
		})
	}})
	for scopes, want := range map[string]map[string]bool{
		"openid":                                 {},
		"openid profile":                         {"name": true},
		"openid test:api":                        {"department": true},
		"openid profile test:api":                {"department": true, "name": true},
		"openid profile test:api test:pseudonym": {},
	} {
		all, _ := documents(t, op, op.Browser(), "app", scopes)
		for name, claims := range all {
			for _, claim := range []string{"department", "office", "name", "salary"} {
				_, ok := claims[claim]
				require.Equal(t, name == "userinfo" && want[claim], ok, "%s in %s for %s", claim, name, scopes)
			}
		}
	}
}
