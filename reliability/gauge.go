package main

import (
	"context"
	"os"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/portner-go/portner/storage"
)

// longHold is the processor time for which no lock of a store may be held.
const longHold = 2 * time.Millisecond

// gauge measures the calls of a store by the processor time of their threads, so that other load of the machine does not count. The time of
// a call includes that of every lock that it holds, and what the garbage collector makes the call do.
type gauge struct {
	mu    sync.Mutex
	cpu   histogram
	wall  histogram
	sweep histogram // from one step of a sweep to the next
}

// histogram counts durations by their size in steps of a sixteenth.
type histogram struct {
	Counts  map[int]int64
	Longest time.Duration
}

func (h *histogram) add(d time.Duration) {
	if h.Counts == nil {
		h.Counts = map[int]int64{}
	}
	h.Counts[step(d)]++
	h.Longest = max(h.Longest, d)
}

// step numbers the sizes: each is a sixteenth of a power of two of nanoseconds longer than the one before.
func step(d time.Duration) (n int) {
	for ; d >= 32; d >>= 1 {
		n += 16
	}
	return n + int(d)
}

// atLeast returns the shortest duration of a step.
func atLeast(n int) time.Duration {
	if n < 32 {
		return time.Duration(n)
	}
	return time.Duration(n%16+16) << (n/16 - 1)
}

// total returns the number of durations, and how many of them are at least d.
func (h histogram) total(d time.Duration) (all, long int64) {
	for n, count := range h.Counts {
		all += count
		if atLeast(n) >= d {
			long += count
		}
	}
	return all, long
}

// percentile returns the duration that a part of all does not exceed, rounded down to a step.
func (h histogram) percentile(part float64) time.Duration {
	all, _ := h.total(0)
	var steps []int
	for n := range h.Counts {
		steps = append(steps, n)
	}
	slices.Sort(steps)
	seen := int64(0)
	for _, n := range steps {
		if seen += h.Counts[n]; float64(seen) >= part*float64(all) {
			return atLeast(n)
		}
	}
	return 0
}

// call measures one call.
func (g *gauge) call(f func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cpu, wall := threadTime(), time.Now()
	f()
	used, took := threadTime()-cpu, time.Since(wall)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.cpu.add(used)
	g.wall.add(took)
}

// gauged is a store whose calls are measured: all that a login, its tokens and their end use.
type gauged struct {
	fullStore
	*gauge
}

// Session implements provider.Store.
func (s gauged) Session(ctx context.Context, hash storage.Hash, now time.Time) (x storage.Session, err error) {
	s.call(func() { x, err = s.fullStore.Session(ctx, hash, now) })
	return x, err
}

// ReplaceSession implements provider.Store.
func (s gauged) ReplaceSession(ctx context.Context, old storage.Hash, next storage.Session, limit int, now time.Time) (ended []storage.Session, err error) {
	s.call(func() { ended, err = s.fullStore.ReplaceSession(ctx, old, next, limit, now) })
	return ended, err
}

// EndSession implements provider.Store.
func (s gauged) EndSession(ctx context.Context, hash storage.Hash, now time.Time) (x storage.Session, err error) {
	s.call(func() { x, err = s.fullStore.EndSession(ctx, hash, now) })
	return x, err
}

// FinishRequest implements provider.Store.
func (s gauged) FinishRequest(ctx context.Context, o storage.Outcome, now time.Time) (err error) {
	s.call(func() { err = s.fullStore.FinishRequest(ctx, o, now) })
	return err
}

// RedeemCode implements provider.Store.
func (s gauged) RedeemCode(ctx context.Context, hash storage.Hash, i *storage.Issuance, now time.Time) (err error) {
	s.call(func() { err = s.fullStore.RedeemCode(ctx, hash, i, now) })
	return err
}

// RotateRefreshToken implements provider.Store.
func (s gauged) RotateRefreshToken(ctx context.Context, hash storage.Hash, i *storage.Issuance, grace time.Duration, now time.Time) (err error) {
	s.call(func() { err = s.fullStore.RotateRefreshToken(ctx, hash, i, grace, now) })
	return err
}

// AccessToken implements provider.Store.
func (s gauged) AccessToken(ctx context.Context, hash storage.Hash, now time.Time) (t storage.AccessToken, g storage.Grant, err error) {
	s.call(func() { t, g, err = s.fullStore.AccessToken(ctx, hash, now) })
	return t, g, err
}

// Revoke implements provider.Store.
func (s gauged) Revoke(ctx context.Context, r storage.Revocation, now time.Time) (err error) {
	s.call(func() { err = s.fullStore.Revoke(ctx, r, now) })
	return err
}

// ConsumeJTI implements client.ReplayStore.
func (s gauged) ConsumeJTI(ctx context.Context, clientID string, key storage.Hash, expiresAt, now time.Time) (err error) {
	s.call(func() { err = s.fullStore.ConsumeJTI(ctx, clientID, key, expiresAt, now) })
	return err
}

// Sweep measures the steps of a sweep: a store reads the error of its context between two of them, and holds no lock then.
func (s gauged) Sweep(ctx context.Context, now time.Time) (removed int, err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return s.fullStore.Sweep(&steps{Context: ctx, gauge: s.gauge, last: threadTime()}, now)
}

// steps measures the time between two calls of Err, which are made by one goroutine.
type steps struct {
	context.Context
	gauge *gauge
	last  time.Duration
}

// Err implements context.Context.
func (s *steps) Err() error {
	now := threadTime()
	s.gauge.mu.Lock()
	s.gauge.sweep.add(now - s.last)
	s.gauge.mu.Unlock()
	s.last = now
	return s.Context.Err()
}

// openFiles returns the number of open files and sockets of this process, 0 where there is no /proc.
func openFiles() int {
	all, _ := os.ReadDir("/proc/self/fd")
	return len(all)
}
