package authorize_test

import (
	"flag"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/internal/httpx"
)

var update = flag.Bool("update", false, "write the golden files")

var unstable = regexp.MustCompile(`(nonce[-="]+|name="code" value="|correlation-id">)[A-Za-z0-9_-]{22,43}|(name="response" value=")[A-Za-z0-9_.-]{100,}`)

// golden compares a response with testdata, without random values.
func golden(t *testing.T, name string, res *http.Response) {
	t.Helper()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	var b strings.Builder
	b.WriteString(res.Status + "\n")
	for _, h := range []string{"Content-Type", "Content-Security-Policy", "X-Frame-Options", "X-Content-Type-Options", "Referrer-Policy", "Cache-Control", "Pragma"} {
		b.WriteString(h + ": " + res.Header.Get(h) + "\n")
	}
	b.WriteString("\n" + string(body))
	got := unstable.ReplaceAllString(b.String(), "${1}${2}RANDOM")
	path := "testdata/" + name
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(got), 0o600))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), got)
}

func TestFormPost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.browser()
	requireCode(t, b.loginAs(b.authorize(params("web")), "kari"))
	golden(t, "form_post.html", b.authorize(params("postonly", "state", `"><script>alert(1)</script>`, "redirect_uri", rp+"?a=b")))
	golden(t, "form_post_error.html", b.authorize(params("web", "response_mode", "form_post", "scope", "x:y")))
	golden(t, "error_page.html", b.authorize(params("web", "redirect_uri", "https://evil.example/")))
}

// skeleton returns the tags and attribute names of a page, without values and text. It does not use html/template, whose mistakes it
// would share.
func skeleton(page string) string {
	var b strings.Builder
	for {
		i := strings.IndexByte(page, '<')
		if i < 0 {
			return b.String()
		}
		page = page[i+1:]
		inQuote, end := false, -1
		for j := range len(page) {
			if page[j] == '"' {
				inQuote = !inQuote
			}
			if !inQuote && (page[j] == '<' || page[j] == '>') {
				end = j
				break
			}
		}
		if end < 0 {
			return b.String() + "<unclosed"
		}
		tag := attributeValue.ReplaceAllString(page[:end], `=`)
		b.WriteString("<" + tag + page[end:end+1])
		page = page[end:]
	}
}

var attributeValue = regexp.MustCompile(`="[^"]*"`)

// oversized reports whether a query is too large, and then verifies the response.
func oversized(t testing.TB, query url.Values, res *http.Response) bool {
	if len(query.Encode()) <= httpx.MaxQuery {
		return false
	}
	require.Equal(t, http.StatusRequestEntityTooLarge, res.StatusCode)
	require.Empty(t, res.Header.Get("Location"))
	return true
}

// FuzzFormPost: the tags of the page do not depend on the state, and the state is posted unchanged.
func FuzzFormPost(f *testing.F) {
	for _, s := range []string{
		"x", `"><script>alert(1)</script>`, "<!--", "&#34;", "{{.}}", "</form>", "javascript:x", "\x7f", "å", strings.Repeat("å", httpx.MaxQuery/6),
	} {
		f.Add(s)
	}
	w := newWorld(f)
	b := w.browser()
	requireCode(f, b.loginAs(b.authorize(params("web")), "kari"))
	page := func(t testing.TB, state string) (status int, body string, tooLarge bool) {
		p := params("postonly", "state", state)
		res := b.authorize(p)
		text, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		return res.StatusCode, string(text), oversized(t, p, res)
	}
	_, plain, _ := page(f, "x")
	_, stateless, _ := page(f, "å")
	want, without := skeleton(plain), skeleton(stateless)
	f.Fuzz(func(t *testing.T, state string) {
		status, body, tooLarge := page(t, state)
		if status == http.StatusBadRequest || tooLarge {
			return
		}
		if !printable(state) && state != "" {
			require.Equal(t, without, skeleton(body))
			require.Contains(t, body, "invalid_request")
			return
		}
		if state == "" {
			require.NotContains(t, body, `name="state"`)
			return
		}
		require.Equal(t, want, skeleton(body))
		m := regexp.MustCompile(`name="state" value="([^"]*)"`).FindStringSubmatch(body)
		require.Len(t, m, 2)
		require.Equal(t, state, unescapeHTML(m[1]))
	})
}

// unescapeHTML reverses the escapes of html/template in attributes.
func unescapeHTML(s string) string {
	return strings.NewReplacer("&#34;", `"`, "&#39;", "'", "&lt;", "<", "&gt;", ">", "&amp;", "&", "&#43;", "+", "&#61;", "=", "&#96;", "`").Replace(s)
}

func printable(s string) bool {
	return s != "" && len(s) <= 2048 && strings.IndexFunc(s, func(r rune) bool { return r < 0x20 || r > 0x7e }) < 0
}

// FuzzState: a state is returned byte for byte, or the request is rejected without a state.
func FuzzState(f *testing.F) {
	for _, s := range []string{
		"x", "a b", "a&code=evil", "a#b", "%00", "é", "a\r\nb", "-._~", strings.Repeat("s", 1000), strings.Repeat("s", httpx.MaxQuery),
	} {
		f.Add(s)
	}
	w := newWorld(f)
	b := w.browser()
	requireCode(f, b.loginAs(b.authorize(params("web")), "kari"))
	f.Fuzz(func(t *testing.T, state string) {
		for _, redirect := range []string{rp, rp + "?a=b"} {
			p := params("web", "state", state, "redirect_uri", redirect)
			res := b.authorize(p)
			if oversized(t, p, res) {
				continue
			}
			if !utf8.ValidString(state) || strings.ContainsFunc(state, func(r rune) bool { return r < 0x20 || r == 0x7f }) {
				require.Equal(t, http.StatusBadRequest, res.StatusCode)
				require.Empty(t, res.Header.Get("Location"))
				continue
			}
			u, err := url.Parse(res.Header.Get("Location"))
			require.NoError(t, err)
			q, err := url.ParseQuery(u.RawQuery)
			require.NoError(t, err)
			require.Len(t, q["iss"], 1)
			require.Equal(t, redirect, strings.SplitAfter(res.Header.Get("Location"), redirect)[0])
			switch {
			case printable(state):
				require.Equal(t, []string{state}, q["state"])
				require.Len(t, q["code"], 1)
			case state == "":
				require.NotContains(t, q, "state")
				require.Len(t, q["code"], 1)
			default:
				require.NotContains(t, q, "state")
				require.Equal(t, []string{"invalid_request"}, q["error"])
			}
		}
	})
}

// FuzzRedirectURI: the browser is redirected if and only if the redirect_uri is registered, byte for byte.
func FuzzRedirectURI(f *testing.F) {
	for _, s := range []string{rp, rp + "?a=b", rp + "/", rp + "#", rp + "?", "https://rp.example.no:443/cb", "https://rp.example.no@evil.example/cb", "//evil.example", rp + "%2e%2e", "https://rp.example.no/%63b"} {
		f.Add(s)
	}
	w := newWorld(f)
	b := w.browser()
	f.Fuzz(func(t *testing.T, uri string) {
		res := b.authorize(params("web", "redirect_uri", uri, "scope", "x:y"))
		if uri == rp || uri == rp+"?a=b" {
			require.True(t, strings.HasPrefix(res.Header.Get("Location"), uri))
			return
		}
		require.Empty(t, res.Header.Get("Location"))
		require.GreaterOrEqual(t, res.StatusCode, 400)
	})
}

// FuzzErrorPage: an error page contains no part of the request.
func FuzzErrorPage(f *testing.F) {
	f.Add("client_id", "<script>")
	f.Add("redirect_uri", "https://evil.example/\"><b>")
	f.Add("response_mode", "{{.}}")
	w := newWorld(f)
	b := w.browser()
	// An error page names a parameter of the protocol, or none, and links to the home of a known client.
	plain, skeletons := "response_mode request_uri", map[string]bool{}
	for _, p := range []url.Values{params("nobody"), params("web", "redirect_uri", ""), {"request": {"x"}, "portner_posted": {"x"}}} {
		body, err := io.ReadAll(b.authorize(p).Body)
		require.NoError(f, err)
		plain += string(body)
		skeletons[skeleton(string(body))] = true
	}
	require.Len(f, skeletons, 3)
	f.Fuzz(func(t *testing.T, name, value string) {
		p := params("web")
		p.Set(name, value)
		res := b.authorize(p)
		if res.StatusCode == http.StatusSeeOther {
			return
		}
		body, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		require.Contains(t, skeletons, skeleton(string(body)))
		require.Less(t, len(body), 1000)
		if len(value) > 8 && !strings.Contains(plain, value) {
			require.NotContains(t, string(body), value)
		}
	})
}

// FuzzSealed: values that this provider did not seal are rejected.
func FuzzSealed(f *testing.F) {
	w := newWorld(f)
	b := w.browser()
	form := b.open(b.authorize(params("web")), "/login")
	good := form.Get("request")
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Add("")
	f.Fuzz(func(t *testing.T, sealed string) {
		res := b.get("/login?" + url.Values{"request": {sealed}}.Encode())
		require.Equal(t, sealed == good, res.StatusCode == http.StatusOK)
	})
}

// TestOnTheWire: responses of a real server have no header fields from the request.
func TestOnTheWire(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	srv := httptest.NewServer(w.mux)
	defer srv.Close()
	for _, state := range []string{"a\r\nSet-Cookie: evil=1", "a\nb", "a&code=x#y", "blå", "\x00"} {
		conn, err := net.Dial("tcp", srv.Listener.Addr().String())
		require.NoError(t, err)
		p := params("web", "state", state, "scope", "x:y")
		_, err = io.WriteString(conn, "GET /authorize?"+p.Encode()+" HTTP/1.0\r\nHost: login.example.no\r\n\r\n")
		require.NoError(t, err)
		raw, err := io.ReadAll(conn)
		require.NoError(t, err)
		require.NoError(t, conn.Close())
		head, _, _ := strings.Cut(string(raw), "\r\n\r\n")
		require.NotContains(t, head, "evil=1\r")
		require.NotContains(t, head, "\nSet-Cookie: evil")
		for line := range strings.SplitSeq(head, "\r\n") {
			if location, ok := strings.CutPrefix(line, "Location: "); ok {
				u, err := url.Parse(location)
				require.NoError(t, err)
				require.Empty(t, u.Fragment)
				require.Equal(t, "invalid_scope", u.Query().Get("error"))
				require.NotContains(t, u.Query(), "code")
			}
		}
	}
}

// TestHeaders: every response has the security header fields, and no other origin may read it.
func TestHeaders(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.browser()
	for _, res := range []*http.Response{
		b.authorize(params("web")), b.authorize(params("web", "scope", "")), b.authorize(params("nobody")),
		b.authorize(params("postonly", "scope", "")), b.get("/login"), b.get("/login?request=x"), w.push(params("web")),
		b.do(httptest.NewRequest(http.MethodPut, "/authorize", nil)), b.get("/par"),
	} {
		require.Equal(t, "nosniff", res.Header.Get("X-Content-Type-Options"))
		if res.StatusCode == http.StatusOK { // the form of a page needs its Origin field
			require.Equal(t, "same-origin", res.Header.Get("Referrer-Policy"))
		} else {
			require.Equal(t, "no-referrer", res.Header.Get("Referrer-Policy"))
		}
		require.Equal(t, "no-store", res.Header.Get("Cache-Control"))
		require.Empty(t, res.Header.Get("Access-Control-Allow-Origin"))
		if res.StatusCode != http.StatusSeeOther {
			require.Contains(t, res.Header.Get("Content-Security-Policy"), "default-src 'none'")
		}
	}
	name, value := b.id()
	require.Len(t, value, 43)
	require.Len(t, name, len(browserCookie)+8)
	res := w.browser().authorize(params("web"))
	require.Equal(t, []string{res.Cookies()[0].Name + "=" + res.Cookies()[0].Value + "; Path=/; HttpOnly; Secure; SameSite=Lax"}, res.Header["Set-Cookie"])
	require.Empty(t, b.authorize(params("web")).Cookies(), "one cookie for all tabs that are opened later")
}

// TestOwnErrorPage: the error page of the host receives no part of the request.
func TestOwnErrorPage(t *testing.T) {
	t.Parallel()
	var got authorize.ErrorPage
	w := newWorld(t, func(c *authorize.Config) {
		c.ErrorPage = func(p authorize.ErrorPage) portner.Reply {
			got = p
			return portner.Reply{}
		}
	})
	b := w.browser()
	b.cookies[authorize.LanguageCookie] = "nn"
	res := b.authorize(params("nobody"))
	require.Equal(t, 400, res.StatusCode)
	require.Equal(t, "DENY", res.Header.Get("X-Frame-Options"))
	require.Len(t, got.CorrelationID, 32)
	got.CorrelationID = ""
	require.Equal(t, authorize.ErrorPage{Status: 400, Code: "invalid_client", Parameter: "client_id", Description: "The client_id is not registered.", Locale: "nn"}, got)
}
