package docs_test

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"html/template"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/optest"
	"github.com/portner-go/portner/internal/testpki"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/logout"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage/memory"
	"github.com/portner-go/portner/storage/storagetest"
)

// hostCookies are sealed cookies of the host, which end after ten minutes.
type hostCookies struct{ aead cipher.AEAD }

func newHostCookies(secret portner.Secret) (hostCookies, error) {
	key := sha256.Sum256(secret)
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return hostCookies{}, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	return hostCookies{aead}, err
}

func (c hostCookies) Set(w http.ResponseWriter, name, value string) {
	until := strconv.FormatInt(time.Now().Add(10*time.Minute).Unix(), 10)
	sealed := c.aead.Seal(nil, nil, []byte(until+" "+value), []byte(name))
	http.SetCookie(w, &http.Cookie{
		Name: "__Host-" + name, Value: base64.RawURLEncoding.EncodeToString(sealed), Path: "/", MaxAge: 600,
		Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

func (c hostCookies) Get(r *http.Request, name string) string {
	cookie, err := r.Cookie("__Host-" + name)
	if err != nil {
		return ""
	}
	sealed, _ := base64.RawURLEncoding.DecodeString(cookie.Value)
	text, err := c.aead.Open(nil, nil, sealed, []byte(name))
	if err != nil {
		return ""
	}
	until, value, _ := strings.Cut(string(text), " ")
	if end, err := strconv.ParseInt(until, 10, 64); err != nil || time.Now().Unix() >= end {
		return ""
	}
	return value
}

const formHead = `<form method="post"><input type="hidden" name="request" value="{{.Sealed}}"><input type="hidden" name="csrf" value="{{.CSRF}}">`

var forms = template.Must(template.New("").Parse(
	`{{define "password"}}` + formHead + `<input name="user"><input name="password" type="password"></form>{{end}}` +
		`{{define "code"}}` + formHead + `<input name="code"></form>{{end}}`))

func testCookies(t *testing.T) hostCookies {
	t.Helper()
	c, err := newHostCookies(portner.NewSecret())
	require.NoError(t, err)
	return c
}

// TestHostCookies: a cookie of the host is read back with its name only, and not if it was changed.
func TestHostCookies(t *testing.T) {
	t.Parallel()
	c, w := testCookies(t), httptest.NewRecorder()
	c.Set(w, "half", "kari")
	set := w.Result().Cookies()[0]
	read := func(name, value string) string {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.AddCookie(&http.Cookie{Name: "__Host-" + name, Value: value})
		return c.Get(r, name)
	}
	require.Equal(t, "kari", read("half", set.Value))
	require.Empty(t, read("state", set.Value))
	other := "A"
	if set.Value[0] == 'A' {
		other = "B"
	}
	require.Empty(t, read("half", other+set.Value[1:]))
	require.Empty(t, testCookies(t).Get(httptest.NewRequest(http.MethodGet, "/", nil), "half"))
}

func show(w http.ResponseWriter, name string, p *authorize.Pending) *authorize.Decision {
	_ = forms.ExecuteTemplate(w, name, p)
	return nil
}

func codeOK(_, code string) bool { return code == "123456" }

var csrfField = regexp.MustCompile(`name="csrf" value="([^"]+)"`)

// submit posts a form with the value of its field csrf.
func submit(t *testing.T, b *optest.Browser, p optest.Page, form url.Values) optest.Page {
	t.Helper()
	m := csrfField.FindStringSubmatch(p.Body)
	require.Len(t, m, 2, p.Body)
	p.Header.Set("X-Test-Csrf", m[1])
	return b.Post(t, p, form)
}

type twoSteps struct{ cookies hostCookies }

func (h twoSteps) page(w http.ResponseWriter, r *http.Request, p *authorize.Pending) *authorize.Decision {
	user := h.cookies.Get(r, "half") // the user whose password was right
	switch {
	case user != "" && codeOK(user, r.PostForm.Get("code")):
		h.cookies.Set(w, "half", "")
		return p.LogIn(r.Context(), session.Authentication{
			Identity: session.Identity{Subject: user}, ACR: acr.High, AMR: []string{"pwd", "otp"},
		})
	case user != "":
		return show(w, "code", p)
	case passwordOK(r.PostForm.Get("user"), r.PostForm.Get("password")):
		h.cookies.Set(w, "half", r.PostForm.Get("user"))
		return show(w, "code", p) // the response to the posted password is the next form
	}
	return show(w, "password", p)
}

func TestTwoSteps(t *testing.T) {
	t.Parallel()
	op := optest.New(t, optest.Options{Change: func(c *provider.Config) { c.Page = twoSteps{testCookies(t)}.page }})
	r, b := op.Request("tjeneste", "openid"), op.Browser()
	p := submit(t, b, b.Get(t, r.URL()), url.Values{"user": {"kari"}, "password": {"wrong"}})
	p = submit(t, b, p, url.Values{"user": {"kari"}, "password": {"passord"}})
	p = submit(t, b, p, url.Values{"code": {"123456"}})
	require.NotEmpty(t, p.Code(t))
}

// identityProvider is a relying party library of the host's choice.
type identityProvider interface {
	AuthCodeURL(state string) string
	Exchange(ctx context.Context, code string) (subject string, authTime time.Time, err error)
}

type upstream struct {
	op      http.Handler
	idp     identityProvider
	cookies hostCookies

	mu     sync.Mutex
	logins map[string]session.Authentication // by state; nodes share a store in its place, in which they expire
}

func (h *upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/callback" { // the redirect_uri that is registered with the identity provider
		h.callback(w, r)
		return
	}
	h.op.ServeHTTP(w, r)
}

func (h *upstream) page(w http.ResponseWriter, r *http.Request, p *authorize.Pending) *authorize.Decision {
	state := h.cookies.Get(r, "state")
	if state != "" && h.cookies.Get(r, "request") == p.Sealed {
		h.mu.Lock()
		a, ok := h.logins[state]
		delete(h.logins, state)
		h.mu.Unlock()
		if ok {
			return p.LogIn(r.Context(), a)
		}
	}
	state = rand.Text()
	h.cookies.Set(w, "state", state)
	h.cookies.Set(w, "request", p.Sealed)
	http.Redirect(w, r, h.idp.AuthCodeURL(state), http.StatusSeeOther)
	return nil
}

func (h *upstream) callback(w http.ResponseWriter, r *http.Request) {
	state := r.FormValue("state")
	if state == "" || state != h.cookies.Get(r, "state") {
		http.Error(w, "This login was started in another browser.", http.StatusBadRequest)
		return
	}
	subject, authTime, err := h.idp.Exchange(r.Context(), r.FormValue("code"))
	if err != nil {
		http.Error(w, "The identity provider did not confirm the login.", http.StatusBadGateway)
		return
	}
	h.mu.Lock()
	h.logins[state] = session.Authentication{
		Identity: session.Identity{Subject: subject}, ACR: acr.Substantial, AMR: []string{"federated"}, Time: authTime,
	}
	h.mu.Unlock()
	http.Redirect(w, r, "/login?request="+url.QueryEscape(h.cookies.Get(r, "request")), http.StatusSeeOther)
}

type stubIDP struct{}

func (stubIDP) AuthCodeURL(state string) string {
	return optest.Issuer + "/callback?code=c&state=" + state
}

func (stubIDP) Exchange(context.Context, string) (string, time.Time, error) {
	return "upstream-user", time.Now(), nil
}

func TestUpstream(t *testing.T) {
	t.Parallel()
	h := &upstream{idp: stubIDP{}, cookies: testCookies(t), logins: map[string]session.Authentication{}}
	op := optest.New(t, optest.Options{Change: func(c *provider.Config) { c.Page = h.page }})
	h.op = op
	r := op.Request("tjeneste", "openid")
	var jar []*http.Cookie
	next := r.URL()
	for range 8 {
		req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, next, nil)
		for _, c := range jar {
			req.AddCookie(c)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, req)
		jar = append(jar, w.Result().Cookies()...)
		u, err := req.URL.Parse(w.Header().Get("Location"))
		require.NoError(t, err)
		if next = u.String(); strings.HasPrefix(next, optest.RedirectURI("tjeneste")) {
			break
		}
	}
	require.Contains(t, next, "code=")
	require.Contains(t, next, "state=state-tjeneste")
}

// hostSession is the session of a user who is logged in to the application of the host.
type hostSession struct {
	user    string
	started time.Time
}

type loggedIn struct {
	session func(*http.Request) (hostSession, bool)
}

func (h loggedIn) page(w http.ResponseWriter, r *http.Request, p *authorize.Pending) *authorize.Decision {
	s, ok := h.session(r)
	if ok && p.Reason == session.NoSession { // other reasons require a login now, or a higher level
		return p.LogIn(r.Context(), session.Authentication{
			Identity: session.Identity{Subject: s.user}, ACR: acr.Substantial, AMR: []string{"pwd"}, Time: s.started,
		})
	}
	return show(w, "password", p)
}

func TestLoggedIn(t *testing.T) {
	t.Parallel()
	h := loggedIn{func(*http.Request) (hostSession, bool) {
		return hostSession{"kari", time.Now().Add(-time.Minute)}, true
	}}
	op := optest.New(t, optest.Options{Change: func(c *provider.Config) { c.Page = h.page }})
	r := op.Request("tjeneste", "openid")
	require.NotEmpty(t, op.Browser().Get(t, r.URL()).Code(t))
	r = op.Request("tjeneste", "openid", "prompt", "login")
	require.Contains(t, op.Browser().Get(t, r.URL()).Body, "password")
}

func TestStore(t *testing.T) {
	if testing.Short() {
		t.Skip()
	}
	storagetest.Run(t, func(t *testing.T) provider.Store { return openEmptyStore(t) })
}

func openEmptyStore(*testing.T) provider.Store { return memory.New() }

func openKeys(ctx context.Context, dir string) (*keyset.Set, error) {
	keys, err := keyset.Directory{Path: dir, Alg: keyset.ES256, Every: 90 * 24 * time.Hour}.Open()
	if err != nil {
		return nil, err
	}
	go keys.Run(ctx)
	return keys, nil
}

func sharedKeys(ctx context.Context, store keyset.Store, issuer string, secrets []portner.Secret, logger *slog.Logger) (*keyset.Set, error) {
	keys, err := keyset.Shared{Store: store, Set: issuer, Secrets: secrets, Alg: keyset.ES256, Logger: logger}.Open(ctx)
	if err != nil {
		return nil, err // also if the store is down: a node without keys cannot start
	}
	go keys.Run(ctx)
	return keys, nil
}

func TestOpenKeys(t *testing.T) {
	t.Parallel()
	keys, err := openKeys(t.Context(), t.TempDir())
	require.NoError(t, err)
	require.NotEmpty(t, keys.Algs(time.Now()))
	store, secrets := memory.New(), []portner.Secret{portner.NewSecret()}
	for range 2 {
		keys, err = sharedKeys(t.Context(), store, "https://login.example.no", secrets, slog.New(slog.DiscardHandler))
		require.NoError(t, err)
		require.NotEmpty(t, keys.Algs(time.Now()))
	}
	stored, err := store.SigningKeys(t.Context(), "https://login.example.no")
	require.NoError(t, err)
	require.Len(t, stored, 1)
}

// realAddress sets r.RemoteAddr to the address that the proxy reports. The proxy must overwrite the field.
func realAddress(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if ip := net.ParseIP(r.Header.Get("X-Real-Ip")); ip != nil {
			r.RemoteAddr = net.JoinHostPort(ip.String(), "0")
		}
		next.ServeHTTP(w, r)
	})
}

type certificatesKey struct{}

// withCertificates reads the certificates of the client before realAddress replaces the address of the proxy.
func withCertificates(fromProxy client.CertificateFunc, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		certs, err := fromProxy(r)
		read := func() ([]*x509.Certificate, error) { return certs, err }
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), certificatesKey{}, read)))
	})
}

// clientCertificates is Config.ClientCertificates.
func clientCertificates(r *http.Request) ([]*x509.Certificate, error) {
	read, ok := r.Context().Value(certificatesKey{}).(func() ([]*x509.Certificate, error))
	if !ok {
		return nil, errors.New("the request did not pass withCertificates")
	}
	return read()
}

// TestCertificatesBehindAProxy: the certificates are those of the proxy's field, although the address of the proxy is replaced.
func TestCertificatesBehindAProxy(t *testing.T) {
	t.Parallel()
	fromProxy, err := client.CertificateFromHeader(netip.MustParsePrefix("192.0.2.1/32"))
	require.NoError(t, err)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	now := time.Now()
	ca, err := testpki.NewRoot("Client", testpki.AuthorityOrgno, key, testpki.Validity{From: now, To: now.Add(time.Hour)})
	require.NoError(t, err)
	for peer, accepted := range map[string]bool{"192.0.2.1:4711": true, "198.51.100.7:4711": false} {
		r := httptest.NewRequest(http.MethodGet, "/userinfo", nil)
		r.RemoteAddr = peer
		r.Header.Set("X-Real-Ip", "192.0.2.1")
		r.Header.Set("Client-Cert", ":"+base64.StdEncoding.EncodeToString(ca.Certificate.Raw)+":")
		withCertificates(fromProxy, realAddress(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			require.Equal(t, "192.0.2.1:0", r.RemoteAddr)
			got, err := client.RequestFrom(w, r, clientCertificates)
			require.Equal(t, accepted, err == nil, peer)
			require.Equal(t, accepted, got.Certificate.Equal(ca.Certificate), peer)
		}))).ServeHTTP(httptest.NewRecorder(), r)
	}
	_, err = client.RequestFrom(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/userinfo", nil), clientCertificates)
	require.Error(t, err)
}

func withPath(cfg provider.Config) provider.Config {
	cfg.Issuer = "https://example.no/id"        // endpoints are below /id
	cfg.BrowserURL = "https://login.example.no" // /authorize, /logout and the pages; optional
	return cfg
}

// withPrefix puts the path of the issuer back, behind a proxy that removes it.
func withPrefix(prefix string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		at := *r.URL
		if !strings.HasPrefix(at.Path, "/.well-known/oauth-authorization-server/") { // in front of the path: RFC 8414 §3.1
			at.Path, at.RawPath = prefix+at.Path, ""
		}
		r = r.WithContext(r.Context())
		r.URL = &at
		next.ServeHTTP(w, r)
	})
}

// TestPrefixStrippingProxy: behind a proxy that removes the path of the issuer, every URL that a response names is below the path, and
// the proxy forwards it.
func TestPrefixStrippingProxy(t *testing.T) {
	t.Parallel()
	op := optest.New(t, optest.Options{Change: func(c *provider.Config) { c.Issuer = optest.Issuer + "/id" }})
	proxy := http.NewServeMux()
	proxy.Handle("/id/", http.StripPrefix("/id", withPrefix("/id", op)))
	proxy.Handle("/.well-known/oauth-authorization-server/id", withPrefix("/id", op))
	get := func(path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		proxy.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w
	}
	var metadata map[string]any
	require.NoError(t, json.Unmarshal(get("/id/.well-known/openid-configuration").Body.Bytes(), &metadata))
	for name, value := range metadata {
		if u, ok := value.(string); ok {
			require.True(t, strings.HasPrefix(u, optest.Issuer+"/id"), "%s: %s", name, u)
			if name != "issuer" {
				require.NotEqual(t, http.StatusNotFound, get(strings.TrimPrefix(u, optest.Issuer)).Code, name)
			}
		}
	}
	require.Equal(t, http.StatusOK, get("/.well-known/oauth-authorization-server/id").Code)
	w := get("/id/authorize?" + op.Request("tjeneste", "openid").Params.Encode())
	require.Regexp(t, "^/id/login\\?request=", w.Header().Get("Location"))
	require.NotEqual(t, http.StatusNotFound, get(w.Header().Get("Location")).Code)
	require.Equal(t, http.StatusNotFound, get("/login").Code)
}

// tenants serves several issuers that are paths of one host.
func tenants(all ...*provider.Provider) http.Handler {
	var handler http.Handler
	for _, op := range all {
		handler = op.Handler(handler)
	}
	return handler
}

func TestTenants(t *testing.T) {
	t.Parallel()
	var all []*provider.Provider
	paths := []string{"/a", "/b", ""}
	for _, path := range paths {
		all = append(all, optest.New(t, optest.Options{Change: func(c *provider.Config) { c.Issuer += path }}).Provider)
	}
	for _, path := range paths {
		w := httptest.NewRecorder()
		tenants(all...).ServeHTTP(w, httptest.NewRequest(http.MethodGet, path+"/.well-known/openid-configuration", nil))
		require.Contains(t, w.Body.String(), `"issuer":"`+optest.Issuer+path+`"`)
	}
}

func withHome(op *provider.Provider) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "Welcome.")
	})
	return op.Handler(mux)
}

// Neither the program of the README, nor pages beside a provider, nor several issuers redirect a POST so that it is repeated
// (docs/threat-model.md A11).
func TestNoPathRepeatsAPost(t *testing.T) {
	op := optest.New(t, optest.Options{})
	t.Chdir(t.TempDir())
	t.Setenv("LOGIN_SECRET", rand.Text()+rand.Text())
	t.Setenv("LOGIN_PAIRWISE_KEY", rand.Text()+rand.Text())
	readme, err := newProvider(t.Context())
	require.NoError(t, err)
	several := hosts{}
	for _, h := range []http.Handler{readme, several, realAddress(withHome(op.Provider))} {
		s := httptest.NewServer(h)
		several[s.Listener.Addr().String()] = op
		c := s.Client()
		c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		optest.RequireNoRepeat(t, c, s.URL)
		s.Close()
	}
	w := httptest.NewRecorder()
	withHome(op.Provider).ServeHTTP(w, httptest.NewRequest(http.MethodGet, optest.Issuer+"/", nil))
	require.Equal(t, "Welcome.", w.Body.String())
}

// hosts serves one issuer per host name.
type hosts map[string]http.Handler

func (h hosts) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	op := h[r.Host]
	if op == nil {
		http.Error(w, "There is no such issuer.", http.StatusMisdirectedRequest)
		return
	}
	op.ServeHTTP(w, r)
}

func severalIssuers(base provider.Config, issuers ...string) (hosts, error) {
	all := hosts{}
	for _, issuer := range issuers {
		u, err := url.Parse(issuer)
		if err != nil {
			return nil, err
		}
		cfg := base // profile, pages, clients and users can be shared
		cfg.Issuer, cfg.Store = issuer, memory.New()
		cfg.Secrets = []portner.Secret{secretOf(issuer, "seal")}
		cfg.PairwiseKey = secretOf(issuer, "pairwise")
		if cfg.Keys, err = (keyset.Directory{Path: "keys-" + u.Host, Alg: keyset.ES256}).Open(); err != nil {
			return nil, err
		}
		if all[u.Host], err = provider.New(cfg); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func secretOf(_, _ string) portner.Secret { return portner.NewSecret() }

func TestSeveralIssuers(t *testing.T) {
	t.Chdir(t.TempDir())
	clients, err := client.NewRegistry(client.Environment{})
	require.NoError(t, err)
	base := withPath(provider.Config{Profile: provider.OpenIDConnect(), Clients: clients, Page: page})
	base.BrowserURL = ""
	all, err := severalIssuers(base, "https://a.example.no", "https://b.example.no")
	require.NoError(t, err)
	for host, status := range map[string]int{"a.example.no": 200, "b.example.no": 200, "c.example.no": 421} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, "https://"+host+"/.well-known/openid-configuration", nil)
		r.Header.Set("X-Real-Ip", "192.0.2.1")
		realAddress(all).ServeHTTP(w, r)
		require.Equal(t, status, w.Code, host)
		require.Equal(t, "192.0.2.1:0", r.RemoteAddr)
	}
}

// The pages of a host in one language.
var otherPages = template.Must(template.New("").Parse(`
{{define "error"}}<!doctype html><html lang="nb"><title>Noe gikk galt</title><h1>Noe gikk galt</h1>
<p>{{.Code}}{{with .Parameter}}: {{.}}{{end}}. Referanse: {{.CorrelationID}}</p>
{{if .BackURL}}<p><a href="{{.BackURL}}">Tilbake til tjenesten</a></p>{{end}}</html>{{end}}

{{define "confirm"}}<!doctype html><html lang="nb"><title>Logg ut</title><h1>Vil du logge ut av alle tjenester?</h1>
<form method="post" action="{{.Action}}"><input type="hidden" name="{{.TokenField}}" value="{{.Token}}">
<button>Logg ut</button> <button name="{{.CancelField}}" value="1">Avbryt</button></form></html>{{end}}

{{define "logged-out"}}<!doctype html><html lang="nb"><title>Du er logget ut</title><h1>Du er logget ut</h1>
{{range .Frames}}<iframe src="{{.}}" title="" hidden></iframe>{{end}}
{{with .ContinueURL}}<p><a id="logout-continue" href="{{.}}">Gå videre</a></p>{{end}}
{{if and .Frames .ContinueURL}}<script nonce="{{.Nonce}}">{{.Script}}</script>
<noscript><meta http-equiv="refresh" content="3; url={{.ContinueURL}}"></noscript>{{end}}</html>{{end}}

{{define "cancelled"}}<!doctype html><html lang="nb"><title>Du er fortsatt logget inn</title><h1>Du er fortsatt logget inn</h1>
{{if .BackURL}}<p><a href="{{.BackURL}}">Tilbake til {{.ClientName}}</a></p>{{end}}</html>{{end}}`))

func otherPage(name string, p any) portner.Reply {
	var body bytes.Buffer
	if err := otherPages.ExecuteTemplate(&body, name, p); err != nil {
		panic(err) // it is logged, and the plain error page is sent
	}
	return portner.Reply{Body: body.Bytes()} // status, Content-Type and Content-Security-Policy are set already
}

func withPages(cfg provider.Config) provider.Config {
	cfg.ErrorPage = func(p authorize.ErrorPage) portner.Reply { return otherPage("error", p) }
	cfg.LogoutPages = logout.Pages{
		Confirm:   func(p logout.ConfirmPage) portner.Reply { return otherPage("confirm", p) },
		LoggedOut: func(p logout.LoggedOutPage) portner.Reply { return otherPage("logged-out", p) },
		Cancelled: func(p logout.CancelledPage) portner.Reply { return otherPage("cancelled", p) },
		Error:     func(p logout.ErrorPage) portner.Reply { return otherPage("error", p) },
	}
	return cfg
}

func TestOtherPages(t *testing.T) {
	t.Parallel()
	op := optest.New(t, optest.Options{Change: func(cfg *provider.Config) { *cfg = withPages(*cfg) }})
	get := func(target string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		op.ServeHTTP(w, httptest.NewRequest(http.MethodGet, optest.Issuer+target, nil))
		require.Equal(t, "text/html; charset=utf-8", w.Header().Get("Content-Type"))
		require.Contains(t, w.Header().Get("Content-Security-Policy"), "frame-ancestors 'none'")
		return w
	}
	for _, target := range []string{"/authorize?client_id=unknown", "/logout?id_token_hint=x.y.z"} {
		w := get(target)
		require.Equal(t, http.StatusBadRequest, w.Code)
		require.Contains(t, w.Body.String(), "<h1>Noe gikk galt</h1>")
	}
	for name, p := range map[string]any{ // those that need a session too
		"confirm": logout.ConfirmPage{Action: "/logout"}, "cancelled": logout.CancelledPage{BackURL: "https://example.no"},
		"logged-out": logout.LoggedOutPage{Frames: []string{"https://example.no/out"}, ContinueURL: "https://example.no/", Script: "go()"},
		"error":      logout.ErrorPage{Parameter: "id_token_hint"},
	} {
		require.Contains(t, string(otherPage(name, p).Body), "</html>", name)
	}
}

// tokenHandler calls the core of the token endpoint and writes its reply.
func tokenHandler(op *provider.Provider) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		reply := issue(op, w, r)
		maps.Copy(w.Header(), reply.Header)
		w.WriteHeader(reply.Status)
		_, _ = w.Write(reply.Body)
	}
}

func issue(op *provider.Provider, w http.ResponseWriter, r *http.Request) portner.Reply {
	req, err := client.RequestFrom(w, r, nil)
	if err != nil {
		return portner.ErrorReply(err)
	}
	res, err := op.Token.Issue(r.Context(), req)
	if err != nil {
		return portner.ErrorReply(err)
	}
	return res.Reply()
}

func TestTokenHandler(t *testing.T) {
	t.Parallel()
	op := optest.New(t, optest.Options{})
	r := op.Request("tjeneste", "openid")
	form := url.Values{
		"grant_type": {"authorization_code"}, "code": {op.Browser().Login(t, r, "kari").Code(t)},
		"redirect_uri": {optest.RedirectURI("tjeneste")}, "code_verifier": {r.Verifier},
	}
	for _, status := range []int{http.StatusOK, http.StatusBadRequest} { // the second use of the code is rejected
		req := httptest.NewRequest(http.MethodPost, "/token", strings.NewReader(form.Encode()))
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.SetBasicAuth("tjeneste", optest.Secret)
		w := httptest.NewRecorder()
		tokenHandler(op.Provider)(w, req)
		require.Equal(t, status, w.Code, w.Body)
		require.Equal(t, "application/json", w.Header().Get("Content-Type"))
		require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
		require.Equal(t, status == http.StatusOK, strings.Contains(w.Body.String(), `"access_token":`))
	}
}

// registrations are two clients of one sector, and one with public subjects.
func registrations() (client.Source, error) {
	var clients []client.Client
	for _, text := range []string{
		`{"client_id": "web", "application_type": "browser", "redirect_uris": ["https://web.example.no/cb"], "scopes": ["openid"],
		  "subject_type": "pairwise", "sector_identifier_uri": "https://example.no/sector.json"}`,
		`{"client_id": "shop", "application_type": "browser", "redirect_uris": ["https://shop.example.no/cb"], "scopes": ["openid"],
		  "subject_type": "pairwise", "sector_identifier_uri": "https://example.no/sector.json"}`,
		`{"client_id": "admin", "application_type": "browser", "redirect_uris": ["https://admin.example.no/cb"], "scopes": ["openid"],
		  "subject_type": "public"}`,
	} {
		c, err := client.Parse([]byte(text), client.Environment{})
		if err != nil {
			return nil, err
		}
		clients = append(clients, *c)
	}
	return client.NewRegistry(client.Environment{}, clients...)
}

func TestRegistrations(t *testing.T) {
	t.Parallel()
	clients, err := registrations()
	require.NoError(t, err)
	web, err := clients.Client(t.Context(), "web")
	require.NoError(t, err)
	shop, err := clients.Client(t.Context(), "shop")
	require.NoError(t, err)
	require.Equal(t, web.Sector(), shop.Sector())
}

// TestRememberedSessions: a provider accepts limits of months.
func TestRememberedSessions(t *testing.T) {
	t.Parallel()
	var cfg provider.Config
	cfg.Session.Limits = session.Limits{Max: 90 * 24 * time.Hour, Idle: 30 * 24 * time.Hour}
	_, err := provider.New(cfg)
	require.Error(t, err)
	require.NotContains(t, err.Error(), "Session")
}
