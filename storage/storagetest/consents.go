package storagetest

import (
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/storage"
)

func consentCases() []testCase[provider.Store] {
	return []testCase[provider.Store]{
		{"Consent/round trip", "records come back as they went in", consentRoundTrip},
		{"Consent/expiry boundary", "a consent is live if now is before its ExpiresAt, each scope by itself", consentBoundary},
		{"Consent/later expiry wins", "a consent that is granted again for the same version keeps its GrantedAt, and ends at the later ExpiresAt of both", consentLater},
		{"Consent/other version", "a consent for another version of the scope replaces the remembered one", consentVersion},
		{"Consent/renewed after expiry", "an expired consent can be granted again, and then begins anew", consentAgain},
		{"Consent/user, client and customer", "consents of another user, client or customer are neither returned nor withdrawn", consentApart},
		{"Consent/declined", "the consents for declined scopes end, and no other; declining without a consent is no error", consentDeclined},
		{"Consent/copies", "the store shares no memory with its callers", consentCopies},
		{"Consent/cancelled", "a context that is done before the method starts changes nothing", consentCancelled},
		{"Consent/keys are bytes", "scopes, clients and customers that differ in case or a trailing space are different", consentKeys},
		{"Consent/race", "consents granted at the same time all remain, and those of one outcome appear together", consentRace},
	}
}

var consentKey = storage.ConsentKey{UserKey: storage.HashOf("person"), ClientID: "client-a", Customer: "customer"}

func newConsent(scope string, life time.Duration) storage.Consent {
	return storage.Consent{Scope: scope, Version: "1", GrantedAt: epoch.Add(-1).In(oslo), ExpiresAt: epoch.Add(life)}
}

var answers atomic.Int64

// answered returns the outcome of a new request without a code.
func answered(key storage.ConsentKey, declined []string, granted ...storage.Consent) storage.Outcome {
	return storage.Outcome{
		RequestID: numbered("answer", int(answers.Add(1))), Consents: key, Granted: granted, Declined: declined, RetainTo: epoch.Add(retainLife),
	}
}

func grantConsents(t testing.TB, s provider.Store, key storage.ConsentKey, cs ...storage.Consent) {
	t.Helper()
	must(t, s.FinishRequest(bg, answered(key, nil, cs...), epoch), "granting consents")
}

func decline(t testing.TB, s provider.Store, key storage.ConsentKey, scopes ...string) {
	t.Helper()
	must(t, s.FinishRequest(bg, answered(key, scopes), epoch), "declining scopes")
}

func wantConsents(t testing.TB, s provider.Store, key storage.ConsentKey, now time.Time, when string, want ...storage.Consent) {
	t.Helper()
	got, err := s.Consents(bg, key, now)
	must(t, err, "reading consents "+when)
	byScope := func(a, b storage.Consent) int { return strings.Compare(a.Scope, b.Scope) }
	slices.SortFunc(got, byScope)
	slices.SortFunc(want, byScope)
	same(t, got, want, "consents "+when)
}

func consentRoundTrip(t testing.TB, s provider.Store) {
	a, b := newConsent("a", time.Hour), newConsent("b", 2*time.Hour)
	wantConsents(t, s, consentKey, epoch, "before any was granted")
	grantConsents(t, s, consentKey)
	grantConsents(t, s, consentKey, a, b)
	wantConsents(t, s, consentKey, epoch, "of one outcome", a, b)
	c := storage.Consent{Scope: "c", ExpiresAt: epoch.Add(1)}
	grantConsents(t, s, consentKey, c)
	wantConsents(t, s, consentKey, epoch, "of two outcomes", a, b, c)
}

func consentBoundary(t testing.TB, s provider.Store) {
	short, long := newConsent("short", time.Hour), newConsent("long", 2*time.Hour)
	grantConsents(t, s, consentKey, short, long)
	for _, at := range around(epoch.Add(time.Hour)) {
		if at.valid {
			wantConsents(t, s, consentKey, at.now, at.name, short, long)
		} else {
			wantConsents(t, s, consentKey, at.now, at.name, long)
		}
	}
}

func consentLater(t testing.TB, s provider.Store) {
	first, shorter, longer := newConsent("s", time.Hour), newConsent("s", time.Minute), newConsent("s", 2*time.Hour)
	shorter.GrantedAt, longer.GrantedAt = epoch, epoch
	grantConsents(t, s, consentKey, first)
	grantConsents(t, s, consentKey, shorter)
	wantConsents(t, s, consentKey, epoch, "after a shorter one", first)
	grantConsents(t, s, consentKey, longer)
	longer.GrantedAt = first.GrantedAt
	wantConsents(t, s, consentKey, epoch, "after a longer one", longer)
	twice := newConsent("twice", time.Hour)
	grantConsents(t, s, consentKey, newConsent("twice", time.Minute), twice)
	wantConsents(t, s, consentKey, epoch, "with one scope twice in an outcome", longer, twice)
}

func consentVersion(t testing.TB, s provider.Store) {
	first, second := newConsent("s", time.Hour), newConsent("s", time.Minute)
	second.Version, second.GrantedAt = "2", epoch
	grantConsents(t, s, consentKey, first)
	grantConsents(t, s, consentKey, second)
	wantConsents(t, s, consentKey, epoch, "for another version, although it expires earlier", second)
}

func consentAgain(t testing.TB, s provider.Store) {
	old, again := newConsent("s", time.Hour), newConsent("s", 3*time.Hour)
	again.GrantedAt = epoch.Add(2 * time.Hour)
	grantConsents(t, s, consentKey, old)
	must(t, s.FinishRequest(bg, answered(consentKey, nil, again), epoch.Add(2*time.Hour)), "granting again")
	wantConsents(t, s, consentKey, epoch.Add(2*time.Hour), "granted again", again)
}

func consentApart(t testing.TB, s provider.Store) {
	keys := []storage.ConsentKey{consentKey, consentKey, consentKey, consentKey}
	keys[1].UserKey = storage.HashOf("another person")
	keys[2].ClientID = "client-b"
	keys[3].Customer = ""
	for i, key := range keys {
		grantConsents(t, s, key, newConsent("s", time.Duration(i+1)*time.Hour))
	}
	for i, key := range keys {
		wantConsents(t, s, key, epoch, "of one user to one client for one customer", newConsent("s", time.Duration(i+1)*time.Hour))
	}
	decline(t, s, keys[0], "s")
	wantConsents(t, s, keys[0], epoch, "that were declined")
	for i, key := range keys[1:] {
		wantConsents(t, s, key, epoch, "of another key", newConsent("s", time.Duration(i+2)*time.Hour))
	}
}

func consentDeclined(t testing.TB, s provider.Store) {
	a, b := newConsent("a", time.Hour), newConsent("b", time.Hour)
	decline(t, s, consentKey, "a")
	grantConsents(t, s, consentKey, a, b)
	for range 2 {
		decline(t, s, consentKey, "a", "never granted")
		wantConsents(t, s, consentKey, epoch, "after one was declined", b)
	}
	must(t, s.FinishRequest(bg, answered(consentKey, []string{"b"}, newConsent("a", time.Minute)), epoch), "granting one and declining another")
	wantConsents(t, s, consentKey, epoch, "granted after it was declined", newConsent("a", time.Minute))
	decline(t, s, consentKey, "a")
	anew := newConsent("a", time.Hour)
	anew.GrantedAt = epoch.Add(1)
	grantConsents(t, s, consentKey, anew)
	wantConsents(t, s, consentKey, epoch, "declined, and granted anew", anew)
}

func consentCopies(t testing.TB, s provider.Store) {
	in := []storage.Consent{newConsent("a", time.Hour)}
	grantConsents(t, s, consentKey, in...)
	overwrite(&in)
	want := newConsent("a", time.Hour)
	wantConsents(t, s, consentKey, epoch, "after the argument was overwritten", want)
	out, err := s.Consents(bg, consentKey, epoch)
	must(t, err, "reading consents")
	overwrite(&out)
	wantConsents(t, s, consentKey, epoch, "after the result was overwritten", want)
}

func consentCancelled(t testing.TB, s provider.Store) {
	a, b := newConsent("a", time.Hour), newConsent("b", time.Hour)
	grantConsents(t, s, consentKey, a)
	refused(t, s.FinishRequest(cancelled(), answered(consentKey, []string{"a"}, b), epoch), "FinishRequest")
	wantConsents(t, s, consentKey, epoch, "after a call with a cancelled context", a)
}

func consentKeys(t testing.TB, s provider.Store) {
	a, other, spaced := newConsent("a", time.Hour), newConsent("A", time.Hour), newConsent("a ", time.Hour)
	grantConsents(t, s, consentKey, a, other, spaced)
	likeClient, likeCustomer := consentKey, consentKey
	likeClient.ClientID, likeCustomer.Customer = strings.ToUpper(consentKey.ClientID), consentKey.Customer+" "
	grantConsents(t, s, likeClient, a)
	grantConsents(t, s, likeCustomer, a)
	wantConsents(t, s, likeClient, epoch, "for a client with a similar name", a)
	decline(t, s, likeClient, "a")
	wantConsents(t, s, consentKey, epoch, "for scopes with similar names", a, other, spaced)
	wantConsents(t, s, likeCustomer, epoch, "for a customer with a similar name", a)
	hard := storage.ConsentKey{UserKey: consentKey.UserKey, ClientID: trouble("client"), Customer: trouble("customer")}
	text := newConsent(trouble("scope"), time.Hour)
	text.Version = trouble("version")
	grantConsents(t, s, hard, text)
	wantConsents(t, s, hard, epoch, "with long and special texts", text)
}

func consentRace(t testing.TB, s provider.Store) {
	const callers = 16 // every other one grants, the others read
	for round := range fewest() {
		key := consentKey
		key.ClientID = numbered("client", round)
		var half atomic.Bool
		for _, err := range together(t, callers, func(i int) error {
			if i%2 == 0 {
				a, b := newConsent(numbered("first", i), time.Hour), newConsent(numbered("second", i), time.Hour)
				return s.FinishRequest(yielding(), answered(key, nil, a, b), epoch)
			}
			for range 5 {
				seen, err := s.Consents(yielding(), key, epoch)
				if err != nil {
					return err
				}
				if halfGranted(seen) {
					half.Store(true)
				}
			}
			return nil
		}) {
			must(t, err, "granting and reading consents at the same time")
		}
		if half.Load() {
			t.Fatalf("round %d: a caller saw one consent of two that were granted in one outcome", round)
		}
		all, err := s.Consents(bg, key, epoch)
		must(t, err, "reading consents")
		if len(all) != callers {
			t.Fatalf("round %d: %d consents remain of %d", round, len(all), callers)
		}
	}
}

// halfGranted reports whether only one of a pair first-i and second-i is there.
func halfGranted(seen []storage.Consent) bool {
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
