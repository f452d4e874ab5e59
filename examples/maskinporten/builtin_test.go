package main

import (
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/portner-go/portner/examples/internal/programs"
	"github.com/portner-go/portner/internal/standin/maskinporten"
	"github.com/portner-go/portner/storage"
	"github.com/stretchr/testify/require"
)

// TestBuiltinClientIsLocal: anyone has the private key of the built-in client. It is not registered beside the clients of a
// configuration where other machines reach the server.
func TestBuiltinClientIsLocal(t *testing.T) {
	t.Parallel()
	const issuer = "http://localhost:1/"
	file, named := write(t, `{}`), write(t, `{"issuer":"`+issuer+`","test_issuer":"`+issuer+`"}`)
	exposed := []string{"-addr", "0.0.0.0:0", "-issuer", issuer, "-test-issuer", issuer}
	for name, tc := range map[string]struct {
		args       []string
		registered bool
	}{
		"alone":                        {nil, true},
		"a configuration":              {[]string{"-config", file}, true},
		"a configuration, exposed":     {append(slices.Clip(exposed), "-config", file), false},
		"exposed by the configuration": {[]string{"-addr", "0.0.0.0:0", "-config", named}, false},
		"exposed without clients":      {exposed, true},
	} {
		prepared, err := programs.Maskinporten().Command().Prepare(append([]string{"-addr", "localhost:0"}, tc.args...), slog.New(slog.DiscardHandler))
		require.NoError(t, err, name)
		s := prepared.(*maskinporten.Server)
		s.Sites.Close()
		clients, err := s.Config.ClientRegistry(time.Now())
		require.NoError(t, err, name)
		for _, id := range []string{maskinporten.DemoClient, maskinporten.DemoCertificate} {
			_, err = clients.Client(t.Context(), id)
			if tc.registered {
				require.NoError(t, err, name)
			} else {
				require.ErrorIs(t, err, storage.ErrNotFound, name)
			}
		}
	}
}
