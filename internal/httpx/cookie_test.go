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

// TestCookie: a cookie counts only if no other one has its name, also in several lines and with a value that no browser stores.
func TestCookie(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		lines []string
		value string
		count int
	}{
		{"no header", nil, "", 0},
		{"another name", []string{"ab=1; xa=2; A=3"}, "", 0},
		{"spaces and other cookies", []string{"x=1;a=v; y=2"}, "v", 1},
		{"a value with the separator", []string{" a=v=w\t"}, "v=w", 1},
		{"quotes are part of the value", []string{`a="v"`}, `"v"`, 1},
		{"no value", []string{"a"}, "", 1},
		{"two in a line", []string{"a=v; a=w"}, "", 2},
		{"two lines", []string{"a=v", "a=v"}, "", 2},
		{"one of two is malformed", []string{"a=v; a=\x01"}, "", 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			value, count := httpx.Cookie(http.Header{"Cookie": c.lines}, "a")
			require.Equal(t, c.value, value)
			require.Equal(t, c.count, count)
		})
	}
}
