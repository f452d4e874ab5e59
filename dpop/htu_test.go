package dpop_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/dpop"
)

// TestEqualURLs: RFC 3986 §6.2.2 and §6.2.3.
func TestEqualURLs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		normal string
		equal  []string
	}{
		{"https://as.example/token", []string{
			"HTTPS://AS.EXAMPLE/token", "https://as.example:443/token", "https://as.example:/token", "https://as.example/%74oken", "https://as.example/token?a=b", "https://as.example/token#c",
			"https://as.example/token?", "https://as.example/token#?x", "https://as.example/./token", "https://as.example/a/../token", "https://as.example/../token", "https://as.example/%2E%2e/token",
			"https://as.example/a/b/../../token", "hTTps://aS.exAmple:443/x/%2e%2e/%74%6F%6b%65%6E?a=b#c", "https://as.example/token?a=https://evil.example/#x", "https://as.example/token#/../x",
		}},
		{"https://as.example/", []string{"https://as.example", "https://as.example:443", "https://as.example?x", "https://as.example#x", "https://as.example/.", "https://as.example/..", "https://as.example/a/.."}},
		{"https://as.example/a/", []string{"https://as.example/a/.", "https://as.example/a/b/..", "https://as.example/a/%2e"}},
		{"https://as.example/a%2Fb", []string{"https://as.example/a%2fb"}},
		{"https://as.example/a%20b", []string{"https://as.example/a b"}},
		{"https://as.example/%C3%B8", []string{"https://as.example/ø", "https://as.example/%c3%b8"}},
		{"https://as.example/%7B%22%7D%5C", []string{`https://as.example/{"}\`}},
		{"https://as.example/a%5Bb%5D", []string{"https://as.example/a[b]", "https://as.example/a%5bb%5d"}},
		{"https://as.example/~-._", []string{"https://as.example/%7E%2D%2E%5F"}},
		{"https://as.example:8443/token", []string{"https://AS.example:8443/token"}},
		{"https://[2001:db8::1]/x", []string{"https://[2001:DB8:0:0::1]:443/x", "https://[2001:0db8::0001]/x"}},
		{"http://localhost/x", []string{"http://LOCALHOST:80/x"}},
		{"http://127.0.0.1:8080/x", []string{"http://127.0.0.1:8080/./x"}},
		{"http://[::1]:8080/x", []string{"http://[0:0:0:0:0:0:0:1]:8080/x"}},
		{"https://as.example//x", []string{"https://as.example//./x"}},
	} {
		for _, raw := range append(c.equal, c.normal) {
			got, ok := dpop.Normalise(raw)
			require.True(t, ok, raw)
			require.Equal(t, c.normal, got, raw)
			for _, r := range []dpop.Request{ // on both sides
				{Proofs: []string{proof(keys().p256, object{"htu": raw})}, Method: "POST", URL: c.normal},
				{Proofs: []string{proof(keys().p256, object{"htu": c.normal})}, Method: "POST", URL: raw},
			} {
				_, err := policy().Check(r, epoch)
				require.NoError(t, err, raw)
			}
		}
	}
}

func TestDifferentURLs(t *testing.T) {
	t.Parallel()
	for _, htu := range []string{
		"https://as.example/Token", "https://as.example/token/", "https://as.example/token%2F", "https://as.example//token", "https://as.example/token;x", "https://as.example/token%3Fa",
		"https://as.example/token%23", "https://as.example/token%00", "https://as.example/toke", "https://as.example/tokens", "https://as.example/par", "https://as.example", "https://as.example/",
		"http://as.example/token", "http://as.example:443/token", "https://as.example:80/token", "https://as.example:8443/token", "https://as.example:0443/token", "https://as.example:00443/token",
		"https://as.example./token", "https://evil.example/token", "https://as.example.evil.example/token", "https://evil.example/?https://as.example/token", "https://evil.example#as.example/token",
		"https://as.example@evil.example/token", "https://user@as.example/token", "https://user:password@as.example/token", "https://@as.example/token", `https://evil.example\@as.example/token`,
		`https://as.example\.evil.example/token`, `https:\\as.example\token`, "https:/as.example/token", "https:as.example/token", "//as.example/token", "/token", "token", "as.example/token", "://as.example/token",
		"https//as.example/token", "ftp://as.example/token", "wss://as.example/token", "httpsx://as.example/token", " https://as.example/token", "https://as.example/token ", "https://as.example /token",
		"https://as.example/to%zzken", "https://as.example/token%", "https://as.example/token%7", "https://as.example/tok\nen", "https://as.example/token\x00", "https://as.example/token\x7f", "https://as.example/tok\ten",
		"https://ａｓ.example/token", "https://as.ex%61mple/token", "https://as.exampl\u212a/token", "https://as.example:+443/token", "https://as.example:4a3/token", "https://as.example:443:443/token",
		"https://as.example:443443443/token", "https://[as.example]/token", "https://[::1/token", "https://::1/token", "https://[::1%25eth0]/token", "https://[::1%eth0]/token", "https://[]/token", "https://:443/token", "https:///token",
		"https://as.example/%2574oken", "https://as.example/a/..%2Ftoken", "https://as.example/..%5Ctoken", "javascript:https://as.example/token", "https://as_example/token", "https://as.example,evil.example/token",
		"https://as.example/token/..", "https://as.example/token/.", "https://as.example/x/token", "https://as.example/ſoken",
	} {
		for _, r := range []dpop.Request{
			{Proofs: []string{proof(keys().p256, object{"htu": htu})}, Method: "POST", URL: tokenURL},
			{Proofs: []string{proof(keys().p256, object{"htu": tokenURL})}, Method: "POST", URL: htu},
			{Proofs: []string{proof(keys().p256, object{"htu": tokenURL})}, Method: "POST", URL: "https://api.example/", AliasURL: htu},
		} {
			_, err := policy().Check(r, epoch)
			requireRefused(t, err, dpop.ErrProof, "dpop_htu_mismatch", htu)
		}
	}
}

// TestInvalidURLsAreNotEqual: a URL that has no normal form is not even equal to itself.
func TestInvalidURLsAreNotEqual(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{"", "x", "/", "http://as.example/", "https://user@as.example/", "https://as.example/%zz", "ftp://as.example/", "https://", "https://as.example/\x00"} {
		_, ok := dpop.Normalise(raw)
		require.False(t, ok, raw)
		_, err := policy().Check(dpop.Request{Proofs: []string{proof(keys().p256, object{"htu": raw})}, Method: "POST", URL: raw, AliasURL: raw}, epoch)
		requireRefused(t, err, dpop.ErrProof, "dpop_htu_mismatch", raw)
	}
}

// TestAliasURL: an endpoint with a second URL accepts proofs for both, and each proof once.
func TestAliasURL(t *testing.T) {
	t.Parallel()
	const alias = "https://mtls.as.example/token"
	p := policy()
	for _, htu := range []string{tokenURL, alias} {
		r := atToken(proof(keys().p256, object{"htu": htu}))
		if htu == alias {
			_, err := p.Check(r, epoch)
			requireRefused(t, err, dpop.ErrProof, "dpop_htu_mismatch", "without an alias")
		}
		r.AliasURL = alias
		_, err := p.Verify(t.Context(), r, epoch)
		require.NoError(t, err, htu)
		_, err = p.Verify(t.Context(), r, epoch)
		requireRefused(t, err, dpop.ErrProof, "dpop_replay", htu)
	}
}

// FuzzHTU: normalisation is idempotent, and equality is symmetric and what net/url says about scheme, host and path.
func FuzzHTU(f *testing.F) {
	for _, s := range []string{
		"https://as.example/token", "HTTPS://AS.example:443/%74oken?a#b", "https://a/../b/./c/..", "http://[::1]:80/x", "https://a/%2e%2E/%2f", "https://a@b/", "https://a/ø b", "http://127.0.0.1", "https://a:",
	} {
		f.Add(s, "https://as.example/token")
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, one, two string) {
		a, ok1 := dpop.Normalise(one)
		b, ok2 := dpop.Normalise(two)
		if ok1 {
			again, ok := dpop.Normalise(a)
			require.True(t, ok, a)
			require.Equal(t, a, again, "idempotent")
			requireNormal(t, one, a)
		}
		_, there := policy().Check(dpop.Request{Proofs: []string{proof(keys().ed, object{"htu": strings.ToValidUTF8(one, "")})}, Method: "POST", URL: strings.ToValidUTF8(two, "")}, epoch)
		_, back := policy().Check(dpop.Request{Proofs: []string{proof(keys().ed, object{"htu": strings.ToValidUTF8(two, "")})}, Method: "POST", URL: strings.ToValidUTF8(one, "")}, epoch)
		require.Equal(t, there == nil, back == nil, "symmetric")
		if strings.ToValidUTF8(one+two, "") == one+two {
			require.Equal(t, ok1 && ok2 && a == b, there == nil)
		}
	})
}

// requireNormal compares a normal form with the parts that net/url finds.
func requireNormal(t *testing.T, raw, normal string) {
	t.Helper()
	u, err := url.Parse(normal)
	require.NoError(t, err, "%q of %q", normal, raw)
	require.Nil(t, u.User)
	require.Empty(t, u.RawQuery+u.Fragment)
	require.True(t, strings.HasPrefix(u.EscapedPath(), "/"), normal)
	require.Equal(t, normal, u.Scheme+"://"+u.Host+u.EscapedPath())
	for segment := range strings.SplitSeq(u.EscapedPath(), "/") {
		require.NotContains(t, []string{".", ".."}, segment, normal)
	}
	was, err := url.Parse(raw)
	if err != nil { // characters that net/url does not accept, such as spaces in a host, are refused by both or escaped
		return
	}
	require.Equal(t, was.Scheme, u.Scheme)
	require.True(t, strings.EqualFold(was.Hostname(), u.Hostname()) || strings.Contains(was.Host, "["), "%q and %q", raw, normal)
	require.Nil(t, was.User)
}
