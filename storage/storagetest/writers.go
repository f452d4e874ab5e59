package storagetest

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/storage"
)

// verdicts are the errors of package storage that a caller in a race may get.
var verdicts = []error{storage.ErrNotFound, storage.ErrConsumed, storage.ErrRevoked, storage.ErrConflict}

// writerCases are races of an end with all methods that insert.
func writerCases() []testCase[provider.Store] {
	var all []testCase[provider.Store]
	for _, name := range slices.Sorted(maps.Keys(endings)) {
		all = append(all, testCase[provider.Store]{
			"Race/writers and " + name, "when the end has returned, nothing that a concurrent redemption, rotation, renewal or request inserted is or becomes live",
			func(t testing.TB, s provider.Store) { raceWriters(t, s, name) },
		})
	}
	return append(all,
		testCase[provider.Store]{"Race/two switches", "two browsers that switch to each other's user both get their session", raceSwitches},
		testCase[provider.Store]{"Race/all methods", "methods that run at the same time for the same users and sessions return, with a verdict", raceAll})
}

func raceWriters(t testing.TB, s provider.Store, name string) {
	ofUser := name == "Revoke of each grant" || name == "Revoke of the authorization" // the session stays
	for round := range few() {
		r := newRecords(numbered("r", round))
		r.insert(t, s)
		issue, next := newIssuance("new "+r.name, r.unused), successor("next "+r.name, r.code, 1)
		renewed, code := again("renewed "+r.name, r.code, r.login), given(newCode("new "+r.name), r.in, true)
		o := code.outcome()
		o.Consents, o.Declined, o.Granted = r.key, []string{"a", "b"}, []storage.Consent{newConsent("c", time.Hour)}
		calls := []func(context.Context) error{
			endings[name](s, r),
			func(ctx context.Context) error { return s.RedeemCode(ctx, r.unused.Hash, issue, epoch) },
			func(ctx context.Context) error {
				return s.RotateRefreshToken(ctx, r.login.Refresh.Hash, renewed, 0, epoch)
			},
			func(ctx context.Context) error {
				return s.RotateRefreshToken(ctx, r.login.Refresh.Hash, next, 0, epoch)
			},
			func(ctx context.Context) error { return s.FinishRequest(ctx, o, epoch) },
		}
		errs := together(t, len(calls), func(i int) error { return calls[(i+round)%len(calls)](yielding()) })
		at := func(call int) error { return errs[(call-round%len(calls)+len(calls))%len(calls)] }
		must(t, at(0), "ending what others use")
		othersGot(t, errs, verdicts...)
		noneLive(t, s, round, []*storage.Issuance{issue, next, renewed, r.login})
		finished(t, s, round, r, code, at(4), ofUser)
	}
}

// finished checks that the race of FinishRequest and an end has the result of one order of both.
func finished(t testing.TB, s provider.Store, round int, r *records, code testCode, err error, sessionLive bool) {
	t.Helper()
	_, state := s.Code(bg, code.Hash, epoch)
	consents := func(want string) bool { return reader{s}.consents(r, want)() }
	var ok bool
	switch {
	case err != nil: // it came second
		ok = errors.Is(err, storage.ErrRevoked) && !sessionLive && errors.Is(state, storage.ErrNotFound) && consents("ab")
	case state == nil: // it came second, or the end does not concern it
		ok = sessionLive && consents("c")
	default: // it came first
		ok = errors.Is(state, storage.ErrConsumed) && consents(map[bool]string{true: "", false: "c"}[sessionLive])
	}
	if !ok {
		t.Fatalf("round %d: FinishRequest returned %v, its code is %v, and its consents are not those of any order", round, err, state)
	}
}

func raceSwitches(t testing.TB, s provider.Store) {
	for round := range few() {
		one, two := newSession(numbered("one", round), numbered("a", round)), newSession(numbered("two", round), numbered("b", round))
		createSession(t, s, one)
		createSession(t, s, two)
		next := []storage.Session{newSession(numbered("next one", round), numbered("b", round)), newSession(numbered("next two", round), numbered("a", round))}
		old := []storage.Session{one, two}
		for _, err := range together(t, 2, func(i int) error { return replace(yielding(), s, old[i].Hash, next[i], epoch) }) {
			must(t, err, "switching to the user of the other browser")
		}
		for i := range next {
			wantNoSession(t, s, old[i].Hash, epoch, "that was switched away")
			wantSession(t, s, next[i], epoch, "of the other user")
		}
		if t.Failed() {
			t.FailNow()
		}
	}
}

// raceAll calls all methods for two users, each caller in another order.
func raceAll(t testing.TB, s provider.Store) {
	for round := range fewest() { // of about 100 calls each
		a, b := newRecords(numbered("a", round)), newRecords(numbered("b", round))
		a.insert(t, s)
		b.insert(t, s)
		var calls []func(context.Context) error
		for name, of := range changes {
			if name == "a switch of the session" || name == "the session limit" {
				continue
			}
			calls = append(calls, of(reader{s}, a).do, of(reader{s}, b).do)
		}
		for i, pair := range [][2]*records{{a, b}, {b, a}} { // each browser switches to the user of the other one
			next := newSession(numbered("next "+pair[0].name, i), pair[1].name)
			calls = append(calls, func(ctx context.Context) error {
				_, err := s.ReplaceSession(ctx, pair[0].in.Hash, next, 1, epoch)
				return err
			})
		}
		const callers = 4
		others := make([][]error, callers)
		errs := together(t, callers, func(caller int) error {
			for i := range calls {
				k := (i + caller*len(calls)/callers) % len(calls)
				if caller%2 == 1 {
					k = len(calls) - 1 - k
				}
				others[caller] = append(others[caller], calls[k](yielding()))
			}
			return nil
		})
		othersGot(t, errs)
		for _, errs := range others {
			othersGot(t, errs, verdicts...)
		}
		for _, r := range []*records{a, b} {
			must(t, s.Revoke(bg, storage.Revocation{Authorization: r.key}, epoch), "revoking an authorization")
			noneLive(t, s, round, []*storage.Issuance{r.login, r.data, r.successor})
		}
	}
}
