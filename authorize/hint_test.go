package authorize_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
)

// idTokenKeys are the keys of the provider.
var idTokenKeys = must(keyset.New(keyset.Config{Keys: []keyset.Key{must(keyset.Generate(keyset.EdDSA))}}))

func withHints(c *authorize.Config) {
	c.IDTokens = idTokenKeys
	c.Subject = func(c *client.Client, id *session.Identity, pseudonymous bool) (string, error) {
		if pseudonymous {
			return c.ClientID + "/pseudonym of " + id.Subject, nil
		}
		return c.ClientID + "/" + id.Subject, nil
	}
}

func idToken(iss string, aud any, sub string) string {
	return signed("JWT", string(must(json.Marshal(map[string]any{"iss": iss, "aud": aud, "sub": sub, "iat": 1, "exp": 2}))))
}

// signed returns a token of the provider.
func signed(typ, payload string) string {
	return must(idTokenKeys.Sign("", typ, []byte(payload), epoch))
}

// TestIDTokenHint: the hint names the user who must be logged in (OIDC Core §3.1.2.1).
func TestIDTokenHint(t *testing.T) {
	t.Parallel()
	kari := idToken(issuer, "silent", "silent/kari")
	for _, tc := range []struct {
		name, hint, prompt, want string
	}{
		{"the logged-in user, silent", kari, "none", "code"},
		{"the logged-in user", kari, "", "code"},
		{"array audience", idToken(issuer, []string{"x", "silent"}, "silent/kari"), "none", "code"},
		{"another user, silent", idToken(issuer, "silent", "silent/ola"), "none", "error login_required"},
		{"another user", idToken(issuer, "silent", "silent/ola"), "", "login"},
		{"bad signature", "bad", "none", "error invalid_request"},
		{"other issuer", idToken("https://evil.example", "silent", "silent/kari"), "none", "error invalid_request"},
		{"other client", idToken(issuer, "web", "web/kari"), "none", "error invalid_request"},
		{"access token", signed("at+jwt", `{"iss":"`+issuer+`","aud":"silent","sub":"silent/kari"}`), "none", "error invalid_request"},
		{"no subject", idToken(issuer, "silent", ""), "none", "error invalid_request"},
		{"repeated member", signed("JWT", `{"iss":"`+issuer+`","aud":"silent","sub":"a","sub":"silent/kari"}`), "none", "error invalid_request"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, withHints)
			b := w.browser()
			requireCode(t, b.loginAs(b.authorize(params("web")), "kari"))
			require.Equal(t, tc.want, outcome(t, b.authorize(params("silent", "id_token_hint", tc.hint, "prompt", tc.prompt))))
		})
	}
}

// TestHintedUserLogsIn: the hint is part of the pending request.
func TestHintedUserLogsIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withHints)
	b := w.browser()
	p := params("silent", "id_token_hint", idToken(issuer, "silent", "silent/ola"))
	requireCode(t, b.loginAs(b.authorize(params("web")), "kari"))
	w.sleep(time.Second)
	require.Equal(t, "error login_required", outcome(t, b.loginAs(b.authorize(p), "kari")), "another user again")
	w.sleep(time.Second)
	requireCode(t, b.loginAs(b.authorize(p), "ola"))
}

func TestTestLogin(t *testing.T) {
	t.Parallel()
	_, err := authorize.NewTestLogin(authorize.TestLoginConfig{Issuer: issuer})
	require.Error(t, err, "a production issuer")
	_, err = authorize.NewTestLogin(authorize.TestLoginConfig{Issuer: issuer, TestIssuer: "https://test.example.no"})
	require.Error(t, err)
	_, err = authorize.NewTestLogin(authorize.TestLoginConfig{})
	require.Error(t, err)
	for _, loopback := range []string{"http://localhost:8080", "http://127.0.0.1:8080", "http://[::1]:8080"} {
		_, err = authorize.NewTestLogin(authorize.TestLoginConfig{Issuer: loopback})
		require.NoError(t, err)
	}
	for _, evil := range []string{"http://127.0.0.1.evil.example", "http://localhost.evil.example", "http://127.0.0.1@evil.example"} {
		_, err = authorize.NewTestLogin(authorize.TestLoginConfig{Issuer: evil})
		require.Error(t, err)
	}

	login, err := authorize.NewTestLogin(authorize.TestLoginConfig{
		Issuer: issuer, TestIssuer: issuer,
		Identity: func(_ context.Context, pid norway.PID) (session.Identity, error) {
			if pid != testPID {
				return session.Identity{}, storage.ErrNotFound
			}
			return session.Identity{Subject: "kari", Identifiers: identifiers(pid)}, nil
		},
	})
	require.NoError(t, err)
	w := newWorld(t, func(c *authorize.Config) { c.TestLogin = login })
	hint := "testid:" + testPID.Reveal() + "_" + acr.High
	b := w.browser()
	g := w.stored(requireCode(t, b.authorize(params("web", "scope", "openid test:shared test:fresh", "login_hint", hint, "prompt", "login")))).Grant
	require.Equal(t, []string{"TestID"}, g.AMR)
	require.Equal(t, acr.High, g.ACR)
	require.Equal(t, []string{"openid", "test:shared", "test:fresh"}, g.Scopes)
	require.Equal(t, w.vault.UserKey("kari"), g.UserKey)
	consents, err := w.store.Consents(t.Context(), storage.ConsentKey{UserKey: g.UserKey, ClientID: "web", Customer: "991825827///"}, w.clock())
	require.NoError(t, err)
	require.Len(t, consents, 1, "the tokens rest on it")
	require.Equal(t, "test:shared", consents[0].Scope)
	require.Equal(t, g.ExpiresAt, consents[0].ExpiresAt)

	other := must(norway.SyntheticPID(time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC), 1))
	for name, hint := range map[string]string{
		"level too low": "testid:" + testPID.Reveal() + "_" + acr.Low, "no level": "testid:" + testPID.Reveal(),
		"unknown level": "testid:" + testPID.Reveal() + "_x", "not a number": "testid:1_" + acr.High,
		"not synthetic": "testid:01010750160_" + acr.High,
	} {
		require.Equal(t, "error invalid_request", outcome(t, w.browser().authorize(params("web", "login_hint", hint))), name)
	}
	require.Equal(t, "error access_denied", outcome(t, w.browser().authorize(params("web", "login_hint", "testid:"+other.Reveal()+"_"+acr.High))))
	require.Equal(t, "login", outcome(t, w.browser().authorize(params("web", "login_hint", "kari"))))
	require.Equal(t, "login", outcome(t, newWorld(t).browser().authorize(params("web", "login_hint", hint))), "not configured: ignored")

	cfg := authorize.Config{Issuer: "https://prod.example.no", TestLogin: login}
	_, err = authorize.New(cfg)
	require.ErrorContains(t, err, "TestLogin: was made for another issuer")
}

// TestLoginOfTestPopulations: a number is synthetic if 40, 65 or 80 is added to its month, also that of a D-number.
func TestLoginOfTestPopulations(t *testing.T) {
	t.Parallel()
	login, err := authorize.NewTestLogin(authorize.TestLoginConfig{Issuer: issuer, TestIssuer: issuer})
	require.NoError(t, err)
	w := newWorld(t, func(c *authorize.Config) { c.TestLogin = login })
	for pid, want := range map[string]string{
		testPID.Reveal(): "code", "15419010046": "code", "15668010064": "code", "15779010020": "code", "41668010030": "code",
		"15018010035": "error invalid_request", "15417810038": "error invalid_request", "01010750160": "error invalid_request",
	} {
		require.Equal(t, want, outcome(t, w.browser().authorize(params("web", "login_hint", "testid:"+pid+"_"+acr.High))), pid)
	}
}

// TestPanics: a panic of the host ends the request without a code, and its value is not logged.
func TestPanics(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *authorize.Config) { c.Clients = panicking{} })
	require.Equal(t, "page Internal Server Error server_error", outcome(t, w.browser().authorize(params("web"))))
}

type panicking struct{}

func (panicking) Client(context.Context, string) (*client.Client, error) { panic("secret") }

// TestLoginWithoutPage: a host that identifies its users without a page continues the request at once.
func TestLoginWithoutPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	kari := session.Authentication{Identity: session.Identity{Subject: "kari"}, ACR: acr.Substantial}
	d := w.endpoint.Authorize(t.Context(), w.request(params("web")))
	d = d.Interaction.LogIn(t.Context(), kari)
	require.NotNil(t, d.Redirect)
	require.Contains(t, d.Redirect.URL, "code=")
	require.Len(t, d.Header["Set-Cookie"], 2, "of the browser and of the session")

	d = w.endpoint.Authorize(t.Context(), w.request(params("web", "acr_values", acr.High)))
	d = d.Interaction.LogIn(t.Context(), kari)
	require.NotNil(t, d.Interaction)
	require.Equal(t, authorize.StepUpStep, d.Interaction.Step)
}

// request returns an authorization request of a browser without cookies.
func (w *world) request(form url.Values) authorize.Request {
	return authorize.Request{Method: http.MethodGet, Form: must(client.ParseForm(form.Encode())), Header: http.Header{}}
}

// TestTestLoginByName: the test login answers for users that the host knows by a name, with the level and the methods of their login.
func TestTestLoginByName(t *testing.T) {
	t.Parallel()
	login, err := authorize.NewTestLogin(authorize.TestLoginConfig{
		Issuer: issuer, TestIssuer: issuer,
		Named: func(_ context.Context, name string) (session.Authentication, error) {
			if name != "kari_n" {
				return session.Authentication{}, storage.ErrNotFound
			}
			return session.Authentication{Identity: session.Identity{Subject: "kari"}, ACR: acr.Substantial, AMR: []string{"pwd"}}, nil
		},
	})
	require.NoError(t, err)
	w := newWorld(t, func(c *authorize.Config) { c.TestLogin = login })
	g := w.stored(requireCode(t, w.browser().authorize(params("web", "login_hint", "testid:kari_n")))).Grant
	require.Equal(t, []string{"pwd"}, g.AMR)
	require.Equal(t, acr.Substantial, g.ACR)
	require.Equal(t, w.vault.UserKey("kari"), g.UserKey)
	require.Equal(t, "error access_denied", outcome(t, w.browser().authorize(params("web", "login_hint", "testid:ola"))))
	require.Equal(t, "error access_denied", outcome(t, w.browser().authorize(params("web", "login_hint", "testid:"))))
	require.Equal(t, "error invalid_request", outcome(t, w.browser().authorize(params("web", "login_hint", "testid:kari_n", "acr_values", acr.High))))
	require.Equal(t, "error invalid_request", outcome(t, w.browser().authorize(params("web", "login_hint", "testid:01010750160_"+acr.High))), "a person who is not synthetic is no name")
	requireCode(t, w.browser().authorize(params("web", "login_hint", "testid:"+testPID.Reveal()+"_"+acr.High)))
}
