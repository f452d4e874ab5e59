package keyset_test

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/slow"
	"github.com/portner-go/portner/keyset"
)

func TestPhaseBoundaries(t *testing.T) {
	t.Parallel()
	l := keyset.Life{PublishFrom: epoch, ActiveFrom: epoch.Add(10), RetireAt: epoch.Add(20), RemoveAt: epoch.Add(30)}
	for offset, want := range map[time.Duration]keyset.Phase{
		-1: keyset.Planned, 0: keyset.Next, 9: keyset.Next, 10: keyset.Active, 19: keyset.Active,
		20: keyset.Retired, 29: keyset.Retired, 30: keyset.Removed,
	} {
		require.Equal(t, want, l.Phase(epoch.Add(offset)), "%v", offset)
	}
	require.Equal(t, keyset.Active, keyset.Life{}.Phase(epoch))
}

// TestRotationStepByStep examines each instant of a rotation.
func TestRotationStepByStep(t *testing.T) {
	t.Parallel()
	old, next := generate(t, keyset.ES256), generate(t, keyset.ES256)
	s := newSet(t, old)
	_, etag0 := s.JWKS(epoch)
	require.NoError(t, s.Add(next, 0, epoch))

	require.Equal(t, []string{old.KID}, published(t, s, epoch.Add(-1)))
	require.ElementsMatch(t, []string{old.KID, next.KID}, published(t, s, epoch))
	_, etag1 := s.JWKS(epoch)
	require.NotEqual(t, etag0, etag1)

	switchover := epoch.Add(keyset.DefaultPublishLead)
	last := sign(t, s, "", "", switchover.Add(-1))
	first := sign(t, s, "", "", switchover)
	require.Equal(t, old.KID, kidOf(t, last))
	require.Equal(t, next.KID, kidOf(t, first))

	gone := switchover.Add(keyset.DefaultKeep)
	_, err := s.VerifyIDToken(last, gone.Add(-1))
	require.NoError(t, err)
	_, err = s.VerifyIDToken(last, gone)
	require.Error(t, err)
	require.Equal(t, []string{next.KID}, published(t, s, gone))
	_, err = s.VerifyIDToken(first, gone)
	require.NoError(t, err)
	_, err = s.VerifyIDToken(first, epoch)
	require.NoError(t, err, "a node whose clock is ahead signs with the next key already")
}

// TestEveryLiveTokenVerifies rotates at random instants. At each step every live token verifies, and the signing key has been
// published for the lead. Sometimes a second set is made from the stored states; it must make the same decisions.
func TestEveryLiveTokenVerifies(t *testing.T) {
	slow.WithoutRaceDetector(t)
	t.Parallel()
	for seed := range uint64(3) {
		random := rand.New(rand.NewPCG(seed, 1))
		w := walk{
			rotation: keyset.Rotation{PublishLead: 3 * time.Hour, Keep: 5 * time.Hour},
			seen:     map[string]time.Time{}, material: map[string]keyset.Key{},
		}
		w.start(t)
		for step := range 200 {
			w.now = w.now.Add(time.Duration(random.Int64N(int64(2 * time.Hour))))
			if random.IntN(8) == 0 {
				w.rotate(t, random)
			}
			w.step(t)
			if step%15 == 0 {
				w.compareWithAnotherNode(t)
			}
		}
		require.Greater(t, len(w.seen), 12, "many keys were used")
	}
}

type liveToken struct {
	token  string
	expiry time.Time
}

type walk struct {
	rotation keyset.Rotation
	now      time.Time
	set      *keyset.Set
	material map[string]keyset.Key
	seen     map[string]time.Time // kid to the step it was first published
	tokens   []liveToken
}

func (w *walk) start(t *testing.T) {
	w.now = epoch
	keys := []keyset.Key{generate(t, keyset.EdDSA), generate(t, keyset.ES256)}
	var err error
	w.set, err = keyset.New(keyset.Config{Keys: keys, Rotation: w.rotation})
	require.NoError(t, err)
	for _, k := range keys {
		w.material[k.KID] = k
		w.seen[k.KID] = epoch.Add(-w.rotation.PublishLead) // published from the start
	}
}

func (w *walk) rotate(t *testing.T, random *rand.Rand) {
	k := generate(t, []string{keyset.EdDSA, keyset.ES256}[random.IntN(2)])
	if random.IntN(2) == 0 {
		k.ActiveFrom = w.now.Add(w.rotation.PublishLead + time.Duration(random.Int64N(int64(6*time.Hour))))
	}
	keep := w.rotation.Keep + time.Duration(random.Int64N(int64(4*time.Hour)))
	if err := w.set.Add(k, keep, w.now); err != nil {
		require.ErrorContains(t, err, "not before the new one", "the only valid reason: a later key is planned already")
		return
	}
	w.material[k.KID] = k
}

func (w *walk) step(t *testing.T) {
	kids := published(t, w.set, w.now)
	for _, kid := range kids {
		if _, ok := w.seen[kid]; !ok {
			w.seen[kid] = w.now
		}
	}
	for _, alg := range []string{keyset.EdDSA, keyset.ES256} {
		token := sign(t, w.set, alg, "JWT", w.now)
		kid := kidOf(t, token)
		require.Contains(t, kids, kid, "the signing key is published")
		require.GreaterOrEqual(t, w.now.Sub(w.seen[kid]), w.rotation.PublishLead-2*time.Hour, "published for the lead, to the step")
		w.tokens = append(w.tokens, liveToken{token, w.now.Add(w.rotation.Keep)})
	}
	w.tokens = slices.DeleteFunc(w.tokens, func(l liveToken) bool { return !w.now.Before(l.expiry) })
	for _, l := range w.tokens {
		_, err := w.set.VerifyIDToken(l.token, w.now)
		require.NoError(t, err, "a live token, %v before its end", l.expiry.Sub(w.now))
	}
	for _, state := range w.set.States() {
		require.Equal(t, slices.Contains(kids, state.KID), slices.Contains([]keyset.Phase{keyset.Next, keyset.Active, keyset.Retired}, state.Phase(w.now)))
		if state.Phase(w.now) == keyset.Active && !state.PublishFrom.IsZero() {
			require.GreaterOrEqual(t, w.now.Sub(state.PublishFrom), w.rotation.PublishLead)
		}
	}
}

// compareWithAnotherNode makes a second set from the stored states, in another order.
func (w *walk) compareWithAnotherNode(t *testing.T) {
	raw, err := json.Marshal(w.set.States())
	require.NoError(t, err)
	var stored []keyset.KeyState
	require.NoError(t, json.Unmarshal(raw, &stored))
	slices.Reverse(stored)
	keys := []keyset.Key{}
	for _, state := range stored {
		if state.Phase(w.now) == keyset.Removed {
			continue
		}
		k := w.material[state.KID]
		k.Life = state.Life
		keys = append(keys, k)
	}
	node, err := keyset.New(keyset.Config{Keys: keys, DefaultAlg: w.set.Algs(w.now)[0], Rotation: w.rotation})
	require.NoError(t, err)
	doc1, etag1 := w.set.JWKS(w.now)
	doc2, etag2 := node.JWKS(w.now)
	require.Equal(t, string(doc1), string(doc2))
	require.Equal(t, etag1, etag2)
	require.Equal(t, w.set.Algs(w.now), node.Algs(w.now))
	for _, alg := range w.set.Algs(w.now) {
		require.Equal(t, kidOf(t, sign(t, w.set, alg, "", w.now)), kidOf(t, sign(t, node, alg, "", w.now)))
	}
	last := w.tokens[len(w.tokens)-1]
	_, err = node.VerifyIDToken(last.token, w.now)
	require.NoError(t, err)
}

func TestPlanRejects(t *testing.T) {
	t.Parallel()
	r := keyset.Rotation{}
	old := keyset.KeyState{KID: "a", Alg: keyset.ES256}
	at := func(d time.Duration) keyset.Life { return keyset.Life{ActiveFrom: epoch.Add(d)} }
	for name, c := range map[string]struct {
		keys []keyset.KeyState
		next keyset.KeyState
		r    keyset.Rotation
		want string
	}{
		"same kid":        {[]keyset.KeyState{old}, old, r, "in use before"},
		"too soon":        {[]keyset.KeyState{old}, keyset.KeyState{KID: "b", Alg: old.Alg, Life: at(47 * time.Hour)}, r, "published for 48h"},
		"published past":  {nil, keyset.KeyState{KID: "b", Life: keyset.Life{PublishFrom: epoch.Add(-1)}}, r, "published for"},
		"before another":  {[]keyset.KeyState{{KID: "a", Alg: old.Alg, Life: at(72 * time.Hour)}}, keyset.KeyState{KID: "b", Alg: old.Alg}, r, "not before the new one"},
		"lead below hour": {nil, old, keyset.Rotation{PublishLead: time.Minute}, "PublishLead"},
	} {
		_, err := c.r.Plan(c.keys, c.next, epoch)
		require.ErrorContains(t, err, c.want, name)
	}
}

func TestPlanKeepsTheRest(t *testing.T) {
	t.Parallel()
	keys := []keyset.KeyState{{KID: "a", Alg: keyset.ES256}, {KID: "b", Alg: keyset.EdDSA}}
	before := slices.Clone(keys)
	got, err := keyset.Rotation{}.Plan(keys, keyset.KeyState{KID: "c", Alg: keyset.ES256}, epoch)
	require.NoError(t, err)
	require.Equal(t, before, keys, "the input is not changed")
	switchover := epoch.Add(48 * time.Hour)
	require.Equal(t, []keyset.KeyState{
		{KID: "a", Alg: keyset.ES256, Life: keyset.Life{RetireAt: switchover, RemoveAt: switchover.Add(24 * time.Hour)}},
		{KID: "b", Alg: keyset.EdDSA},
		{KID: "c", Alg: keyset.ES256, Life: keyset.Life{PublishFrom: epoch, ActiveFrom: switchover}},
	}, got)
}

func TestAddErrorChangesNothing(t *testing.T) {
	t.Parallel()
	k := generate(t, keyset.ES256)
	s := newSet(t, k)
	before := s.States()
	soon := generate(t, keyset.ES256)
	soon.ActiveFrom = epoch.Add(time.Hour)
	require.Error(t, s.Add(soon, 0, epoch))
	require.Error(t, s.Add(k, 0, epoch))
	require.Error(t, s.Add(keyset.Key{Alg: keyset.ES256}, 0, epoch))
	require.Error(t, s.Add(generate(t, keyset.ES256), time.Hour, epoch), "shorter than the rotation keeps")
	require.Error(t, s.Replace(nil))
	require.Equal(t, before, s.States())
	sign(t, s, "", "", epoch)
}

// TestReplaceDropsAKey: a key that is left out is not trusted any more.
func TestReplaceDropsAKey(t *testing.T) {
	t.Parallel()
	stolen, fresh := generate(t, keyset.ES256), generate(t, keyset.ES256)
	s := newSet(t, stolen)
	token := sign(t, s, "", "", epoch)
	require.NoError(t, s.Replace([]keyset.Key{fresh}))
	_, err := s.VerifyIDToken(token, epoch)
	require.Error(t, err)
	require.Equal(t, fresh.KID, kidOf(t, sign(t, s, "", "", epoch)))
}

// TestAnAlgorithmPhasedOut: the last key of an algorithm may retire, unless it is the default algorithm.
func TestAnAlgorithmPhasedOut(t *testing.T) {
	t.Parallel()
	es, ed := generate(t, keyset.ES256), generate(t, keyset.EdDSA)
	ed.RetireAt = epoch
	s := newSet(t, es, ed)
	require.Equal(t, []string{"ES256", "EdDSA"}, s.Algs(epoch.Add(-1)))
	require.Equal(t, []string{"ES256"}, s.Algs(epoch))
	_, err := s.Sign(keyset.EdDSA, "", nil, epoch)
	require.Error(t, err)
	require.ElementsMatch(t, []string{es.KID, ed.KID}, published(t, s, epoch))
}

// TestReplaceTakesTheNewHandle: the same key may return with another Signer, such as a new session of an HSM, or with a chain.
func TestReplaceTakesTheNewHandle(t *testing.T) {
	t.Parallel()
	var fault error
	k := generate(t, keyset.ES256)
	broken := k
	broken.Signer = failing{k.Signer, &fault}
	s := newSet(t, broken)
	fault = errors.New("session lost")
	require.NoError(t, s.Replace([]keyset.Key{certify(t, k)}))
	sign(t, s, "", "", epoch)
	doc, _ := s.JWKS(epoch)
	require.Contains(t, string(doc), `"x5c"`)
}
