// Package explore compares a store with a small model of it in every state that two nodes can reach with a few steps.
//
// A scenario has records and verbs, the methods of a store with fixed arguments. Two nodes call them in any order, each with a clock of
// its own. Run finds every state of the model that they reach with a number of steps, and for each state every further step: it makes the
// same calls to the store, then reads every record on both nodes, and compares each verdict with that of the model. The invariants
// (invariants.go) are checked on what the store returned, and do not depend on the model.
//
// A record that has expired at the latest clock that a store saw may have been collected. The model then allows both verdicts, and
// continues with the one that the store returned.
package explore

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"sync"
	"testing"
	"time"

	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/token"
)

// Store is a store with the methods that are explored.
type Store interface {
	provider.Store
	authorize.PushedRequestStore
	client.ReplayStore
	keyset.Store
	token.GrantStore
	Sweep(ctx context.Context, now time.Time) (removed int, err error)
}

// FullDepth is the number of steps that the tests of package memory explore.
const FullDepth = 5

// Run compares the stores that newStore returns with the model, in every state that is reached with less than depth steps, and fails the
// test with the shortest trace that differs. It makes one store for each scenario; the paths have records of their own.
func Run(t testing.TB, newStore func(testing.TB) Store, depth int) {
	t.Helper()
	run(t, newStore, depth, 0)
}

// RunSome does what Run does with about a number of random paths of each scenario, for stores that take longer.
func RunSome(t testing.TB, newStore func(testing.TB) Store, depth, paths int) {
	t.Helper()
	run(t, newStore, depth, paths)
}

func run(t testing.TB, newStore func(testing.TB) Store, depth, most int) {
	t.Helper()
	var wg sync.WaitGroup
	found := make([]*counterexample, len(scenarios))
	for i, sc := range scenarios {
		store := newStore(t)
		wg.Go(func() { found[i] = sc.run(t, store, depth, most) })
	}
	wg.Wait()
	for _, c := range found {
		if c != nil {
			t.Error(c)
		}
	}
}

// run returns the first counterexample of a store, or nil.
func (sc scenario) run(t testing.TB, store Store, depth, most int) *counterexample {
	states, paths := sc.explore(depth)
	replayed := 0
	for i, path := range paths {
		if most > 0 && scattered(i)%len(paths) >= most {
			continue
		}
		if c := sc.replay(store, path, i); c != nil {
			return c
		}
		replayed++
	}
	t.Logf("%s: %d states, %d of %d paths", sc.name, states, replayed, len(paths))
	return nil
}

// scattered returns a number that looks random, and is the same in each run.
func scattered(i int) int {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(i)))
	return int(binary.BigEndian.Uint32(sum[:]))
}

// Find returns the shortest trace in which a store breaks an invariant or differs from the model, or "".
func Find(store Store, depth int) string { return find(store, depth, scenarios) }

// FindIn returns what Find does, for the paths of one scenario that consist of calls whose texts begin as given.
func FindIn(store Store, depth int, name string, calls ...string) string {
	for _, sc := range scenarios {
		if sc.name == name {
			return find(store, depth, []scenario{sc.of(calls)})
		}
	}
	panic("explore: no scenario " + name)
}

func find(store Store, depth int, scenarios []scenario) string {
	number := 0
	for length := 1; length <= depth; length++ {
		for _, sc := range scenarios {
			_, paths := sc.explore(min(length+sc.less, depth))
			for _, path := range paths {
				if len(path) != length {
					continue
				}
				number++
				if c := sc.replay(store, path, number); c != nil {
					return c.String()
				}
			}
		}
	}
	return ""
}

// none is the argument of ReplaceSession without an old session.
var none storage.Hash
