package canary_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/canary"
)

const (
	pid    = "21879498012"
	secret = "q8H2vTz5yWm0RkN7uXc4LbP9sJdF1gAe"
	access = "Zk3v+Hq9/TtY2mWc8LrXn5PbJd7FsGaU1oEi4QyRz0M"
	code   = "nV4xT7bQ2kWm9cRz5LhP8sJd3FgYaU6oEi1yXqZt0Mw"
)

// encodings are what a leak may have been through, in the middle of another text.
func encodings() map[string]func(string) string {
	reverse := func(s string) string {
		b := []byte(s)
		slices.Reverse(b)
		return string(b)
	}
	all := map[string]func(string) string{
		"plain": func(s string) string { return s }, "reversed": reverse,
		"hex":        func(s string) string { return hex.EncodeToString([]byte(s)) },
		"HEX":        func(s string) string { return strings.ToUpper(hex.EncodeToString([]byte(s))) },
		"query":      url.QueryEscape,
		"path":       url.PathEscape,
		"each byte":  func(s string) string { return "%" + strings.Join(pairs(hex.EncodeToString([]byte(s))), "%") },
		"printed %v": func(s string) string { return fmt.Sprint([]byte(s)) },
		"cut":        func(s string) string { return s[:min(len(s), 24)] },
	}
	for before := range 5 {
		name := fmt.Sprint("base64 after ", before)
		text := func(s string) []byte { return []byte("abcde"[:before] + s + "fg") }
		all[name] = func(s string) string { return base64.StdEncoding.EncodeToString(text(s)) }
		all[name+" (URL)"] = func(s string) string { return base64.RawURLEncoding.EncodeToString(text(s)) }
	}
	return all
}

func pairs(s string) (all []string) {
	for i := 0; i < len(s); i += 2 {
		all = append(all, s[i:i+2])
	}
	return all
}

// leaking is a server that lets one text leave through a channel.
func leaking(r *canary.Recorder, channel canary.Channel, text string) http.Handler {
	log := slog.New(r.Logger(slog.DiscardHandler))
	return r.Handler(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		switch channel {
		case canary.Log:
			log.Debug("a line", "value", text)
		case canary.Metric, canary.Trace:
			r.See(channel, `{"attribute":"`+text+`"}`)
		case canary.Panic:
			panic(fmt.Errorf("a value: %s", text))
		case canary.ErrorPage:
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, "<p>"+text)
		case canary.Page:
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, "<p>"+text)
		case canary.URL:
			w.Header().Set("Location", "https://client.example.no/?hint="+text)
			w.WriteHeader(http.StatusSeeOther)
		}
	}))
}

var channels = []canary.Channel{canary.Log, canary.Metric, canary.Trace, canary.Panic, canary.ErrorPage, canary.Page, canary.URL}

// TestControl: a server that leaks one value is found, for each channel and each encoding.
func TestControl(t *testing.T) {
	t.Parallel()
	for _, channel := range channels {
		for name, encode := range encodings() {
			for kind, value := range map[canary.Kind]string{canary.IdentityNumber: pid, canary.ClientSecret: secret, canary.AccessToken: access} {
				if channel == canary.Page && kind == canary.IdentityNumber {
					continue // TestAllowances
				}
				r := canary.New()
				r.Keep(kind, value)
				func() {
					defer func() { require.Equal(t, channel == canary.Panic, recover() != nil) }()
					leaking(r, channel, encode(value)).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
				}()
				leaks := r.Leaks()
				require.NotEmpty(t, leaks, "%s, %s, %s", channel, kind, name)
				require.Equal(t, channel, leaks[0].Channel, name)
				require.Equal(t, kind, leaks[0].Kind, name)
			}
		}
	}
}

// TestCollected: the values of accepted requests and of responses are collected without being named.
func TestCollected(t *testing.T) {
	t.Parallel()
	idToken := "eyJhbGciOiJFUzI1NiJ9." + base64.RawURLEncoding.EncodeToString([]byte(`{"pid":"`+pid+`","sub":"a-subject-of-a-user"}`)) + ".c2lnbmF0dXJlLW9mLWFuLWlkX3Rva2Vu"
	for name, value := range map[string]string{
		"client secret": secret, "access token": access, "code": code, "pid": pid, "sub": "a-subject-of-a-user", "cookie": "cookie-" + code, "verifier": "verifier-" + access,
		"pending request": "sealed-" + code, "proof": "eyJwcm9vZiI6MX0.eyJwcm9vZiI6MX0.cHJvb2Ytc2lnbmF0dXJl", "id_token": idToken, "id in the request": "17912099997",
	} {
		r := canary.New()
		h := r.Handler(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if req.URL.Path == "/leak" {
				w.WriteHeader(http.StatusNotFound)
				_, _ = io.WriteString(w, value)
				return
			}
			require.NoError(t, req.ParseForm())
			http.SetCookie(w, &http.Cookie{Name: "session", Value: "cookie-" + code})
			w.Header().Set("Location", "/login?request=sealed-"+code)
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, `{"access_token":%q,"id_token":%q}`, access, idToken)
		}))
		form := url.Values{"code": {code}, "code_verifier": {"verifier-" + access}, "login_hint": {"17912099997"}}
		q := httptest.NewRequest(http.MethodPost, "/token", strings.NewReader(form.Encode()))
		q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		q.Header.Set("Dpop", "eyJwcm9vZiI6MX0.eyJwcm9vZiI6MX0.cHJvb2Ytc2lnbmF0dXJl")
		q.SetBasicAuth("web", secret)
		h.ServeHTTP(httptest.NewRecorder(), q)
		require.Empty(t, r.Leaks(), name)
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/leak", nil))
		require.NotEmpty(t, r.Leaks(), name)
	}
}

// TestAllowances: a value is where a protocol puts it, and nowhere else.
func TestAllowances(t *testing.T) {
	t.Parallel()
	redirect := func(location string) []canary.Leak {
		r := canary.New()
		r.Keep(canary.Code, code)
		h := r.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", location)
			w.WriteHeader(http.StatusSeeOther)
		}))
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
		return r.Leaks()
	}
	require.Empty(t, redirect("https://client.example.no/?code="+code+"&state=s"))
	require.NotEmpty(t, redirect("https://client.example.no/?code="+code+"&again="+code))
	require.NotEmpty(t, redirect("https://client.example.no/"+code))
	require.NotEmpty(t, redirect("https://client.example.no/#code="+code))

	r := canary.New(canary.Allowance{Channel: canary.Log, Kind: canary.Code, Why: "a test"})
	r.Keep(canary.IdentityNumber, pid)
	r.Keep(canary.Code, code)
	r.See(canary.Page, pid)
	r.See(canary.Log, code)
	require.Empty(t, r.Leaks())
	r.See(canary.ErrorPage, pid)
	r.Event(t.Context(), portner.Event{GrantID: pid})
	require.Len(t, r.Leaks(), 2)
}

// TestFull: beyond the limit of values, an address whose parameter may have a value is no leak of another one that begins alike, as
// sealed values of one key do.
func TestFull(t *testing.T) {
	t.Parallel()
	r := canary.New()
	h := r.Handler(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("Location", "/login?request=sealed-by-one-key-for-all-"+req.URL.RawQuery)
		w.WriteHeader(http.StatusSeeOther)
	}))
	for i := range 2100 {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, fmt.Sprintf("/?%d", i), nil))
	}
	_, _, dropped := r.Seen()
	require.NotZero(t, dropped)
	require.Empty(t, r.Leaks())
	r.See(canary.Log, "sealed-by-one-key-for-all-7")
	require.Len(t, r.Leaks(), 1)
}

// fakeTB collects errors in place of failing.
type fakeTB struct {
	testing.TB

	errors  int
	cleanup []func()
}

func (f *fakeTB) Helper()               {}
func (f *fakeTB) Errorf(string, ...any) { f.errors++ }
func (f *fakeTB) Cleanup(do func())     { f.cleanup = append(f.cleanup, do) }

// TestWatch: a leak fails the test at its end.
func TestWatch(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{"nothing": 0, secret: 1} {
		f := &fakeTB{}
		r := canary.Watch(f)
		r.Keep(canary.ClientSecret, secret)
		r.See(canary.Log, text)
		require.Len(t, f.cleanup, 1)
		f.cleanup[0]()
		require.Equal(t, want, f.errors)
		values, bytes, dropped := r.Seen()
		require.Equal(t, []int{1, len(text), 0}, []int{values, bytes, dropped})
	}
}

// TestPrivateKeys: the private parts of keys in a file, PEM or JWK, are found in each form that a program may print.
func TestPrivateKeys(t *testing.T) {
	t.Parallel()
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	block, _ := pem.Decode([]byte(rsaKey(t)))
	rs, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	require.NoError(t, err)
	scalar, err := ec.Bytes()
	require.NoError(t, err)
	encode := base64.RawURLEncoding.EncodeToString
	jwk := fmt.Sprintf(`{"jwks":{"keys":[{"kty":"EC","crv":"P-256","d":%q}]}}`, encode(scalar))
	oct := fmt.Sprintf(`{"kty":"oct","k":%q}`, encode(scalar))
	private := func(key any) string {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		require.NoError(t, err)
		return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	}
	inJSON, err := json.Marshal(map[string]string{"key": private(ec)})
	require.NoError(t, err)
	printed := new(big.Int).SetBytes(scalar).String()
	for name, tc := range map[string]struct{ file, leak string }{
		"PEM": {private(ec), private(ec)}, "PEM in JSON": {string(inJSON), private(ec)}, "PEM as JWK": {private(ec), jwk}, "PEM as a number": {private(ec), printed},
		"JWK": {jwk, jwk}, "JWK as PEM": {jwk, private(ec)}, "JWK as a number": {jwk, printed}, "JWK in hex": {jwk, hex.EncodeToString(scalar)}, "oct": {oct, oct},
		"Ed25519": {private(ed), encode(ed.Seed())}, "Ed25519 as PEM": {private(ed), private(ed)},
		"RSA": {private(rs), private(rs)}, "RSA of this form": {rsaKey(t), rsaKey(t)}, "RSA, a prime": {private(rs), rs.Primes[1].String()},
	} {
		r := canary.New()
		r.Document([]byte(tc.file))
		r.See(canary.Log, "before "+tc.leak+" after")
		leaks := r.Leaks()
		require.NotEmpty(t, leaks, name)
		require.Equal(t, canary.Key, leaks[0].Kind, name)
	}
	r := canary.New()
	for _, key := range []any{ec, ed, rs} {
		r.PrivateKey(key)
	}
	for _, key := range []any{ec.Public(), ed.Public(), rs.Public()} { // a public key is no leak
		der, err := x509.MarshalPKIXPublicKey(key)
		require.NoError(t, err)
		r.See(canary.Log, fmt.Sprint(key, encode(der)))
	}
	require.Empty(t, r.Leaks())
}

// rsaKey returns a key of this repository: making one takes long.
func rsaKey(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../standin/maskinporten/demo.key.pem")
	require.NoError(t, err)
	return string(text)
}
