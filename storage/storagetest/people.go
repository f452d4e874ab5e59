package storagetest

import (
	"testing"
	"time"

	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/digdir/authorizations"
	"github.com/portner-go/portner/storage"
)

// PeopleStore is a store that lets people look at what they granted and where they logged in.
type PeopleStore interface {
	Core
	authorizations.Store
	authorize.HistoryStore
	authorizations.HistoryStore
}

// RunPeople checks authorizations.Store and the login history.
func RunPeople(t *testing.T, newStore func(t *testing.T) PeopleStore) {
	run(t, []testCase[PeopleStore]{
		{"GrantsOf/live", "the live grants of one person, newest first: redeemed, not revoked, not over", grantsOf},
		{"Grant/live", "one live grant by its ID", grantByID},
		{"Logins/order", "a person's own logins, newest first", loginsInOrder},
		{"Logins/expiry", "remembered iff now.Before(ExpiresAt)", loginsExpire},
	}, newStore)
}

// givenBy puts a live grant into the store.
func givenBy(t testing.TB, s Core, name, person string, at time.Time) storage.Grant {
	c := newCode(name)
	c.Grant.UserKey, c.Grant.CreatedAt = storage.HashOf(person), at
	must(t, s.CreateCode(bg, c, epoch), "creating a code")
	must(t, s.RedeemCode(bg, c.Hash, newIssue(name, c), epoch), "redeeming it")
	return c.Grant
}

func grantsOf(t testing.TB, s PeopleStore) {
	kari := storage.HashOf("kari")
	old := givenBy(t, s, "old", "kari", epoch.Add(-time.Hour))
	young := givenBy(t, s, "young", "kari", epoch)
	givenBy(t, s, "other", "ola", epoch)
	gone := givenBy(t, s, "gone", "kari", epoch)
	must(t, s.RevokeGrant(bg, gone.ID, epoch), "revoking a grant")
	waiting := newCode("waiting")
	waiting.Grant.UserKey = kari
	must(t, s.CreateCode(bg, waiting, epoch), "creating a code that nobody redeems")

	got, err := s.GrantsOf(bg, kari, epoch)
	must(t, err, "listing the grants of a person")
	same(t, got, []storage.Grant{young, old}, "the grants of a person")
	got, err = s.GrantsOf(bg, kari, young.ExpiresAt)
	must(t, err, "listing them when they are over")
	same(t, len(got), 0, "the number of grants that are over")
}

func grantByID(t testing.TB, s PeopleStore) {
	g := givenBy(t, s, "one", "kari", epoch)
	got, err := s.Grant(bg, g.ID, epoch)
	must(t, err, "reading a grant")
	same(t, got, g, "the grant")
	_, err = s.Grant(bg, g.ID, g.ExpiresAt)
	verdict(t, err, storage.ErrNotFound, "a grant that is over")
	_, err = s.Grant(bg, "unknown", epoch)
	verdict(t, err, storage.ErrNotFound, "an unknown grant")
	must(t, s.RevokeGrant(bg, g.ID, epoch), "revoking it")
	_, err = s.Grant(bg, g.ID, epoch)
	verdict(t, err, storage.ErrNotFound, "a revoked grant")
}

func login(person, client string, at time.Time) storage.Login {
	return storage.Login{
		UserKey: storage.HashOf(person), ClientID: client, Orgno: "991825827", Service: "Tjeneste " + client, Method: "BankID", Hidden: client == "b",
		At: at, ExpiresAt: at.Add(time.Hour),
	}
}

func loginsInOrder(t testing.TB, s PeopleStore) {
	first, second := login("kari", "a", epoch), login("kari", "b", epoch.Add(time.Minute))
	for _, l := range []storage.Login{first, login("ola", "a", epoch), second} {
		must(t, s.RecordLogin(bg, l, l.At), "recording a login")
	}
	got, err := s.Logins(bg, storage.HashOf("kari"), epoch.Add(time.Minute))
	must(t, err, "listing logins")
	same(t, got, []storage.Login{second, first}, "the logins")
	got, err = s.Logins(bg, storage.HashOf("nobody"), epoch)
	must(t, err, "listing the logins of somebody unknown")
	same(t, len(got), 0, "their number")
}

func loginsExpire(t testing.TB, s PeopleStore) {
	l := login("kari", "a", epoch)
	must(t, s.RecordLogin(bg, l, epoch), "recording a login")
	for d, want := range map[time.Duration]int{-1: 1, 0: 0, 1: 0} {
		got, err := s.Logins(bg, l.UserKey, l.ExpiresAt.Add(d))
		must(t, err, "listing logins")
		same(t, len(got), want, "the number of logins around their end")
	}
}
