//go:build servers

package main

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/localdb"
)

func init() {
	for name, start := range map[string]func(localdb.Config) (*localdb.Server, error){"postgres": localdb.StartPostgres, "redis": localdb.StartRedis} {
		d := &database{start: start}
		lastingStores = append(lastingStores, storeCase{name, d.args})
		stopDatabases = append(stopDatabases, d.stop)
	}
}

// database is a server of the tests of this package. It starts when the first test needs it.
type database struct {
	start  func(localdb.Config) (*localdb.Server, error)
	once   sync.Once
	dir    string
	server *localdb.Server
	err    error
}

// args returns the flags of the store.
func (d *database) args(t *testing.T) []string {
	t.Helper()
	d.once.Do(func() {
		if d.dir, d.err = os.MkdirTemp("", "idporten-test-"); d.err == nil {
			d.server, d.err = d.start(localdb.Config{Dir: filepath.Join(d.dir, "db")})
		}
	})
	if errors.Is(d.err, localdb.ErrNotInstalled) && os.Getenv("CI") != "true" {
		t.Skip("SKIPPED: " + d.err.Error())
	}
	require.NoError(t, d.err)
	return []string{"-store", d.server.URL, "-secrets", filepath.Join(d.dir, "secrets")}
}

func (d *database) stop() {
	if d.server != nil {
		d.server.Stop()
	}
	_ = os.RemoveAll(d.dir)
}
