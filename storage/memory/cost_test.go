package memory_test

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/slow"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/storage/memory"
)

// entries returns the number of live records of the cost tests: PORTNER_ENTRIES, or a number at which Go's maps are as full as with
// a million records.
func entries() int {
	if n, err := strconv.Atoi(os.Getenv("PORTNER_ENTRIES")); err == nil {
		return n
	}
	return 125_000
}

func heapNow() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestBytesPerRecord bounds the heap per record, and what remains after expiry. It is not parallel, because it measures the heap.
func TestBytesPerRecord(t *testing.T) {
	slow.WithoutRaceDetector(t) // which changes sizes
	n := entries() / 4          // a record costs at most 3 percent more than among a million; the figures of two runs differ by 2 bytes
	cases := []struct {
		name  string
		limit int64
		put   func(s *memory.Store, i int) error
	}{
		{"session", 495, func(s *memory.Store, i int) error {
			_, err := s.ReplaceSession(context.Background(), none, newSession(i), 50, epoch)
			return err
		}},
		{"replaced session", 495, func(s *memory.Store, i int) error {
			in := newSession(i)
			if _, err := s.ReplaceSession(context.Background(), none, in, 50, epoch); err != nil {
				return err
			}
			next := in
			if i%2 == 0 {
				next.Hash = storage.HashOf(id("rotated", i))
			}
			_, err := s.ReplaceSession(context.Background(), in.Hash, next, 0, epoch)
			return err
		}},
		{"code", 597, func(s *memory.Store, i int) error {
			return s.FinishRequest(context.Background(), outcomeOf(i, newCode(i)), epoch)
		}},
		{"login", 1215, func(s *memory.Store, i int) error {
			if _, err := s.ReplaceSession(context.Background(), none, newSession(i), 50, epoch); err != nil {
				return err
			}
			c := newLogin(i)
			if err := s.FinishRequest(context.Background(), outcomeOf(i, c), epoch); err != nil {
				return err
			}
			return s.RedeemCode(context.Background(), c.Hash, newIssuance(i, 0, c.Grant), epoch)
		}},
		{"jti", 120, func(s *memory.Store, i int) error {
			return s.ConsumeJTI(context.Background(), "client", storage.HashOf(id("jti", i)), epoch.Add(time.Duration(i%120)*time.Second+1), epoch)
		}},
	}
	for _, c := range cases {
		s := bounded(memory.Config{MaxSessions: n, MaxGrants: 2 * n, MaxTokens: 4 * n, MaxReplays: 2 * n})
		before := heapNow()
		for i := range n {
			require.NoError(t, c.put(s, i))
		}
		each := (heapNow() - before) / int64(n)
		_, err := s.Sweep(t.Context(), epoch.Add(24*time.Hour))
		require.NoError(t, err)
		left := (heapNow() - before) / int64(n)
		runtime.KeepAlive(s)
		t.Logf("%s: %d bytes each of %d, %d after expiry", c.name, each, n, left)
		require.LessOrEqual(t, each, c.limit, c.name)
		require.LessOrEqual(t, left, int64(2), "%s: memory left after expiry", c.name)
	}
}

// A sweep looks at its context after at most 256 records, and holds no lock then.
func TestSweepInBatches(t *testing.T) {
	slow.WithoutRaceDetector(t)
	t.Parallel()
	const n = 20_000
	s := memory.New()
	long := newSession(-1)
	long.ExpiresAt = epoch.Add(24 * time.Hour)
	_, err := s.ReplaceSession(t.Context(), none, long, 0, epoch)
	require.NoError(t, err)
	for i := range n {
		in := newSession(i)
		in.UserKey = storage.HashOf(id("user", i%40)) // 40 stripes: the locks that a batch takes
		_, err := s.ReplaceSession(t.Context(), none, in, 0, epoch)
		require.NoError(t, err)
	}
	held, breaks := s.Stats().Sessions, 0
	_, err = s.Sweep(watching{t.Context(), func() {
		left := s.Stats().Sessions
		require.LessOrEqual(t, held-left, 256)
		if left < held {
			breaks++
		}
		held = left
		for i := range 40 { // deadlocks if a lock is held
			_, _ = s.Session(context.Background(), newSession(i).Hash, epoch)
		}
		_, err := s.Session(context.Background(), long.Hash, epoch.Add(time.Hour))
		require.NoError(t, err)
	}}, epoch.Add(time.Hour))
	require.NoError(t, err)
	require.GreaterOrEqual(t, breaks, n/256)
	require.Equal(t, 1, s.Stats().Sessions)
}

// watching is a context that calls look in its method Err.
type watching struct {
	context.Context
	look func()
}

func (w watching) Err() error { w.look(); return nil }

// none is the hash of no session.
var none storage.Hash

// inserts insert new records.
var inserts = []call{
	{"ReplaceSession (new)", func(s *memory.Store, i int) {
		in := newSession(i)
		_, err := s.ReplaceSession(context.Background(), none, in, 50, epoch)
		check(err)
	}},
	{"FinishRequest+RedeemCode", func(s *memory.Store, i int) {
		c := newCode(i)
		check(s.FinishRequest(context.Background(), outcomeOf(i, c), epoch))
		check(s.RedeemCode(context.Background(), c.Hash, newIssuance(i, 0, c.Grant), epoch))
	}},
	{"PushRequest+Consume", func(s *memory.Store, i int) {
		p := newPushed(i, "client-a")
		check(s.PushRequest(context.Background(), p, epoch))
		check(s.ConsumePushedRequest(context.Background(), p.Hash, epoch))
	}},
	{"ConsumeJTI", func(s *memory.Store, i int) {
		check(s.ConsumeJTI(context.Background(), "client", storage.HashOf(id("jti", i)), epoch.Add(time.Minute), epoch))
	}},
	{"FinishRequest (consents)", func(s *memory.Store, i int) {
		check(s.FinishRequest(context.Background(), answer(id("answer", i), i, "a", "b"), epoch))
	}},
}

// bounded returns a store with the bounds of c.
func bounded(c memory.Config) *memory.Store {
	s, err := memory.NewWith(c)
	check(err)
	return s
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

// lookups use the records 0 to n-1 of a filled store.
var lookups = []call{
	{"Session", func(s *memory.Store, i int) {
		_, err := s.Session(context.Background(), storage.HashOf(id("cookie", i)), epoch)
		check(err)
	}},
	{"ReplaceSession", func(s *memory.Store, i int) {
		got, err := s.Session(context.Background(), storage.HashOf(id("cookie", i)), epoch)
		check(err)
		_, _ = s.ReplaceSession(context.Background(), got.Hash, got, 0, epoch) // another core may have been first
	}},
	{"AccessToken", func(s *memory.Store, i int) {
		_, _, err := s.AccessToken(context.Background(), storage.HashOf("access"+strconv.Itoa(i)+"/0"), epoch)
		check(err)
	}},
	{"RefreshToken", func(s *memory.Store, i int) {
		_, _, err := s.RefreshToken(context.Background(), storage.HashOf("refresh"+strconv.Itoa(i)+"/0"), epoch)
		check(err)
	}},
	{"RotateRefreshToken", func(s *memory.Store, i int) {
		hash := storage.HashOf("refresh" + strconv.Itoa(i) + "/0")
		_, g, err := s.RefreshToken(context.Background(), hash, epoch)
		check(err)
		next := newIssuance(i, int(rotation.Add(1)), g)
		next.Refresh.Hash = hash // in place: the record can be used again
		check(s.RotateRefreshToken(context.Background(), hash, next, 0, epoch))
	}},
}

var rotation atomic.Int64

var roomy = memory.Config{
	MaxSessions: 1 << 30, MaxGrants: 1 << 30, MaxTokens: 1 << 30,
	MaxPushedRequests: 1 << 30, MaxConsents: 1 << 30, MaxReplays: 1 << 30,
}

func filled(n int) *memory.Store {
	s := bounded(roomy)
	for i := range n {
		_, err := s.ReplaceSession(context.Background(), none, newSession(i), 50, epoch)
		check(err)
		c := newLogin(i)
		check(s.FinishRequest(context.Background(), outcomeOf(i, c), epoch))
		check(s.RedeemCode(context.Background(), c.Hash, newIssuance(i, 0, c.Grant), epoch))
		check(s.ConsumeJTI(context.Background(), "client", storage.HashOf(id("jti", i)), epoch.Add(time.Minute), epoch))
	}
	return s
}

type call = struct {
	name string
	run  func(s *memory.Store, i int)
}

// BenchmarkMethods measures each method with a thousand and with entries() live records.
func BenchmarkMethods(b *testing.B) {
	for _, size := range []int{1000, entries()} {
		s := filled(size)
		for _, v := range append(slices.Clone(lookups), inserts...) {
			b.Run(fmt.Sprintf("%s/%d", v.name, size), func(b *testing.B) {
				b.ReportAllocs()
				for range b.N {
					v.run(s, number(v, size))
				}
			})
		}
	}
}

// BenchmarkRatios measures two cores over one, and entries() records over a thousand. Each figure is the least of many short
// runs, because other work on the machine only makes runs longer. It ignores b.N.
func BenchmarkRatios(b *testing.B) {
	large := filled(entries())
	ideal := call{"(hashing alone)", func(_ *memory.Store, i int) {
		for range 8 {
			storage.HashOf(id("work", i))
		}
	}}
	for _, v := range append(append([]call{ideal}, lookups...), inserts...) {
		b.Run(v.name, func(b *testing.B) {
			small, one, two := time.Hour, time.Hour, time.Hour
			for range 40 {
				small = min(small, timed(filled(1000), v, 1000, 1))
				one = min(one, timed(large, v, entries(), 1))
				two = min(two, timed(large, v, entries(), 2))
			}
			b.ReportMetric(float64(small.Nanoseconds())/sliceOps, "ns/op-1000")
			b.ReportMetric(float64(one.Nanoseconds())/sliceOps, fmt.Sprintf("ns/op-%d", entries()))
			b.ReportMetric(float64(one)/float64(small), "x-size")
			b.ReportMetric(float64(one)/float64(two), "x-cores")
			b.ReportMetric(0, "ns/op")
		})
	}
}

const sliceOps = 2000

// timed runs sliceOps calls shared by workers.
func timed(s *memory.Store, v call, size, workers int) time.Duration {
	for range 200 {
		v.run(s, number(v, size)) // warm
	}
	var done sync.WaitGroup
	start := time.Now()
	for range workers {
		done.Go(func() {
			for range sliceOps / workers {
				v.run(s, number(v, size))
			}
		})
	}
	done.Wait()
	return time.Since(start)
}

var fresh, roving atomic.Int64

// number returns the number of the record of a call: a new one, or one of the store.
func number(v call, size int) int {
	if slices.ContainsFunc(inserts, func(w call) bool { return w.name == v.name }) {
		return int(fresh.Add(1)) + 100_000_000
	}
	return int(roving.Add(7919)) % size
}

// BenchmarkCollection measures a collection of garbage while the store has entries() logins. It uses one core: -cpu 1.
func BenchmarkCollection(b *testing.B) {
	s := filled(entries())
	runtime.GC()
	for b.Loop() {
		runtime.GC()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(entries()), "ns/login")
	runtime.KeepAlive(s)
}

func BenchmarkSweep(b *testing.B) {
	for _, size := range []int{1000, entries()} {
		b.Run(fmt.Sprintf("one of %d", size), func(b *testing.B) {
			s := filled(size)
			b.ResetTimer()
			for i := range b.N {
				in := newSession(size + i)
				in.ExpiresAt = epoch.Add(1)
				_, err := s.ReplaceSession(context.Background(), none, in, 0, epoch)
				check(err)
				if n, err := s.Sweep(context.Background(), epoch.Add(1)); n != 1 || err != nil {
					b.Fatal(n, err)
				}
			}
		})
	}
}
