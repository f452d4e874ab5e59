package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/portner-go/portner/storage"
)

// sessions measures look-ups among many sessions beside a bare select by primary key, and sweeps them.
func sessions(t *trial) {
	b, count := t.backend(nil), t.size(100_000, 1_000_000)
	var slow statements
	s, err := open(t, opening{url: b.url, statement: slow.add})
	t.must(err)
	defer s.close()
	now := time.Now()
	t.must(t.manySessions(b.url, s, count, now))
	lookups := t.size(20_000, 200_000)
	measure := func(find func(h storage.Hash) error) []time.Duration {
		all := make([][]time.Duration, 4)
		t.workers(4, func(w int, r *source) {
			for range lookups / 4 {
				h, begin := key(9, uint64(1+r.intn(count))), time.Now()
				if err := find(h); err != nil {
					t.fail("a look-up: %v", err)
					return
				}
				all[w] = append(all[w], time.Since(begin))
			}
		})
		return append(append(append(all[0], all[1]...), all[2]...), all[3]...)
	}
	var store, bare []time.Duration
	for range 2 { // in turns
		bare = append(bare, measure(func(h storage.Hash) error {
			var data []byte
			return s.pool.QueryRow(t, "select data from public.bare where hash = $1", h[:]).Scan(&data)
		})...)
		store = append(store, measure(func(h storage.Hash) error {
			_, err := s.Session(t, h, now)
			return err
		})...)
	}
	t.count("sessions", count)
	t.count("lookup_p50", percentile(store, 0.5))
	t.count("lookup_p99", percentile(store, 0.99))
	t.count("bare_p50", percentile(bare, 0.5))
	t.count("bare_p99", percentile(bare, 0.99))
	t.check(percentile(store, 0.99) <= max(5*time.Millisecond, 2*percentile(bare, 0.99)), "the p99 of a look-up is %s, %s bare", percentile(store, 0.99), percentile(bare, 0.99))
	slow.reset()
	begin := time.Now()
	removed, err := s.Sweep(t, now.Add(24*time.Hour))
	t.must(err)
	rate := float64(removed) / time.Since(begin).Seconds()
	t.count("swept", removed)
	t.count("rows_per_second", int(rate))
	t.count("statement_max", slow.percentile(1))
	t.count("statement_p50", slow.percentile(0.5))
	t.count("statement_p99", slow.percentile(0.99))
	t.check(removed >= count, "%d of %d sessions were swept", removed, count)
	t.check(rate >= 5000, "%.0f rows were swept in a second", rate)
	// The scheduler of a machine with other load delays statements, so that the short profile requires half of them only.
	part := 0.5
	if t.full {
		part = 0.99
	}
	t.check(slow.percentile(part) <= 50*time.Millisecond, "the %.0f%% of the statements that were fastest took up to %s", 100*part, slow.percentile(part))
}

// statements collects how long statements took.
type statements struct {
	mu  sync.Mutex
	all []time.Duration
}

func (s *statements) add(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, d)
}

func (s *statements) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = nil
}

func (s *statements) percentile(part float64) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return percentile(s.all, part)
}

// manySessions inserts one session with the store and copies it.
func (t *trial) manySessions(url string, s fullStore, count int, now time.Time) error {
	_, err := s.ReplaceSession(t, storage.Hash{}, storage.Session{
		Hash: key(8, 0), ID: "template", UserKey: key(8, 1), StartedAt: now, LastRequestAt: now, ExpiresAt: now.Add(2 * time.Hour),
		Circles: []storage.Circle{{Identity: make([]byte, 300), ACR: "substantial", AMR: []string{"pwd"}, AuthTime: now}},
		Clients: []storage.SessionClient{{ClientID: "web", SID: "sid", LoginAt: now}, {ClientID: "other", SID: "sid2", LoginAt: now}},
	}, 0, now)
	if err != nil {
		return err
	}
	return t.sql(url, func(ctx context.Context, c *pgx.Conn) error {
		for _, q := range []string{
			`set synchronous_commit = off`,
			fmt.Sprintf(`create temp table template as select s.*, i,
				'\x0000000000000009'::bytea || int8send(i) || '\x00000000000000000000000000000000'::bytea as h,
				'\x000000000000000a'::bytea || int8send(i) || '\x00000000000000000000000000000000'::bytea as u
				from portner.sessions s, generate_series(1::bigint, %d) i where s.id = 'template'`, count),
			`update template set id = 'session-' || i, hash = h, user_key = u`,
			`alter table template drop column i, drop column h, drop column u`,
			`insert into portner.sessions select * from template`,
			`create table public.bare (hash bytea primary key, data bytea)`,
			`insert into public.bare select hash, data from portner.sessions`,
			`vacuum analyze portner.sessions`, `vacuum analyze public.bare`,
		} {
			if _, err := c.Exec(ctx, q); err != nil {
				return fmt.Errorf("%s: %w", q, err)
			}
		}
		return nil
	})
}

// poolExhausted locks a table, so that all connections of a small pool wait, and sends more requests than there are connections.
func poolExhausted(t *trial) { exhaust(t, "") }

func poolExhaustedControl(t *trial) { exhaust(t, outageVerdict) }

func exhaust(t *trial, defect string) {
	b := t.backend(nil)
	c := t.cluster(b.url, 1, func(_ int, cfg *nodeConfig) { cfg.Conns, cfg.Grace, cfg.Variant = 2, time.Minute, defect })
	families := c.families(60, "openid email")
	before := c.allStats()
	locked, release := make(chan error, 1), make(chan struct{})
	ended := make(chan error, 1)
	go func() {
		ended <- t.sql(b.url, func(ctx context.Context, c *pgx.Conn) error {
			tx, err := c.Begin(ctx)
			if err == nil {
				_, err = tx.Exec(ctx, "lock table portner.refresh_tokens in access exclusive mode")
			}
			locked <- err
			<-release
			return tx.Rollback(ctx)
		})
	}()
	t.must(<-locked)
	var ok, unavailable, other, slowest atomic.Int64
	time.AfterFunc(4*time.Second, func() { close(release) })
	t.workers(len(families), func(i int, _ *source) {
		r := c.refresh(families[i].field("refresh_token"))
		slowest.Store(max(slowest.Load(), int64(r.took)))
		switch {
		case r.ok():
			ok.Add(1)
		case r.err == nil && r.unavailable():
			unavailable.Add(1)
		default:
			other.Add(1)
			t.fail("another reply: %s", r)
		}
	})
	t.must(<-ended)
	live := 0
	for _, f := range families {
		if c.again(func() *reply { return c.refresh(f.field("refresh_token")) }).ok() {
			live++
		}
	}
	t.count("requests", len(families))
	t.count("connections", 2)
	t.count("ok", ok.Load())
	t.count("503", unavailable.Load())
	t.count("slowest", time.Duration(slowest.Load()).Round(time.Millisecond))
	t.count("usable_afterwards", live)
	t.check(unavailable.Load() > 0, "the pool was never exhausted")
	t.check(time.Duration(slowest.Load()) <= 6*time.Second, "a reply took %s", time.Duration(slowest.Load()))
	t.check(live == len(families), "%d of %d tokens are usable afterwards", live, len(families))
	c.settled(before)
}
