package redis_test

import (
	"context"
	"fmt"
	"net"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/localdb"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/storage/redis"
)

// cluster starts a Redis Cluster of three nodes, and returns its servers and a client.
func cluster(t *testing.T) ([]*localdb.Server, *goredis.ClusterClient) {
	t.Helper()
	var servers []*localdb.Server
	var addrs []string
	const slots, n = 16384, 3
	for i := range n {
		bus, err := localdb.FreePort()
		require.NoError(t, err)
		s := server(t, map[string]string{
			"cluster-enabled": "yes", "appendonly": "no", "cluster-require-full-coverage": "yes",
			"cluster-port": fmt.Sprint(bus),
		})
		c := connect(t, s.Addr)
		require.NoError(t, c.ClusterAddSlotsRange(t.Context(), i*slots/n, (i+1)*slots/n-1).Err())
		require.NoError(t, c.Do(t.Context(), "CLUSTER", "SET-CONFIG-EPOCH", i+1).Err())
		servers, addrs = append(servers, s), append(addrs, s.Addr)
	}
	first := connect(t, addrs[0])
	for _, s := range servers[1:] {
		host, port, err := net.SplitHostPort(s.Addr)
		require.NoError(t, err)
		bus := connect(t, s.Addr).ConfigGet(t.Context(), "cluster-port").Val()["cluster-port"]
		require.NoError(t, first.Do(t.Context(), "CLUSTER", "MEET", host, port, bus).Err())
	}
	require.Eventually(t, func() bool {
		for _, addr := range addrs {
			info := connect(t, addr).ClusterInfo(t.Context()).Val()
			if !strings.Contains(info, "cluster_state:ok") || !strings.Contains(info, "cluster_known_nodes:3") {
				return false
			}
		}
		return true
	}, 2*time.Minute, 100*time.Millisecond, "the cluster forms")
	c := goredis.NewClusterClient(&goredis.ClusterOptions{Addrs: addrs, ContextTimeoutEnabled: true, DialTimeout: patient, ReadTimeout: patient, WriteTimeout: patient})
	t.Cleanup(func() { _ = c.Close() })
	return servers, c
}

// TestCluster runs every method in a Redis Cluster, which rejects a script that uses keys of two hash slots.
func TestCluster(t *testing.T) {
	t.Parallel()
	servers, c := cluster(t)
	s, err := redis.New(t.Context(), c, redis.Config{Prefix: "{cluster}", Logger: quiet})
	require.NoError(t, err)
	everything(t, s, "a")
	for _, w := range writes() {
		if w.prepare != nil {
			w.prepare(t, s, w.name)
		}
		ended, err := w.call(t.Context(), s, w.name)
		require.NoError(t, err, w.name)
		if w.after != nil {
			w.after(t, s, w.name, ended)
		}
	}
	_, g, err := s.AccessToken(t.Context(), storage.HashOf("access second a"), epoch)
	require.NoError(t, err)
	require.NoError(t, s.Revoke(t.Context(), storage.Revocation{Authorization: storage.ConsentKey{UserKey: g.UserKey, ClientID: g.ClientID}}, epoch))
	_, _, err = s.AccessToken(t.Context(), storage.HashOf("access second a"), epoch)
	require.ErrorIs(t, err, storage.ErrRevoked)
	_, err = s.Grants(t.Context(), storage.GrantQuery{UserKey: g.UserKey, Limit: 10}, epoch)
	require.NoError(t, err)
	_, err = s.Sweep(t.Context(), epoch)
	require.NoError(t, err)

	node, err := c.MasterForKey(t.Context(), "{cluster}:x")
	require.NoError(t, err)
	require.NotEmpty(t, keysOf(t, node))
	for _, one := range servers { // until now a node that pauses is none that has failed
		require.NoError(t, connect(t, one.Addr).ConfigSet(t.Context(), "cluster-node-timeout", "1000").Err())
	}
	for _, one := range servers {
		if one.Addr == node.Options().Addr {
			continue
		}
		require.Empty(t, keysOf(t, connect(t, one.Addr)), "all records are in one hash slot")
		one.Kill()
		break
	}
	require.Eventually(t, func() bool { // without one of its nodes the cluster is down
		err = s.Ping(t.Context())
		return err != nil
	}, 3*time.Minute, 200*time.Millisecond)
	require.ErrorIs(t, err, portner.ErrUnavailable)
}

// TestWaitReplicas checks that what ends is confirmed by a replica, or reported as an outage.
func TestWaitReplicas(t *testing.T) {
	t.Parallel()
	primary := server(t, map[string]string{"appendonly": "no", "repl-diskless-sync-delay": "0"})
	replica := server(t, map[string]string{"appendonly": "no", "replicaof": strings.ReplaceAll(primary.Addr, ":", " ")})
	p, r := connect(t, primary.Addr), connect(t, replica.Addr)
	require.Eventually(t, func() bool {
		return strings.Contains(r.Info(t.Context(), "replication").Val(), "master_link_status:up")
	}, 2*time.Minute, 50*time.Millisecond)
	var pipelines int
	p.AddHook(pipelineHook(func() { pipelines++ }))
	s, err := redis.New(t.Context(), p, redis.Config{WaitReplicas: 1, Logger: quiet})
	require.NoError(t, err)
	for _, name := range []string{"a", "b"} {
		withCode(t, s, name)
		withGrant(t, s, "grant of "+name)
		withSession(t, s, name)
	}
	pipelines = 0
	code := func(name string) storage.Hash { return storage.HashOf("code " + name) }
	for name, call := range map[string]func(name string) error{
		"RedeemCode": func(name string) error { return s.RedeemCode(t.Context(), code(name), nil, epoch) },
		"Revoke": func(name string) error {
			return s.Revoke(t.Context(), storage.Revocation{GrantID: "grant-grant of " + name}, epoch)
		},
		"EndSession": func(name string) error {
			_, err := s.EndSession(t.Context(), storage.HashOf("cookie "+name), epoch)
			return err
		},
		"ConsumeJTI": func(name string) error {
			return s.ConsumeJTI(t.Context(), "client-a", storage.HashOf(name), epoch.Add(time.Minute), epoch)
		},
	} {
		require.NoError(t, call("a"), name)
	}
	require.NoError(t, s.Ping(t.Context()))

	// WAIT waits for what its own connection has written. A call that is sent again on another one, or finds that the change was made
	// before, writes for it to wait.
	written := func() int {
		var calls int
		_, err := fmt.Sscanf(regexp.MustCompile(`cmdstat_set:calls=\d+`).FindString(p.Info(t.Context(), "commandstats").Val()), "cmdstat_set:calls=%d", &calls)
		require.NoError(t, err)
		return calls
	}
	before := written()
	require.ErrorIs(t, s.RedeemCode(t.Context(), code("a"), nil, epoch), storage.ErrConsumed)
	require.Equal(t, before+1, written())
	require.GreaterOrEqual(t, pipelines, 4)
	require.EqualValues(t, 1, r.Exists(t.Context(), "{portner}:jti:"+redis.Name(storage.HashOf("a"))).Val(), "the replica has what was acknowledged")
	require.NoError(t, replica.Signal(syscall.SIGSTOP))
	s.Hurried(func() {
		require.ErrorIs(t, s.RedeemCode(t.Context(), code("b"), nil, epoch), portner.ErrUnavailable)
		require.ErrorIs(t, s.Ping(t.Context()), portner.ErrUnavailable, "a redemption would be an outage, so the node is not ready")
	})
	_, err = s.Session(t.Context(), storage.HashOf("cookie b"), epoch)
	require.NoError(t, err, "reads need no replica")
	require.NoError(t, replica.Signal(syscall.SIGCONT))
}

// infoOf returns the fields of INFO.
func infoOf(t *testing.T, c *goredis.Client) map[string]string {
	t.Helper()
	info := map[string]string{}
	for line := range strings.Lines(c.Info(t.Context()).Val()) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			info[name] = value
		}
	}
	return info
}

// pipelineHook calls a function for each pipeline.
type pipelineHook func()

func (h pipelineHook) DialHook(next goredis.DialHook) goredis.DialHook          { return next }
func (h pipelineHook) ProcessHook(next goredis.ProcessHook) goredis.ProcessHook { return next }
func (h pipelineHook) ProcessPipelineHook(next goredis.ProcessPipelineHook) goredis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []goredis.Cmder) error { h(); return next(ctx, cmds) }
}
