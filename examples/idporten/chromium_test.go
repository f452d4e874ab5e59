package main

import (
	"context"
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/examples/internal/browsertest"
	"github.com/portner-go/portner/examples/internal/programs"
	"github.com/portner-go/portner/internal/standin/idporten"
	"github.com/portner-go/portner/internal/standin/standintest"
)

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main() // exits
	}
	browsertest.Main(m, func() {
		for _, stop := range stopDatabases {
			stop()
		}
	})
}

// stopDatabases end the servers of the tests.
var stopDatabases []func()

// start starts the server on free ports until the end of the test.
func start(t *testing.T, args ...string) *idporten.Server {
	t.Helper()
	s := prepare(t, args...)
	serve(t, s)
	return s
}

func prepare(t *testing.T, args ...string) *idporten.Server {
	t.Helper()
	prepared, err := standintest.Prepare(t, programs.IDPorten().Command(), slog.NewTextHandler(testLog{t}, nil), append([]string{"-addr", "localhost:0", "-demo"}, args...)...)
	require.NoError(t, err)
	return prepared.(*idporten.Server)
}

// serve serves until the end of the test.
func serve(t *testing.T, s *idporten.Server) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
}

// testLog writes the log of the server to the test.
type testLog struct{ t *testing.T }

func (l testLog) Write(b []byte) (int, error) {
	l.t.Log(strings.TrimSpace(string(b)))
	return len(b), nil
}
