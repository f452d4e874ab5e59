package main

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/portner-go/portner/pkce"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/session"
)

// speed is how fast the clock of fast-clock runs: a minute passes in 0.1 s.
const speed = 600

// fastClock runs mixed flows at full load on one node whose clock runs fast, and checks that nothing is leaked, that expired records are
// removed, and that no lock is held for long.
func fastClock(t *trial) {
	fast(t, "", time.Minute/speed, time.Duration(t.size(12, 600))*time.Second)
}

func fastClockLeaking(t *trial) { fast(t, leaking, time.Minute/speed, 3*time.Second) }

func fastClockHolding(t *trial) { fast(t, holding, time.Minute/speed, 2*time.Second) }

// longestLife is how long the longest record of the load lives, by the clock of the node.
const longestLife = 40 * time.Minute

// enoughLogins is the least number of logins of a load. A lock that is held at each of them exceeds what a collection of garbage may do.
const enoughLogins = 50

// fast runs the load, and samples the node ten times. The first three samples are those of a node that becomes full.
func fast(t *trial, defect string, sweep, length time.Duration) {
	b := t.backend(nil)
	start := time.Now()
	c := t.cluster(b.url, 1, func(_ int, cfg *nodeConfig) {
		cfg.Variant, cfg.Sweep, cfg.Speed, cfg.Start, cfg.Gauge = defect, sweep, speed, start, true
		// A code lives for 2 s of the machine: other load may delay a client.
		cfg.Lifetimes = provider.Lifetimes{
			Code: 10 * time.Minute, Pending: 20 * time.Minute, AccessToken: 10 * time.Minute, IDToken: 10 * time.Minute, RefreshToken: 20 * time.Minute, Authorization: 30 * time.Minute,
		}
		cfg.Session = session.Limits{Max: longestLife, Idle: 20 * time.Minute}
		cfg.History = longestLife
	})
	m := &mixture{cluster: c, now: func() time.Time { return start.Add(speed * time.Since(start)) }}
	var samples []nodeStats
	done := make(chan struct{})
	go func() {
		defer close(done)
		t.workers(8, m.run)
	}()
	for range 10 {
		t.sleep(length / 10)
		samples = append(samples, c.stats(c.nodes[0]))
	}
	for m.logins.Load() < enoughLogins && t.Err() == nil && !t.isBroken() { // on a machine with other load
		t.sleep(length / 10)
	}
	last := c.stats(c.nodes[0])
	m.stop.Store(true)
	<-done
	m.report()
	t.grown(samples, length*4/10 >= longestLife/speed)
	t.holds(last)
	t.count("provider_hours", (time.Since(start) * speed).Hours())
}

// grown checks that the last samples are not larger than those after the first third. What records take is compared if the first third is
// full: as long as the longest record lives.
func (t *trial) grown(samples []nodeStats, full bool) {
	for name, c := range map[string]struct {
		of      func(s nodeStats) int
		part    int // of the early value that may be added
		slack   int
		compare bool
	}{
		"goroutines": {func(s nodeStats) int { return s.Goroutines }, 20, 20, true},
		"files":      {func(s nodeStats) int { return s.Files }, 20, 20, true},
		"heap_kb":    {func(s nodeStats) int { return int(s.Heap >> 10) }, 4, 4 << 10, full},
		"records":    {func(s nodeStats) int { return s.Records }, 4, 500, full},
		"disk_kb":    {func(s nodeStats) int { return int(s.Disk >> 10) }, 4, 8 << 10, full},
	} {
		var all []int
		for _, s := range samples {
			all = append(all, c.of(s))
		}
		early, late := slices.Max(all[1:4]), slices.Min(all[7:])
		t.count(name, fmt.Sprintf("%d..%d", early, late))
		t.check(!c.compare || late <= early+early/c.part+c.slack, "%s grew from %d to %d", name, early, late)
	}
}

// holds checks the processor time of the calls of the store, and of the steps of its sweeps.
func (t *trial) holds(s nodeStats) {
	calls, long := s.Calls.total(longHold)
	steps, longSteps := s.Steps.total(longHold)
	t.count("calls", calls)
	t.count("calls_cpu_p50", s.Calls.percentile(0.5))
	t.count("calls_cpu_p99.9", s.Calls.percentile(0.999))
	t.count("calls_cpu_max", s.Calls.Longest)
	t.count("calls_wall_p50", s.Walls.percentile(0.5))
	t.count("calls_wall_p99", s.Walls.percentile(0.99))
	t.count("calls_over_2ms", long)
	if t.store == kindMemory { // SQLite executes a step of a sweep in the goroutine of another caller
		t.count("sweep_steps", steps)
		t.count("steps_cpu_max", s.Steps.Longest)
		t.count("steps_over_2ms", longSteps)
		// A call may do work of the garbage collector. Of a few hundred calls, some may.
		t.check(long <= max(8, calls/2000), "%d of %d calls used more than %s of a processor", long, calls, longHold)
		t.check(longSteps*1000 <= steps, "%d of %d steps of sweeps used more than %s", longSteps, steps, longHold)
		return
	}
	// A call can execute the transaction of up to 64 others.
	t.check(s.Calls.percentile(0.5) <= longHold, "half of the calls use more than %s", longHold)
}

// mixture is a load of whole flows, and of requests that are rejected.
type mixture struct {
	*cluster
	now                                        func() time.Time
	stop                                       atomic.Bool
	logins, tokens, expired, machines, refused atomic.Int64
}

func (m *mixture) report() {
	m.count("logins", m.logins.Load())
	m.count("token_responses", m.tokens.Load())
	m.count("too_late", m.expired.Load())
	m.count("machine_tokens", m.machines.Load())
	m.count("rejected", m.refused.Load())
	m.check(m.logins.Load() > 20 && m.tokens.Load() > 2*m.expired.Load(), "there was no load: %d logins, %d token responses", m.logins.Load(), m.tokens.Load())
}

// run is one user after the other.
func (m *mixture) run(w int, r *source) {
	for i := 0; i < 10_000_000 && !m.stop.Load() && m.Err() == nil; i++ {
		m.user(fmt.Sprintf("user-%d-%d", w, i%500), r)
		if r.intn(4) == 0 {
			at := m.now()
			if m.see(m.machineToken(m.assertion(fmt.Sprintf("%d-%d", w, i), at, at.Add(time.Minute)))).ok() {
				m.machines.Add(1)
			}
		}
		m.hostile()
	}
}

// user is a login with its tokens, a second login with the session, and one of several ends.
func (m *mixture) user(name string, r *source) {
	b := m.browser(name)
	scopes := []string{"openid", "openid email", "openid profile"}[r.intn(3)]
	var last *reply
	for i := range 2 {
		a, reached, err := b.authorize(scopes, i == 0)
		m.see(reached)
		if err != nil {
			m.expired.Add(1)
			return
		}
		m.logins.Add(1)
		if last = m.token(m.redeem(a)); !last.ok() {
			return
		}
	}
	first := last.field("refresh_token")
	for range r.intn(3) {
		next := m.token(m.refresh(last.field("refresh_token")))
		if !next.ok() {
			return
		}
		m.see(m.introspect(next.field("access_token")))
		last = next
	}
	switch r.intn(5) {
	case 0:
		m.see(m.revoke(last.field("refresh_token")))
	case 1:
		m.see(b.logout(last.field("id_token")))
	case 2:
		m.see(m.refresh(first)) // a second use ends the family
	}
}

// token counts a response of the token endpoint.
func (m *mixture) token(r *reply) *reply {
	if m.see(r); r.ok() {
		m.tokens.Add(1)
	} else {
		m.expired.Add(1)
	}
	return r
}

// hostile sends requests that are rejected, or that no user finishes.
func (m *mixture) hostile() {
	q := url.Values{
		"response_type": {"code"}, "client_id": {clientID}, "redirect_uri": {callback}, "scope": {"openid"}, "state": {"s"}, "nonce": {"n"},
		"code_challenge": {pkce.Challenge(pkce.NewVerifier())}, "code_challenge_method": {"S256"},
	}
	m.see(m.call("/par", q))
	m.see(m.do(http.MethodGet, m.next()+"/authorize?"+q.Encode(), nil, nil))
	m.see(m.refresh(strings.Repeat("x", 43)))
	m.see(m.do(http.MethodGet, m.next()+"/authorize?client_id=unknown", nil, nil))
	m.refused.Add(2)
}

// see checks that a reply is one of a server without a fault.
func (m *mixture) see(r *reply) *reply {
	if m.stop.Load() || m.Err() != nil {
		return r
	}
	if r.err != nil || !slices.Contains([]int{200, 201, 303, 400, 401, 403}, r.status) {
		m.fail("a reply: %s", r)
	}
	return r
}
