package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/session"
)

// clockJumps runs one node whose clock is an hour ahead, and then an hour behind.
func clockJumps(t *trial) {
	for _, skew := range []time.Duration{time.Hour, -time.Hour} {
		jump(t, "", skew, t.size(60, 1000))
	}
}

func clockJumpsControl(t *trial) { jump(t, readThenUpdate, 0, 20) }

// jump races for codes at two nodes of which one has the wrong clock. Then it revokes tokens at the other node, lets both sweep, and uses
// everything again.
func jump(t *trial, defect string, skew time.Duration, count int) {
	c := t.cluster(t.backend(nil).url, 2, func(i int, cfg *nodeConfig) {
		cfg.Variant, cfg.Lifetimes.AccessToken = defect, 5*time.Minute
		if i == 1 {
			cfg.Skew, cfg.Run = skew, t.full
		}
	})
	right := &cluster{trial: t, issuer: c.issuer, nodes: c.nodes[:1], http: c.http, signer: c.signer} // where users log in
	codes := right.codes(count, "openid email")
	winners, twice, other := redeemAtBoth(c, codes)
	used := []string{}
	for i := range count {
		text := c.assertion(fmt.Sprintf("jti-%d", i), time.Now(), time.Now().Add(30*time.Minute))
		r := right.machineToken(text)
		t.check(r.ok(), "an assertion: %s", r)
		used = append(used, text)
	}
	// A revocation at the node with the right clock holds at the other one, and after the other one has swept.
	families := right.families(count, "openid email")
	for _, f := range families {
		t.check(right.revoke(f.field("refresh_token")).ok(), "a revocation")
	}
	t.check(c.control(c.nodes[0], "sweep").ok(), "a sweep")
	if t.full {
		t.sleep(95 * time.Second) // until the node with the wrong clock has swept
	}
	replayed := acceptedAgain(c, codes, used)
	revived := c.liveTokens(append(families, winners...)) // the winners saw a replay
	name := skew.String()
	t.count("skew", name)
	t.count("redeemed_twice", twice)
	t.count("other", other)
	t.count("replays_after_sweep", replayed)
	t.count("active_after_revocation", revived)
	t.check(twice == 0, "%s: %d codes were redeemed twice", name, twice)
	t.check(other == 0, "%s: %d other replies", name, other)
	t.check(replayed == 0, "%s: %d used codes and assertions were accepted after a sweep", name, replayed)
	t.check(revived == 0, "%s: %d revoked tokens are active", name, revived)
}

// redeemAtBoth lets ten callers redeem each code at the nodes in turn. It returns the replies with tokens, the number of codes that were
// redeemed more than once, and the number of replies that are neither.
func redeemAtBoth(c *cluster, codes []authorization) (winners []*reply, twice, other int) {
	for _, a := range codes {
		before := len(winners)
		for _, r := range race(10, func(int) *reply { return c.redeem(a) }) {
			switch {
			case r.ok():
				winners = append(winners, r)
			case !r.refused():
				other++
			}
		}
		if len(winners) > before+1 {
			twice++
		}
	}
	return winners, twice, other
}

// acceptedAgain uses codes and client assertions again at the first node and returns how many it accepts.
func acceptedAgain(c *cluster, codes []authorization, assertions []string) (accepted int) {
	base := c.nodes[0].base
	for _, text := range assertions {
		if c.do(http.MethodPost, base+"/token", machineForm(text), nil).ok() {
			accepted++
		}
	}
	for _, a := range codes {
		if c.callAt(base, "/token", a.form()).ok() {
			accepted++
		}
	}
	return accepted
}

// soak runs a load with short lifetimes, sweeping nodes and changing keys, and checks that nothing grows.
func soak(t *trial) { soakWith(t, 500*time.Millisecond, time.Duration(t.size(24, 3600))*time.Second) }

func soakControl(t *trial) { soakWith(t, 0, 16*time.Second) }

func soakWith(t *trial, sweep, length time.Duration) {
	b := t.backend(nil)
	lead := time.Duration(t.size(5, 120)) * time.Second // between two keys
	keys := []plannedKey{t.signingKey(keyset.Life{})}
	for i := 1; i < min(int(length/lead)+2, 40); i++ {
		keys = append(keys, t.signingKey(keyset.Life{ActiveFrom: time.Now().Add(time.Duration(i) * lead)}))
	}
	c := t.cluster(b.url, 2, func(_ int, cfg *nodeConfig) {
		cfg.Keys, cfg.Sweep, cfg.Grace = keys, sweep, time.Second
		cfg.Skew = -session.MaxSkew / 60 // sweeping keeps a minute beside the expiry
		cfg.Lifetimes = provider.Lifetimes{
			AccessToken: 2 * time.Second, IDToken: 2 * time.Second, RefreshToken: 3 * time.Second, Authorization: 4 * time.Second, Code: 2 * time.Second, Pending: 5 * time.Second,
		}
		cfg.Session = session.Limits{Max: 4 * time.Second, Idle: 2 * time.Second}
	})
	l := &load{cluster: c, patience: 2 * time.Second, longest: 6 * time.Second, pause: 15 * time.Millisecond}
	used := c.watchSigningKeys()
	stop := l.start(6)
	// Rows expire a few seconds after they are inserted. They are kept for session.MaxSkew more, so that a short run sweeps an hour ahead.
	ahead := func() {
		if sweep > 0 && !t.full {
			t.must(t.sweepAhead(b.url, 10*time.Second))
		}
	}
	var rows, heap []int
	for range 8 {
		t.sleep(length / 8)
		ahead()
		rows = append(rows, t.rows(b.url))
		h := 0
		for _, s := range c.allStats() {
			h += int(s.Heap)
		}
		heap = append(heap, h)
	}
	stop()
	t.count("keys_used", len(used()))
	t.count("stories", len(l.stories))
	t.count("rows_middle", rows[3])
	t.count("rows_end", rows[7])
	t.count("heap_middle_kb", heap[3]>>10)
	t.count("heap_end_kb", heap[7]>>10)
	l.replies()
	tenth := max(len(l.times)/10, 1)
	t.count("p99_first_tenth", percentile(l.times[:tenth], 0.99))
	t.count("p99_last_tenth", percentile(l.times[len(l.times)-tenth:], 0.99))
	most := max(rows[2], rows[3], rows[4])
	t.check(rows[7] <= most+most*2/5+100, "%d rows at the end, %d in the middle", rows[7], most)
	t.check(heap[7] <= max(heap[2], heap[3], heap[4])+4<<20, "the heap grew from %d to %d KiB", heap[3]>>10, heap[7]>>10)
	if sweep > 0 {
		t.check(len(used()) >= 3, "only %d keys signed", len(used()))
	}
}

// sweepAhead removes what expired long enough ago by a clock that is ahead.
func (t *trial) sweepAhead(url string, keep time.Duration) error {
	s, err := open(t, opening{url: url, conns: 1})
	if err != nil {
		return err
	}
	defer s.close()
	_, err = s.Sweep(t, time.Now().Add(session.MaxSkew-keep/2))
	return err
}

// rows returns the number of rows of all tables.
func (t *trial) rows(url string) (n int) {
	for _, table := range []string{"sessions", "requests", "grants", "access_tokens", "refresh_tokens", "replays"} {
		n += t.number(url, "select count(*) from portner."+table)
	}
	return n
}

// watchSigningKeys logs a user in now and then until the returned function is called, which returns the keys that signed. The key of
// each id_token must be published at every node.
func (c *cluster) watchSigningKeys() (stop func() map[string]bool) {
	done, kids, once := make(chan struct{}), map[string]bool{}, sync.Once{}
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; i < 1_000_000; i++ {
			select {
			case <-done:
				return
			case <-time.After(500 * time.Millisecond):
			}
			a, _, err := c.browser(fmt.Sprintf("keys-%d", i)).authorize("openid", true)
			if err != nil {
				continue
			}
			head, _, _ := strings.Cut(c.redeem(a).field("id_token"), ".")
			text, _ := base64.RawURLEncoding.DecodeString(head)
			var h struct{ Kid string }
			if json.Unmarshal(text, &h) != nil || h.Kid == "" {
				continue
			}
			kids[h.Kid] = true
			for _, n := range c.nodes {
				r := c.do(http.MethodGet, n.base+"/jwks.json", nil, nil)
				c.check(strings.Contains(string(r.body), h.Kid), "a key that signs is not published")
			}
		}
	})
	return func() map[string]bool { once.Do(func() { close(done); wg.Wait() }); return kids }
}

// A record day has 2.5 million logins, and a peak of 300 in a second.
const day, peak = 2_500_000, 300

// recordDay repeats logins on three nodes as fast as they go. Then it replays the record day on the cluster of the examples.
func recordDay(t *trial) { t.replayDay(t.fastest()) }

// fastest measures logins and refreshes on three nodes and returns the logins in a second.
func (t *trial) fastest() float64 {
	length := time.Duration(t.size(15, 300)) * time.Second
	b := t.backend(nil)
	c := t.cluster(b.url, 3, func(_ int, cfg *nodeConfig) { cfg.Sweep, cfg.Conns = time.Minute, 24 })
	_ = c.codes(200, "openid") // connections, prepared statements
	var logins, failed atomic.Int64
	from, began := c.usage(b), time.Now()
	tokens := make([][]string, 48)
	t.workers(len(tokens), func(w int, _ *source) {
		for i := 0; time.Since(began) < length && t.Err() == nil; i++ {
			a, _, err := c.browser(fmt.Sprintf("record-%d-%d", w, i)).authorize("openid profile", true)
			if err == nil {
				if r := c.redeem(a); r.ok() {
					logins.Add(1)
					tokens[w] = append(tokens[w], r.field("refresh_token"))
					continue
				}
			}
			failed.Add(1)
		}
	})
	rate := float64(logins.Load()) / time.Since(began).Seconds()
	to := c.usage(b)
	t.count("logins", logins.Load())
	t.count("failed", failed.Load())
	t.count("per_second", rate)
	t.count("speed", fmt.Sprintf("%.0fx", rate*86400/day))
	t.count("of_100x", rate*86400/day/100)
	t.perOperation("login", logins.Load(), from, to)
	var refreshed atomic.Int64
	began = time.Now()
	t.workers(len(tokens), func(w int, _ *source) {
		for _, value := range tokens[w] {
			if time.Since(began) > length/2 {
				return
			}
			if c.refresh(value).ok() {
				refreshed.Add(1)
			}
		}
	})
	t.count("refreshes_per_second", float64(refreshed.Load())/time.Since(began).Seconds())
	t.perOperation("refresh", refreshed.Load(), to, c.usage(b))
	t.check(failed.Load() == 0, "%d logins failed", failed.Load())
	return rate
}

// replayDay replays the record day at 100 times its speed with examples/cluster. A part of the logins takes place, so that the peak has
// a third of those that this machine can do: it runs the clients, the proxy, the nodes and the store.
func (t *trial) replayDay(rate float64) {
	speed := float64(t.size(2000, 100))
	sample := math.Ceil(speed * peak / (rate / 3))
	program := t.path("cluster")
	t.must(exec.CommandContext(t, "go", "build", "-o", program, "github.com/portner-go/portner/examples/cluster").Run())
	args := []string{"-addr", "localhost:0", "-replay", fmt.Sprint(speed), "-sample", fmt.Sprint(sample)}
	if t.store != kindPostgres {
		args = append(args, "-store", t.backend(nil).url)
	}
	cmd := exec.CommandContext(t, program, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	out, err := cmd.CombinedOutput()
	_, line, found := strings.Cut(string(out), "replayed: ")
	line, _, _ = strings.Cut(line, "\n")
	var p99 time.Duration
	for _, field := range strings.Fields(line) {
		name, value, _ := strings.Cut(field, "=")
		t.count("day_"+name, value)
		if name == "p99" {
			p99, _ = time.ParseDuration(value)
		}
	}
	t.check(found && err == nil, "the replay: %v, %s", err, out)
	t.check(p99 > 0 && p99 <= 2*time.Second, "the p99 of a login is %s", p99)
}
