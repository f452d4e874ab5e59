package authorize_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/pkce"
	"github.com/portner-go/portner/scope"
)

// TestValidation: each invalid parameter leads to an error page or to an error for the client.
func TestValidation(t *testing.T) {
	t.Parallel()
	long := func(n int) string { return strings.Repeat("a", n) }
	const page, unknown = "page Bad Request invalid_request", "page Bad Request invalid_client"
	for _, tc := range []struct {
		name   string
		params url.Values
		add    string // appended to the query
		want   string
		event  portner.EventName
	}{
		{name: "good", params: params("web"), want: "login"},
		{name: "no client_id", params: params("", "client_id", ""), want: page},
		{name: "unknown client", params: params("nobody"), want: unknown},
		{name: "inactive client", params: params("off"), want: unknown},
		{name: "long client_id", params: params(long(257)), want: unknown},
		{name: "client_id twice", params: params("web"), add: "&client_id=web", want: page, event: portner.EventDuplicateParam},
		{name: "request and request_uri", params: params("signing", "request", "x", "request_uri", "urn:x:y"), want: "error invalid_request"},
		{name: "request and request_uri, bad redirect_uri", params: params("signing", "request", "x", "request_uri", "urn:x:y", "redirect_uri", rp+"/"), want: page},
		{name: "request_uri by reference", params: params("web", "request_uri", "https://rp.example.no/r"), want: "error request_uri_not_supported"},
		{name: "request_uri unknown", params: params("web", "request_uri", authorize.DefaultRequestURIPrefix+long(43)), want: "error invalid_request_uri"},
		{name: "request_uri unknown, no redirect_uri", params: params("web", "request_uri", authorize.DefaultRequestURIPrefix+long(43), "redirect_uri", ""), want: "page Bad Request invalid_request_uri"},
		{name: "request of a client without keys", params: params("web", "request", "e30.e30."), want: "error request_not_supported"},
		{name: "request of a client without keys, bad redirect_uri", params: params("web", "request", "e30.e30.", "redirect_uri", "https://evil.example"), want: "page Bad Request request_not_supported"},
		{name: "no redirect_uri", params: params("web", "redirect_uri", ""), want: page},
		{name: "other redirect_uri", params: params("web", "redirect_uri", rp+"/"), want: page, event: portner.EventRedirectMismatch},
		{name: "redirect_uri in other case", params: params("web", "redirect_uri", "https://RP.example.no/cb"), want: page},
		{name: "redirect_uri with fragment", params: params("web", "redirect_uri", rp+"#"), want: page},
		{name: "redirect_uri twice", params: params("web"), add: "&redirect_uri=" + url.QueryEscape(rp), want: page, event: portner.EventDuplicateParam},
		{name: "long redirect_uri", params: params("web", "redirect_uri", rp+"?"+long(2048)), want: page},
		{name: "unknown response_mode", params: params("web", "response_mode", "jwt"), want: page},
		{name: "fragment", params: params("web", "response_mode", "fragment"), want: page},
		{name: "response_mode of others", params: params("queryonly", "response_mode", "form_post"), want: "error invalid_request"},
		{name: "no response_type", params: params("web", "response_type", ""), want: "error invalid_request"},
		{name: "token", params: params("web", "response_type", "token"), want: "error unsupported_response_type"},
		{name: "hybrid", params: params("web", "response_type", "code id_token"), want: "error unsupported_response_type"},
		{name: "grant type", params: params("machine"), want: "error unauthorized_client"},
		{name: "must push", params: params("pushing"), want: "error invalid_request"},
		{name: "must sign", params: params("mustsign"), want: "error invalid_request"},
		{name: "no scope", params: params("web", "scope", ""), want: "error invalid_request"},
		{name: "unregistered scope", params: params("web", "scope", "openid test:closed"), want: "error invalid_scope", event: portner.EventScopeDenied},
		{name: "unknown scope", params: params("web", "scope", "openid nothing:here"), want: "error invalid_scope", event: portner.EventScopeDenied},
		{name: "malformed scope", params: params("web", "scope", "openid \"x\""), want: "error invalid_scope"},
		{name: "long scope", params: params("web", "scope", "openid "+long(4096)), want: "error invalid_scope"},
		{name: "many scopes", params: params("web", "scope", strings.Repeat("openid ", 101)), want: "error invalid_scope"},
		{name: "no challenge", params: params("web", "code_challenge", ""), want: "error invalid_request"},
		{name: "neither", params: params("web", "code_challenge", "", "code_challenge_method", ""), want: "error invalid_request"},
		{name: "no method", params: params("web", "code_challenge_method", ""), want: "error invalid_request"},
		{name: "plain", params: params("web", "code_challenge_method", "plain"), want: "error invalid_request"},
		{name: "padded", params: params("web", "code_challenge", pkce.Challenge(verifier)+"="), want: "error invalid_request"},
		{name: "opted out", params: params("nopkce", "code_challenge", "", "code_challenge_method", ""), want: "login"},
		{name: "opted out but wrong", params: params("nopkce", "code_challenge_method", "plain"), want: "error invalid_request"},
		{name: "no state", params: params("web", "state", ""), want: "login"},
		{name: "no state, public", params: params("spa", "state", ""), want: "error invalid_request"},
		{name: "no state, strict", params: params("strict", "state", ""), want: "error invalid_request"},
		{name: "no nonce", params: params("web", "nonce", ""), want: "login"},
		{name: "no nonce, strict", params: params("strict", "nonce", ""), want: "error invalid_request"},
		{name: "long state", params: params("web", "state", long(2049)), want: "error invalid_request"},
		{name: "longest state", params: params("web", "state", long(2048)), want: "login"},
		{name: "state not ASCII", params: params("web", "state", "blåbær"), want: "error invalid_request"},
		{name: "state with a line break", params: params("web", "state", "a\r\nSet-Cookie: x"), want: page},
		{name: "long nonce", params: params("web", "nonce", long(513)), want: "error invalid_request"},
		{name: "nonce of the conformance suite", params: params("web", "nonce", long(384)), want: "login"},
		{name: "prompt login", params: params("web", "prompt", "login"), want: "login"},
		{name: "prompt none", params: params("web", "prompt", "none"), want: "error invalid_request"},
		{name: "prompt consent", params: params("web", "prompt", "consent"), want: "error invalid_request"},
		{name: "unknown prompt", params: params("silent", "prompt", "create"), want: "error invalid_request"},
		{name: "none and login", params: params("silent", "prompt", "none login"), want: "error invalid_request"},
		{name: "login and consent", params: params("silent", "prompt", "login consent"), want: "login"},
		{name: "max_age", params: params("web", "max_age", "-1"), want: "error invalid_request"},
		{name: "max_age huge", params: params("web", "max_age", "99999999999999999999"), want: "error invalid_request"},
		{name: "no known acr", params: params("web", "acr_values", "1 2"), want: "error invalid_request"},
		{name: "one known acr", params: params("web", "acr_values", "1 idporten-loa-high"), want: "login"},
		{name: "relative resource", params: params("web", "resource", "/api"), want: "error invalid_target"},
		{name: "resource with fragment", params: params("web", "resource", "https://api.example.no/#x"), want: "error invalid_target"},
		{name: "script resource", params: params("web", "resource", "javascript:alert(1)"), want: "error invalid_target"},
		{name: "the issuer as resource", params: params("web", "resource", issuer+"/"), want: "error invalid_target"},
		{name: "urn", params: params("web", "resource", "urn:example:api"), want: "login"},
		{name: "two resources", params: params("web", "resource", "https://api.example.no/"), add: "&resource=https://b.example.no", want: "login"},
		{name: "six resources", params: params("web"), add: strings.Repeat("&resource=https://api.example.no", 6), want: "error invalid_target"},
		{name: "onbehalfof", params: params("web", "onbehalfof", "kunde"), want: "login"},
		{name: "unregistered onbehalfof", params: params("web", "onbehalfof", "annen"), want: "error invalid_request"},
		{name: "authorization_details", params: params("web", "authorization_details", "[]"), want: "error invalid_authorization_details"},
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

// TestEventsNameTheClient: events have the client_id of registered clients only.
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

// TestRegistrationOlderThanTheRules: a registered URI that is not allowed anymore is not used.
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

// TestNativeLoopback: the app chooses the port (RFC 8252 §7.3), and the response is sent to it.
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

// everyScope is a Source in which every client may have every scope.
type everyScope struct{}

func (everyScope) Scope(name string) *scope.Scope {
	return &scope.Scope{Name: name, Description: "x", AccessibleForAll: true}
}

func (everyScope) Access(string, string) scope.AccessState { return scope.Approved }

// TestScopesAreBounded: a request has at most 100 scopes, and the parameter at most 4096 bytes.
func TestScopesAreBounded(t *testing.T) {
	t.Parallel()
	names := make([]string, 101)
	for i := range names {
		names[i] = "test:s" + strconv.Itoa(i)
	}
	longest := "test:" + strings.Repeat("x", 4096-len("openid test:"))
	w := newWorld(t, func(c *authorize.Config) {
		c.Scopes = everyScope{}
		web, err := c.Clients.Client(t.Context(), "web")
		require.NoError(t, err)
		web.Scopes = append(append(web.Scopes, names...), longest, longest+"x")
	})
	for name, tt := range map[string]struct{ scope, want string }{
		"100 scopes": {strings.Join(names[:100], " "), "login"},
		"101 scopes": {strings.Join(names, " "), "error invalid_scope"},
		"4096 bytes": {"openid " + longest, "login"},
		"4097 bytes": {"openid " + longest + "x", "error invalid_scope"},
	} {
		require.Equal(t, tt.want, outcome(t, w.browser().authorize(params("web", "scope", tt.scope))), name)
	}
}
