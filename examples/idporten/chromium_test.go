package main

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// start runs the example server as the command does, on free ports.
func start(t *testing.T, args ...string) *server {
	t.Helper()
	opt, err := parseFlags(append([]string{"-addr", "localhost:0"}, args...), io.Discard)
	require.NoError(t, err)
	s, err := newServer(opt, slog.New(slog.NewTextHandler(testLog{t}, nil)))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
	return s
}

// testLog hands the server's log to the test.
type testLog struct{ t *testing.T }

func (l testLog) Write(b []byte) (int, error) {
	l.t.Log(strings.TrimSpace(string(b)))
	return len(b), nil
}
