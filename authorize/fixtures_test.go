package authorize_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/jose"
	"github.com/portner-go/portner/storage"
)

const clientSecret = "q8H2vTz5yWm0RkN7uXc4LbP9sJdF1gAe"

var errNotFound = fmt.Errorf("no such client: %w", storage.ErrNotFound)

var (
	signingKey  = must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	foreignKey  = must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	signingJWKS = json.RawMessage(fmt.Sprintf(`{"keys":[%s]}`, must(jose.MarshalJWK(jose.PublicKey{
		KID: "k1", Alg: jose.ES256, Use: "sig", Key: signingKey.Public(),
	}))))
)

var (
	codeOnPage = regexp.MustCompile(`<code id="error-code">([a-z_]+)</code>`)
	refOnPage  = regexp.MustCompile(`<code id="correlation-id">([0-9a-f]{32})</code>`)
)

// pageCode returns the error code of an error page, and checks its header fields.
func pageCode(t testing.TB, res *http.Response) string {
	t.Helper()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.Equal(t, "text/html; charset=utf-8", res.Header.Get("Content-Type"))
	require.Contains(t, string(body), `id="error-page"`)
	require.Regexp(t, refOnPage, string(body))
	require.Contains(t, res.Header.Get("Content-Security-Policy"), "frame-ancestors 'none'")
	require.Equal(t, "DENY", res.Header.Get("X-Frame-Options"))
	require.Equal(t, "no-store", res.Header.Get("Cache-Control"))
	m := codeOnPage.FindStringSubmatch(string(body))
	require.Len(t, m, 2)
	return m[1]
}

// newPost returns a POST from a page of the provider, without a body.
func newPost(path string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, path, nil)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Origin", issuer)
	return r
}

func withBody(r *http.Request, form url.Values) *http.Request {
	body := form.Encode()
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	return r
}

func cloneForm(form url.Values) url.Values {
	c := url.Values{}
	for name, values := range form {
		c[name] = slices.Clone(values)
	}
	return c
}
