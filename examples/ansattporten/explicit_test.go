package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/portner-go/portner/examples/internal/programs"
	"github.com/portner-go/portner/internal/standin/ansattporten"
	"github.com/stretchr/testify/require"
)

// TestDemoIsExplicit: beside a configuration, and where other machines reach the server, there is no demo, in which users log in
// without a password, unless the flag requests it.
func TestDemoIsExplicit(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "c.json")
	require.NoError(t, os.WriteFile(file, []byte("{}"), 0o600))
	const issuer = "http://localhost:1"
	for _, tc := range []struct {
		args []string
		demo bool
	}{
		{nil, true},
		{[]string{"-demo=false"}, false},
		{[]string{"-config", file}, false},
		{[]string{"-config", file, "-demo"}, true},
		{[]string{"-config", file, "-demo=true"}, true},
		{[]string{"-issuer", issuer, "-test-issuer", issuer}, false},
		{[]string{"-issuer", issuer, "-test-issuer", issuer, "-demo"}, true},
		{[]string{"-issuer", issuer, "-test-issuer", issuer, "-config", file}, false},
	} {
		prepared, err := programs.Ansattporten().Command().Prepare(append([]string{"-addr", "localhost:0"}, tc.args...), slog.New(slog.DiscardHandler))
		require.NoError(t, err, tc.args)
		s := prepared.(*ansattporten.Server)
		s.Sites.Close()
		require.Equal(t, tc.demo, s.Options.Demo, tc.args)
		require.Equal(t, tc.demo, len(s.Sites) > 1, tc.args)
		require.Equal(t, tc.demo, len(s.Config.Users) > 0, tc.args)
	}
}
