package httpx_test

import (
	"net/http"
	"net/url"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/httpx"
)

// TestCookieName: the port and the path of the provider are part of the name, and only https has Secure cookies.
func TestCookieName(t *testing.T) {
	t.Parallel()
	for base, want := range map[string]string{
		"": "__Host-x", "https://login.example.no": "__Host-x", "https://login.example.no:443": "__Host-x", "%": "__Host-x",
		"https://login.example.no:8443": "__Host-x-8443", "https://login.example.no/a": "__Host-x.a", "https://login.example.no:80/a/b": "__Host-x-80.a.b",
		"https://login.example.no/a.b": "__Host-x.a~2Eb", "https://login.example.no/a%2fb": "__Host-x.a.b", "https://login.example.no/~å": "__Host-x.~7E~C3~A5",
		"http://localhost": "x", "http://localhost:80": "x", "http://localhost:8080": "x-8080", "http://127.0.0.1:443/a": "x-443.a", "http://[::1]:1": "x-1",
	} {
		name, secure := httpx.CookieName(base, "x")
		require.Equal(t, want, name, base)
		require.Equal(t, base == "" || base[0] != 'h' || base[4] == 's', secure, base)
		require.NoError(t, (&http.Cookie{Name: name}).Valid(), base)
	}
}

// FuzzCookieName: a name is always valid, and different ports and paths have different names.
func FuzzCookieName(f *testing.F) {
	f.Add("/a", "/a.b", uint16(80), uint16(8080))
	f.Add("/80", "", uint16(443), uint16(80))
	f.Add("/a~2Eb", "/a.b", uint16(1), uint16(1))
	f.Fuzz(func(t *testing.T, a, b string, p, q uint16) {
		base := func(path string, port uint16) string {
			return (&url.URL{Scheme: "https", Host: "login.example.no:" + strconv.Itoa(int(port)), Path: "/" + path}).String()
		}
		x, _ := httpx.CookieName(base(a, p), "x")
		y, _ := httpx.CookieName(base(b, q), "x")
		require.NoError(t, (&http.Cookie{Name: x}).Valid())
		require.Equal(t, a == b && p == q, x == y)
	})
}
