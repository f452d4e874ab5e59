package logout_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/keyset"
)

// TestConformance follows the modules of the OpenID conformance plan for RP-initiated logout, by name.
func TestConformance(t *testing.T) {
	t.Parallel()
	const state = "0123456789 +&=%/?äø"
	start := func(t *testing.T) *browser { return newWorld(t).login("kari", "a", "b") }

	t.Run("oidcc-rp-initiated-logout", func(t *testing.T) {
		t.Parallel()
		b := start(t)
		b.get("id_token_hint", b.idToken("a"), "post_logout_redirect_uri", back, "state", "s t+a&t=e%").
			isRedirect(back + "?state=s+t%2Ba%26t%3De%25")
		require.False(t, b.alive())
		require.Empty(t, b.cookie)
		require.Equal(t, []string{"logout.done/id_token_hint/a"}, b.events())
	})
	t.Run("oidcc-rp-initiated-logout, POST", func(t *testing.T) {
		t.Parallel()
		b := start(t)
		b.post("id_token_hint", b.idToken("a"), "post_logout_redirect_uri", back).isRedirect(back)
	})
	t.Run("oidcc-rp-initiated-logout-no-state", func(t *testing.T) {
		t.Parallel()
		b := start(t)
		b.get("id_token_hint", b.idToken("a"), "post_logout_redirect_uri", back).isRedirect(back)
		require.False(t, b.alive())
	})
	t.Run("oidcc-rp-initiated-logout-bad-post-logout-redirect-uri", func(t *testing.T) {
		t.Parallel()
		b := start(t)
		a := b.get("id_token_hint", b.idToken("a"), "post_logout_redirect_uri", "https://evil.example/")
		a.isLoggedOut()
		a.isError(200, "invalid_request")
		require.NotContains(t, a.body, "evil")
		require.False(t, b.alive(), "the logout takes place")
		require.Equal(t, []string{"sec.redirect_mismatch/post_logout_redirect_uri_mismatch/a", "logout.done/id_token_hint/a"}, b.events())
	})
	t.Run("oidcc-rp-initiated-logout-query-added-to-post-logout-redirect-uri", func(t *testing.T) {
		t.Parallel()
		b := start(t)
		b.get("id_token_hint", b.idToken("a"), "post_logout_redirect_uri", back+"?foo=bar").isLoggedOut()
	})
	t.Run("oidcc-rp-initiated-logout-modified-id-token-hint", func(t *testing.T) {
		t.Parallel()
		b := start(t)
		parts := strings.Split(b.idToken("a"), ".")
		none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + parts[1] + "."
		b.get("id_token_hint", none, "post_logout_redirect_uri", back).isError(400, "id_token_hint")
		require.True(t, b.alive())
	})
	t.Run("oidcc-rp-initiated-logout-bad-id-token-hint", func(t *testing.T) {
		t.Parallel()
		b := start(t)
		key, err := keyset.Generate(keyset.ES256)
		require.NoError(t, err)
		ours := b.keys
		b.keys, err = keyset.New(keyset.Config{Keys: []keyset.Key{key}})
		require.NoError(t, err)
		foreign := b.idToken("a")
		b.keys = ours
		b.get("id_token_hint", foreign, "post_logout_redirect_uri", back).isError(400, "id_token_hint")
		require.True(t, b.alive())
	})
	t.Run("oidcc-rp-initiated-logout-no-id-token-hint", func(t *testing.T) {
		t.Parallel()
		b := start(t)
		a := b.confirm(b.get("post_logout_redirect_uri", back, "state", "s"))
		a.isLoggedOut()
		require.NotContains(t, a.body, "a.example")
		require.Empty(t, a.header.Get("Refresh"))
		require.False(t, b.alive())
	})
	for name, params := range map[string][]string{
		"oidcc-rp-initiated-logout-no-params":  nil,
		"oidcc-rp-initiated-logout-only-state": {"state", "s"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := start(t)
			b.confirm(b.get(params...)).isLoggedOut()
			require.False(t, b.alive())
		})
	}
	t.Run("oidcc-rp-initiated-logout-no-post-logout-redirect-uri", func(t *testing.T) {
		t.Parallel()
		b := start(t)
		a := b.get("id_token_hint", b.idToken("a"), "state", "s")
		a.isLoggedOut()
		require.NotContains(t, a.body, "error-page")
	})
	t.Run("expired hints are accepted", func(t *testing.T) {
		t.Parallel()
		b := start(t)
		hint := b.idToken("a", func(c map[string]any) { c["exp"] = epoch.Unix() - 1 })
		b.get("id_token_hint", hint, "post_logout_redirect_uri", back).isRedirect(back)
	})
	t.Run("state outside printable ASCII", func(t *testing.T) {
		t.Parallel()
		b := start(t)
		b.get("id_token_hint", b.idToken("a"), "post_logout_redirect_uri", back, "state", state).isError(400, "state")
		b.get("state", strings.Repeat("x", 2049)).isError(400, "state")
		require.True(t, b.alive())
	})
}
