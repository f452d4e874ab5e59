package logout_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestHostile: malformed requests are rejected and change nothing.
func TestHostile(t *testing.T) {
	t.Parallel()
	b := newWorld(t, withoutConfirmation).login("kari", "a", "native")
	raw := func(method, query, contentType, body string) answer {
		r := httptest.NewRequest(method, endpoint+query, strings.NewReader(body))
		if contentType != "" {
			r.Header.Set("Content-Type", contentType)
		}
		return b.do(r)
	}
	const formType = "application/x-www-form-urlencoded"
	for name, a := range map[string]answer{
		"repeated":          b.get("client_id", "a", "client_id", "a"),
		"repeated state":    b.get("state", "a", "state", "b"),
		"broken escape":     raw("GET", "?state=%zz", "", ""),
		"semicolon":         raw("GET", "?state=a;client_id=a", "", ""),
		"not UTF-8":         raw("GET", "?state=%ff", "", ""),
		"control character": raw("GET", "?state=%0d%0aLocation:x", "", ""),
		"JSON":              raw("POST", "", "application/json", `{"client_id":"a"}`),
		"no type":           raw("POST", "", "", "client_id=a"),
		"query and body":    raw("POST", "?client_id=a", formType, "client_id=a"),
		"long client_id":    b.get("client_id", strings.Repeat("a", 257)),
		"non-ASCII state":   b.get("state", "æ"),
	} {
		t.Run(name, func(t *testing.T) { a.isError(400, "invalid_request") })
	}
	raw("GET", "?x="+strings.Repeat("a", 17<<10), "", "").isError(413, "invalid_request")
	raw("POST", "", formType, strings.Repeat("a", 65<<10)).isError(413, "invalid_request")
	for _, method := range []string{"HEAD", "PUT", "DELETE", "OPTIONS"} {
		a := raw(method, "", "", "")
		require.Equal(t, 405, a.code)
		require.Equal(t, "GET, POST", a.header.Get("Allow"))
	}
	require.True(t, b.alive())
}

// TestReturnAddress: only registered URIs are redirected to, byte for byte.
func TestReturnAddress(t *testing.T) {
	t.Parallel()
	tests := []struct {
		clientID, uri string
		want          bool
	}{
		{"a", back, true},
		{"a", back + "/", false},
		{"a", back + "?", false},
		{"a", back + "#", false},
		{"a", " " + back, false},
		{"a", strings.ToUpper(back), false},
		{"a", strings.Replace(back, "https", "http", 1), false},
		{"a", strings.Replace(back, ".example", ".example:443", 1), false},
		{"a", strings.Replace(back, "a.example", "a.example@evil.example", 1), false},
		{"a", "//a.example/post_logout_redirect", false},
		{"a", "/post_logout_redirect", false},
		{"a", "https://a.example/x/../post_logout_redirect", false},
		{"a", "javascript:alert(1)", false},
		{"a", "https://a.example/post%5flogout_redirect", false},
		{"native", "no.example.app:/out", true},
		{"native", "http://127.0.0.1:51004/out", true},
		{"native", "http://localhost:51004/out", false},
		{"native", "http://127.0.0.1:0/out", false},
		{"bad", "javascript:alert(1)", false},
		{"bad", "https://b;script-src/x", false},
		{"bad", "http://bad.example/x", false},
	}
	for _, tt := range tests {
		t.Run(tt.clientID+" "+tt.uri, func(t *testing.T) {
			t.Parallel()
			b := newWorld(t, withoutConfirmation).login("kari", "a")
			b.clients["bad"] = web("bad")
			b.clients["bad"].PostLogoutRedirectURIs = []string{"javascript:alert(1)", "https://b;script-src/x", "http://bad.example/x"}
			a := b.get("client_id", tt.clientID, "post_logout_redirect_uri", tt.uri, "state", "s")
			if tt.want {
				a.isRedirect(tt.uri + "?state=s")
				return
			}
			a.isLoggedOut()
			require.Contains(t, a.body, "error-page")
			require.Empty(t, a.header.Get("Refresh"))
			want := "sec.redirect_mismatch/post_logout_redirect_uri_mismatch/" + tt.clientID
			if tt.clientID == "bad" {
				want = "sec.bad_registration/post_logout_redirect_uri/bad"
			}
			require.Contains(t, b.events(), want)
		})
	}
}
