package localdb_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/portner-go/portner/internal/localdb"
	"github.com/portner-go/portner/internal/slow"
	"github.com/stretchr/testify/require"
)

// installed skips a test without the server, and fails in CI.
func installed(t *testing.T, err error) {
	t.Helper()
	if errors.Is(err, localdb.ErrNotInstalled) && os.Getenv("CI") != "true" {
		t.Skip("SKIPPED: " + err.Error())
	}
	require.NoError(t, err)
}

func reaches(t *testing.T, s *localdb.Server) {
	t.Helper()
	conn, err := net.Dial("tcp", s.Addr)
	require.NoError(t, err)
	require.NoError(t, conn.Close())
}

func TestPostgres(t *testing.T) {
	slow.Test(t)
	dir := t.TempDir()
	s, err := localdb.StartPostgres(localdb.Config{Dir: filepath.Join(dir, "primary")})
	installed(t, err)
	t.Cleanup(s.Stop)
	reaches(t, s)
	s.Kill()
	require.NoError(t, s.Start(), "a server that was killed starts again")
	reaches(t, s)
	standby, err := localdb.StartStandby(localdb.Config{Dir: filepath.Join(dir, "standby")}, s)
	require.NoError(t, err)
	t.Cleanup(standby.Stop)
	s.Kill()
	t.Cleanup(func() { _ = s.Start() }) // for Stop
	require.NoError(t, standby.Promote())
	reaches(t, standby)
}

func TestRedis(t *testing.T) {
	s, err := localdb.StartRedis(localdb.Config{Dir: filepath.Join(t.TempDir(), "redis")})
	installed(t, err)
	t.Cleanup(s.Stop)
	reaches(t, s)
	s.Kill()
	require.NoError(t, s.Start())
	reaches(t, s)
}

func TestPgBouncer(t *testing.T) {
	dir := t.TempDir()
	s, err := localdb.StartPostgres(localdb.Config{Dir: filepath.Join(dir, "postgres")})
	installed(t, err)
	t.Cleanup(s.Stop)
	bouncer, err := localdb.StartPgBouncer(localdb.Config{Dir: filepath.Join(dir, "pgbouncer")}, s, 2)
	installed(t, err)
	t.Cleanup(bouncer.Stop)
	reaches(t, bouncer)
}

// orphan is an environment variable: a process of this test binary that has it starts the servers in that directory and never stops them.
const orphan = "PORTNER_TEST_ORPHAN"

func TestMain(m *testing.M) {
	dir := os.Getenv(orphan)
	if dir == "" {
		os.Exit(m.Run())
	}
	redis, err := localdb.StartRedis(localdb.Config{Dir: filepath.Join(dir, "redis")})
	if err == nil {
		var postgres *localdb.Server
		if postgres, err = localdb.StartPostgres(localdb.Config{Dir: filepath.Join(dir, "postgres")}); err == nil {
			fmt.Println(redis.Addr)
			fmt.Println(postgres.Addr)
			select {}
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// TestServersEndWithTheirProgram checks that a program that is killed, as by the timeout of its tests, leaves no servers.
func TestServersEndWithTheirProgram(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux ends a process with the one that started it")
	}
	slow.Test(t)
	program, err := os.Executable()
	require.NoError(t, err)
	var failure bytes.Buffer
	cmd := exec.Command(program)
	cmd.Env, cmd.Stderr = append(os.Environ(), orphan+"="+t.TempDir()), &failure
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	lines := bufio.NewScanner(out)
	var addrs []string
	for len(addrs) < 2 && lines.Scan() {
		addrs = append(addrs, lines.Text())
	}
	if len(addrs) < 2 {
		_ = cmd.Wait() // until all of failure is there
		if strings.Contains(failure.String(), localdb.ErrNotInstalled.Error()) {
			installed(t, localdb.ErrNotInstalled)
		}
		t.Fatal(failure.String())
	}
	require.NoError(t, cmd.Process.Kill())
	for _, addr := range addrs {
		require.Eventually(t, func() bool {
			conn, err := net.Dial("tcp", addr)
			if err == nil {
				_ = conn.Close()
			}
			return err != nil
		}, 2*time.Minute, 20*time.Millisecond, "a server still listens on %s", addr)
	}
}

// TestFreePort checks that a port is free, is not one that the kernel chooses, and is returned once.
func TestFreePort(t *testing.T) {
	t.Parallel()
	before := map[int]bool{}
	for range 300 {
		port, err := localdb.FreePort()
		require.NoError(t, err)
		require.Less(t, port, 32768)
		require.False(t, before[port], "port %d twice", port)
		before[port] = true
	}
}
