//go:build linux

package main

import (
	"bytes"
	"crypto/x509"
	"debug/buildinfo"
	"debug/elf"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/examples/internal/child"
)

// maxSize is how large the image of a platform may be, as an engine fetches it. maxMemory is a generous limit of the memory of a server in
// MiB; docs/compose.md has what was measured.
const (
	maxSize   = 20 << 20
	maxMemory = 64
)

// The one build of these tests costs a link, because the compiled packages are in the cache of the go command.
func TestImage(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	require.Less(t, e.image.size, maxSize)
	program, err := os.ReadFile(filepath.Join(e.dir, "portner"))
	require.NoError(t, err)
	requireStatic(t, program)
	authorities, err := os.ReadFile(filepath.Join(e.dir, "etc/ssl/certs/ca-certificates.crt"))
	require.NoError(t, err)
	require.True(t, x509.NewCertPool().AppendCertsFromPEM(authorities))
	require.Greater(t, bytes.Count(authorities, []byte("BEGIN CERTIFICATE")), 100)

	r := e.start(t, container{args: []string{"idporten", "-addr", "127.0.0.1:0", "-demo=false"}})
	_, after, _ := strings.Cut(r.greeting, "issuer")
	issuer := strings.Fields(after)[0]
	require.JSONEq(t, `{"status":"ok"}`, fetch(t, e.client(), issuer+"/healthz"))
	var metadata struct{ Issuer string }
	require.NoError(t, json.Unmarshal([]byte(fetch(t, e.client(), issuer+"/.well-known/openid-configuration")), &metadata))
	require.Equal(t, issuer, metadata.Issuer)
	require.Less(t, r.memory(t), maxMemory)

	r.stop()
	_, _ = io.Copy(io.Discard, r.out)
	_ = r.cmd.Wait()
	require.Equal(t, 0, r.cmd.ProcessState.ExitCode(), "SIGTERM ends it: %s", r.log)
}

// requireStatic fails if the program needs a library or has a path of this machine in it.
func requireStatic(t *testing.T, program []byte) {
	t.Helper()
	f, err := elf.NewFile(bytes.NewReader(program))
	require.NoError(t, err)
	libraries, err := f.ImportedLibraries()
	require.NoError(t, err)
	require.Empty(t, libraries)
	for _, s := range f.Progs {
		require.NotEqual(t, elf.PT_INTERP, s.Type, "no dynamic loader")
	}
	info, err := buildinfo.Read(bytes.NewReader(program))
	require.NoError(t, err)
	for _, s := range info.Settings {
		require.False(t, strings.HasPrefix(s.Key, "vcs"), s.Key)
	}
	here, err := child.Repository()
	require.NoError(t, err)
	home, err := os.UserHomeDir()
	require.NoError(t, err)
	for _, dir := range []string{here, filepath.Join(home, "go"), filepath.Join(home, ".cache"), os.TempDir() + "/portner-image"} {
		require.False(t, bytes.Contains(program, []byte(dir)), "the program has the path %s in it", dir)
	}
}
