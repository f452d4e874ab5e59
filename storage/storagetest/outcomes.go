package storagetest

import (
	"testing"
	"time"

	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/storage"
)

func outcomeCases() []testCase[provider.Store] {
	return []testCase[provider.Store]{
		{"FinishRequest/equal outcome", "the same code, or no code, for the same request returns nil and changes nothing", outcomeEqual},
		{"FinishRequest/consumed code", "the same code returns ErrConsumed if it cannot be redeemed any more", outcomeConsumed},
		{"FinishRequest/other outcome", "another outcome of a request is ErrConflict, and its consents are not applied", outcomeOther},
		{"FinishRequest/denial is recognised", "a request that was denied is recognised until RetainTo", outcomeDenied},
		{"FinishRequest/one step", "an outcome that is rejected changes no consent", outcomeOneStep},
		{"FinishRequest/ended session", "a request whose session has ended is ErrRevoked, also if it has an equal outcome", outcomeEnded},
		{"FinishRequest/live session", "a code in a session that is unknown, expired, ended or that of another user is ErrRevoked and changes nothing", outcomeSession},
		{"FinishRequest/session expiry boundary", "a code in a session is inserted if now is before the ExpiresAt of the session", outcomeSessionBoundary},
	}
}

// withConsents adds consents to the outcome of a code.
func withConsents(c testCode, declined []string, granted ...storage.Consent) storage.Outcome {
	o := c.outcome()
	o.Consents, o.Declined, o.Granted = consentKey, declined, granted
	return o
}

func outcomeEqual(t testing.TB, s provider.Store) {
	first := newCode("first")
	a, b := newConsent("a", time.Hour), newConsent("b", time.Hour)
	must(t, s.FinishRequest(bg, withConsents(first, nil, a), epoch), "finishing a request")
	decline(t, s, consentKey, "a")
	grantConsents(t, s, consentKey, b)
	again := newCode("again")
	again.Hash, again.RequestID = first.Hash, first.RequestID
	for range 2 {
		must(t, s.FinishRequest(bg, withConsents(again, []string{"b"}, a), epoch.Add(1)), "finishing it again with the same code")
	}
	wantCode(t, s, first, nil, epoch, "after a retry with another grant")
	wantConsents(t, s, consentKey, epoch, "after a retry", b)
	denial := answered(consentKey, []string{"b"})
	must(t, s.FinishRequest(bg, denial, epoch), "denying a request")
	grantConsents(t, s, consentKey, b)
	must(t, s.FinishRequest(bg, denial, epoch), "denying it again")
	wantConsents(t, s, consentKey, epoch, "after a request was denied again", b)
	must(t, s.RedeemCode(bg, first.Hash, newIssuance("first", first), epoch), "redeeming the code")
}

func outcomeConsumed(t testing.TB, s provider.Store) {
	used, _ := redeemed(t, s, newCode("used"), "used")
	consumed, expired, revoked := newCode("consumed"), newCode("expired"), newCode("revoked")
	for _, c := range []testCode{consumed, expired, revoked} {
		must(t, createCode(s, bg, c, epoch), "finishing a request")
	}
	must(t, s.RedeemCode(bg, consumed.Hash, nil, epoch), "consuming a code")
	must(t, s.Revoke(bg, storage.Revocation{GrantID: revoked.Grant.ID}, epoch), "revoking a grant")
	for name, c := range map[string]testCode{"redeemed": used, "consumed": consumed, "revoked": revoked} {
		verdict(t, createCode(s, bg, c, epoch), storage.ErrConsumed, "finishing a request whose code was "+name)
	}
	must(t, createCode(s, bg, expired, epoch.Add(codeLife-1)), "finishing a request again 1 ns before its code expires")
	for _, now := range []time.Time{epoch.Add(codeLife), epoch.Add(retainLife - 1)} {
		verdict(t, createCode(s, bg, expired, now), storage.ErrConsumed, "finishing a request whose code has expired")
	}
}

func outcomeOther(t testing.TB, s provider.Store) {
	first, second := newCode("first"), newCode("second")
	second.RequestID = first.RequestID
	must(t, createCode(s, bg, first, epoch), "finishing a request")
	denial := answered(consentKey, nil)
	must(t, s.FinishRequest(bg, denial, epoch), "denying a request")
	late := newCode("late")
	late.RequestID = denial.RequestID
	a := newConsent("a", time.Hour)
	verdict(t, s.FinishRequest(bg, withConsents(second, nil, a), epoch), storage.ErrConflict, "finishing it with another code")
	denied := answered(consentKey, nil, a)
	denied.RequestID = first.RequestID
	verdict(t, s.FinishRequest(bg, denied, epoch), storage.ErrConflict, "denying a request that has a code")
	verdict(t, s.FinishRequest(bg, withConsents(late, nil, a), epoch), storage.ErrConflict, "a code for a request that was denied")
	wantConsents(t, s, consentKey, epoch, "of rejected outcomes")
	wantCode(t, s, first, nil, epoch, "after other outcomes")
	for _, c := range []testCode{second, late} {
		wantCode(t, s, c, storage.ErrNotFound, epoch, "of a rejected outcome")
	}
}

func outcomeDenied(t testing.TB, s provider.Store) {
	denial := answered(consentKey, nil)
	must(t, s.FinishRequest(bg, denial, epoch), "denying a request")
	for i, now := range []time.Time{epoch, epoch.Add(codeLife), denial.RetainTo.Add(-1)} {
		c := newCode(numbered("late", i))
		c.RequestID, c.ExpiresAt, c.RetainTo = denial.RequestID, now.Add(codeLife), now.Add(retainLife)
		verdict(t, createCode(s, bg, c, now), storage.ErrConflict, "a code for a request that was denied")
		must(t, s.FinishRequest(bg, denial, now), "denying a request again")
	}
}

func outcomeOneStep(t testing.TB, s provider.Store) {
	a, b := newConsent("a", time.Hour), newConsent("b", time.Hour)
	taken := newCode("taken")
	must(t, s.FinishRequest(bg, withConsents(taken, nil, a), epoch), "finishing a request")
	clash := newCode("clash")
	clash.Hash = taken.Hash
	verdict(t, s.FinishRequest(bg, withConsents(clash, []string{"a"}, b), epoch), storage.ErrConflict, "a code whose key exists")
	wantConsents(t, s, consentKey, epoch, "after an outcome was rejected", a)
	fresh := newCode("clash")
	must(t, s.FinishRequest(bg, withConsents(fresh, []string{"a"}, b), epoch), "finishing the request with a free key")
	wantConsents(t, s, consentKey, epoch, "after the request was finished", b)
	wantCode(t, s, fresh, nil, epoch, "after the request was finished")
}

func outcomeEnded(t testing.TB, s provider.Store) {
	in := createSession(t, s, newSession("e", "a"))
	c := given(newCode("c"), in, false)
	must(t, createCode(s, bg, c, epoch), "finishing a request")
	_, err := s.EndSession(bg, in.Hash, epoch)
	must(t, err, "ending a session")
	a := newConsent("a", time.Hour)
	verdict(t, s.FinishRequest(bg, withConsents(c, nil, a), epoch), storage.ErrRevoked, "finishing the request again")
	late := given(newCode("late"), in, false)
	verdict(t, s.FinishRequest(bg, withConsents(late, nil, a), epoch), storage.ErrRevoked, "finishing another request")
	wantConsents(t, s, consentKey, epoch, "of an ended session")
}

func outcomeSession(t testing.TB, s provider.Store) {
	in := createSession(t, s, newSession("s", "a"))
	ended, switched := createSession(t, s, newSession("ended", "a")), createSession(t, s, newSession("switched", "a"))
	_, err := s.EndSession(bg, ended.Hash, epoch)
	must(t, err, "ending a session")
	must(t, replace(bg, s, switched.Hash, newSession("next", "b"), epoch), "switching a session")
	a := newConsent("a", time.Hour)
	for name, session := range map[string]storage.Session{
		"unknown":         newSession("unknown", "a"),
		"ended":           ended,
		"switched away":   switched,
		"of another user": {ID: in.ID, UserKey: storage.HashOf("person b")},
		"of no user":      {ID: in.ID},
		"of another case": {ID: "SESSION-s", UserKey: in.UserKey},
	} {
		c := given(newCode(name), session, false)
		verdict(t, s.FinishRequest(bg, withConsents(c, nil, a), epoch), storage.ErrRevoked, "a code in a session that is "+name)
		wantCode(t, s, c, storage.ErrNotFound, epoch, "in a session that is "+name)
		wantConsents(t, s, consentKey, epoch, "of a rejected outcome")
		must(t, createCode(s, bg, given(newCode(name), in, false), epoch), "finishing the request in a live session")
	}
}

func outcomeSessionBoundary(t testing.TB, s provider.Store) {
	for i, at := range around(epoch.Add(sessionLife)) {
		in := createSession(t, s, newSession(numbered("b", i), numbered("b", i)))
		c := given(newCode(numbered("b", i)), in, false)
		c.ExpiresAt, c.RetainTo = at.now.Add(codeLife), at.now.Add(retainLife)
		want := storage.ErrRevoked
		if at.valid {
			want = nil
		}
		verdict(t, createCode(s, bg, c, at.now), want, "a code in a session "+at.name)
	}
}
