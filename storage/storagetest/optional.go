package storagetest

import (
	"errors"
	"testing"
	"time"

	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
)

func pushedCases() []testCase[authorize.PushedRequestStore] {
	return []testCase[authorize.PushedRequestStore]{
		{"PushedRequest/round trip", "a record comes back as it went in", pushedRoundTrip},
		{"PushedRequest/unknown", "an unknown request is ErrNotFound for every method", pushedUnknown},
		{"PushedRequest/expiry boundary", "a request is live if now is before its ExpiresAt, for every method", pushedBoundary},
		{"PushedRequest/insert never overwrites", "an existing Hash is ErrConflict, consumed or not, and nothing changes", pushedNoOverwrite},
		{"PushedRequest/consumed once", "a consumed request cannot be read or consumed again", pushedOnce},
		{"PushedRequest/hashes are whole", "a request is not found by a hash that differs in one byte", pushedWhole},
		{"PushedRequest/read before", "a request that was read before, or is read meanwhile, cannot be read once it is consumed", pushedRead},
		{"PushedRequest/copies", "the store shares no memory with its callers", pushedCopies},
		{"PushedRequest/cancelled", "a context that is done before the method starts changes nothing", pushedCancelled},
		{"PushedRequest/values", "parameters and client IDs come back whole", pushedValues},
		{"PushedRequest/instants", "ExpiresAt keeps its nanoseconds in the years 1678 to 2261", pushedInstants},
		{"PushedRequest/race", "of 50 callers that consume one request exactly one gets nil", pushedRace},
	}
}

func newPushed(name string) storage.PushedRequest {
	return storage.PushedRequest{
		Hash: storage.HashOf("urn " + name), ClientID: "client-a", Source: "client-a 192.0.2.1",
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
	wantPushed(t, s, first, "whose Hash was to be used again")
	must(t, s.ConsumePushedRequest(bg, first.Hash, epoch), "consuming a request")
	verdict(t, s.PushRequest(bg, second, epoch), storage.ErrConflict, "pushing with the Hash of a consumed request")
	_, err := s.PushedRequest(bg, first.Hash, epoch)
	verdict(t, err, storage.ErrNotFound, "a consumed request whose Hash was to be used again")
}

func pushedOnce(t testing.TB, s authorize.PushedRequestStore) {
	p, other := push(t, s, "p"), push(t, s, "other")
	must(t, s.ConsumePushedRequest(bg, p.Hash, epoch), "consuming a request")
	_, err := s.PushedRequest(bg, p.Hash, epoch)
	verdict(t, err, storage.ErrNotFound, "reading a consumed request")
	spent(t, s.ConsumePushedRequest(bg, p.Hash, epoch), "consuming a request twice")
	wantPushed(t, s, other, "beside a consumed one")
}

// spent accepts both verdicts on a consumed request.
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
	for round := range rounds() {
		p := push(t, s, numbered("race", round))
		errs := together(t, crowd(), func(int) error { return s.ConsumePushedRequest(yielding(), p.Hash, epoch) })
		if n := successes(errs); n != 1 {
			t.Fatalf("round %d: %d of %d callers consumed one pushed request, want exactly 1", round, n, crowd())
		}
		for _, err := range errs {
			if err != nil {
				spent(t, err, "losing the race for a pushed request")
			}
		}
	}
}

func replayCases() []testCase[client.ReplayStore] {
	return []testCase[client.ReplayStore]{
		{"JTI/once", "the first call for a key returns nil, later calls return ErrConsumed", jtiOnce},
		{"JTI/recognised to the end", "a key is recognised until expiresAt, whatever other keys are consumed", jtiRemembered},
		{"JTI/clocks differ", "a key is recognised before its expiresAt, although another call had a now less than a minute after it", jtiClocksDiffer},
		{"JTI/keys are whole", "keys that differ in one byte are different, and the client is no part of a key", jtiWhole},
		{"JTI/expired", "a key that has expired is ErrConsumed", jtiExpired},
		{"JTI/cancelled", "a context that is done before the method starts changes nothing", jtiCancelled},
		{"JTI/race", "of 50 callers that use one assertion exactly one gets nil", jtiRace},
	}
}

func jtiOnce(t testing.TB, s client.ReplayStore) {
	key, end := storage.HashOf("jti"), epoch.Add(time.Minute)
	must(t, s.ConsumeJTI(bg, "client-a", key, end, epoch), "using an assertion")
	verdict(t, s.ConsumeJTI(bg, "client-a", key, end, epoch), storage.ErrConsumed, "using it again")
	verdict(t, s.ConsumeJTI(bg, "client-a", key, end.Add(time.Hour), epoch), storage.ErrConsumed, "using its jti with a later end")
	verdict(t, s.ConsumeJTI(bg, "client-a", key, end.Add(-1), epoch), storage.ErrConsumed, "using its jti with an earlier end")
	must(t, s.ConsumeJTI(bg, "client-a", storage.HashOf("another"), end, epoch), "using another assertion")
}

func jtiRemembered(t testing.TB, s client.ReplayStore) {
	end := epoch.Add(time.Minute)
	key := storage.HashOf("jti")
	must(t, s.ConsumeJTI(bg, "client-a", key, end, epoch), "using an assertion")
	for i := range many(1000) {
		must(t, s.ConsumeJTI(bg, "client-a", storage.HashOf(numbered("other", i)), epoch.Add(time.Second), epoch), "using another")
	}
	for i := range many(1000) { // the ones before have expired
		must(t, s.ConsumeJTI(bg, "client-a", storage.HashOf(numbered("later", i)), end.Add(1), end.Add(-1)), "using another later")
	}
	verdict(t, s.ConsumeJTI(bg, "client-a", key, end, end.Add(-1)), storage.ErrConsumed, "using it again 1 ns before its end")
}

// jtiClocksDiffer uses keys on a node whose clock is ahead, so that a store that deletes expired keys does so, and then the first one on
// a node whose clock is behind.
func jtiClocksDiffer(t testing.TB, s client.ReplayStore) {
	key, end := storage.HashOf("jti"), epoch.Add(time.Minute)
	ahead := end.Add(session.MaxSkew - 1)
	must(t, s.ConsumeJTI(bg, "client-a", key, end, epoch), "using an assertion")
	for i := range many(1000) {
		must(t, s.ConsumeJTI(bg, "client-a", storage.HashOf(numbered("ahead", i)), ahead.Add(time.Minute), ahead), "using another where the clock is ahead")
	}
	verdict(t, s.ConsumeJTI(bg, "client-a", key, end, end.Add(-1)), storage.ErrConsumed, "using it again where the clock is behind")
}

func jtiExpired(t testing.TB, s client.ReplayStore) {
	for _, at := range around(epoch) {
		want := storage.ErrConsumed
		if at.valid {
			want = nil
		}
		verdict(t, s.ConsumeJTI(bg, "client-a", storage.HashOf(at.name), epoch, at.now), want, "using an assertion "+at.name)
	}
}

func jtiCancelled(t testing.TB, s client.ReplayStore) {
	key, end := storage.HashOf("jti"), epoch.Add(time.Minute)
	refused(t, s.ConsumeJTI(cancelled(), "client-a", key, end, epoch), "using an assertion")
	must(t, s.ConsumeJTI(bg, "client-a", key, end, epoch), "using it with a context that is not cancelled")
}

func jtiRace(t testing.TB, s client.ReplayStore) {
	for round := range rounds() {
		key := storage.HashOf(numbered("jti", round))
		errs := together(t, crowd(), func(int) error { return s.ConsumeJTI(yielding(), "client-a", key, epoch.Add(time.Minute), epoch) })
		if n := successes(errs); n != 1 {
			t.Fatalf("round %d: %d of %d callers used one assertion, want exactly 1", round, n, crowd())
		}
		othersGot(t, errs, storage.ErrConsumed)
	}
}
