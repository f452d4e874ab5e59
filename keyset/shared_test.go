package keyset_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/slow"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/storage/memory"
)

const setName = "https://op.example"

// shared returns a Shared with short times on a store.
func shared(store keyset.Store) keyset.Shared {
	return keyset.Shared{
		Store: store, Set: setName, Secrets: []portner.Secret{portner.NewSecret()}, Alg: keyset.EdDSA,
		Every: 72 * time.Hour, PublishLead: 3 * time.Hour, Keep: 2 * time.Hour, Now: at(epoch),
	}
}

func openShared(t testing.TB, h keyset.Shared) *keyset.Set {
	t.Helper()
	s, err := h.Open(t.Context())
	require.NoError(t, err)
	return s
}

func rotate(t testing.TB, now time.Time, nodes ...*keyset.Set) {
	t.Helper()
	for _, s := range nodes {
		require.NoError(t, s.Rotate(t.Context(), now))
	}
}

// records returns the keys in the store.
func records(t testing.TB, store keyset.Store) []storage.SigningKey {
	t.Helper()
	all, err := store.SigningKeys(t.Context(), setName)
	require.NoError(t, err)
	return all
}

var errDown = errors.New("connection refused")

// faultyStore is a store that can be down, and that changes what it returns.
type faultyStore struct {
	keyset.Store
	down   atomic.Bool
	change func([]storage.SigningKey) []storage.SigningKey
}

func (s *faultyStore) SigningKeys(ctx context.Context, set string) ([]storage.SigningKey, error) {
	if s.down.Load() {
		return nil, errDown
	}
	all, err := s.Store.SigningKeys(ctx, set)
	if s.change != nil {
		all = s.change(all)
	}
	return all, err
}

func (s *faultyStore) InsertSigningKey(ctx context.Context, k storage.SigningKey) error {
	if s.down.Load() {
		return errDown
	}
	return s.Store.InsertSigningKey(ctx, k)
}

func (s *faultyStore) DeleteSigningKey(ctx context.Context, set, kid string) error {
	if s.down.Load() {
		return errDown
	}
	return s.Store.DeleteSigningKey(ctx, set, kid)
}

// lockedBuffer is a log that is read while Run writes to it.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// TestSharedOpen breaks each field, then all of them.
func TestSharedOpen(t *testing.T) {
	t.Parallel()
	store := memory.New()
	for name, tt := range map[string]struct {
		field  string
		damage func(*keyset.Shared)
	}{
		"no store":          {"Store", func(h *keyset.Shared) { h.Store = nil }},
		"no set":            {"Set", func(h *keyset.Shared) { h.Set = "" }},
		"no secrets":        {"Secrets", func(h *keyset.Shared) { h.Secrets = nil }},
		"an empty secret":   {"Secrets[1]", func(h *keyset.Shared) { h.Secrets = append(h.Secrets, nil) }},
		"a weak secret":     {"Secrets[0]", func(h *keyset.Shared) { h.Secrets = []portner.Secret{make([]byte, 32)} }},
		"no algorithm":      {"Alg", func(h *keyset.Shared) { h.Alg = "" }},
		"unknown algorithm": {"Alg", func(h *keyset.Shared) { h.Alg = "HS256" }},
		"lead too short":    {"PublishLead", func(h *keyset.Shared) { h.PublishLead = 125*time.Minute - 1 }},
		"period below lead": {"Every", func(h *keyset.Shared) { h.Every = 3*time.Hour - 1 }},
		"negative keep":     {"Keep", func(h *keyset.Shared) { h.Keep = -1 }},
	} {
		h := shared(store)
		tt.damage(&h)
		s, err := h.Open(t.Context())
		require.Equal(t, []string{tt.field}, fieldsOf(err), name)
		require.Nil(t, s, name)
	}
	_, err := keyset.Shared{PublishLead: 1, Every: -1, Keep: -1}.Open(t.Context())
	require.Equal(t, []string{"Store", "Set", "Secrets", "Alg", "PublishLead", "Every", "Keep"}, fieldsOf(err))
	require.Empty(t, records(t, store), "a configuration that is rejected creates nothing")

	s, err := keyset.Shared{Store: store, Set: setName, Secrets: shared(nil).Secrets, Alg: keyset.ES256}.Open(t.Context())
	require.NoError(t, err, "the other fields have defaults")
	require.Error(t, s.Add(generate(t, keyset.ES256), 0, time.Now()))
	require.Error(t, s.Replace([]keyset.Key{generate(t, keyset.ES256)}))
}

// TestSharedRotate: the successor is planned once, the lead before it is due, and expired keys are deleted a day after they were removed.
// Their numbers are never used again.
func TestSharedRotate(t *testing.T) {
	t.Parallel()
	store := memory.New()
	h := shared(store)
	s, other := openShared(t, h), openShared(t, h)
	require.Equal(t, s.States(), other.States())
	sign(t, s, "", "", epoch)

	rotate(t, epoch.Add(69*time.Hour-1), s)
	require.Len(t, records(t, store), 1)
	rotate(t, epoch.Add(69*time.Hour), s, other, s)
	require.Len(t, records(t, store), 2)
	require.Equal(t, s.States(), other.States())
	require.Equal(t, keyset.Life{RetireAt: epoch.Add(72 * time.Hour), RemoveAt: epoch.Add(74 * time.Hour)}, s.States()[0].Life)
	require.Equal(t, keyset.Life{PublishFrom: epoch.Add(69 * time.Hour), ActiveFrom: epoch.Add(72 * time.Hour)}, s.States()[1].Life)
	require.Equal(t, []time.Time{epoch, epoch.Add(69 * time.Hour)}, []time.Time{s.States()[0].Created.UTC(), s.States()[1].Created.UTC()})

	rotate(t, epoch.Add(98*time.Hour-1), s)
	require.NotEmpty(t, records(t, store)[0].Key)
	rotate(t, epoch.Add(98*time.Hour), s)
	require.Empty(t, records(t, store)[0].Key)
	later := epoch.AddDate(1, 0, 0)
	rotate(t, later, s) // after a long stop the next key is still published for the lead before it signs
	all := records(t, store)
	require.Len(t, all, 3)
	require.Equal(t, int64(3), all[2].Number)
	require.Equal(t, later.Add(h.PublishLead), all[2].ActiveFrom)
	require.Equal(t, all[1].KID, kidOf(t, sign(t, s, "", "", later)))
}

// TestSharedStolenKey deletes keys of a set in which one is active and one is next. There is always one that signs, on every node.
func TestSharedStolenKey(t *testing.T) {
	t.Parallel()
	now := epoch.Add(70 * time.Hour) // key 1 is active, key 2 is next
	for name, c := range map[string]struct {
		stolen []int
		signs  int
	}{"the active key": {[]int{0}, 1}, "the next key": {[]int{1}, 0}, "all keys": {[]int{0, 1}, 2}} {
		store := memory.New()
		h := shared(store)
		s, other := openShared(t, h), openShared(t, h)
		rotate(t, now, s, other)
		for _, i := range c.stolen {
			k := records(t, store)[i]
			require.NoError(t, store.DeleteSigningKey(t.Context(), setName, k.KID))
		}
		rotate(t, now, s, other)
		h.Now = at(now)
		nodes := []*keyset.Set{s, other, openShared(t, h)}
		require.True(t, sameKeys(t, now, nodes...), name)
		all := records(t, store)
		require.Equal(t, all[c.signs].KID, kidOf(t, sign(t, s, "", "", now)), name)
		for _, i := range c.stolen {
			require.NotContains(t, published(t, s, now), all[i].KID, name)
		}
	}
}

// TestSharedEmptied: a store without any record of the set may be another database. A running node keeps its keys and creates none.
func TestSharedEmptied(t *testing.T) {
	t.Parallel()
	store := &faultyStore{Store: memory.New()}
	s := openShared(t, shared(store))
	other := memory.New()
	store.Store = other
	require.Equal(t, []string{"Store"}, fieldsOf(s.Rotate(t.Context(), epoch)))
	sign(t, s, "", "", epoch)
	require.Empty(t, records(t, other))
}

// TestSharedOutage: a store that is down when a node starts is an error. A running node keeps its keys, logs, and goes on when the
// store is back.
func TestSharedOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &faultyStore{Store: memory.New()}
		store.down.Store(true)
		h := shared(store)
		h.Now = nil
		var log lockedBuffer
		h.Logger = slog.New(slog.NewTextHandler(&log, nil))
		_, err := h.Open(t.Context())
		require.ErrorIs(t, err, errDown)
		require.Equal(t, []string{"Store"}, fieldsOf(err))

		store.down.Store(false)
		s := openShared(t, h)
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { s.Run(ctx) })
		time.Sleep(30 * time.Minute)
		store.down.Store(true)
		time.Sleep(68 * time.Hour) // rotation is not due yet
		synctest.Wait()
		sign(t, s, "", "", time.Now())
		require.Contains(t, log.String(), "key rotation failed")
		require.Contains(t, log.String(), "connection refused")
		time.Sleep(3*time.Hour + 31*time.Minute) // other nodes may have made a key that signs now
		_, err = s.Sign("", "", []byte(idToken), time.Now())
		require.ErrorIs(t, err, portner.ErrUnavailable)
		require.ErrorContains(t, err, "loaded again")
		require.NotEmpty(t, published(t, s, time.Now()))
		store.down.Store(false)
		time.Sleep(6 * time.Minute)
		sign(t, s, "", "", time.Now())
		require.Len(t, records(t, store), 2)
		before := log.String()
		time.Sleep(48 * time.Hour)
		synctest.Wait()
		require.Equal(t, before, log.String())
		stop()
		running.Wait()
	})
}

// TestSharedLateNode: a node that loaded the keys at any instant, and not again, signs nothing that the other nodes reject during the
// life of the token, and then nothing at all.
func TestSharedLateNode(t *testing.T) {
	slow.WithoutRaceDetector(t)
	t.Parallel()
	store := memory.New()
	h := shared(store)
	h.Every, h.Keep = 9*time.Hour, 2*time.Hour
	node := openShared(t, h)
	type late struct {
		set    *keyset.Set
		loaded time.Time
		signed bool
	}
	var nodes []*late
	live := map[string]time.Time{} // kid to the end of the last token
	for step := range 4 * 48 {
		now := epoch.Add(time.Duration(step) * 15 * time.Minute)
		if step%4 == 0 {
			rotate(t, now, node)
		}
		h.Now = at(now)
		nodes = append(nodes, &late{openShared(t, h), now, false})
		kids := published(t, node, now)
		for _, n := range nodes {
			token, err := n.set.Sign("", "", []byte(idToken), now)
			require.Equal(t, err, n.set.Ready(now), "a node that does not sign is not ready")
			if err != nil {
				require.ErrorIs(t, err, portner.ErrUnavailable)
				require.GreaterOrEqual(t, now.Sub(n.loaded), h.PublishLead, "a node signs for the lead at least")
				continue
			}
			require.Less(t, now.Sub(n.loaded), h.Every+h.PublishLead)
			n.signed = true
			kid := kidOf(t, token)
			require.Contains(t, kids, kid)
			live[kid] = now.Add(h.Keep - 15*time.Minute)
		}
		for kid, end := range live {
			require.True(t, !now.Before(end) || strings.Contains(strings.Join(kids, " "), kid), "a token of %s, %v before its end", kid, end.Sub(now))
		}
	}
	for _, n := range nodes {
		require.True(t, n.signed)
	}
}

// secretsOf returns the secret bytes of a private key in the forms in which a dump could show them.
func secretsOf(t testing.TB, k keyset.Key) (forms [][]byte) {
	t.Helper()
	var raw [][]byte
	switch key := k.Signer.(type) {
	case ed25519.PrivateKey:
		raw = append(raw, key.Seed())
	case *ecdsa.PrivateKey:
		d, err := key.Bytes()
		require.NoError(t, err)
		raw = append(raw, d)
	case *rsa.PrivateKey:
		raw = append(raw, key.D.Bytes(), key.Primes[0].Bytes(), key.Primes[1].Bytes())
	}
	text, err := keyset.MarshalPEM(k)
	require.NoError(t, err)
	forms = append(forms, bytes.Split(text, []byte("\n"))[1], []byte("PRIVATE KEY"))
	for _, b := range raw {
		forms = append(forms, b[:16], []byte(hex.EncodeToString(b[:16])), []byte(base64.StdEncoding.EncodeToString(b)[:20]))
	}
	return forms
}

// TestSharedSealed: the store contains no part of a private key, and a key opens in its own record only.
func TestSharedSealed(t *testing.T) {
	t.Parallel()
	for _, alg := range []string{keyset.RS256, keyset.ES256, keyset.EdDSA} {
		store := &faultyStore{Store: memory.New()}
		h := shared(store)
		h.Alg = alg
		s := openShared(t, h)
		rotate(t, epoch.Add(70*time.Hour), s)
		all := records(t, store)
		require.Len(t, all, 2)
		for i, k := range keyset.KeysOf(s) {
			require.Equal(t, all[i].KID, k.KID)
			for _, secret := range secretsOf(t, k) {
				require.False(t, bytes.Contains(all[i].Key, secret), "%s", alg)
			}
		}
		if alg != keyset.EdDSA {
			continue
		}
		for field, move := range map[string]func(a, b *storage.SigningKey){
			"Key":        func(a, b *storage.SigningKey) { b.Key = a.Key },
			"Number":     func(_, b *storage.SigningKey) { b.Number++ },
			"CreatedAt":  func(_, b *storage.SigningKey) { b.CreatedAt = b.CreatedAt.Add(-1) },
			"ActiveFrom": func(_, b *storage.SigningKey) { b.ActiveFrom = b.ActiveFrom.Add(1) },
			"KID":        func(a, b *storage.SigningKey) { a.KID, b.KID = b.KID, a.KID },
			"Alg":        func(_, b *storage.SigningKey) { b.Alg = keyset.ES256 },
			"bytes":      func(_, b *storage.SigningKey) { b.Key[len(b.Key)-1] ^= 1 },
			"cut":        func(_, b *storage.SigningKey) { b.Key = b.Key[:10] },
			"order":      func(a, b *storage.SigningKey) { *a, *b = *b, *a },
		} {
			store.change = func(all []storage.SigningKey) []storage.SigningKey { move(&all[0], &all[1]); return all }
			_, err := h.Open(t.Context())
			require.NotEmpty(t, fieldsOf(err), field)
			require.Contains(t, fieldsOf(err)[0], "Store/", field)
			require.Error(t, s.Rotate(t.Context(), epoch), field)
		}
		sign(t, s, "", "", epoch)
		t.Run("signing key", func(t *testing.T) {
			store.change = func([]storage.SigningKey) []storage.SigningKey { return records(t, store.Store) }
			h.Set = "https://other.example"
			_, err := h.Open(t.Context())
			require.Equal(t, []string{"Store/1", "Store/2"}, fieldsOf(err), "the keys of another set")
		})
	}
}

// TestSharedSecrets: secrets rotate, and a set is bound to its secrets and its name.
func TestSharedSecrets(t *testing.T) {
	t.Parallel()
	store := memory.New()
	h := shared(store)
	s := openShared(t, h)
	rotated := h
	fresh := portner.NewSecret()
	rotated.Secrets = []portner.Secret{fresh, h.Secrets[0]}
	next := openShared(t, rotated)
	require.Equal(t, s.States(), next.States(), "a key that the old secret sealed")
	due := epoch.Add(69 * time.Hour)
	rotate(t, due, next)
	err := s.Rotate(t.Context(), due)
	require.Equal(t, []string{"Store/2"}, fieldsOf(err), "a node without the new secret")
	require.ErrorContains(t, err, "sealed with none of Secrets")
	sign(t, s, "", "", due)

	require.NoError(t, store.DeleteSigningKey(t.Context(), setName, records(t, store)[0].KID))
	rotated.Secrets = []portner.Secret{fresh}
	openShared(t, rotated)

	wrong := h
	wrong.Secrets = []portner.Secret{portner.NewSecret()}
	_, err = wrong.Open(t.Context())
	require.Equal(t, []string{"Store/2"}, fieldsOf(err))
	require.ErrorContains(t, err, "sealed with none of Secrets")
	require.Len(t, records(t, store), 2, "no key was made in its place")
}

// TestSharedForeignRecords: a record that is not a key of the set is rejected by its number.
func TestSharedForeignRecords(t *testing.T) {
	t.Parallel()
	store := memory.New()
	h := shared(store)
	openShared(t, h)
	es := h
	es.Alg = keyset.ES256
	_, err := es.Open(t.Context())
	require.Equal(t, []string{"Store/1"}, fieldsOf(err))
	require.ErrorContains(t, err, "has a key for EdDSA, not for ES256")
	other := h
	other.Set = "https://other.example"
	openShared(t, other)
	require.Len(t, records(t, store), 1)
	for _, number := range []int64{2, 3} {
		require.NoError(t, store.InsertSigningKey(t.Context(), storage.SigningKey{
			Set: setName, Number: number, KID: strings.Repeat("k", int(number)), Alg: h.Alg, Key: []byte("not sealed"), CreatedAt: epoch,
		}))
	}
	_, err = h.Open(t.Context())
	require.Equal(t, []string{"Store/2", "Store/3"}, fieldsOf(err), "every problem at once")
}

// TestSharedKeyOfAnotherKID: a record whose KID is not that of its key is rejected, also if it is sealed with a secret of the set. A client
// would look for the key under another name than the one in the store.
func TestSharedKeyOfAnotherKID(t *testing.T) {
	t.Parallel()
	for _, kid := range []string{"", "another"} {
		store := memory.New()
		h := shared(store)
		key := generate(t, keyset.EdDSA)
		if kid != "" {
			key.KID = kid
		}
		require.NoError(t, h.InsertSealed(t.Context(), 1, key, epoch))
		_, err := h.Open(t.Context())
		if kid == "" {
			require.NoError(t, err)
			continue
		}
		require.Equal(t, []string{"Store/1"}, fieldsOf(err))
		require.ErrorContains(t, err, "is not the private key of its KID")
	}
}

// overwriting is a store whose InsertSigningKey overwrites. The node that inserts loads the keys before another one inserts.
type overwriting struct {
	keyset.Store
	turn, mu sync.Mutex
	last     *storage.SigningKey
}

func (s *overwriting) SigningKeys(context.Context, string) ([]storage.SigningKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last == nil {
		return nil, nil
	}
	if !s.turn.TryLock() { // the node that inserted
		defer s.turn.Unlock()
	} else {
		s.turn.Unlock()
	}
	return []storage.SigningKey{*s.last}, nil
}

func (s *overwriting) InsertSigningKey(_ context.Context, k storage.SigningKey) error {
	s.turn.Lock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = &k
	return nil
}

// meeting is a store on which the next loads of three nodes end at the same time.
type meeting struct {
	keyset.Store
	loads atomic.Int32
	all   chan struct{}
}

func (s *meeting) SigningKeys(ctx context.Context, set string) ([]storage.SigningKey, error) {
	keys, err := s.Store.SigningKeys(ctx, set)
	switch n := s.loads.Add(1); {
	case n == 3:
		close(s.all)
	case n < 3:
		<-s.all
	}
	return keys, err
}

// TestSharedRace: three nodes start on an empty store and rotate at the same time, 500 times. They make one key each time, and agree. A
// control that overwrites keys must be noticed in each round.
func TestSharedRace(t *testing.T) {
	t.Parallel()
	rounds := slow.Rounds(500)
	if testing.Short() {
		rounds = 50
	}
	store := memory.New() // a store of its own for each round would take most of the time
	for round := range rounds {
		require.True(t, startThree(t, store, fmt.Sprint("round ", round), true))
	}
	for range 10 {
		require.False(t, startThree(t, &overwriting{}, setName, false), "the control")
	}
}

// startThree opens a set of a store on three nodes at the same time, and then rotates it. It reports whether they agree.
func startThree(t *testing.T, store keyset.Store, set string, successor bool) bool {
	var nodes [3]*keyset.Set
	meet := &meeting{Store: store}
	h := shared(meet)
	h.Set = set
	count := func() int {
		all, err := store.SigningKeys(t.Context(), set)
		require.NoError(t, err)
		return len(all)
	}
	together := func(do func(n int) error) {
		t.Helper()
		meet.all = make(chan struct{})
		meet.loads.Store(0)
		var wg sync.WaitGroup
		var errs [3]error
		for n := range nodes {
			wg.Go(func() { errs[n] = do(n) })
		}
		wg.Wait()
		require.NoError(t, errors.Join(errs[:]...))
	}
	together(func(n int) (err error) {
		nodes[n], err = h.Open(t.Context())
		return err
	})
	if !sameKeys(t, epoch, nodes[:]...) {
		return false
	}
	require.Equal(t, 1, count())
	if !successor {
		return true
	}
	due := epoch.Add(69 * time.Hour)
	together(func(n int) error { return nodes[n].Rotate(t.Context(), due) })
	require.Equal(t, 2, count())
	return sameKeys(t, due, nodes[:]...)
}
