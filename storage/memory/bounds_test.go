package memory_test

import (
	"context"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/fields"
	"github.com/portner-go/portner/internal/slow"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/storage/memory"
)

// TestInvalidBounds verifies that a negative bound is an error, and not the default, which is a bound that the host did not choose, and that
// one beyond 32 bits is.
func TestInvalidBounds(t *testing.T) {
	t.Parallel()
	var config memory.Config
	v := reflect.ValueOf(&config).Elem()
	var want []string
	for i := range v.NumField() {
		want = append(want, v.Type().Field(i).Name)
	}
	for _, n := range []int64{-1, 1<<30 + 1} {
		for i := range v.NumField() {
			v.Field(i).SetInt(n)
		}
		s, err := memory.NewWith(config)
		require.True(t, s == nil)
		require.ElementsMatch(t, want, fields.Names(err))
	}
}

// TestBounds verifies that creation fails at a bound, that no live record is lost, and that expiry makes room
// (docs/threat-model.md J3).
func TestBounds(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name   string
		config memory.Config
		create func(s *memory.Store, n int, now time.Time) error
		first  func(s *memory.Store, now time.Time) error // nil while the first record lives
		again  time.Duration                              // when there is room again
	}{
		{
			"sessions",
			memory.Config{MaxSessions: 3},
			func(s *memory.Store, n int, now time.Time) error {
				_, err := s.ReplaceSession(t.Context(), none, newSession(n), 0, now)
				return err
			},
			func(s *memory.Store, now time.Time) error {
				_, err := s.Session(t.Context(), newSession(0).Hash, now)
				return err
			}, 30 * time.Minute,
		},
		{
			"codes",
			memory.Config{MaxGrants: 3},
			func(s *memory.Store, n int, now time.Time) error {
				c := newCode(n)
				c.Grant.ClientID = id("client", n)
				return s.FinishRequest(t.Context(), outcomeOf(n, c), now)
			},
			func(s *memory.Store, now time.Time) error {
				_, err := s.Code(t.Context(), newCode(0).Hash, now)
				return err
			}, 30 * time.Minute,
		},
		{
			"pushed requests",
			memory.Config{MaxPushedRequests: 3},
			func(s *memory.Store, n int, now time.Time) error {
				return s.PushRequest(t.Context(), newPushed(n, id("client", n)), now)
			},
			func(s *memory.Store, now time.Time) error {
				_, err := s.PushedRequest(t.Context(), newPushed(0, "").Hash, now)
				return err
			}, 2 * time.Minute,
		},
		{
			"pushed requests of one client",
			memory.Config{MaxPushedRequestsPerClient: 3},
			func(s *memory.Store, n int, now time.Time) error {
				return s.PushRequest(t.Context(), newPushed(n, "client"), now)
			},
			func(s *memory.Store, now time.Time) error {
				_, err := s.PushedRequest(t.Context(), newPushed(0, "").Hash, now)
				return err
			}, 2 * time.Minute,
		},
		{
			"consents",
			memory.Config{MaxConsents: 3},
			func(s *memory.Store, n int, now time.Time) error {
				return s.FinishRequest(t.Context(), answer(id("answer", n), n, "s"), now)
			},
			func(s *memory.Store, now time.Time) error {
				got, err := s.Consents(t.Context(), consentsOf(0), now)
				if len(got) == 0 {
					return storage.ErrNotFound
				}
				return err
			}, time.Hour,
		},
		{
			"assertions",
			memory.Config{MaxReplays: 3},
			func(s *memory.Store, n int, now time.Time) error {
				return s.ConsumeJTI(t.Context(), id("client", n), storage.HashOf(id("jti", n)), now.Add(time.Minute), now)
			},
			func(s *memory.Store, now time.Time) error {
				err := s.ConsumeJTI(t.Context(), "client", storage.HashOf(id("jti", 0)), now.Add(time.Minute), now)
				if err == storage.ErrConsumed {
					return nil
				}
				return storage.ErrNotFound
			}, time.Minute,
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := bounded(c.config)
			for n := range 3 {
				require.NoError(t, c.create(s, n, epoch))
			}
			for n := range 3 {
				require.ErrorIs(t, c.create(s, 3+n, epoch.Add(c.again-1)), storage.ErrFull)
			}
			if c.name == "codes" {
				require.NoError(t, c.first(s, epoch.Add(time.Minute-1)))
			} else {
				require.NoError(t, c.first(s, epoch.Add(c.again-1)), "a live record was removed")
			}
			require.NoError(t, c.create(s, 6, epoch.Add(c.again)), "expired records make room")
		})
	}
}

func TestBoundOfTokens(t *testing.T) {
	t.Parallel()
	s := bounded(memory.Config{MaxTokens: 3})
	one, two := newCode(1), newCode(2)
	require.NoError(t, s.FinishRequest(t.Context(), outcomeOf(1, one), epoch))
	require.NoError(t, s.FinishRequest(t.Context(), outcomeOf(2, two), epoch))
	first := newIssuance(1, 0, one.Grant)
	require.NoError(t, s.RedeemCode(t.Context(), one.Hash, first, epoch))
	require.ErrorIs(t, s.RedeemCode(t.Context(), two.Hash, newIssuance(2, 0, two.Grant), epoch), storage.ErrFull)
	_, err := s.Code(t.Context(), two.Hash, epoch)
	require.NoError(t, err, "a full store consumed the code")
	require.ErrorIs(t, s.RotateRefreshToken(t.Context(), first.Refresh.Hash, newIssuance(1, 1, one.Grant), 0, epoch), storage.ErrFull)
	_, _, err = s.RefreshToken(t.Context(), first.Refresh.Hash, epoch)
	require.NoError(t, err, "a full store consumed the refresh token")
	require.NoError(t, s.Revoke(t.Context(), storage.Revocation{GrantID: one.Grant.ID}, epoch), "a full store revokes")
}

// The bound of one client does not affect another, and consumed requests make room.
func TestPushedRequestsPerClient(t *testing.T) {
	t.Parallel()
	s := bounded(memory.Config{MaxPushedRequestsPerClient: 2})
	require.NoError(t, s.PushRequest(t.Context(), newPushed(1, "busy"), epoch))
	require.NoError(t, s.PushRequest(t.Context(), newPushed(2, "busy"), epoch))
	require.ErrorIs(t, s.PushRequest(t.Context(), newPushed(3, "busy"), epoch), storage.ErrFull)
	require.NoError(t, s.PushRequest(t.Context(), newPushed(3, "calm"), epoch))
	require.NoError(t, s.ConsumePushedRequest(t.Context(), newPushed(1, "busy").Hash, epoch))
	require.NoError(t, s.PushRequest(t.Context(), newPushed(4, "busy"), epoch))
	require.ErrorIs(t, s.PushRequest(t.Context(), newPushed(5, "busy"), epoch), storage.ErrFull)
	// The default is 1,000 for each client.
	s = memory.New()
	for n := range 1000 {
		require.NoError(t, s.PushRequest(t.Context(), newPushed(n, "busy"), epoch))
	}
	require.ErrorIs(t, s.PushRequest(t.Context(), newPushed(1000, "busy"), epoch), storage.ErrFull)
}

// An outcome whose consents do not fit changes nothing.
func TestConsentsAllOrNone(t *testing.T) {
	t.Parallel()
	s := bounded(memory.Config{MaxConsents: 3})
	require.NoError(t, s.FinishRequest(t.Context(), answer("first", 1, "a"), epoch))
	c := newCode(2)
	o := outcomeOf(2, c)
	o.Consents, o.Granted = consentsOf(1), answer("", 1, "b", "c").Granted
	require.ErrorIs(t, s.FinishRequest(t.Context(), o, epoch), storage.ErrFull)
	got, err := s.Consents(t.Context(), consentsOf(1), epoch)
	require.NoError(t, err)
	require.Len(t, got, 1)
	_, err = s.Code(t.Context(), c.Hash, epoch)
	require.ErrorIs(t, err, storage.ErrNotFound)
	require.NoError(t, s.FinishRequest(t.Context(), answer("second", 1, "a", "b"), epoch), "a renewed consent needs no room")
	require.NoError(t, s.FinishRequest(t.Context(), outcomeOf(2, c), epoch), "the keys of the rejected outcome are free")
}

// fill inserts records of every kind.
func fill(t testing.TB, s *memory.Store, from, n int) {
	ctx := context.Background()
	for i := from; i < from+n; i++ {
		in := newSession(i)
		_, err := s.ReplaceSession(ctx, none, in, 0, epoch)
		require.NoError(t, err)
		c := newCode(i)
		c.Grant.SessionID = in.ID
		c.Grant.UserKey = in.UserKey
		require.NoError(t, s.FinishRequest(ctx, outcomeOf(i, c), epoch))
		if i%3 > 0 {
			first := newIssuance(i, 0, c.Grant)
			require.NoError(t, s.RedeemCode(ctx, c.Hash, first, epoch))
			require.NoError(t, s.RotateRefreshToken(ctx, first.Refresh.Hash, newIssuance(i, 1, c.Grant), 0, epoch))
		}
		next := in
		if next.Hash = storage.HashOf(id("rotated", i)); i%2 == 0 {
			next.Hash = in.Hash
		}
		_, err = s.ReplaceSession(ctx, in.Hash, next, 0, epoch)
		require.NoError(t, err)
		if i%5 == 0 {
			_, err := s.EndSession(ctx, next.Hash, epoch)
			require.NoError(t, err)
		}
		if i%7 == 0 {
			require.NoError(t, s.Revoke(ctx, storage.Revocation{GrantID: c.Grant.ID}, epoch))
		}
		require.NoError(t, s.PushRequest(ctx, newPushed(i, id("client", i%50)), epoch))
		if i%2 == 0 {
			require.NoError(t, s.ConsumePushedRequest(ctx, newPushed(i, "").Hash, epoch))
		}
		o := answer(id("answer", i), i, "short", "long")
		o.Granted[1].ExpiresAt = epoch.Add(90 * time.Minute)
		require.NoError(t, s.FinishRequest(ctx, o, epoch))
		if i%11 == 0 {
			require.NoError(t, s.Revoke(ctx, storage.Revocation{Authorization: consentsOf(i)}, epoch))
		}
		require.NoError(t, s.ConsumeJTI(ctx, "client", storage.HashOf(id("jti", i)), epoch.Add(time.Minute), epoch))
	}
}

// After expiry no index, heap or counter has an entry.
func TestSweepLeavesNothing(t *testing.T) {
	slow.WithoutRaceDetector(t)
	t.Parallel()
	s := memory.New()
	fill(t, s, 0, 3000)
	held := s.Stats()
	removed, err := s.Sweep(t.Context(), epoch)
	require.NoError(t, err)
	require.Zero(t, removed, "a live record was removed")
	require.Equal(t, held, s.Stats())

	total := 0
	for _, at := range []time.Duration{time.Minute, 2 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour} {
		removed, err = s.Sweep(t.Context(), epoch.Add(at))
		require.NoError(t, err)
		require.NotZero(t, removed)
		total += removed
	}
	require.Equal(t, held.Sessions+held.EndedSessions+held.Grants+held.Tokens+held.PushedRequests+held.Consents+held.Replays, total)
	require.Empty(t, s.Leftovers())
}

// Writes collect expired records without Sweep.
func TestTrafficCollects(t *testing.T) {
	slow.WithoutRaceDetector(t)
	t.Parallel()
	s := memory.New()
	fill(t, s, 0, 2000)
	later := epoch.Add(3 * time.Hour)
	for n := range 4000 {
		c := newCode(10_000 + n)
		c.ExpiresAt = later.Add(time.Minute)
		require.NoError(t, s.FinishRequest(t.Context(), storage.Outcome{RequestID: id("late", n), Code: &c}, later))
		require.NoError(t, s.ConsumeJTI(t.Context(), "client", storage.HashOf(id("late", n)), later.Add(time.Minute), later))
	}
	require.Equal(t, memory.Stats{Grants: 4000, Replays: 4000}, s.Stats())
}

func TestSweepStopsWhenCancelled(t *testing.T) {
	t.Parallel()
	s := memory.New()
	fill(t, s, 0, 1000)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	removed, err := s.Sweep(ctx, epoch.Add(3*time.Hour))
	require.ErrorIs(t, err, context.Canceled)
	require.Zero(t, removed)
	_, err = s.Sweep(t.Context(), epoch.Add(3*time.Hour))
	require.NoError(t, err)
	require.Empty(t, s.Leftovers())
}

// TestClockGoesBack verifies that a jti that was collected is rejected when the clock goes back (docs/threat-model.md G10).
func TestClockGoesBack(t *testing.T) {
	t.Parallel()
	s := memory.New()
	key, end := storage.HashOf("jti"), epoch.Add(time.Minute)
	require.NoError(t, s.ConsumeJTI(t.Context(), "client", key, end, epoch))
	_, err := s.Sweep(t.Context(), epoch.Add(time.Hour))
	require.NoError(t, err)
	require.Empty(t, s.Leftovers())
	require.ErrorIs(t, s.ConsumeJTI(t.Context(), "client", key, end, epoch), storage.ErrConsumed)
	require.NoError(t, s.ConsumeJTI(t.Context(), "client", key, end.Add(1), epoch), "a later end was not collected")
}

// The chain of a user holds live grants only.
func TestUserForgetsEndedGrants(t *testing.T) {
	slow.WithoutRaceDetector(t)
	t.Parallel()
	s := memory.New()
	user := newCode(1).Grant.UserKey
	for n := range 1000 {
		now := epoch.Add(time.Duration(n) * time.Minute)
		c := newCode(n)
		c.Grant.UserKey = user
		c.ExpiresAt = now.Add(time.Minute)
		require.NoError(t, s.FinishRequest(t.Context(), storage.Outcome{RequestID: id("request", n), Code: &c}, now))
		_, err := s.Sweep(t.Context(), now)
		require.NoError(t, err)
		require.LessOrEqual(t, s.GrantsOf(user), 2)
	}
}

// Every method and Sweep at the same time, with clocks that differ: no deadlock and no race, and nothing is left in the end.
func TestEverythingAtOnce(t *testing.T) {
	t.Parallel()
	s := bounded(memory.Config{MaxTokens: 5000, MaxReplays: 2000})
	var workers sync.WaitGroup
	for w := range 8 {
		workers.Go(func() {
			for i := range 1500 {
				now := epoch.Add(time.Duration(i%40-w) * time.Minute)
				n := i % 97
				in, c := newSession(n), newCode(n)
				in.UserKey = storage.HashOf(id("user", n%5))
				c.Grant.SessionID = in.ID
				ctx := t.Context()
				c.Grant.UserKey = in.UserKey
				o := outcomeOf(n, c)
				o.Consents, o.Declined = consentsOf(n%5+1), []string{"b"}
				o.Granted = answer("", 0, "a", "c").Granted
				_, _ = s.ReplaceSession(ctx, none, in, 4, now)
				_ = s.FinishRequest(ctx, o, now)
				_ = s.RedeemCode(ctx, c.Hash, newIssuance(n, 0, c.Grant), now)
				_ = s.RotateRefreshToken(ctx, newIssuance(n, i%3, c.Grant).Refresh.Hash, newIssuance(n, i%3+1, c.Grant), 0, now)
				if got, err := s.Session(ctx, in.Hash, now); err == nil {
					if other := newSession(n + 1); i%3 == 0 {
						_, _ = s.ReplaceSession(ctx, in.Hash, other, 4, now) // another user
					} else {
						_, _ = s.ReplaceSession(ctx, in.Hash, got, 4, now)
					}
				}
				if i%13 == w {
					_, _ = s.EndSession(ctx, in.Hash, now)
					_ = s.Revoke(ctx, storage.Revocation{GrantID: newCode(n + 1).Grant.ID}, now)
				}
				_ = s.PushRequest(ctx, newPushed(n, "client"), now)
				_ = s.ConsumePushedRequest(ctx, newPushed(n+1, "").Hash, now)
				_ = s.InsertGrant(ctx, newIssuance(n+1, 9, newCode(n+1).Grant), now)
				_ = s.Revoke(ctx, storage.Revocation{Authorization: consentsOf(n % 5)}, now)
				_, _ = s.Grants(ctx, storage.GrantQuery{UserKey: in.UserKey, Limit: 3}, now)
				_ = s.ConsumeJTI(ctx, "client", storage.HashOf(id("jti", i)), now.Add(time.Minute), now)
				if i%50 == 0 {
					_, _ = s.Sweep(ctx, now)
				}
			}
		})
	}
	workers.Wait()
	_, err := s.Sweep(t.Context(), epoch.Add(24*time.Hour))
	require.NoError(t, err)
	require.Empty(t, s.Leftovers())
}
