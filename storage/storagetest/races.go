package storagetest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/storage"
)

func raceCases() []testCase[provider.Store] {
	return []testCase[provider.Store]{
		{"Race/one code", "of 50 callers that redeem one code exactly one gets nil, and only its tokens exist", raceCode},
		{"Race/one code, then revoke", "when a caller that got ErrConsumed has revoked the grant, no token of it is live", raceCodeRevoked},
		{"Race/one refresh token", "of 50 callers that rotate one token exactly one gets nil, and one token is live", raceRefresh},
		{"Race/revoke and rotate", "when Revoke has returned no token of the grant is or becomes live", raceRevoke},
		{"Race/end session and redeem", "when EndSession has returned no login-only token of the session is or becomes live", raceEnd},
		{"Race/end session and rotate", "when EndSession has returned no login-only token of the session is or becomes live by a rotation", raceEndRotate},
		{"Race/end session and finish request", "no code of an ended session is usable, whichever came first", raceEndCode},
		{"Race/replace session", "of 50 callers that read one version exactly one replaces it", raceReplace},
		{"Race/rotation and reads", "a session that is read while it is rotated has the hash that it was read by", raceRotationReads},
		{"Race/end and replace session", "when EndSession has returned the session has ended under every hash", raceEndReplace},
		{"Race/session limit", "many logins of one user at the same time leave at most limit live sessions", raceCap},
		{"Race/equal outcomes", "of 50 callers that finish one request with the same code all get nil, and there is one code", raceEqual},
		{"Race/equal sessions", "of 50 callers that create one session all get nil, and there is one session", raceSessions},
		{"Race/retries", "of 50 callers that rotate to the same successor all get nil, and there is one successor", raceRetries},
		{"Race/retry and use", "once the successor was used, no retry is accepted", raceRetryUse},
		{"Race/revoke authorization", "when Revoke has returned no token of the authorization is or becomes live, and no consent", raceAuthorization},
		{"Race/switch and redeem", "when a session was switched away no login-only token of it is or becomes live", raceSwitch},
		{"Race/rejected session", "a session that was rejected is never read, replaced or ended, even while it is being rejected", raceRejectedSession},
		{"Race/rejected tokens", "an access token that was rejected with its refresh token is never live, even while it is being rejected", raceRejectedTokens},
		{"Race/one code per request", "of 50 codes created for one request exactly one exists", raceRequestID},
	}
}

// together runs f n times at the same time: all callers start when the last one is ready. It fails the case if callers wait for
// each other.
func together(t testing.TB, n int, f func(i int) error) []error {
	t.Helper()
	errs := make([]error, n)
	var ready sync.WaitGroup
	gate, returned := make(chan struct{}), make(chan int, n)
	first := int(turn.Add(1)) // another caller is the first to go on in each race
	for k := range n {
		i := (k + first) % n
		ready.Add(1)
		go func() {
			ready.Done()
			<-gate
			errs[i] = f(i)
			returned <- i
		}()
	}
	ready.Wait()
	close(gate)
	for left := n; left > 0; left-- {
		select {
		case <-returned:
		case <-time.After(patience(t)):
			t.Fatalf("%d of %d callers do not return: their calls wait for each other", left, n)
		}
	}
	return errs
}

var turn atomic.Uint32

// patience returns how long no caller of a race may return. It is long, because a slow store is none that has a deadlock. A test of this
// package, which runs cases with a store that has one, shortens it.
func patience(t testing.TB) time.Duration {
	if p, ok := t.(interface{ patience() time.Duration }); ok {
		return p.patience()
	}
	return 2 * time.Minute
}

// yielding returns a context whose methods let other goroutines run: a store that checks it between reading and marking
// fails in races without -race, too.
func yielding() context.Context { return yieldingContext{bg, 1} }

// lingering returns a context that lets others make several calls at each check.
func lingering() context.Context { return yieldingContext{bg, 6} }

type yieldingContext struct {
	context.Context
	times int
}

// Err implements context.Context.
func (c yieldingContext) Err() error { c.yield(); return c.Context.Err() }

// Done implements context.Context.
func (c yieldingContext) Done() <-chan struct{} { c.yield(); return c.Context.Done() }

func (c yieldingContext) yield() {
	for range c.times {
		runtime.Gosched()
	}
}

func successes(errs []error) (n int) {
	for _, err := range errs {
		if err == nil {
			n++
		}
	}
	return n
}

func othersGot(t testing.TB, errs []error, want ...error) {
	t.Helper()
	for _, err := range errs {
		ok := err == nil
		for _, w := range want {
			ok = ok || errors.Is(err, w)
		}
		if !ok {
			t.Fatalf("a caller in a race got %v, want one of %v", err, want)
		}
	}
}

// exactlyOne fails the case unless one caller got nil and only its tokens exist.
func exactlyOne(t testing.TB, s provider.Store, round int, errs []error, issues []*storage.Issuance) {
	t.Helper()
	if n := successes(errs); n != 1 {
		t.Fatalf("round %d: %d of %d callers got nil, want exactly 1", round, n, len(errs))
	}
	for i, issue := range issues {
		want := storage.ErrNotFound
		if errs[i] == nil {
			want = nil
		}
		issuanceState(t, s, issue, epoch, want, "of one of many callers")
	}
}

func raceCode(t testing.TB, s provider.Store) {
	for round := range rounds() {
		c := newCode(numbered("c", round))
		must(t, createCode(s, bg, c, epoch), "creating a code")
		issues := make([]*storage.Issuance, crowd())
		for i := range issues {
			issues[i] = newIssuance(numbered(c.RequestID, i), c)
		}
		errs := together(t, crowd(), func(i int) error { return s.RedeemCode(yielding(), c.Hash, issues[i], epoch) })
		othersGot(t, errs, storage.ErrConsumed)
		exactlyOne(t, s, round, errs, issues)
		if t.Failed() {
			t.FailNow()
		}
	}
}

func raceCodeRevoked(t testing.TB, s provider.Store) {
	const callers = 8
	for round := range rounds() {
		c := newCode(numbered("c", round))
		must(t, createCode(s, bg, c, epoch), "creating a code")
		issues := make([]*storage.Issuance, callers)
		for i := range issues {
			issues[i] = newIssuance(numbered(c.RequestID, i), c)
		}
		errs := together(t, callers, func(i int) error {
			err := s.RedeemCode(yielding(), c.Hash, issues[i], epoch)
			if errors.Is(err, storage.ErrConsumed) {
				return s.Revoke(yielding(), storage.Revocation{GrantID: c.Grant.ID}, epoch)
			}
			return err
		})
		othersGot(t, errs)
		noneLive(t, s, round, issues)
	}
}

// noneLive fails the case if a token is live.
func noneLive(t testing.TB, s provider.Store, round int, issues []*storage.Issuance) {
	t.Helper()
	for _, issue := range issues {
		if _, _, err := s.AccessToken(bg, issue.Access.Hash, epoch); err == nil {
			t.Fatalf("round %d: an access token of an ended grant is live", round)
		}
		if _, _, err := s.RefreshToken(bg, issue.Refresh.Hash, epoch); err == nil {
			t.Fatalf("round %d: a refresh token of an ended grant is live", round)
		}
	}
}

func raceRefresh(t testing.TB, s provider.Store) {
	for round := range rounds() {
		c, first := redeemed(t, s, newCode(numbered("c", round)), numbered("first", round))
		issues := make([]*storage.Issuance, crowd())
		for i := range issues {
			issues[i] = successor(numbered(c.RequestID, i), c, 1)
		}
		errs := together(t, crowd(), func(i int) error {
			return s.RotateRefreshToken(yielding(), first.Refresh.Hash, issues[i], 0, epoch)
		})
		othersGot(t, errs, storage.ErrConsumed)
		exactlyOne(t, s, round, errs, issues)
		_, _, err := s.RefreshToken(bg, first.Refresh.Hash, epoch)
		verdict(t, err, storage.ErrConsumed, "the token that all callers rotated")
		if t.Failed() {
			t.FailNow()
		}
	}
}

func raceRevoke(t testing.TB, s provider.Store) {
	const callers = 4 // each rotates as often as it can
	for round := range rounds() {
		c := newCode(numbered("c", round))
		must(t, createCode(s, bg, c, epoch), "creating a code")
		first := newIssuance(numbered("first", round), c)
		if round%2 == 0 { // in the other half the redemption is part of the race
			must(t, s.RedeemCode(bg, c.Hash, first, epoch), "redeeming a code")
		}
		chains := make([][]*storage.Issuance, callers)
		var revoked atomic.Bool
		errs := together(t, callers+1, func(i int) error {
			if i == callers {
				defer revoked.Store(true)
				return s.Revoke(yielding(), storage.Revocation{GrantID: c.Grant.ID}, epoch)
			}
			err := s.RedeemCode(yielding(), c.Hash, first, epoch)
			last := first
			for n := 0; n < 20 && !revoked.Load(); n++ {
				next := successor(numbered(numbered(c.RequestID, i), n), c, n+1)
				chains[i] = append(chains[i], next)
				if err = s.RotateRefreshToken(yielding(), last.Refresh.Hash, next, 0, epoch); err == nil {
					last = next
				}
			}
			return err
		})
		othersGot(t, errs, storage.ErrConsumed, storage.ErrRevoked, storage.ErrNotFound)
		noneLive(t, s, round, append(chains[0], first))
		for _, chain := range chains[1:] {
			noneLive(t, s, round, chain)
		}
	}
}

func raceEnd(t testing.TB, s provider.Store) {
	const callers = 6
	for round := range rounds() {
		in := createSession(t, s, newSession(numbered("s", round), numbered("p", round)))
		codes, issues := make([]testCode, callers), make([]*storage.Issuance, callers)
		for i := range codes {
			codes[i] = given(newCode(numbered(in.ID, i)), in, true)
			must(t, createCode(s, bg, codes[i], epoch), "creating a code")
			issues[i] = newIssuance(numbered(in.ID, i), codes[i])
		}
		errs := together(t, callers+1, func(i int) error {
			if i == callers {
				_, err := s.EndSession(yielding(), in.Hash, epoch)
				return err
			}
			return s.RedeemCode(yielding(), codes[i].Hash, issues[i], epoch)
		})
		must(t, errs[callers], "ending a session")
		othersGot(t, errs, storage.ErrNotFound, storage.ErrConsumed)
		noneLive(t, s, round, issues)
	}
}

func raceEndRotate(t testing.TB, s provider.Store) {
	const callers = 6
	for round := range rounds() {
		in := createSession(t, s, newSession(numbered("s", round), numbered("p", round)))
		first, next := make([]*storage.Issuance, callers), make([]*storage.Issuance, callers)
		for i := range first {
			var c testCode
			c, first[i] = redeemed(t, s, given(newCode(numbered(in.ID, i)), in, true), numbered(in.ID, i))
			next[i] = successor(numbered("next "+in.ID, i), c, 1)
		}
		errs := together(t, callers+1, func(i int) error {
			if i == callers {
				_, err := s.EndSession(yielding(), in.Hash, epoch)
				return err
			}
			return s.RotateRefreshToken(yielding(), first[i].Refresh.Hash, next[i], 0, epoch)
		})
		must(t, errs[callers], "ending a session")
		othersGot(t, errs, storage.ErrRevoked)
		noneLive(t, s, round, first)
		noneLive(t, s, round, next)
	}
}

func raceEndCode(t testing.TB, s provider.Store) {
	const callers = 6
	for round := range rounds() {
		in := createSession(t, s, newSession(numbered("s", round), numbered("p", round)))
		codes := make([]testCode, callers)
		for i := range codes {
			codes[i] = given(newCode(numbered(in.ID, i)), in, i%2 == 0)
		}
		errs := together(t, callers+1, func(i int) error {
			if i == callers {
				_, err := s.EndSession(yielding(), in.Hash, epoch)
				return err
			}
			return createCode(s, yielding(), codes[i], epoch)
		})
		must(t, errs[callers], "ending a session")
		othersGot(t, errs, storage.ErrRevoked)
		for _, c := range codes {
			if _, err := s.Code(bg, c.Hash, epoch); !errors.Is(err, storage.ErrNotFound) && !errors.Is(err, storage.ErrConsumed) {
				t.Fatalf("round %d: a code of an ended session can be redeemed: %v", round, err)
			}
		}
	}
}

func raceReplace(t testing.TB, s provider.Store) {
	for round := range rounds() {
		in := createSession(t, s, newSession(numbered("s", round), numbered("p", round)))
		next := make([]storage.Session, crowd())
		for i := range next {
			next[i] = in
			if i%2 == 0 {
				next[i].Hash = storage.HashOf(numbered(in.ID, i))
			}
			next[i] = withIdentity(next[i], numbered("writer", i))
		}
		errs := together(t, crowd(), func(i int) error { return replace(yielding(), s, in.Hash, next[i], epoch) })
		if n := successes(errs); n != 1 {
			t.Fatalf("round %d: %d of %d callers replaced one version, want exactly 1", round, n, crowd())
		}
		othersGot(t, errs, storage.ErrConflict, storage.ErrNotFound)
		for i := range next {
			switch {
			case errs[i] == nil:
				next[i].Version++
				wantSession(t, s, next[i], epoch, "as the caller that got nil wrote it")
			case next[i].Hash != in.Hash:
				wantNoSession(t, s, next[i].Hash, epoch, "of a caller that lost")
			}
		}
		if t.Failed() {
			t.FailNow()
		}
	}
}

// raceRotationReads reads a session by its hash while it is rotated.
func raceRotationReads(t testing.TB, s provider.Store) {
	const readers = 3
	for round := range few() {
		in := createSession(t, s, newSession(numbered("s", round), numbered("p", round)))
		next := in
		next.Hash = storage.HashOf(numbered("rotated", round))
		var done atomic.Bool
		errs := together(t, readers+1, func(caller int) error {
			if caller == readers {
				defer done.Store(true)
				for range round % 12 { // another moment in each round
					runtime.Gosched()
				}
				return replace(yielding(), s, in.Hash, next, epoch)
			}
			for !done.Load() {
				got, err := s.Session(yielding(), in.Hash, epoch)
				if err == nil && got.Hash != in.Hash {
					return errors.New("a session was read by a hash that it has no more")
				}
				if err != nil && !errors.Is(err, storage.ErrNotFound) {
					return err
				}
			}
			return nil
		})
		for i, err := range errs {
			must(t, err, []string{"reading", "reading", "reading", "rotating"}[i]+" a session that is rotated")
		}
	}
}

func raceEndReplace(t testing.TB, s provider.Store) {
	const callers = 6
	for round := range rounds() {
		in := createSession(t, s, newSession(numbered("s", round), numbered("p", round)))
		hashes := []storage.Hash{in.Hash}
		for i := range callers {
			hashes = append(hashes, storage.HashOf(numbered(in.ID, i)))
		}
		errs := together(t, callers+1, func(i int) error {
			if i == callers {
				_, err := s.EndSession(yielding(), in.Hash, epoch)
				return err
			}
			next := in
			next.Hash = hashes[i+1]
			if i%2 == 0 {
				next.Hash = in.Hash
			}
			return replace(yielding(), s, in.Hash, next, epoch)
		})
		othersGot(t, errs, storage.ErrNotFound, storage.ErrConflict)
		live := 0
		for _, h := range hashes {
			if _, err := s.Session(bg, h, epoch); err == nil {
				live++
			}
		}
		// It has ended, or it was rotated before EndSession found its hash.
		if errs[callers] == nil && live != 0 || errs[callers] != nil && live != 1 {
			t.Fatalf("round %d: EndSession returned %v and %d hashes of the session are live", round, errs[callers], live)
		}
	}
}

func raceCap(t testing.TB, s provider.Store) {
	const callers, limit = 12, 3
	for round := range fewest() {
		all := make([]storage.Session, callers)
		for i := range all {
			all[i] = newSession(numbered(numbered("s", round), i), numbered("p", round))
			all[i].StartedAt = epoch.Add(time.Duration(i))
		}
		var ended atomic.Int32
		othersGot(t, together(t, callers, func(i int) error {
			old, err := s.ReplaceSession(yielding(), none, all[i], limit, epoch)
			ended.Add(int32(len(old)))
			return err
		}))
		live := 0
		for _, in := range all {
			if _, err := s.Session(bg, in.Hash, epoch); err == nil {
				live++
			}
		}
		if live != limit || int(ended.Load()) != callers-limit {
			t.Fatalf("round %d: %d sessions are live and %d were ended, want %d and %d", round, live, ended.Load(), limit, callers-limit)
		}
	}
}

func raceRequestID(t testing.TB, s provider.Store) {
	for round := range rounds() {
		codes := make([]testCode, crowd())
		for i := range codes {
			codes[i] = newCode(numbered(numbered("c", round), i))
			codes[i].RequestID = numbered("one request", round)
		}
		errs := together(t, crowd(), func(i int) error { return createCode(s, yielding(), codes[i], epoch) })
		if n := successes(errs); n != 1 {
			t.Fatalf("round %d: %d of %d codes were created for one request, want exactly 1", round, n, crowd())
		}
		othersGot(t, errs, storage.ErrConflict)
		for i, c := range codes {
			want := storage.ErrNotFound
			if errs[i] == nil {
				want = nil
			}
			_, err := s.Code(bg, c.Hash, epoch)
			verdict(t, err, want, "one of many codes for one request")
		}
		if t.Failed() {
			t.FailNow()
		}
	}
}

func raceEqual(t testing.TB, s provider.Store) {
	for round := range fewest() {
		codes := make([]testCode, crowd())
		for i := range codes {
			codes[i] = newCode(numbered(numbered("c", round), i))
			codes[i].Hash, codes[i].RequestID = storage.HashOf(numbered("one code", round)), numbered("one request", round)
		}
		for _, err := range together(t, len(codes), func(i int) error { return createCode(s, yielding(), codes[i], epoch) }) {
			must(t, err, "finishing one request with the same code")
		}
		c, err := s.Code(bg, codes[0].Hash, epoch)
		must(t, err, "reading the code")
		first := newIssuance(numbered("first", round), testCode{AuthorizationCode: c})
		must(t, s.RedeemCode(bg, c.Hash, first, epoch), "redeeming the code")
		second := newIssuance(numbered("second", round), testCode{AuthorizationCode: c})
		verdict(t, s.RedeemCode(bg, c.Hash, second, epoch), storage.ErrConsumed, "redeeming the code again")
	}
}

func raceSessions(t testing.TB, s provider.Store) {
	for round := range fewest() {
		in := newSession(numbered("s", round), numbered("p", round))
		for _, err := range together(t, crowd(), func(int) error { return replace(yielding(), s, none, in, epoch) }) {
			must(t, err, "creating one session")
		}
		wantSession(t, s, in, epoch, "created by many callers")
		ended, err := s.ReplaceSession(bg, none, newSession(numbered("last", round), numbered("p", round)), 1, epoch)
		must(t, err, "creating the only session")
		same(t, ended, []storage.Session{in}, "the sessions of the user")
		if t.Failed() {
			t.FailNow()
		}
	}
}

func raceRetries(t testing.TB, s provider.Store) {
	for round := range fewest() {
		c, first := redeemed(t, s, newCode(numbered("c", round)), numbered("first", round))
		all := make([]*storage.Issuance, crowd())
		for i := range all {
			all[i] = successor(numbered(c.RequestID, i), c, 1)
			all[i].Refresh.Hash = storage.HashOf(numbered("successor", round))
		}
		for _, err := range together(t, len(all), func(i int) error {
			return s.RotateRefreshToken(yielding(), first.Refresh.Hash, all[i], grace, epoch)
		}) {
			must(t, err, "rotating to the same successor")
		}
		for _, i := range all {
			_, _, err := s.AccessToken(bg, i.Access.Hash, epoch)
			must(t, err, "reading the access token of a retry")
		}
		must(t, s.RotateRefreshToken(bg, all[0].Refresh.Hash, successor(numbered("last", round), c, 2), grace, epoch), "rotating the successor")
		verdict(t, s.RotateRefreshToken(bg, all[0].Refresh.Hash, successor(numbered("late", round), c, 2), grace, epoch), storage.ErrConsumed, "rotating it to another one")
		if t.Failed() {
			t.FailNow()
		}
	}
}

func raceRetryUse(t testing.TB, s provider.Store) {
	const callers = 6
	for round := range fewest() {
		c, first, second := rotated(t, s, numbered("c", round))
		third := successor(numbered("third", round), c, 2)
		var used atomic.Bool
		var late atomic.Int32
		errs := together(t, callers+1, func(i int) error {
			if i == callers {
				defer used.Store(true)
				return s.RotateRefreshToken(yielding(), second.Refresh.Hash, third, grace, epoch)
			}
			for n := range 10 {
				after := used.Load()
				err := s.RotateRefreshToken(yielding(), first.Refresh.Hash, again(numbered(numbered(c.RequestID, i), n), c, second), grace, epoch)
				if after && err == nil {
					late.Add(1)
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
		must(t, errs[callers], "rotating the successor")
		othersGot(t, errs, storage.ErrConsumed)
		if late.Load() > 0 {
			t.Fatalf("round %d: a retry was accepted after the successor was used", round)
		}
	}
}

func raceAuthorization(t testing.TB, s provider.Store) {
	const callers = 6
	for round := range fewest() {
		key := storage.ConsentKey{UserKey: storage.HashOf(numbered("user", round)), ClientID: "client-a", Customer: "customer"}
		codes, all := make([]testCode, callers), make([]*storage.Issuance, callers)
		for i := range codes {
			codes[i] = newCode(numbered(numbered("c", round), i))
			codes[i].Grant.UserKey = key.UserKey
			o := codes[i].outcome()
			o.Consents, o.Granted = key, []storage.Consent{newConsent(numbered("s", i), time.Hour)}
			must(t, s.FinishRequest(bg, o, epoch), "finishing a request")
			all[i] = newIssuance(numbered(numbered("t", round), i), codes[i])
		}
		errs := together(t, callers+1, func(i int) error {
			if i == callers {
				return s.Revoke(yielding(), storage.Revocation{Authorization: key}, epoch)
			}
			return s.RedeemCode(yielding(), codes[i].Hash, all[i], epoch)
		})
		must(t, errs[callers], "revoking an authorization")
		othersGot(t, errs, storage.ErrConsumed)
		noneLive(t, s, round, all)
		wantConsents(t, s, key, epoch, "of a revoked authorization")
	}
}

func raceSwitch(t testing.TB, s provider.Store) {
	const callers = 6
	for round := range fewest() {
		in := createSession(t, s, newSession(numbered("s", round), numbered("p", round)))
		next := newSession(numbered("next", round), numbered("q", round))
		codes, all := make([]testCode, callers), make([]*storage.Issuance, callers)
		for i := range codes {
			codes[i] = given(newCode(numbered(in.ID, i)), in, true)
			must(t, createCode(s, bg, codes[i], epoch), "creating a code")
			all[i] = newIssuance(numbered(in.ID, i), codes[i])
		}
		errs := together(t, callers+1, func(i int) error {
			if i == callers {
				return replace(yielding(), s, in.Hash, next, epoch)
			}
			return s.RedeemCode(yielding(), codes[i].Hash, all[i], epoch)
		})
		must(t, errs[callers], "switching a session")
		othersGot(t, errs, storage.ErrConsumed)
		noneLive(t, s, round, all)
		wantSession(t, s, next, epoch, "after the switch")
	}
}

// always returns nil if each of many calls of f returns ErrNotFound.
func always(f func() error) error {
	for range 3 * rounds() {
		if err := f(); !errors.Is(err, storage.ErrNotFound) {
			return fmt.Errorf("it returned %v, want %w", err, storage.ErrNotFound)
		}
	}
	return nil
}

// rejected is the verdict of an insertion that must fail, for always.
func rejected(err error) error {
	if errors.Is(err, storage.ErrConflict) {
		return storage.ErrNotFound
	}
	return err
}

// raceRejectedSession creates sessions whose ID is taken, and calls the other methods with their hash meanwhile.
func raceRejectedSession(t testing.TB, s provider.Store) {
	in := createSession(t, s, newSession("s", "p"))
	second := in
	second.Hash = storage.HashOf("rejected")
	next := in
	next.Hash = storage.HashOf("next")
	insert := func() error { return rejected(replace(yielding(), s, none, second, epoch)) }
	calls := []func() error{
		insert, func() error { _, err := s.Session(yielding(), second.Hash, epoch); return err },
		insert, func() error { return replace(yielding(), s, second.Hash, next, epoch) },
		insert, func() error { _, err := s.EndSession(yielding(), second.Hash, epoch); return err },
	}
	for i, err := range together(t, len(calls), func(i int) error { return always(calls[i]) }) {
		must(t, err, []string{"creating", "reading", "creating", "replacing", "creating", "ending"}[i]+" a session that is rejected")
	}
	wantSession(t, s, in, epoch, "whose ID was taken")
}

// raceRejectedTokens rotates to a refresh token that exists, and reads the access token meanwhile.
func raceRejectedTokens(t testing.TB, s provider.Store) {
	c, first := redeemed(t, s, newCode("c"), "first")
	_, other := redeemed(t, s, newCode("d"), "other")
	second := successor("second", c, 1)
	second.Refresh.Hash = other.Refresh.Hash
	for i, err := range together(t, 4, func(i int) error {
		return always(func() error {
			if i%2 == 0 {
				return rejected(s.RotateRefreshToken(yielding(), first.Refresh.Hash, second, 0, epoch))
			}
			_, _, err := s.AccessToken(yielding(), second.Access.Hash, epoch)
			return err
		})
	}) {
		must(t, err, []string{"issuing", "reading"}[i%2]+" an access token that is rejected")
	}
	issuanceState(t, s, first, epoch, nil, "whose rotation was rejected")
}
