package main

import (
	"net/http"
	"sync"
	"syscall"
	"time"
)

// databaseRestart restarts PostgreSQL at once, again and again, under a mixed load.
func databaseRestart(t *trial) { restartDatabase(t, "", 4, t.size(3, 30)) }

// databaseRestartControl needs a refresh in progress when PostgreSQL stops. With 16 callers one restart nearly always meets one.
func databaseRestartControl(t *trial) { restartDatabase(t, outageVerdict, 16, 8) }

func restartDatabase(t *trial, defect string, callers, times int) {
	b := t.ownPostgres(map[string]string{"max_connections": "100"})
	c := t.cluster(b.url, 2, func(_ int, cfg *nodeConfig) { cfg.Variant, cfg.Grace = defect, time.Minute })
	l := &load{cluster: c, patience: 15 * time.Second, longest: 6 * time.Second, pause: 10 * time.Millisecond}
	warm := l.start(4)
	t.sleep(time.Second)
	warm()
	before := c.allStats()
	stop := l.start(callers)
	slowest, restarts := time.Duration(0), 0
	for restarts < times && (defect == "" || !t.isBroken()) {
		restarts++
		t.sleep(1500 * time.Millisecond)
		t.must(b.server.Signal(syscall.SIGQUIT)) // pg_ctl stop -m immediate
		b.server.Stop()
		t.must(b.server.Start())
		accepts := time.Now()
		for l.succeeded().Before(accepts) && time.Since(accepts) < 10*time.Second {
			t.sleep(5 * time.Millisecond)
		}
		slowest = max(slowest, l.succeeded().Sub(accepts))
	}
	t.sleep(time.Second)
	stop()
	l.verify()
	t.count("restarts", restarts)
	t.count("first_success", slowest.Round(time.Millisecond))
	t.check(slowest <= 5*time.Second, "the first success came %s after the start", slowest)
	l.replies()
	if defect == "" {
		t.invariants(b)
		c.settled(before)
	}
}

// allStats returns the numbers of every node.
func (c *cluster) allStats() (all []nodeStats) {
	for _, n := range c.nodes {
		all = append(all, c.stats(n))
	}
	return all
}

// settled checks that goroutines and connections are what they were before.
func (c *cluster) settled(before []nodeStats) {
	c.http.CloseIdleConnections()
	deadline := time.Now().Add(10 * time.Second)
	for i, n := range c.nodes {
		var now nodeStats
		for {
			now = c.stats(n)
			if now.Goroutines <= before[i].Goroutines+5 && now.Conns <= before[i].Conns+5 || time.Now().After(deadline) {
				break
			}
			c.sleep(100 * time.Millisecond)
		}
		c.check(now.Goroutines <= before[i].Goroutines+5, "node %d has %d goroutines, %d before", i, now.Goroutines, before[i].Goroutines)
		c.check(now.Conns <= before[i].Conns+5, "node %d has %d connections, %d before", i, now.Conns, before[i].Conns)
	}
}

// slowDatabase disturbs the connections between the nodes and the store.
func slowDatabase(t *trial) {
	length := time.Duration(t.size(4, 180)) * time.Second
	disturb(t, 0, []disturbance{
		{"delay_50ms", mode{delay: 50 * time.Millisecond}, length},
		{"delay_2s", mode{delay: 2 * time.Second}, length},
		{"drop", mode{drop: true}, 2 * length},
		{"half_open", mode{half: true}, 2 * length},
		{"refuse", mode{refuse: true}, length},
	})
}

func slowDatabaseControl(t *trial) {
	disturb(t, time.Minute, []disturbance{{"drop", mode{drop: true}, 8 * time.Second}})
}

// disturbance is one phase.
type disturbance struct {
	name   string
	mode   mode
	length time.Duration
}

func disturb(t *trial, timeout time.Duration, phases []disturbance) {
	b := t.backend(nil)
	p := t.proxy(b.server.Addr)
	c := t.cluster(b.at(p.addr()), 2, func(_ int, cfg *nodeConfig) { cfg.Grace, cfg.Timeout = time.Minute, timeout })
	l := &load{cluster: c, patience: 20 * time.Second, longest: 6500 * time.Millisecond, pause: 10 * time.Millisecond}
	warm := l.start(4)
	t.sleep(time.Second)
	warm()
	before := c.allStats()
	stop := l.start(8)
	watch := t.watchKeys(c)
	for _, d := range phases {
		start := l.statuses[http.StatusServiceUnavailable].Load()
		p.set(d.mode)
		if d.mode.refuse {
			p.cut()
		}
		t.sleep(d.length)
		p.set(mode{})
		t.count(d.name+"_503", l.statuses[http.StatusServiceUnavailable].Load()-start)
		healed := time.Now()
		for l.succeeded().Before(healed) && time.Since(healed) < 10*time.Second {
			t.sleep(5 * time.Millisecond)
		}
		t.count(d.name+"_recovery", l.succeeded().Sub(healed).Round(time.Millisecond))
		t.check(!l.succeeded().Before(healed), "%s: no success for 10 s afterwards", d.name)
	}
	keys := watch()
	stop()
	l.verify()
	l.replies()
	t.count("jwks_p99", percentile(keys, 0.99))
	t.check(len(keys) > 0 && percentile(keys, 0.99) <= time.Duration(t.size(250, 50))*time.Millisecond, "the p99 of the key set is %s", percentile(keys, 0.99))
	t.check(l.statuses[http.StatusServiceUnavailable].Load() > 0, "no 503 in all phases")
	c.settled(before)
}

// watchKeys loads the key set and the metadata 20 times a second until the returned function is called, which returns the times.
func (t *trial) watchKeys(c *cluster) (stop func() []time.Duration) {
	done, times := make(chan struct{}), []time.Duration{}
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; i < 1_000_000; i++ {
			select {
			case <-done:
				return
			case <-time.After(50 * time.Millisecond):
			}
			r := c.do(http.MethodGet, c.next()+[]string{"/jwks.json", "/.well-known/openid-configuration"}[i%2], nil, nil)
			times = append(times, r.took)
			t.check(r.ok(), "the key set or the metadata: %s", r)
		}
	})
	return func() []time.Duration { close(done); wg.Wait(); return times }
}
