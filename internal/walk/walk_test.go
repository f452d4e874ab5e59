package walk

import (
	"context"
	"encoding/hex"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portner-go/portner/internal/slow"
)

var ctx = context.Background()

var replay = flag.String("walk", "", "replay the operations of one walk, as a failing walk prints them")

// op is one operation: its kind, and the choices it makes.
type op struct {
	kind    string
	choices []byte
	next    int
}

// n returns the next choice, below limit.
func (o *op) n(limit int) int {
	if o.next == len(o.choices) {
		return 0
	}
	o.next++
	return int(o.choices[o.next-1]) % limit
}

func pick[T any](o *op, values ...T) T { return values[o.n(len(values))] }

// kinds are the operations with their frequencies.
var kinds = []struct {
	name   string
	weight int
	run    func(*world, *op)
}{
	{"visit", 24, (*world).visit},
	{"reconsider", 8, (*world).reconsider},
	{"open", 8, (*world).open},
	{"post", 14, (*world).post},
	{"redeem", 6, (*world).redeem},
	{"refresh", 12, (*world).refresh},
	{"exchange", 12, (*world).exchange},
	{"revoke", 2, (*world).revoke},
	{"end", 2, (*world).endAuthorizations},
	{"logout", 3, (*world).logOut},
	{"change", 4, (*world).change},
	{"tick", 10, (*world).tick},
	{"push", 3, (*world).push},
	{"pushed", 4, (*world).openPushed},
	{"flood", 1, (*world).flood},
	{"bear", 1, (*world).bear},
	{"confuse", 2, (*world).confuse},
	{"remove", 2, (*world).endByOrganisation},
}

// Walks allocate much and keep little: with fewer collections they are a quarter faster.
func TestMain(m *testing.M) {
	debug.SetGCPercent(400)
	os.Exit(m.Run())
}

// random returns the operations of a walk.
func random(seed uint64, length int) []op {
	r := rand.New(rand.NewPCG(seed, 0))
	total := 0
	for _, k := range kinds {
		total += k.weight
	}
	ops := make([]op, length)
	for i := range ops {
		at := r.IntN(total)
		for _, k := range kinds {
			if at -= k.weight; at < 0 {
				ops[i].kind = k.name
				break
			}
		}
		ops[i].choices = make([]byte, 16)
		for j := range ops[i].choices {
			ops[i].choices[j] = byte(r.Uint32())
		}
	}
	return ops
}

// encode returns the operations as a text that the flag -walk accepts.
func encode(ops []op) string {
	var parts []string
	for _, o := range ops {
		parts = append(parts, o.kind+":"+hex.EncodeToString(o.choices))
	}
	return strings.Join(parts, ",")
}

func decode(text string) (ops []op) {
	for part := range strings.SplitSeq(text, ",") {
		kind, choices, _ := strings.Cut(part, ":")
		ops = append(ops, op{kind: kind, choices: must(hex.DecodeString(choices))})
	}
	return ops
}

// walk runs the operations. It returns what happened, and the first difference between provider and model. The walk has a bubble of
// its own, so that what the provider does in the background can be waited for.
func walk(t *testing.T, ops []op, thorough bool) (w *world, difference string) {
	t.Helper()
	synctest.Test(t, func(*testing.T) { w, difference = walkInBubble(ops, thorough) })
	return w, difference
}

func walkInBubble(ops []op, thorough bool) (w *world, difference string) {
	w = newWorld()
	defer func() {
		switch v := recover().(type) {
		case nil:
		case failed:
			difference = v.text
		default:
			panic(v)
		}
	}()
	active := map[*token]bool{}
	for i, o := range ops {
		o.next = 0
		w.now = w.now.Add(time.Millisecond)
		for _, k := range kinds {
			if k.name == o.kind {
				w.doing = k.name
				k.run(w, &o)
			}
		}
		w.after(active, i, thorough)
	}
	for i, t := range w.tokens {
		if i%2 == 0 {
			w.probe(t)
		}
	}
	w.checkLog()
	return w, ""
}

// after checks what follows an operation: every token whose state changed, and one more.
func (w *world) after(active map[*token]bool, i int, thorough bool) {
	w.checkFamilies()
	w.checkSent()
	for j, t := range w.tokens {
		was, seen := active[t]
		is := w.active(t)
		active[t] = is
		if thorough || seen && is != was || j == (i*31)%len(w.tokens) {
			w.probe(t)
		}
	}
}

// shrink removes operations as long as the walk still finds a difference.
func shrink(t *testing.T, ops []op) []op {
	t.Helper()
	fails := func(ops []op) bool {
		_, difference := walk(t, ops, true)
		return difference != ""
	}
	if !fails(ops) {
		return ops
	}
	for size := len(ops) / 2; size > 0; {
		removed := false
		for at := 0; at+size <= len(ops); {
			shorter := append(append([]op{}, ops[:at]...), ops[at+size:]...)
			if fails(shorter) {
				ops, removed = shorter, true
			} else {
				at += size
			}
		}
		if !removed || size > 1 {
			size /= 2
		}
	}
	return ops
}

// report describes a failing walk, shortened.
func report(t *testing.T, name string, ops []op) {
	t.Helper()
	ops = shrink(t, ops)
	w, difference := walk(t, ops, true)
	if difference == "" {
		w, difference = walk(t, ops, false)
	}
	t.Errorf("%s: %s\nafter %d operations:\n%s\nreplay with:\n  go test ./internal/walk -run TestWalks -walk %s",
		name, difference, len(ops), strings.Join(w.steps, "\n"), encode(ops))
}

// count returns a number from the environment.
func count(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return otherwise
}

// expected are outcomes that 2000 walks must reach, so that they do not become vacuous. The frequencies are logged with -v.
var expected = []string{
	"active", "userinfo", "history", "logged out", "flood", "machine true", "machine false",
	"authorization: code", "authorization: error access_denied", "authorization: error consent_required",
	"authorization: error interaction_required", "authorization: error invalid_authorization_details", "authorization: error invalid_request",
	"authorization: error invalid_scope", "authorization: error login_required", "authorization: page consent", "authorization: page login",
	"authorization: page step-up", "code repeated", `code with details "[]"`, `code with details "[{\"amount\":\"12\",\"type\":\"payment\"}]"`,
	"authorization ended by its person", "ended by organisation true", "ended by organisation false",
	"visit: ok", "redeem: ok", "redeem: invalid_grant", "redeem: invalid_client", "push: ok", "push: invalid_client", "push: invalid_scope",
	"refresh: ok", "refresh: invalid_grant", "refresh: invalid_scope", "refresh: unauthorized_client", "refresh: invalid_client",
	"exchange: ok", "exchange: invalid_request", "exchange: invalid_scope", "exchange: unauthorized_client", "exchange: invalid_client",
	"revoke: ok", "revoke: unauthorized_client",
	"refresh within the grace", "refresh token replayed", "code replayed", "exchanged again", "exchanged with an actor token",
}

// TestWalks compares the provider with the model after every operation of random walks. PORTNER_WALKS is their number,
// PORTNER_WALK_LENGTH the number of operations of each, and PORTNER_WALK_SEED the first seed.
func TestWalks(t *testing.T) {
	t.Parallel()
	if *replay != "" {
		report(t, "replay", decode(*replay))
		return
	}
	walks, length, first := 500, 25, count("PORTNER_WALK_SEED", 1)
	if slow.Wanted() {
		walks, length = 2000, 15
	}
	walks = count("PORTNER_WALKS", walks)
	length = count("PORTNER_WALK_LENGTH", length)
	var mu sync.Mutex
	failures, checked := 0, 0
	reached := map[string]int{}
	t.Run("walks", func(t *testing.T) {
		const shards = 4
		for shard := range shards {
			t.Run(fmt.Sprint(shard), func(t *testing.T) {
				t.Parallel()
				for i := shard; i < walks; i += shards {
					ops := random(uint64(first+i), length)
					w, difference := walk(t, ops, false)
					mu.Lock()
					checked += w.checked
					for name, n := range w.reached {
						reached[name] += n
					}
					if difference != "" {
						failures++
					}
					enough := failures > 3
					mu.Unlock()
					if difference != "" && !enough {
						report(t, fmt.Sprintf("seed %d", first+i), ops)
					}
					if enough {
						return
					}
				}
			})
		}
	})
	for _, name := range expected {
		if walks >= 2000 && failures == 0 && reached[name] == 0 {
			t.Errorf("no walk reaches %q", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(reached)) {
		t.Logf("%7d %s", reached[name], name)
	}
	t.Logf("%d walks, %d responses about tokens compared", walks, checked)
}
