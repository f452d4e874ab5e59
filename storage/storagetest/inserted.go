package storagetest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/token"
)

// GrantStore is a store into which grants are inserted without a code.
type GrantStore interface {
	provider.Store
	token.GrantStore
}

// RunGrants checks InsertGrant.
func RunGrants(t *testing.T, newStore func(t *testing.T) GrantStore) {
	run(t, insertCases(), newStore)
}

func insertCases() []testCase[GrantStore] {
	return []testCase[GrantStore]{
		{"InsertGrant/live", "the grant is as one whose code was redeemed", insertLive},
		{"InsertGrant/conflict", "inserting never overwrites, and a conflict changes nothing", insertConflict},
		{"InsertGrant/revoked", "revoking ends all tokens of the grant", insertRevoked},
		{"InsertGrant/session", "a grant in a session that is unknown, expired, ended or that of another user is ErrRevoked", insertSession},
		{"InsertGrant/listed", "an inserted grant is listed for its user", insertListed},
		{"InsertGrant/expiry", "a token is live if now is before its ExpiresAt", insertExpiry},
		{"InsertGrant/cancelled", "a context that is done before the method starts changes nothing", insertCancelled},
		{"InsertGrant/race with EndSession", "no token of a login-only grant is live after its session has ended, whichever came first", func(t testing.TB, s GrantStore) { raceInsert(t, s, "EndSession") }},
		{"InsertGrant/race with a switch", "no token of a login-only grant is live after its session was switched away, whichever came first", func(t testing.TB, s GrantStore) { raceInsert(t, s, "switch") }},
		{"InsertGrant/race with the limit", "no token of a login-only grant is live after the limit has ended its session, whichever came first", func(t testing.TB, s GrantStore) { raceInsert(t, s, "limit") }},
		{"InsertGrant/many", "EndSession, and Revoke of an authorization, end all inserted grants, however many", insertMany},
		{"InsertGrant/keys in use", "the IDs of codes and grants are one set, and the keys of tokens are never overwritten", insertKeys},
		{"InsertGrant/race", "of 50 callers that insert one grant exactly one gets nil", insertRace},
	}
}

func inserted(name string) *storage.Issuance { return newIssuance(name, newCode(name)) }

func insertLive(t testing.TB, s GrantStore) {
	issue := inserted("live")
	must(t, s.InsertGrant(bg, issue, epoch), "inserting a grant")
	want := inserted("live")
	overwrite(issue)
	a, g, err := s.AccessToken(bg, want.Access.Hash, epoch)
	must(t, err, "reading its access token")
	same(t, a, want.Access, "the access token")
	same(t, g, want.Grant, "the grant")
	r, _, err := s.RefreshToken(bg, want.Refresh.Hash, epoch)
	must(t, err, "reading its refresh token")
	same(t, r, *want.Refresh, "the refresh token")
}

func insertConflict(t testing.TB, s GrantStore) {
	must(t, s.InsertGrant(bg, inserted("first"), epoch), "inserting a grant")
	verdict(t, s.InsertGrant(bg, inserted("first"), epoch), storage.ErrConflict, "inserting it again")
	other := inserted("other")
	other.Grant.ID, other.Access.GrantID, other.Refresh.GrantID = inserted("first").Grant.ID, inserted("first").Grant.ID, inserted("first").Grant.ID
	verdict(t, s.InsertGrant(bg, other, epoch), storage.ErrConflict, "inserting other tokens of a grant that exists")
	issuanceState(t, s, other, epoch, storage.ErrNotFound, "of a grant that exists")
	wantIssuance(t, s, inserted("first"), epoch, "after other tokens for it were rejected")

	clash := inserted("second")
	clash.Refresh.Hash = inserted("first").Refresh.Hash
	verdict(t, s.InsertGrant(bg, clash, epoch), storage.ErrConflict, "inserting one whose refresh token exists")
	_, _, err := s.AccessToken(bg, clash.Access.Hash, epoch)
	verdict(t, err, storage.ErrNotFound, "the access token of the one that was refused")
	must(t, s.InsertGrant(bg, inserted("second"), epoch), "inserting it with keys of its own")

	foreign := inserted("third")
	foreign.Access.GrantID = "another"
	verdict(t, s.InsertGrant(bg, foreign, epoch), storage.ErrConflict, "inserting a token of another grant")
}

func insertRevoked(t testing.TB, s GrantStore) {
	issue := inserted("revoked")
	must(t, s.InsertGrant(bg, issue, epoch), "inserting a grant")
	must(t, s.Revoke(bg, storage.Revocation{GrantID: issue.Grant.ID}, epoch), "revoking it")
	_, _, err := s.AccessToken(bg, issue.Access.Hash, epoch)
	verdict(t, err, storage.ErrRevoked, "its access token")
	_, _, err = s.RefreshToken(bg, issue.Refresh.Hash, epoch)
	verdict(t, err, storage.ErrRevoked, "its refresh token")
}

func insertSession(t testing.TB, s GrantStore) {
	in, ended := createSession(t, s, newSession("in", "a")), createSession(t, s, newSession("ended", "a"))
	short := newSession("short", "a")
	short.ExpiresAt = epoch.Add(1)
	createSession(t, s, short)
	_, err := s.EndSession(bg, ended.Hash, epoch)
	must(t, err, "ending a session")
	insert := func(name, session string, user storage.Hash) (*storage.Issuance, error) {
		i := inserted(name)
		i.Grant.SessionID, i.Grant.UserKey, i.Grant.LoginOnly = session, user, true
		return i, s.InsertGrant(bg, i, epoch.Add(1))
	}
	for name, session := range map[string]storage.Session{
		"ended": ended, "expired": short, "unknown": newSession("unknown", "a"),
		"foreign": {ID: in.ID, UserKey: storage.HashOf("person b")},
	} {
		i, err := insert(name, session.ID, session.UserKey)
		verdict(t, err, storage.ErrRevoked, "inserting a grant in a session that is "+name)
		issuanceState(t, s, i, epoch, storage.ErrNotFound, "of a session that is "+name)
	}
	i, err := insert("own", in.ID, in.UserKey)
	must(t, err, "inserting a grant in a session")
	_, err = s.EndSession(bg, in.Hash, epoch)
	must(t, err, "ending its session")
	issuanceState(t, s, i, epoch, storage.ErrRevoked, "of an inserted login-only grant")
}

func insertListed(t testing.TB, s GrantStore) {
	i := inserted("listed")
	must(t, s.InsertGrant(bg, i, epoch), "inserting a grant")
	got, err := s.Grants(bg, storage.GrantQuery{UserKey: i.Grant.UserKey, Limit: 100}, epoch)
	must(t, err, "listing grants")
	same(t, got, []storage.Grant{i.Grant}, "the grants of the user")
}

func insertExpiry(t testing.TB, s GrantStore) {
	issue := inserted("expiry")
	must(t, s.InsertGrant(bg, issue, epoch), "inserting a grant")
	for d, want := range map[time.Duration]error{-1: nil, 0: storage.ErrNotFound, 1: storage.ErrNotFound} {
		_, _, err := s.AccessToken(bg, issue.Access.Hash, issue.Access.ExpiresAt.Add(d))
		if want == nil {
			must(t, err, "reading its access token a nanosecond before it ends")
			continue
		}
		verdict(t, err, want, "reading its access token when it has ended")
	}
}

func insertCancelled(t testing.TB, s GrantStore) {
	ctx, cancel := context.WithCancel(bg)
	cancel()
	issue := inserted("cancelled")
	if err := s.InsertGrant(ctx, issue, epoch); err == nil {
		t.Error("inserting with a context that is done: no error")
	}
	_, _, err := s.AccessToken(bg, issue.Access.Hash, epoch)
	verdict(t, err, storage.ErrNotFound, "the access token")
}

func insertRace(t testing.TB, s GrantStore) {
	for round := range rounds() {
		var won atomic.Int32
		var wg sync.WaitGroup
		gate := make(chan struct{})
		for caller := range crowd() {
			issue := inserted(numbered("race", round))
			issue.Access.Hash = storage.HashOf(numbered("access", round*crowd()+caller))
			issue.Refresh.Hash = storage.HashOf(numbered("refresh", round*crowd()+caller))
			wg.Go(func() {
				<-gate
				switch err := s.InsertGrant(yielding(), issue, epoch); {
				case err == nil:
					won.Add(1)
				case !errors.Is(err, storage.ErrConflict):
					t.Errorf("inserting: %v", err)
				}
			})
		}
		close(gate)
		wg.Wait()
		if won.Load() != 1 {
			t.Fatalf("round %d: %d callers inserted one grant", round, won.Load())
		}
	}
}

func raceInsert(t testing.TB, s GrantStore, ending string) {
	const callers = 4
	for round := range few() {
		r := newRecords(numbered("r", round))
		r.insert(t, s)
		end, issues := endings[ending](s, r), make([]*storage.Issuance, callers)
		for i := range issues {
			name := numbered("inserted "+r.name, i)
			issues[i] = newIssuance(name, given(newCode(name), r.in, true))
		}
		errs := together(t, callers+1, func(i int) error {
			if i == callers {
				return end(yielding())
			}
			return s.InsertGrant(yielding(), issues[i], epoch)
		})
		must(t, errs[callers], "ending a session")
		othersGot(t, errs, storage.ErrRevoked)
		noneLive(t, s, round, issues)
		late := newIssuance("late "+r.name, given(newCode("late "+r.name), r.in, true))
		verdict(t, s.InsertGrant(bg, late, epoch), storage.ErrRevoked, "inserting a grant in a session that has ended")
		if t.Failed() {
			t.FailNow()
		}
	}
}

func insertMany(t testing.TB, s GrantStore) {
	in := createSession(t, s, newSession("s", "a"))
	var all []*storage.Issuance
	insert := func(name string, loginOnly bool) {
		i := newIssuance(name, given(newCode(name), in, loginOnly))
		must(t, s.InsertGrant(bg, i, epoch), "inserting a grant")
		all = append(all, i)
	}
	for i := range many(atLeast) {
		insert(numbered("login", i), true)
	}
	_, err := s.EndSession(bg, in.Hash, epoch)
	must(t, err, "ending a session")
	noneLive(t, s, 0, all)
	in = createSession(t, s, newSession("another", "a"))
	for i := range many(atLeast) {
		insert(numbered("data", i), false)
	}
	key := storage.ConsentKey{UserKey: in.UserKey, ClientID: "client-a", Customer: "customer"}
	must(t, s.Revoke(bg, storage.Revocation{Authorization: key}, epoch), "revoking an authorization")
	noneLive(t, s, 0, all)
}

func insertKeys(t testing.TB, s GrantStore) {
	first := inserted("first")
	must(t, s.InsertGrant(bg, first, epoch), "inserting a grant")
	clash := inserted("second")
	clash.Access.Hash = first.Access.Hash
	verdict(t, s.InsertGrant(bg, clash, epoch), storage.ErrConflict, "inserting one whose access token exists")
	_, _, err := s.RefreshToken(bg, clash.Refresh.Hash, epoch)
	verdict(t, err, storage.ErrNotFound, "the refresh token of a rejected grant")
	verdict(t, createCode(s, bg, newCode("first"), epoch), storage.ErrConflict, "creating a code with the ID of an inserted grant")
	waiting := newCode("waiting")
	must(t, createCode(s, bg, waiting, epoch), "creating a code")
	verdict(t, s.InsertGrant(bg, inserted("waiting"), epoch), storage.ErrConflict, "inserting a grant with the ID of a code")
	wantCode(t, s, waiting, nil, epoch, "whose ID was to be used again")
	wantIssuance(t, s, first, epoch, "whose keys were to be used again")
}
