package redis_test

import (
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/storage/redis"
	"github.com/portner-go/portner/storage/storagetest"
)

// node opens a store at an address as one node of a provider.
func node(t *testing.T, addr, prefix string) storagetest.Node {
	t.Helper()
	c := connect(t, addr, func(o *goredis.Options) { o.MinRetryBackoff, o.MaxRetryBackoff = time.Millisecond, time.Millisecond })
	s, err := redis.New(t.Context(), c, redis.Config{Prefix: prefix, Logger: quiet})
	require.NoError(t, err)
	return storagetest.Node{Store: s, PushedRequests: s, Replay: s, Sweep: s.Sweep}
}

// TestNodes checks that the clients of several nodes see one store.
func TestNodes(t *testing.T) {
	t.Parallel()
	installed(t, shared.err)
	storagetest.RunNodes(t, func(t *testing.T, n int) (all []storagetest.Node) {
		at := prefix()
		for range n {
			all = append(all, node(t, shared.Addr, at))
		}
		return all
	})
}

// TestLostResponses breaks connections to the server.
func TestLostResponses(t *testing.T) {
	t.Parallel()
	installed(t, shared.err)
	newBackend := func(*testing.T) (backend, server string) { return prefix(), shared.Addr }
	storagetest.RunLostResponses(t, newBackend, func(t *testing.T, backend, addr string) storagetest.Node { return node(t, addr, backend) })
}

// TestProcesses checks that the clients of several processes see one store.
func TestProcesses(t *testing.T) {
	storagetest.RunProcesses(t, func(t *testing.T) string {
		installed(t, shared.err)
		return shared.Addr + " " + prefix()
	}, func(t *testing.T, backend string) storagetest.Node {
		addr, prefix, _ := strings.Cut(backend, " ")
		return node(t, addr, prefix)
	})
}
