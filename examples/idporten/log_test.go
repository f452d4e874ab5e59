package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/examples/internal/programs"
	"github.com/portner-go/portner/internal/standin"
	"github.com/portner-go/portner/internal/standin/idporten"
	"github.com/portner-go/portner/internal/standin/standintest"
)

// canaries collects values that must not be logged.
type canaries struct {
	mu   sync.Mutex
	seen map[string]string // value: what it is
	next http.RoundTripper
}

func (c *canaries) add(what, value string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(value) >= 5 {
		c.seen[value] = what
	}
}

// RoundTrip collects the secrets of a request and its response.
func (c *canaries) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		form, _ := url.ParseQuery(string(body))
		for _, name := range []string{"code", "code_verifier", "refresh_token", "token", "client_secret", "csrf", "password", "request"} {
			c.add(name, form.Get(name))
		}
	}
	for _, name := range []string{"code", "code_challenge", "request", "id_token_hint", "login_hint"} {
		c.add(name, r.URL.Query().Get(name))
	}
	_, authorization, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	c.add("Authorization", authorization)
	for _, cookie := range r.Cookies() {
		if cookie.Name != authorize.LanguageCookie {
			c.add("cookie "+cookie.Name, cookie.Value)
		}
	}
	resp, err := c.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body = io.NopCloser(bytes.NewReader(body))
	var m map[string]any
	if json.Unmarshal(body, &m) == nil {
		c.answer(m)
	}
	return resp, err
}

func (c *canaries) answer(m map[string]any) {
	for _, name := range []string{"access_token", "refresh_token", "id_token", "sub", "sid", "pid", "email", "request_uri"} {
		value, _ := m[name].(string)
		c.add(name, value)
		if parts := strings.Split(value, "."); len(parts) == 3 {
			var claims map[string]any
			if raw, err := base64.RawURLEncoding.DecodeString(parts[1]); err == nil && json.Unmarshal(raw, &claims) == nil {
				c.answer(claims)
			}
		}
	}
}

// TestLogTellsNoSecrets runs the whole demo, with valid and invalid requests, and searches the log for every secret
// (docs/threat-model.md I5).
func TestLogTellsNoSecrets(t *testing.T) {
	t.Parallel()
	var log syncBuffer
	prepared, err := standintest.Prepare(t, programs.IDPorten().Command(), standin.Logger(&log, slog.LevelDebug).Handler(), "-addr", "localhost:0", "-demo", "-config", write(t, `{"test_login":true}`))
	require.NoError(t, err)
	s := prepared.(*idporten.Server)
	c := &canaries{seen: map[string]string{"21879498012": "pid", "45840375084": "pid", "passord": "password", "feilpassord": "password", idporten.DemoSecret: "client_secret", idporten.DemoAPISecret: "client_secret"}, next: s.Outgoing.Transport}
	s.Outgoing.Transport = c
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	wholeDemo(t, s)
	mishaps(t, s)
	cancel()
	require.NoError(t, <-done)

	require.Greater(t, len(c.seen), 60, "the demo was not walked")
	text := log.String()
	for value, what := range c.seen {
		require.NotContains(t, text, value, "%s in the log", what)
		require.NotContains(t, text, url.QueryEscape(value), "%s in the log", what)
	}
	for _, want := range []string{"client_id=min-tjeneste", "corr_id=", "reason=", "level=INFO"} {
		require.Contains(t, text, want)
	}
	for line := range strings.Lines(text) {
		require.Less(t, len(line), 400, "a line one cannot read: %s", line)
		require.NotContains(t, line, " at=", "the time is there twice")
		require.NotContains(t, line, "level=ERROR")
	}
}

// wholeDemo plays every story of the demo.
func wholeDemo(t *testing.T, s *idporten.Server) {
	t.Helper()
	v := tour(t, s)
	home := v.get(s.At.First)
	login := v.press(home, "story-login")
	wrong := v.submit(login, "login-form", url.Values{"username": {"ola"}, "password": {"feilpassord"}, "action": {"login"}})
	require.NotNil(t, wrong.id("login-failed"))
	in := v.login(wrong, "ola")
	require.Equal(t, "45840375084", in.text("id-pid"))
	require.Equal(t, "1", v.press(in, "refresh").text("refreshed"))
	require.NotNil(t, v.press(v.get(s.At.Second), "story-login").id("logged-in"))
	require.NotNil(t, v.press(v.press(v.get(s.At.Isolated), "story-login"), "user-ola").id("logged-in"))
	cancelled := v.press(v.press(in, "story-paa-nytt"), "login-cancel")
	require.Contains(t, cancelled.text("rp-notice"), "du avbrøt")
	require.NotNil(t, cancelled.id("logged-in"), "the service's own session lives on")

	declined := v.press(v.press(in, "story-deling"), "consent-deny")
	require.Equal(t, "openid profile", declined.text("granted-scope"))
	refused := v.press(declined, "call-api")
	require.Contains(t, refused.text("api"), "(403)")
	shared := v.press(v.press(refused, "story-deling"), "consent-approve", "demo:inntekt.read")
	require.Equal(t, "openid profile demo:inntekt.read", shared.text("granted-scope"))
	require.Contains(t, v.press(shared, "call-api").text("api-answer"), "612 000")

	hidden := v.press(shared, "story-pseudonym")
	require.NotContains(t, hidden.text("main"), "45840375084")
	require.Contains(t, v.press(hidden, "call-api").text("api-answer"), "45840375084", "the API's owner may know")
	opaque := v.press(hidden, "story-opak")
	require.Contains(t, v.press(opaque, "call-api").text("api-answer"), "introspection")
	register := v.press(opaque, "story-kontaktregister")
	require.Contains(t, v.press(register, "call-api").text("api-answer"), "ola@example.no")
	high := v.press(v.press(register, "story-hoyt"), "user-kari")
	require.Equal(t, "idporten-loa-high", high.text("id-acr"))
	out := v.press(high, "logout")
	require.NotNil(t, out.id("logged-out"))
	require.NotEmpty(t, attr(out.id("logout-continue"), "href"))
}

// mishaps sends requests that must fail.
func mishaps(t *testing.T, s *idporten.Server) {
	t.Helper()
	v := visit(t, s)
	p := newParty(t, s, "min-tjeneste", idporten.DemoSecret, s.At.First+"/callback", "openid")
	require.NotNil(t, v.get(s.Issuer+"/authorize?client_id=21879498012&login_hint=21879498012").id("error-code"))
	v.get(p.url("login_hint", "testid:21879498012_idporten-loa-low"))
	v.get(p.url("login_hint", "testid:21879498012_idporten-loa-high", "scope", "openid no:such"))
	code := v.get(p.url("login_hint", "testid:21879498012_idporten-loa-high")).param(t, "code")
	for _, form := range []url.Values{
		{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {s.At.First + "/callback"}, "code_verifier": {"21879498012218794980122187949801221879498012"}},
		{"grant_type": {"refresh_token"}, "refresh_token": {code}},
		{"grant_type": {code}},
		{"token": {code}},
	} {
		post(t, s, "/token", "min-tjeneste", idporten.DemoSecret, form)
		post(t, s, "/token", "min-tjeneste", "feilpassord", form)
		post(t, s, "/revoke", "min-tjeneste", idporten.DemoSecret, form)
		post(t, s, "/tokeninfo", idporten.DemoAPIClient, idporten.DemoAPISecret, form)
		post(t, s, "/par", "min-tjeneste", idporten.DemoSecret, form)
	}
	v.get(s.Issuer + "/login?request=21879498012")
	v.get(s.Issuer + "/logout?id_token_hint=21879498012.passord.x")
}
