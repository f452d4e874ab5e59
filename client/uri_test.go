package client_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/portner-go/portner/client"
	"github.com/stretchr/testify/require"
)

var (
	production = client.Environment{}
	testing_   = client.Environment{Test: true}
)

func TestCheckURIAllowed(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		kind string
		env  client.Environment
		uris []string
	}{
		{client.Web, production, []string{
			callback, withArgs, "https://rp.example.no", "https://rp.example.no/", "https://rp.example.no:8443/cb", "https://xn--s-1fa.no/cb",
			"https://rp.example.no/a//b", "https://rp.example.no/b%C3%A5t", "https://rp.example.no/cb?next=%2Fhome", "https://rp.example.no/cb?barcode=1&errors=2",
			"https://192.0.2.7/cb", "https://[2001:db8::7]:8443/cb", "https://rp.example.no/a:b@c;d=e,f!$'()+", "https://rp.example.no/" + strings.Repeat("x", 2048-len("https://rp.example.no/")),
		}},
		{client.Web, testing_, []string{"http://localhost:8080/cb", "http://rp.test/cb", "http://127.0.0.1:9000/cb", "https://127.0.0.1:9000/cb", "http://[::1]:9000/cb"}},
		{client.Browser, production, []string{callback}},
		{client.Browser, testing_, []string{"http://localhost:3000/"}},
		{client.Native, production, []string{
			callback, "http://127.0.0.1/cb", "http://127.0.0.1:0/cb", "http://[::1]:0/cb", "http://127.0.0.1:8080/cb", "http://localhost/cb",
			"no.example.app:/cb", "no.example.app://login/cb?x=1", "com.example-2.app+x:/cb",
		}},
		{client.Native, testing_, []string{"http://rp.test/cb", "http://localhost:1/cb"}},
	} {
		c := &client.Client{ApplicationType: tc.kind}
		for _, uri := range tc.uris {
			require.NoError(t, c.CheckURI(uri, tc.env), "%s %+v %s", tc.kind, tc.env, uri)
		}
	}
}

// rejectedURIs maps each rule to values that break it for web clients in every environment.
var rejectedURIs = map[string][]string{
	"must not be empty":          {""},
	"must not be longer":         {"https://rp.example.no/" + strings.Repeat("x", 2048)},
	"must not have a fragment":   {callback + "#", callback + "#x", callback + "?a#", "https://rp.example.no#/cb", "#"},
	"must not have wildcards":    {"https://*.example.no/cb", "https://rp.example.no/*", callback + "?x=*"},
	"printable ASCII":            {callback + " ", " " + callback, callback + "\n", callback + "\r\nX: y", callback + "\x00", callback + "\x7f", "https://bøker.no/cb", "https://rp\u3002example.no/cb", callback + "\xff", callback + "\t"},
	"outside RFC 3986":           {"https://rp.example.no\\@evil.example/cb", "https:\\\\rp.example.no/cb", callback + "\"", callback + "?<script>", callback + "{x}", callback + "|", callback + "^", callback + "`"},
	"malformed percent-encoding": {callback + "%", callback + "%2", callback + "%zz", callback + "?a=%g0"},
	"control characters":         {callback + "%00", callback + "%0d%0a", callback + "?a=%0A", callback + "%7f", callback + "%1F"},
	"must be a URI":              {"https://[::1/cb", "https://rp.example.no:x/cb", "://x", "https://rp.example%2fno/cb", "1https://rp.example.no"},
	"must have a scheme":         {"//rp.example.no/cb", "/cb", "rp.example.no/cb", "cb", "?x"},
	"runs code":                  {"javascript:alert(1)", "JaVaScRiPt:alert(1)", "javascript://rp.example.no/%20alert(1)", "data:text/html,x", "DATA:x", "vbscript:x", "VBScript:x"},
	"must be http or https":      {"ftp://rp.example.no/cb", "no.example.app:/cb", "myapp:/cb", "file:///etc/passwd", "urn:ietf:wg:oauth:2.0:oob", "httpss://rp.example.no", "about:blank", "blob:https://rp.example.no/x"},
	"userinfo":                   {"https://user@rp.example.no/cb", "https://user:pw@rp.example.no/cb", "https://@rp.example.no/cb", "https://127.0.0.1:80@evil.example/cb", "https://a@b@rp.example.no/cb"},
	"// and a host":              {"https:rp.example.no/cb", "https:cb"},
	"must have a host":           {"https:/rp.example.no/cb", "https:///cb", "https://:443/cb", "https://:0/"},
	"canonical form":             {"HTTPS://rp.example.no/cb", "Https://rp.example.no/cb"},
	"encode slashes":             {"https://rp.example.no/a%2fb", "https://rp.example.no/a%2Fb", "https://rp.example.no/a%5Cb"},
	"encoded twice":              {"https://rp.example.no/a%252fb", "https://rp.example.no/%25"},
	"encode letters":             {"https://rp.example.no/%63b", "https://rp.example.no/%2e%2e/cb", "https://rp.example.no/a/%2E", "https://rp.example.no/%7euser"},
	"dot segments":               {"https://rp.example.no/../cb", "https://rp.example.no/./cb", "https://rp.example.no/a/..", "https://rp.example.no/a/.", "https://rp.example.no/a/..;/cb", "https://rp.example.no/.;x/cb"},
	"query parameter code":       {callback + "?code=x", callback + "?a=1&code", callback + "?a=1;code=2", callback + "?%63ode=1", callback + "?CODE=1"},
	"query parameter state":      {callback + "?state=x"},
	"query parameter iss":        {callback + "?iss=x"},
	"query parameter error":      {callback + "?error=x", callback + "?error_description=x"},
	"query parameter id_token":   {callback + "?id_token=x"},
	"IPv6 address":               {"https://[0:0:0:0:0:0:0:1]/cb", "https://[2001:DB8::1]/cb", "https://[::ffff:192.0.2.1]/cb"},
	"IPv4 address":               {"https://127.1/cb", "https://2130706433/cb", "https://0x7f000001/cb", "https://0177.0.0.1/cb", "https://1.2.3.4.5/cb", "https://127.0.0.0x1/cb", "https://256.0.0.1/cb"},
	"valid host name":            {"https://rp..example.no/cb", "https://.example.no/cb", "https://rp.example.no./cb", "https://rp.example.no,evil/cb", "https://rp!.no/cb", "https://rp.example.no;x/cb"},
	"not have an empty port":     {"https://rp.example.no:/cb", "https://rp.example.no:"},
	"port must be":               {"https://rp.example.no:0/cb", "https://rp.example.no:65536/cb", "https://rp.example.no:0443/cb", "https://rp.example.no:99999999999/cb", "http://127.0.0.1:0/cb", "http://[::1]:0/cb"},
	"must be in canonical form":  {"HTTP://rp.example.no"},
}

func TestCheckURIRejected(t *testing.T) {
	t.Parallel()
	for rule, uris := range rejectedURIs {
		for _, env := range []client.Environment{production, testing_} {
			for _, kind := range []string{client.Web, client.Browser, ""} {
				for _, uri := range uris {
					err := (&client.Client{ApplicationType: kind}).CheckURI(uri, env)
					require.ErrorIs(t, err, client.ErrInvalidRedirectURI, "%q", uri)
					require.ErrorContains(t, err, rule, "%q", uri)
					if len(uri) > 12 {
						require.NotContains(t, err.Error(), uri, "the rule quotes the URI")
					}
				}
			}
		}
	}
}

func TestCheckURIEnvironment(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		kind, uri, rule string
		env             client.Environment
	}{
		{client.Web, "http://rp.example.no/cb", "plain http is for test", production},
		{client.Browser, "http://rp.example.no/cb", "plain http is for test", production},
		{client.Web, "http://localhost/cb", "plain http is for test", production},
		{client.Web, "https://localhost/cb", "localhost is for test", production},
		{client.Web, "https://LOCALHOST/cb", "localhost is for test", production},
		{client.Web, "https://app.localhost/cb", "localhost is for test", production},
		{client.Web, "https://127.0.0.1/cb", "localhost is for test", production},
		{client.Web, "https://127.8.8.8/cb", "localhost is for test", production},
		{client.Web, "https://0.0.0.0/cb", "localhost is for test", production},
		{client.Web, "https://[::1]/cb", "localhost is for test", production},
		{client.Native, "http://rp.example.no/cb", "loopback addresses only", production},
		{client.Native, "http://192.168.1.1/cb", "loopback addresses only", production},
		{client.Native, "myapp:/cb", "reversed domain name", testing_},
		{client.Native, "myapp://cb", "reversed domain name", production},
		{client.Native, "no..app:/cb", "reversed domain name", production},
		{client.Native, "no.app.:/cb", "reversed domain name", production},
		{client.Native, "javascript:alert(1)", "runs code", production},
		{client.Native, "JAVASCRIPT:alert(1)", "runs code", testing_},
		{client.Native, "no.example.app:cb", "must have //", production},
		{client.Native, "no.example.app:", "must have //", production},
		{client.Native, "NO.example.app:/cb", "canonical", production},
		{client.Native, "no.example.app:/../cb", "dot segments", production},
		{client.Native, "no.example.app:/cb?code=1", "query parameter", production},
		{client.Native, "no.example.app://u@h/cb", "userinfo", production},
		{client.Native, "http://127.0.0.1:00/cb", "port must be", production},
		{client.Native, "https://127.0.0.1:0/cb", "port must be", production},
		{client.Native, "http://localhost:0/cb", "port must be", production},
		{client.Native, "https://rp.example.no:0/cb", "port must be", production},
	} {
		err := (&client.Client{ApplicationType: tc.kind}).CheckURI(tc.uri, tc.env)
		require.ErrorContains(t, err, tc.rule, "%s %s %+v", tc.kind, tc.uri, tc.env)
	}
}

func TestCheckURIHTTPSLocalhost(t *testing.T) {
	t.Parallel()
	plain := &client.Client{}
	require.NoError(t, plain.CheckURI("https://localhost:8443/cb", testing_))
	idporten := &client.Client{IntegrationType: "api_klient"}
	require.ErrorContains(t, idporten.CheckURI("https://localhost:8443/cb", testing_), "localhost must be http")
	require.NoError(t, idporten.CheckURI("http://localhost:8080/cb", testing_))
}

// FuzzCheckURI: an accepted URI has one reading.
func FuzzCheckURI(f *testing.F) {
	for _, uris := range rejectedURIs {
		for _, uri := range uris {
			f.Add(uri, false)
			f.Add(uri, true)
		}
	}
	for _, uri := range []string{callback, withArgs, "http://127.0.0.1:0/cb", "no.example.app:/cb", "https://[2001:db8::7]:8443/cb"} {
		f.Add(uri, true)
	}
	f.Fuzz(func(t *testing.T, raw string, native bool) {
		c := &client.Client{RedirectURIs: []string{raw}}
		if native {
			c.ApplicationType = client.Native
		}
		if c.CheckURI(raw, production) != nil {
			return
		}
		u, err := url.Parse(raw)
		require.NoError(t, err)
		require.Equal(t, raw, u.String())
		require.Nil(t, u.User)
		require.NotContains(t, raw, "#")
		require.False(t, strings.ContainsAny(raw, "\\*\r\n\x00 ") || strings.Contains(u.Host, "@"))
		require.Equal(t, u.Path, cleanDots(u.Path))
		require.True(t, u.Scheme == "https" || native && (strings.Contains(u.Scheme, ".") || u.Scheme == "http"))
		for _, p := range []string{"code", "state", "iss", "error", "id_token"} {
			require.False(t, u.Query().Has(p), p)
		}
		if u.Port() != "0" {
			require.True(t, c.MatchRedirectURI(raw))
		}
	})
}

// FuzzPlainURI: what is read without url.Parse is read by url.Parse in the same way.
func FuzzPlainURI(f *testing.F) {
	for _, uris := range rejectedURIs {
		for _, uri := range uris {
			f.Add(uri)
		}
	}
	for _, uri := range []string{callback, withArgs, "https://rp.example.no", "https://rp.example.no//a", "http://127.0.0.1/cb", "https:///cb", "https://-/~._", "https://a:1/cb"} {
		f.Add(uri)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		u, ok := client.CutPlain(raw)
		if !ok {
			return
		}
		parsed, err := url.Parse(raw)
		require.NoError(t, err)
		require.Equal(t, *parsed, u)
		require.Equal(t, u.Path, parsed.EscapedPath())
		require.Equal(t, raw, parsed.String())
		require.Empty(t, client.TextRule(raw))
	})
}

// TestPlainURI: the usual form of a redirect URI is read without url.Parse.
func TestPlainURI(t *testing.T) {
	t.Parallel()
	_, ok := client.CutPlain(callback)
	require.True(t, ok)
}

func cleanDots(path string) string {
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "." || segment == ".." {
			return fmt.Sprintf("%s has the segment %s", path, segment)
		}
	}
	return path
}
