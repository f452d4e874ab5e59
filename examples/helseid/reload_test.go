package main

import (
	"net/http"
	"net/url"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/standin/helseid"
	"github.com/portner-go/portner/internal/standin/standintest"
)

// TestReload: a client of a reloaded configuration is known.
func TestReload(t *testing.T) {
	t.Parallel()
	example, err := os.ReadFile("../../docs/helseid-config.example.json")
	require.NoError(t, err)
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	standintest.RequireReload(t, start, func(s *helseid.Server) any {
		resp, err := client.Get(s.Issuer + "/connect/authorize?" + url.Values{
			"client_id": {"min-journal"}, "redirect_uri": {"http://localhost:3000/callback"}, "response_type": {"code"},
		}.Encode())
		require.NoError(t, err)
		_ = resp.Body.Close()
		return resp.StatusCode
	}, `{}`, string(example))
}
