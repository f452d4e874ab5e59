package main

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/portner-go/portner/internal/standin/idporten"
	"github.com/stretchr/testify/require"
)

// basicModules are the modules of the basic profile with a static client, each with the result that the suite can give.
var basicModules = map[string]func(*module) string{
	"oidcc-server":                (*module).server,
	"oidcc-response-type-missing": (*module).responseTypeMissing,
	"oidcc-userinfo-get":          userInfoBy(http.MethodGet),
	"oidcc-userinfo-post-header":  userInfoBy(http.MethodPost),
	"oidcc-userinfo-post-body":    userInfoBy("form"),

	"oidcc-ensure-request-without-nonce-succeeds-for-code-flow": succeedsWith("nonce", ""),

	"oidcc-scope-profile":             scopeClaims("profile"),
	"oidcc-scope-email":               scopeClaims("email"),
	"oidcc-scope-address":             scopeClaims("address"),
	"oidcc-scope-phone":               scopeClaims("phone"),
	"oidcc-scope-all":                 scopeClaims("profile", "email", "address", "phone"),
	"oidcc-alternate-happy-flow":      scopeClaims("phone", "email"),
	"oidcc-display-page":              succeedsWith("display", "page"),
	"oidcc-display-popup":             succeedsWith("display", "popup"),
	"oidcc-prompt-login":              (*module).promptLogin,
	"oidcc-prompt-none-not-logged-in": (*module).promptNoneNotLoggedIn,
	"oidcc-prompt-none-logged-in":     (*module).promptNoneLoggedIn,
	"oidcc-max-age-1":                 (*module).maxAgeExceeded,
	"oidcc-max-age-10000":             (*module).maxAgeMet,

	"oidcc-ensure-request-with-unknown-parameter-succeeds": succeedsWith("extra", "foobar"),

	"oidcc-id-token-hint":                           (*module).idTokenHint,
	"oidcc-login-hint":                              succeedsWith("login_hint", "buffy@example.no"),
	"oidcc-ui-locales":                              succeedsWith("ui_locales", "se"),
	"oidcc-claims-locales":                          succeedsWith("claims_locales", "se"),
	"oidcc-ensure-request-with-acr-values-succeeds": (*module).acrValues,
	"oidcc-codereuse":                               (*module).codeReuse,
	"oidcc-codereuse-30seconds":                     (*module).codeReuseLater,
	"oidcc-ensure-registered-redirect-uri":          (*module).registeredRedirectURI,
	"oidcc-ensure-post-request-succeeds":            (*module).postRequest,
	"oidcc-server-client-secret-post":               (*module).clientSecretPost,

	"oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported": (*module).unsignedRequestObject,

	"oidcc-ensure-request-object-with-redirect-uri": (*module).unsignedRequestObject,

	"oidcc-claims-essential":                        (*module).essentialClaim,
	"oidcc-refresh-token":                           (*module).refreshToken,
	"oidcc-ensure-request-with-valid-pkce-succeeds": (*module).pkce,
}

func (m *module) server() string {
	got := m.flow()
	_, info := m.userInfo(http.MethodGet, got.access)
	require.Equal(m.t, got.claims["sub"], info["sub"])
	return passed
}

func (m *module) responseTypeMissing() string {
	q := m.request("response_type", "")
	require.Contains(m.t, []string{"unsupported_response_type", "invalid_request"}, m.refused(m.open(q), q))
	return passed
}

func userInfoBy(method string) func(*module) string {
	return func(m *module) string {
		got := m.flow()
		status, info := m.userInfo(method, got.access)
		require.Equal(m.t, http.StatusOK, status)
		require.Equal(m.t, got.claims["sub"], info["sub"])
		return passed
	}
}

// succeedsWith logs in with a parameter that the provider may ignore.
func succeedsWith(change ...string) func(*module) string {
	return func(m *module) string {
		m.flow(change...)
		return passed
	}
}

// claimsOf are the claims of each scope (OIDC Core §5.4).
var claimsOf = map[string][]string{
	"profile": {
		"name", "given_name", "family_name", "middle_name", "nickname", "preferred_username", "profile", "picture", "website", "gender",
		"birthdate", "zoneinfo", "locale", "updated_at",
	},
	"email": {"email", "email_verified"}, "address": {"address"}, "phone": {"phone_number", "phone_number_verified"},
}

// scopeClaims requires every claim of the scopes from userinfo, and no others.
func scopeClaims(scopes ...string) func(*module) string {
	return func(m *module) string {
		want := []string{"sub"}
		for _, s := range scopes {
			require.Contains(m.t, m.meta["scopes_supported"], s)
			want = append(want, claimsOf[s]...)
		}
		_, info := m.userInfo(http.MethodGet, m.flow("scope", "openid "+strings.Join(scopes, " ")).access)
		require.ElementsMatch(m.t, want, namesOf(info))
		for name, kind := range idporten.ClaimKinds {
			if v, ok := info[name]; ok {
				require.Equal(m.t, kind, idporten.KindOf(v), name)
			}
		}
		return passed
	}
}

func namesOf(claims map[string]any) []string {
	var names []string
	for name := range claims {
		names = append(names, name)
	}
	return names
}

func (m *module) promptLogin() string {
	first := m.flow()
	m.advance(2 * time.Second)
	second := m.flow("prompt", "login")
	require.Equal(m.t, first.claims["sub"], second.claims["sub"])
	require.Greater(m.t, second.claims["auth_time"], first.claims["auth_time"])
	return review
}

func (m *module) promptNoneNotLoggedIn() string {
	q := m.request("prompt", "none", "state", strings.Repeat("aZ09-._~", 16))
	require.Equal(m.t, "login_required", m.refused(m.open(q), q))
	return passed
}

func (m *module) promptNoneLoggedIn() string {
	first := m.flow()
	m.advance(time.Second)
	second := m.again("prompt", "none")
	require.Equal(m.t, first.claims["sub"], second.claims["sub"])
	require.Equal(m.t, first.claims["auth_time"], second.claims["auth_time"])
	return passed
}

func (m *module) maxAgeExceeded() string {
	first := m.flow()
	m.advance(2 * time.Second)
	second := m.flow("max_age", "1")
	require.Greater(m.t, second.claims["auth_time"], first.claims["auth_time"])
	require.InDelta(m.t, m.now().Unix(), second.claims["auth_time"], 60)
	return review
}

func (m *module) maxAgeMet() string {
	first := m.flow("max_age", "15000")
	m.advance(time.Second)
	require.Equal(m.t, first.claims["auth_time"], m.again("max_age", "10000").claims["auth_time"])
	require.NotZero(m.t, first.claims["auth_time"])
	return passed
}

func (m *module) idTokenHint() string {
	first := m.flow()
	require.Equal(m.t, first.claims["sub"], m.again("prompt", "none", "id_token_hint", first.idToken).claims["sub"])
	return passed
}

// acrValues requests every supported level, and the values that the suite sends if it is configured with none.
func (m *module) acrValues() string {
	var all []string
	for _, v := range m.meta["acr_values_supported"].([]any) {
		all = append(all, v.(string))
	}
	require.Contains(m.t, all, m.flow("acr_values", strings.Join(all, " ")).claims["acr"])
	require.Contains(m.t, all, m.again("acr_values", "1 2").claims["acr"], "unknown values are voluntary")
	return passed
}

// reuse redeems a code twice, and returns the first access token.
func (m *module) reuse(after time.Duration) string {
	q := m.request()
	code := m.code(m.login(m.open(q)), q)
	got := m.redeem(code, q)
	m.advance(after)
	res, body := m.post(m.client, url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {m.callback()}})
	require.Equal(m.t, []any{http.StatusBadRequest, "invalid_grant"}, []any{res.StatusCode, body["error"]})
	return got.access
}

func (m *module) codeReuse() string { m.reuse(0); return passed }

func (m *module) codeReuseLater() string {
	status, _ := m.userInfo(http.MethodGet, m.reuse(30*time.Second))
	require.Equal(m.t, http.StatusUnauthorized, status, "the token of a code that was used twice is revoked")
	return passed
}

func (m *module) registeredRedirectURI() string {
	p := m.open(m.request("redirect_uri", m.callback()+"/other"))
	m.requireErrorPage(p, "redirect_uri")
	require.Contains(m.t, p.body, "invalid_request")
	return review
}

// requireErrorPage requires an error page that stays at the provider and names a parameter.
func (m *module) requireErrorPage(p *page, parameter string) {
	m.t.Helper()
	require.Nil(m.t, p.left)
	require.Equal(m.t, http.StatusBadRequest, p.status)
	require.NotNil(m.t, p.id("error-page"), p.body)
	require.NotEmpty(m.t, p.text("error-code"))
	require.Contains(m.t, p.text("main"), parameter)
}

func (m *module) postRequest() string {
	q := m.request()
	r, err := http.NewRequestWithContext(m.t.Context(), http.MethodPost, m.meta["authorization_endpoint"].(string), strings.NewReader(q.Encode()))
	require.NoError(m.t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", m.suite)
	m.redeem(m.code(m.login(m.v.do(r)), q), q)
	return passed
}

func (m *module) clientSecretPost() string {
	m.client = "conf-post-1"
	return m.server()
}

// unsignedRequestObject: the suite skips its modules with unsigned request objects, because the metadata lists algorithms without none.
// A provider must not ignore such an object.
func (m *module) unsignedRequestObject() string {
	require.NotEmpty(m.t, m.meta["request_object_signing_alg_values_supported"])
	require.NotContains(m.t, m.meta["request_object_signing_alg_values_supported"], "none")
	claims, err := json.Marshal(map[string]any{"iss": m.client, "aud": m.issuer, "client_id": m.client, "redirect_uri": m.callback(), "state": "inside"})
	require.NoError(m.t, err)
	encode := base64.RawURLEncoding.EncodeToString
	q := m.request("request", encode([]byte(`{"alg":"none"}`))+"."+encode(claims)+".")
	require.Contains(m.t, []string{"request_not_supported", "invalid_request_object"}, m.refused(m.open(q), q))
	return skipped
}

func (m *module) essentialClaim() string {
	got := m.flow("claims", `{"userinfo":{"name":{"essential":true}}}`)
	_, info := m.userInfo(http.MethodGet, got.access)
	require.Equal(m.t, "Conf Ormance", info["name"])
	require.ElementsMatch(m.t, []string{"sub", "name"}, namesOf(info))
	require.Equal(m.t, true, m.meta["claims_parameter_supported"])
	return passed
}

func (m *module) refreshToken() string {
	first := m.flow("scope", "openid offline_access", "prompt", "consent")
	m.advance(time.Second)
	res, body := m.post(m.client, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {first.refresh}})
	require.Equal(m.t, http.StatusOK, res.StatusCode, body)
	next := m.read(body, "")
	for _, name := range []string{"iss", "sub", "aud", "auth_time"} {
		require.Equal(m.t, first.claims[name], next.claims[name], name)
	}
	require.Greater(m.t, next.claims["iat"], first.claims["iat"])

	// The refresh token of another client.
	mine := m.client
	m.client = m.other
	q := m.request("scope", "openid offline_access", "prompt", "consent")
	p := m.open(q)
	if p.id("login-form") != nil {
		p = m.login(p)
	}
	foreign := m.redeem(m.code(p, q), q)
	res, body = m.post(mine, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {foreign.refresh}})
	require.Equal(m.t, []any{http.StatusBadRequest, "invalid_grant"}, []any{res.StatusCode, body["error"]})
	return passed
}

func (m *module) pkce() string {
	q := m.request("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", "code_challenge_method", "S256") // RFC 7636 Appendix B
	m.redeem(m.code(m.login(m.open(q)), q), q, "code_verifier", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
	return passed
}
