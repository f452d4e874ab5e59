package httpx_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/httpx"
)

// FuzzAppendQuery verifies for any state that the registered URI is the prefix of the result, that its query is kept, and that the
// client reads each parameter once (docs/threat-model.md A7).
func FuzzAppendQuery(f *testing.F) {
	f.Add("https://rp.example/cb", "a&code=evil#x\r\nSet-Cookie: a=b")
	f.Add("https://rp.example/cb?x=1", "æ %00")
	f.Add("https://rp.example/cb?", "=")
	f.Add("no.example.app:/cb", "?")
	f.Fuzz(func(t *testing.T, uri, state string) {
		u, err := url.Parse(uri)
		if err != nil || strings.Contains(uri, "#") || u.Opaque != "" {
			t.Skip()
		}
		own, err := url.ParseQuery(u.RawQuery)
		if err != nil || own.Has("code") || own.Has("state") {
			t.Skip()
		}
		got := httpx.AppendQuery(uri, "code", "c", "state", state)
		require.True(t, strings.HasPrefix(got, uri))
		require.Less(t, strings.IndexFunc(got[len(uri):], func(r rune) bool { return r <= ' ' || r >= 0x7f }), 0)
		answer, err := url.Parse(got)
		require.NoError(t, err)
		require.Empty(t, answer.Fragment)
		q, err := url.ParseQuery(answer.RawQuery)
		require.NoError(t, err)
		own["code"], own["state"] = []string{"c"}, []string{state}
		require.Equal(t, own, q)
	})
}

// TestPage: the policy of a page replaces an earlier one, and does not limit where a form leads that leads to a client.
func TestPage(t *testing.T) {
	t.Parallel()
	h := http.Header{}
	h.Set("Content-Security-Policy", "default-src *")
	httpx.Page(h, true, "script-src 'nonce-x'")
	require.Equal(t, []string{"default-src 'none'; style-src 'self'; img-src 'self'; font-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; script-src 'nonce-x'"},
		h["Content-Security-Policy"], "browsers apply form-action to every redirect after the form")
	require.Equal(t, "same-origin", h.Get("Referrer-Policy"))
	httpx.Page(h, false, "script-src 'nonce-x'")
	require.Contains(t, h.Get("Content-Security-Policy"), "form-action 'self'")
	require.Equal(t, "no-referrer", h.Get("Referrer-Policy"))
	require.Equal(t, "DENY", h.Get("X-Frame-Options"))
}

// TestSeeOther: the header values of one response are not shared with the next.
func TestSeeOther(t *testing.T) {
	t.Parallel()
	a, b := http.Header{}, http.Header{}
	require.Equal(t, http.StatusSeeOther, httpx.SeeOther(a, "/x").Status)
	a.Add("Cache-Control", "public")
	a["Referrer-Policy"] = append(a["Referrer-Policy"], "unsafe-url")
	httpx.SeeOther(b, "/y")
	require.Equal(t, []string{"no-store"}, b["Cache-Control"])
	require.Equal(t, []string{"no-referrer"}, b["Referrer-Policy"])
	require.Equal(t, []string{"/y"}, b["Location"])
}

// TestOrigin: the form of the Origin field, also for issuers with a default port.
func TestOrigin(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"https://op.example/x?y": "https://op.example", "https://op.example:443": "https://op.example", "http://op.example:80/": "http://op.example",
		"https://op.example:80": "https://op.example:80", "http://127.0.0.1:443": "http://127.0.0.1:443", "https://OP.Example": "https://op.example",
		"http://[::1]:80/cb": "http://[::1]", "http://[::1]:8080/cb": "http://[::1]:8080", "no.example.app:/cb": "no.example.app:", "": "", "/cb": "", ":": "",
	} {
		require.Equal(t, want, httpx.Origin(raw), raw)
	}
}

// TestValidState: a state is printable ASCII of at most 2048 bytes; it becomes part of a header field.
func TestValidState(t *testing.T) {
	t.Parallel()
	for state, want := range map[string]bool{
		"": true, " ~": true, "a&b=c#%00": true, "\x1f": false, "a\x00b": false, "a\r\nSet-Cookie: x": false, "\t": false, "\x7f": false, "\x80": false, "blåbær": false,
		strings.Repeat("a", httpx.MaxState): true, strings.Repeat("a", httpx.MaxState+1): false,
	} {
		require.Equal(t, want, httpx.ValidState(state), "%.20q", state)
	}
	require.Equal(t, 2048, httpx.MaxState)
}
