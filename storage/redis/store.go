package redis

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"sync/atomic"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/fields"
)

// Config holds the settings of a Store. Fields that are zero have the defaults.
type Config struct {
	// Prefix is the beginning of all keys and their hash tag: letters, digits, "-", "_" and "." in braces. Stores with different prefixes
	// share no record. The default is "{portner}".
	Prefix string
	// Timeout bounds each call, from 10 ms to 30 s. The default is 3 s.
	Timeout time.Duration
	// WaitReplicas is the number of replicas that must confirm (WAIT) what ends, before a method returns nil: redemptions, rotations,
	// revocations, ended sessions and used assertions. If they do not confirm in time, the method returns an error that wraps
	// portner.ErrUnavailable, although the server has made the change. The default is 0: a failover may lose the last changes.
	WaitReplicas int
	// Logger receives warnings of New and the errors of Run. If nil, they are discarded.
	Logger *slog.Logger

	// AllowEviction accepts a server that evicts keys when memory is short. An evicted key is one that the provider forgets: a code or an
	// assertion can then be used a second time. Set it only where replays do not matter.
	AllowEviction bool
	// AllowUncheckedServer accepts a server that does not tell its version, role or eviction policy (INFO), as some hosted services do. Set
	// it after checking that the version is 7 or later, and maxmemory-policy is noeviction.
	AllowUncheckedServer bool

	// MaxPushedRequestsPerClient bounds the pushed requests of one authenticated client that are not consumed. The default is 1,000.
	MaxPushedRequestsPerClient int
	// MaxPushedRequestsPerAddress bounds the pushed requests of one public client from one address that are not consumed
	// (storage.PushedRequest.Source). The default is 20.
	MaxPushedRequestsPerAddress int
	// MaxPushedRequestsPerPublicClient bounds the pushed requests of one public client from all addresses that are not consumed. The default
	// is 50,000.
	MaxPushedRequestsPerPublicClient int
	// MaxReplaysPerClient bounds the used assertions and proofs of one client. The default is 500,000.
	MaxReplaysPerClient int
	// OnSweep is called when Run begins to sweep, and the function that it returns afterwards, with what Sweep
	// returned. If nil, it is not called.
	OnSweep func(ctx context.Context) (done func(removed int, err error))
}

// defaultTimeout is longer in the tests of this package.
var defaultTimeout = 3 * time.Second

const (
	minTimeout = 10 * time.Millisecond
	maxTimeout = 30 * time.Second
)

var prefixes = regexp.MustCompile(`^\{[A-Za-z0-9._-]{1,64}\}$`)

// Store keeps records in Redis or Valkey. It is safe for concurrent use. Use New to make one.
type Store struct {
	client       goredis.UniversalClient
	prefix       string // with the colon
	timeout      time.Duration
	waitReplicas int
	logger       *slog.Logger
	onSweep      func(context.Context) func(int, error)
	cursor       atomic.Uint64 // where the next Sweep starts

	maxPushed, maxPushedPerAddress, maxPushedOfClient, maxReplays int
}

// New returns the store in the server of the client. It returns an error if the client ignores deadlines (ContextTimeoutEnabled) or reads from
// replicas, and if the server is older than version 7, is a replica or may evict keys; see Config.AllowEviction. It warns if the server
// has no append-only file.
func New(ctx context.Context, client goredis.UniversalClient, c Config) (*Store, error) {
	if err := c.complete(client); err != nil {
		return nil, err
	}
	s := &Store{
		client: client, prefix: c.Prefix + ":", timeout: c.Timeout, waitReplicas: c.WaitReplicas, logger: c.Logger, onSweep: c.OnSweep,
		maxPushed: c.MaxPushedRequestsPerClient, maxPushedPerAddress: c.MaxPushedRequestsPerAddress,
		maxPushedOfClient: c.MaxPushedRequestsPerPublicClient, maxReplays: c.MaxReplaysPerClient,
	}
	if err := s.checkServers(ctx, c); err != nil {
		return nil, err
	}
	return s, nil
}

// complete sets the defaults and returns an error that names every field that is not valid.
func (c *Config) complete(client goredis.UniversalClient) error {
	if c.Prefix == "" {
		c.Prefix = "{portner}"
	}
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.OnSweep == nil {
		c.OnSweep = func(context.Context) func(int, error) { return func(int, error) {} }
	}
	var check fields.Checker
	check.Want(prefixes.MatchString(c.Prefix), "Prefix", "must be a hash tag: 1 to 64 letters, digits, -, _ and . in braces")
	check.Want(minTimeout <= c.Timeout && c.Timeout <= maxTimeout, "Timeout", fmt.Sprintf("must be from %v to %v", minTimeout, maxTimeout))
	check.Want(c.WaitReplicas >= 0, "WaitReplicas", "must not be negative")
	for _, bound := range []struct {
		name     string
		value    *int
		standard int
	}{
		{"MaxPushedRequestsPerClient", &c.MaxPushedRequestsPerClient, 1_000},
		{"MaxPushedRequestsPerAddress", &c.MaxPushedRequestsPerAddress, 20},
		{"MaxPushedRequestsPerPublicClient", &c.MaxPushedRequestsPerPublicClient, 50_000},
		{"MaxReplaysPerClient", &c.MaxReplaysPerClient, 500_000},
	} {
		check.Want(*bound.value >= 0, bound.name, "must not be negative")
		if *bound.value == 0 {
			*bound.value = bound.standard
		}
	}
	check.Add("client", checkClient(client))
	if err := check.Err(); err != nil {
		return fmt.Errorf("redis: %w", err)
	}
	return nil
}

// errDeadline is the error for a client that waits longer than Config.Timeout.
var errDeadline = errors.New("ContextTimeoutEnabled must be true: the client would ignore Config.Timeout")

// checkClient returns an error if the client cannot be used: one that ignores deadlines, or reads from replicas.
func checkClient(client goredis.UniversalClient) error {
	if fields.IsNil(client) {
		return portner.ErrRequired
	}
	switch c := client.(type) {
	case *goredis.Client:
		if !c.Options().ContextTimeoutEnabled {
			return errDeadline
		}
	case *goredis.ClusterClient:
		o := c.Options()
		if o.ReadOnly || o.RouteByLatency || o.RouteRandomly {
			return errors.New("ReadOnly, RouteByLatency and RouteRandomly must be false: a replica may receive later that a code was redeemed")
		}
		if !o.ContextTimeoutEnabled {
			return errDeadline
		}
	default:
		return fmt.Errorf("a %T is not supported: use the result of NewClient, NewFailoverClient, NewClusterClient or NewUniversalClient", client)
	}
	return nil
}

// node returns the client of the server that has the keys.
func (s *Store) node(ctx context.Context) (*goredis.Client, error) {
	switch c := s.client.(type) {
	case *goredis.Client:
		return c, nil
	case *goredis.ClusterClient:
		return c.MasterForKey(ctx, s.prefix)
	}
	return nil, errors.New("redis: unknown client") // New has rejected it
}
