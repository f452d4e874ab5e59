package storagetest

import (
	"context"
	"testing"
	"time"

	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/storage"
)

// atLeast is more than a page of a database, or a transaction, usually has.
const atLeast = storage.MaxPage + 100

func manyCases() []testCase[provider.Store] {
	return []testCase[provider.Store]{
		{"Many/EndSession", "EndSession ends all grants and codes of the session, however many", func(t testing.TB, s provider.Store) {
			endMany(t, s, func(in storage.Session) error { _, err := s.EndSession(bg, in.Hash, epoch); return err })
		}},
		{"Many/switch", "a switch ends all grants and codes of the session, however many", func(t testing.TB, s provider.Store) {
			endMany(t, s, func(in storage.Session) error { return replace(bg, s, in.Hash, newSession("next", "b"), epoch) })
		}},
		{"Many/limit", "the limit ends all grants and codes of the session, however many", func(t testing.TB, s provider.Store) {
			endMany(t, s, func(storage.Session) error {
				_, err := s.ReplaceSession(bg, none, newSession("next", "a"), 1, epoch)
				return err
			})
		}},
		{"Many/revoke authorization", "Revoke ends all grants, codes and consents of the authorization, however many", revokeMany},
		{"Many/revoke tokens", "Revoke ends all tokens of the grant, of every generation, however many", revokeManyTokens},
		{"Many/rotations", "a rotated token is recognised until its grant expires, however often its successors were rotated", rotateMany},
		{"Many/sessions", "a user can have 1,000 live sessions, which stay live, and the limit ends all beyond it", manySessions},
	}
}

// endMany ends a session with many login-only grants and unused codes.
func endMany(t testing.TB, s provider.Store, end func(storage.Session) error) {
	in := createSession(t, s, newSession("s", "a"))
	var logins []*storage.Issuance
	var unused []testCode
	for i := range many(atLeast) {
		_, login := redeemed(t, s, given(newCode(numbered("login", i)), in, true), numbered("login", i))
		c := given(newCode(numbered("unused", i)), in, i%2 == 0)
		must(t, createCode(s, bg, c, epoch), "creating a code")
		logins, unused = append(logins, login), append(unused, c)
	}
	must(t, end(in), "ending the session")
	allEnded(t, s, logins, unused)
}

// allEnded checks that no token is live, and no code can be redeemed.
func allEnded(t testing.TB, s provider.Store, issues []*storage.Issuance, unused []testCode) {
	t.Helper()
	for i := range issues {
		issuanceState(t, s, issues[i], epoch, storage.ErrRevoked, numbered("of grant", i))
		wantCode(t, s, unused[i], storage.ErrConsumed, epoch, numbered("of the same owner", i))
		if t.Failed() {
			t.FailNow()
		}
	}
}

func revokeMany(t testing.TB, s provider.Store) {
	var issues []*storage.Issuance
	var unused []testCode
	var key storage.ConsentKey
	for i := range many(atLeast) {
		c, issue := redeemed(t, s, newCode(numbered("g", i)), numbered("g", i))
		key = storage.ConsentKey{UserKey: c.Grant.UserKey, ClientID: c.Grant.ClientID, Customer: c.Grant.Customer}
		u := newCode(numbered("unused", i))
		o := u.outcome()
		o.Consents, o.Granted = key, []storage.Consent{newConsent(numbered("scope", i), time.Hour)}
		must(t, s.FinishRequest(bg, o, epoch), "finishing a request")
		issues, unused = append(issues, issue), append(unused, u)
	}
	must(t, s.Revoke(bg, storage.Revocation{Authorization: key}, epoch), "revoking an authorization")
	allEnded(t, s, issues, unused)
	wantConsents(t, s, key, epoch, "of the authorization")
}

// revokeManyTokens rotates and renews in turn, so that many access tokens have one grant.
func revokeManyTokens(t testing.TB, s provider.Store) {
	c, last := redeemed(t, s, newCode("c"), "first")
	issues := []*storage.Issuance{last}
	for i := range many(atLeast) {
		next := successor(numbered("next", i), c, i+1)
		if i%2 == 0 {
			next.Refresh.Hash = last.Refresh.Hash
		}
		must(t, s.RotateRefreshToken(bg, last.Refresh.Hash, next, 0, epoch), "rotating or renewing a refresh token")
		issues, last = append(issues, next), next
	}
	must(t, s.Revoke(bg, storage.Revocation{GrantID: c.Grant.ID}, epoch), "revoking the grant")
	for i, issue := range issues {
		issuanceState(t, s, issue, epoch, storage.ErrRevoked, numbered("of generation", i))
		if t.Failed() {
			t.FailNow()
		}
	}
}

func rotateMany(t testing.TB, s provider.Store) {
	c, last := redeemed(t, s, newCode("c"), "first")
	issues := []*storage.Issuance{last}
	for i := range many(atLeast) {
		next := successor(numbered("next", i), c, i+1)
		must(t, s.RotateRefreshToken(bg, last.Refresh.Hash, next, 0, epoch), "rotating a refresh token")
		issues, last = append(issues, next), next
	}
	for _, now := range []time.Time{epoch, epoch.Add(grantLife - 1)} {
		for i, issue := range issues[:len(issues)-1] {
			got, _, err := s.RefreshToken(bg, issue.Refresh.Hash, now)
			if verdict(t, err, storage.ErrConsumed, numbered("a rotated token of generation", i)); got.Successor != issues[i+1].Refresh.Hash {
				t.Errorf("generation %d has another successor", i)
			}
			late := successor(numbered("late", i), c, 1)
			verdict(t, s.RotateRefreshToken(bg, issue.Refresh.Hash, late, 0, now), storage.ErrConsumed, "rotating it again")
			if t.Failed() {
				t.FailNow()
			}
		}
	}
}

func manySessions(t testing.TB, s provider.Store) {
	var all []storage.Session
	for i := range many(1000) {
		in := newSession(numbered("s", i), "a")
		in.StartedAt = epoch.Add(time.Duration(i))
		all = append(all, createSession(t, s, in))
	}
	for _, in := range all {
		if _, err := s.Session(bg, in.Hash, epoch); err != nil {
			t.Fatalf("one of %d sessions of a user: %v", len(all), err)
		}
	}
	last := all[len(all)-1]
	next := last
	next.Hash = storage.HashOf("rotated")
	ended, err := s.ReplaceSession(bg, last.Hash, next, 1, epoch)
	must(t, err, "rotating the last one with a limit of 1")
	same(t, len(ended), len(all)-1, "the number of sessions that ended")
	for _, in := range all {
		if _, err := s.Session(bg, in.Hash, epoch); err == nil {
			t.Fatalf("a session beyond the limit is live")
		}
	}
}

// endings are the ways in which everything of records ends that is login-only.
var endings = map[string]func(s provider.Store, r *records) func(ctx context.Context) error{
	"EndSession": func(s provider.Store, r *records) func(ctx context.Context) error {
		return changes["EndSession"](reader{s}, r).do
	},
	"switch": func(s provider.Store, r *records) func(ctx context.Context) error {
		return changes["a switch of the session"](reader{s}, r).do
	},
	"limit": func(s provider.Store, r *records) func(ctx context.Context) error {
		return changes["the session limit"](reader{s}, r).do
	},
	"Revoke of each grant": func(s provider.Store, r *records) func(ctx context.Context) error {
		return func(ctx context.Context) error {
			for _, id := range []string{r.unused.Grant.ID, r.login.Grant.ID} {
				if err := s.Revoke(ctx, storage.Revocation{GrantID: id}, epoch); err != nil {
					return err
				}
			}
			return nil
		}
	},
	"Revoke of the authorization": func(s provider.Store, r *records) func(ctx context.Context) error {
		return changes["Revoke of an authorization"](reader{s}, r).do
	},
}
