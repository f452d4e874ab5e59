package authorize_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/pkce"
)

// TestValidation goes through idporten section 3.2 row by row: what is refused, and where the answer goes.
func TestValidation(t *testing.T) {
	t.Parallel()
	long := func(n int) string { return strings.Repeat("a", n) }
	const page, unknown = "page Bad Request invalid_request", "page Bad Request invalid_client"
	for _, tc := range []struct {
		name   string
		params url.Values
		add    string // raw, behind the others
		want   string
		event  portner.EventName
	}{
		{name: "good", params: params("web"), want: "login"},
		{name: "1 no client_id", params: params("", "client_id", ""), want: page},
		{name: "1 unknown client", params: params("nobody"), want: unknown},
		{name: "1 inactive client", params: params("off"), want: unknown},
		{name: "1 long client_id", params: params(long(257)), want: unknown},
		{name: "1 client_id twice", params: params("web"), add: "&client_id=web", want: page, event: portner.EventDuplicateParam},
		{name: "2 request and request_uri", params: params("signing", "request", "x", "request_uri", "urn:x:y"), want: "error invalid_request"},
		{name: "2 request and request_uri, bad redirect_uri", params: params("signing", "request", "x", "request_uri", "urn:x:y", "redirect_uri", rp+"/"), want: page},
		{name: "2 request_uri by reference", params: params("web", "request_uri", "https://rp.example.no/r"), want: "error request_uri_not_supported"},
		{name: "2 request_uri unknown", params: params("web", "request_uri", authorize.DefaultRequestURIPrefix+long(43)), want: "error invalid_request_uri"},
		{name: "2 request_uri unknown, no redirect_uri", params: params("web", "request_uri", authorize.DefaultRequestURIPrefix+long(43), "redirect_uri", ""), want: "page Bad Request invalid_request_uri"},
		{name: "2 request of a client without keys", params: params("web", "request", "e30.e30."), want: "error request_not_supported"},
		{name: "2 request of a client without keys, bad redirect_uri", params: params("web", "request", "e30.e30.", "redirect_uri", "https://evil.example"), want: "page Bad Request request_not_supported"},
		{name: "3 no redirect_uri", params: params("web", "redirect_uri", ""), want: page},
		{name: "3 other redirect_uri", params: params("web", "redirect_uri", rp+"/"), want: page, event: portner.EventRedirectMismatch},
		{name: "3 redirect_uri in other case", params: params("web", "redirect_uri", "https://RP.example.no/cb"), want: page},
		{name: "3 redirect_uri with fragment", params: params("web", "redirect_uri", rp+"#"), want: page},
		{name: "3 redirect_uri twice", params: params("web"), add: "&redirect_uri=" + url.QueryEscape(rp), want: page, event: portner.EventDuplicateParam},
		{name: "3 long redirect_uri", params: params("web", "redirect_uri", rp+"?"+long(2048)), want: page},
		{name: "4 unknown response_mode", params: params("web", "response_mode", "jwt"), want: page},
		{name: "4 fragment", params: params("web", "response_mode", "fragment"), want: page},
		{name: "4 response_mode of others", params: params("queryonly", "response_mode", "form_post"), want: "error invalid_request"},
		{name: "5 no response_type", params: params("web", "response_type", ""), want: "error invalid_request"},
		{name: "5 token", params: params("web", "response_type", "token"), want: "error unsupported_response_type"},
		{name: "5 hybrid", params: params("web", "response_type", "code id_token"), want: "error unsupported_response_type"},
		{name: "6 grant type", params: params("machine"), want: "error unauthorized_client"},
		{name: "6 must push", params: params("pushing"), want: "error invalid_request"},
		{name: "6 must sign", params: params("mustsign"), want: "error invalid_request"},
		{name: "7 no scope", params: params("web", "scope", ""), want: "error invalid_request"},
		{name: "7 unregistered scope", params: params("web", "scope", "openid test:closed"), want: "error invalid_scope", event: portner.EventScopeDenied},
		{name: "7 unknown scope", params: params("web", "scope", "openid nothing:here"), want: "error invalid_scope", event: portner.EventScopeDenied},
		{name: "7 malformed scope", params: params("web", "scope", "openid \"x\""), want: "error invalid_scope"},
		{name: "7 long scope", params: params("web", "scope", "openid "+long(4096)), want: "error invalid_scope"},
		{name: "7 many scopes", params: params("web", "scope", strings.Repeat("openid ", 101)), want: "error invalid_scope"},
		{name: "8 no challenge", params: params("web", "code_challenge", ""), want: "error invalid_request"},
		{name: "8 neither", params: params("web", "code_challenge", "", "code_challenge_method", ""), want: "error invalid_request"},
		{name: "8 no method", params: params("web", "code_challenge_method", ""), want: "error invalid_request"},
		{name: "8 plain", params: params("web", "code_challenge_method", "plain"), want: "error invalid_request"},
		{name: "8 padded", params: params("web", "code_challenge", pkce.Challenge(verifier)+"="), want: "error invalid_request"},
		{name: "8 opted out", params: params("nopkce", "code_challenge", "", "code_challenge_method", ""), want: "login"},
		{name: "8 opted out but wrong", params: params("nopkce", "code_challenge_method", "plain"), want: "error invalid_request"},
		{name: "9 no state", params: params("web", "state", ""), want: "login"},
		{name: "9 no state, public", params: params("spa", "state", ""), want: "error invalid_request"},
		{name: "9 no state, strict", params: params("strict", "state", ""), want: "error invalid_request"},
		{name: "9 no nonce", params: params("web", "nonce", ""), want: "login"},
		{name: "9 no nonce, strict", params: params("strict", "nonce", ""), want: "error invalid_request"},
		{name: "9 long state", params: params("web", "state", long(2049)), want: "error invalid_request"},
		{name: "9 longest state", params: params("web", "state", long(2048)), want: "login"},
		{name: "9 state not ASCII", params: params("web", "state", "blåbær"), want: "error invalid_request"},
		{name: "9 state with a line break", params: params("web", "state", "a\r\nSet-Cookie: x"), want: page},
		{name: "9 long nonce", params: params("web", "nonce", long(513)), want: "error invalid_request"},
		{name: "9 nonce of the conformance suite", params: params("web", "nonce", long(384)), want: "login"},
		{name: "10 prompt login", params: params("web", "prompt", "login"), want: "login"},
		{name: "10 prompt none", params: params("web", "prompt", "none"), want: "error invalid_request"},
		{name: "10 prompt consent", params: params("web", "prompt", "consent"), want: "error invalid_request"},
		{name: "10 unknown prompt", params: params("silent", "prompt", "create"), want: "error invalid_request"},
		{name: "10 none and login", params: params("silent", "prompt", "none login"), want: "error invalid_request"},
		{name: "10 login and consent", params: params("silent", "prompt", "login consent"), want: "login"},
		{name: "10 max_age", params: params("web", "max_age", "-1"), want: "error invalid_request"},
		{name: "10 max_age huge", params: params("web", "max_age", "99999999999999999999"), want: "error invalid_request"},
		{name: "11 no known acr", params: params("web", "acr_values", "1 2"), want: "error invalid_request"},
		{name: "11 one known acr", params: params("web", "acr_values", "1 idporten-loa-high"), want: "login"},
		{name: "12 relative resource", params: params("web", "resource", "/api"), want: "error invalid_target"},
		{name: "12 resource with fragment", params: params("web", "resource", "https://api.example.no/#x"), want: "error invalid_target"},
		{name: "12 script resource", params: params("web", "resource", "javascript:alert(1)"), want: "error invalid_target"},
		{name: "12 the issuer as resource", params: params("web", "resource", issuer+"/"), want: "error invalid_target"},
		{name: "12 urn", params: params("web", "resource", "urn:example:api"), want: "login"},
		{name: "12 two resources", params: params("web", "resource", "https://api.example.no/"), add: "&resource=https://b.example.no", want: "login"},
		{name: "12 six resources", params: params("web"), add: strings.Repeat("&resource=https://api.example.no", 6), want: "error invalid_target"},
		{name: "13 onbehalfof", params: params("web", "onbehalfof", "kunde"), want: "login"},
		{name: "13 unregistered onbehalfof", params: params("web", "onbehalfof", "annen"), want: "error invalid_request"},
		{name: "14 authorization_details", params: params("web", "authorization_details", "[]"), want: "error invalid_authorization_details"},
		{name: "claims", params: params("web", "claims", `{"userinfo":{"name":{"essential":true}}}`), want: "login"},
		{name: "claims are ignored", params: params("web", "claims", `{"userinfo":`), want: "login"},
		{name: "id_token_hint without a verifier", params: params("web", "id_token_hint", "x.y.z"), want: "error invalid_request"},
		{name: "unknown parameter", params: params("web", "extra", "foobar"), want: "login"},
		{name: "tolerated parameters", params: params("web", "display", "popup", "login_hint", "kari", "ui_locales", "se", "claims_locales", "de"), want: "login"},
		{name: "state twice", params: params("web"), add: "&state=xyz", want: "error invalid_request", event: portner.EventDuplicateParam},
		{name: "unknown parameter twice", params: params("web"), add: "&x=1&x=1", want: "error invalid_request", event: portner.EventDuplicateParam},
		{name: "not UTF-8", params: params("web"), add: "&x=%ff", want: page},
		{name: "bad escape", params: params("web"), add: "&x=%zz", want: page},
		{name: "semicolon", params: params("web"), add: ";x=y", want: page},
		{name: "too many parameters", params: params("web"), add: strings.Repeat("&x", 64), want: page},
		{name: "too long", params: params("web"), add: "&x=" + long(16<<10), want: "page Request Entity Too Large invalid_request"},
		{name: "too large to wait", params: params("web", "x", long(8<<10)), want: "error invalid_request"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			res := w.browser().get("/authorize?" + tc.params.Encode() + tc.add)
			require.Equal(t, tc.want, outcome(t, res))
			if tc.event != "" {
				name, _ := w.lastEvent()
				require.Equal(t, tc.event, name)
			}
			if !strings.HasPrefix(tc.want, "error") {
				return
			}
			q := answered(t, res)
			for member := range q {
				require.Contains(t, []string{"error", "error_description", "state", "iss"}, member)
			}
			state := tc.params.Get("state")
			if len(state) > 2048 || state == "blåbær" || strings.HasPrefix(tc.add, "&state") {
				state = ""
			}
			require.Equal(t, state, q.Get("state"))
		})
	}
}

// TestEventsNameTheClient: once it is known, and only then (security section 0.5).
func TestEventsNameTheClient(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for change, want := range map[[2]string]string{
		{"redirect_uri", "https://evil.example/"}: "web", {"scope", "x:y"}: "web", {"client_id", "nobody"}: "", {"client_id", "off"}: "",
	} {
		w.browser().authorize(params("web", change[0], change[1]))
		require.Equal(t, want, w.lastClient(), change)
	}
	w.push(params("web", "scope", "x:y"))
	require.Equal(t, "web", w.lastClient())
}

func TestMethods(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, method := range []string{http.MethodHead, http.MethodPut, http.MethodDelete, http.MethodOptions} {
		res := w.browser().do(httptest.NewRequest(method, "/authorize?"+params("web").Encode(), nil))
		require.Equal(t, http.StatusMethodNotAllowed, res.StatusCode, method)
		require.Equal(t, "GET, POST", res.Header.Get("Allow"))
	}
}

// TestRegistrationOlderThanTheRules: a URI that may not be registered is not used either (security row A5).
func TestRegistrationOlderThanTheRules(t *testing.T) {
	t.Parallel()
	for _, uri := range []string{"JavaScript:alert(1)", "javascript://x/%0aalert(1)", "data:text/html,x", "http://rp.example.no/cb", "https://rp.example.no/cb?code=1", "https://rp.example.no/cb#"} {
		w := newWorld(t, func(c *authorize.Config) {
			old := *c.Clients.(registry)["web"]
			old.RedirectURIs = []string{uri}
			c.Clients = registry{"web": &old}
		})
		res := w.browser().authorize(params("web", "redirect_uri", uri))
		require.Equal(t, "page Internal Server Error server_error", outcome(t, res), uri)
		name, _ := w.lastEvent()
		require.Equal(t, portner.EventBadRegistration, name)
	}
}

// TestNativeLoopback: the port is the app's choice (RFC 8252 section 7.3) and stays in the answer.
func TestNativeLoopback(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	res := w.browser().authorize(params("app", "redirect_uri", "http://127.0.0.1:49152/cb", "scope", ""))
	require.True(t, strings.HasPrefix(res.Header.Get("Location"), "http://127.0.0.1:49152/cb?error=invalid_request"))
	res = w.browser().authorize(params("app", "redirect_uri", "no.example.app:/cb", "response_mode", "form_post"))
	require.True(t, strings.HasPrefix(res.Header.Get("Location"), "no.example.app:/cb?error=invalid_request"))
	res = w.browser().authorize(params("app", "redirect_uri", "http://localhost:49152/cb"))
	require.Equal(t, "page Bad Request invalid_request", outcome(t, res))
}
