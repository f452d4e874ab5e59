package token_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/token"
)

// documents holds the claims of the four documents of one login.
type documents map[token.Kind]map[string]any

// documents logs in with the scopes and returns the four documents.
func (f *fixture) documents(scopes ...string) documents {
	f.t.Helper()
	a := f.login("web", scopes...)
	all := documents{}
	_, all[token.IDToken] = segments(f.t, a.str("id_token"))
	_, all[token.AccessToken] = segments(f.t, a.str("access_token"))
	all[token.Introspection] = f.introspect("web", a.str("access_token")).body
	info := f.userInfo(a.str("access_token"))
	require.Equal(f.t, http.StatusOK, info.Code, info.Body.String())
	all[token.UserInfo] = info.body
	return all
}

// withClaims adds a claims function of the host to those of a profile.
func withClaims(p provider.Profile, f token.ClaimsFunc) func(*token.Config) {
	return func(c *token.Config) {
		withProfile(p)(c)
		c.Claims = append(c.Claims, f)
	}
}

func TestHostAddsClaimsToEveryDocument(t *testing.T) {
	t.Parallel()
	for name, profile := range map[string]provider.Profile{"idporten": provider.IDPorten(), "openid": provider.OpenIDConnect()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, withClaims(profile, func(_ context.Context, d *token.Document) error {
				d.Set("roles", d.User.Claims["roles"])
				d.Set("tenant_id", d.User.Claims["tenant_id"])
				return nil
			}), func(c *token.Config) {
				c.Users = token.UserFunc(func(context.Context, string) (token.User, error) {
					return token.User{Claims: map[string]any{"roles": []string{"admin"}, "tenant_id": "t1"}}, nil
				})
			})
			for kind, claims := range f.documents("openid", "profile") {
				require.Equal(t, []any{"admin"}, claims["roles"], kind)
				require.Equal(t, "t1", claims["tenant_id"], kind)
			}
		})
	}
}

func TestClaimsFuncSeesTheGrant(t *testing.T) {
	t.Parallel()
	var kinds []token.Kind
	f := newFixture(t, withClaims(provider.IDPorten(), func(_ context.Context, d *token.Document) error {
		kinds = append(kinds, d.Kind)
		require.Equal(t, "web", d.Client.ClientID)
		require.Equal(t, "web", d.Grant.ClientID)
		require.Equal(t, "user-1", d.Identity.Subject)
		require.Equal(t, "client_secret_basic", d.ClientAMR)
		require.Equal(t, start, d.Now)
		require.True(t, d.HasScope("profile"))
		require.False(t, d.HasScope("email"))
		require.False(t, d.Pseudonymous)
		return nil
	}))
	f.documents("openid", "profile")
	require.ElementsMatch(t, []token.Kind{token.AccessToken, token.IDToken, token.Introspection, token.UserInfo}, kinds)
}

func TestSetLeavesOut(t *testing.T) {
	t.Parallel()
	f := newFixture(t, withClaims(provider.OpenIDConnect(), func(_ context.Context, d *token.Document) error {
		d.Set("nothing", nil)
		d.Set("nil_slice", []string(nil))
		d.Set("nil_pointer", (*int)(nil))
		d.SetString("empty", "")
		d.Set("zero", 0)
		d.SetString("text", "æ \"quoted\" </script> \u2028")
		d.Set("https://example.no/claims/«name»", true)
		return nil
	}))
	for kind, claims := range f.documents("openid", "profile") {
		for _, name := range []string{"nothing", "nil_slice", "nil_pointer", "empty"} {
			require.NotContains(t, claims, name, kind)
		}
		require.EqualValues(t, 0, claims["zero"])
		require.Equal(t, "æ \"quoted\" </script> \u2028", claims["text"])
		require.Equal(t, true, claims["https://example.no/claims/«name»"])
	}
}

// An error of a claims function is a fault: 503, nothing is consumed, and no token looks inactive.
func TestClaimsFuncFails(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		f     token.ClaimsFunc
		cause string // in the log
	}{
		"error":          {func(context.Context, *token.Document) error { return errOutage }, "connection refused"},
		"protocol error": {func(context.Context, *token.Document) error { return &portner.Error{Code: portner.InvalidGrant} }, "invalid_grant"},
		"not found":      {func(context.Context, *token.Document) error { return storage.ErrNotFound }, "not found"},
		"panic":          {func(context.Context, *token.Document) error { panic(pid) }, "panicked with a string"},
		"reserved name":  {setClaim("iss", "x"), `claim \"iss\"`},
		"another case":   {setClaim("Sub", "x"), `claim \"Sub\"`},
		"long s":         {setClaim("\u017fub", "x"), "claim \\\"ſub\\\""},
		"repeated in another case": {func(_ context.Context, d *token.Document) error {
			d.Set("a", 2)
			d.SetString("A", "1")
			return nil
		}, `claim \"A\"`},
		"no name": {setClaim("", "x"), `claim \"\"`},
		"subject": {setClaim("sub", "x"), `claim \"sub\"`},
		"repeated name": {func(_ context.Context, d *token.Document) error {
			d.SetString("a", "1")
			d.Set("a", 2)
			d.Set("b", 2)
			return nil
		}, `claim \"a\"`},
		"not encodable": {setClaim("f", func() {}), `claim \"f\"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			failing := false
			var log bytes.Buffer
			f := newFixture(t, withClaims(provider.OpenIDConnect(), func(ctx context.Context, d *token.Document) error {
				if failing {
					return tt.f(ctx, d)
				}
				return nil
			}), func(c *token.Config) { c.Logger = textLogger(&log) })
			at, code := f.login("web", "openid").str("access_token"), f.code()
			failing = true
			for what, a := range map[string]answer{
				"code": f.redeem("web", code), "userinfo": f.userInfo(at),
				"introspection": f.send(f.ep.Introspection(), "web", url.Values{"token": {at}}),
			} {
				require.Equal(t, http.StatusServiceUnavailable, a.Code, "%s: %s", what, a.Body)
				require.NotContains(t, a.Body.String(), "claim")
			}
			require.Contains(t, log.String(), tt.cause)
			require.NotContains(t, log.String(), pid)
			failing = false
			require.Equal(t, http.StatusOK, f.redeem("web", code).Code, "the code was not consumed")
		})
	}
}

func setClaim(name string, value any) token.ClaimsFunc {
	return func(_ context.Context, d *token.Document) error { d.Set(name, value); return nil }
}

// The reserved names depend on the kind of document.
func TestReservedNames(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]map[token.Kind]bool{
		"token_type": {token.IDToken: true, token.AccessToken: true, token.UserInfo: true, token.Introspection: false},
		"active":     {token.IDToken: true, token.AccessToken: true, token.UserInfo: true, token.Introspection: false},
		"cnf":        {}, "act": {}, "authorization_details": {}, "events": {}, "scope": {}, "aud": {}, "response_type": {}, "token_introspection": {},
	} {
		for _, kind := range []token.Kind{token.IDToken, token.AccessToken, token.Introspection, token.UserInfo} {
			f := newFixture(t, withClaims(provider.OpenIDConnect(), func(_ context.Context, d *token.Document) error {
				if d.Kind == kind {
					d.Set(name, "x")
				}
				return nil
			}))
			a := f.redeem("web", f.code(forClient("web", "openid", "profile")))
			at := a.str("access_token")
			ok := a.Code == http.StatusOK
			if ok {
				ok = f.userInfo(at).Code == http.StatusOK &&
					f.send(f.ep.Introspection(), "web", url.Values{"token": {at}}).Code == http.StatusOK
			}
			require.Equal(t, want[kind], ok, "%s in the %s", name, kind)
		}
	}
}

// In pseudonymous documents the identity is zero, identifying members are removed at every depth, and the final bytes are
// checked with the identity that the function does not see.
func TestPseudonymousClaims(t *testing.T) {
	t.Parallel()
	type nested struct {
		Email string `json:"email"`
		Kept  int    `json:"kept"`
	}
	user := token.User{Claims: map[string]any{
		"email": "other@example.no", "roles": []string{"admin"}, "tenant": map[string]any{"id": "t1", "phone_number": "1"}, "team": nested{"x", 1},
		"broken": func() {},
	}}
	f := newFixture(t, withClaims(provider.OpenIDConnect(), func(_ context.Context, d *token.Document) error {
		require.True(t, d.Pseudonymous)
		require.True(t, d.Identity.IsZero())
		require.NotContains(t, d.User.Claims, "email")
		require.NotContains(t, d.User.Claims, "broken")
		require.NotContains(t, d.User.Claims["tenant"], "phone_number")
		require.IsType(t, []string{}, d.User.Claims["roles"])
		d.Set("given_name", "Kari")
		d.SetString("https://example.no/claims/pid", "x")
		d.Set("roles", d.User.Claims["roles"])
		d.Set("tenant", d.User.Claims["tenant"])
		d.Set("team", d.User.Claims["team"])
		d.Set("list", []nested{{"x", 2}})
		return nil
	}), func(c *token.Config) {
		c.Users = token.UserFunc(func(context.Context, string) (token.User, error) { return user, nil })
	})
	for kind, claims := range f.documents("openid", "profile", "email", "api:pseudo") {
		require.NotContains(t, claims, "given_name", kind)
		require.NotContains(t, claims, "email", kind)
		require.NotContains(t, claims, "https://example.no/claims/pid", kind)
		require.Equal(t, []any{"admin"}, claims["roles"], kind)
		require.Equal(t, map[string]any{"id": "t1"}, claims["tenant"], kind)
		require.Equal(t, map[string]any{"kept": 1.0}, claims["team"], kind)
		require.Equal(t, []any{map[string]any{"kept": 2.0}}, claims["list"], kind)
	}
	require.Contains(t, user.Claims, "email", "the map of the host is not changed")
}

func TestClaimsFuncCannotLeak(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]any{"plain": "nr " + pid, "nested": map[string]any{"x": []string{pid}}, "number": 21879498012} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, withClaims(provider.OpenIDConnect(), setClaim("note", value)))
			a := f.redeem("web", f.code(forClient("web", "openid", "api:pseudo")))
			f.requireError(a, http.StatusInternalServerError, portner.ServerError)
			require.Contains(t, f.eventNames(), portner.EventPIDLeakBlocked)
		})
	}
}

// The identity of one document is not part of the next one: documents are pooled.
func TestDocumentsDoNotShareIdentities(t *testing.T) {
	t.Parallel()
	var seen []string
	f := newFixture(t, withClaims(provider.OpenIDConnect(), func(_ context.Context, d *token.Document) error {
		seen = append(seen, d.Identity.Subject)
		return nil
	}))
	f.redeem("web", f.code(identity(session.Identity{Subject: "a"}), forClient("web", "openid", "profile")))
	f.redeem("web", f.code(forClient("web", "openid", "api:pseudo")))
	f.redeem("web", f.code(identity(session.Identity{Subject: "b"}), forClient("web", "openid", "profile")))
	require.Equal(t, []string{"a", "a", "", "", "b", "b"}, seen)
}

// TestDocumentsNeverPrint verifies that values with the identity and the claims of a user do not appear in logs.
func TestDocumentsNeverPrint(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&out, nil))
	print := func(v any) {
		fmt.Fprintf(&out, "%v %+v %#v %s %x", v, v, v, v, v)
		log.Info("a value", "value", v)
	}
	f := newFixture(t, withClaims(provider.IDPorten(), func(_ context.Context, d *token.Document) error {
		print(d)
		return nil
	}), func(c *token.Config) {
		c.Users = token.UserFunc(func(context.Context, string) (token.User, error) {
			return token.User{Claims: map[string]any{"department": "secret-department"}}, nil
		})
	})
	access := f.login("web", "openid", "profile").str("access_token")
	live, err := f.ep.Minter().LookupSubjectToken(t.Context(), access, f.clock())
	require.NoError(t, err)
	print(live)
	print(*live)
	form, err := client.ParseForm("token=" + access)
	require.NoError(t, err)
	request := f.request("web", nil)
	claims, err := f.ep.Introspect(t.Context(), client.Request{Method: http.MethodPost, Header: request.Header, Form: form})
	require.NoError(t, err)
	require.Contains(t, string(claims.JSON), pid)
	print(claims)
	print(*claims)
	require.Contains(t, out.String(), "REDACTED")
	for _, hidden := range []string{pid, "user-1", "secret-department", hex.EncodeToString([]byte(pid)), access} {
		require.NotContains(t, out.String(), hidden)
	}
}
