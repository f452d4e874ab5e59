//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/x509"
	"debug/buildinfo"
	"debug/elf"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// maxSize is how large the image of a platform may be, as an engine fetches it.
const maxSize = 20 << 20

// The one build of these tests costs a link, because the compiled packages are in the cache of the go command.
func TestImage(t *testing.T) {
	t.Parallel()
	p := platform{"linux", runtime.GOARCH}
	if _, ok := variants[p.arch]; !ok {
		t.Skipf("no image for %s", p.arch)
	}
	program := builtProgram(t)
	archive, _, err := pack("portner:latest", []image{{p, program}})
	require.NoError(t, err)
	i := read(t, archive).images(t, "latest")["linux/"+p.arch]
	require.Less(t, i.size, maxSize)
	requireStatic(t, program)

	root := t.TempDir()
	i.extract(t, root)
	authorities, err := os.ReadFile(filepath.Join(root, "etc/ssl/certs/ca-certificates.crt"))
	require.NoError(t, err)
	require.True(t, x509.NewCertPool().AppendCertsFromPEM(authorities))
	require.Greater(t, bytes.Count(authorities, []byte("BEGIN CERTIFICATE")), 100)
	requireRuns(t, root, i)
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
	here, err := repository()
	require.NoError(t, err)
	home, err := os.UserHomeDir()
	require.NoError(t, err)
	for _, dir := range []string{here, filepath.Join(home, "go"), filepath.Join(home, ".cache"), os.TempDir() + "/portner-image"} {
		require.False(t, bytes.Contains(program, []byte(dir)), "the program has the path %s in it", dir)
	}
}

// requireRuns runs the program with the files of the image as its root, as the user of the image.
func requireRuns(t *testing.T, root string, i tree) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	cmd := exec.CommandContext(ctx, i.Config.Entrypoint[0], "-addr", "127.0.0.1:0", "-demo=false")
	cmd.Dir, cmd.Env = i.Config.WorkingDir, i.Config.Env
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	if os.Geteuid() != 0 { // a user namespace in which the user of the test is that of the image
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Chroot: root, Cloneflags: syscall.CLONE_NEWUSER,
			UidMappings: []syscall.SysProcIDMap{{ContainerID: uid, HostID: os.Getuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{ContainerID: uid, HostID: os.Getgid(), Size: 1}},
		}
	}
	var log bytes.Buffer
	cmd.Stderr, cmd.WaitDelay = &log, time.Second
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	if err := cmd.Start(); err != nil {
		if os.Getenv("CI") == "true" {
			require.NoError(t, err, "an empty root")
		}
		t.Skipf("NOT TESTED: the program in an empty root, because this machine lets neither chroot nor user namespaces: %v", err)
	}
	issuer := issuerOf(out)
	require.NotEmpty(t, issuer, log.String())
	require.JSONEq(t, `{"status":"ok"}`, fetch(t, issuer+"/healthz"))
	var metadata struct{ Issuer string }
	require.NoError(t, json.Unmarshal([]byte(fetch(t, issuer+"/.well-known/openid-configuration")), &metadata))
	require.Equal(t, issuer, metadata.Issuer)
	cancel()
	_, _ = io.Copy(io.Discard, out)
	_ = cmd.Wait()
	require.Equal(t, 0, cmd.ProcessState.ExitCode(), log.String())
}

// issuerOf returns the issuer that a program prints when it accepts requests.
func issuerOf(out io.Reader) string {
	for s := bufio.NewScanner(out); s.Scan(); {
		if _, issuer, ok := strings.Cut(s.Text(), "issuer"); ok {
			return strings.TrimSpace(issuer)
		}
	}
	return ""
}

func fetch(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.Get(url)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode, "%s: %s", url, body)
	return string(body)
}
