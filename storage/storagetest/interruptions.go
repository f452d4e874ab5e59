package storagetest

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/storage"
)

func interruptionCases() []testCase[provider.Store] {
	return []testCase[provider.Store]{
		{"Cancelled/before the start", "a context that is done before the method starts changes nothing", cancelledBefore},
		{"Cancelled/in the middle", "a method whose context ends while it runs did everything or nothing, and nil means everything", cancelledMiddle},
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

func (c *brittleContext) Err() error            { c.asked(); return c.Context.Err() }
func (c *brittleContext) Done() <-chan struct{} { c.asked(); return c.Context.Done() }

// allOrNothing checks one redemption or rotation that returned err: it consumed if and only if it inserted.
func allOrNothing(t testing.TB, s provider.Store, consumed bool, issue *storage.Issuance, err error, what string) {
	t.Helper()
	_, _, accessErr := s.AccessToken(bg, issue.Access.Hash, epoch)
	_, _, refreshErr := s.RefreshToken(bg, issue.Refresh.Hash, epoch)
	inserted := accessErr == nil
	if inserted != (refreshErr == nil) || inserted != consumed {
		t.Fatalf("%s interrupted: consumed %v, access token %v, refresh token %v: want all or nothing", what, consumed, accessErr, refreshErr)
	}
	if err == nil && !consumed {
		t.Fatalf("%s interrupted: it returned nil and did nothing", what)
	}
}

func cancelledMiddle(t testing.TB, s provider.Store) {
	for n := range 25 {
		c := newCode(numbered("c", n))
		must(t, createCode(s, bg, c, epoch), "creating a code")
		issue := newIssuance(numbered("first", n), c)
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
			t.Fatalf("RevokeGrant interrupted: it returned nil and the grant is live")
		}
		cancelledSession(t, s, n)
		cancelledSwitch(t, s, n)
		cancelledAuthorization(t, s, n)
	}
}

func cancelledSwitch(t testing.TB, s provider.Store, n int) {
	in, next := createSession(t, s, newSession(numbered("from", n), numbered("f", n))), newSession(numbered("to", n), numbered("t", n))
	_, login := redeemed(t, s, given(newCode(numbered("switched", n)), in, true), numbered("switched", n))
	err := replace(brittle(n), s, in.Hash, next, epoch)
	_, oldErr := s.Session(bg, in.Hash, epoch)
	_, newErr := s.Session(bg, next.Hash, epoch)
	_, _, token := s.AccessToken(bg, login.Access.Hash, epoch)
	ended := oldErr != nil
	if ended != (newErr == nil) || ended != errors.Is(token, storage.ErrRevoked) || err == nil && !ended {
		t.Fatalf("ReplaceSession interrupted: it returned %v, old session %v, new session %v, token of the old one %v", err, oldErr, newErr, token)
	}
}

func cancelledAuthorization(t testing.TB, s provider.Store, n int) {
	in := createSession(t, s, newSession(numbered("visited", n), numbered("user", n)))
	c := given(newCode(numbered("authorized", n)), in, false)
	key := storage.ConsentKey{UserKey: c.Grant.UserKey, ClientID: c.Grant.ClientID, Customer: c.Grant.Customer}
	o := visiting(c, visitOf(in, "client-c"))
	o.Consents, o.Granted = key, []storage.Consent{newConsent("a", time.Hour), newConsent("b", time.Hour)}
	err := s.FinishRequest(brittle(n), o, epoch)
	_, code := s.Code(bg, c.Hash, epoch)
	consents, consentErr := s.Consents(bg, key, epoch)
	must(t, consentErr, "reading consents")
	got, readErr := s.Session(bg, in.Hash, epoch)
	must(t, readErr, "reading the session")
	finished, visited := code == nil, len(got.Clients) > len(in.Clients)
	if len(consents) != map[bool]int{true: 2}[finished] || visited != finished || err == nil && !finished {
		t.Fatalf("FinishRequest interrupted: it returned %v, code %v, %d consents of 2, visit applied %v", err, code, len(consents), visited)
	}
	must(t, s.FinishRequest(bg, o, epoch), "finishing the request")
	i := newIssuance(numbered("authorized", n), c)
	must(t, s.RedeemCode(bg, c.Hash, i, epoch), "redeeming the code")
	err = s.Revoke(brittle(n), storage.Revocation{Authorization: key}, epoch)
	_, _, token := s.AccessToken(bg, i.Access.Hash, epoch)
	consents, consentErr = s.Consents(bg, key, epoch)
	must(t, consentErr, "reading consents")
	revoked := errors.Is(token, storage.ErrRevoked)
	if revoked != (len(consents) == 0) || err == nil && !revoked {
		t.Fatalf("Revoke interrupted: it returned %v, token %v, %d consents", err, token, len(consents))
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
		t.Fatalf("ReplaceSession interrupted: it returned %v, old hash %v, new hash %v", err, oldErr, newErr)
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
		t.Fatalf("EndSession interrupted: it returned %v, session %v, token of %s %v, unused code %v", err, live, c.Grant.ID, token, code)
	}
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
		return f(yieldingContext{ctx}, i)
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
