package storagetest

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/storage"
)

func visitCases() []testCase[provider.Store] {
	return []testCase[provider.Store]{
		{"Visit/with the code", "a visit changes LastRequestAt, ExpiresAt, the clients and the version, in the step that inserts the code", visitApplied},
		{"Visit/fields only grow", "a visit sets no instant back, and keeps the login of a client that the session has", visitGrows},
		{"Visit/open is only lost", "a client is open if each of its visits was", visitOpen},
		{"Visit/prolongs", "a session is live to the end of its last visit, for every method, and then no longer", visitProlongs},
		{"Visit/conflicts with older reads", "replacing or rotating a session that was read before a visit is ErrConflict, and does not undo the visit", visitConflict},
		{"Visit/rejected outcome", "the visit of an outcome that is rejected changes nothing", visitRejected},
		{"Visit/retry", "the visit of an equal outcome is applied again or left out", visitRetry},
		{"Visit/rotated session", "the ID of the session counts, not the hash that it had", visitRotated},
		{"Visit/ended session", "a visit of a session that has ended is ErrRevoked, and the session stays unknown", visitEnded},
		{"Visit/without a session", "a visit changes nothing if there is no code, or if the code is of no session", visitNowhere},
		{"Visit/copies", "the store shares no memory with its callers", visitCopies},
		{"Race/visits", "the visits of callers at the same time are all applied", raceVisits},
		{"Race/visits and rotations", "a session that is rotated while it is visited has every visit", raceVisitsRotations},
		{"Race/visits and end session", "EndSession returns a session with every visit that returned nil, and later ones are ErrRevoked", raceVisitsEnd},
	}
}

// visitOf returns a visit of a client, a minute after the last request of newSession.
func visitOf(in storage.Session, clientID string) storage.Visit {
	return storage.Visit{
		Session: in.Hash, At: epoch.Add(time.Minute).In(oslo),
		Client: storage.SessionClient{ClientID: clientID, SID: "sid of " + clientID, LoginAt: epoch.Add(time.Minute), Open: true},
	}
}

// visit finishes a request of the session with a new code.
func visit(s provider.Store, ctx context.Context, name string, in storage.Session, v storage.Visit, now time.Time) error {
	return s.FinishRequest(ctx, visiting(given(newCode(name), in, false), v), now)
}

// visiting returns the outcome of a code with a visit.
func visiting(c testCode, v storage.Visit) storage.Outcome {
	o := c.outcome()
	o.Visit = &v
	return o
}

func visitApplied(t testing.TB, s provider.Store) {
	in, beside := createSession(t, s, newSession("v", "a")), createSession(t, s, newSession("beside", "a"))
	v := visitOf(in, "client-c")
	v.Until = in.ExpiresAt.Add(time.Hour)
	c := given(newCode("c"), in, true)
	must(t, s.FinishRequest(bg, visiting(c, v), epoch), "finishing a request with a visit")
	want := newSession("v", "a")
	want.Version, want.LastRequestAt, want.ExpiresAt = in.Version+1, v.At, v.Until
	want.Clients = append(want.Clients, v.Client)
	wantSession(t, s, want, epoch, "after a visit")
	wantSession(t, s, beside, epoch, "beside a visit")
	wantCode(t, s, c, nil, epoch, "inserted with a visit")
	must(t, visit(s, bg, "isolated", in, visitOf(in, "client-d"), epoch), "visiting again")
	want.Version++
	want.Clients = append(want.Clients, visitOf(in, "client-d").Client)
	wantSession(t, s, want, epoch, "after a visit that prolongs nothing")
	bare := createSession(t, s, storage.Session{Hash: storage.HashOf("bare"), ID: "bare", UserKey: in.UserKey, ExpiresAt: epoch.Add(time.Minute)})
	must(t, visit(s, bg, "bare", bare, visitOf(bare, "client-c"), epoch), "visiting a session without clients")
	bare.Version, bare.LastRequestAt, bare.Clients = 1, v.At, []storage.SessionClient{v.Client}
	wantSession(t, s, bare, epoch, "after its first visit")
}

func visitGrows(t testing.TB, s provider.Store) {
	in := createSession(t, s, newSession("v", "a"))
	v := visitOf(in, "client-a")
	v.At, v.Until = in.LastRequestAt.Add(-1), in.ExpiresAt.Add(-1)
	must(t, visit(s, bg, "earlier", in, v, epoch), "visiting with earlier instants")
	in.Version++
	wantSession(t, s, in, epoch, "after a visit with earlier instants of a client that it has")
	must(t, visit(s, bg, "zero", in, storage.Visit{Session: in.Hash, Client: v.Client}, epoch), "visiting with zero instants")
	in.Version++
	wantSession(t, s, in, epoch, "after a visit with zero instants")
}

func visitOpen(t testing.TB, s provider.Store) {
	in := createSession(t, s, newSession("v", "a")) // client-a is open, client-b is not
	for i, step := range []struct {
		client string
		open   bool
		want   []bool // of the clients a, b and c
	}{
		{"client-b", true, []bool{true, false}},
		{"client-c", true, []bool{true, false, true}},
		{"client-a", true, []bool{true, false, true}},
		{"client-a", false, []bool{false, false, true}},
		{"client-a", true, []bool{false, false, true}},
		{"client-c", false, []bool{false, false, false}},
	} {
		v := visitOf(in, step.client)
		v.Client.Open = step.open
		must(t, visit(s, bg, numbered("open", i), in, v, epoch), "visiting")
		got, err := s.Session(bg, in.Hash, epoch)
		must(t, err, "reading the session")
		var open []bool
		for _, c := range got.Clients {
			open = append(open, c.Open)
		}
		same(t, open, step.want, numbered("which clients are open after visit", i))
	}
}

func visitProlongs(t testing.TB, s provider.Store) {
	for i, at := range around(epoch.Add(2 * sessionLife)) {
		in := createSession(t, s, newSession(numbered("p", i), numbered("p", i)))
		v := visitOf(in, "client-c")
		v.Until = epoch.Add(2 * sessionLife)
		must(t, visit(s, bg, numbered("first", i), in, v, in.ExpiresAt.Add(-1)), "visiting 1 ns before the end")
		want, revoked := storage.ErrNotFound, storage.ErrRevoked
		if at.valid {
			want, revoked = nil, nil
		}
		_, err := s.Session(bg, in.Hash, at.now)
		verdict(t, err, want, "Session "+at.name)
		c := given(newCode(numbered("late", i)), in, false)
		c.ExpiresAt, c.RetainTo = at.now.Add(codeLife), at.now.Add(retainLife)
		verdict(t, s.FinishRequest(bg, visiting(c, visitOf(in, "client-c")), at.now), revoked, "FinishRequest "+at.name)
		_, err = s.EndSession(bg, in.Hash, at.now)
		verdict(t, err, want, "EndSession "+at.name)
	}
}

func visitConflict(t testing.TB, s provider.Store) {
	in := createSession(t, s, newSession("v", "a"))
	// The visit changes nothing that can be seen but the version.
	v := visitOf(in, "client-a")
	v.At = in.LastRequestAt
	must(t, visit(s, bg, "c", in, v, epoch), "visiting")
	rotated := in
	rotated.Hash = storage.HashOf("rotated")
	verdict(t, replace(bg, s, in.Hash, in, epoch), storage.ErrConflict, "replacing by a record that was read before the visit")
	verdict(t, replace(bg, s, in.Hash, rotated, epoch), storage.ErrConflict, "rotating by it")
	wantNoSession(t, s, rotated.Hash, epoch, "whose rotation was rejected")
	in.Version++
	wantSession(t, s, in, epoch, "after rejected replacements")
	must(t, replace(bg, s, in.Hash, in, epoch), "replacing by a record that was read after it")
}

func visitRejected(t testing.TB, s provider.Store) {
	in, other := createSession(t, s, newSession("v", "a")), createSession(t, s, newSession("other", "b"))
	first, taken := given(newCode("first"), in, false), newCode("taken")
	must(t, createCode(s, bg, first, epoch), "finishing a request")
	must(t, createCode(s, bg, taken, epoch), "finishing another request")
	must(t, s.RedeemCode(bg, taken.Hash, nil, epoch), "consuming its code")
	v := visitOf(in, "client-c")
	for name, try := range map[string]struct {
		change func(c *testCode)
		want   error
	}{
		"another code of the request":  {func(c *testCode) { c.RequestID = first.RequestID }, storage.ErrConflict},
		"a code whose hash exists":     {func(c *testCode) { c.Hash = first.Hash }, storage.ErrConflict},
		"a grant whose ID exists":      {func(c *testCode) { c.Grant.ID = first.Grant.ID }, storage.ErrConflict},
		"a code that was consumed":     {func(c *testCode) { c.Hash, c.RequestID = taken.Hash, taken.RequestID }, storage.ErrConsumed},
		"a session of another user":    {func(c *testCode) { c.Grant.UserKey = other.UserKey }, storage.ErrRevoked},
		"a session that does not live": {func(c *testCode) { c.Grant.SessionID = "unknown" }, storage.ErrRevoked},
	} {
		c := given(newCode(name), in, false)
		try.change(&c)
		verdict(t, s.FinishRequest(bg, visiting(c, v), epoch), try.want, name)
		wantSession(t, s, in, epoch, "after "+name)
		wantSession(t, s, other, epoch, "of another user, after "+name)
	}
	err := s.FinishRequest(cancelled(), visiting(given(newCode("late"), in, false), v), epoch)
	refused(t, err, "FinishRequest with a visit")
	wantSession(t, s, in, epoch, "after a cancelled method")
}

func visitRetry(t testing.TB, s provider.Store) {
	in := createSession(t, s, newSession("v", "a"))
	c, v := given(newCode("c"), in, true), visitOf(in, "client-c")
	v.Until = in.ExpiresAt.Add(time.Hour)
	for i := range 3 {
		must(t, s.FinishRequest(bg, visiting(c, v), epoch), "finishing a request again")
		got, err := s.Session(bg, in.Hash, epoch)
		must(t, err, "reading the session")
		if got.Version <= in.Version || got.Version > in.Version+int64(i)+1 {
			t.Errorf("after %d equal outcomes the version is %d more, want 1 to %d", i+1, got.Version-in.Version, i+1)
		}
		want := newSession("v", "a")
		want.Version, want.LastRequestAt, want.ExpiresAt = got.Version, v.At, v.Until
		want.Clients = append(want.Clients, v.Client)
		same(t, got, want, "the session after equal outcomes")
	}
}

func visitRotated(t testing.TB, s provider.Store) {
	in, beside := createSession(t, s, newSession("v", "a")), createSession(t, s, newSession("beside", "a"))
	next := in
	next.Hash = storage.HashOf("rotated")
	must(t, replace(bg, s, in.Hash, next, epoch), "rotating a session")
	next.Version++
	for i, hash := range []storage.Hash{in.Hash, next.Hash, beside.Hash, storage.HashOf("unknown"), none} {
		v := visitOf(in, numbered("client", i))
		v.Session = hash
		must(t, visit(s, bg, numbered("c", i), in, v, epoch), "visiting a session that was rotated")
		next.Version++
		next.LastRequestAt, next.Clients = v.At, append(next.Clients[:len(next.Clients):len(next.Clients)], v.Client)
		wantSession(t, s, next, epoch, "after a visit by one of its hashes")
		wantNoSession(t, s, in.Hash, epoch, "whose hash was rotated away")
	}
	wantSession(t, s, beside, epoch, "that only had the hash of a visit")
}

func visitEnded(t testing.TB, s provider.Store) {
	in, switched := createSession(t, s, newSession("v", "a")), createSession(t, s, newSession("switched", "a"))
	_, err := s.EndSession(bg, in.Hash, epoch)
	must(t, err, "ending a session")
	next := newSession("next", "b")
	must(t, replace(bg, s, switched.Hash, next, epoch), "switching a session")
	for i, ended := range []storage.Session{in, switched} {
		v := visitOf(ended, "client-c")
		v.Until = ended.ExpiresAt.Add(time.Hour)
		for _, now := range []time.Time{epoch, ended.ExpiresAt.Add(-1), ended.ExpiresAt} {
			verdict(t, visit(s, bg, numbered("late", i), ended, v, now), storage.ErrRevoked, "visiting a session that has ended")
			wantNoSession(t, s, ended.Hash, now, "that was visited after its end")
		}
	}
	wantSession(t, s, next, epoch, "after visits of the session before it")
}

func visitNowhere(t testing.TB, s provider.Store) {
	in := createSession(t, s, newSession("v", "a"))
	v := visitOf(in, "client-c")
	denial := answered(consentKey, nil)
	denial.Visit = &v
	must(t, s.FinishRequest(bg, denial, epoch), "denying a request")
	c := newCode("outside")
	c.Grant.UserKey = in.UserKey
	must(t, s.FinishRequest(bg, visiting(c, v), epoch), "a code outside a session")
	wantSession(t, s, in, epoch, "after visits without a session")
}

func visitCopies(t testing.TB, s provider.Store) {
	in := createSession(t, s, newSession("v", "a"))
	v := visitOf(in, "client-c")
	o := visiting(given(newCode("c"), in, false), v)
	must(t, s.FinishRequest(bg, o, epoch), "visiting")
	overwrite(o.Visit)
	want := newSession("v", "a")
	want.Version, want.LastRequestAt, want.Clients = in.Version+1, v.At, append(want.Clients, v.Client)
	wantSession(t, s, want, epoch, "after the visit was overwritten")
}

// visitors is the number of callers that visit one session at the same time.
const visitors = 4

func raceVisits(t testing.TB, s provider.Store) {
	for round := range few() {
		in := createSession(t, s, newSession(numbered("s", round), numbered("p", round)))
		errs := together(t, visitors, func(i int) error {
			return visit(s, yielding(), numbered(in.ID, i), in, visitOf(in, numbered("client", i)), epoch)
		})
		othersGot(t, errs)
		hasVisits(t, s, round, in.Hash, errs)
		if got, err := s.Session(bg, in.Hash, epoch); err != nil || got.Version != in.Version+visitors {
			t.Fatalf("round %d: after %d visits the version is %d more (%v)", round, visitors, got.Version-in.Version, err)
		}
	}
}

// hasVisits fails the case unless the session has the client of each caller that got nil, and those of newSession.
func hasVisits(t testing.TB, s provider.Store, round int, hash storage.Hash, errs []error) {
	t.Helper()
	got, err := s.Session(bg, hash, epoch)
	must(t, err, "reading a session that was visited")
	wantVisits(t, round, got, errs)
}

func wantVisits(t testing.TB, round int, got storage.Session, errs []error) {
	t.Helper()
	has := map[string]int{}
	for _, c := range got.Clients {
		has[c.ClientID]++
	}
	for i, err := range errs {
		if n := has[numbered("client", i)]; err == nil && n != 1 {
			t.Fatalf("round %d: a session has the client of a visit that returned nil %d times", round, n)
		}
	}
	if has["client-a"] != 1 || has["client-b"] != 1 {
		t.Fatalf("round %d: a visit removed a client", round)
	}
}

func raceVisitsRotations(t testing.TB, s provider.Store) {
	for round := range few() {
		in := createSession(t, s, newSession(numbered("s", round), numbered("p", round)))
		hash := in.Hash
		errs := together(t, visitors+1, func(i int) error {
			if i < visitors {
				for range round % 5 * i { // another moment in each round
					runtime.Gosched()
				}
				return visit(s, yielding(), numbered(in.ID, i), in, visitOf(in, numbered("client", i)), epoch)
			}
			for n := range 2 * visitors { // a visit in between is ErrConflict
				read, err := s.Session(yielding(), hash, epoch)
				if err != nil {
					return err
				}
				next := withIdentity(read, "rotated")
				next.Hash = storage.HashOf(numbered(numbered("rotated", round), n))
				if replace(yielding(), s, hash, next, epoch) == nil {
					hash = next.Hash
				}
			}
			return nil
		})
		othersGot(t, errs)
		hasVisits(t, s, round, hash, errs[:visitors])
		got, err := s.Session(bg, hash, epoch)
		if must(t, err, "reading the session"); hash != in.Hash && string(got.Circles[0].Identity) != "rotated" {
			t.Fatalf("round %d: a visit undid a rotation", round)
		}
	}
}

func raceVisitsEnd(t testing.TB, s provider.Store) {
	for round := range few() {
		in := createSession(t, s, newSession(numbered("s", round), numbered("p", round)))
		var ended storage.Session
		errs := together(t, visitors+1, func(i int) (err error) {
			if i == visitors {
				for range round % 12 { // another moment in each round
					runtime.Gosched()
				}
				ended, err = s.EndSession(yielding(), in.Hash, epoch)
				return err
			}
			v := visitOf(in, numbered("client", i))
			v.Until = epoch.Add(2 * sessionLife)
			return visit(s, yielding(), numbered(in.ID, i), in, v, epoch)
		})
		must(t, errs[visitors], "ending a session")
		othersGot(t, errs, storage.ErrRevoked)
		wantVisits(t, round, ended, errs[:visitors])
		wantNoSession(t, s, in.Hash, epoch, "that ended while it was visited")
		verdict(t, visit(s, bg, numbered("late", round), in, visitOf(in, "client-c"), epoch), storage.ErrRevoked, "visiting it afterwards")
		if t.Failed() {
			t.FailNow()
		}
	}
}
