package authorize_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"html"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/httpx"
	"github.com/portner-go/portner/internal/jose"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/storage"
)

var (
	errSigner    = errors.New("the device at db7 is off")
	responseKeys = must(keyset.New(keyset.Config{Keys: []keyset.Key{must(keyset.Generate(keyset.ES256)), must(keyset.Generate(keyset.EdDSA))}}))
)

// signing makes a world with keys for responses.
func signing(c *authorize.Config) { c.Keys = responseKeys }

// sentTo returns the parameters that a response sends to a redirect URI, and how.
func sentTo(t testing.TB, res *http.Response, redirectURI string) (mode string, sent url.Values) {
	t.Helper()
	if res.StatusCode == http.StatusSeeOther {
		at, query, _ := strings.Cut(res.Header.Get("Location"), "?")
		require.Equal(t, redirectURI, at)
		return "query", must(url.ParseQuery(query))
	}
	require.Equal(t, http.StatusOK, res.StatusCode)
	body := string(must(io.ReadAll(res.Body)))
	require.Contains(t, body, `action="`+html.EscapeString(redirectURI)+`"`)
	sent = url.Values{}
	for _, field := range regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`).FindAllStringSubmatch(body, -1) {
		sent.Add(html.UnescapeString(field[1]), html.UnescapeString(field[2]))
	}
	return "form_post", sent
}

// opened returns the parameters of a signed response, as the client with clientID reads them (JARM §2.4).
func opened(t testing.TB, w *world, sent url.Values, clientID string) map[string]string {
	t.Helper()
	require.Equal(t, []string{"response"}, slices.Sorted(maps.Keys(sent)), "no parameter is outside")
	require.Len(t, sent["response"], 1)
	doc, _ := responseKeys.JWKS(w.clock())
	token, err := jose.Verify(sent.Get("response"), jose.MaxToken, []string{jose.ES256, jose.EdDSA}, must(jose.ParseJWKS(doc)), jose.AuthorizationResponse)
	require.NoError(t, err)
	require.Empty(t, token.Header.Typ)
	aud, err := token.Claims.String("aud")
	require.NoError(t, err)
	require.Equal(t, clientID, aud)
	iss, err := token.Claims.String("iss")
	require.NoError(t, err)
	require.Equal(t, issuer, iss)
	exp, err := token.Claims.NumericDate("exp")
	require.NoError(t, err)
	require.Equal(t, w.clock().Add(2*time.Minute).Unix(), exp)
	params := map[string]string{}
	for _, name := range token.Claims.Names() {
		if name != "iss" && name != "aud" && name != "exp" {
			params[name] = must(token.Claims.String(name))
		}
	}
	return params
}

// TestSignedResponse: every response of a signed mode, also of an error, is one JWT with all parameters.
func TestSignedResponse(t *testing.T) {
	t.Parallel()
	const app = "no.example.app:/cb"
	state := strings.Repeat(`a-._~%26"<&#`, 83) + "abcd" // 1,000 characters
	silent := []string{"prompt", "none"}
	for _, tc := range []struct {
		name, client, mode string
		change             []string
		end                func(*browser, *http.Response) *http.Response
		sent, want         string // how, and what
	}{
		{"code", "jarm", "jwt", nil, nil, "query", "code"},
		{"code, query.jwt", "jarm", "query.jwt", nil, nil, "query", "code"},
		{"code, form_post.jwt", "jarmpost", "form_post.jwt", nil, nil, "form_post", "code"},
		{"code, one of several modes", "jarmtoo", "form_post.jwt", nil, nil, "form_post", "code"},
		{"code, application", "jarmapp", "jwt", nil, nil, "query", "code"},
		{"cancelled", "jarm", "jwt", nil, (*browser).cancelled, "query", "access_denied"},
		{"cancelled, form_post.jwt", "jarmpost", "form_post.jwt", nil, (*browser).cancelled, "form_post", "access_denied"},
		{"declined", "jarm", "jwt", []string{"scope", "test:shared"}, (*browser).declined, "query", "access_denied"},
		{"not logged in", "jarmtoo", "jwt", silent, nil, "query", "login_required"},
		{"scope", "jarm", "jwt", []string{"scope", "x:y"}, nil, "query", "invalid_scope"},
		{"response type", "jarm", "jwt", []string{"response_type", "code id_token"}, nil, "query", "unsupported_response_type"},
		{"no response type", "jarmpost", "form_post.jwt", []string{"response_type", ""}, nil, "form_post", "invalid_request"},
		{"challenge", "jarm", "jwt", []string{"code_challenge", ""}, nil, "query", "invalid_request"},
		{"plain", "jarm", "jwt", []string{"code_challenge_method", "plain"}, nil, "query", "invalid_request"},
		{"prompt", "jarm", "jwt", silent, nil, "query", "invalid_request"},
		{"level", "jarm", "jwt", []string{"acr_values", "unknown"}, nil, "query", "invalid_request"},
		{"request", "jarm", "jwt", []string{"request", "x.y.z"}, nil, "query", "request_not_supported"},
		{"request_uri", "jarm", "jwt", []string{"request_uri", "urn:x:y"}, nil, "query", "invalid_request_uri"},
		{"expired, application", "jarmapp", "jwt", nil, (*browser).late, "query", "invalid_request"},
		{"form_post.jwt, application", "jarmapp", "form_post.jwt", nil, nil, "query", "invalid_request"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, signing)
			b, redirect := w.browser(), rp
			if tc.client == "jarmapp" {
				redirect = app
			}
			for _, state := range []string{state, ""} {
				if state == "" && redirect == app {
					continue // public clients need a state
				}
				clear(b.cookies)
				res := b.authorize(params(tc.client, append([]string{"response_mode", tc.mode, "state", state, "redirect_uri", redirect}, tc.change...)...))
				switch location := res.Header.Get("Location"); {
				case tc.end != nil:
					res = tc.end(b, res)
				case strings.HasPrefix(location, "/login?"):
					res = b.loginAs(res, "kari")
				}
				sent, values := sentTo(t, res, redirect)
				require.Equal(t, tc.sent, sent)
				got := opened(t, w, values, tc.client)
				require.Equal(t, state, got["state"])
				require.Equal(t, state != "", slices.Contains(slices.Collect(maps.Keys(got)), "state"))
				delete(got, "state")
				if tc.want == "code" {
					require.Len(t, got, 1)
					require.Len(t, got["code"], 43)
					continue
				}
				require.Equal(t, tc.want, got["error"])
				require.NotEmpty(t, got["error_description"])
				require.Len(t, got, 2)
			}
		})
	}
}

// cancelled cancels on the login page.
func (b *browser) cancelled(res *http.Response) *http.Response {
	form := b.open(res, "/login")
	form.Set("cancel", "1")
	return b.post("/login", form)
}

// declined logs in and approves no scope.
func (b *browser) declined(res *http.Response) *http.Response {
	return b.consentTo(b.loginAs(res, "kari"))
}

// late opens the login page after the request has expired.
func (b *browser) late(res *http.Response) *http.Response {
	b.sleep(time.Hour)
	return b.get(res.Header.Get("Location"))
}

// TestSignedOnly: a client that is registered for signed modes only gets no response in clear, whatever it requests, and no code for a
// request of another mode.
func TestSignedOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t, signing)
	repeated := params("jarm", "response_mode", "jwt")
	repeated.Add("response_mode", "query")
	mode := func(id, value string) url.Values { return params(id, "response_mode", value) }
	for _, tc := range []struct {
		name   string
		params url.Values
		sent   string // "page" for an error page
	}{
		{"no mode", mode("jarm", ""), "query"},
		{"no mode, form_post.jwt", mode("jarmpost", ""), "form_post"},
		{"query", mode("jarm", "query"), "query"},
		{"form_post", mode("jarm", "form_post"), "query"},
		{"form_post.jwt is not registered", mode("jarm", "form_post.jwt"), "query"},
		{"jwt is not registered", mode("jarmpost", "jwt"), "form_post"},
		{"query.jwt is not registered", mode("jarmpost", "query.jwt"), "form_post"},
		{"query for form_post.jwt", mode("jarmpost", "query"), "form_post"},
		{"repeated", repeated, "query"},
		{"fragment", mode("jarm", "fragment"), "page"},
		{"fragment.jwt", mode("jarm", "fragment.jwt"), "page"},
		{"other case", mode("jarm", "JWT"), "page"},
		{"list", mode("jarm", "jwt query"), "page"},
		{"web_message", mode("jarmpost", "web_message"), "page"},
		{"fragment of a plain client", mode("web", "fragment"), "page"},
		{"fragment.jwt of a plain client", mode("jarmtoo", "fragment.jwt"), "page"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			res := w.browser().authorize(tc.params)
			if tc.sent == "page" {
				require.Equal(t, "page Bad Request invalid_request", outcome(t, res))
			} else {
				sent, values := sentTo(t, res, rp)
				require.Equal(t, tc.sent, sent)
				got := opened(t, w, values, tc.params.Get("client_id"))
				require.Equal(t, "invalid_request", got["error"])
				require.Equal(t, "xyz", got["state"])
			}
			if tc.params.Get("client_id") == "web" {
				return
			}
			res = w.push(tc.params)
			require.Equal(t, http.StatusBadRequest, res.StatusCode)
			require.Equal(t, "invalid_request", jsonBody(t, res)["error"])
		})
	}
	for _, mode := range []string{"jwt", "query.jwt", "form_post.jwt"} {
		res := w.browser().authorize(params("web", "response_mode", mode))
		require.Equal(t, "error invalid_request", outcome(t, res), "a registration without response_modes allows plain modes only")
		require.Equal(t, "page Bad Request invalid_request", outcome(t, newWorld(t).browser().authorize(params("jarmtoo", "response_mode", mode))), "no keys")
	}
	res := newWorld(t).browser().authorize(params("jarm"))
	require.Equal(t, "page Internal Server Error server_error", outcome(t, res), "no keys for a client with signed modes only")
	require.Equal(t, "login", outcome(t, w.browser().authorize(params("jarmtoo"))), "query is registered too")
}

// TestSignedOnlyWhilePending: a client whose registration changes to signed modes while a user logs in gets no response in clear.
func TestSignedOnlyWhilePending(t *testing.T) {
	t.Parallel()
	var changed atomic.Bool
	w := newWorld(t, signing, func(c *authorize.Config) {
		all := c.Clients
		c.Clients = client.SourceFunc(func(ctx context.Context, id string) (*client.Client, error) {
			found, err := all.Client(ctx, id)
			if err == nil && id == "web" && changed.Load() {
				copied := *found
				copied.ResponseModes = []string{"query.jwt"}
				return &copied, nil
			}
			return found, err
		})
	})
	b := w.browser()
	form := b.open(b.authorize(params("web", "response_mode", "query")), "/login")
	form.Set("user", "kari")
	changed.Store(true)
	_, sent := sentTo(t, b.post("/login", form), rp)
	require.Equal(t, "invalid_request", opened(t, w, sent, "web")["error"])
}

// TestSignedResponseOfPushed: the mode of a pushed request counts, also for errors, and not a mode beside request_uri.
func TestSignedResponseOfPushed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, signing, func(c *authorize.Config) { c.RequestURIAlone = true })
	push := func(change ...string) string {
		return w.pushed(params("jarmtoo", append([]string{"response_mode", "jwt"}, change...)...))
	}
	b := w.browser()
	_, sent := sentTo(t, b.loginAs(b.authorize(use("jarmtoo", push())), "kari"), rp)
	require.Len(t, opened(t, w, sent, "jarmtoo")["code"], 43)
	_, sent = sentTo(t, w.browser().authorize(use("jarmtoo", push("prompt", "none"))), rp)
	require.Equal(t, "login_required", opened(t, w, sent, "jarmtoo")["error"])
	_, sent = sentTo(t, b.authorize(use("jarmtoo", push(), "response_mode", "query")), rp)
	require.Equal(t, "invalid_request", opened(t, w, sent, "jarmtoo")["error"])
}

// TestResponseAlgorithm: responses are signed with the registered algorithm, within those of the configuration.
func TestResponseAlgorithm(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, registered string
		allowed          []string
		want             string // "" if the registration is rejected
	}{
		{"default of the keys", "", nil, "ES256"},
		{"registered", "EdDSA", nil, "EdDSA"},
		{"no such key", "RS256", nil, ""},
		{"none", "none", nil, ""},
		{"default, limited", "", []string{"PS256", "EdDSA"}, "EdDSA"},
		{"registered, allowed", "ES256", []string{"ES256", "EdDSA"}, "ES256"},
		{"registered, not allowed", "ES256", []string{"EdDSA"}, ""},
		{"no algorithm is allowed", "", []string{}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, signing, func(c *authorize.Config) {
				c.SigningAlgorithms = tc.allowed
				jarm := c.Clients.(registry)["jarm"]
				jarm.AuthorizationSignedResponseAlg = tc.registered
			})
			b := w.browser()
			res := b.authorize(params("jarm", "response_mode", "jwt"))
			if tc.want == "" {
				require.Equal(t, "page Internal Server Error server_error", outcome(t, res))
				event, reason := w.lastEvent()
				require.Equal(t, portner.EventBadRegistration, event)
				require.Equal(t, "response_alg_registration", reason)
				require.Empty(t, b.cookies, "no page is shown")
				return
			}
			_, sent := sentTo(t, b.loginAs(res, "kari"), rp)
			head, _, _ := strings.Cut(sent.Get("response"), ".")
			require.Contains(t, string(decode(t, head)), `"alg":"`+tc.want+`"`)
			require.Contains(t, string(decode(t, head)), `"kid":"`)
		})
	}
}

// TestSignedResponseOfEndedSession: the error for a user who logs out meanwhile is signed too.
func TestSignedResponseOfEndedSession(t *testing.T) {
	t.Parallel()
	f := &failing{err: storage.ErrRevoked, verb: "FinishRequest"}
	w := newWorld(t, signing, func(c *authorize.Config) {
		f.Store, f.PushedRequestStore = c.Store, c.PushedRequests
		c.Store = f
	})
	b := w.browser()
	_, sent := sentTo(t, b.loginAs(b.authorize(params("jarm", "response_mode", "jwt")), "kari"), rp)
	require.Equal(t, "login_required", opened(t, w, sent, "jarm")["error"])
	f.err = storage.ErrFull
	_, sent = sentTo(t, b.loginAs(b.authorize(params("jarm", "response_mode", "jwt", "prompt", "login")), "kari"), rp)
	require.Equal(t, "temporarily_unavailable", opened(t, w, sent, "jarm")["error"])
}

// device is a key whose device can fail.
type device struct {
	*ecdsa.PrivateKey
	off atomic.Bool
}

// decode decodes a part of a JWT.
func decode(t *testing.T, part string) []byte {
	t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(part)
	require.NoError(t, err)
	return text
}

func (d *device) Sign(r io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if d.off.Load() {
		return nil, errSigner
	}
	return d.PrivateKey.Sign(r, digest, opts)
}

// TestResponseCannotBeSigned: a device that fails consumes nothing, and nothing is sent in clear. The same form leads to the code later.
func TestResponseCannotBeSigned(t *testing.T) {
	t.Parallel()
	key := &device{PrivateKey: must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))}
	keys := must(keyset.New(keyset.Config{Keys: []keyset.Key{{Alg: keyset.ES256, Signer: key}}}))
	w := newWorld(t, func(c *authorize.Config) { c.Keys = keys })
	failed := func(res *http.Response) {
		t.Helper()
		require.Equal(t, "page Service Unavailable temporarily_unavailable", outcome(t, res))
		event, _ := w.lastEvent()
		require.Equal(t, portner.EventFault, event)
	}
	b := w.browser()
	uri := w.pushed(params("jarm", "response_mode", "jwt", "scope", "openid test:shared"))
	form := b.open(b.loginAs(b.authorize(use("jarm", uri)), "kari"), "/consent")
	form["scope"] = []string{"test:shared"}
	key.off.Store(true)
	before := w.store.Stats()
	failed(b.post("/consent", form))
	require.Equal(t, before, w.store.Stats(), "no grant, no consent")
	require.Equal(t, "consent", outcome(t, b.authorize(use("jarm", uri))), "the request_uri is not consumed")
	failed(b.authorize(params("jarm", "response_mode", "jwt", "scope", "x:y")))

	key.off.Store(false)
	at := func() string {
		res := b.post("/consent", form)
		require.Equal(t, http.StatusSeeOther, res.StatusCode)
		_, body, _ := strings.Cut(must(url.Parse(res.Header.Get("Location"))).Query().Get("response"), ".")
		body, _, _ = strings.Cut(body, ".")
		return string(decode(t, body))
	}
	first := at()
	require.Contains(t, first, `"code":"`)
	require.Equal(t, first, at(), "a form that is posted twice leads to one code")
	require.Equal(t, before.Grants+1, w.store.Stats().Grants)
}

// TestSignedFormPostPage: the page of form_post.jwt posts one field, by a script that its own Content-Security-Policy allows.
func TestSignedFormPostPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, signing)
	b := w.browser()
	res := b.loginAs(b.authorize(params("jarmpost", "response_mode", "form_post.jwt", "state", `"><script>alert(1)</script>`)), "kari")
	golden(t, "form_post_jwt.html", res)
}

// FuzzSignedResponse: the JWT has the state byte for byte, and the state adds no other claim; or the request is rejected without it.
func FuzzSignedResponse(f *testing.F) {
	for _, s := range []string{"x", `"`, `\`, `","code":"evil`, "<&>", "a b", "é", "\u2028", "%00", strings.Repeat("s", 2048), strings.Repeat("s", 2049), strings.Repeat("s", httpx.MaxQuery)} {
		f.Add(s)
	}
	w := newWorld(f, signing)
	b := w.browser()
	requireCode(f, b.loginAs(b.authorize(params("jarmtoo")), "kari"))
	f.Fuzz(func(t *testing.T, state string) {
		p := params("jarmtoo", "response_mode", "jwt", "state", state)
		res := b.authorize(p)
		if oversized(t, p, res) || res.StatusCode == http.StatusBadRequest {
			return // not a form
		}
		_, sent := sentTo(t, res, rp)
		got := opened(t, w, sent, "jarmtoo")
		if state != "" && !printable(state) {
			require.Equal(t, "invalid_request", got["error"])
			require.NotContains(t, got, "state")
			return
		}
		require.Len(t, got["code"], 43)
		require.Equal(t, state, got["state"])
		require.LessOrEqual(t, len(got), 2)
	})
}
