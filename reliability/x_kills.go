package main

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// kills runs whole logins on two nodes and kills one of them again and again.
func kills(t *trial) {
	nodes := 2
	if t.store == kindSQLite {
		nodes = 1
	}
	b := t.backend(nil)
	if b.kind == kindPostgres {
		t.must(t.breakTransactions(b.url))
	}
	c := t.cluster(b.url, nodes, func(_ int, cfg *nodeConfig) { cfg.Grace = time.Minute })
	l := &load{cluster: c, patience: 8 * time.Second, longest: 6 * time.Second}
	stop := l.start(6)
	t.killNodes(c, t.size(20, 200), []string{"", beforeConsume, inFlight, afterCommit, ""})
	stop()
	if b.kind == kindPostgres {
		t.must(t.mendTransactions(b.url))
	}
	l.verify()
	l.replies()
	t.invariants(b)
}

// killNodes kills a random node again and again: at any moment, or at one of the places.
func (t *trial) killNodes(c *cluster, times int, places []string) {
	r := newSource(t.seed, 7)
	slowest, atPlace := time.Duration(0), 0
	for i := range times {
		n := c.nodes[r.intn(len(c.nodes))]
		select {
		case <-n.dead():
			atPlace++
		case <-time.After(r.between(200*time.Millisecond, 600*time.Millisecond)):
			n.kill()
		}
		n.cfg.Fail = failPoint{Name: places[i%len(places)], After: int64(1 + r.intn(25))}
		if i == times-1 {
			n.cfg.Fail = failPoint{}
		}
		t.must(n.start())
		slowest = max(slowest, n.startup())
	}
	for _, n := range c.nodes { // those that still have a place at which they end
		n.kill()
		n.cfg.Fail = failPoint{}
		t.must(n.start())
		slowest = max(slowest, n.startup())
	}
	t.count("kills", times)
	t.count("at_a_place", atPlace)
	t.count("slowest_start", slowest.Round(time.Millisecond))
	t.check(slowest <= 3*time.Second, "a node started in %s", slowest)
}

// killsSplit kills a node between the two transactions of a redemption.
func killsSplit(t *trial) {
	b := t.backend(nil)
	c := t.cluster(b.url, 2, func(_ int, cfg *nodeConfig) { cfg.Variant, cfg.Grace = splitInTwo, time.Minute })
	l := &load{cluster: c, patience: 8 * time.Second}
	stop := l.start(4)
	t.killNodes(c, 6, []string{betweenSplit})
	stop()
	quiet := len(t.broken) // a client may see the defect too, but the tables must show it
	t.invariants(b)
	t.broken = t.broken[quiet:]
}

// killsEarly kills a node right after it has reported revocations.
func killsEarly(t *trial) {
	c := t.cluster(t.backend(nil).url, 2, func(_ int, cfg *nodeConfig) { cfg.Variant, cfg.Grace = earlyReply, time.Minute })
	l := &load{cluster: c, patience: 8 * time.Second}
	stop := l.start(4)
	t.killNodes(c, 6, []string{""})
	stop()
	quiet := len(t.broken)
	l.verify()
	t.broken = t.broken[quiet:]
}

// breakTransactions makes PostgreSQL end the connection of some transactions: after the statement that consumes, after the one that
// inserts tokens, and before the commit.
func (t *trial) breakTransactions(url string) error {
	return t.sql(url, func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Exec(ctx, `
			create sequence public.broken;
			create function public.break() returns trigger language plpgsql as $$
			begin
				if random() < 0.01 then
					perform nextval('public.broken');
					perform pg_terminate_backend(pg_backend_pid());
				end if;
				return null;
			end $$;
			create trigger after_consume after update on portner.grants for each row execute function public.break();
			create trigger after_rotate after update on portner.refresh_tokens for each row execute function public.break();
			create trigger after_insert after insert on portner.access_tokens for each row execute function public.break();
			create constraint trigger before_commit after insert on portner.access_tokens deferrable initially deferred
				for each row execute function public.break();`)
		return err
	})
}

// mendTransactions ends what breakTransactions does, and counts how often it happened.
func (t *trial) mendTransactions(url string) error {
	err := t.sql(url, func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Exec(ctx, `
			drop trigger after_consume on portner.grants;
			drop trigger after_rotate on portner.refresh_tokens;
			drop trigger after_insert on portner.access_tokens;
			drop trigger before_commit on portner.access_tokens;`)
		return err
	})
	if err == nil {
		t.count("transactions_broken", t.number(url, "select case when is_called then last_value else 0 end from public.broken")) // sequences are not rolled back
	}
	return err
}

// invariants are what the tables of PostgreSQL must hold whenever no request is running.
var invariants = []struct{ name, count string }{
	{"families with several live refresh tokens", `select count(*) from (
		select 1 from portner.refresh_tokens r join portner.grants g on g.id = r.grant_id
		where r.consumed_at is null and g.redeemed_at is not null and g.revoked_at is null group by r.grant_id having count(*) > 1) as several`},
	{"consumed codes without a grant", `select count(*) from portner.grants g left join portner.sessions s on s.id = g.session_id
		where g.consumed_at is not null and g.redeemed_at is null and g.revoked_at is null and s.ended_at is null`},
	{"redeemed codes without tokens", `select count(*) from portner.grants g where g.redeemed_at is not null
		and not exists (select 1 from portner.access_tokens a where a.grant_id = g.id)`},
	{"tokens without a consumed code", `select count(*) from portner.access_tokens a left join portner.grants g on g.id = a.grant_id
		where g.redeemed_at is null or g.code_hash is not null and g.consumed_at is null`},
	{"refresh tokens without a grant", `select count(*) from portner.refresh_tokens r left join portner.grants g on g.id = r.grant_id
		where g.redeemed_at is null`},
	{"rotated tokens without their successor", `select count(*) from portner.refresh_tokens r
		where r.successor is not null and not exists (select 1 from portner.refresh_tokens n where n.hash = r.successor)`},
	{"grants of login only that outlive their session", `select count(*) from portner.grants g join portner.sessions s on s.id = g.session_id
		where g.login_only and g.redeemed_at is not null and g.revoked_at is null and s.ended_at is not null`},
}

// invariants checks the tables, and that nothing is left in them once everything has expired.
func (t *trial) invariants(b *backend) {
	if b.kind == kindPostgres {
		for _, i := range invariants {
			n := t.number(b.url, i.count)
			t.check(n == 0, "%d %s", n, i.name)
		}
	}
	s, err := open(t, opening{url: b.url})
	t.must(err)
	defer s.close()
	later, removed := time.Now().Add(400*24*time.Hour), 0
	for range 10_000 {
		n, err := s.Sweep(t, later)
		t.must(err)
		if removed += n; n == 0 {
			break
		}
	}
	t.count("swept", removed)
	if b.kind == kindPostgres {
		left := 0
		for _, table := range []string{"sessions", "requests", "grants", "access_tokens", "refresh_tokens", "consents", "pushed_requests", "logins", "replays"} {
			left += t.number(b.url, "select count(*) from portner."+table)
		}
		t.count("rows_left", left)
		t.check(left == 0, "%d rows are left after a sweep of everything", left)
	}
}
