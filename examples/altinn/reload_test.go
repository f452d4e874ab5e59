package main

import (
	"context"
	"log/slog"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/examples/internal/programs"
	"github.com/portner-go/portner/internal/standin/altinn"
	"github.com/portner-go/portner/internal/standin/standintest"
)

// TestReload: a reloaded configuration has other keys for the header field ApiKey.
func TestReload(t *testing.T) {
	t.Parallel()
	start := func(t *testing.T, args ...string) *altinn.Server {
		t.Helper()
		prepared, err := standintest.Prepare(t, programs.Altinn().Command(), slog.DiscardHandler, append([]string{"-addr", "localhost:0"}, args...)...)
		require.NoError(t, err)
		s := prepared.(*altinn.Server)
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- s.Serve(ctx) }()
		t.Cleanup(func() {
			cancel()
			require.NoError(t, <-done)
		})
		return s
	}
	standintest.RequireReload(t, start, func(s *altinn.Server) any {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.Base()+altinn.PathMessageBox, nil)
		require.NoError(t, err)
		r.Header.Set("ApiKey", "Wm5rT0yHq3ZkBv8nDs6LgXc2PjUa9EfR")
		resp, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		_ = resp.Body.Close()
		return resp.StatusCode
	}, `{}`, `{"api_keys":["Wm5rT0yHq3ZkBv8nDs6LgXc2PjUa9EfR"]}`)
}
