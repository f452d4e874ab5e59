package maskinporten_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/digdir/maskinporten"
	"github.com/portner-go/portner/internal/slow"
	"github.com/portner-go/portner/storage"
)

const callers = 8

var rounds = slow.Rounds(500)

// race sends one assertion from many callers at once and returns the number of tokens.
func race(t *testing.T, w *world, assertion string, wantLosers bool) int {
	t.Helper()
	var (
		start = make(chan struct{})
		wg    sync.WaitGroup
		mu    sync.Mutex
		won   int
	)
	for range callers {
		wg.Go(func() {
			<-start
			a := w.send(t, assertion)
			mu.Lock()
			defer mu.Unlock()
			if a.status == 200 {
				won++
			} else if wantLosers && a.str("error_description")[:len(catalogue["MP-012"].text)] != catalogue["MP-012"].text {
				t.Errorf("loser: %s", a.raw)
			}
		})
	}
	close(start)
	wg.Wait()
	return won
}

// TestReplayRace checks that one assertion sent by several callers at once yields one token, in 500 rounds. Every other round has no
// jti.
func TestReplayRace(t *testing.T) {
	t.Parallel()
	w := newWorld(t, quiet)
	for i := range rounds {
		payload := v4().with("jti", fmt.Sprintf("round-%d", i))
		if i%2 == 1 {
			payload = v4().with("jti", nil, "round", i)
		}
		require.Equal(t, 1, race(t, w, byKey(payload), true), "round %d", i)
	}
}

// quiet discards log and events, which would hold every request.
func quiet(c *maskinporten.Config) { c.Logger, c.OnEvent = nil, nil }

// nonAtomicReplay is a broken store: it looks up and inserts in two steps. Between them, the first caller waits for a second one to
// look up.
type nonAtomicReplay struct {
	mu     sync.Mutex
	seen   map[storage.Hash]bool
	second map[storage.Hash]chan struct{} // closed when the second caller has looked up
}

func (f *nonAtomicReplay) ConsumeJTI(_ context.Context, _ string, key storage.Hash, _, _ time.Time) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.seen[key] {
		return storage.ErrConsumed
	}
	if second, waiting := f.second[key]; !waiting {
		second = make(chan struct{})
		f.second[key] = second
		f.mu.Unlock()
		<-second
		f.mu.Lock()
	} else {
		close(second)
		f.seen[key] = true // later callers find it
	}
	return nil
}

// TestReplayRaceDetectsBrokenStore checks that TestReplayRace fails with a store that is not atomic.
func TestReplayRaceDetectsBrokenStore(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *maskinporten.Config) {
		quiet(c)
		c.Replay = &nonAtomicReplay{seen: map[storage.Hash]bool{}, second: map[storage.Hash]chan struct{}{}}
	})
	for i := range 20 {
		require.Equal(t, 2, race(t, w, byKey(v4().with("jti", fmt.Sprintf("round-%d", i))), false), "round %d", i)
	}
}
