package storagetest

import (
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/storage"
)

func pushedCases() []testCase[authorize.PushedRequestStore] {
	return []testCase[authorize.PushedRequestStore]{
		{"PushedRequest/round trip", "a record comes back as it went in", pushedRoundTrip},
		{"PushedRequest/unknown", "an unknown request is ErrNotFound for every verb", pushedUnknown},
		{"PushedRequest/expiry boundary", "a request is valid iff now.Before(ExpiresAt), for every verb", pushedBoundary},
		{"PushedRequest/create never overwrites", "an existing Hash is ErrConflict, consumed or not, and nothing changes (security J2)", pushedNoOverwrite},
		{"PushedRequest/consumed once", "a consumed request cannot be read or consumed again (security A12)", pushedOnce},
		{"PushedRequest/copies", "nobody shares memory with the store", pushedCopies},
		{"PushedRequest/cancelled", "a context that is done before the verb starts changes nothing (security J5)", pushedCancelled},
		{"PushedRequest/values", "parameters and client IDs come back whole, whatever is in them", pushedValues},
		{"PushedRequest/race", "of 50 callers that consume one request exactly one wins", pushedRace},
	}
}

func newPushed(name string) storage.PushedRequest {
	return storage.PushedRequest{
		Hash: storage.HashOf("urn " + name), ClientID: "client-a",
		Params: []byte("scope=openid&state=" + name), ExpiresAt: epoch.Add(2 * time.Minute).In(oslo),
	}
}

func push(t testing.TB, s authorize.PushedRequestStore, name string) storage.PushedRequest {
	t.Helper()
	p := newPushed(name)
	must(t, s.PushRequest(bg, p, epoch), "pushing a request")
	return p
}

func wantPushed(t testing.TB, s authorize.PushedRequestStore, want storage.PushedRequest, when string) {
	t.Helper()
	got, err := s.PushedRequest(bg, want.Hash, epoch)
	must(t, err, "reading a request "+when)
	same(t, got, want, "a request "+when)
}

func pushedRoundTrip(t testing.TB, s authorize.PushedRequestStore) {
	wantPushed(t, s, push(t, s, "full"), "that was pushed")
}

func pushedUnknown(t testing.TB, s authorize.PushedRequestStore) {
	_, err := s.PushedRequest(bg, storage.HashOf("unknown"), epoch)
	verdict(t, err, storage.ErrNotFound, "reading an unknown request")
	verdict(t, s.ConsumePushedRequest(bg, storage.HashOf("unknown"), epoch), storage.ErrNotFound, "consuming an unknown request")
}

func pushedBoundary(t testing.TB, s authorize.PushedRequestStore) {
	for i, at := range around(epoch.Add(2 * time.Minute)) {
		p := push(t, s, numbered("b", i))
		want := storage.ErrNotFound
		if at.valid {
			want = nil
		}
		_, err := s.PushedRequest(bg, p.Hash, at.now)
		verdict(t, err, want, "PushedRequest "+at.name)
		verdict(t, s.ConsumePushedRequest(bg, p.Hash, at.now), want, "ConsumePushedRequest "+at.name)
	}
}

func pushedNoOverwrite(t testing.TB, s authorize.PushedRequestStore) {
	first, second := push(t, s, "first"), newPushed("second")
	second.Hash, second.ClientID = first.Hash, "client-b"
	verdict(t, s.PushRequest(bg, second, epoch), storage.ErrConflict, "pushing with a Hash that exists")
	wantPushed(t, s, first, "whose Hash another wanted")
	must(t, s.ConsumePushedRequest(bg, first.Hash, epoch), "consuming a request")
	verdict(t, s.PushRequest(bg, second, epoch), storage.ErrConflict, "pushing with the Hash of a consumed request")
	_, err := s.PushedRequest(bg, first.Hash, epoch)
	verdict(t, err, storage.ErrNotFound, "a consumed request whose Hash another wanted")
}

func pushedOnce(t testing.TB, s authorize.PushedRequestStore) {
	p, other := push(t, s, "p"), push(t, s, "other")
	must(t, s.ConsumePushedRequest(bg, p.Hash, epoch), "consuming a request")
	_, err := s.PushedRequest(bg, p.Hash, epoch)
	verdict(t, err, storage.ErrNotFound, "reading a consumed request")
	spent(t, s.ConsumePushedRequest(bg, p.Hash, epoch), "consuming a request twice")
	wantPushed(t, s, other, "beside a consumed one")
}

// spent accepts both ways to say that something is used up.
func spent(t testing.TB, err error, doing string) {
	t.Helper()
	if !errors.Is(err, storage.ErrConsumed) && !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("%s: got %v, want %v or %v", doing, err, storage.ErrConsumed, storage.ErrNotFound)
	}
}

func pushedCopies(t testing.TB, s authorize.PushedRequestStore) {
	p := push(t, s, "copy")
	overwrite(&p)
	wantPushed(t, s, newPushed("copy"), "after what went in was overwritten")
	out, err := s.PushedRequest(bg, p.Hash, epoch)
	must(t, err, "reading a request")
	overwrite(&out)
	wantPushed(t, s, newPushed("copy"), "after what came out was overwritten")
}

func pushedCancelled(t testing.TB, s authorize.PushedRequestStore) {
	p, late := push(t, s, "p"), newPushed("late")
	refused(t, s.PushRequest(cancelled(), late, epoch), "pushing")
	_, err := s.PushedRequest(bg, late.Hash, epoch)
	verdict(t, err, storage.ErrNotFound, "a request pushed with a cancelled context")
	refused(t, s.ConsumePushedRequest(cancelled(), p.Hash, epoch), "consuming")
	wantPushed(t, s, p, "consumed with a cancelled context")
}

func pushedRace(t testing.TB, s authorize.PushedRequestStore) {
	for round := range rounds {
		p := push(t, s, numbered("race", round))
		errs := together(crowd, func(int) error { return s.ConsumePushedRequest(yielding(), p.Hash, epoch) })
		if won := winners(errs); won != 1 {
			t.Fatalf("round %d: %d of %d callers consumed one pushed request, want exactly 1", round, won, crowd)
		}
		for _, err := range errs {
			if err != nil {
				spent(t, err, "losing the race for a pushed request")
			}
		}
	}
}

func consentCases() []testCase[authorize.ConsentStore] {
	return []testCase[authorize.ConsentStore]{
		{"Consent/round trip", "records come back as they went in", consentRoundTrip},
		{"Consent/expiry boundary", "a consent is valid iff now.Before(ExpiresAt), each scope for itself", consentBoundary},
		{"Consent/later expiry wins", "of two consents to one scope the one that expires later stays whole", consentLater},
		{"Consent/renewed after expiry", "an expired consent can be given again", consentAgain},
		{"Consent/belongs to person and client", "other people's and other clients' consents are neither seen nor withdrawn", consentApart},
		{"Consent/withdrawn", "a withdrawn consent is forgotten; withdrawing nothing is no error", consentWithdrawn},
		{"Consent/copies", "nobody shares memory with the store", consentCopies},
		{"Consent/cancelled", "a context that is done before the verb starts changes nothing (security J5)", consentCancelled},
		{"Consent/keys are bytes", "scopes and clients that differ in case or a trailing space are different ones", consentKeys},
		{"Consent/race", "consents given at once by many callers all stay, and are seen all or none", consentRace},
	}
}

func newConsent(scope string, life time.Duration) storage.Consent {
	return storage.Consent{
		UserKey: storage.HashOf("person"), ClientID: "client-a", Scope: scope,
		GrantedAt: epoch.Add(-1).In(oslo), ExpiresAt: epoch.Add(life),
	}
}

func wantConsents(t testing.TB, s authorize.ConsentStore, of storage.Consent, now time.Time, when string, want ...storage.Consent) {
	t.Helper()
	got, err := s.Consents(bg, of.UserKey, of.ClientID, now)
	must(t, err, "reading consents "+when)
	byScope := func(a, b storage.Consent) int { return strings.Compare(a.Scope, b.Scope) }
	slices.SortFunc(got, byScope)
	slices.SortFunc(want, byScope)
	same(t, got, want, "consents "+when)
}

func grantConsents(t testing.TB, s authorize.ConsentStore, cs ...storage.Consent) {
	t.Helper()
	must(t, s.GrantConsents(bg, cs, epoch), "granting consents")
}

func consentRoundTrip(t testing.TB, s authorize.ConsentStore) {
	a, b := newConsent("a", time.Hour), newConsent("b", 2*time.Hour)
	wantConsents(t, s, a, epoch, "nobody gave")
	grantConsents(t, s)
	grantConsents(t, s, a, b)
	wantConsents(t, s, a, epoch, "that were given", a, b)
	c := newConsent("c", time.Hour)
	grantConsents(t, s, c)
	wantConsents(t, s, a, epoch, "given one after the other", a, b, c)
}

func consentBoundary(t testing.TB, s authorize.ConsentStore) {
	short, long := newConsent("short", time.Hour), newConsent("long", 2*time.Hour)
	grantConsents(t, s, short, long)
	for _, at := range around(epoch.Add(time.Hour)) {
		if at.valid {
			wantConsents(t, s, short, at.now, at.name, short, long)
		} else {
			wantConsents(t, s, short, at.now, at.name, long)
		}
	}
}

func consentLater(t testing.TB, s authorize.ConsentStore) {
	first, shorter, longer := newConsent("s", time.Hour), newConsent("s", time.Minute), newConsent("s", 2*time.Hour)
	shorter.GrantedAt, longer.GrantedAt = epoch, epoch
	grantConsents(t, s, first)
	grantConsents(t, s, shorter)
	wantConsents(t, s, first, epoch, "after a shorter one", first)
	grantConsents(t, s, longer)
	wantConsents(t, s, first, epoch, "after a longer one", longer)
	twice := newConsent("twice", time.Hour)
	grantConsents(t, s, newConsent("twice", time.Minute), twice)
	wantConsents(t, s, first, epoch, "with one scope twice in a call", longer, twice)
}

func consentAgain(t testing.TB, s authorize.ConsentStore) {
	old, again := newConsent("s", time.Hour), newConsent("s", 3*time.Hour)
	again.GrantedAt = epoch.Add(2 * time.Hour)
	grantConsents(t, s, old)
	must(t, s.GrantConsents(bg, []storage.Consent{again}, epoch.Add(2*time.Hour)), "granting again")
	wantConsents(t, s, old, epoch.Add(2*time.Hour), "given again", again)
}

func consentApart(t testing.TB, s authorize.ConsentStore) {
	mine, yours, theirs := newConsent("s", time.Hour), newConsent("s", time.Hour), newConsent("s", time.Hour)
	yours.UserKey = storage.HashOf("another person")
	theirs.ClientID = "client-b"
	grantConsents(t, s, mine, yours, theirs)
	for _, c := range []storage.Consent{mine, yours, theirs} {
		wantConsents(t, s, c, epoch, "of one person to one client", c)
	}
	must(t, s.WithdrawConsents(bg, mine.UserKey, mine.ClientID, epoch), "withdrawing")
	wantConsents(t, s, mine, epoch, "that were withdrawn")
	wantConsents(t, s, yours, epoch, "of another person", yours)
	wantConsents(t, s, theirs, epoch, "to another client", theirs)
}

func consentWithdrawn(t testing.TB, s authorize.ConsentStore) {
	a, b := newConsent("a", time.Hour), newConsent("b", time.Hour)
	must(t, s.WithdrawConsents(bg, a.UserKey, a.ClientID, epoch), "withdrawing nothing")
	grantConsents(t, s, a, b)
	for range 2 {
		must(t, s.WithdrawConsents(bg, a.UserKey, a.ClientID, epoch), "withdrawing")
		wantConsents(t, s, a, epoch, "that were withdrawn")
	}
	grantConsents(t, s, newConsent("a", time.Minute))
	wantConsents(t, s, a, epoch, "given after a withdrawal", newConsent("a", time.Minute))
}

func consentCopies(t testing.TB, s authorize.ConsentStore) {
	in := []storage.Consent{newConsent("a", time.Hour)}
	grantConsents(t, s, in...)
	overwrite(&in)
	want := newConsent("a", time.Hour)
	wantConsents(t, s, want, epoch, "after what went in was overwritten", want)
	out, err := s.Consents(bg, want.UserKey, want.ClientID, epoch)
	must(t, err, "reading consents")
	overwrite(&out)
	wantConsents(t, s, want, epoch, "after what came out was overwritten", want)
}

func consentCancelled(t testing.TB, s authorize.ConsentStore) {
	a, b := newConsent("a", time.Hour), newConsent("b", time.Hour)
	grantConsents(t, s, a)
	refused(t, s.GrantConsents(cancelled(), []storage.Consent{b}, epoch), "granting")
	refused(t, s.WithdrawConsents(cancelled(), a.UserKey, a.ClientID, epoch), "withdrawing")
	wantConsents(t, s, a, epoch, "after calls with a cancelled context", a)
}

func consentRace(t testing.TB, s authorize.ConsentStore) {
	const callers = 16 // every other one writes, the others look on
	for round := range rounds / 5 {
		clientID, user := numbered("client", round), newConsent("", 0).UserKey
		var half atomic.Bool
		for _, err := range together(callers, func(i int) error {
			if i%2 == 0 {
				a, b := newConsent(numbered("first", i), time.Hour), newConsent(numbered("second", i), time.Hour)
				a.ClientID, b.ClientID = clientID, clientID
				return s.GrantConsents(yielding(), []storage.Consent{a, b}, epoch)
			}
			for range 5 {
				seen, err := s.Consents(yielding(), user, clientID, epoch)
				if err != nil {
					return err
				}
				if halfGiven(seen) {
					half.Store(true)
				}
			}
			return nil
		}) {
			must(t, err, "granting and reading consents at once")
		}
		if half.Load() {
			t.Fatalf("round %d: a caller saw one consent of two that were given in one call", round)
		}
		all, err := s.Consents(bg, user, clientID, epoch)
		must(t, err, "reading consents")
		if len(all) != callers {
			t.Fatalf("round %d: %d consents are left of %d given at once", round, len(all), callers)
		}
	}
}

// halfGiven tells whether of some pair of first-i and second-i only one is there.
func halfGiven(seen []storage.Consent) bool {
	pairs := map[string]int{}
	for _, c := range seen {
		_, i, _ := strings.Cut(c.Scope, "-")
		pairs[i]++
	}
	for _, n := range pairs {
		if n != 2 {
			return true
		}
	}
	return false
}

func replayCases() []testCase[client.ReplayStore] {
	return []testCase[client.ReplayStore]{
		{"JTI/once", "exactly one call for a key gets nil (RFC 7523 section 3)", jtiOnce},
		{"JTI/remembered to the end", "a key is remembered until expiresAt, whatever other keys come", jtiRemembered},
		{"JTI/expired", "what has expired cannot be remembered and is refused", jtiExpired},
		{"JTI/cancelled", "a context that is done before the verb starts changes nothing (security J5)", jtiCancelled},
		{"JTI/race", "of 50 callers that use one assertion exactly one wins (security E9)", jtiRace},
	}
}

func jtiOnce(t testing.TB, s client.ReplayStore) {
	key, end := storage.HashOf("jti"), epoch.Add(time.Minute)
	must(t, s.ConsumeJTI(bg, key, end, epoch), "using an assertion")
	verdict(t, s.ConsumeJTI(bg, key, end, epoch), storage.ErrConsumed, "using it again")
	verdict(t, s.ConsumeJTI(bg, key, end.Add(time.Hour), epoch), storage.ErrConsumed, "using its jti with a later end")
	verdict(t, s.ConsumeJTI(bg, key, end.Add(-1), epoch), storage.ErrConsumed, "using its jti with an earlier end")
	must(t, s.ConsumeJTI(bg, storage.HashOf("another"), end, epoch), "using another assertion")
}

func jtiRemembered(t testing.TB, s client.ReplayStore) {
	end := epoch.Add(time.Minute)
	key := storage.HashOf("jti")
	must(t, s.ConsumeJTI(bg, key, end, epoch), "using an assertion")
	for i := range 1000 {
		must(t, s.ConsumeJTI(bg, storage.HashOf(numbered("other", i)), epoch.Add(time.Second), epoch), "using another")
	}
	for i := range 1000 { // the ones before are garbage now
		must(t, s.ConsumeJTI(bg, storage.HashOf(numbered("later", i)), end.Add(1), end.Add(-1)), "using another later")
	}
	verdict(t, s.ConsumeJTI(bg, key, end, end.Add(-1)), storage.ErrConsumed, "using it again 1 ns before its end")
}

func jtiExpired(t testing.TB, s client.ReplayStore) {
	for _, at := range around(epoch) {
		want := storage.ErrConsumed
		if at.valid {
			want = nil
		}
		verdict(t, s.ConsumeJTI(bg, storage.HashOf(at.name), epoch, at.now), want, "using an assertion "+at.name)
	}
}

func jtiCancelled(t testing.TB, s client.ReplayStore) {
	key, end := storage.HashOf("jti"), epoch.Add(time.Minute)
	refused(t, s.ConsumeJTI(cancelled(), key, end, epoch), "using an assertion")
	must(t, s.ConsumeJTI(bg, key, end, epoch), "using it with a context that is not cancelled")
}

func jtiRace(t testing.TB, s client.ReplayStore) {
	for round := range rounds {
		key := storage.HashOf(numbered("jti", round))
		errs := together(crowd, func(int) error { return s.ConsumeJTI(yielding(), key, epoch.Add(time.Minute), epoch) })
		if won := winners(errs); won != 1 {
			t.Fatalf("round %d: %d of %d callers used one assertion, want exactly 1", round, won, crowd)
		}
		losersGot(t, errs, storage.ErrConsumed)
	}
}
