package storagetest

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/storage"
)

func interruptionCases() []testCase[provider.Store] {
	return []testCase[provider.Store]{
		{"Cancelled/before the start", "a context that is done before the verb starts changes nothing (security J5)", cancelledBefore},
		{"Cancelled/in the middle", "a verb whose context ends under way did all or nothing, and nil means all (security J5)", cancelledMiddle},
		{"Cancelled/in a race", "consumed iff inserted, whenever each of many callers is interrupted (R2)", cancelledRace},
	}
}

func cancelled() context.Context {
	ctx, cancel := context.WithCancel(bg)
	cancel()
	return ctx
}

// refused checks that a verb did not claim success under a cancelled context.
func refused(t testing.TB, err error, doing string) {
	t.Helper()
	if err == nil {
		t.Errorf("%s with a cancelled context: got nil, want an error", doing)
	}
}

func cancelledBefore(t testing.TB, s provider.Store) {
	in := createSession(t, s, newSession("s", "a"))
	c, issue := redeemed(t, s, given(newCode("used"), in, true), "used")
	unused := given(newCode("unused"), in, true)
	must(t, createCode(s, bg, unused, epoch), "creating a code")

	late, lateCode, next := newSession("late", "a"), newCode("late"), successor("next", c, 1)
	_, err := s.ReplaceSession(cancelled(), none, late, 1, epoch)
	refused(t, err, "CreateSession")
	rotated := in
	rotated.Hash = storage.HashOf("rotated")
	refused(t, replace(cancelled(), s, in.Hash, rotated, epoch), "ReplaceSession")
	_, err = s.EndSession(cancelled(), in.Hash, epoch)
	refused(t, err, "EndSession")
	refused(t, createCode(s, cancelled(), lateCode, epoch), "CreateCode")
	refused(t, s.RedeemCode(cancelled(), unused.Hash, newIssue("unused", unused), epoch), "RedeemCode")
	refused(t, s.RedeemCode(cancelled(), unused.Hash, nil, epoch), "RedeemCode without an issue")
	refused(t, s.RotateRefreshToken(cancelled(), issue.Refresh.Hash, next, 0, epoch), "RotateRefreshToken")
	refused(t, s.Revoke(cancelled(), storage.Revocation{GrantID: c.Grant.ID}, epoch), "RevokeGrant")

	wantSession(t, s, in, epoch, "after cancelled verbs")
	wantNoSession(t, s, late.Hash, epoch, "whose creation was cancelled")
	wantNoSession(t, s, rotated.Hash, epoch, "whose rotation was cancelled")
	wantCode(t, s, unused, nil, epoch, "after cancelled verbs")
	wantIssue(t, s, issue, epoch, "after cancelled verbs")
	issueState(t, s, next, epoch, storage.ErrNotFound, "of a cancelled rotation")
	must(t, createCode(s, bg, lateCode, epoch), "creating a code whose creation was cancelled")
}

// brittle is a context that ends when it is asked the nth time: it puts the interruption
// wherever a store looks.
func brittle(n int) context.Context {
	ctx, cancel := context.WithCancel(bg)
	c := &brittleContext{Context: ctx, cancel: cancel}
	c.left.Store(int32(n))
	return c
}

type brittleContext struct {
	context.Context
	cancel context.CancelFunc
	left   atomic.Int32
}

func (c *brittleContext) asked() {
	if c.left.Add(-1) < 0 {
		c.cancel()
	}
}

func (c *brittleContext) Err() error            { c.asked(); return c.Context.Err() }
func (c *brittleContext) Done() <-chan struct{} { c.asked(); return c.Context.Done() }

// allOrNothing checks one redemption or rotation that answered err: consumed iff inserted.
func allOrNothing(t testing.TB, s provider.Store, consumed bool, issue *storage.Issuance, err error, what string) {
	t.Helper()
	_, _, accessErr := s.AccessToken(bg, issue.Access.Hash, epoch)
	_, _, refreshErr := s.RefreshToken(bg, issue.Refresh.Hash, epoch)
	inserted := accessErr == nil
	if inserted != (refreshErr == nil) || inserted != consumed {
		t.Fatalf("%s interrupted: consumed %v, access token %v, refresh token %v: want all or nothing", what, consumed, accessErr, refreshErr)
	}
	if err == nil && !consumed {
		t.Fatalf("%s interrupted: it answered nil and did nothing", what)
	}
}

func cancelledMiddle(t testing.TB, s provider.Store) {
	for n := range 25 {
		c := newCode(numbered("c", n))
		must(t, createCode(s, bg, c, epoch), "creating a code")
		issue := newIssue(numbered("first", n), c)
		err := s.RedeemCode(brittle(n), c.Hash, issue, epoch)
		_, state := s.Code(bg, c.Hash, epoch)
		allOrNothing(t, s, errors.Is(state, storage.ErrConsumed), issue, err, "RedeemCode")

		d, first := redeemed(t, s, newCode(numbered("d", n)), numbered("d", n))
		next := successor(numbered("next", n), d, 1)
		err = s.RotateRefreshToken(brittle(n), first.Refresh.Hash, next, 0, epoch)
		_, _, state = s.RefreshToken(bg, first.Refresh.Hash, epoch)
		allOrNothing(t, s, errors.Is(state, storage.ErrConsumed), next, err, "RotateRefreshToken")

		err = s.Revoke(brittle(n), storage.Revocation{GrantID: d.Grant.ID}, epoch)
		_, _, state = s.AccessToken(bg, first.Access.Hash, epoch)
		if err == nil && !errors.Is(state, storage.ErrRevoked) {
			t.Fatalf("RevokeGrant interrupted: it answered nil and the grant is live")
		}
		cancelledSession(t, s, n)
	}
}

func cancelledSession(t testing.TB, s provider.Store, n int) {
	in := createSession(t, s, newSession(numbered("s", n), numbered("p", n)))
	c, issue := redeemed(t, s, given(newCode(numbered("login", n)), in, true), numbered("login", n))
	unused := given(newCode(numbered("unused", n)), in, true)
	must(t, createCode(s, bg, unused, epoch), "creating a code")
	next := in
	next.Hash = storage.HashOf(numbered("rotated", n))
	err := replace(brittle(n), s, in.Hash, next, epoch)
	_, oldErr := s.Session(bg, in.Hash, epoch)
	_, newErr := s.Session(bg, next.Hash, epoch)
	if (oldErr == nil) == (newErr == nil) || err == nil && newErr != nil {
		t.Fatalf("ReplaceSession interrupted: it answered %v, old hash %v, new hash %v", err, oldErr, newErr)
	}
	current := in.Hash
	if newErr == nil {
		current = next.Hash
	}
	_, err = s.EndSession(brittle(n), current, epoch)
	_, live := s.Session(bg, current, epoch)
	_, _, token := s.AccessToken(bg, issue.Access.Hash, epoch)
	_, code := s.Code(bg, unused.Hash, epoch)
	ended := live != nil
	if ended != errors.Is(token, storage.ErrRevoked) || ended != errors.Is(code, storage.ErrConsumed) || err == nil && !ended {
		t.Fatalf("EndSession interrupted: it answered %v, session %v, token of %s %v, unused code %v", err, live, c.Grant.ID, token, code)
	}
}

func cancelledRace(t testing.TB, s provider.Store) {
	const callers = 4
	for round := range rounds {
		c := newCode(numbered("c", round))
		must(t, createCode(s, bg, c, epoch), "creating a code")
		issues := make([]*storage.Issuance, callers)
		for i := range issues {
			issues[i] = newIssue(numbered(c.RequestID, i), c)
		}
		errs := interrupted(callers, round, func(ctx context.Context, i int) error {
			return s.RedeemCode(ctx, c.Hash, issues[i], epoch)
		})
		_, state := s.Code(bg, c.Hash, epoch)
		oneOrNone(t, s, round, errors.Is(state, storage.ErrConsumed), errs, issues)

		d, first := redeemed(t, s, newCode(numbered("d", round)), numbered("d", round))
		for i := range issues {
			issues[i] = successor(numbered(d.RequestID, i), d, 1)
		}
		errs = interrupted(callers, round, func(ctx context.Context, i int) error {
			return s.RotateRefreshToken(ctx, first.Refresh.Hash, issues[i], 0, epoch)
		})
		_, _, state = s.RefreshToken(bg, first.Refresh.Hash, epoch)
		oneOrNone(t, s, round, errors.Is(state, storage.ErrConsumed), errs, issues)
	}
}

// interrupted runs f for all callers at once and cancels each after another while.
func interrupted(callers, round int, f func(ctx context.Context, i int) error) []error {
	var stoppers sync.WaitGroup
	defer stoppers.Wait()
	return together(callers, func(i int) error {
		ctx, cancel := context.WithCancel(bg)
		stoppers.Go(func() {
			for range (round*7 + i*13) % 40 {
				runtime.Gosched()
			}
			cancel()
		})
		return f(yieldingContext{ctx}, i)
	})
}

// oneOrNone checks that the record is consumed iff exactly one caller's tokens exist, and that a
// caller who was told nil is that one.
func oneOrNone(t testing.TB, s provider.Store, round int, consumed bool, errs []error, issues []*storage.Issuance) {
	t.Helper()
	inserted := 0
	for i, issue := range issues {
		_, _, a := s.AccessToken(bg, issue.Access.Hash, epoch)
		_, _, r := s.RefreshToken(bg, issue.Refresh.Hash, epoch)
		if (a == nil) != (r == nil) || errs[i] == nil && a != nil {
			t.Fatalf("round %d: a caller was told %v, its access token is %v, its refresh token %v", round, errs[i], a, r)
		}
		if a == nil {
			inserted++
		}
	}
	if inserted > 1 || consumed != (inserted == 1) {
		t.Fatalf("round %d: consumed %v, but %d callers' tokens exist", round, consumed, inserted)
	}
}
