package main

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
)

// logoutModules are the modules of the profile for RP-initiated logout.
var logoutModules = map[string]func(*module) string{
	"oidcc-rp-initiated-logout-discovery-endpoint-verification":         (*module).logoutDiscovery,
	"oidcc-rp-initiated-logout":                                         (*module).logoutReturns,
	"oidcc-rp-initiated-logout-no-state":                                (*module).logoutWithoutState,
	"oidcc-rp-initiated-logout-bad-post-logout-redirect-uri":            logoutStays("post_logout_redirect_uri", "https://evil.example.no/"),
	"oidcc-rp-initiated-logout-query-added-to-post-logout-redirect-uri": logoutStays("post_logout_redirect_uri", "?foo=bar"),
	"oidcc-rp-initiated-logout-modified-id-token-hint":                  logoutRefused(unsigned),
	"oidcc-rp-initiated-logout-bad-id-token-hint":                       logoutRefused(resigned),
	"oidcc-rp-initiated-logout-no-id-token-hint":                        logoutAsks("post_logout_redirect_uri"),
	"oidcc-rp-initiated-logout-no-params":                               logoutAsks(),
	"oidcc-rp-initiated-logout-no-post-logout-redirect-uri":             (*module).logoutWithoutURI,
	"oidcc-rp-initiated-logout-only-state":                              logoutAsks("state"),
}

// logout sends the browser to the end_session_endpoint.
func (m *module) logout(params ...string) *page {
	m.t.Helper()
	q := url.Values{}
	for i := 0; i < len(params); i += 2 {
		q.Set(params[i], params[i+1])
	}
	return m.v.get(m.meta["end_session_endpoint"].(string) + "?" + q.Encode())
}

func (m *module) afterLogout() string { return m.suite + "/post_logout_redirect" }

// requireLoggedOut requires that a silent request is refused.
func (m *module) requireLoggedOut() {
	m.t.Helper()
	q := m.request("prompt", "none")
	require.Equal(m.t, "login_required", m.refused(m.open(q), q))
}

func (m *module) logoutDiscovery() string {
	require.True(m.t, strings.HasPrefix(m.meta["end_session_endpoint"].(string), "https://"))
	return passed
}

func (m *module) logoutReturns() string {
	p := m.logout("id_token_hint", m.flow().idToken, "post_logout_redirect_uri", m.afterLogout(), "state", "some state &=")
	require.NotNil(m.t, p.left, p.body)
	require.Equal(m.t, m.afterLogout()+"?state=some+state+%26%3D", p.left.String())
	m.requireLoggedOut()
	return passed
}

func (m *module) logoutWithoutState() string {
	p := m.logout("id_token_hint", m.flow().idToken, "post_logout_redirect_uri", m.afterLogout())
	require.NotNil(m.t, p.left, p.body)
	require.Equal(m.t, m.afterLogout(), p.left.String())
	m.requireLoggedOut()
	return passed
}

// logoutStays logs out with a URI that is not registered. A value that begins with "?" is added to the registered one.
func logoutStays(name, value string) func(*module) string {
	return func(m *module) string {
		if strings.HasPrefix(value, "?") {
			value = m.afterLogout() + value
		}
		p := m.logout("id_token_hint", m.flow().idToken, name, value, "state", "s")
		require.Nil(m.t, p.left)
		require.NotNil(m.t, p.id("error-page"), p.body)
		require.Contains(m.t, p.text("main"), "post_logout_redirect_uri")
		require.NotContains(m.t, p.body, "evil")
		return review
	}
}

// logoutRefused logs out with an id_token that was changed.
func logoutRefused(change func(*module, string) string) func(*module) string {
	return func(m *module) string {
		p := m.logout("id_token_hint", change(m, m.flow().idToken), "post_logout_redirect_uri", m.afterLogout(), "state", "s")
		m.requireErrorPage(p, "id_token_hint")
		require.NotContains(m.t, p.text("main"), "nnloggingen", "the page speaks of a logout")
		m.again("prompt", "none")
		return review
	}
}

// unsigned returns the token with the algorithm none.
func unsigned(_ *module, token string) string {
	parts := strings.Split(token, ".")
	return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + parts[1] + "."
}

// resigned returns a token of somebody else.
func resigned(m *module, _ string) string { return m.assertion("conf-pkjwt-1", m.client) }

// logoutAsks logs out without a hint: the user confirms, and stays at the provider.
func logoutAsks(params ...string) func(*module) string {
	return func(m *module) string {
		m.flow()
		var all []string
		for _, name := range params {
			all = append(all, name, map[string]string{"state": "s", "post_logout_redirect_uri": m.afterLogout()}[name])
		}
		p := m.v.press(m.logout(all...), "logout-confirm")
		require.Nil(m.t, p.left)
		require.NotNil(m.t, p.id("logged-out"), p.body)
		m.requireLoggedOut()
		return review
	}
}

func (m *module) logoutWithoutURI() string {
	p := m.logout("id_token_hint", m.flow().idToken)
	require.NotNil(m.t, p.id("logged-out"), p.body)
	m.requireLoggedOut()
	return review
}

// frontModules are the modules of front-channel logout.
var frontModules = map[string]func(*module) string{
	"oidcc-frontchannel-logout-discovery-endpoint-verification": supports("frontchannel_logout_supported", "frontchannel_logout_session_supported"),
	"oidcc-frontchannel-rp-initiated-logout":                    (*module).frontChannel,
}

// backModules are the modules of back-channel logout.
var backModules = map[string]func(*module) string{
	"oidcc-backchannel-logout-discovery-endpoint-verification": supports("backchannel_logout_supported", "backchannel_logout_session_supported"),
	"oidcc-backchannel-rp-initiated-logout":                    (*module).backChannel,
}

func supports(members ...string) func(*module) string {
	return func(m *module) string {
		for _, name := range append(members, "end_session_endpoint") {
			require.Contains(m.t, []any{true, m.issuer + "/logout"}, m.meta[name], name)
		}
		return passed
	}
}

func (m *module) frontChannel() string {
	got := m.flow()
	p := m.logout("id_token_hint", got.idToken, "post_logout_redirect_uri", m.afterLogout(), "state", "s")
	var frames []string
	for n := range p.root.Descendants() {
		if n.Data == "iframe" {
			frames = append(frames, attr(n, "src"))
		}
	}
	require.Len(m.t, frames, 1)
	at, err := url.Parse(frames[0])
	require.NoError(m.t, err)
	require.Equal(m.t, m.suite+"/frontchannel_logout", at.Scheme+"://"+at.Host+at.Path)
	require.Equal(m.t, url.Values{"iss": {m.issuer}, "sid": {got.claims["sid"].(string)}}, at.Query())
	require.Equal(m.t, m.afterLogout()+"?state=s", attr(p.id("logout-continue"), "href"), "the page continues to it")
	m.requireLoggedOut()
	return passed
}

func (m *module) backChannel() string {
	got := m.flow()
	p := m.logout("id_token_hint", got.idToken, "post_logout_redirect_uri", m.afterLogout(), "state", "s")
	require.NotNil(m.t, p.left, p.body)
	require.Equal(m.t, m.afterLogout()+"?state=s", p.left.String())
	m.mu.Lock()
	defer m.mu.Unlock()
	require.Len(m.t, m.received, 1, "before the browser returns")
	require.Equal(m.t, []string{"logout_token"}, namesIn(m.received[0]))
	claims := m.verify(m.received[0].Get("logout_token"))
	require.Equal(m.t, map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}}, claims["events"])
	require.Equal(m.t, []any{m.issuer, m.client, got.claims["sub"], got.claims["sid"]}, []any{claims["iss"], claims["aud"], claims["sub"], claims["sid"]})
	require.NotEmpty(m.t, claims["jti"])
	require.InDelta(m.t, m.now().Unix(), claims["iat"], 300)
	require.NotContains(m.t, claims, "nonce")
	return passed
}

func namesIn(form url.Values) []string {
	var names []string
	for name := range form {
		names = append(names, name)
	}
	return names
}

// configModules are the modules of the config profile.
var configModules = map[string]func(*module) string{"oidcc-discovery-endpoint-verification": (*module).discovery}

func (m *module) discovery() string {
	require.Equal(m.t, m.issuer, m.meta["issuer"])
	for name, value := range m.meta {
		if strings.HasSuffix(name, "_endpoint") || name == "jwks_uri" {
			require.True(m.t, strings.HasPrefix(value.(string), "https://"), name)
		}
	}
	for name, want := range map[string]string{
		"response_types_supported": "code", "subject_types_supported": "public", "id_token_signing_alg_values_supported": "RS256", "scopes_supported": "openid",
		"claims_supported": "name", "code_challenge_methods_supported": "S256", "request_object_signing_alg_values_supported": "RS256", "ui_locales_supported": "nb",
	} {
		require.Contains(m.t, m.meta[name], want, name)
	}
	for scope, claims := range claimsOf {
		require.Contains(m.t, m.meta["scopes_supported"], scope)
		for _, c := range claims {
			require.Contains(m.t, m.meta["claims_supported"], c)
		}
	}
	require.NotEmpty(m.t, m.meta["userinfo_endpoint"])
	res, err := (&http.Client{Transport: m.http.Transport, Timeout: time.Minute}).Get(m.issuer + "/.well-known/openid-configuration")
	require.NoError(m.t, err)
	require.Equal(m.t, http.StatusOK, res.StatusCode)
	require.Equal(m.t, m.meta, jsonOf(m.t, res))
	return passed
}
