package dpop_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/dpop"
	"github.com/portner-go/portner/internal/slow"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/storage/memory"
)

var (
	_ dpop.ReplayStore = client.ReplayStore(nil)
	_ dpop.ReplayStore = (*memory.Store)(nil)
)

// storeFunc is a replay store of one function.
type storeFunc func(clientID string, key storage.Hash, expiresAt, now time.Time) error

func (f storeFunc) ConsumeJTI(ctx context.Context, clientID string, key storage.Hash, expiresAt, now time.Time) error {
	return errors.Join(ctx.Err(), f(clientID, key, expiresAt, now))
}

// TestReplay: a proof is accepted once, whatever client it is counted for and however its URL is written.
func TestReplay(t *testing.T) {
	t.Parallel()
	p := policy()
	verify := func(r dpop.Request) error {
		_, err := p.Verify(t.Context(), r, epoch)
		return err
	}
	first := atToken(proof(keys().p256, object{"jti": "a"}))
	require.NoError(t, verify(first))
	for name, again := range map[string]dpop.Request{
		"the same": first, "for another client": {Proofs: first.Proofs, Method: "POST", URL: tokenURL, ClientID: "other"},
		"signed again":   atToken(proof(keys().p256, object{"jti": "a"})),
		"another time":   atToken(proof(keys().p256, object{"jti": "a", "iat": epoch.Unix() - 1})),
		"another claim":  atToken(proof(keys().p256, object{"jti": "a", "x": 1})),
		"URL in capital": atToken(proof(keys().p256, object{"jti": "a", "htu": "HTTPS://AS.example:443/%74oken?x"})),
		"another method": {Proofs: []string{proof(keys().p256, object{"jti": "a", "htm": "GET"})}, Method: "GET", URL: tokenURL},
	} {
		requireRefused(t, verify(again), dpop.ErrProof, "dpop_replay", name)
		require.ErrorIs(t, verify(again), storage.ErrConsumed, name)
	}
	for name, other := range map[string]dpop.Request{ // RFC 9449 §11.1: in the context of the URL
		"another jti": atToken(proof(keys().p256, object{"jti": "b"})), "jti in another case": atToken(proof(keys().p256, object{"jti": "A"})),
		"another key": atToken(proof(keys().other, object{"jti": "a"})),
		"another URL": {Proofs: []string{proof(keys().p256, object{"jti": "a", "htu": tokenURL + "/"})}, Method: "POST", URL: tokenURL + "/"},
		"parts":       {Proofs: []string{proof(keys().p256, object{"jti": "na", "htu": "https://as.example/toke"})}, Method: "POST", URL: "https://as.example/toke"},
	} {
		require.NoError(t, verify(other), name)
	}
}

// TestRefusedProofsAreNotStored: only an accepted proof is written.
func TestRefusedProofsAreNotStored(t *testing.T) {
	t.Parallel()
	store := memory.New()
	p := &dpop.Policy{Replay: store, Nonces: nonces(t, server, portner.NewSecret())}
	nonce := p.Nonces.Current(epoch)
	for _, claims := range []object{
		{"nonce": nil}, {"nonce": "x"}, {"nonce": nonce, "htm": "GET"}, {"nonce": nonce, "htu": apiURL}, {"nonce": nonce, "iat": nil}, {"nonce": nonce, "exp": 1}, {"nonce": nonce, "ath": "x"},
	} {
		r := atToken(proof(keys().p256, claims))
		r.AccessToken, r.Key = "token", thumbprintOf(jwkOf(keys().p256.Public()))
		_, err := p.Verify(t.Context(), r, epoch)
		var e *dpop.Error
		require.ErrorAs(t, err, &e)
	}
	r := atToken(proof(keys().p256, object{"nonce": nonce, "ath": ath("token")}))
	r.AccessToken, r.Key = "token", thumbprintOf(jwkOf(keys().other.Public()))
	_, err := p.Verify(t.Context(), r, epoch)
	require.ErrorIs(t, err, dpop.ErrKey)
	r.Key = thumbprintOf(jwkOf(keys().p256.Public()))
	_, err = p.Check(r, epoch)
	require.NoError(t, err, "Check writes nothing")
	require.Zero(t, store.Stats().Replays)
	_, err = p.Verify(t.Context(), r, epoch)
	require.NoError(t, err)
	require.Equal(t, 1, store.Stats().Replays)
}

// TestProofIsRememberedAsLongAsItIsValid: at every instant of the window of iat, also the last one, and at a node whose clock is behind.
func TestProofIsRememberedAsLongAsItIsValid(t *testing.T) {
	t.Parallel()
	for _, first := range []time.Duration{-10 * time.Second, 0, time.Minute - 1, time.Minute} {
		p := policy()
		r := atToken(proof(keys().p256, nil))
		_, err := p.Verify(t.Context(), r, epoch.Add(first))
		require.NoError(t, err, first)
		for _, again := range []time.Duration{first, time.Minute, -10 * time.Second} {
			_, err = p.Verify(t.Context(), r, epoch.Add(again))
			requireRefused(t, err, dpop.ErrProof, "dpop_replay", again.String())
		}
		_, err = p.Verify(t.Context(), r, epoch.Add(time.Minute+1))
		requireRefused(t, err, dpop.ErrProof, "dpop_iat_too_old", "after the window")
	}
	var until time.Time
	p := &dpop.Policy{MaxAge: time.Second, MaxAhead: 2 * time.Second, Replay: storeFunc(func(_ string, _ storage.Hash, expiresAt, _ time.Time) error {
		until = expiresAt
		return nil
	})}
	_, err := p.Verify(t.Context(), atToken(proof(keys().p256, nil)), epoch)
	require.NoError(t, err)
	require.Equal(t, epoch.Add(3*time.Second), until)
}

// TestFaultsOfTheStore: a store that fails or is full accepts no proof, and the error says nothing about the proof.
func TestFaultsOfTheStore(t *testing.T) {
	t.Parallel()
	down := errors.New("down")
	for _, fault := range []error{down, storage.ErrFull, context.Canceled} {
		p := &dpop.Policy{Replay: storeFunc(func(string, storage.Hash, time.Time, time.Time) error { return fault })}
		key, err := p.Verify(t.Context(), atToken(proof(keys().p256, nil)), epoch)
		require.ErrorIs(t, err, fault)
		var e *dpop.Error
		require.False(t, errors.As(err, &e))
		require.Empty(t, key)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := policy().Verify(cancelled, atToken(proof(keys().p256, nil)), epoch)
	require.ErrorIs(t, err, context.Canceled)
}

// TestFullStore: memory.Store is the bounded store of an API of one process. It refuses proofs when it is full, keeps the keys that it
// has, and has room again when they have expired. One client fills half of it.
func TestFullStore(t *testing.T) {
	t.Parallel()
	full, err := memory.NewWith(memory.Config{MaxReplays: 100})
	require.NoError(t, err)
	p := &dpop.Policy{Replay: full}
	verify := func(r dpop.Request, clientID string, at time.Duration) error {
		r.ClientID = clientID
		_, err := p.Verify(t.Context(), r, epoch.Add(at))
		return err
	}
	var accepted []dpop.Request
	for {
		r := atToken(proof(keys().ed, nil))
		err := verify(r, "greedy", 0)
		if err != nil {
			require.ErrorIs(t, err, storage.ErrFull)
			break
		}
		accepted = append(accepted, r)
	}
	require.Len(t, accepted, 50)
	require.NoError(t, verify(atToken(proof(keys().ed, nil)), "modest", 0), "another client has room")
	for _, r := range accepted {
		requireRefused(t, verify(r, "greedy", time.Minute), dpop.ErrProof, "dpop_replay", "no key is forgotten")
	}
	later := atToken(proof(keys().ed, object{"iat": epoch.Unix() + 70}))
	require.NoError(t, verify(later, "greedy", 70*time.Second))
}

// TestUncheckedProof: Consume needs what Check returned, also where replays are allowed.
func TestUncheckedProof(t *testing.T) {
	t.Parallel()
	for _, p := range []*dpop.Policy{policy(), {AllowReplay: true}, {Replay: storeFunc(func(string, storage.Hash, time.Time, time.Time) error { return nil })}} {
		require.Error(t, p.Consume(t.Context(), "", dpop.Proof{}, epoch))
	}
}

func TestAllowReplay(t *testing.T) {
	t.Parallel()
	p := &dpop.Policy{AllowReplay: true}
	r := atToken(proof(keys().p256, nil))
	for range 3 {
		key, err := p.Verify(t.Context(), r, epoch)
		require.NoError(t, err)
		require.Equal(t, thumbprintOf(jwkOf(keys().p256.Public())), key)
	}
	_, err := p.Verify(t.Context(), r, epoch.Add(time.Minute+1))
	requireRefused(t, err, dpop.ErrProof, "dpop_iat_too_old", "within its lifetime only")
	p.Replay = memory.New() // Validate rejects both
	_, err = p.Verify(t.Context(), r, epoch)
	require.NoError(t, err)
	_, err = p.Verify(t.Context(), r, epoch)
	requireRefused(t, err, dpop.ErrProof, "dpop_replay", "the store wins")
}

// race verifies one proof in n goroutines that begin together, and returns how many accepted it.
func race(t *testing.T, p *dpop.Policy, r dpop.Request, n int) int {
	t.Helper()
	var won atomic.Int32
	var ready, done sync.WaitGroup
	begin := make(chan struct{})
	ready.Add(n)
	for range n {
		done.Go(func() {
			ready.Done()
			<-begin
			_, err := p.Verify(context.WithoutCancel(t.Context()), r, epoch)
			if err == nil {
				won.Add(1)
			} else if !errors.Is(err, dpop.ErrProof) {
				t.Error(err)
			}
		})
	}
	ready.Wait()
	close(begin)
	done.Wait()
	return int(won.Load())
}

// TestRaceForOneProof: of many requests with one proof, one is accepted.
func TestRaceForOneProof(t *testing.T) {
	t.Parallel()
	p := policy()
	for range slow.Rounds(500) {
		require.Equal(t, 1, race(t, p, atToken(proof(keys().ed, nil)), 8))
	}
}

// TestRaceControl: the race finds a store that first reads and then writes.
func TestRaceControl(t *testing.T) {
	t.Parallel()
	const n = 8
	for range 20 {
		var mu sync.Mutex
		var read sync.WaitGroup
		read.Add(n)
		used := map[storage.Hash]bool{}
		p := &dpop.Policy{Replay: storeFunc(func(_ string, key storage.Hash, _, _ time.Time) error {
			mu.Lock()
			known := used[key]
			mu.Unlock()
			read.Done()
			read.Wait() // the others read meanwhile
			mu.Lock()
			defer mu.Unlock()
			used[key] = true
			if known {
				return storage.ErrConsumed
			}
			return nil
		})}
		require.Equal(t, n, race(t, p, atToken(proof(keys().ed, nil)), n))
	}
}
