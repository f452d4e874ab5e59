package client_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
)

func TestIsResource(t *testing.T) {
	t.Parallel()
	for _, good := range []string{
		"https://api.example.no", "https://api.example.no/v1?x=1", "urn:example:api", "nhn:sample", "api://AzureADTokenExchange", "HTTPS://api.example.no",
		"https://a/" + strings.Repeat("x", 1990),
	} {
		require.True(t, client.IsResource(issuer, good), good)
	}
	for _, bad := range []string{
		"", "api", "/api", "//api.example.no", "https:", "https://", "https:///x", "https:api", "urn:", "urn://", "nhn:", "javascript:alert(1)", "file:///etc/x",
		"data:text/plain,x", "mailto:a@example.no", "http://api.example.no", "https://u:p@api.example.no", "https://api.example.no/#x",
		"https://api.example.no#", "https://api.example.no/a b", "https://api.example.no/ø", "https://api.example.no/\n", "not a uri", "%zz://x",
		"https://a/" + strings.Repeat("x", 1991),
	} {
		require.False(t, client.IsResource(issuer, bad), bad)
	}
	require.True(t, client.IsResource("http://127.0.0.1:8080", "http://api.example.no"))
}

// TestIsAPI: the issuer and clients, also disabled ones, are no APIs.
func TestIsAPI(t *testing.T) {
	t.Parallel()
	s := source{
		"https://rp.example.no/": {ClientID: "https://rp.example.no/"},
		"urn:example:old":        {ClientID: "urn:example:old", Disabled: true},
	}
	for audience, want := range map[string]bool{
		issuer: false, issuer + "/": false, strings.ToUpper(issuer): false, "https://rp.example.no/": false, "urn:example:old": false,
		"https://rp.example.no": true, "https://api.example.no": true, "an-api": true, strings.Repeat("x", 300): true,
	} {
		got, err := client.IsAPI(t.Context(), s, issuer, audience)
		require.NoError(t, err, audience)
		require.Equal(t, want, got, audience)
	}
	got, err := client.IsAPI(t.Context(), faultySource{}, issuer, "https://api.example.no")
	require.ErrorIs(t, err, portner.ErrUnavailable)
	require.False(t, got)
}

type faultySource struct{}

func (faultySource) Client(context.Context, string) (*client.Client, error) {
	return nil, errors.New("no database")
}
