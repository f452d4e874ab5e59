package redis_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"sync/atomic"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/digdir/authorizations"
	"github.com/portner-go/portner/dpop"
	"github.com/portner-go/portner/internal/localdb"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/storage/redis"
	"github.com/portner-go/portner/storage/storagetest"
	"github.com/portner-go/portner/token"
)

var (
	_ provider.Store               = (*redis.Store)(nil)
	_ token.GrantStore             = (*redis.Store)(nil)
	_ authorize.PushedRequestStore = (*redis.Store)(nil)
	_ authorize.HistoryStore       = (*redis.Store)(nil)
	_ authorizations.HistoryStore  = (*redis.Store)(nil)
	_ client.ReplayStore           = (*redis.Store)(nil)
	_ dpop.ReplayStore             = (*redis.Store)(nil)
	_ keyset.Store                 = (*redis.Store)(nil)
)

// shared is the server of most tests. It stores nothing on disk: what is stored is the subject of tests with servers of their own.
var shared struct {
	*localdb.Server
	dir string
	err error
}

// TestMain runs storagetest in its short form, unless PORTNER_STORAGETEST has another one: it then takes minutes.
func TestMain(m *testing.M) {
	flag.Parse()
	_ = flag.Set("test.short", "true")
	goredis.SetLogger(discard{})
	shared.dir, shared.err = os.MkdirTemp("", "portner-redis")
	if shared.err == nil {
		shared.Server, shared.err = localdb.StartRedis(localdb.Config{Dir: shared.dir + "/shared", Settings: map[string]string{"appendonly": "no"}})
	}
	code := m.Run()
	if shared.err == nil {
		shared.Stop()
	}
	_ = os.RemoveAll(shared.dir)
	os.Exit(code)
}

// installed skips the test if there is no Redis on this machine. In CI the test fails.
func installed(t testing.TB, err error) {
	t.Helper()
	if errors.Is(err, localdb.ErrNotInstalled) && os.Getenv("CI") != "true" {
		t.Skip("SKIPPED: " + err.Error())
	}
	require.NoError(t, err)
}

// server starts a server for one test.
func server(t testing.TB, settings map[string]string) *localdb.Server {
	t.Helper()
	installed(t, shared.err)
	s, err := localdb.StartRedis(localdb.Config{Dir: shared.dir + "/" + fmt.Sprint(count.Add(1)), Settings: settings})
	require.NoError(t, err)
	t.Cleanup(s.Stop)
	return s
}

// patient is how long a client waits for a server: a slow machine is no fault.
const patient = time.Minute

// connect returns a client of a server.
func connect(t testing.TB, addr string, change ...func(*goredis.Options)) *goredis.Client {
	t.Helper()
	o := &goredis.Options{Addr: addr, ContextTimeoutEnabled: true, DialTimeout: patient, ReadTimeout: patient, WriteTimeout: patient}
	for _, f := range change {
		f(o)
	}
	c := goredis.NewClient(o)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

var count atomic.Int32

// prefix returns a prefix that no other test has.
func prefix() string { return fmt.Sprintf("{test-%d}", count.Add(1)) }

// open returns an empty store on the shared server.
func open(t testing.TB) *redis.Store {
	t.Helper()
	installed(t, shared.err)
	s, err := redis.New(t.Context(), connect(t, shared.Addr), redis.Config{Prefix: prefix(), Logger: quiet})
	require.NoError(t, err)
	return s
}

// storeOf returns a store with a connection pool of its own on a server of one test.
func storeOf(t testing.TB, own *localdb.Server) *redis.Store {
	t.Helper()
	c := connect(t, own.Addr, func(o *goredis.Options) { o.MaxRetries, o.DialerRetries = -1, 1 })
	s, err := redis.New(t.Context(), c, redis.Config{Logger: quiet})
	require.NoError(t, err)
	return s
}

func TestStore(t *testing.T) {
	t.Parallel()
	installed(t, shared.err)
	storagetest.Run(t, func(t *testing.T) provider.Store { return open(t) })
}

func TestOptionalStores(t *testing.T) {
	t.Parallel()
	installed(t, shared.err)
	storagetest.RunGrants(t, func(t *testing.T) storagetest.GrantStore { return open(t) })
	storagetest.RunPushedRequests(t, func(t *testing.T) authorize.PushedRequestStore { return open(t) })
	storagetest.RunReplay(t, func(t *testing.T) client.ReplayStore { return open(t) })
	storagetest.RunHistory(t, func(t *testing.T) storagetest.HistoryStore { return open(t) })
	storagetest.RunSigningKeys(t, func(t *testing.T) keyset.Store { return open(t) })
}

// discard discards what go-redis logs of connections that tests break.
type discard struct{}

func (discard) Printf(context.Context, string, ...any) {}
