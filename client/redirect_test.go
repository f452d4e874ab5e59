package client_test

import (
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/slow"
	"github.com/stretchr/testify/require"
)

const (
	callback = "https://rp.example.no/auth/cb"
	withArgs = "https://rp.example.no/auth/cb2?a=1&b=2"
)

// nearMisses are values that differ from callback or withArgs in one detail.
func nearMisses() []string {
	misses := []string{
		"", " ", "/", "/auth/cb", "auth/cb", "//rp.example.no/auth/cb", "rp.example.no/auth/cb", "?", "#", "*", "null",
		// scheme
		"http://rp.example.no/auth/cb", "HTTPS://rp.example.no/auth/cb", "Https://rp.example.no/auth/cb",
		"https:rp.example.no/auth/cb", "https:/rp.example.no/auth/cb", "https:///rp.example.no/auth/cb",
		"https:////rp.example.no/auth/cb", "ws://rp.example.no/auth/cb", "ftp://rp.example.no/auth/cb",
		"https;//rp.example.no/auth/cb", "https:\\\\rp.example.no\\auth\\cb", "httpss://rp.example.no/auth/cb",
		"javascript:alert(1)", "JavaScript:alert(1)//https://rp.example.no/auth/cb", "data:text/html,x", "vbscript:x",
		"view-source:https://rp.example.no/auth/cb", "blob:https://rp.example.no/auth/cb", "intent://rp.example.no/auth/cb",
		// authority
		"https://RP.example.no/auth/cb", "https://rp.example.NO/auth/cb", "https://rp.example.no:443/auth/cb",
		"https://rp.example.no:/auth/cb", "https://rp.example.no:80/auth/cb", "https://rp.example.no:0443/auth/cb",
		"https://rp.example.no./auth/cb", "https://rp.example.no../auth/cb", "https://.rp.example.no/auth/cb",
		"https://rp..example.no/auth/cb", "https://rp.example.no.evil.example/auth/cb", "https://evilrp.example.no/auth/cb",
		"https://evil.rp.example.no/auth/cb", "https://example.no/auth/cb", "https://no/auth/cb", "https://rp.example.nø/auth/cb",
		"https://rp.example.com/auth/cb", "https://rp-example.no/auth/cb", "https://rp.example.no-evil.example/auth/cb",
		"https://user@rp.example.no/auth/cb", "https://user:pass@rp.example.no/auth/cb", "https://@rp.example.no/auth/cb",
		"https://rp.example.no@evil.example/auth/cb", "https://rp.example.no:443@evil.example/auth/cb",
		"https://rp.example.no%40evil.example/auth/cb", "https://a@b@rp.example.no/auth/cb", "https://evil.example@rp.example.no/auth/cb",
		"https://rp.example.no\\@evil.example/auth/cb", "https://evil.example\\@rp.example.no/auth/cb",
		"https://rp.example.no\\.evil.example/auth/cb", "https://evil.example#@rp.example.no/auth/cb",
		"https://evil.example?@rp.example.no/auth/cb", "https://evil.example/@rp.example.no/auth/cb",
		"https://rp.example.no%2eevil.example/auth/cb", "https://rp%2eexample%2eno/auth/cb", "https://rp.example.no%00/auth/cb",
		"https://rp\u3002example\u3002no/auth/cb", "https://rp\uff0eexample\uff0eno/auth/cb", "https://\uff52p.example.no/auth/cb", "https://rp.ex\u0430mple.no/auth/cb",
		"https://rp.example.no%20/auth/cb", "https://[rp.example.no]/auth/cb", "https://rp.example.no]/auth/cb",
		"https://127.0.0.1/auth/cb", "https://2130706433/auth/cb", "https://localhost/auth/cb", "https://*.example.no/auth/cb",
		"https://xn--rp-example-no/auth/cb", "https://rp.example.no,evil.example/auth/cb", "https://rp.example.no;evil/auth/cb",
		// path
		"https://rp.example.no/auth/c", "https://rp.example.no/auth/cbb", "https://rp.example.no/auth/cb/", "https://rp.example.no/auth/cb//",
		"https://rp.example.no/auth", "https://rp.example.no/", "https://rp.example.no", "https://rp.example.no//auth/cb",
		"https://rp.example.no/auth//cb", "https://rp.example.no/auth/./cb", "https://rp.example.no/./auth/cb", "https://rp.example.no/auth/cb/.",
		"https://rp.example.no/auth/../auth/cb", "https://rp.example.no/auth/cb/..", "https://rp.example.no/auth/cb/../cb",
		"https://rp.example.no/x/../auth/cb", "https://rp.example.no/../auth/cb", "https://rp.example.no/auth/cb/../../evil",
		"https://rp.example.no/auth/%63b", "https://rp.example.no/auth/c%62", "https://rp.example.no/%61uth/cb", "https://rp.example.no/auth%2fcb",
		"https://rp.example.no/auth%2Fcb", "https://rp.example.no/auth%252fcb", "https://rp.example.no/auth%5ccb", "https://rp.example.no/auth\\cb",
		"https://rp.example.no/auth/%2e%2e/auth/cb", "https://rp.example.no/auth/%2E%2E/cb", "https://rp.example.no/auth/%252e%252e/cb",
		"https://rp.example.no/auth/..;/auth/cb", "https://rp.example.no/auth/cb;x=1", "https://rp.example.no/auth/cb;", "https://rp.example.no/auth;/cb",
		"https://rp.example.no/auth/cb%00", "https://rp.example.no/auth/cb%0d%0aLocation:%20https://evil.example", "https://rp.example.no/auth/cb%0a",
		"https://rp.example.no/auth/cb\x00", "https://rp.example.no/auth/cb\r\nx", "https://rp.example.no/auth/cb\n", "https://rp.example.no/auth/cb\t",
		"https://rp.example.no/auth/cb%20", "https://rp.example.no/auth/cb ", " https://rp.example.no/auth/cb", "\thttps://rp.example.no/auth/cb",
		"https://rp.example.no/auth/cb+", "https://rp.example.no/AUTH/cb", "https://rp.example.no/auth/CB", "https://rp.example.no/auth/Cb",
		"https://rp.example.no/auth/cb.html", "https://rp.example.no/auth/cb~", "https://rp.example.no/auth/cb*", "https://rp.example.no/auth/*",
		"https://rp.example.no/auth/cb,https://rp.example.no/auth/cb", "https://rp.example.no/auth/cb https://rp.example.no/auth/cb",
		"https%3A%2F%2Frp.example.no%2Fauth%2Fcb", "https://rp.example.no/auth/cb\u200b", "https://rp.example.no/auth/cb\u00a0", "\ufeffhttps://rp.example.no/auth/cb",
		"https://rp.example.no/auth/\u0441b", "https://rp.example.no/auth/cb\xff", "https://rp.example.no/auth/cb%", "https://rp.example.no/auth/cb%zz",
		// query
		"https://rp.example.no/auth/cb?", "https://rp.example.no/auth/cb?a=1", "https://rp.example.no/auth/cb?&", "https://rp.example.no/auth/cb&a=1",
		"https://rp.example.no/auth/cb?code=x", "https://rp.example.no/auth/cb?redirect=https://evil.example",
		"https://rp.example.no/auth/cb2", "https://rp.example.no/auth/cb2?", "https://rp.example.no/auth/cb2?a=1", "https://rp.example.no/auth/cb2?b=2&a=1",
		"https://rp.example.no/auth/cb2?a=1&b=2&", "https://rp.example.no/auth/cb2?&a=1&b=2", "https://rp.example.no/auth/cb2?a=1&&b=2",
		"https://rp.example.no/auth/cb2?a=1;b=2", "https://rp.example.no/auth/cb2?a=1&b=2&c=3", "https://rp.example.no/auth/cb2?a=1&b=3",
		"https://rp.example.no/auth/cb2?a=%31&b=2", "https://rp.example.no/auth/cb2?A=1&b=2", "https://rp.example.no/auth/cb2?a=1&a=1&b=2",
		"https://rp.example.no/auth/cb2?a=1&amp;b=2", "https://rp.example.no/auth/cb2?a=1+&b=2", "https://rp.example.no/auth/cb2/?a=1&b=2",
		"https://rp.example.no/auth/cb2?a=1&b=2?", "https://rp.example.no/auth/cb2%3fa=1&b=2", "https://rp.example.no/auth/cb2?a=1%26b=2",
		// fragment
		"https://rp.example.no/auth/cb#", "https://rp.example.no/auth/cb#x", "https://rp.example.no/auth/cb%23", "https://rp.example.no/auth/cb2?a=1&b=2#",
		"https://rp.example.no/auth/cb?#", "https://rp.example.no/auth/cb#/../evil",
		// other clients' URIs, out-of-band values
		"https://other.example.no/auth/cb", "urn:ietf:wg:oauth:2.0:oob", "no.example.app:/cb", "http://127.0.0.1/auth/cb", "http://localhost/auth/cb",
	}
	for i := range len(callback) { // each truncation and each repeated byte
		misses = append(misses, callback[:i], callback[:i]+callback[i:i+1]+callback[i:])
	}
	return misses
}

func TestMatchRedirectURINearMisses(t *testing.T) {
	t.Parallel()
	require.Greater(t, len(nearMisses()), 150)
	for _, kind := range []string{client.Web, client.Browser, client.Native, ""} {
		c := &client.Client{
			ClientID: "c", ApplicationType: kind,
			RedirectURIs: []string{callback, withArgs}, PostLogoutRedirectURIs: []string{callback, withArgs},
		}
		for _, uri := range nearMisses() {
			require.False(t, c.MatchRedirectURI(uri), "%s: %q", kind, uri)
			require.False(t, c.MatchPostLogoutRedirectURI(uri), "%s: %q", kind, uri)
		}
		require.True(t, c.MatchRedirectURI(callback))
		require.True(t, c.MatchRedirectURI(withArgs))
		require.True(t, c.MatchPostLogoutRedirectURI(withArgs))
	}
}

func TestMatchRedirectURIHasNoDefault(t *testing.T) {
	t.Parallel()
	c := &client.Client{RedirectURIs: []string{callback}}
	require.False(t, c.MatchRedirectURI(""))
	c = &client.Client{RedirectURIs: []string{""}} // an invalid record matches no URI
	require.False(t, c.MatchRedirectURI(""))
}

func TestMatchRedirectURIAndPostLogoutListsAreSeparate(t *testing.T) {
	t.Parallel()
	c := &client.Client{RedirectURIs: []string{callback}, PostLogoutRedirectURIs: []string{"https://rp.example.no/out"}}
	require.False(t, c.MatchRedirectURI("https://rp.example.no/out"))
	require.False(t, c.MatchPostLogoutRedirectURI(callback))
}

func TestMatchRedirectURILoopback(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		registered string
		yes, no    []string
	}{
		{
			"http://127.0.0.1/cb",
			[]string{"http://127.0.0.1/cb", "http://127.0.0.1:1/cb", "http://127.0.0.1:51004/cb", "http://127.0.0.1:65535/cb", "http://127.0.0.1:80/cb"},
			[]string{
				"http://127.0.0.1:0/cb", "http://127.0.0.1:65536/cb", "http://127.0.0.1:080/cb", "http://127.0.0.1:/cb", "http://127.0.0.1:-1/cb",
				"http://127.0.0.1:99999999999999999999/cb", "http://127.0.0.1:+80/cb", "http://127.0.0.1: 80/cb", "http://127.0.0.1:8o/cb", "http://127.0.0.1:８０/cb",
				"http://127.0.0.1:80@evil.example/cb", "http://127.0.0.1@evil.example/cb", "http://127.0.0.1:80.evil.example/cb", "http://127.0.0.1.evil.example/cb",
				"http://127.0.0.1:80:80/cb", "http://127.0.0.1:80\\@evil.example/cb", "http://127.0.0.1:80#/cb", "http://127.0.0.1:80;/cb",
				"http://localhost/cb", "http://localhost:80/cb", "http://127.1/cb", "http://127.1:80/cb", "http://127.0.0.2:80/cb", "http://0.0.0.0:80/cb",
				"http://2130706433/cb", "http://0x7f.0.0.1/cb", "http://0x7f000001/cb", "http://0177.0.0.1/cb", "http://[::1]/cb", "http://[::1]:80/cb",
				"http://[::ffff:127.0.0.1]/cb", "http://[0:0:0:0:0:0:0:1]/cb", "http://[::1%25lo]/cb", "https://127.0.0.1/cb", "https://127.0.0.1:80/cb",
				"HTTP://127.0.0.1:80/cb", "http://user@127.0.0.1:80/cb", "http://127.0.0.1:80/cb/", "http://127.0.0.1:80/", "http://127.0.0.1:80", "http://127.0.0.1:80/CB",
				"http://127.0.0.1:80/cb?", "http://127.0.0.1:80/cb?x", "http://127.0.0.1:80//cb", "http://127.0.0.1:80/%63b", "http://127.0.0.1:80/cb#", "http:127.0.0.1:80/cb",
			},
		},
		{ // only the registration of an older version could have it: no port of it differs
			"http://127.0.0.1:1@app.example/cb",
			[]string{"http://127.0.0.1:1@app.example/cb"},
			[]string{"http://127.0.0.1:2@app.example/cb", "http://127.0.0.1@app.example/cb"},
		},
		{
			"http://127.0.0.1:0/cb",
			[]string{"http://127.0.0.1/cb", "http://127.0.0.1:51004/cb"},
			[]string{"http://127.0.0.1:0/cb", "http://127.0.0.1:00/cb", "http://127.0.0.1:65536/cb"},
		},
		{
			"http://127.0.0.1:8080/cb", // RFC 8252: any port, also for those who registered one
			[]string{"http://127.0.0.1:8080/cb", "http://127.0.0.1:51004/cb", "http://127.0.0.1/cb"},
			[]string{"http://127.0.0.1:0/cb"},
		},
		{
			"http://[::1]/cb?x=1",
			[]string{"http://[::1]/cb?x=1", "http://[::1]:51004/cb?x=1"},
			[]string{"http://[::1]:51004/cb", "http://[::1]:0/cb?x=1", "http://127.0.0.1:51004/cb?x=1", "http://[::2]:80/cb?x=1", "http://::1/cb?x=1", "http://[::1]80/cb?x=1"},
		},
		{
			"http://127.0.0.1",
			[]string{"http://127.0.0.1", "http://127.0.0.1:80"},
			[]string{"http://127.0.0.1/", "http://127.0.0.1:80/", "http://127.0.0.1?", "http://127.0.0.1:"},
		},
		{
			"http://localhost/cb",
			[]string{"http://localhost/cb"},
			[]string{"http://localhost:80/cb", "http://localhost:51004/cb", "http://127.0.0.1/cb"},
		},
		{
			"https://127.0.0.1/cb",
			[]string{"https://127.0.0.1/cb"},
			[]string{"https://127.0.0.1:443/cb", "http://127.0.0.1/cb", "http://127.0.0.1:80/cb"},
		},
		{"http://127.0.0.1:65536/cb", nil, // a broken record
			[]string{"http://127.0.0.1:65536/cb", "http://127.0.0.1:80/cb"}},
		{
			"no.example.app:/cb",
			[]string{"no.example.app:/cb"},
			[]string{"no.example.app:/cb/", "no.example.app://cb", "NO.example.app:/cb", "no.example.app:cb", "no.example.app:///cb"},
		},
	} {
		native := &client.Client{ApplicationType: client.Native, RedirectURIs: []string{tc.registered}, PostLogoutRedirectURIs: []string{tc.registered}}
		for _, uri := range tc.yes {
			require.True(t, native.MatchRedirectURI(uri), "%s ~ %s", tc.registered, uri)
			require.True(t, native.MatchPostLogoutRedirectURI(uri), "%s ~ %s", tc.registered, uri)
		}
		for _, uri := range tc.no {
			require.False(t, native.MatchRedirectURI(uri), "%s ~ %s", tc.registered, uri)
		}
		for _, kind := range []string{client.Web, client.Browser, ""} { // the port is fixed for other clients
			other := &client.Client{ApplicationType: kind, RedirectURIs: []string{tc.registered}}
			for _, uri := range slices.Concat(tc.yes, tc.no) {
				require.Equal(t, uri == tc.registered, other.MatchRedirectURI(uri), "%s: %s ~ %s", kind, tc.registered, uri)
			}
		}
	}
}

func TestMatchRedirectURIDoesNotAllocate(t *testing.T) {
	c := &client.Client{ApplicationType: client.Native, RedirectURIs: []string{callback, "http://[::1]/cb", "http://127.0.0.1/cb"}}
	require.Zero(t, slow.Allocations(t, 100, func() {
		if !c.MatchRedirectURI("http://127.0.0.1:51004/cb") || !c.MatchRedirectURI(callback) {
			panic("no match")
		}
	}))
}

// loopbackPattern states the loopback rule independently, for the fuzz test.
var loopbackPattern = regexp.MustCompile(`^(http://(?:127\.0\.0\.1|\[::1\]))(?::([0-9]*))?((?:[/?](?s:.*))?)$`)

func expectMatch(kind, registered, uri string) bool {
	r, u := loopbackPattern.FindStringSubmatch(registered), loopbackPattern.FindStringSubmatch(uri)
	if kind != client.Native || u == nil {
		return uri != "" && uri == registered
	}
	realPort := func(m []string, rest string) bool {
		if !strings.HasPrefix(rest, ":") {
			return true
		}
		n, err := strconv.Atoi(m[2])
		return err == nil && n >= 1 && n <= 65535 && strconv.Itoa(n) == m[2]
	}
	return r != nil && r[1] == u[1] && r[3] == u[3] && realPort(u, uri[len(u[1]):]) &&
		(r[2] == "0" || realPort(r, registered[len(r[1]):]))
}

func FuzzMatchRedirectURI(f *testing.F) {
	kinds := []string{client.Web, client.Browser, client.Native, ""}
	for _, registered := range []string{callback, withArgs, "http://127.0.0.1/cb", "http://127.0.0.1:0/cb", "http://[::1]:8080/cb?x"} {
		for i, uri := range []string{registered, registered + "/", "http://127.0.0.1:51004/cb", "http://[::1]:9/cb?x", "http://127.0.0.1:0/cb", callback + "#"} {
			f.Add(uint8(i), registered, uri)
		}
	}
	f.Fuzz(func(t *testing.T, k uint8, registered, uri string) {
		kind := kinds[int(k)%len(kinds)]
		c := &client.Client{ApplicationType: kind, RedirectURIs: []string{registered}}
		require.Equal(t, expectMatch(kind, registered, uri), c.MatchRedirectURI(uri), "%s: %q ~ %q", kind, registered, uri)
		if c.MatchRedirectURI(uri) && uri != registered {
			// A loopback match has the same host and path for a URL parser.
			a, err1 := url.Parse(registered)
			b, err2 := url.Parse(uri)
			if err1 == nil && err2 == nil {
				require.Equal(t, a.Hostname(), b.Hostname())
				require.Equal(t, a.EscapedPath(), b.EscapedPath())
			}
		}
	})
}

func TestCORSOrigins(t *testing.T) {
	t.Parallel()
	uris := []string{
		"https://spa.example.no/cb", "https://spa.example.no/silent", "https://SPA.example.no:443/x", "https://spa.example.no:8443/cb",
		"http://localhost:3000/cb", "http://[::1]:80/cb",
	}
	c := &client.Client{ApplicationType: client.Browser, RedirectURIs: uris}
	require.Equal(t, []string{"https://spa.example.no", "https://spa.example.no:8443", "http://localhost:3000", "http://[::1]"}, c.CORSOrigins())
	for _, kind := range []string{client.Web, client.Native, ""} {
		require.Empty(t, (&client.Client{ApplicationType: kind, RedirectURIs: uris}).CORSOrigins(), kind)
	}
}
