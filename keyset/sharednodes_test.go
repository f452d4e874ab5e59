package keyset_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/slow"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/storage/memory"
)

// simulation runs nodes with clocks of their own on one store.
type simulation struct {
	shared   keyset.Shared
	skew     time.Duration // largest difference between two clocks
	outage   time.Duration // longest outage of the store
	restarts bool
	days     int
}

type simulated struct {
	offset time.Duration
	set    *keyset.Set
	stop   func()
}

// fleet is the state of a simulation.
type fleet struct {
	simulation
	random *rand.Rand
	store  *outages
	nodes  []*simulated
	first  map[string]time.Time // kid to when every node had published it
	used   map[string]bool
	live   map[string]time.Time // kid to the end of the last token that a node signed with it
}

// outages is a store that is down until an instant.
type outages struct {
	keyset.Store
	until atomic.Int64 // nanoseconds since 1970
}

func (s *outages) down() bool { return time.Now().UnixNano() < s.until.Load() }

func (s *outages) SigningKeys(ctx context.Context, set string) ([]storage.SigningKey, error) {
	if s.down() {
		return nil, errors.New("down")
	}
	return s.Store.SigningKeys(ctx, set)
}

// TestSharedNodes runs four nodes for months of rotations, with clocks that differ, restarts and outages of the store. At each step, with
// the clock of each node: one key is active, every node publishes the keys that any node signs with, and those of every live token. A
// key is published by every node for the max-age of the JWKS, an hour, before a node signs with it. Each number has one key.
func TestSharedNodes(t *testing.T) {
	t.Parallel()
	for name, sim := range map[string]simulation{
		"shortest lead":                 {skew: 5 * time.Minute, days: 35, shared: keyset.Shared{Every: 5 * 24 * time.Hour, PublishLead: 125 * time.Minute, Keep: 3 * time.Hour}},
		"period as short as the lead":   {skew: 5 * time.Minute, days: 4, shared: keyset.Shared{Every: 3 * time.Hour, PublishLead: 3 * time.Hour, Keep: 2 * time.Hour}},
		"restarts and outages":          {skew: 5 * time.Minute, outage: 10 * time.Hour, restarts: true, days: 42, shared: keyset.Shared{Every: 6 * 24 * time.Hour, PublishLead: 20 * time.Hour, Keep: 24 * time.Hour}},
		"clocks that are two hours off": {skew: 2 * time.Hour, restarts: true, days: 28, shared: keyset.Shared{Every: 4 * 24 * time.Hour, PublishLead: 24 * time.Hour, Keep: 12 * time.Hour}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if sim.days > 10 {
				slow.WithoutRaceDetector(t)
			}
			synctest.Test(t, sim.run)
		})
	}
}

func (sim simulation) run(t *testing.T) {
	f := &fleet{
		simulation: sim, random: rand.New(rand.NewPCG(1, 7)), store: &outages{Store: memory.New()},
		first: map[string]time.Time{}, used: map[string]bool{}, live: map[string]time.Time{},
	}
	f.shared.Store, f.shared.Set, f.shared.Alg, f.shared.Secrets = f.store, setName, keyset.EdDSA, shared(nil).Secrets
	for i := range 4 {
		f.nodes = append(f.nodes, &simulated{offset: sim.skew*time.Duration(i)/3 - sim.skew/2})
	}
	var starting sync.WaitGroup
	for _, n := range f.nodes {
		starting.Go(func() { f.start(t, n) })
	}
	starting.Wait()
	end := time.Now().AddDate(0, 0, sim.days)
	for time.Now().Before(end) {
		time.Sleep(f.pace(t))
		f.disturb(t)
		synctest.Wait()
		f.step(t)
	}
	for _, n := range f.nodes {
		if n.set != nil {
			n.stop()
		}
	}
	f.checkNumbers(t)
	require.Greater(t, len(f.used), 5, "many keys signed")
}

// pace returns the time to the next step: short from when a successor is due until it has signed.
func (f *fleet) pace(t *testing.T) time.Duration {
	short := f.shared.PublishLead / 25
	all := records(t, f.store.Store)
	newest := all[len(all)-1]
	if !f.used[newest.KID] {
		return short
	}
	signsFrom := newest.ActiveFrom
	if signsFrom.IsZero() {
		signsFrom = newest.CreatedAt
	}
	due := signsFrom.Add(f.shared.Every - f.shared.PublishLead - f.skew)
	return max(short, min(time.Until(due), time.Duration(f.random.Int64N(int64(2*time.Hour)))))
}

// start starts a node. If the store is down, the node stays down.
func (f *fleet) start(t *testing.T, n *simulated) {
	h := f.shared
	h.Now = func() time.Time { return time.Now().Add(n.offset) }
	set, err := h.Open(t.Context())
	if err != nil {
		require.True(t, f.store.down(), "%v", err)
		return
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { set.Run(ctx) })
	n.set, n.stop = set, func() {
		cancel()
		running.Wait()
		n.set = nil
	}
}

// disturb restarts nodes, and begins outages with an hour between them at least.
func (f *fleet) disturb(t *testing.T) {
	for _, n := range f.nodes {
		if n.set == nil {
			f.start(t, n)
		} else if f.restarts && f.random.IntN(200) == 0 {
			n.stop()
		}
	}
	if now := time.Now(); f.outage > 0 && f.random.IntN(60) == 0 && now.UnixNano() > f.store.until.Load()+int64(time.Hour) {
		f.store.until.Store(now.UnixNano() + f.random.Int64N(int64(f.outage)))
	}
}

func (f *fleet) step(t *testing.T) {
	now := time.Now()
	var running []*simulated
	published := [][]string{}
	everywhere := map[string]int{}
	for _, n := range f.nodes {
		if n.set == nil {
			continue
		}
		running = append(running, n)
		kids := publishedBy(t, n, now)
		published = append(published, kids)
		for _, kid := range kids {
			everywhere[kid]++
		}
		active := 0
		for _, state := range n.set.States() {
			if state.Phase(now.Add(n.offset)) == keyset.Active {
				active++
			}
		}
		require.Equal(t, 1, active, "one active key at the clock of a node")
	}
	for kid, count := range everywhere {
		if _, seen := f.first[kid]; !seen && count == len(running) {
			f.first[kid] = now
		}
	}
	for _, n := range running {
		f.sign(t, n, running, now)
	}
	for kid, end := range f.live {
		for i := range published {
			require.True(t, !now.Before(end) || slices.Contains(published[i], kid), "node %d does not publish %s, %v before the end of a token", i, kid, end.Sub(now))
		}
	}
}

func publishedBy(t *testing.T, n *simulated, now time.Time) []string {
	return published(t, n.set, now.Add(n.offset))
}

// sign signs a token on a node. It verifies the first one of a kid on every node; the others are verified by the kids in the JWKS.
func (f *fleet) sign(t *testing.T, n *simulated, running []*simulated, now time.Time) {
	token := sign(t, n.set, "", "", now.Add(n.offset))
	kid := kidOf(t, token)
	f.live[kid] = now.Add(f.shared.Keep - f.skew)
	if f.used[kid] {
		return
	}
	if len(f.used) > 0 {
		require.Contains(t, f.first, kid, "published by every node")
		require.GreaterOrEqual(t, now.Sub(f.first[kid]), time.Hour-f.shared.PublishLead/25, "published for the max-age of the JWKS, to the step")
	}
	f.used[kid] = true
	for _, other := range running {
		_, err := other.set.VerifyIDToken(token, now.Add(other.offset))
		require.NoError(t, err)
	}
}

// checkNumbers: each number has one key, without gaps, and a few private keys are left.
func (f *fleet) checkNumbers(t *testing.T) {
	f.store.until.Store(0)
	left, seen := 0, map[string]bool{}
	all := records(t, f.store)
	for i, k := range all {
		require.Equal(t, int64(i+1), k.Number)
		require.False(t, seen[k.KID])
		seen[k.KID] = true
		if len(k.Key) > 0 {
			left++
		}
	}
	require.LessOrEqual(t, left, 2+int((f.shared.Keep+25*time.Hour+f.outage)/f.shared.Every)+1)
}
