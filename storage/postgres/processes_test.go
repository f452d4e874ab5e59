package postgres_test

import (
	"strings"
	"testing"

	"github.com/portner-go/portner/storage/postgres"
	"github.com/portner-go/portner/storage/storagetest"
)

// nodeAt returns a store with a pool of its own.
func nodeAt(t *testing.T, url string) storagetest.Node {
	pool := openPool(t, url)
	t.Cleanup(pool.Close)
	s := openStore(t, pool, postgres.Config{})
	return storagetest.Node{Store: s, PushedRequests: s, Replay: s, Sweep: s.Sweep}
}

// TestProcesses runs storagetest with callers in several processes.
func TestProcesses(t *testing.T) {
	t.Parallel()
	storagetest.RunProcesses(t, func(t *testing.T) string { return newDatabase(t).url }, nodeAt)
}

// TestLostResponses runs storagetest with connections that break at each message.
func TestLostResponses(t *testing.T) {
	t.Parallel()
	storagetest.RunLostResponses(t, func(t *testing.T) (string, string) { return newDatabase(t).url, server.Addr },
		func(t *testing.T, url, addr string) storagetest.Node {
			return nodeAt(t, strings.Replace(url, server.Addr, addr, 1))
		})
}
