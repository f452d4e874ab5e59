package localdb_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"

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
