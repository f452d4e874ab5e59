package postgres_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/localdb"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/storage/postgres"
)

// unavailable are calls of each kind. Each fails with ErrUnavailable, and with no verdict, while the database does not do its work.
func unavailable(t *testing.T, s *postgres.Store, name string) {
	t.Helper()
	c := codeOf(999, epoch)
	for method, err := range map[string]error{
		"FinishRequest": s.FinishRequest(bg, outcomeOf(999, c), epoch),
		"RedeemCode":    s.RedeemCode(bg, c.Hash, issuanceOf(999, 0, c, epoch), epoch),
		"Revoke":        s.Revoke(bg, storage.Revocation{GrantID: c.Grant.ID}, epoch),
		"ConsumeJTI":    s.ConsumeJTI(bg, "client", c.Hash, epoch.Add(time.Minute), epoch),
		"Ping":          s.Ping(bg),
	} {
		requireUnavailable(t, err, name+": "+method)
	}
}

// unreadable are calls that change nothing.
func unreadable(t *testing.T, s *postgres.Store, name string) {
	t.Helper()
	_, err := s.Session(bg, storage.HashOf("unknown"), epoch)
	requireUnavailable(t, err, name+": Session")
	_, err = s.Code(bg, storage.HashOf("unknown"), epoch)
	requireUnavailable(t, err, name+": Code")
	_, _, err = s.AccessToken(bg, storage.HashOf("unknown"), epoch)
	requireUnavailable(t, err, name+": AccessToken")
	_, _, err = s.RefreshToken(bg, storage.HashOf("unknown"), epoch)
	requireUnavailable(t, err, name+": RefreshToken")
	_, err = s.Consents(bg, storage.ConsentKey{}, epoch)
	requireUnavailable(t, err, name+": Consents")
	_, err = s.Grants(bg, storage.GrantQuery{Limit: 1}, epoch)
	requireUnavailable(t, err, name+": Grants")
	_, err = s.Grants(bg, storage.GrantQuery{ID: "unknown"}, epoch)
	requireUnavailable(t, err, name+": Grants of one")
	_, err = s.PushedRequest(bg, storage.HashOf("unknown"), epoch)
	requireUnavailable(t, err, name+": PushedRequest")
	_, err = s.Logins(bg, storage.HashOf("unknown"), epoch)
	requireUnavailable(t, err, name+": Logins")
	_, err = s.SigningKeys(bg, "set")
	requireUnavailable(t, err, name+": SigningKeys")
}

func requireUnavailable(t *testing.T, err error, what string) {
	t.Helper()
	require.ErrorIs(t, err, portner.ErrUnavailable, what)
	for _, verdict := range []error{storage.ErrNotFound, storage.ErrConsumed, storage.ErrRevoked, storage.ErrConflict, storage.ErrFull} {
		require.NotErrorIs(t, err, verdict, what)
	}
}

// proxy forwards connections to the server until it is told to refuse or to stay silent.
type proxy struct {
	net.Listener
	to     string
	mu     sync.Mutex
	conns  []net.Conn
	silent bool
}

func newProxy(t *testing.T, to string) *proxy {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &proxy{Listener: l, to: to}
	t.Cleanup(p.down)
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				_ = in.Close()
				continue
			}
			p.mu.Lock()
			p.conns = append(p.conns, in, out)
			p.mu.Unlock()
			go p.copy(out, in)
			go p.copy(in, out)
		}
	}()
	return p
}

func (p *proxy) copy(to, from net.Conn) {
	defer to.Close()
	b := make([]byte, 1<<16)
	for {
		n, err := from.Read(b)
		if err != nil {
			return
		}
		p.mu.Lock()
		silent := p.silent
		p.mu.Unlock()
		if silent {
			continue
		}
		if _, err := to.Write(b[:n]); err != nil {
			return
		}
	}
}

// down closes everything: connections are refused from now on.
func (p *proxy) down() {
	_ = p.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		_ = c.Close()
	}
}

func (p *proxy) url(url string) string { return strings.Replace(url, p.to, p.Addr().String(), 1) }

// TestOutages verifies that a database that is down, silent, exhausted, slow or read-only is ErrUnavailable and no verdict, within the
// timeout, and that the store works again afterwards (docs/threat-model.md J6).
func TestOutages(t *testing.T) {
	t.Parallel()
	t.Run("down", func(t *testing.T) {
		t.Parallel()
		d := newDatabase(t)
		p := newProxy(t, server.Addr)
		pool := openPool(t, p.url(d.url))
		defer pool.Close()
		s := openStore(t, pool, postgres.Config{})
		require.NoError(t, s.Ping(bg))
		p.down()
		s.Hurried(func() {
			unavailable(t, s, "down")
			unreadable(t, s, "down")
		})
	})
	t.Run("silent", func(t *testing.T) {
		t.Parallel()
		d := newDatabase(t)
		p := newProxy(t, server.Addr)
		pool := openPool(t, p.url(d.url))
		defer pool.Close()
		s := openStore(t, pool, postgres.Config{})
		p.mu.Lock()
		p.silent = true
		p.mu.Unlock()
		defer p.down() // otherwise pgx waits 15 s for the server when it closes a connection
		s.Hurried(func() {
			requireUnavailable(t, s.Ping(bg), "a connection without answers")
			_, err := s.Session(bg, storage.HashOf("unknown"), epoch)
			requireUnavailable(t, err, "a connection without answers")
		})
	})
	t.Run("pool exhausted", func(t *testing.T) {
		t.Parallel()
		pool := openPool(t, newDatabase(t).url+"&pool_max_conns=1")
		defer pool.Close()
		s := openStore(t, pool, postgres.Config{})
		held, err := pool.Acquire(bg)
		require.NoError(t, err)
		s.Hurried(func() {
			unavailable(t, s, "exhausted")
			_, err = s.Session(bg, storage.HashOf("unknown"), epoch)
			requireUnavailable(t, err, "exhausted")
		})
		held.Release()
		require.NoError(t, s.Ping(bg), "after the connection is free")
	})
	t.Run("statement timeout", func(t *testing.T) {
		t.Parallel()
		d := newDatabase(t)
		pool := openPool(t, d.url+"&pool_max_conns=1")
		defer pool.Close()
		s := openStore(t, pool, postgres.Config{})
		set := func(timeout string) {
			_, err := pool.Exec(bg, "SET statement_timeout = "+timeout)
			require.NoError(t, err)
		}
		set("50")
		tx, err := d.pool.Begin(bg)
		require.NoError(t, err)
		_, err = tx.Exec(bg, "LOCK TABLE portner.sessions, portner.grants, portner.requests, portner.replays, portner.probe")
		require.NoError(t, err)
		unavailable(t, s, "timeout of the server")
		require.NoError(t, tx.Rollback(bg))
		set("0")
		require.NoError(t, s.Ping(bg))
	})
	t.Run("locked longer than the timeout", func(t *testing.T) {
		t.Parallel()
		d := newDatabase(t)
		s := openStore(t, d.pool, postgres.Config{})
		tx, err := d.pool.Begin(bg)
		require.NoError(t, err)
		_, err = tx.Exec(bg, "LOCK TABLE portner.sessions, portner.grants, portner.requests, portner.replays, portner.probe")
		require.NoError(t, err)
		s.Hurried(func() { unavailable(t, s, "locked") })
		require.NoError(t, tx.Rollback(bg))
		require.NoError(t, s.Ping(bg))
	})
	t.Run("read-only", func(t *testing.T) {
		t.Parallel()
		pool := openPool(t, newDatabase(t).url+"&default_transaction_read_only=on")
		defer pool.Close()
		unavailable(t, openStore(t, pool, postgres.Config{}), "read-only")
	})
	t.Run("no such database", func(t *testing.T) {
		t.Parallel()
		newDatabase(t)
		pool := openPool(t, "postgres://postgres@"+server.Addr+"/unknown?sslmode=disable")
		defer pool.Close()
		_, err := postgres.New(bg, pool, postgres.Config{})
		require.ErrorIs(t, err, portner.ErrUnavailable)
	})
}

// TestStandby verifies that a standby accepts no writes and is not asked whether a token is live: it may not know the latest revocation
// (docs/threat-model.md J9).
func TestStandby(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	c := codeOf(1, epoch)
	require.NoError(t, openStore(t, d.pool, postgres.Config{}).FinishRequest(bg, outcomeOf(1, c), epoch))
	dir, err := os.MkdirTemp(server.dir, "")
	require.NoError(t, err)
	standby, err := localdb.StartStandby(localdb.Config{Dir: filepath.Join(dir, "standby"), Settings: serverSettings}, server.Server)
	require.NoError(t, err)
	defer standby.Stop()
	pool := openPool(t, strings.Replace(d.url, server.Addr, standby.Addr, 1))
	defer pool.Close()
	s := openStore(t, pool, postgres.Config{})
	unavailable(t, s, "a standby")
	unreadable(t, s, "a standby")
	require.NoError(t, standby.Promote())
	_, err = s.Code(bg, c.Hash, epoch)
	require.NoError(t, err, "after the promotion")
	require.NoError(t, s.Ping(bg))
}

// TestFaults verifies which errors of PostgreSQL are outages (docs/threat-model.md J6).
func TestFaults(t *testing.T) {
	t.Parallel()
	for code, outage := range map[string]bool{
		"53100": true, // disk_full
		"53200": true, // out_of_memory
		"53300": true, // too_many_connections
		"57014": true, // query_canceled
		"57P01": true, // admin_shutdown
		"57P03": true, // cannot_connect_now
		"58030": true, // io_error
		"25006": true, // read_only_sql_transaction
		"40001": true, // serialization_failure
		"40P01": true, // deadlock_detected
		"55P03": true, // lock_not_available
		"08006": true, // connection_failure
		"28P01": true, // invalid_password
		"":      true, // a proxy that sends no code
		"22021": false, "42P01": false, "42883": false, "XX001": false,
	} {
		err := postgres.Fault(&pgconn.PgError{Code: code, Message: "m"})
		require.Equal(t, outage, errors.Is(err, portner.ErrUnavailable), code)
		require.Error(t, err)
	}
	require.Equal(t, storage.ErrConflict, postgres.Fault(&pgconn.PgError{Code: "23505"}))
	require.ErrorIs(t, postgres.Fault(errors.New("unexpected EOF")), portner.ErrUnavailable)
}

// TestLostAnswer verifies that a change whose answer is lost is an error and is not sent again: the code is consumed once, and a later call
// finds it consumed (docs/threat-model.md J8).
func TestLostAnswer(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	p := newProxy(t, server.Addr)
	pool := openPool(t, p.url(d.url))
	defer pool.Close()
	lossy, direct := openStore(t, pool, postgres.Config{}), openStore(t, d.pool, postgres.Config{})
	c := codeOf(1, epoch)
	require.NoError(t, lossy.FinishRequest(bg, outcomeOf(1, c), epoch))
	tx, err := d.pool.Begin(bg) // holds the call until its connection is cut
	require.NoError(t, err)
	_, err = tx.Exec(bg, "LOCK TABLE portner.access_tokens IN SHARE MODE")
	require.NoError(t, err)
	result := make(chan error, 1)
	go func() { result <- lossy.RedeemCode(bg, c.Hash, issuanceOf(1, 0, c, epoch), epoch) }()
	waitForLocks(t, d.pool, 1)
	p.down()
	require.NoError(t, tx.Rollback(bg))
	requireUnavailable(t, <-result, "a call whose connection was cut")
	waitUntilIdle(t, d.pool) // the server may still execute the call
	_, state := direct.Code(bg, c.Hash, epoch)
	_, _, token := direct.AccessToken(bg, issuanceOf(1, 0, c, epoch).Access.Hash, epoch)
	require.Equal(t, errors.Is(state, storage.ErrConsumed), token == nil, "the code is %v, the token is %v", state, token)
}

// waitForLocks waits until some connections wait for a lock.
func waitForLocks(t *testing.T, pool *pgxpool.Pool, connections int) {
	t.Helper()
	require.Eventually(t, func() bool { return locksAwaited(t, pool) == connections }, 2*time.Minute, time.Millisecond)
}

// locksAwaited returns the number of connections that wait for a lock.
func locksAwaited(t *testing.T, pool *pgxpool.Pool) (n int) {
	t.Helper()
	err := pool.QueryRow(bg, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'").Scan(&n)
	require.NoError(t, err)
	return n
}

// waitUntilIdle waits until no other connection executes a statement.
func waitUntilIdle(t *testing.T, pool *pgxpool.Pool) {
	t.Helper()
	require.Eventually(t, func() bool {
		var idle bool
		err := pool.QueryRow(bg, `SELECT count(*) = 0 FROM pg_stat_activity
			WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend' AND state <> 'idle'`).Scan(&idle)
		return err == nil && idle
	}, 2*time.Minute, time.Millisecond)
}

// TestCancelledWhileRunning verifies that a caller that goes away neither interrupts a change nor costs a connection
// (docs/threat-model.md J5).
func TestCancelledWhileRunning(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	pool := openPool(t, d.url+"&pool_max_conns=1")
	defer pool.Close()
	s := openStore(t, pool, postgres.Config{})
	c := codeOf(1, epoch)
	require.NoError(t, s.FinishRequest(bg, outcomeOf(1, c), epoch))
	made := pool.Stat().NewConnsCount()
	tx, err := d.pool.Begin(bg)
	require.NoError(t, err)
	_, err = tx.Exec(bg, "LOCK TABLE portner.access_tokens IN SHARE MODE")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(bg)
	result := make(chan error, 1)
	go func() { result <- s.RedeemCode(ctx, c.Hash, issuanceOf(1, 0, c, epoch), epoch) }()
	waitForLocks(t, d.pool, 1)
	cancel()
	require.NoError(t, tx.Rollback(bg))
	require.NoError(t, <-result)
	_, _, err = s.AccessToken(bg, issuanceOf(1, 0, c, epoch).Access.Hash, epoch)
	require.NoError(t, err)
	require.Equal(t, made, pool.Stat().NewConnsCount(), "the connection was replaced")

	held, err := pool.Acquire(bg)
	require.NoError(t, err)
	ctx, cancel = context.WithCancel(bg)
	go func() { result <- s.Revoke(ctx, storage.Revocation{GrantID: c.Grant.ID}, epoch) }()
	cancel()
	require.ErrorIs(t, <-result, context.Canceled, "a caller that goes away while it waits for a connection")
	held.Release()
	_, _, err = s.AccessToken(bg, issuanceOf(1, 0, c, epoch).Access.Hash, epoch)
	require.NoError(t, err, "a call that did not start changes nothing")
}

// TestIsolation verifies that no method works under another level of isolation than the one for which it was made.
func TestIsolation(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	for _, level := range []string{"repeatable%20read", "serializable"} {
		pool := openPool(t, d.url+"&default_transaction_isolation="+level)
		_, err := postgres.New(bg, pool, postgres.Config{})
		require.ErrorContains(t, err, "default_transaction_isolation")
		pool.Close()
	}
	// The setting of the role can change while the store is open.
	cfg, err := pgxpool.ParseConfig(d.url)
	require.NoError(t, err)
	cfg.MaxConns = 1
	pool, err := pgxpool.NewWithConfig(bg, cfg)
	require.NoError(t, err)
	defer pool.Close()
	s := openStore(t, pool, postgres.Config{})
	login(t, s, 1, epoch)
	_, err = pool.Exec(bg, "SET default_transaction_isolation = 'repeatable read'")
	require.NoError(t, err)
	c := codeOf(2, epoch)
	in := sessionOf(2, epoch)
	_, replaced := s.ReplaceSession(bg, none, in, 0, epoch)
	_, ended := s.EndSession(bg, sessionOf(1, epoch).Hash, epoch)
	for name, err := range map[string]error{
		"ReplaceSession":     replaced,
		"EndSession":         ended,
		"FinishRequest":      s.FinishRequest(bg, outcomeOf(2, c), epoch),
		"RotateRefreshToken": s.RotateRefreshToken(bg, issuanceOf(1, 1, codeOf(1, epoch), epoch).Refresh.Hash, issuanceOf(1, 2, codeOf(1, epoch), epoch), 0, epoch),
		"InsertGrant":        s.InsertGrant(bg, issuanceOf(3, 0, codeOf(3, epoch), epoch), epoch),
		"Revoke":             s.Revoke(bg, storage.Revocation{Authorization: storage.ConsentKey{UserKey: storage.HashOf("u"), ClientID: "c"}}, epoch),
	} {
		require.ErrorContains(t, err, "read committed", name)
	}
}

// TestWarnings verifies that New warns if the database may lose what it acknowledged (docs/threat-model.md J9).
func TestWarnings(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	openStore(t, newDatabase(t).pool, postgres.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	require.Contains(t, log.String(), "synchronous_commit is off")
	require.Contains(t, log.String(), "fsync is off")
	log.Reset()
	pool := openPool(t, newDatabase(t).url+"&synchronous_commit=on")
	defer pool.Close()
	openStore(t, pool, postgres.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	require.NotContains(t, log.String(), "synchronous_commit")
}

// TestConfig verifies that New rejects what is out of bounds, by the name of the field.
func TestConfig(t *testing.T) {
	t.Parallel()
	_, err := postgres.New(bg, nil, postgres.Config{})
	require.ErrorContains(t, err, "pool")
	pool := openPool(t, "postgres://127.0.0.1:1/none")
	defer pool.Close()
	_, err = postgres.New(bg, pool, postgres.Config{Timeout: -1, MaxPushedRequestsPerClient: -1, MaxPushedRequestsPerAddress: -1})
	for _, field := range []string{"Config.Timeout", "Config.MaxPushedRequestsPerClient", "Config.MaxPushedRequestsPerAddress"} {
		require.ErrorContains(t, err, field)
	}
	simple, err := pgxpool.ParseConfig("postgres://127.0.0.1:1/none?default_query_exec_mode=simple_protocol")
	require.NoError(t, err)
	require.Equal(t, pgx.QueryExecModeSimpleProtocol, simple.ConnConfig.DefaultQueryExecMode)
	pool, err = pgxpool.NewWithConfig(bg, simple)
	require.NoError(t, err)
	defer pool.Close()
	_, err = postgres.New(bg, pool, postgres.Config{})
	require.ErrorContains(t, err, "simple protocol")
}

// FuzzText verifies that each text has a value that PostgreSQL stores, and that two texts are never stored as one
// (docs/threat-model.md J12).
func FuzzText(f *testing.F) {
	for _, s := range []string{"", "client", "a\x00b", "\xff", "\x01", "\x0100", "\x01ff", "'; DROP SCHEMA portner; --", "$$", "Æ"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		stored := postgres.Text(s)
		require.Equal(t, s, postgres.FromText(stored))
		require.NotContains(t, stored, "\x00")
		require.True(t, stored == strings.ToValidUTF8(stored, "?"))
	})
}
