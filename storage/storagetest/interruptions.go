package storagetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/storage"
)

func interruptionCases() []testCase[provider.Store] {
	return []testCase[provider.Store]{
		{"Cancelled/before the start", "a context that is done before the method starts changes nothing", cancelledBefore},
		{"Cancelled/in the middle", "a method whose context ends while it runs did everything or nothing, nil means everything and a verdict nothing; made again, it has the verdict that belongs to that", cancelledMiddle},
		{"Cancelled/in a race", "a code or token is consumed if and only if tokens were inserted, whenever a caller is interrupted", cancelledRace},
	}
}

func cancelled() context.Context {
	ctx, cancel := context.WithCancel(bg)
	cancel()
	return ctx
}

// refused checks that a method did not return nil for a cancelled context.
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
	refused(t, s.RedeemCode(cancelled(), unused.Hash, newIssuance("unused", unused), epoch), "RedeemCode")
	refused(t, s.RedeemCode(cancelled(), unused.Hash, nil, epoch), "RedeemCode without an issuance")
	refused(t, s.RotateRefreshToken(cancelled(), issue.Refresh.Hash, next, 0, epoch), "RotateRefreshToken")
	refused(t, s.Revoke(cancelled(), storage.Revocation{GrantID: c.Grant.ID}, epoch), "Revoke of a grant")
	key := storage.ConsentKey{UserKey: c.Grant.UserKey, ClientID: c.Grant.ClientID, Customer: c.Grant.Customer}
	refused(t, s.Revoke(cancelled(), storage.Revocation{Authorization: key}, epoch), "Revoke of an authorization")
	_, err = s.ReplaceSession(cancelled(), in.Hash, newSession("late", "b"), 0, epoch)
	refused(t, err, "ReplaceSession by another session")

	wantSession(t, s, in, epoch, "after cancelled methods")
	wantNoSession(t, s, late.Hash, epoch, "whose creation was cancelled")
	wantNoSession(t, s, rotated.Hash, epoch, "whose rotation was cancelled")
	wantCode(t, s, unused, nil, epoch, "after cancelled methods")
	wantIssuance(t, s, issue, epoch, "after cancelled methods")
	issuanceState(t, s, next, epoch, storage.ErrNotFound, "of a cancelled rotation")
	must(t, createCode(s, bg, lateCode, epoch), "creating a code whose creation was cancelled")
}

// brittle returns a context that ends at the nth call of Err or Done, wherever in a method the store makes it.
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

// Err implements context.Context.
func (c *brittleContext) Err() error { c.asked(); return c.Context.Err() }

// Done implements context.Context.
func (c *brittleContext) Done() <-chan struct{} { c.asked(); return c.Context.Done() }

// cancelledMiddle makes each change with a context that ends at some point of the method.
func cancelledMiddle(t testing.TB, s provider.Store) {
	for i, name := range slices.Sorted(maps.Keys(changes)) {
		for n := range size(3, 12, 25) {
			if n > 0 {
				n = size(1+(n*5+i*3)%12, n, n)
			}
			r := newRecords(numbered(name, n))
			r.insert(t, s)
			c := changes[name](reader{s}, r)
			interrupt(t, name, c, func() error { return c.do(brittle(n)) })
		}
	}
}

// interrupt makes a change whose caller may not hear of the result, and makes it again as its caller may. The change was made as a whole
// or not at all, and the caller gets the verdict that belongs to it.
func interrupt(t testing.TB, name string, c change, do func() error) (err error) {
	t.Helper()
	err = do()
	made := c.made()
	switch {
	case err == nil && made != len(c.after):
		t.Fatalf("%s: interrupted, it returned nil, and %d of its %d changes were made", name, made, len(c.after))
	case made != 0 && made != len(c.after):
		t.Fatalf("%s: interrupted, it returned %v, and %d of its %d changes were made", name, err, made, len(c.after))
	case made != 0 && isVerdict(err):
		t.Fatalf("%s: interrupted, it returned the verdict %v, but its changes were made", name, err)
	}
	var want error
	if made != 0 {
		want = c.again
	}
	verdict(t, c.do(bg), want, name+", made again after it was interrupted and returned "+fmt.Sprint(err))
	if made := c.made(); made != len(c.after) {
		t.Fatalf("%s: interrupted and made again, and %d of its %d changes were made", name, made, len(c.after))
	}
	return err
}

// made returns how many of its changes are seen.
func (c change) made() (n int) {
	for _, seen := range c.after {
		if seen() {
			n++
		}
	}
	return n
}

func isVerdict(err error) bool {
	return slices.ContainsFunc(verdicts, func(v error) bool { return errors.Is(err, v) })
}

func cancelledRace(t testing.TB, s provider.Store) {
	const callers = 4
	for round := range rounds() {
		c := newCode(numbered("c", round))
		must(t, createCode(s, bg, c, epoch), "creating a code")
		issues := make([]*storage.Issuance, callers)
		for i := range issues {
			issues[i] = newIssuance(numbered(c.RequestID, i), c)
		}
		errs := interrupted(t, callers, round, func(ctx context.Context, i int) error {
			return s.RedeemCode(ctx, c.Hash, issues[i], epoch)
		})
		_, state := s.Code(bg, c.Hash, epoch)
		oneOrNone(t, s, round, errors.Is(state, storage.ErrConsumed), errs, issues)

		d, first := redeemed(t, s, newCode(numbered("d", round)), numbered("d", round))
		for i := range issues {
			issues[i] = successor(numbered(d.RequestID, i), d, 1)
		}
		errs = interrupted(t, callers, round, func(ctx context.Context, i int) error {
			return s.RotateRefreshToken(ctx, first.Refresh.Hash, issues[i], 0, epoch)
		})
		_, _, state = s.RefreshToken(bg, first.Refresh.Hash, epoch)
		oneOrNone(t, s, round, errors.Is(state, storage.ErrConsumed), errs, issues)
	}
}

// interrupted runs f for all callers at the same time and cancels each after a different delay.
func interrupted(t testing.TB, callers, round int, f func(ctx context.Context, i int) error) []error {
	var stoppers sync.WaitGroup
	defer stoppers.Wait()
	return together(t, callers, func(i int) error {
		ctx, cancel := context.WithCancel(bg)
		stoppers.Go(func() {
			for range (round*7 + i*13) % 40 {
				runtime.Gosched()
			}
			cancel()
		})
		return f(yieldingContext{ctx, 1}, i)
	})
}

// oneOrNone checks that the record is consumed if and only if the tokens of exactly one caller exist, and that a caller that
// got nil is that one.
func oneOrNone(t testing.TB, s provider.Store, round int, consumed bool, errs []error, issues []*storage.Issuance) {
	t.Helper()
	inserted := 0
	for i, issue := range issues {
		_, _, a := s.AccessToken(bg, issue.Access.Hash, epoch)
		_, _, r := s.RefreshToken(bg, issue.Refresh.Hash, epoch)
		if (a == nil) != (r == nil) || errs[i] == nil && a != nil {
			t.Fatalf("round %d: a caller got %v, its access token is %v, its refresh token %v", round, errs[i], a, r)
		}
		if a == nil {
			inserted++
		}
	}
	if inserted > 1 || consumed != (inserted == 1) {
		t.Fatalf("round %d: consumed %v, but %d callers' tokens exist", round, consumed, inserted)
	}
}
