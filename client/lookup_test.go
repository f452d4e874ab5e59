package client_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/storage"
	"github.com/stretchr/testify/require"
)

// answer is a Source that returns the same for every client.
type answer struct {
	c   *client.Client
	err error
}

func (a answer) Client(context.Context, string) (*client.Client, error) { return a.c, a.err }

func TestLookup(t *testing.T) {
	t.Parallel()
	enabled, disabled := &client.Client{ClientID: "c"}, &client.Client{ClientID: "c", Disabled: true}
	c, err := client.Lookup(t.Context(), answer{c: enabled}, "c")
	require.NoError(t, err)
	require.Same(t, enabled, c)

	c, err = client.Lookup(t.Context(), answer{c: disabled}, "c")
	require.ErrorIs(t, err, client.ErrDisabled)
	require.ErrorIs(t, err, storage.ErrNotFound)
	require.Same(t, disabled, c)

	for _, id := range []string{"", strings.Repeat("x", 257), "c\x00", "ø"} {
		_, err = client.Lookup(t.Context(), answer{c: &client.Client{ClientID: id}}, id)
		require.ErrorIs(t, err, storage.ErrNotFound, "%q: not a client_id", id)
	}
	_, err = client.Lookup(t.Context(), answer{err: storage.ErrNotFound}, "c")
	require.ErrorIs(t, err, storage.ErrNotFound)
	require.NotErrorIs(t, err, client.ErrDisabled)

	broken := errors.New("connection refused")
	_, err = client.Lookup(t.Context(), answer{err: broken}, "c")
	require.ErrorIs(t, err, broken)
	require.ErrorIs(t, err, portner.ErrUnavailable)

	for name, s := range map[string]answer{"nil record": {}, "record of another client": {c: &client.Client{ClientID: "C"}}} {
		c, err = client.Lookup(t.Context(), s, "c")
		require.ErrorContains(t, err, "another client", name)
		require.NotErrorIs(t, err, storage.ErrNotFound, name)
		require.Nil(t, c, name)
	}
}

// TestHomeURL: a link back to a client leads to its home page, or to the origin of its redirect URIs, and never to another scheme.
func TestHomeURL(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		c    client.Client
		want string
	}{
		"client_uri":       {client.Client{ClientURI: "https://a.example.no/home?x=y", RedirectURIs: []string{"https://b.example.no/cb"}}, "https://a.example.no/home?x=y"},
		"redirect URI":     {client.Client{RedirectURIs: []string{"https://b.example.no:8443/cb?x=y"}}, "https://b.example.no:8443/"},
		"first web URI":    {client.Client{RedirectURIs: []string{"no.example.app:/cb", "http://localhost:8081/cb"}}, "http://localhost:8081/"},
		"native":           {client.Client{ApplicationType: client.Native, RedirectURIs: []string{"http://127.0.0.1/cb"}}, ""},
		"native with home": {client.Client{ApplicationType: client.Native, ClientURI: "https://a.example.no"}, "https://a.example.no"},
		"browser":          {client.Client{ApplicationType: client.Browser, RedirectURIs: []string{"https://spa.example.no/cb"}}, "https://spa.example.no/"},
		"script":           {client.Client{ClientURI: "javascript:alert(1)", RedirectURIs: []string{"javascript:alert(1)"}}, ""},
		"nothing":          {client.Client{}, ""},
	} {
		require.Equal(t, tc.want, tc.c.HomeURL(), name)
	}
}
