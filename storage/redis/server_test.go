package redis_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/fields"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/storage/redis"
)

func TestConfig(t *testing.T) {
	t.Parallel()
	installed(t, shared.err)
	good := connect(t, shared.Addr)
	cluster := func(change func(*goredis.ClusterOptions)) goredis.UniversalClient {
		o := &goredis.ClusterOptions{Addrs: []string{shared.Addr}, ContextTimeoutEnabled: true}
		change(o)
		c := goredis.NewClusterClient(o)
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	for name, tt := range map[string]struct {
		client goredis.UniversalClient
		config redis.Config
		want   []string
	}{
		"a prefix without braces":        {good, redis.Config{Prefix: "portner"}, []string{"Prefix"}},
		"a prefix that goes on":          {good, redis.Config{Prefix: "{portner}:a"}, []string{"Prefix"}},
		"an empty hash tag":              {good, redis.Config{Prefix: "{}"}, []string{"Prefix"}},
		"two hash tags":                  {good, redis.Config{Prefix: "{a}{b}"}, []string{"Prefix"}},
		"a pattern":                      {good, redis.Config{Prefix: "{a*}"}, []string{"Prefix"}},
		"a short timeout":                {good, redis.Config{Timeout: time.Millisecond}, []string{"Timeout"}},
		"a long timeout":                 {good, redis.Config{Timeout: time.Hour}, []string{"Timeout"}},
		"everything negative":            {good, redis.Config{WaitReplicas: -1, Timeout: -1, MaxPushedRequestsPerClient: -1, MaxPushedRequestsPerAddress: -1, MaxPushedRequestsPerPublicClient: -1, MaxReplaysPerClient: -1}, []string{"Timeout", "WaitReplicas", "MaxPushedRequestsPerClient", "MaxPushedRequestsPerAddress", "MaxPushedRequestsPerPublicClient", "MaxReplaysPerClient"}},
		"no client":                      {nil, redis.Config{}, []string{"client"}},
		"a nil pointer as client":        {(*goredis.Client)(nil), redis.Config{}, []string{"client"}},
		"a client without deadlines":     {connect(t, shared.Addr, func(o *goredis.Options) { o.ContextTimeoutEnabled = false }), redis.Config{}, []string{"client"}},
		"a cluster without deadlines":    {cluster(func(o *goredis.ClusterOptions) { o.ContextTimeoutEnabled = false }), redis.Config{}, []string{"client"}},
		"a cluster that reads replicas":  {cluster(func(o *goredis.ClusterOptions) { o.ReadOnly = true }), redis.Config{}, []string{"client"}},
		"a cluster that reads the next":  {cluster(func(o *goredis.ClusterOptions) { o.RouteByLatency = true }), redis.Config{}, []string{"client"}},
		"a cluster that reads any":       {cluster(func(o *goredis.ClusterOptions) { o.RouteRandomly = true }), redis.Config{}, []string{"client"}},
		"a client of independent shards": {goredis.NewRing(&goredis.RingOptions{Addrs: map[string]string{"a": shared.Addr}}), redis.Config{}, []string{"client"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := redis.New(t.Context(), tt.client, tt.config)
			require.Equal(t, tt.want, fields.Names(err), "%v", err)
		})
	}
}

func TestServerIsChecked(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		info   string
		config redis.Config
		want   []string
	}{
		"Redis 7":                            {"redis_version:7.0.15 role:master maxmemory_policy:noeviction", redis.Config{}, nil},
		"Redis 8":                            {"redis_version:8.2.1 role:master maxmemory_policy:noeviction", redis.Config{}, nil},
		"Valkey":                             {"redis_version:7.2.4 server_name:valkey valkey_version:8.1.0 role:master maxmemory_policy:noeviction", redis.Config{}, nil},
		"Redis 10":                           {"redis_version:10.0.0 role:master maxmemory_policy:noeviction", redis.Config{}, nil},
		"Redis 6":                            {"redis_version:6.2.14 role:master maxmemory_policy:noeviction", redis.Config{}, []string{"client"}},
		"a replica":                          {"redis_version:7.0.15 role:slave maxmemory_policy:noeviction", redis.Config{}, []string{"client"}},
		"eviction":                           {"redis_version:7.0.15 role:master maxmemory_policy:allkeys-lru", redis.Config{}, []string{"AllowEviction"}},
		"eviction of volatile":               {"redis_version:7.0.15 role:master maxmemory_policy:volatile-ttl", redis.Config{}, []string{"AllowEviction"}},
		"eviction is allowed":                {"redis_version:7.0.15 role:master maxmemory_policy:volatile-lru", redis.Config{AllowEviction: true}, nil},
		"hidden policy":                      {"redis_version:7.0.15 role:master", redis.Config{}, []string{"AllowUncheckedServer"}},
		"nothing is known":                   {"", redis.Config{}, []string{"AllowUncheckedServer", "AllowUncheckedServer", "AllowUncheckedServer"}},
		"the host has checked":               {"", redis.Config{AllowUncheckedServer: true}, nil},
		"checked, but a replica that evicts": {"role:slave maxmemory_policy:allkeys-lfu", redis.Config{AllowUncheckedServer: true}, []string{"client", "AllowEviction"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			info := map[string]string{}
			for _, field := range strings.Fields(tt.info) {
				name, value, _ := strings.Cut(field, ":")
				info[name] = value
			}
			require.Equal(t, tt.want, fields.Names(redis.CheckInfo(info, tt.config)))
		})
	}
}

// TestServerRefusesINFO checks that a server that does not answer INFO is used only if the host says that it was checked.
func TestServerRefusesINFO(t *testing.T) {
	t.Parallel()
	installed(t, shared.err)
	for _, reply := range []string{"NOPERM User app has no permissions to run the 'info' command", "ERR unknown command 'info'"} {
		c := connect(t, shared.Addr)
		c.AddHook(hook(func(ctx context.Context, cmd goredis.Cmder, next goredis.ProcessHook) error {
			if cmd.Name() == "info" {
				cmd.SetErr(redisError(reply))
				return redisError(reply)
			}
			return next(ctx, cmd)
		}))
		_, err := redis.New(t.Context(), c, redis.Config{Prefix: prefix()})
		require.Equal(t, []string{"AllowUncheckedServer"}, fields.Names(err))
		s, err := redis.New(t.Context(), c, redis.Config{Prefix: prefix(), AllowUncheckedServer: true})
		require.NoError(t, err)
		require.NoError(t, s.Ping(t.Context()))
	}
}

// redisError is an error reply of a server.
type redisError string

func (e redisError) Error() string { return string(e) }
func (e redisError) RedisError()   {}

// TestEvictionIsRefused checks a server whose policy evicts, and that New warns if nothing is stored on disk.
func TestEvictionIsRefused(t *testing.T) {
	t.Parallel()
	own := server(t, map[string]string{"maxmemory-policy": "allkeys-lru", "appendonly": "no"})
	_, err := redis.New(t.Context(), connect(t, own.Addr), redis.Config{})
	require.Equal(t, []string{"AllowEviction"}, fields.Names(err))
	require.ErrorContains(t, err, "noeviction")
	var log bytes.Buffer
	_, err = redis.New(t.Context(), connect(t, own.Addr), redis.Config{AllowEviction: true, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	require.NoError(t, err)
	require.Contains(t, log.String(), "appendonly is off")

	replica := server(t, map[string]string{"replicaof": strings.ReplaceAll(own.Addr, ":", " "), "appendonly": "no"})
	_, err = redis.New(t.Context(), connect(t, replica.Addr), redis.Config{})
	require.Equal(t, []string{"client"}, fields.Names(err))
}

// TestFaults checks that an outage is an outage, and not a verdict.
func TestFaults(t *testing.T) {
	t.Parallel()
	for _, reply := range []string{
		"LOADING Redis is loading the dataset in memory", "READONLY You can't write against a read only replica.",
		"CLUSTERDOWN The cluster is down", "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
		"MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.",
		"NOREPLICAS Not enough good replicas to write.", "BUSY Redis is busy running a script.", "TRYAGAIN Multiple keys request during rehashing of slot",
		"MOVED 1 127.0.0.1:1", "NOAUTH Authentication required.", "NOPERM this user has no permissions", "OOM command not allowed when used memory > 'maxmemory'.",
		"ERR max number of clients reached",
	} {
		require.ErrorIs(t, redis.Fault("x", redisError(reply)), portner.ErrUnavailable, reply)
	}
	for _, err := range []error{
		io.EOF, io.ErrUnexpectedEOF, context.DeadlineExceeded, goredis.ErrPoolTimeout, goredis.ErrPoolExhausted, goredis.ErrClosed,
		&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, &net.DNSError{Err: "no such host"},
	} {
		require.ErrorIs(t, redis.Fault("x", err), portner.ErrUnavailable, "%v", err)
		require.ErrorIs(t, redis.Fault("x", err), err)
	}
	require.ErrorIs(t, redis.Fault("x", redisError("OOM command not allowed")), storage.ErrFull)
	for _, reply := range []string{"ERR user_script:1: attempt to index a nil value", "WRONGTYPE Operation against a key holding the wrong kind of value"} {
		require.NotErrorIs(t, redis.Fault("x", redisError(reply)), portner.ErrUnavailable, reply)
	}
}

// TestDown checks the methods while the server is stopped, hangs, or has no free connection.
func TestDown(t *testing.T) {
	t.Parallel()
	own := server(t, map[string]string{"appendonly": "no"})
	c := connect(t, own.Addr, func(o *goredis.Options) { o.PoolSize, o.PoolTimeout = 1, 50*time.Millisecond })
	s, err := redis.New(t.Context(), c, redis.Config{})
	require.NoError(t, err)
	everything(t, s, "a")
	unavailable := func(when string) {
		t.Helper()
		s.Hurried(func() {
			_, err := s.Session(t.Context(), storage.HashOf("cookie a"), epoch)
			require.ErrorIs(t, err, portner.ErrUnavailable, when)
			for _, verdict := range []error{storage.ErrNotFound, storage.ErrConsumed, storage.ErrRevoked, storage.ErrConflict} {
				require.NotErrorIs(t, err, verdict, when)
			}
			require.ErrorIs(t, s.Ping(t.Context()), portner.ErrUnavailable, when)
			err = s.RedeemCode(t.Context(), storage.HashOf("code unused a"), nil, epoch)
			require.ErrorIs(t, err, portner.ErrUnavailable, when)
		})
	}
	require.NoError(t, own.Signal(syscall.SIGSTOP))
	unavailable("the server hangs")
	require.NoError(t, own.Signal(syscall.SIGCONT))

	conn := c.Conn() // the only connection
	require.NoError(t, conn.Ping(t.Context()).Err())
	unavailable("the pool is exhausted")
	require.NoError(t, conn.Close())

	own.Kill()
	unavailable("the server is down")
	require.NoError(t, own.Start())
	s = storeOf(t, own) // a pool that could not connect tries again after a second
	_, err = s.Session(t.Context(), storage.HashOf("cookie a"), epoch)
	require.ErrorIs(t, err, storage.ErrNotFound, "after a restart without a file")
}

// TestFull fills a server that does not evict. What it has accepted it recognises, and it refuses the rest as an outage; logout and
// revocation need no room.
func TestFull(t *testing.T) {
	t.Parallel()
	own := server(t, map[string]string{"appendonly": "no"})
	c := connect(t, own.Addr)
	s, err := redis.New(t.Context(), c, redis.Config{Logger: quiet})
	require.NoError(t, err)
	in := everything(t, s, "a")
	used, err := strconv.Atoi(infoOf(t, c)["used_memory"])
	require.NoError(t, err)
	require.NoError(t, c.ConfigSet(t.Context(), "maxmemory", strconv.Itoa(used+1<<19)).Err())
	accepted, refused := 0, 0
	for i := 0; refused == 0; i++ {
		require.Less(t, i, 200_000)
		switch err := s.ConsumeJTI(t.Context(), "client-a", storage.HashOf(fmt.Sprint(i)), epoch.Add(time.Minute), epoch); {
		case err == nil:
			accepted++
		default:
			require.ErrorIs(t, err, storage.ErrFull)
			require.ErrorIs(t, err, portner.ErrUnavailable)
			refused++
		}
	}
	t.Logf("%d assertions fit", accepted)
	require.NoError(t, c.ConfigSet(t.Context(), "maxmemory", "1").Err()) // the buffers of connections come and go
	for i := range accepted {
		err := s.ConsumeJTI(t.Context(), "client-a", storage.HashOf(fmt.Sprint(i)), epoch.Add(time.Minute), epoch)
		require.True(t, errors.Is(err, storage.ErrConsumed) || errors.Is(err, storage.ErrFull), "a replay: %v", err)
	}
	require.ErrorIs(t, s.Ping(t.Context()), portner.ErrUnavailable)
	code := storage.HashOf("code unused a")
	require.ErrorIs(t, s.RedeemCode(t.Context(), code, newIssuance("x", newCode("unused a", in)), epoch), storage.ErrFull)
	_, err = s.Code(t.Context(), code, epoch)
	require.NoError(t, err, "the code of a redemption that was refused")
	_, _, err = s.AccessToken(t.Context(), storage.HashOf("access second a"), epoch)
	require.NoError(t, err)
	require.NoError(t, s.Revoke(t.Context(), storage.Revocation{GrantID: "grant-machine a"}, epoch))
	require.NoError(t, s.Revoke(t.Context(), storage.Revocation{Authorization: storage.ConsentKey{UserKey: in.UserKey, ClientID: "client-a"}}, epoch))
	_, err = s.EndSession(t.Context(), in.Hash, epoch)
	require.NoError(t, err)
	_, _, err = s.AccessToken(t.Context(), storage.HashOf("access second a"), epoch)
	require.ErrorIs(t, err, storage.ErrRevoked)
}

// TestKill kills the server while callers redeem codes and use assertions. With appendfsync always no acknowledged one is forgotten.
func TestKill(t *testing.T) {
	t.Parallel()
	own := server(t, map[string]string{"appendfsync": "always"})
	const callers, rounds = 4, 2
	for round := range rounds {
		s := storeOf(t, own)
		var codes []storage.Outcome
		for i := range callers {
			for j := range 2000 {
				codes = append(codes, newCode(fmt.Sprintf("%d.%d.%d", round, i, j), storage.Session{UserKey: storage.HashOf("user")}))
			}
		}
		acknowledged := make([][]int, callers)
		done := make(chan struct{})
		go func() {
			defer close(done)
			parallel(callers, func(i int) {
				for j := range 2000 {
					n := i*2000 + j
					if s.FinishRequest(t.Context(), codes[n], epoch) != nil || s.RedeemCode(t.Context(), codes[n].Code.Hash, newIssuance(codes[n].Code.Grant.ID, codes[n]), epoch) != nil {
						return
					}
					if acknowledged[i] = append(acknowledged[i], n); i == 0 && len(acknowledged[0]) == 50 {
						own.Kill()
					}
				}
			})
		}()
		<-done
		require.NoError(t, own.Start())
		s = storeOf(t, own)
		kept := 0
		for i := range acknowledged {
			for _, n := range acknowledged[i] {
				kept++
				err := s.RedeemCode(t.Context(), codes[n].Code.Hash, newIssuance("again "+codes[n].Code.Grant.ID, codes[n]), epoch)
				require.ErrorIs(t, err, storage.ErrConsumed, "a redemption that was acknowledged")
				_, _, err = s.AccessToken(t.Context(), storage.HashOf("access "+codes[n].Code.Grant.ID), epoch)
				require.NoError(t, err, "the token of a redemption that was acknowledged")
			}
		}
		require.GreaterOrEqual(t, kept, 50)
	}
}
