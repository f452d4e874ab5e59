package client_test

import (
	"testing"

	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/storage"
	"github.com/stretchr/testify/require"
)

func TestRegistry(t *testing.T) {
	t.Parallel()
	off := public(client.Browser, "https://off.example.no/cb", func(c *client.Client) { c.ClientID, c.Disabled = "off", true })
	spa := public(client.Browser, "https://spa.example.no/cb", func(c *client.Client) { c.ClientID = "spa" })
	list := []client.Client{*web(nil), *spa, *off}
	r, err := client.NewRegistry(production, list...)
	require.NoError(t, err)
	list[0].RedirectURIs = []string{"https://evil.example/cb"} // the registry holds copies

	c, err := r.Client(t.Context(), "web")
	require.NoError(t, err)
	require.True(t, c.MatchRedirectURI(callback))
	_, err = r.Client(t.Context(), "WEB")
	require.ErrorIs(t, err, storage.ErrNotFound)

	ok, err := r.HasOrigin(t.Context(), "https://spa.example.no")
	require.NoError(t, err)
	require.True(t, ok)
	for _, o := range []string{
		"", "null", "https://rp.example.no", "https://off.example.no", "http://spa.example.no", "https://spa.example.no/",
		"https://spa.example.no:443", "https://spa.example.no.evil.example", "https://SPA.example.no", "*",
	} {
		ok, err = r.HasOrigin(t.Context(), o)
		require.NoError(t, err)
		require.False(t, ok, o)
	}
}

func TestNewRegistryReportsEveryClient(t *testing.T) {
	t.Parallel()
	bad := *web(func(c *client.Client) { c.ClientID, c.CodeChallengeMethod = "bad", "plain" })
	_, err := client.NewRegistry(production, *web(nil), *web(nil), bad)
	require.Equal(t, []string{"bad.code_challenge_method", "web.client_id"}, membersIn(t, err))

	first, second := *web(nil), *web(nil)
	first.ClientID, second.ClientID, second.Scopes = "a b", "", []string{"openid", "openid"}
	_, err = client.NewRegistry(production, first, second)
	require.Equal(t, []string{"clients[1].client_id", "clients[1].scopes[1]"}, membersIn(t, err))
}

// TestSectors: a sector that is named by a host is not that of a client whose client_id is the host.
func TestSectors(t *testing.T) {
	t.Parallel()
	with := func(id, uri string) client.Client {
		return *web(func(c *client.Client) { c.ClientID, c.SectorIdentifierURI = id, uri })
	}
	clients := []client.Client{with("a", "https://Example.no/x"), with("b", "https://example.no"), with("example.no", ""), with("host:example.no", "")}
	_, err := client.NewRegistry(production, clients...)
	require.NoError(t, err)
	sector := func(i int) string { return clients[i].Sector() }
	require.Equal(t, sector(0), sector(1))
	require.NotEqual(t, sector(0), sector(2))
	require.NotEqual(t, sector(0), sector(3))
	require.NotEqual(t, sector(2), sector(3))
	require.Equal(t, "host:example.no", new(with("a", "https://Example.NO:8443/x")).Sector())
	require.Equal(t, "client:a", new(with("a", "")).Sector())
}
