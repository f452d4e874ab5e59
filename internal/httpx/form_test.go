package httpx_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/httpx"
)

const formType = "application/x-www-form-urlencoded"

func post(target, contentType, body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, target, strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	return r
}

// TestParseRejects verifies that a malformed form is rejected as a whole (docs/threat-model.md B6); net/url returns the rest of it.
func TestParseRejects(t *testing.T) {
	t.Parallel()
	for name, raw := range map[string]string{
		"broken escape": "a=%zz", "cut escape": "a=%4", "semicolon": "a=1;b=2", "NUL": "a=%00", "CR LF": "a=%0d%0a", "raw CR": "a=\r",
		"tab": "a=%09", "DEL": "a=%7f", "not UTF-8": "a=%ff", "overlong": "a=%c0%af", "surrogate": "a=%ed%a0%80", "in the name": "%00=a",
		"late": "a=1&b=2&c=%zz", "too many": strings.Repeat("a=1&", 64) + "a=1", "empty ones count": strings.Repeat("&", 64),
	} {
		f, err := httpx.Parse(raw)
		require.Error(t, err, name)
		require.Empty(t, f.Names(), name)
		fe, ok := errors.AsType[*httpx.FormError](err)
		require.True(t, ok, name)
		require.NotContains(t, fe.Error(), "a=", name)
	}
	f, err := httpx.Parse(strings.Repeat("a=1&", 63) + "b=%C3%A6+%2B")
	require.NoError(t, err)
	require.Equal(t, "æ +", f.Get("b"))
}

// TestRejectionNamesTheRule: the description says what is wrong, with no text of the request.
func TestRejectionNamesTheRule(t *testing.T) {
	t.Parallel()
	zipped := post("/token", formType, "a=1")
	zipped.Header.Set("Content-Encoding", "gzip")
	for want, r := range map[string]*http.Request{
		"The parameters must be in the body, not in the URL.":                         post("/token?evil=1", formType, ""),
		"The Content-Type must be application/x-www-form-urlencoded.":                 post("/token", "application/json", `{"evil":1}`),
		"The charset of the Content-Type must be utf-8.":                              post("/token", formType+";charset=evil", "a=1"),
		"The body must not have a Content-Encoding.":                                  zipped,
		"The request has too many parameters.":                                        post("/token", formType, strings.Repeat("evil=1&", 65)),
		"The parameters must be separated by &; a semicolon must be percent-encoded.": post("/token", formType, "evil;b=2"),
		"A parameter has an invalid percent-encoding.":                                post("/token", formType, "evil=%zz"),
		"A parameter is not UTF-8.":                                                   post("/token", formType, "evil=%ff"),
		"A parameter has a control character.":                                        post("/token", formType, "evil=%00"),
	} {
		_, err := httpx.ReadPost(httptest.NewRecorder(), r)
		e, ok := errors.AsType[*portner.Error](err)
		require.True(t, ok, want)
		require.Equal(t, []any{portner.InvalidRequest, want}, []any{e.Code, e.Description})
		require.Regexp(t, `^[\x20\x21\x23-\x5b\x5d-\x7e]+$`, e.Description, "RFC 6749 section 5.2")
	}
}

// TestRepeated verifies that every name occurs once, case-sensitively (docs/threat-model.md B1); resource may be repeated.
func TestRepeated(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"": "", "a=1&b=2": "", "a=1&a=1": "a", "a=1&A=1": "", "resource=1&resource=2": "", "a&a": "a", "%61=1&a=2": "a", "a=&b=&b=1": "b",
	} {
		f, err := httpx.Parse(raw)
		require.NoError(t, err)
		require.Equal(t, want, f.Repeated(), raw)
	}
}

// TestReadPost verifies that only a form in the body is read, within limits (docs/threat-model.md B2, B3, B5).
func TestReadPost(t *testing.T) {
	t.Parallel()
	for _, ok := range []string{formType, formType + "; charset=utf-8", formType + ";charset=UTF-8", "Application/X-WWW-Form-Urlencoded"} {
		f, err := httpx.ReadPost(httptest.NewRecorder(), post("/token", ok, "code=x"))
		require.NoError(t, err, ok)
		require.Equal(t, "x", f.Get("code"))
	}
	twice := post("/token", formType, "code=x")
	twice.Header.Add("Content-Type", formType)
	zipped := post("/token", formType, "code=x")
	zipped.Header.Set("Content-Encoding", "gzip")
	none := post("/token", formType, "code=x")
	none.Header.Del("Content-Type")
	for name, r := range map[string]*http.Request{
		"query": post("/token?client_id=a", formType, "code=x"), "query of another name": post("/token?x", formType, "code=x"),
		"JSON": post("/token", "application/json", `{"code":"x"}`), "multipart": post("/token", "multipart/form-data; boundary=x", "code=x"),
		"charset": post("/token", formType+"; charset=utf-16", "code=x"), "parameter": post("/token", formType+"; x=y", "code=x"),
		"text": post("/token", "text/plain", "code=x"), "two types": twice, "gzip": zipped, "no type": none,
		"list": post("/token", formType+", text/plain", "code=x"),
	} {
		f, err := httpx.ReadPost(httptest.NewRecorder(), r)
		require.Error(t, err, name)
		require.Empty(t, f.Names(), name)
		refusal := portner.AsError(err)
		status := refusal.HTTPStatus()
		require.Equal(t, http.StatusBadRequest, status, name)
		require.EqualValues(t, "invalid_request", refusal.Code, name)
	}
	_, err := httpx.ReadPost(httptest.NewRecorder(), post("/token", formType, "a="+strings.Repeat("x", httpx.MaxBody-1)))
	require.Equal(t, http.StatusRequestEntityTooLarge, portner.AsError(err).HTTPStatus())
	_, err = httpx.ReadPost(httptest.NewRecorder(), post("/token", formType, "a="+strings.Repeat("x", httpx.MaxBody-2)))
	require.NoError(t, err)
	_, err = httpx.ParseQuery(strings.Repeat("x", httpx.MaxQuery+1))
	require.Equal(t, http.StatusRequestEntityTooLarge, portner.AsError(err).HTTPStatus())
}

// TestSameOrigin verifies that a form of another site, without an origin, or of an opaque origin is rejected
// (docs/threat-model.md G1). http.CrossOriginProtection accepts a form without an origin.
func TestSameOrigin(t *testing.T) {
	t.Parallel()
	const own = "https://op.example"
	for _, tc := range []struct {
		origin, site string
		want         bool
	}{
		{own, "same-origin", true},
		{own, "", true},
		{"", "same-origin", true},
		{"", "", false},
		{"null", "", false},
		{"null", "same-origin", false},
		{own, "same-site", false},
		{own, "cross-site", false},
		{own, "none", false},
		{"https://evil.example", "same-origin", false},
		{"https://evil.example", "", false},
		{own + "/", "", false},
		{"http://op.example", "", false},
		{own + ".evil.example", "", false},
		{"https://sub.op.example", "", false},
		{own, "Same-Origin", false},
	} {
		r := post("/login", formType, "")
		if tc.origin != "" {
			r.Header.Set("Origin", tc.origin)
		}
		if tc.site != "" {
			r.Header.Set("Sec-Fetch-Site", tc.site)
		}
		require.Equal(t, tc.want, httpx.SameOrigin(r.Header, own), "%+v", tc)
	}
	r := post("/login", formType, "")
	r.Header["Origin"] = []string{own, "https://evil.example"}
	require.False(t, httpx.SameOrigin(r.Header, own))
	r = post("/login", formType, "")
	r.Header["Origin"], r.Header["Sec-Fetch-Site"] = []string{own}, []string{"same-origin", "cross-site"}
	require.False(t, httpx.SameOrigin(r.Header, own), "two answers are none")
}

// TestLineBreaks: only the parameter assertion may contain line breaks.
func TestLineBreaks(t *testing.T) {
	t.Parallel()
	for _, value := range []string{"a%0Ab", "a%0D%0Ab", "a\nb"} {
		form, err := httpx.Parse("assertion=" + value)
		require.NoError(t, err)
		require.Contains(t, form.Get("assertion"), "\n")
		for _, name := range []string{"client_assertion", "Assertion", "a", "assertion%0A"} {
			_, err = httpx.Parse(name + "=" + value)
			require.Error(t, err, name)
		}
	}
	_, err := httpx.Parse("assertion=a%00b")
	require.Error(t, err)
}

// FuzzParse: a form that is accepted has the parameters that net/url finds, also after encoding. No value has a character that could
// end a header field or a log line, except for line breaks in assertion.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"", "a=b", "a=b&a=c", "a=%zz", "a=%4", "a=%41%4a%4A+%", "a=%3:", "a=%g0", "a;b", "%E6=%2B", "a==b", "&&=&", "a=\x00", "resource=x&resource=y", "a=%c0%af", "assertion=a%0Ab", "assertion=a\nb"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		form, err := httpx.Parse(raw)
		if err != nil {
			require.Empty(t, form.Names())
			if fe, ok := errors.AsType[*httpx.FormError](err); ok && fe.Reason == "percent_encoding" {
				_, err = url.ParseQuery(raw)
				require.Error(t, err, "rejected what net/url accepts")
			}
			return
		}
		reference, err := url.ParseQuery(raw)
		require.NoError(t, err, "accepted what net/url refuses")
		got := url.Values{}
		for _, name := range form.Names() {
			got[name] = form.All(name)
			for _, s := range append(form.All(name), name) {
				require.True(t, utf8.ValidString(s))
				require.Less(t, strings.IndexFunc(s, func(r rune) bool {
					line := name == httpx.Assertion && s != name && (r == '\r' || r == '\n')
					return (r < 0x20 || r == 0x7f) && !line
				}), 0)
			}
		}
		require.Equal(t, reference, got)
		again, err := httpx.Parse(form.Encode())
		require.NoError(t, err)
		require.Equal(t, form.Names(), again.Names())
		for _, name := range form.Names() {
			require.Equal(t, form.All(name), again.All(name))
		}
	})
}
