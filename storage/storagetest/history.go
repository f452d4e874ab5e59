package storagetest

import (
	"testing"
	"time"

	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/digdir/authorizations"
	"github.com/portner-go/portner/storage"
)

// HistoryStore records and returns logins.
type HistoryStore interface {
	authorize.HistoryStore
	authorizations.HistoryStore
}

// RunHistory checks the login history.
func RunHistory(t *testing.T, newStore func(t *testing.T) HistoryStore) {
	run(t, historyCases(), newStore)
}

func historyCases() []testCase[HistoryStore] {
	return []testCase[HistoryStore]{
		{"Logins/order", "the logins of a user, newest first", loginsInOrder},
		{"Logins/one entry for each ID", "recording a login again changes nothing and returns nil, until the entry has expired", loginsOnce},
		{"Logins/cancelled", "a context that is done before the method starts changes nothing", loginsCancelled},
		{"Logins/user keys are whole", "users whose keys differ in one byte, and IDs that differ in case, are different", loginsWhole},
		{"Logins/instants", "At and ExpiresAt keep their nanoseconds in the years 1678 to 2261", loginInstants},
		{"Logins/race", "of equal logins recorded at once, one is added, and each call returns nil", raceLogins},
		{"Logins/expiry", "a login is returned if now is before its ExpiresAt", loginsExpire},
	}
}

func login(person, client string, at time.Time) storage.Login {
	return storage.Login{
		ID: "grant of " + person + " to " + client, UserKey: storage.HashOf(person), ClientID: client, Orgno: "991825827", Service: "Tjeneste " + client, Method: "BankID", Withheld: client == "b",
		At: at, ExpiresAt: at.Add(time.Hour),
	}
}

func loginsInOrder(t testing.TB, s HistoryStore) {
	first, second := login("kari", "a", epoch), login("kari", "b", epoch.Add(time.Minute))
	for _, l := range []storage.Login{first, login("ola", "a", epoch), second} {
		must(t, s.RecordLogin(bg, l, l.At), "recording a login")
	}
	got, err := s.Logins(bg, storage.HashOf("kari"), epoch.Add(time.Minute))
	must(t, err, "listing logins")
	same(t, got, []storage.Login{second, first}, "the logins")
	got, err = s.Logins(bg, storage.HashOf("unknown"), epoch)
	must(t, err, "listing the logins of an unknown user")
	same(t, len(got), 0, "their number")
}

func loginsOnce(t testing.TB, s HistoryStore) {
	first := login("kari", "a", epoch)
	again := login("kari", "a", epoch.Add(time.Minute))
	ola := login("ola", "a", epoch)
	ola.ID = first.ID
	must(t, s.RecordLogin(bg, first, first.At), "recording a login")
	must(t, s.RecordLogin(bg, again, again.At), "recording it again")
	must(t, s.RecordLogin(bg, ola, ola.At), "recording a login of another user with the same ID")
	wantLogins(t, s, first.UserKey, []storage.Login{first}, again.At, "after it was recorded again")
	wantLogins(t, s, ola.UserKey, []storage.Login{ola}, ola.At, "of another user")
	late := login("kari", "a", first.ExpiresAt)
	must(t, s.RecordLogin(bg, late, late.At), "recording it after the entry has expired")
	wantLogins(t, s, late.UserKey, []storage.Login{late}, late.At, "after the entry had expired")
}

func raceLogins(t testing.TB, s HistoryStore) {
	for round := range rounds() {
		in := login(numbered("p", round), "a", epoch)
		for _, err := range together(t, crowd(), func(int) error { return s.RecordLogin(yielding(), in, epoch) }) {
			must(t, err, "recording equal logins")
		}
		wantLogins(t, s, in.UserKey, []storage.Login{in}, epoch, "recorded by several callers")
	}
}

func wantLogins(t testing.TB, s HistoryStore, user storage.Hash, want []storage.Login, now time.Time, when string) {
	t.Helper()
	got, err := s.Logins(bg, user, now)
	must(t, err, "listing the logins "+when)
	same(t, got, want, "the logins "+when)
}

func loginsExpire(t testing.TB, s HistoryStore) {
	l := login("kari", "a", epoch)
	must(t, s.RecordLogin(bg, l, epoch), "recording a login")
	for d, want := range map[time.Duration]int{-1: 1, 0: 0, 1: 0} {
		got, err := s.Logins(bg, l.UserKey, l.ExpiresAt.Add(d))
		must(t, err, "listing logins")
		same(t, len(got), want, "the number of logins around their end")
	}
}

func loginsCancelled(t testing.TB, s HistoryStore) {
	l := login("kari", "a", epoch)
	refused(t, s.RecordLogin(cancelled(), l, epoch), "recording a login")
	wantLogins(t, s, l.UserKey, nil, epoch, "after a call with a cancelled context")
}

func loginsWhole(t testing.TB, s HistoryStore) {
	l, upper := login("kari", "a", epoch), login("kari", "a", epoch.Add(1))
	upper.ID = "GRANT of kari to a"
	wantLogins(t, s, l.UserKey, nil, epoch, "before one was recorded") // a store may remember what it did not find
	must(t, s.RecordLogin(bg, l, epoch), "recording a login")
	wantLogins(t, s, l.UserKey, []storage.Login{l}, epoch, "after one was recorded")
	must(t, s.RecordLogin(bg, upper, epoch), "recording a login whose ID differs in case")
	wantLogins(t, s, l.UserKey, []storage.Login{upper, l}, epoch, "whose IDs differ in case")
	for _, user := range similar(l.UserKey) {
		wantLogins(t, s, user, nil, epoch, "of a similar user")
	}
}
