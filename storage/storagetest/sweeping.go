package storagetest

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/storage"
)

func sweepCases() []testCase[[]Node] {
	all := []testCase[[]Node]{
		{"Sweep/live records stay", "sweeping deletes no live record, by however many nodes at once", sweepLive},
		{"Sweep/used records are recognised", "sweeping keeps consumed codes, rotated tokens, jtis, outcomes and ended sessions as long as they must be recognised", sweepUsed},
		{"Sweep/expired records stay away", "what has expired is unknown, swept or not, and sweeping comes to an end", sweepExpired},
		{"Sweep/prolonged records stay", "a record that is prolonged while nodes sweep is live as long as the caller was told", sweepProlonged},
	}
	for _, c := range storeCases() {
		for _, c := range c {
			if slices.Contains(sweptRaces, c.name) {
				all = append(all, testCase[[]Node]{"Sweep/" + c.name, c.rule + ", also while nodes sweep", func(t testing.TB, all []Node) { sweepDuring(t, all, c.f) }})
			}
		}
	}
	return all
}

// sweptRaces are the cases of Run during which nodes sweep, too.
var sweptRaces = []string{"Race/one code", "Race/one refresh token", "Race/end session and redeem", "Race/replace session"}

// sweepAll sweeps at all nodes at the same time.
func sweepAll(t testing.TB, all []Node, now time.Time) {
	t.Helper()
	for _, err := range together(t, len(all), func(i int) error { _, err := all[i].Sweep(bg, now); return err }) {
		must(t, err, "sweeping")
	}
}

// garbage inserts records that expire before epoch.
func garbage(t testing.TB, s provider.Store, name string, n int) {
	t.Helper()
	before := epoch.Add(-24 * time.Hour)
	for i := range n {
		in := newSession(numbered("garbage "+name, i), numbered("garbage "+name, i)) // a store may bound the records of a user
		in.ExpiresAt = before.Add(time.Minute)
		must(t, replace(bg, s, none, in, before), "creating a session")
		c := newCode(numbered("garbage "+name, i))
		c.Grant.UserKey = in.UserKey
		c.ExpiresAt, c.RetainTo, c.Grant.ExpiresAt = before.Add(time.Minute), before.Add(time.Minute), before.Add(time.Hour)
		must(t, createCode(s, bg, c, before), "creating a code")
		issue := newIssuance(numbered("garbage "+name, i), c)
		issue.Access.ExpiresAt, issue.Refresh.ExpiresAt = before.Add(time.Minute), before.Add(time.Minute)
		must(t, s.RedeemCode(bg, c.Hash, issue, before), "redeeming a code")
	}
}

func sweepLive(t testing.TB, all []Node) {
	if all[0].Sweep == nil {
		return
	}
	s := all[0].Store
	garbage(t, s, "g", size(5, 50, 500))
	in, short := createSession(t, s, newSession("s", "a")), newSession("short", "a")
	short.ExpiresAt = epoch.Add(2)
	createSession(t, s, short)
	c, issue := redeemed(t, s, given(newCode("login"), in, true), "login")
	unused := newCode("unused")
	unused.ExpiresAt, unused.RetainTo = epoch.Add(2), epoch.Add(1)
	must(t, s.FinishRequest(bg, withConsents(unused, nil, newConsent("a", 2)), epoch), "finishing a request")
	ends := newIssuance("short", c)
	ends.Access.ExpiresAt, ends.Refresh.Hash = epoch.Add(2), issue.Refresh.Hash
	must(t, s.RotateRefreshToken(bg, issue.Refresh.Hash, ends, 0, epoch), "renewing a refresh token")
	p := newPushed("p")
	p.ExpiresAt = epoch.Add(2)
	if all[0].PushedRequests != nil {
		must(t, all[0].PushedRequests.PushRequest(bg, p, epoch), "pushing a request")
	}
	now := epoch.Add(1) // 1 ns before the end of the short ones
	sweepAll(t, all, now)
	s = all[1].Store
	wantSession(t, s, in, now, "after sweeping")
	wantSession(t, s, short, now, "1 ns before its end, after sweeping")
	wantIssuance(t, s, issue, now, "after sweeping")
	wantIssuance(t, s, ends, now, "after sweeping")
	wantCode(t, s, unused, nil, now, "1 ns before its end, after sweeping")
	wantConsents(t, s, consentKey, now, "after sweeping", newConsent("a", 2))
	if all[1].PushedRequests != nil {
		_, err := all[1].PushedRequests.PushedRequest(bg, p.Hash, now)
		must(t, err, "reading a pushed request 1 ns before its end, after sweeping")
	}
}

func sweepUsed(t testing.TB, all []Node) {
	if all[0].Sweep == nil {
		return
	}
	s, at := all[0].Store, all[1]
	in := createSession(t, s, newSession("s", "a"))
	_, err := s.EndSession(bg, in.Hash, epoch)
	must(t, err, "ending a session")
	c, first := redeemed(t, s, newCode("c"), "first")
	next := successor("next", c, 1)
	next.Refresh.ExpiresAt = epoch.Add(grantLife)
	must(t, s.RotateRefreshToken(bg, first.Refresh.Hash, next, 0, epoch), "rotating a refresh token")
	denial := answered(consentKey, nil)
	must(t, s.FinishRequest(bg, denial, epoch), "denying a request")
	key, end := storage.HashOf("jti"), epoch.Add(time.Minute)
	if all[0].Replay != nil {
		must(t, all[0].Replay.ConsumeJTI(bg, "client-a", key, end, epoch), "using an assertion")
		sweepAll(t, all, end.Add(skew-1)) // by nodes whose clocks are ahead
		verdict(t, at.Replay.ConsumeJTI(bg, "client-a", key, end, end.Add(-1)), storage.ErrConsumed, "using the assertion again where the clock is behind")
	}
	now := epoch.Add(retainLife - 1)
	sweepAll(t, all, now)
	wantCode(t, at, c, storage.ErrConsumed, now, "1 ns before it is forgotten, after sweeping")
	verdict(t, createCode(at, bg, c, now), storage.ErrConsumed, "finishing its request again, after sweeping")
	other := newCode("other")
	other.RequestID, other.ExpiresAt, other.RetainTo = denial.RequestID, now.Add(codeLife), now.Add(retainLife)
	verdict(t, createCode(at, bg, other, now), storage.ErrConflict, "a code for a request that was denied, after sweeping")
	reuse := newSession("s", "b")
	reuse.ExpiresAt = now.Add(time.Hour)
	verdict(t, replace(bg, at, none, reuse, in.ExpiresAt.Add(-1)), storage.ErrConflict, "a session with the ID of an ended one, after sweeping")
	now = epoch.Add(grantLife - 1)
	sweepAll(t, all, now)
	got, _, err := at.RefreshToken(bg, first.Refresh.Hash, now)
	verdict(t, err, storage.ErrConsumed, "a rotated token 1 ns before its grant ends, after sweeping")
	same(t, got.Successor, next.Refresh.Hash, "its successor")
	_, _, err = at.RefreshToken(bg, next.Refresh.Hash, now)
	must(t, err, "reading the live token of a grant whose code was forgotten, after sweeping")
	must(t, at.Revoke(bg, storage.Revocation{GrantID: c.Grant.ID}, now), "revoking the grant")
	sweepAll(t, all, now)
	_, _, err = at.RefreshToken(bg, next.Refresh.Hash, now)
	verdict(t, err, storage.ErrRevoked, "a token of a revoked grant 1 ns before the grant ends, after sweeping")
}

func sweepExpired(t testing.TB, all []Node) {
	if all[0].Sweep == nil {
		return
	}
	s := all[0].Store
	n := size(5, 100, 1500)
	garbage(t, s, "g", n)
	for pass := 0; ; pass++ {
		removed, err := all[pass%len(all)].Sweep(bg, epoch)
		must(t, err, "sweeping")
		if removed == 0 {
			break
		}
		if pass > 3*n {
			t.Fatalf("Sweep removed %d records in its call %d, and there were about %d", removed, pass, 5*n)
		}
	}
	for i := range n {
		name := numbered("garbage g", i)
		wantNoSession(t, s, newSession(name, name).Hash, epoch, "after sweeping")
		c := newCode(name)
		wantCode(t, s, c, storage.ErrNotFound, epoch, "after sweeping")
		issuanceState(t, s, newIssuance(name, c), epoch, storage.ErrNotFound, "after sweeping")
		if t.Failed() {
			t.FailNow()
		}
	}
}

// sweepProlonged prolongs records, at the last instant of their lives, while nodes whose clocks are 1 ns ahead sweep.
func sweepProlonged(t testing.TB, all []Node) {
	if all[0].Sweep == nil {
		return
	}
	now, later := epoch, epoch.Add(1)
	for round := range rounds() {
		s := all[round%len(all)].Store
		in := newSession(numbered("s", round), numbered("p", round))
		in.ExpiresAt = later
		createSession(t, s, in)
		c, issue := newCode(numbered("c", round)), newIssuance(numbered("c", round), newCode(numbered("c", round)))
		issue.Refresh.ExpiresAt = later
		must(t, createCode(s, bg, c, now), "creating a code")
		must(t, s.RedeemCode(bg, c.Hash, issue, now), "redeeming a code")
		longer, renewed := in, again(numbered("renewed", round), c, issue)
		longer.ExpiresAt = now.Add(time.Hour)
		errs := together(t, len(all)+2, func(i int) error {
			switch i {
			case 0:
				return replace(yielding(), all[1].Store, in.Hash, longer, now)
			case 1:
				return all[2].RotateRefreshToken(yielding(), issue.Refresh.Hash, renewed, 0, now)
			}
			_, err := all[i-2].Sweep(yielding(), later)
			return err
		})
		othersGot(t, errs[2:])
		othersGot(t, errs[:2], storage.ErrNotFound)
		if _, err := s.Session(bg, in.Hash, later); (err == nil) != (errs[0] == nil) {
			t.Fatalf("round %d: prolonging a session returned %v, and afterwards reading it %v", round, errs[0], err)
		}
		if _, _, err := s.RefreshToken(bg, issue.Refresh.Hash, later); (err == nil) != (errs[1] == nil) {
			t.Fatalf("round %d: renewing a refresh token returned %v, and afterwards reading it %v", round, errs[1], err)
		}
	}
}

// sweepDuring runs a race while all nodes sweep again and again, after every few calls.
func sweepDuring(t testing.TB, all []Node, race func(testing.TB, provider.Store)) {
	if all[0].Sweep == nil {
		return
	}
	var failed atomic.Pointer[error]
	work, done := make(chan int, len(all)), sync.WaitGroup{}
	for _, n := range all {
		done.Go(func() {
			for range work {
				for _, now := range []time.Time{epoch, epoch.Add(codeLife - 1)} { // nothing of a race has expired then
					if _, err := n.Sweep(yielding(), now); err != nil {
						failed.Store(&err)
					}
				}
			}
		})
	}
	defer done.Wait()
	defer close(work)
	garbage(t, all[0].Store, "g", size(2, 50, 1000))
	s := spreadOver(all)
	s.called = func() {
		if s.calls.Load()%7 == 0 {
			select {
			case work <- 0:
			default: // the nodes have not finished the last sweeps
			}
		}
	}
	race(t, s)
	if err := failed.Load(); err != nil {
		t.Fatalf("sweeping: %v", *err)
	}
}
