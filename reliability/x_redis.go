package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/storage"
)

// redisDurability checks what a full, a slow and a killed Redis do to used assertions.
func redisDurability(t *trial) {
	for _, policy := range []string{"allkeys-lru", "volatile-lru", "volatile-ttl"} {
		b := t.redisAt(policy, map[string]string{"maxmemory-policy": policy, "maxmemory": "20mb"})
		s, err := open(t, opening{url: b.url})
		t.check(err != nil, "the store accepts %s", policy)
		if err == nil {
			s.close()
		}
		b.server.Stop()
	}
	fillRedis(t, "noeviction")
	killRedis(t)
	sleepRedis(t)
}

func redisDurabilityControl(t *trial) { fillRedis(t, "allkeys-lru") }

// redisAt starts a Redis in a directory of its own.
func (t *trial) redisAt(name string, settings map[string]string) *backend {
	dir := t.dir
	defer func() { t.dir = dir }()
	t.dir = t.path(name)
	return t.ownRedis(settings)
}

// key returns a hash that depends on a number.
func key(space, n uint64) (h storage.Hash) {
	binary.BigEndian.PutUint64(h[:], space)
	binary.BigEndian.PutUint64(h[8:], n)
	return h
}

// fillRedis fills the memory of Redis with sessions over used assertions, and presents the assertions again.
func fillRedis(t *trial, policy string) {
	b := t.redisAt("full-"+policy, map[string]string{"maxmemory-policy": policy, "maxmemory": "20mb"})
	s, err := open(t, opening{url: b.url, evict: policy != "noeviction"})
	t.must(err)
	defer s.close()
	const used, sessions = 5000, 60_000
	now := time.Now()
	expires := now.Add(time.Hour)
	t.workers(16, func(w int, _ *source) {
		for i := w; i < used; i += 16 {
			if err := s.ConsumeJTI(t, "machine", key(1, uint64(i)), expires, now); err != nil {
				t.fail("an assertion: %v", err)
			}
		}
	})
	var stored, refused, verdicts atomic.Int64
	data := make([]byte, 300)
	t.workers(16, func(w int, _ *source) {
		for i := w; i < sessions && refused.Load() < int64(t.size(2000, sessions)); i += 16 {
			_, err := s.ReplaceSession(t, storage.Hash{}, storage.Session{
				Hash: key(2, uint64(i)), ID: fmt.Sprintf("session-%d", i), UserKey: key(3, uint64(i)), StartedAt: now, LastRequestAt: now, ExpiresAt: expires,
				Circles: []storage.Circle{{Identity: data, ACR: "substantial", AuthTime: now}},
			}, 0, now)
			switch {
			case err == nil:
				stored.Add(1)
			case errors.Is(err, portner.ErrUnavailable):
				refused.Add(1)
			default:
				verdicts.Add(1)
			}
		}
	})
	var replays atomic.Int64
	t.workers(16, func(w int, _ *source) {
		for i := w; i < used; i += 16 {
			if s.ConsumeJTI(t, "machine", key(1, uint64(i)), expires, now) == nil {
				replays.Add(1)
			}
		}
	})
	t.count(policy+"_stored", stored.Load())
	t.count(policy+"_refused", refused.Load())
	t.count(policy+"_replays", replays.Load())
	t.check(replays.Load() == 0, "%d of %d used assertions were accepted again", replays.Load(), used)
	t.check(verdicts.Load() == 0, "a full Redis gave %d verdicts", verdicts.Load())
	if policy != "noeviction" {
		return
	}
	t.check(refused.Load() > 0, "the memory was never full")
	c := t.cluster(b.url, 1, nil)
	_, last, err := c.browser("full").authorize("openid", true)
	known := err != nil && (last.status == http.StatusServiceUnavailable || strings.Contains(err.Error(), "temporarily_unavailable"))
	t.check(known, "a login at a full Redis: %v %s", err, last)
}

// killRedis kills Redis, which writes its file at each command, while assertions are used.
func killRedis(t *trial) {
	b := t.redisAt("killed", map[string]string{"appendfsync": "always"})
	s, err := open(t, opening{url: b.url})
	t.must(err)
	defer s.close()
	expires := time.Now().Add(time.Hour)
	var serial, acknowledged, lost atomic.Int64
	used := make(chan uint64, 1_000_000)
	for range t.size(3, 20) {
		ctx, cancel := context.WithCancel(t)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			t.workers(8, func(int, *source) {
				for ctx.Err() == nil {
					n := uint64(serial.Add(1))
					if s.ConsumeJTI(ctx, "machine", key(4, n), expires, time.Now()) == nil {
						acknowledged.Add(1)
						used <- n
					}
				}
			})
		}()
		t.sleep(400 * time.Millisecond)
		b.server.Kill()
		cancel()
		<-ended
		t.must(b.server.Start())
	}
	close(used)
	ready := time.Now()
	for s.Ping(t) != nil && time.Since(ready) < 5*time.Second {
		t.sleep(20 * time.Millisecond)
	}
	t.workers(8, func(int, *source) {
		for n := range used {
			if s.ConsumeJTI(t, "machine", key(4, n), expires, time.Now()) == nil {
				lost.Add(1)
			}
		}
	})
	t.count("killed_acknowledged", acknowledged.Load())
	t.count("killed_lost", lost.Load())
	t.check(lost.Load() == 0, "%d acknowledged assertions were accepted again after kill -9", lost.Load())
	t.check(acknowledged.Load() > 100, "only %d assertions were used before the kills", acknowledged.Load())
}

// sleepRedis stops Redis for longer than the deadline of a call.
func sleepRedis(t *trial) {
	b := t.redisAt("asleep", map[string]string{"enable-debug-command": "yes"})
	c := t.cluster(b.url, 1, nil)
	first := c.families(1, "openid email")[0]
	o, err := redis.ParseURL(b.url)
	t.must(err)
	o.ReadTimeout, o.MaxRetries = 30*time.Second, -1
	admin := redis.NewClient(o)
	defer admin.Close()
	asleep := make(chan error, 1)
	go func() { asleep <- admin.Do(t, "DEBUG", "SLEEP", "5").Err() }()
	t.sleep(200 * time.Millisecond)
	r := c.introspect(first.field("access_token"))
	t.count("asleep_503_after", r.took)
	t.check(r.status == http.StatusServiceUnavailable && r.took <= 6*time.Second, "an introspection while Redis sleeps: %s after %s", r, r.took)
	t.must(<-asleep)
	r = c.again(func() *reply { return c.introspect(first.field("access_token")) })
	t.check(r.active(), "the token is not active after the sleep: %s", r)
}
