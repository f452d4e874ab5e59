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

const (
	// rounds of every race. A store that reads and then marks was caught in 1 round 0 of 20
	// times, in 500 rounds 15 of 20, with -race 30 of 30.
	rounds = 500
	crowd  = 50 // callers in a race for one record
)

func raceCases() []testCase[provider.Store] {
	return []testCase[provider.Store]{
		{"Race/one code", "of 50 callers that redeem one code exactly one wins, and only its tokens exist (security C9)", raceCode},
		{"Race/code replayed", "once a loser has revoked the grant no token of it is live, the winner's included (security C9)", raceCodeRevoked},
		{"Race/one refresh token", "of 50 callers that rotate one token exactly one wins, and one token is live (security D2)", raceRefresh},
		{"Race/revoke and rotate", "when RevokeGrant has returned no token of the grant is or becomes live (security D4)", raceRevoke},
		{"Race/end session and redeem", "when EndSession has returned no login-only token of the session is or becomes live (security D4, G16)", raceEnd},
		{"Race/end session and rotate", "when EndSession has returned no login of the session goes on by a rotation under way (security D4)", raceEndRotate},
		{"Race/end session and create code", "no code of an ended session is usable, whichever came first (security D4)", raceEndCode},
		{"Race/replace session", "of 50 callers that read one version exactly one replaces it (security G7)", raceReplace},
		{"Race/end and replace session", "when EndSession has returned the session is dead under every hash (security G7)", raceEndReplace},
		{"Race/session cap", "many logins of one person at once leave at most max live sessions (security J3)", raceCap},
		{"Race/one code per request", "of 50 codes created for one request exactly one exists", raceRequestID},
	}
}

// together runs f n times at once: all callers wait at a gate.
func together(n int, f func(i int) error) []error {
	errs := make([]error, n)
	var ready, done sync.WaitGroup
	gate := make(chan struct{})
	for i := range n {
		ready.Add(1)
		done.Go(func() {
			ready.Done()
			<-gate
			errs[i] = f(i)
		})
	}
	ready.Wait()
	close(gate)
	done.Wait()
	return errs
}

// yielding is a context that lets others run whenever it is asked: a store that looks at it
// between reading and marking loses its races without -race as well.
func yielding() context.Context { return yieldingContext{bg} }

type yieldingContext struct{ context.Context }

func (c yieldingContext) Err() error            { runtime.Gosched(); return c.Context.Err() }
func (c yieldingContext) Done() <-chan struct{} { runtime.Gosched(); return c.Context.Done() }

func winners(errs []error) (n int) {
	for _, err := range errs {
		if err == nil {
			n++
		}
	}
	return n
}

func losersGot(t testing.TB, errs []error, want ...error) {
	t.Helper()
	for _, err := range errs {
		ok := err == nil
		for _, w := range want {
			ok = ok || errors.Is(err, w)
		}
		if !ok {
			t.Fatalf("a loser of the race got %v, want one of %v", err, want)
		}
	}
}

// exactlyOne fails the case unless one caller won and the losers left nothing behind.
func exactlyOne(t testing.TB, s provider.Store, round int, errs []error, issues []*storage.Issuance) {
	t.Helper()
	if won := winners(errs); won != 1 {
		t.Fatalf("round %d: %d of %d callers won, want exactly 1", round, won, len(errs))
	}
	for i, issue := range issues {
		want := storage.ErrNotFound
		if errs[i] == nil {
			want = nil
		}
		issueState(t, s, issue, epoch, want, "of one of many callers")
	}
}

func raceCode(t testing.TB, s provider.Store) {
	for round := range rounds {
		c := newCode(numbered("c", round))
		must(t, createCode(s, bg, c, epoch), "creating a code")
		issues := make([]*storage.Issuance, crowd)
		for i := range issues {
			issues[i] = newIssue(numbered(c.RequestID, i), c)
		}
		errs := together(crowd, func(i int) error { return s.RedeemCode(yielding(), c.Hash, issues[i], epoch) })
		losersGot(t, errs, storage.ErrConsumed)
		exactlyOne(t, s, round, errs, issues)
		if t.Failed() {
			t.FailNow()
		}
	}
}

func raceCodeRevoked(t testing.TB, s provider.Store) {
	const callers = 8
	for round := range rounds {
		c := newCode(numbered("c", round))
		must(t, createCode(s, bg, c, epoch), "creating a code")
		issues := make([]*storage.Issuance, callers)
		for i := range issues {
			issues[i] = newIssue(numbered(c.RequestID, i), c)
		}
		errs := together(callers, func(i int) error {
			err := s.RedeemCode(yielding(), c.Hash, issues[i], epoch)
			if errors.Is(err, storage.ErrConsumed) {
				return s.Revoke(yielding(), storage.Revocation{GrantID: c.Grant.ID}, epoch)
			}
			return err
		})
		losersGot(t, errs)
		noneLive(t, s, round, issues)
	}
}

// noneLive fails the case if any token is live.
func noneLive(t testing.TB, s provider.Store, round int, issues []*storage.Issuance) {
	t.Helper()
	for _, issue := range issues {
		if _, _, err := s.AccessToken(bg, issue.Access.Hash, epoch); err == nil {
			t.Fatalf("round %d: an access token of a dead grant is live", round)
		}
		if _, _, err := s.RefreshToken(bg, issue.Refresh.Hash, epoch); err == nil {
			t.Fatalf("round %d: a refresh token of a dead grant is live", round)
		}
	}
}

func raceRefresh(t testing.TB, s provider.Store) {
	for round := range rounds {
		c, first := redeemed(t, s, newCode(numbered("c", round)), numbered("first", round))
		issues := make([]*storage.Issuance, crowd)
		for i := range issues {
			issues[i] = successor(numbered(c.RequestID, i), c, 1)
		}
		errs := together(crowd, func(i int) error {
			return s.RotateRefreshToken(yielding(), first.Refresh.Hash, issues[i], 0, epoch)
		})
		losersGot(t, errs, storage.ErrConsumed)
		exactlyOne(t, s, round, errs, issues)
		_, _, err := s.RefreshToken(bg, first.Refresh.Hash, epoch)
		verdict(t, err, storage.ErrConsumed, "the token all wanted to rotate")
		if t.Failed() {
			t.FailNow()
		}
	}
}

func raceRevoke(t testing.TB, s provider.Store) {
	const callers = 4 // each follows its own rotations as far as they go
	for round := range rounds {
		c := newCode(numbered("c", round))
		must(t, createCode(s, bg, c, epoch), "creating a code")
		first := newIssue(numbered("first", round), c)
		if round%2 == 0 { // in the other half the redemption is in the race as well
			must(t, s.RedeemCode(bg, c.Hash, first, epoch), "redeeming a code")
		}
		chains := make([][]*storage.Issuance, callers)
		var revoked atomic.Bool
		errs := together(callers+1, func(i int) error {
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
		losersGot(t, errs, storage.ErrConsumed, storage.ErrRevoked, storage.ErrNotFound)
		noneLive(t, s, round, append(chains[0], first))
		for _, chain := range chains[1:] {
			noneLive(t, s, round, chain)
		}
	}
}

func raceEnd(t testing.TB, s provider.Store) {
	const callers = 6
	for round := range rounds {
		in := createSession(t, s, newSession(numbered("s", round), numbered("p", round)))
		codes, issues := make([]testCode, callers), make([]*storage.Issuance, callers)
		for i := range codes {
			codes[i] = given(newCode(numbered(in.ID, i)), in, true)
			must(t, createCode(s, bg, codes[i], epoch), "creating a code")
			issues[i] = newIssue(numbered(in.ID, i), codes[i])
		}
		errs := together(callers+1, func(i int) error {
			if i == callers {
				_, err := s.EndSession(yielding(), in.Hash, epoch)
				return err
			}
			return s.RedeemCode(yielding(), codes[i].Hash, issues[i], epoch)
		})
		must(t, errs[callers], "ending a session")
		losersGot(t, errs, storage.ErrNotFound, storage.ErrConsumed)
		noneLive(t, s, round, issues)
	}
}

func raceEndRotate(t testing.TB, s provider.Store) {
	const callers = 6
	for round := range rounds {
		in := createSession(t, s, newSession(numbered("s", round), numbered("p", round)))
		first, next := make([]*storage.Issuance, callers), make([]*storage.Issuance, callers)
		for i := range first {
			var c testCode
			c, first[i] = redeemed(t, s, given(newCode(numbered(in.ID, i)), in, true), numbered(in.ID, i))
			next[i] = successor(numbered("next "+in.ID, i), c, 1)
		}
		errs := together(callers+1, func(i int) error {
			if i == callers {
				_, err := s.EndSession(yielding(), in.Hash, epoch)
				return err
			}
			return s.RotateRefreshToken(yielding(), first[i].Refresh.Hash, next[i], 0, epoch)
		})
		must(t, errs[callers], "ending a session")
		losersGot(t, errs, storage.ErrRevoked)
		noneLive(t, s, round, first)
		noneLive(t, s, round, next)
	}
}

func raceEndCode(t testing.TB, s provider.Store) {
	const callers = 6
	for round := range rounds {
		in := createSession(t, s, newSession(numbered("s", round), numbered("p", round)))
		codes := make([]testCode, callers)
		for i := range codes {
			codes[i] = given(newCode(numbered(in.ID, i)), in, i%2 == 0)
		}
		errs := together(callers+1, func(i int) error {
			if i == callers {
				_, err := s.EndSession(yielding(), in.Hash, epoch)
				return err
			}
			return createCode(s, yielding(), codes[i], epoch)
		})
		must(t, errs[callers], "ending a session")
		losersGot(t, errs, storage.ErrRevoked)
		for _, c := range codes {
			if _, err := s.Code(bg, c.Hash, epoch); !errors.Is(err, storage.ErrNotFound) && !errors.Is(err, storage.ErrConsumed) {
				t.Fatalf("round %d: a code of an ended session can be redeemed: %v", round, err)
			}
		}
	}
}

func raceReplace(t testing.TB, s provider.Store) {
	for round := range rounds {
		in := createSession(t, s, newSession(numbered("s", round), numbered("p", round)))
		next := make([]storage.Session, crowd)
		for i := range next {
			next[i] = in
			if i%2 == 0 {
				next[i].Hash = storage.HashOf(numbered(in.ID, i))
			}
			next[i].Identity = []byte(numbered("writer", i))
		}
		errs := together(crowd, func(i int) error { return replace(yielding(), s, in.Hash, next[i], epoch) })
		if won := winners(errs); won != 1 {
			t.Fatalf("round %d: %d of %d callers replaced one version, want exactly 1", round, won, crowd)
		}
		losersGot(t, errs, storage.ErrConflict, storage.ErrNotFound)
		for i := range next {
			switch {
			case errs[i] == nil:
				next[i].Version++
				wantSession(t, s, next[i], epoch, "as the winner wrote it")
			case next[i].Hash != in.Hash:
				wantNoSession(t, s, next[i].Hash, epoch, "of a caller that lost")
			}
		}
		if t.Failed() {
			t.FailNow()
		}
	}
}

func raceEndReplace(t testing.TB, s provider.Store) {
	const callers = 6
	for round := range rounds {
		in := createSession(t, s, newSession(numbered("s", round), numbered("p", round)))
		hashes := []storage.Hash{in.Hash}
		for i := range callers {
			hashes = append(hashes, storage.HashOf(numbered(in.ID, i)))
		}
		errs := together(callers+1, func(i int) error {
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
		losersGot(t, errs, storage.ErrNotFound, storage.ErrConflict)
		live := 0
		for _, h := range hashes {
			if _, err := s.Session(bg, h, epoch); err == nil {
				live++
			}
		}
		// Ended, or rotated before it could be ended by the hash it had.
		if errs[callers] == nil && live != 0 || errs[callers] != nil && live != 1 {
			t.Fatalf("round %d: EndSession answered %v and %d hashes of the session are live", round, errs[callers], live)
		}
	}
}

func raceCap(t testing.TB, s provider.Store) {
	const callers, limit = 12, 3
	for round := range rounds / 5 {
		all := make([]storage.Session, callers)
		for i := range all {
			all[i] = newSession(numbered(numbered("s", round), i), numbered("p", round))
			all[i].StartedAt = epoch.Add(time.Duration(i))
		}
		var ended atomic.Int32
		losersGot(t, together(callers, func(i int) error {
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
	for round := range rounds {
		codes := make([]testCode, crowd)
		for i := range codes {
			codes[i] = newCode(numbered(numbered("c", round), i))
			codes[i].RequestID = numbered("one request", round)
		}
		errs := together(crowd, func(i int) error { return createCode(s, yielding(), codes[i], epoch) })
		if won := winners(errs); won != 1 {
			t.Fatalf("round %d: %d of %d codes were created for one request, want exactly 1", round, won, crowd)
		}
		losersGot(t, errs, storage.ErrConflict)
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
