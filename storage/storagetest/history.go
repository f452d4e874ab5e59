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
		{"Logins/expiry", "a login is returned if now is before its ExpiresAt", loginsExpire},
	}
}

func login(person, client string, at time.Time) storage.Login {
	return storage.Login{
		UserKey: storage.HashOf(person), ClientID: client, Orgno: "991825827", Service: "Tjeneste " + client, Method: "BankID", Hidden: client == "b",
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

func loginsExpire(t testing.TB, s HistoryStore) {
	l := login("kari", "a", epoch)
	must(t, s.RecordLogin(bg, l, epoch), "recording a login")
	for d, want := range map[time.Duration]int{-1: 1, 0: 0, 1: 0} {
		got, err := s.Logins(bg, l.UserKey, l.ExpiresAt.Add(d))
		must(t, err, "listing logins")
		same(t, len(got), want, "the number of logins around their end")
	}
}
