package history

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/storage"
)

// Handle is a store under test. Handles of one [Batch] share their data. A nil Pushed or Replay leaves out its methods.
type Handle struct {
	Store          provider.Store
	PushedRequests authorize.PushedRequestStore
	Replay         client.ReplayStore
}

// Batch is a bounded number of calls for a few keys. All processes that run the batch with the same Space concern the same keys, and
// their callers work through these in the same order: start them at the same time.
type Batch struct {
	Space     string // part of each key: a new one for each batch
	Seed      uint64 // of the choice of calls
	Process   int    // number of this process, from 0
	Processes int    // that run the batch
	Callers   int    // of this process, at the same time
	Steps     int    // calls of each caller
}

// callsPerKey is about the number of calls that all callers make for one key: many are slow to check, few meet seldom.
const callsPerKey = 24

// Run makes the calls of the batch, with callers that share the handles evenly, and returns them. It returns early if ctx ends. Every
// call has ctx as its context.
func Run(ctx context.Context, b Batch, handles ...Handle) []Op {
	sh := &shared{keys: map[string]*known{}}
	ops := make([][]Op, b.Callers)
	var all sync.WaitGroup
	for i := range b.Callers {
		all.Go(func() {
			c := &caller{
				Handle: handles[i%len(handles)], ctx: ctx, name: fmt.Sprintf("%d.%d", b.Process, i), shared: sh,
				Rand: rand.New(rand.NewPCG(b.Seed, uint64(b.Process)<<32|uint64(i))),
			}
			for step := range b.Steps {
				if ctx.Err() != nil {
					break
				}
				c.step(b, step)
			}
			ops[i] = c.ops
		})
	}
	all.Wait()
	var out []Op
	for _, o := range ops {
		out = append(out, o...)
	}
	return out
}

// shared is what the callers of a process know of each other.
type shared struct {
	mu   sync.Mutex
	keys map[string]*known
}

// known is what is known about a key: names that calls used.
type known struct {
	refresh, access []string
	sessions        []session
}

// caller makes calls one after the other.
type caller struct {
	Handle
	*rand.Rand
	*shared
	ctx  context.Context
	name string
	ops  []Op
	n    int // numbers what the caller inserts
}

// knows calls f with what is known about a key.
func (c *caller) knows(key string, f func(k *known)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.keys[key]
	if k == nil {
		k = &known{}
		c.keys[key] = k
	}
	f(k)
}

// record makes a call. Its result is the text that f returns, unless the call returned an error that is no verdict.
func (c *caller) record(key, method string, args []string, f func() (string, error)) (result string) {
	o := Op{Key: key, Client: c.name, Method: method, Args: args, Start: clock()}
	seen, err := f()
	o.End = max(o.Start, clock())
	if o.Result = resultOf(err); o.Result != Unknown {
		o.Result += seen
	}
	c.ops = append(c.ops, o)
	return o.Result
}

// step makes a call for one of the keys whose turn it is.
func (c *caller) step(b Batch, step int) {
	keys := max(1, b.Processes*b.Callers*b.Steps/callsPerKey)
	turn := (step*keys/b.Steps + c.IntN(2)) % keys
	switch kind := turn % 10; {
	case kind < 4:
		c.grantCall(fmt.Sprintf("grant %s %d", b.Space, turn))
	case kind < 8:
		c.userCall(fmt.Sprintf("user %s %d", b.Space, turn))
	case kind == 8 && c.PushedRequests != nil:
		c.pushedCall(fmt.Sprintf("pushed %s %d", b.Space, turn))
	case c.Replay != nil: // several jtis in one turn, because only the first call of each changes anything
		c.jtiCall(fmt.Sprintf("jti %s %d.%d", b.Space, turn, c.IntN(4)))
	}
}

// unique returns a name that no other caller uses.
func (c *caller) unique(prefix string) string {
	c.n++
	return fmt.Sprintf("%s%s.%d", prefix, c.name, c.n)
}

func pick[T any](c *caller, all ...T) T { return all[c.IntN(len(all))] }

// Instants of records: all calls have the same now, before every end.
var (
	epoch = time.Date(2031, time.March, 4, 12, 30, 15, 123456789, time.UTC)
	end   = epoch.Add(time.Hour)
)

func hashOf(key, name string) storage.Hash { return storage.HashOf(key + " " + name) }
