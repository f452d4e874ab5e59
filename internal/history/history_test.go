package history_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/history"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/storage/memory"
)

const patience = 2 * time.Minute

// full is a store with the methods of a history.
type full interface {
	provider.Store
	PushRequest(ctx context.Context, p storage.PushedRequest, now time.Time) error
	PushedRequest(ctx context.Context, h storage.Hash, now time.Time) (storage.PushedRequest, error)
	ConsumePushedRequest(ctx context.Context, h storage.Hash, now time.Time) error
	ConsumeJTI(ctx context.Context, clientID string, key storage.Hash, end, now time.Time) error
}

func handles(all ...full) (out []history.Handle) {
	for _, s := range all {
		out = append(out, history.Handle{Store: s, PushedRequests: s, Replay: s})
	}
	return out
}

// batch runs a batch in two processes' names at the same time.
func batch(seed int, all ...full) []history.Op {
	var parts [2][]history.Op
	var both sync.WaitGroup
	for p := range parts {
		both.Go(func() {
			b := history.Batch{Space: fmt.Sprint(seed), Seed: uint64(seed), Process: p, Processes: 2, Callers: 3, Steps: 80}
			parts[p] = history.Run(context.Background(), b, handles(all...)...)
		})
	}
	both.Wait()
	return append(parts[0], parts[1]...)
}

// Histories of package memory are linearizable, and they contain every verdict of every method.
func TestMemoryIsLinearizable(t *testing.T) {
	seen := map[string]int{}
	for seed := range 40 {
		ops := batch(seed, memory.New())
		require.NoError(t, history.Check(ops, patience))
		for _, o := range ops {
			verdict, _, _ := strings.Cut(o.Result, " generation")
			verdict, _, _ = strings.Cut(verdict, " s") // the ID of a session
			seen[o.Method+" "+verdict]++
		}
	}
	for _, want := range []string{
		"FinishRequest ok", "FinishRequest conflict", "FinishRequest consumed", "FinishRequest revoked", "Code ok", "Code consumed", "Code not found",
		"RedeemCode ok", "RedeemCode consumed", "RedeemCode not found", "RotateRefreshToken ok", "RotateRefreshToken consumed", "RotateRefreshToken revoked",
		"RefreshToken ok", "RefreshToken consumed", "RefreshToken revoked", "AccessToken ok", "AccessToken revoked", "Revoke ok", "Grants ok true", "Grants ok false",
		"ReplaceSession ok", "ReplaceSession conflict", "ReplaceSession not found", "EndSession ok", "EndSession not found", "Session ok", "Session not found",
		"PushRequest ok", "PushRequest conflict", "PushedRequest ok", "PushedRequest not found", "ConsumePushedRequest ok", "ConsumePushedRequest not found",
		"ConsumeJTI ok", "ConsumeJTI consumed",
	} {
		require.NotZero(t, seen[want], want)
	}
}

// A call whose answer is lost may have been made or not: both are explained.
func TestLostAnswers(t *testing.T) {
	for seed := range 40 {
		require.NoError(t, history.Check(batch(seed, losing{memory.New()}), patience))
	}
}

// Histories of stores that break the contract are explained by no order.
func TestWrongStores(t *testing.T) {
	for name, open := range map[string]func() []full{
		"reads a code, then marks it":         one(func(m *memory.Store) full { return naive{m} }),
		"looks up a jti, then writes":         one(func(m *memory.Store) full { return naiveJTI{m} }),
		"deletes consumed codes":              one(func(m *memory.Store) full { return deletes{m} }),
		"the last writer of a session wins":   one(func(m *memory.Store) full { return lastWins{m} }),
		"revokes after it has returned":       one(func(m *memory.Store) full { return late{m, make(chan storage.Revocation, 100)} }),
		"loses requests that it acknowledged": one(func(m *memory.Store) full { return forgets{m} }),
		"each process has its own jtis":       func() []full { m := memory.New(); return []full{ownJTIs{m, memory.New()}, ownJTIs{m, memory.New()}} },
		"each process has a cache of sessions": func() []full {
			m := memory.New()
			return []full{caches{m, &sync.Map{}}, caches{m, &sync.Map{}}}
		},
		"reports a verdict for an error": one(func(m *memory.Store) full { return guesses{losing{m}} }),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := range 500 {
				if err := history.Check(batch(seed, open()...), patience); err != nil {
					require.ErrorContains(t, err, "no order of these")
					t.Logf("after %d batches: %v", seed+1, err)
					return
				}
			}
			t.Fatal("every history is explained")
		})
	}
}

func one(f func(*memory.Store) full) func() []full {
	return func() []full { return []full{f(memory.New())} }
}

type naive struct{ *memory.Store }

func (s naive) RedeemCode(ctx context.Context, h storage.Hash, i *storage.Issuance, now time.Time) error {
	if _, err := s.Code(ctx, h, now); err != nil {
		return err
	}
	runtime.Gosched()
	if err := s.Store.RedeemCode(ctx, h, i, now); !errors.Is(err, storage.ErrConsumed) {
		return err
	}
	return nil
}

type naiveJTI struct{ *memory.Store }

func (s naiveJTI) ConsumeJTI(ctx context.Context, clientID string, key storage.Hash, end, now time.Time) error {
	if rand.N(2) == 0 {
		return s.Store.ConsumeJTI(ctx, clientID, key, end, now)
	}
	_ = s.Store.ConsumeJTI(ctx, clientID, key, end, now)
	return nil
}

type deletes struct{ *memory.Store }

func (s deletes) RedeemCode(ctx context.Context, h storage.Hash, i *storage.Issuance, now time.Time) error {
	err := s.Store.RedeemCode(ctx, h, i, now)
	if errors.Is(err, storage.ErrConsumed) {
		return storage.ErrNotFound
	}
	return err
}

type lastWins struct{ *memory.Store }

func (s lastWins) ReplaceSession(ctx context.Context, old storage.Hash, next storage.Session, limit int, now time.Time) ([]storage.Session, error) {
	if before, err := s.Session(ctx, old, now); err == nil && before.ID == next.ID {
		next.Version = before.Version
	}
	return s.Store.ReplaceSession(ctx, old, next, limit, now)
}

// late makes the change of each revocation when the next one begins.
type late struct {
	*memory.Store
	left chan storage.Revocation
}

func (s late) Revoke(ctx context.Context, r storage.Revocation, now time.Time) error {
	select {
	case before := <-s.left:
		_ = s.Store.Revoke(ctx, before, now)
	default:
	}
	s.left <- r
	return nil
}

type forgets struct{ *memory.Store }

func (s forgets) FinishRequest(ctx context.Context, o storage.Outcome, now time.Time) error {
	if rand.N(10) == 0 {
		return nil
	}
	return s.Store.FinishRequest(ctx, o, now)
}

type ownJTIs struct {
	*memory.Store
	jtis *memory.Store
}

func (s ownJTIs) ConsumeJTI(ctx context.Context, clientID string, key storage.Hash, end, now time.Time) error {
	return s.jtis.ConsumeJTI(ctx, clientID, key, end, now)
}

type caches struct {
	*memory.Store
	sessions *sync.Map
}

func (s caches) Session(ctx context.Context, h storage.Hash, now time.Time) (storage.Session, error) {
	if in, ok := s.sessions.Load(h); ok {
		return in.(storage.Session), nil
	}
	in, err := s.Store.Session(ctx, h, now)
	if err == nil {
		s.sessions.Store(h, in)
	}
	return in, err
}

// losing loses one of ten requests and one of ten answers of each method that changes records.
type losing struct{ *memory.Store }

var errLost = errors.New("connection lost")

func lossy(f func() error) error {
	switch rand.N(10) {
	case 0:
		return errLost
	case 1:
		_ = f()
		return errLost
	}
	return f()
}

func (s losing) FinishRequest(ctx context.Context, o storage.Outcome, now time.Time) error {
	return lossy(func() error { return s.Store.FinishRequest(ctx, o, now) })
}

func (s losing) RedeemCode(ctx context.Context, h storage.Hash, i *storage.Issuance, now time.Time) error {
	return lossy(func() error { return s.Store.RedeemCode(ctx, h, i, now) })
}

func (s losing) RotateRefreshToken(ctx context.Context, h storage.Hash, i *storage.Issuance, grace time.Duration, now time.Time) error {
	return lossy(func() error { return s.Store.RotateRefreshToken(ctx, h, i, grace, now) })
}

func (s losing) Revoke(ctx context.Context, r storage.Revocation, now time.Time) error {
	return lossy(func() error { return s.Store.Revoke(ctx, r, now) })
}

func (s losing) ReplaceSession(ctx context.Context, old storage.Hash, next storage.Session, limit int, now time.Time) (ended []storage.Session, err error) {
	err = lossy(func() error { var e error; ended, e = s.Store.ReplaceSession(ctx, old, next, limit, now); return e })
	return ended, err
}

func (s losing) EndSession(ctx context.Context, h storage.Hash, now time.Time) (was storage.Session, err error) {
	err = lossy(func() error { var e error; was, e = s.Store.EndSession(ctx, h, now); return e })
	return was, err
}

func (s losing) ConsumePushedRequest(ctx context.Context, h storage.Hash, now time.Time) error {
	return lossy(func() error { return s.Store.ConsumePushedRequest(ctx, h, now) })
}

func (s losing) ConsumeJTI(ctx context.Context, clientID string, key storage.Hash, end, now time.Time) error {
	return lossy(func() error { return s.Store.ConsumeJTI(ctx, clientID, key, end, now) })
}

// guesses says that a code is unknown if it could not find out.
type guesses struct{ losing }

func (s guesses) RedeemCode(ctx context.Context, h storage.Hash, i *storage.Issuance, now time.Time) error {
	err := s.losing.RedeemCode(ctx, h, i, now)
	if errors.Is(err, errLost) {
		return storage.ErrNotFound
	}
	return err
}
