package client_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/audit"
	"github.com/portner-go/portner/internal/httpx"
	"github.com/stretchr/testify/require"
)

func post(target, body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, target, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

func TestParseForm(t *testing.T) {
	t.Parallel()
	f, err := client.ParseForm("a=1&resource=x&resource=y&empty=&b=%C3%A6+%2B")
	require.NoError(t, err)
	require.Equal(t, []string{"a", "resource", "resource", "empty", "b"}, f.Names())
	require.Equal(t, []string{"x", "y"}, f.All("resource"))
	require.Equal(t, "æ +", f.Get("b"))
	require.True(t, f.Has("a"))
	require.False(t, f.Has("empty") || f.Has("missing"))
	require.Empty(t, client.Form{}.Get("a"))

	for text, status := range map[string]int{
		"a=%zz": http.StatusBadRequest, "a=1;b=2": http.StatusBadRequest, "a=1&a=2": http.StatusBadRequest, "a=%00": http.StatusBadRequest,
		"a=" + strings.Repeat("x", httpx.MaxBody): http.StatusRequestEntityTooLarge,
	} {
		f, err := client.ParseForm(text)
		e, ok := errors.AsType[*portner.Error](err)
		require.True(t, ok, "%.20s", text)
		require.Equal(t, status, e.HTTPStatus(), "%.20s", text)
		require.Equal(t, portner.InvalidRequest, e.Code)
		require.Empty(t, f.Names(), "%.20s", text)
	}
	_, err = client.ParseForm("a=1&code=2&code=3")
	cause, ok := errors.AsType[*httpx.FormError](err)
	require.True(t, ok)
	require.Equal(t, "code", cause.Parameter)
}

func TestRequestFrom(t *testing.T) {
	t.Parallel()
	r := post("/token", "client_id=c&client_secret=s")
	r.Header.Set("Authorization", "Basic x")
	got, err := client.RequestFrom(httptest.NewRecorder(), r, nil)
	require.NoError(t, err)
	require.Equal(t, "c", got.Form.Get("client_id"))
	require.Equal(t, "Basic x", got.Header.Get("Authorization"))
	require.Equal(t, http.MethodPost, got.Method)
	require.Equal(t, r.RemoteAddr, got.RemoteAddr)
	require.Nil(t, got.Certificate)

	cert := &x509.Certificate{}
	r = post("/token", "")
	r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{cert, {}}}
	got, err = client.RequestFrom(httptest.NewRecorder(), r, nil)
	require.NoError(t, err)
	require.Same(t, cert, got.Certificate)
	require.Empty(t, got.Form.Names())

	got, err = client.RequestFrom(httptest.NewRecorder(), post("/token", "client_id=spa&client_secret=&client_assertion="), nil)
	require.NoError(t, err)
	a, _ := authenticator(t, nil)
	_, err = a.Authenticator.Authenticate(t.Context(), got, "token", now)
	require.NoError(t, err, "parameters without a value count as missing")
}

// TestRequestFromMethods: the body is read for POST only, and the endpoints decide which methods they support.
func TestRequestFromMethods(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]*http.Request{
		"GET": httptest.NewRequest(http.MethodGet, "/userinfo", nil), "GET with a query": httptest.NewRequest(http.MethodGet, "/userinfo?x=1", nil),
		"PUT": httptest.NewRequest(http.MethodPut, "/token", strings.NewReader("a=1")), "POST without a body": httptest.NewRequest(http.MethodPost, "/userinfo", nil),
	} {
		got, err := client.RequestFrom(httptest.NewRecorder(), r, nil)
		require.NoError(t, err, name)
		require.Equal(t, r.Method, got.Method, name)
		require.Empty(t, got.Form.Names(), name)
	}
	zipped := post("/token", "a=1")
	zipped.Header.Set("Content-Encoding", "gzip")
	untyped := post("/token", "a=1")
	untyped.Header.Del("Content-Type")
	for name, r := range map[string]*http.Request{
		"query": post("/token?code=x", "a=1"), "query and no body": httptest.NewRequest(http.MethodPost, "/token?code=x", nil),
		"token in the query": httptest.NewRequest(http.MethodGet, "/userinfo?access_token=x", nil),
		"malformed query":    httptest.NewRequest(http.MethodGet, "/userinfo?a=%zz", nil),
		"malformed body":     post("/token", "a=%zz"), "repeated": post("/token", "a=1&a=2"), "gzip": zipped, "no media type": untyped,
		"large": post("/token", "a="+strings.Repeat("x", httpx.MaxBody)),
	} {
		got, err := client.RequestFrom(httptest.NewRecorder(), r, nil)
		e, ok := errors.AsType[*portner.Error](err)
		require.True(t, ok, name)
		require.Empty(t, got.Form.Names(), name)
		want := http.StatusBadRequest
		if name == "large" {
			want = http.StatusRequestEntityTooLarge
		}
		require.Equal(t, want, e.HTTPStatus(), name)
	}
}

// TestBasicChallenge: RFC 6749 §5.2 requires WWW-Authenticate in response to an Authorization field.
func TestBasicChallenge(t *testing.T) {
	t.Parallel()
	a, _ := authenticator(t, nil)
	for _, tc := range []struct {
		c    credentials
		want string
	}{
		{credentials{Authorization: basicHeader("basic", "wrong")}, `Basic realm="` + issuer + `"`},
		{credentials{Authorization: []string{"Bearer x"}}, `Basic realm="` + issuer + `"`},
		{credentials{ClientID: "post", ClientSecret: "wrong"}, ""},
	} {
		_, err := a.Authenticate(t.Context(), tc.c, now)
		e := portner.AsError(err)
		require.Equal(t, http.StatusUnauthorized, e.HTTPStatus())
		require.Equal(t, tc.want, http.Header(e.Header).Get("WWW-Authenticate"))
	}
}

// TestRequestFromCertificates: the function of the host decides which certificates a request has, also for a request over TLS. Its error
// rejects the request and is not shown.
func TestRequestFromCertificates(t *testing.T) {
	t.Parallel()
	own, proxied, above := &x509.Certificate{Raw: []byte("own")}, &x509.Certificate{Raw: []byte("proxied")}, &x509.Certificate{Raw: []byte("above")}
	overTLS := func() *http.Request {
		r := post("/token", "a=1")
		r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{own, above}}
		return r
	}
	for name, tt := range map[string]struct {
		r             *http.Request
		f             client.CertificateFunc
		leaf          *x509.Certificate
		intermediates int
	}{
		"no TLS":                    {r: post("/token", "a=1")},
		"TLS":                       {r: overTLS(), leaf: own, intermediates: 1},
		"TLS without a certificate": {r: func() *http.Request { r := overTLS(); r.TLS.PeerCertificates = nil; return r }()},
		"a function": {r: overTLS(), f: func(*http.Request) ([]*x509.Certificate, error) {
			return []*x509.Certificate{proxied}, nil
		}, leaf: proxied},
		"a function without a certificate": {r: overTLS(), f: func(*http.Request) ([]*x509.Certificate, error) { return nil, nil }},
	} {
		got, err := client.RequestFrom(httptest.NewRecorder(), tt.r, tt.f)
		require.NoError(t, err, name)
		require.Same(t, tt.leaf, got.Certificate, name)
		require.Len(t, got.Intermediates, tt.intermediates, name)
	}

	_, err := client.RequestFrom(httptest.NewRecorder(), overTLS(), func(*http.Request) ([]*x509.Certificate, error) { return nil, errors.New("PROXY") })
	e, ok := errors.AsType[*portner.Error](err)
	require.True(t, ok)
	require.Equal(t, portner.InvalidRequest, e.Code)
	require.NotContains(t, e.Description, "PROXY")
	require.ErrorContains(t, e.Err, "PROXY")
	cause, ok := errors.AsType[*audit.Cause](e.Err)
	require.True(t, ok)
	require.Equal(t, "tls_certificate_unreadable", cause.Reason)
}
