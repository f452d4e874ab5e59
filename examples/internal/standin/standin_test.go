package standin_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/examples/internal/standin"
)

// A change of the language returns to a page of this server only.
func TestChooseLanguage(t *testing.T) {
	t.Parallel()
	p := &standin.Pages{Issuer: "https://login.example.no", Languages: []string{"nb", "en"}, Paths: []string{"/", "/login"}}
	for back, status := range map[string]int{
		"/login?request=x": http.StatusSeeOther, "/": http.StatusSeeOther,
		"https://evil.example/login": http.StatusBadRequest, "//evil.example/login": http.StatusBadRequest, "/token": http.StatusBadRequest,
		"javascript:alert(1)": http.StatusBadRequest, "/login/../token": http.StatusBadRequest, "": http.StatusBadRequest, "%zz": http.StatusBadRequest,
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
	for _, member := range []string{`"client_secrets":[]`, `"disabled":true`, `"keys_uploaded_at":"2026-01-01T00:00:00Z"`, `"client_secret":1`} {
		require.Error(t, json.Unmarshal([]byte(`{"client_id":"app",`+member+`}`), new(standin.ClientEntry)), member)
	}
}

// An address without a valid port is rejected, also if the ports of further sites would be above the last one.
func TestListen(t *testing.T) {
	t.Parallel()
	for _, addr := range []string{"", "localhost", "localhost:http", "localhost:-1", "localhost:65536", "localhost:65535"} {
		_, err := standin.Listen(standin.Flags{Addr: addr}, "service")
		require.ErrorContains(t, err, "-addr", addr)
	}
	_, err := standin.Listen(standin.Flags{Addr: "localhost:0", TLSCert: "none", TLSKey: "none"})
	require.ErrorContains(t, err, "-tls-cert")
	sites, err := standin.Listen(standin.Flags{Addr: "localhost:0"}, "service")
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
