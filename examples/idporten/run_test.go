package main

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/standin/idporten"
	"github.com/portner-go/portner/internal/standin/standintest"
	"github.com/portner-go/portner/norway"
)

func now() time.Time { return time.Now() }

// syncBuffer holds the output of a running server.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// TestRunRefuses checks that an invalid command line gets one message and exit status 1.
func TestRunRefuses(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = taken.Close() })
	missing := filepath.Join(t.TempDir(), "none.pem")
	certificate, key := standintest.SelfSigned(t, nil)
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"unknown flag":                 {[]string{"-adr", "x"}, "flag provided but not defined: -adr (did you mean -addr? -h lists the flags)"},
		"flag value":                   {[]string{"-demo=perhaps"}, `invalid boolean value "perhaps" for -demo: must be true or false (-h lists the flags)`},
		"switch":                       {[]string{"-allow-http=perhaps"}, "for -allow-http: must be true or false"},
		"secret of no administration":  {[]string{"-admin-secret", missing}, "-admin-secret: needs -admin ADDR"},
		"folder of the secrets":        {[]string{"-addr", "localhost:0", "-secrets", missing + "/x"}, "idporten: -secrets: there is no folder"},
		"issuer of machines":           {[]string{"-addr", "localhost:0", "-machine-issuer", "x"}, `-machine-issuer: "x" must be a URL, such as http://localhost:8090/`},
		"authorities of no listener":   {[]string{"-addr", "localhost:0", "-tls-client-ca", certificate}, "-tls-client-ca: needs -mtls-addr"},
		"http issuer with https":       {[]string{"-addr", "localhost:0", "-issuer", "http://localhost:1", "-tls-cert", certificate, "-tls-key", key}, "issuer: http://localhost:1 must begin with https, because"},
		"file of another server":       {[]string{"-config", write(t, `{"$schema":"./krr-config.schema.json","settings":{"x":1}}`)}, "$schema: is that of krr, and the server is idporten"},
		"argument":                     {[]string{"config.json"}, `unexpected argument "config.json"`},
		"half a certificate":           {[]string{"-tls-cert", "x"}, "-tls-cert and -tls-key are required together"},
		"no certificate":               {[]string{"-tls-cert", missing, "-tls-key", missing}, "-tls-cert, -tls-key: open"},
		"address":                      {[]string{"-addr", "localhost"}, "-addr: \"localhost\" must be HOST:PORT"},
		"port":                         {[]string{"-addr", "localhost:http2"}, `-addr: "http2" is not a valid port`},
		"port too high":                {[]string{"-addr", "localhost:65535"}, "is not a valid port"},
		"port taken":                   {[]string{"-addr", taken.Addr().String(), "-demo=false"}, "address already in use"},
		"issuer without a scheme":      {[]string{"-addr", "localhost:0", "-issuer", "localhost:8080"}, `issuer: "localhost:8080" must be a URL, such as http://localhost:8080`},
		"store":                        {[]string{"-addr", "localhost:0", "-store", "memroy"}, `-store: "memroy" is none of memory, sqlite:FILE, postgres://… and redis://…; a file of that name is sqlite:memroy`},
		"time without a unit":          {[]string{"-drain", "5"}, "flag -drain: must be a time with its unit, such as 5s"},
		"issuer":                       {[]string{"-addr", "localhost:0", "-issuer", "http://example.no", "-test-issuer", "http://example.no"}, "issuer: http://example.no has http at another host than this machine, which needs -allow-http"},
		"issuer slash":                 {[]string{"-addr", "localhost:0", "-issuer", "https://example.no/", "-test-issuer", "https://example.no/"}, "Issuer: must not end in a slash"},
		"no configuration":             {[]string{"-config", filepath.Join(t.TempDir(), "none.json")}, "-config: open"},
		"configuration":                {[]string{"-config", write(t, `{"clients":[{"redirect_uri":["x"]}]}`)}, `clients[0].redirect_uri: is an unknown member (did you mean "redirect_uris"?)`},
		"test login":                   {[]string{"-addr", "localhost:0", "-issuer", "https://example.no", "-config", write(t, `{"test_login":true}`)}, "issuer: https://example.no is not on loopback"},
		"all addresses":                {[]string{"-addr", "0.0.0.0:0", "-demo=false"}, "is not on loopback: a test environment that other machines reach needs -test-issuer http://localhost:"},
		"other test issuer":            {[]string{"-addr", "localhost:0", "-issuer", "https://example.no", "-config", write(t, `{"test_issuer":"https://example.com"}`)}, "-test-issuer: must be equal to the issuer https://example.no"},
		"certificates only with https": {[]string{"-addr", "localhost:0", "-mtls-addr", "localhost:0"}, "-mtls-addr: needs -tls-cert and -tls-key"},
		"port of certificates":         {[]string{"-addr", "localhost:0", "-mtls-addr", "localhost:http2"}, `-mtls-addr: "http2" is not a valid port`},
		"no authorities":               {[]string{"-addr", "localhost:0", "-tls-client-ca", missing}, "-tls-client-ca: open"},
		"demo of FAPI":                 {[]string{"-addr", "localhost:0", "-demo", "-config", write(t, `{"profile":"fapi2"}`)}, "-demo: the services of the demo have secrets"},
		"FAPI without https":           {[]string{"-addr", "localhost:0", "-config", write(t, `{"profile":"fapi2"}`)}, "Issuer: FAPI 2.0 Security Profile §5.2.1: must be https"},
		"lifetime":                     {[]string{"-addr", "localhost:0", "-config", write(t, `{"lifetimes":{"code":601}}`)}, "Lifetimes.Code"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out, errs syncBuffer
			require.Equal(t, 1, run(t.Context(), c.args, &out, &errs))
			require.Contains(t, errs.String(), c.want)
			require.Equal(t, 1, strings.Count(errs.String(), "idporten:"), "one message")
			require.NotContains(t, errs.String(), "goroutine")
			require.Empty(t, out.String())
		})
	}
}

func TestRunHelp(t *testing.T) {
	t.Parallel()
	standintest.RequireFlags(t, run, append(standintest.ServerFlags, "-demo", "-machine-issuer", "-mtls-addr", "-tls-client-ca")...)
}

// TestRunStops checks that the end of the context closes all ports and ends all goroutines, also with open connections. It is not parallel,
// because it counts goroutines.
func TestRunStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var out, errs syncBuffer
	done := make(chan int, 1)
	go func() { done <- run(ctx, []string{"-addr", "localhost:0"}, &out, &errs) }()
	issuer := ""
	require.Eventually(t, func() bool {
		_, rest, ok := strings.Cut(out.String(), "issuer      ")
		issuer, _, _ = strings.Cut(rest, "\n")
		return ok && strings.Contains(out.String(), "Ctrl-C stops it.")
	}, 2*time.Minute, 10*time.Millisecond)
	require.Contains(t, out.String(), "Users: kari, kari-minid, ola")

	resp, err := http.Get(issuer + "/.well-known/openid-configuration")
	require.NoError(t, err)
	require.Equal(t, 200, resp.StatusCode)
	_ = resp.Body.Close()
	idle, err := net.Dial("tcp", strings.TrimPrefix(issuer, "http://")) // opened and never used
	require.NoError(t, err)
	defer idle.Close()

	cancel()
	select {
	case status := <-done:
		require.Zero(t, status, errs.String())
	case <-time.After(time.Minute):
		t.Fatal("it does not stop")
	}
	l, err := net.Listen("tcp", strings.TrimPrefix(issuer, "http://"))
	require.NoError(t, err, "the port is free again")
	_ = l.Close()
	http.DefaultClient.CloseIdleConnections()
	left := func() string {
		stacks := make([]byte, 1<<20)
		return string(stacks[:runtime.Stack(stacks, true)])
	}
	require.Eventually(t, func() bool {
		return !strings.Contains(left(), "idporten.(*Server)") && !strings.Contains(left(), "net/http.(*Server)")
	}, time.Minute, 20*time.Millisecond, "goroutines are left")
}

// TestNamedTestEnvironment: a server that listens on every address starts if its issuer is named as that of a test environment.
func TestNamedTestEnvironment(t *testing.T) {
	t.Parallel()
	const named = "http://localhost:8080"
	s := start(t, "-addr", "0.0.0.0:0", "-demo=false", "-issuer", named, "-config", write(t, `{"test_login":true,"test_issuer":"`+named+`"}`))
	require.Equal(t, named, s.Issuer)
}

// TestHosts verifies that the server accepts the Host of the issuer and its listen address only (docs/threat-model.md B8).
func TestHosts(t *testing.T) {
	t.Parallel()
	s := start(t, "-issuer", "https://login.example.no", "-test-issuer", "https://login.example.no")
	provider := s.Sites[0].Hosts[0]
	for host, want := range map[string]int{
		"login.example.no": 200, provider: 200, strings.Replace(provider, "127.0.0.1", "localhost", 1): 200,
		"evil.example": 421, "localhost": 421, "login.example.no.evil.example": 421, "login.example.no:444": 421, "LOGIN.example.no.": 421, "127.0.0.1:1": 421,
	} {
		resp := send(t, http.MethodGet, "http://"+provider+"/.well-known/openid-configuration", host)
		require.Equal(t, want, resp.StatusCode, host)
		require.Equal(t, "nosniff", resp.Header.Get("X-Content-Type-Options"), host)
		if want == 421 {
			require.NotContains(t, resp.Header, "Access-Control-Allow-Origin")
		}
	}
	for i := range idporten.DemoSiteNames {
		addr := s.Sites[i+1].Hosts[0]
		require.Equal(t, 421, send(t, http.MethodGet, "http://"+addr+"/", "evil.example").StatusCode)
		require.NotEqual(t, 421, send(t, http.MethodGet, "http://"+addr+"/", addr).StatusCode)
	}
}

func send(t *testing.T, method, url, host string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	require.NoError(t, err)
	r.Host = host
	resp, err := http.DefaultTransport.RoundTrip(r)
	require.NoError(t, err)
	_ = resp.Body.Close()
	return resp
}

// TestHeaders verifies the security headers of every response (docs/threat-model.md I1).
func TestHeaders(t *testing.T) {
	t.Parallel()
	s := start(t)
	host := strings.TrimPrefix(s.Issuer, "http://")
	for _, path := range []string{"/", "/nowhere", "/login", "/consent", "/language", "/authorize", "/par", "/token", "/userinfo", "/tokeninfo", "/introspect", "/revoke", "/logout", "/endsession", "/static/", "/static/none"} {
		for _, method := range []string{"GET", "POST", "DELETE", "OPTIONS", "TRACE"} {
			resp := send(t, method, s.Issuer+path, host)
			h := resp.Header
			require.Equal(t, "nosniff", h.Get("X-Content-Type-Options"), "%s %s", method, path)
			require.Contains(t, []string{"no-referrer", "same-origin"}, h.Get("Referrer-Policy"), "%s %s", method, path)
			require.Contains(t, h.Get("Content-Security-Policy"), "default-src 'none'", "%s %s", method, path)
			require.Contains(t, h.Get("Content-Security-Policy"), "frame-ancestors 'none'", "%s %s", method, path)
			require.Less(t, resp.StatusCode, 500, "%s %s", method, path)
			if !strings.HasPrefix(path, "/static") {
				require.Contains(t, h.Get("Cache-Control"), "no-store", "%s %s", method, path)
			}
		}
	}
	// Pages with forms, such as that of the language, keep the Origin field of their posts. Other responses send no referrer.
	for _, path := range []string{"/", "/login"} {
		require.Equal(t, "same-origin", send(t, "GET", s.Issuer+path, host).Header.Get("Referrer-Policy"), path)
	}
	for _, path := range []string{"/jwks", "/nowhere"} { // without Accept: text/html
		require.Equal(t, "no-referrer", send(t, "GET", s.Issuer+path, host).Header.Get("Referrer-Policy"), path)
	}
}

func parsed(pid string) norway.PID {
	p, err := norway.ParsePID(pid)
	if err != nil {
		panic("not a number")
	}
	return p
}
