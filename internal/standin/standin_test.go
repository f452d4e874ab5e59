package standin_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/standin"
	"github.com/portner-go/portner/internal/testpki"
)

// A change of the language returns to a page of this server only.
func TestChooseLanguage(t *testing.T) {
	t.Parallel()
	p := testPages("https://login.example.no")
	for back, status := range map[string]int{
		"/login?request=x": http.StatusSeeOther, "/": http.StatusSeeOther,
		"https://evil.example/login": http.StatusBadRequest, "//evil.example/login": http.StatusBadRequest, "/token": http.StatusBadRequest,
		"javascript:alert(1)": http.StatusBadRequest, "/login/../token": http.StatusBadRequest, "%zz": http.StatusBadRequest,
	} {
		for _, lang := range []string{"en", "fr"} {
			form := url.Values{"lang": {lang}, "return": {back}}
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/language", strings.NewReader(form.Encode()))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			w := httptest.NewRecorder()
			p.ChooseLanguage(w, r)
			if lang == "fr" || status != http.StatusSeeOther {
				require.Equal(t, http.StatusBadRequest, w.Code, back)
				require.Empty(t, w.Result().Cookies(), back)
				continue
			}
			require.Equal(t, status, w.Code, back)
			require.Equal(t, back, w.Header().Get("Location"))
			require.Len(t, w.Result().Cookies(), 1)
			require.Equal(t, authorize.LanguageCookie+"=en", strings.Split(w.Result().Header.Get("Set-Cookie"), ";")[0])
		}
	}
}

// testPages returns pages without templates of a stand-in.
func testPages(issuer string) *standin.Pages {
	p := &standin.Pages{
		Issuer: issuer, SiteName: func(string) string { return "Test" }, Paths: []string{"/", "/login"},
		Locale: func(*http.Request) string { return "nb" }, Log: slog.New(slog.DiscardHandler),
	}
	p.Parse(fstest.MapFS{"web/x.html": {Data: []byte("x")}})
	return p
}

// Without a page in the form, a change of the language returns to the page with the form: an error page of this server.
func TestChooseLanguageOnErrorPages(t *testing.T) {
	t.Parallel()
	for base, home := range map[string]string{"": "/", "/tenant": "/tenant/"} {
		p := testPages("https://login.example.no" + base)
		for referer, want := range map[string]string{
			"https://login.example.no/authorize?client_id=x": "/authorize?client_id=x",
			"https://login.example.no//evil.example/":        home,
			"https://evil.example/authorize":                 home,
			"http://login.example.no/authorize":              home,
			"https://login.example.no.evil.example/":         home,
			"":                                               home,
			"%zz":                                            home,
		} {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/language", strings.NewReader("lang=en"))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("Referer", referer)
			w := httptest.NewRecorder()
			p.ChooseLanguage(w, r)
			require.Equal(t, http.StatusSeeOther, w.Code, referer)
			require.Equal(t, want, w.Header().Get("Location"), referer)
		}
	}
}

// Paths and methods that do not exist: a page with the way back for browsers, and JSON for others.
func TestPagesThatDoNotExist(t *testing.T) {
	t.Parallel()
	p := testPages("https://login.example.no")
	mux := p.Mux()
	mux.Below("GET", "/{$}", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	for _, tc := range []struct {
		method, path string
		status       int
	}{{"GET", "/", 204}, {"GET", "/nothing", 404}, {"HEAD", "/nothing", 404}, {"POST", "/", 405}, {"DELETE", "/nothing", 404}} {
		for _, accept := range []string{"text/html,*/*;q=0.8", "application/json", ""} {
			r := httptest.NewRequestWithContext(t.Context(), tc.method, tc.path, nil)
			r.Header.Set("Accept", accept)
			w := httptest.NewRecorder()
			p.Handler(mux).ServeHTTP(w, r)
			require.Equal(t, tc.status, w.Code, tc)
			if tc.status == 405 {
				require.Equal(t, "GET, HEAD", w.Header().Get("Allow"))
			}
			switch {
			case tc.status == 204:
			case accept != "" && accept[0] == 't':
				require.Contains(t, w.Header().Get("Content-Type"), "text/html", tc)
				require.Contains(t, w.Body.String(), `id="error-back" href="/"`)
				require.Contains(t, w.Body.String(), `id="lang-se"`)
			default:
				require.Equal(t, "application/json", w.Header().Get("Content-Type"), tc)
			}
		}
	}
}

// Username and password must both match, and an account without a password is a problem of the configuration.
func TestAccount(t *testing.T) {
	t.Parallel()
	a := standin.Account{Username: "kari", Password: "passord"}
	require.True(t, a.Matches("kari", "passord"))
	for _, c := range [][2]string{{"ola", "passord"}, {"kari", "Passord"}, {"kari", ""}, {"", "passord"}, {"", ""}} {
		require.False(t, a.Matches(c[0], c[1]), c)
	}
	require.Equal(t, []string{"TestID"}, a.Methods())

	var p standin.Problems
	standin.Account{PID: "1", ACR: "none"}.Check(&p, "users[0]", new(acr.Levels))
	for _, field := range []string{"users[0].username", "users[0].password", "users[0].pid", "users[0].acr"} {
		require.ErrorContains(t, p.Err(), field)
	}
}

// Entries of the file come first, and replace built-in ones with the same key.
func TestMerged(t *testing.T) {
	t.Parallel()
	key := func(s string) string { return s[:1] }
	own := []string{"a1", "b1"}
	require.Equal(t, []string{"a1", "b1", "c2"}, standin.Merged(own, []string{"b2", "c2"}, key))
	require.Equal(t, []string{"a1", "b1"}, own)
}

// The file has client_secret, and not the members of a store.
func TestClientEntry(t *testing.T) {
	t.Parallel()
	var e standin.ClientEntry
	require.NoError(t, json.Unmarshal([]byte(`{"client_id":"app","client_secret":"s"}`), &e))
	require.Equal(t, "app", e.ClientID)
	require.Equal(t, "s", e.ClientSecret)
	for _, member := range []string{`"client_secrets":[]`, `"disabled":true`, `"client_secret":1`} {
		require.Error(t, json.Unmarshal([]byte(`{"client_id":"app",`+member+`}`), new(standin.ClientEntry)), member)
	}
}

// An address without a valid port is rejected, also if the ports of further sites would be above the last one.
func TestListen(t *testing.T) {
	t.Parallel()
	for _, addr := range []string{"", "localhost", "localhost:http", "localhost:-1", "localhost:65536", "localhost:65535"} {
		_, err := standin.Listen(standin.Flags{Addr: addr}, "", "service")
		require.ErrorContains(t, err, "-addr", addr)
	}
	_, err := standin.Listen(standin.Flags{Addr: "localhost:0", TLS: standin.TLS{Cert: "none", Key: "none"}}, "")
	require.ErrorContains(t, err, "-tls-cert")
	sites, err := standin.Listen(standin.Flags{Addr: "localhost:0"}, "", "service")
	require.NoError(t, err)
	t.Cleanup(sites.Close)
	require.True(t, strings.HasPrefix(sites[0].Base, "http://localhost:"))
	require.True(t, strings.HasPrefix(sites[1].Base, "http://127.0.0.1:"), "another host, so that cookies are separate")
}

// Without an authority, no business certificate is verified.
func TestCertificates(t *testing.T) {
	t.Parallel()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	v, err := standin.Certificates{}.Verifier(log)
	require.NoError(t, err)
	require.Nil(t, v)
	_, err = standin.Certificates{Roots: []string{"standin_test.go"}}.Verifier(log)
	require.ErrorContains(t, err, "holds no certificate")
}

// An error of the revocation lists is logged once, and so is its end.
func TestRevocationListErrorsAreLogged(t *testing.T) {
	t.Parallel()
	now := time.Now()
	set, err := testpki.NewSet(testpki.Options{
		Orgno: "991825827", Name: "Testorganisasjonen", OtherOrgno: "910753614", OtherName: "Den andre", Now: now,
		NewKey: func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) },
	})
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, set.Write(dir))
	lists := filepath.Join(dir, "crl.pem")
	content, err := os.ReadFile(lists)
	require.NoError(t, err)
	var log bytes.Buffer
	v, err := standin.Certificates{Roots: []string{filepath.Join(dir, "root.pem")}, CRLs: []string{lists}}.Verifier(slog.New(slog.NewTextHandler(&log, nil)))
	require.NoError(t, err)
	logged := func(step int, file []byte) string {
		log.Reset()
		require.NoError(t, os.WriteFile(lists, file, 0o600))
		for range 2 {
			_, err := v.Verify(t.Context(), testpki.Chain(set.Chain(testpki.NameSEID2)...), now.Add(time.Duration(step)*time.Hour))
			require.NoError(t, err, "the lists that were read before are in force")
		}
		return log.String()
	}
	require.Empty(t, logged(0, content))
	broken := logged(1, []byte("no list"))
	require.Equal(t, 1, strings.Count(broken, "level=ERROR"), broken)
	require.Contains(t, broken, "business_certificates.crls")
	require.Contains(t, broken, lists)
	require.Empty(t, logged(2, []byte("no list")), "the same error is not repeated")
	again := logged(3, content)
	require.Equal(t, 1, strings.Count(again, "level=INFO"), again)
}

// A secret that the library rejects is rejected with the path of its member, and is not repeated.
func TestGuessableSecretsAreRejected(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "c.json")
	for secret, want := range map[string]string{
		"kort": "must be at least 32 random bytes",
		"endre-meg-endre-meg-endre-meg-endre-meg": "placeholder",
		strings.Repeat("ab", 20):                  "repeats a pattern",
		strings.Repeat("æ", 20):                   "",
	} {
		text, err := json.Marshal(map[string]any{"clients": []any{map[string]any{"client_id": "app", "redirect_uris": []string{"https://app.example.no/cb"}, "client_secret": secret}}})
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(file, text, 0o600))
		_, err = readConfig(file, func(c *standin.Common) error {
			var p standin.Problems
			c.CheckClients(&p, client.Environment{})
			return p.Err()
		})
		require.ErrorContains(t, err, "clients[0].client_secret: ", secret)
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), secret)
	}
}

func readConfig[C any](file string, check func(*C) error) (C, error) {
	d, err := standin.ReadDocument(file)
	if err != nil {
		var zero C
		return zero, err
	}
	return standin.ParseConfig(d, nil, check)
}

// TestManyProblems: a mistake in each of many entries is reported for the first 50.
func TestManyProblems(t *testing.T) {
	t.Parallel()
	for count, want := range map[int]string{0: "", 50: "users[49].pid: is wrong", 51: "and 1 more", 5000: "and 4950 more"} {
		var p standin.Problems
		for i := range count {
			p.Add(fmt.Sprintf("users[%d].pid", i), "is wrong")
		}
		if err := p.Err(); count == 0 {
			require.NoError(t, err)
		} else {
			lines := strings.Split(err.Error(), "\n")
			require.Equal(t, want, lines[len(lines)-1])
			require.Equal(t, "users[0].pid: is wrong", lines[0])
			require.Len(t, lines, min(count, 51))
			require.Len(t, portner.FieldErrors(err), min(count, 50))
		}
	}
}
