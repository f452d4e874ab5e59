package provider_test

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/internal/optest"
	"github.com/portner-go/portner/provider"
)

// visitor is an HTTP client with a cookie jar. It follows redirects to the server and stops at those to clients.
type visitor struct {
	http *http.Client
	jar  *cookiejar.Jar
	host string // scheme://host:port of the server
	// locations are the paths of the server's own redirects.
	locations []string
}

func newVisitor(t *testing.T, srv *httptest.Server) *visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	v := &visitor{http: &http.Client{Transport: srv.Client().Transport, Jar: jar}, jar: jar, host: srv.URL}
	v.http.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if r.URL.Scheme+"://"+r.URL.Host != v.host {
			return http.ErrUseLastResponse
		}
		v.locations = append(v.locations, r.URL.Path)
		return nil
	}
	return v
}

func (v *visitor) do(t *testing.T, method, target string, form url.Values) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, target, strings.NewReader(form.Encode()))
	require.NoError(t, err)
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", v.host)
	}
	res, err := v.http.Do(r)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	return res
}

// request returns the URL of an authorization request at an issuer.
func (v *visitor) request(op *optest.OP, issuer, scopes string, extra ...string) string {
	return issuer + "/authorize?" + op.Request("tjeneste", scopes, extra...).Params.Encode()
}

// login logs in as user, answers the consent page, and returns the redirect to the client.
func (v *visitor) login(t *testing.T, op *optest.OP, issuer, user string) *url.URL {
	t.Helper()
	res := v.do(t, http.MethodGet, v.request(op, issuer, "openid profile test:consent"), nil)
	for _, answer := range []url.Values{{"user": {user}}, {"scope": {"test:consent"}}} {
		require.Equal(t, http.StatusOK, res.StatusCode)
		answer.Set("csrf", res.Header.Get("X-Test-Csrf"))
		res = v.do(t, http.MethodPost, res.Request.URL.String(), answer)
	}
	return left(t, res)
}

// left returns the redirect to the client.
func left(t *testing.T, res *http.Response) *url.URL {
	t.Helper()
	require.Equal(t, http.StatusSeeOther, res.StatusCode, res.Header)
	to, err := res.Location()
	require.NoError(t, err)
	return to
}

// silent reports whether a request without a page succeeds.
func (v *visitor) silent(t *testing.T, op *optest.OP, issuer string) bool {
	t.Helper()
	res := v.do(t, http.MethodGet, v.request(op, issuer, "openid profile"), nil)
	if res.StatusCode == http.StatusOK {
		require.Equal(t, "login", res.Header.Get("X-Test-Step"))
		return false
	}
	require.NotEmpty(t, left(t, res).Query().Get("code"))
	return true
}

// tenants returns a server with a provider at each path, in one process.
func tenants(t *testing.T, secure bool, paths ...string) (srv *httptest.Server, ops []*optest.OP) {
	t.Helper()
	srv = httptest.NewUnstartedServer(nil)
	scheme := "http://"
	if secure {
		scheme = "https://"
	}
	var handler http.Handler
	for _, path := range paths {
		op := optest.New(t, optest.Options{Change: func(c *provider.Config) {
			c.Profile.ConfirmLogout = true
			c.Issuer = scheme + srv.Listener.Addr().String() + path
			c.Pages.StepUp = "/hoyere"
		}})
		handler = op.Handler(handler)
		ops = append(ops, op)
	}
	srv.Config.Handler = handler
	if secure {
		srv.StartTLS()
	} else {
		srv.Start()
	}
	t.Cleanup(srv.Close)
	return srv, ops
}

// TestTwoIssuersOnOneHost: two providers of one process share a host and the cookie jar of a browser. Each has its own session: a login
// or logout at one does not change the other, and every redirect stays below the path of its issuer.
func TestTwoIssuersOnOneHost(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		secure bool
		paths  [2]string
	}{
		"https": {true, [2]string{"/a", "/b"}}, "plain http": {false, [2]string{"/a", "/b"}},
		"nested": {true, [2]string{"/a", "/a/b"}}, "one without a path": {true, [2]string{"/a", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv, ops := tenants(t, tt.secure, tt.paths[:]...)
			v := newVisitor(t, srv)
			a, b := srv.URL+tt.paths[0], srv.URL+tt.paths[1]
			for i, issuer := range []string{a, b} {
				v.locations = nil
				require.Equal(t, issuer, v.login(t, ops[i], issuer, []string{"kari", "ola"}[i]).Query().Get("iss"))
				require.Equal(t, []string{tt.paths[i] + "/login", tt.paths[i] + "/consent"}, v.locations)
				require.Equal(t, authorize.Pages{
					Login: tt.paths[i] + "/login", StepUp: tt.paths[i] + "/hoyere", Consent: tt.paths[i] + "/consent", Representation: tt.paths[i] + "/representation",
				}, ops[i].Authorize.Pages())
			}
			require.True(t, v.silent(t, ops[0], a), "the login at b has not replaced that at a")
			require.True(t, v.silent(t, ops[1], b))
			require.Equal(t, http.StatusOK, v.do(t, http.MethodGet, a+"/logout", nil).StatusCode)
			v.logout(t, a)
			require.False(t, v.silent(t, ops[0], a))
			require.True(t, v.silent(t, ops[1], b), "the logout at a has not ended the session at b")

			at, err := url.Parse(srv.URL)
			require.NoError(t, err)
			require.Len(t, v.jar.Cookies(at), 3, "two browser cookies, and the session cookie of b")
		})
	}
}

// logout confirms the logout page of an issuer.
func (v *visitor) logout(t *testing.T, issuer string) {
	t.Helper()
	res, err := v.http.Get(issuer + "/logout")
	require.NoError(t, err)
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	action, token := v.host+between(t, string(body), `action="`), between(t, string(body), `name="logout_confirmation" value="`)
	require.Equal(t, issuer+"/logout", action)
	require.Equal(t, http.StatusOK, v.do(t, http.MethodPost, action, url.Values{"logout_confirmation": {token}}).StatusCode)
}

// between returns the text from the end of start to the next quotation mark.
func between(t *testing.T, body, start string) string {
	t.Helper()
	_, rest, found := strings.Cut(body, start)
	require.True(t, found, body)
	text, _, _ := strings.Cut(rest, `"`)
	return text
}

// TestPlainHTTPCookies: with an http issuer on loopback, cookies have no Secure attribute and no prefix, so that every cookie jar
// stores them. With https they have both.
func TestPlainHTTPCookies(t *testing.T) {
	t.Parallel()
	for _, secure := range []bool{false, true} {
		srv, ops := tenants(t, secure, "")
		v := newVisitor(t, srv)
		names := map[string]bool{}
		v.http.Transport = watch(v.http.Transport, func(res *http.Response) {
			for _, c := range res.Cookies() {
				require.Equal(t, secure, c.Secure, c.Raw)
				require.Equal(t, secure, strings.HasPrefix(c.Name, "__Host-"), c.Raw)
				require.True(t, c.HttpOnly && c.Path == "/" && c.Domain == "" && c.SameSite == http.SameSiteLaxMode, c.Raw)
				names[c.Name] = true
			}
		})
		v.login(t, ops[0], srv.URL, "kari")
		require.True(t, v.silent(t, ops[0], srv.URL))
		v.logout(t, srv.URL)
		require.Len(t, names, 2, names)
	}
}

type watched struct {
	next http.RoundTripper
	see  func(*http.Response)
}

func watch(next http.RoundTripper, see func(*http.Response)) http.RoundTripper {
	return watched{next, see}
}

func (w watched) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := w.next.RoundTrip(r)
	if err == nil {
		w.see(res)
	}
	return res, err
}
