package landscape

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/examples/internal/journey"
	"github.com/portner-go/portner/internal/standin"
)

// page returns a page whose servers are not running, and a browser.
func page(t *testing.T) (*httptest.Server, *http.Client) {
	t.Helper()
	m, err := newMachine(time.Now())
	require.NoError(t, err)
	var h http.Handler
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(w, r) }))
	t.Cleanup(srv.Close)
	nowhere := httptest.NewServer(nil)
	nowhere.Close()
	at := addresses{Page: srv.URL, IDPorten: nowhere.URL, Ansattporten: nowhere.URL, Maskinporten: nowhere.URL + "/", Altinn: nowhere.URL, HelseID: nowhere.URL, KRR: nowhere.URL}
	w, err := newWalk(at, m, standin.TLS{}.Outgoing(), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	h = w.handler()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	return srv, &http.Client{Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if r.URL.Host != strings.TrimPrefix(srv.URL, "http://") {
			return http.ErrUseLastResponse
		}
		return nil
	}}
}

func read(t *testing.T, resp *http.Response, err error) (int, string) {
	t.Helper()
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(body)
}

// TestErrorTexts checks the texts of errors.
func TestErrorTexts(t *testing.T) {
	t.Parallel()
	srv, hc := page(t)
	play := func(story string) (*http.Response, error) {
		return hc.PostForm(srv.URL+"/start", url.Values{"story": {story}})
	}
	t.Run("a server does not answer", func(t *testing.T) {
		resp, err := play("maskin")
		status, body := read(t, resp, err)
		require.Equal(t, 200, status)
		require.Contains(t, body, "En av tjenestene svarte ikke.")
		require.NotContains(t, body, "connection refused")
	})
	t.Run("no such story", func(t *testing.T) {
		resp, err := play("eventyr")
		status, body := read(t, resp, err)
		require.Equal(t, 400, status)
		require.Contains(t, body, "Den historien finnes ikke.")
	})
	t.Run("not played yet", func(t *testing.T) {
		resp, err := hc.Get(srv.URL + "/historie/nei")
		status, body := read(t, resp, err)
		require.Equal(t, 404, status)
		require.Contains(t, body, "er ikke spilt her ennå")
	})
}

// TestNone: a browser gets the home page for a path or method that does not exist, and its way to the right host.
func TestNone(t *testing.T) {
	t.Parallel()
	srv, hc := page(t)
	for _, path := range []string{"/nothing", "/start", "/historie/"} {
		for accept, want := range map[string]string{"text/html": "Den siden finnes ikke.", "*/*": "404 page not found"} {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL+path, nil)
			require.NoError(t, err)
			r.Header.Set("Accept", accept)
			resp, err := hc.Do(r)
			status, body := read(t, resp, err)
			require.Equal(t, 404, status)
			require.Contains(t, body, want, path)
		}
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL, nil)
	require.NoError(t, err)
	r.Host = "other.example"
	r.Header.Set("Accept", "text/html")
	resp, err := hc.Do(r)
	status, body := read(t, resp, err)
	require.Equal(t, http.StatusMisdirectedRequest, status)
	require.Contains(t, body, `href="`+srv.URL+`/"`)
}

// TestCallback checks that an authorization response is accepted once, in its browser and from its provider.
func TestCallback(t *testing.T) {
	t.Parallel()
	srv, hc := page(t)
	begin := func() url.Values {
		resp, err := hc.PostForm(srv.URL+"/start", url.Values{"story": {"person"}})
		status, _ := read(t, resp, err)
		require.Equal(t, 303, status)
		to, err := resp.Location()
		require.NoError(t, err)
		require.Equal(t, "/authorize", to.Path)
		require.Equal(t, "S256", to.Query().Get("code_challenge_method"))
		return url.Values{"state": {to.Query().Get("state")}, "iss": {to.Scheme + "://" + to.Host}, "error": {"access_denied"}}
	}
	back := func(hc *http.Client, q url.Values) int {
		resp, err := hc.Get(srv.URL + "/callback?" + q.Encode())
		status, _ := read(t, resp, err)
		return status
	}
	q := begin()
	require.Equal(t, 200, back(hc, q))
	require.Equal(t, 400, back(hc, q), "twice")
	require.Equal(t, 400, back(&http.Client{}, begin()), "another browser")
	q = begin()
	q.Set("iss", "http://localhost:1")
	require.Equal(t, 400, back(hc, q), "another provider (RFC 9207)")
}

// TestGuard checks that other hosts and posts of other sites are rejected, and that responses have security headers.
func TestGuard(t *testing.T) {
	t.Parallel()
	srv, hc := page(t)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL, nil)
	require.NoError(t, err)
	r.Host = "evil.example"
	resp, err := hc.Do(r)
	status, _ := read(t, resp, err)
	require.Equal(t, http.StatusMisdirectedRequest, status)
	for _, h := range []string{"X-Content-Type-Options", "Content-Security-Policy", "Referrer-Policy", "Cache-Control"} {
		require.NotEmpty(t, resp.Header.Get(h), h)
	}

	r, err = http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL+"/start", strings.NewReader("story=nei"))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", "https://evil.example")
	resp, err = hc.Do(r)
	status, _ = read(t, resp, err)
	require.Equal(t, http.StatusForbidden, status)
}

// TestShown checks that the page contains no complete token, code or secret.
func TestShown(t *testing.T) {
	t.Parallel()
	const jwt = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJrYXJpIn0.c2lnbmF0dXJlLW9mLWEtdG9rZW4"
	opaque := strings.Repeat("G4t7Qz0nXw2LrYb8VmKc5HsJd1PfAe9U", 5)
	for name, text := range map[string]string{
		"bearer":   journey.Call{To: "http://localhost/a", Bearer: opaque}.Shown(),
		"basic":    journey.Call{To: "http://localhost/a", Basic: url.UserPassword("klient", opaque)}.Shown(),
		"form":     journey.Call{To: "http://localhost/a", Form: url.Values{"assertion": {jwt}, "code": {opaque}, "code_verifier": {opaque}}}.Shown(),
		"exchange": journey.Call{To: "http://localhost/a", Form: url.Values{"subject_token": {jwt}}}.Shown(),
		"query":    journey.Parameters(url.Values{"state": {opaque}, "nonce": {opaque}, "code_challenge": {opaque}}),
		"opaque":   journey.Pretty([]byte(`{"access_token":"` + opaque + `","refresh_token":"` + opaque + `"}`)),
		"jwt":      journey.Pretty([]byte(`{"access_token":"` + jwt + `","id_token":"` + jwt + `"}`)),
		"bare":     journey.Pretty([]byte(jwt)),
		"quoted":   journey.Pretty([]byte(`"` + jwt + `"`)),
	} {
		require.NotContains(t, text, opaque, name)
		require.NotContains(t, text, "c2lnbmF0dXJl", name)
	}
}
