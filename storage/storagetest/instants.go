package storagetest

import (
	"reflect"
	"testing"
	"time"

	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/storage"
)

// instants are ends of records that stores lose digits of: by the columns of a database, by texts, by floating point numbers, by counting
// from 1970.
func instants() []time.Time {
	nepal, odd := time.FixedZone("Nepal", (5*60+45)*60), time.FixedZone("odd", -(11*3600+30*60+17))
	return []time.Time{
		time.Date(1678, time.January, 1, 0, 0, 0, 1, time.UTC), time.Date(2261, time.December, 31, 23, 59, 59, 999999999, time.UTC),
		time.Date(1969, time.December, 31, 23, 59, 59, 999999999, odd), time.Date(2031, time.October, 26, 2, 59, 59, 1000, nepal),
		time.Date(1900, time.February, 28, 23, 59, 59, 500000001, nepal), time.Date(2038, time.January, 19, 3, 14, 8, 999, odd),
		time.Unix(0, 0), time.Unix(0, 1), time.Unix(1<<31, 999999000), time.Unix(1<<32, 100000000).UTC(),
	}
}

// setInstants sets every instant of a record, and returns their number.
func setInstants(record any, to time.Time) int { return setEach(reflect.ValueOf(record).Elem(), to) }

func setEach(v reflect.Value, to time.Time) (n int) {
	switch {
	case v.Type() == timeType:
		v.Set(reflect.ValueOf(to))
		return 1
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			n += setEach(v.Field(i), to)
		}
	case v.Kind() == reflect.Slice:
		for i := range v.Len() {
			n += setEach(v.Index(i), to)
		}
	case v.Kind() == reflect.Pointer && !v.IsNil():
		n += setEach(v.Elem(), to)
	}
	return n
}

func valueInstants(t testing.TB, s provider.Store) {
	for i, end := range instants() {
		name, now := numbered("i", i), end.Add(-1)
		what := "with every instant at " + end.Format(time.RFC3339Nano)
		in := newSession(name, name)
		setInstants(&in, end)
		must(t, replace(bg, s, none, in, now), "creating a session "+what)
		wantSession(t, s, in, now, what)

		c, key := newCode(name), storage.ConsentKey{UserKey: in.UserKey, ClientID: "client-a"}
		setInstants(&c, end)
		consent := storage.Consent{Scope: "a", GrantedAt: end, ExpiresAt: end}
		o := c.outcome()
		o.Consents, o.Granted = key, []storage.Consent{consent}
		must(t, s.FinishRequest(bg, o, now), "finishing a request "+what)
		wantCode(t, s, c, nil, now, what)
		wantConsents(t, s, key, now, what, consent)

		first := newIssuance(name, c)
		setInstants(first, end)
		first.Refresh.ConsumedAt = time.Time{}
		must(t, s.RedeemCode(bg, c.Hash, first, now), "redeeming a code "+what)
		wantIssuance(t, s, first, now, what)
		next := successor("next "+name, c, 1)
		setInstants(next, end)
		next.Refresh.ConsumedAt = time.Time{}
		must(t, s.RotateRefreshToken(bg, first.Refresh.Hash, next, 0, now), "rotating a refresh token "+what)
		rotated, _, err := s.RefreshToken(bg, first.Refresh.Hash, now)
		verdict(t, err, storage.ErrConsumed, "a rotated token "+what)
		if !rotated.ConsumedAt.Equal(now) {
			t.Errorf("ConsumedAt: got %v, want %v", rotated.ConsumedAt, now)
		}
		for _, zone := range []*time.Location{time.UTC, oslo} {
			wantNoSession(t, s, in.Hash, end.In(zone), "at its end, "+what)
			issuanceState(t, s, next, end.In(zone), storage.ErrNotFound, "at their end, "+what)
		}
	}
}

func valueZeroInstants(t testing.TB, s provider.Store) {
	in := newSession("s", "a")
	setInstants(&in, time.Time{})
	in.ExpiresAt = epoch.Add(time.Hour)
	wantSession(t, s, createSession(t, s, in), epoch, "with zero instants")
	c := newCode("c")
	setInstants(&c.Grant, time.Time{})
	c.Grant.ExpiresAt = epoch.Add(time.Hour)
	must(t, createCode(s, bg, c, epoch), "creating a code")
	wantCode(t, s, c, nil, epoch, "with zero instants")
	issue := newIssuance("c", c)
	issue.Access.IssuedAt = time.Time{}
	must(t, s.RedeemCode(bg, c.Hash, issue, epoch), "redeeming a code")
	wantIssuance(t, s, issue, epoch, "with zero instants")
}

func pushedInstants(t testing.TB, s authorize.PushedRequestStore) {
	for i, end := range instants() {
		p := newPushed(numbered("i", i))
		p.ExpiresAt = end
		must(t, s.PushRequest(bg, p, end.Add(-1)), "pushing a request")
		got, err := s.PushedRequest(bg, p.Hash, end.Add(-1))
		must(t, err, "reading a request 1 ns before its end")
		same(t, got, p, "a request")
		_, err = s.PushedRequest(bg, p.Hash, end)
		verdict(t, err, storage.ErrNotFound, "a request at its end")
	}
}

func loginInstants(t testing.TB, s HistoryStore) {
	for i, end := range instants() {
		l := login(numbered("user", i), "a", epoch)
		setInstants(&l, end)
		must(t, s.RecordLogin(bg, l, end.Add(-1)), "recording a login")
		got, err := s.Logins(bg, l.UserKey, end.Add(-1))
		must(t, err, "listing logins 1 ns before the end of one")
		same(t, got, []storage.Login{l}, "the logins")
		got, err = s.Logins(bg, l.UserKey, end)
		must(t, err, "listing logins at the end of one")
		same(t, len(got), 0, "their number")
	}
}
