package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/portner-go/portner/internal/localdb"
	"github.com/portner-go/portner/storage"
)

// failover kills the primary and promotes its standby: a synchronous one loses nothing, and of an asynchronous one nothing that was
// consumed can be used after the fence.
func failover(t *trial) {
	synchronousFailover(t)
	asynchronousFailover(t, true)
}

func failoverControl(t *trial) { asynchronousFailover(t, false) }

func synchronousFailover(t *trial) {
	primary := t.ownPostgres(nil)
	standby, err := localdb.StartStandby(localdb.Config{Dir: t.path("standby")}, primary.server)
	t.must(err)
	t.defer_(standby.Stop)
	t.must(t.sql(primary.url, func(ctx context.Context, c *pgx.Conn) error {
		if _, err := c.Exec(ctx, "alter system set synchronous_standby_names = '*'"); err != nil {
			return err
		}
		if _, err := c.Exec(ctx, "select pg_reload_conf()"); err != nil {
			return err
		}
		for range 200 {
			n := 0
			if err := c.QueryRow(ctx, "select count(*) from pg_stat_replication where sync_state = 'sync'").Scan(&n); err != nil || n == 1 {
				return err
			}
			time.Sleep(50 * time.Millisecond)
		}
		return errors.New("the standby is not synchronous")
	}))
	p := t.proxy(primary.server.Addr)
	c := t.cluster(primary.at(p.addr()), 2, func(_ int, cfg *nodeConfig) { cfg.Grace = time.Minute })
	l := &load{cluster: c, patience: 20 * time.Second, longest: 6 * time.Second, pause: 5 * time.Millisecond}
	stop := l.start(6)
	t.sleep(time.Duration(t.size(3, 30)) * time.Second)
	begin := time.Now()
	t.takeOver(primary, standby, p)
	promoted := time.Now()
	t.sleep(2 * time.Second)
	stop()
	l.verify()
	l.replies()
	t.count("promoted_after", promoted.Sub(begin).Round(time.Millisecond))
	t.check(l.succeeded().After(promoted), "no success after the failover")
	t.invariants(&backend{kind: kindPostgres, url: standby.URL, server: standby})
}

// takeOver kills the primary, promotes the standby and directs the proxy to it.
func (t *trial) takeOver(primary *backend, standby *localdb.Server, p *proxy) {
	primary.server.Kill()
	t.must(standby.Promote())
	p.aim(standby.Addr)
	p.cut()
}

// fencer is what a store with a fence has.
type fencer interface {
	FenceAfterFailover(ctx context.Context, since, now time.Time) (ended int, err error)
}

func asynchronousFailover(t *trial, fenced bool) {
	n := t.size(40, 400)
	t.dir = t.path("async")
	primary := t.ownPostgres(nil)
	link := t.proxy(primary.server.Addr) // of the replication
	standby, err := localdb.StartStandby(localdb.Config{Dir: t.path("standby")}, &localdb.Server{URL: primary.at(link.addr())})
	t.must(err)
	t.defer_(standby.Stop)
	p := t.proxy(primary.server.Addr)
	c := t.cluster(primary.at(p.addr()), 2, nil)
	began := time.Now()
	codes, families := c.codes(n, "openid email"), c.families(n, "openid email")
	t.replicated(primary.url)
	link.set(mode{refuse: true})
	link.cut()
	used := []string{}
	for _, a := range codes { // in the transactions that are lost
		r := c.redeem(a)
		t.check(r.ok(), "a code before the failover: %s", r)
	}
	for _, f := range families {
		r := c.refresh(f.field("refresh_token"))
		t.check(r.ok(), "a refresh before the failover: %s", r)
		used = append(used, f.field("refresh_token"))
	}
	t.takeOver(primary, standby, p)
	s, err := open(t, opening{url: standby.URL})
	t.must(err)
	defer s.close()
	came := 0
	for i := range n {
		if _, err := s.Code(t, storage.HashOf(codes[i].code), time.Now()); err == nil {
			came++
		}
		if _, _, err := s.RefreshToken(t, storage.HashOf(used[i]), time.Now()); err == nil {
			came++
		}
	}
	if fenced {
		f, ok := s.fullStore.(fencer)
		if !ok {
			t.must(errors.New("the store has no FenceAfterFailover"))
		}
		ended, err := f.FenceAfterFailover(t, began, time.Now())
		t.must(err)
		t.count("fence_ended", ended)
	}
	usable := 0
	for i := range n {
		if c.again(func() *reply { return c.redeem(codes[i]) }).ok() {
			usable++
		}
		if c.again(func() *reply { return c.refresh(used[i]) }).ok() {
			usable++
		}
	}
	t.count("async_consumed", 2*n)
	t.count("async_came_back", came)
	t.count("async_usable", usable)
	t.check(came > 0, "the standby had received everything: the experiment shows nothing")
	t.check(usable == 0, "%d consumed codes and tokens were used again", usable)
}

// again repeats a request while it is answered with 503 or not at all, for at most 10 s.
func (c *cluster) again(do func() *reply) (r *reply) {
	for deadline := time.Now().Add(10 * time.Second); ; {
		if r = do(); !r.unavailable() || time.Now().After(deadline) {
			return r
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// replicated waits until the standby has everything.
func (t *trial) replicated(url string) {
	for range 200 {
		if t.number(url, "select count(*) from pg_stat_replication where replay_lsn = pg_current_wal_lsn()") == 1 {
			return
		}
		t.sleep(50 * time.Millisecond)
	}
	t.must(fmt.Errorf("the standby is behind"))
}
