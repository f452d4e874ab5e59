package storagetest

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/storage"
)

func sessionCases() []testCase[provider.Store] {
	return []testCase[provider.Store]{
		{"Session/round trip", "a record comes back as it went in: every field, times to the nanosecond", sessionRoundTrip},
		{"Session/unknown", "an unknown hash is ErrNotFound for every method", sessionUnknown},
		{"Session/expiry boundary", "a session is live if now is before its ExpiresAt, for every method", sessionBoundary},
		{"Session/insert never overwrites", "an existing Hash or ID is ErrConflict, and nothing changes", sessionNoOverwrite},
		{"Session/limit", "the oldest live sessions of the user beyond the limit end as by EndSession", sessionCap},
		{"Session/limit ends sessions as a whole", "a code in a session that the limit ended is ErrRevoked, and ended sessions do not count", sessionCapEnds},
		{"Session/limit counts live sessions", "expired sessions and those of other users do not count, a limit below 1 is no limit", sessionCapLiving},
		{"Session/replace", "ReplaceSession stores next with Version+1", sessionReplace},
		{"Session/replace compares versions", "a session that changed after it was read is ErrConflict, and does not change", sessionCAS},
		{"Session/unknown version", "a version that the session does not have yet is ErrConflict, too", sessionNewerVersion},
		{"Session/rejected change", "a change that is ErrConflict prolongs nothing: neither the session nor the time in which codes are inserted in it", sessionRejectedChange},
		{"Session/rotation", "the old hash is unknown from the instant the new one is known", sessionRotation},
		{"Session/rotation never overwrites", "a new hash that exists is ErrConflict, and neither session changes", sessionRotationConflict},
		{"Session/replace keeps the user", "another UserKey with the same ID is ErrConflict", sessionKeepsPerson},
		{"Session/switch", "a session with another ID ends the old one and is inserted, in one step", sessionSwitch},
		{"Session/switch conflict", "if a key of the new session exists, the old one stays", sessionSwitchConflict},
		{"Session/retry", "inserting or rotating to a session that exists returns nil and changes nothing", sessionRetry},
		{"Session/limit when replaced", "sessions beyond the limit end when one is rotated, too", sessionLimitReplaced},
		{"Session/ended sessions are reserved", "the Hash and the ID of an ended session exist until the session would have expired", sessionReserved},
		{"Session/the last 16 are reserved", "the Hash and the ID of each of the 16 sessions of a user that ended last exist", sessionReservedEach},
		{"Session/copies", "the store shares no memory with its callers", sessionCopies},
	}
}

func createSession(t testing.TB, s provider.Store, in storage.Session) storage.Session {
	t.Helper()
	_, err := s.ReplaceSession(bg, none, in, 0, epoch)
	must(t, err, "creating a session")
	return in
}

// none is the hash of no session.
var none storage.Hash

// replace calls ReplaceSession without a limit.
func replace(ctx context.Context, s provider.Store, old storage.Hash, next storage.Session, now time.Time) error {
	_, err := s.ReplaceSession(ctx, old, next, 0, now)
	return err
}

// wantSession checks that the store returns an equal session.
func wantSession(t testing.TB, s provider.Store, want storage.Session, now time.Time, when string) {
	t.Helper()
	got, err := s.Session(bg, want.Hash, now)
	must(t, err, "reading the session "+when)
	same(t, got, want, "the session "+when)
}

// withIdentity returns the session with another identity in its first circle. It shares no circles with s.
func withIdentity(s storage.Session, identity string) storage.Session {
	s.Circles = slices.Clone(s.Circles)
	s.Circles[0].Identity = []byte(identity)
	return s
}

func wantNoSession(t testing.TB, s provider.Store, hash storage.Hash, now time.Time, when string) {
	t.Helper()
	_, err := s.Session(bg, hash, now)
	verdict(t, err, storage.ErrNotFound, "reading a session "+when)
}

func sessionRoundTrip(t testing.TB, s provider.Store) {
	full := createSession(t, s, newSession("full", "a"))
	bare := createSession(t, s, storage.Session{Hash: storage.HashOf("bare"), ID: "bare", ExpiresAt: epoch.Add(1)})
	wantSession(t, s, full, epoch, "with all fields")
	wantSession(t, s, bare, epoch, "with few fields and zero times")
}

func sessionUnknown(t testing.TB, s provider.Store) {
	in := newSession("never created", "a")
	wantNoSession(t, s, in.Hash, epoch, "that was not created")
	verdict(t, replace(bg, s, in.Hash, in, epoch), storage.ErrNotFound, "replacing an unknown session")
	wantNoSession(t, s, in.Hash, epoch, "after replacing an unknown one")
	_, err := s.EndSession(bg, in.Hash, epoch)
	verdict(t, err, storage.ErrNotFound, "ending an unknown session")
}

func sessionBoundary(t testing.TB, s provider.Store) {
	for i, at := range around(epoch.Add(sessionLife)) {
		want := storage.ErrNotFound
		if at.valid {
			want = nil
		}
		in := createSession(t, s, newSession(numbered("b", i), numbered("b", i)))
		_, err := s.Session(bg, in.Hash, at.now)
		verdict(t, err, want, "Session "+at.name)
		verdict(t, replace(bg, s, in.Hash, in, at.now), want, "ReplaceSession "+at.name)
		_, err = s.EndSession(bg, in.Hash, at.now)
		verdict(t, err, want, "EndSession "+at.name)
	}
}

func sessionNoOverwrite(t testing.TB, s provider.Store) {
	first := createSession(t, s, newSession("first", "a"))
	sameHash := newSession("other", "a")
	sameHash.Hash = first.Hash
	ended, err := s.ReplaceSession(bg, none, sameHash, 1, epoch)
	verdict(t, err, storage.ErrConflict, "creating with a Hash that exists")
	same(t, ended, []storage.Session(nil), "what a refused creation ended")
	sameID := newSession("third", "a")
	sameID.ID = first.ID
	_, err = s.ReplaceSession(bg, none, sameID, 1, epoch)
	verdict(t, err, storage.ErrConflict, "creating with an ID that exists")
	wantSession(t, s, first, epoch, "after refused creations")
	wantNoSession(t, s, sameID.Hash, epoch, "whose creation was refused")
	sameHash.Hash = storage.HashOf("free")
	createSession(t, s, sameHash) // its ID is still free
}

func sessionCap(t testing.TB, s provider.Store) {
	// They are created in another order than that of StartedAt.
	age := map[string]int{"young": 1, "oldest": 9, "old": 8, "middle": 5}
	all := map[string]storage.Session{}
	for _, name := range []string{"young", "oldest", "old", "middle"} {
		in := newSession(name, "a")
		in.StartedAt = epoch.Add(-time.Duration(age[name]) * time.Minute)
		all[name] = createSession(t, s, in)
	}
	_, login := redeemed(t, s, given(newCode("login"), all["oldest"], true), "login")
	_, data := redeemed(t, s, given(newCode("data"), all["oldest"], false), "data")
	unused := given(newCode("unused"), all["old"], false)
	must(t, createCode(s, bg, unused, epoch), "creating a code")

	newest := newSession("new", "a")
	newest.StartedAt = epoch.Add(-time.Hour) // the new one does not end
	ended, err := s.ReplaceSession(bg, none, newest, 3, epoch)
	must(t, err, "creating one beyond the limit")
	same(t, ended, []storage.Session{all["oldest"], all["old"]}, "the ended sessions, oldest first")
	for _, name := range []string{"oldest", "old"} {
		wantNoSession(t, s, all[name].Hash, epoch, "ended by the limit")
	}
	for _, in := range []storage.Session{all["young"], all["middle"], newest} {
		wantSession(t, s, in, epoch, "within the limit")
	}
	issuanceState(t, s, login, epoch, storage.ErrRevoked, "of a login-only grant of an ended session")
	issuanceState(t, s, data, epoch, nil, "of another grant of an ended session")
	_, err = s.Code(bg, unused.Hash, epoch)
	verdict(t, err, storage.ErrConsumed, "an unused code of an ended session")
}

func sessionCapEnds(t testing.TB, s provider.Store) {
	first := createSession(t, s, newSession("first", "a"))
	second := newSession("second", "a")
	second.StartedAt = first.StartedAt.Add(1)
	_, err := s.ReplaceSession(bg, none, second, 1, epoch)
	must(t, err, "creating one beyond the limit")
	verdict(t, createCode(s, bg, given(newCode("late"), first, false), epoch), storage.ErrRevoked, "creating a code in a session that the limit ended")
	_, err = s.EndSession(bg, second.Hash, epoch)
	must(t, err, "ending a session")
	for _, name := range []string{"third", "fourth"} {
		ended, err := s.ReplaceSession(bg, none, newSession(name, "a"), 2, epoch)
		must(t, err, "creating a session beside ended ones")
		same(t, ended, []storage.Session(nil), "what was ended while only ended sessions were too many")
	}
}

func sessionCapLiving(t testing.TB, s provider.Store) {
	short := newSession("short", "a")
	short.ExpiresAt = epoch.Add(1)
	createSession(t, s, short)
	other := createSession(t, s, newSession("other", "b"))
	one := createSession(t, s, newSession("one", "a"))
	ended, err := s.ReplaceSession(bg, none, newSession("two", "a"), 2, epoch.Add(1))
	must(t, err, "creating the second live session of two")
	same(t, ended, []storage.Session(nil), "what was ended within the limit")
	wantSession(t, s, one, epoch.Add(1), "within the limit")
	wantSession(t, s, other, epoch.Add(1), "of another user")
	for i := range 60 {
		ended, err := s.ReplaceSession(bg, none, newSession(numbered("many", i), "c"), -(i % 2), epoch)
		must(t, err, "creating without a limit")
		same(t, ended, []storage.Session(nil), "what was ended without a limit")
	}
}

func sessionReplace(t testing.TB, s provider.Store) {
	in := createSession(t, s, newSession("r", "a"))
	next := newSession("r", "a")
	next.LastRequestAt, next.ExpiresAt = epoch, epoch.Add(2*sessionLife)
	next = withIdentity(next, "sealed again")
	next.Circles = next.Circles[:1]
	next.Clients = append(next.Clients, storage.SessionClient{ClientID: "client-c", SID: "sid-c", LoginAt: epoch})
	must(t, replace(bg, s, in.Hash, next, epoch), "replacing a session")
	next.Version++
	wantSession(t, s, next, epoch, "after it was replaced")
	wantSession(t, s, next, epoch.Add(2*sessionLife-1), "in the time it was prolonged by")
	next.ExpiresAt = epoch.Add(time.Minute)
	must(t, replace(bg, s, in.Hash, next, epoch), "shortening a session")
	wantNoSession(t, s, in.Hash, epoch.Add(time.Minute), "after its shortened end")
}

func sessionCAS(t testing.TB, s provider.Store) {
	in := createSession(t, s, newSession("cas", "a"))
	must(t, replace(bg, s, in.Hash, in, epoch), "replacing a session")
	stale, rotated := in, in
	stale = withIdentity(stale, "stale")
	rotated.Hash = storage.HashOf("rotated by a stale read")
	verdict(t, replace(bg, s, in.Hash, stale, epoch), storage.ErrConflict, "replacing by a stale record")
	verdict(t, replace(bg, s, in.Hash, rotated, epoch), storage.ErrConflict, "rotating by a stale record")
	wantNoSession(t, s, rotated.Hash, epoch, "whose rotation was refused")
	in.Version++
	wantSession(t, s, in, epoch, "after refused replacements")
}

func sessionNewerVersion(t testing.TB, s provider.Store) {
	in := createSession(t, s, newSession("s", "a"))
	for i, hash := range []storage.Hash{in.Hash, storage.HashOf("rotated")} {
		newer := withIdentity(in, "of another version")
		newer.Hash, newer.Version = hash, in.Version+int64(i)+1
		verdict(t, replace(bg, s, in.Hash, newer, epoch), storage.ErrConflict, "replacing by a record of a later version")
		wantSession(t, s, in, epoch, "after a refused replacement")
	}
	wantNoSession(t, s, storage.HashOf("rotated"), epoch, "whose rotation was refused")
}

func sessionRejectedChange(t testing.TB, s provider.Store) {
	in := createSession(t, s, newSession("s", "a"))
	must(t, replace(bg, s, in.Hash, in, epoch), "replacing a session")
	stale := in
	in.Version++
	stale.ExpiresAt = in.ExpiresAt.Add(sessionLife)
	verdict(t, replace(bg, s, in.Hash, stale, epoch), storage.ErrConflict, "prolonging by a stale record")
	stale.Hash = storage.HashOf("rotated")
	verdict(t, replace(bg, s, in.Hash, stale, epoch), storage.ErrConflict, "rotating and prolonging by a stale record")
	wantSession(t, s, in, in.ExpiresAt.Add(-1), "after refused changes, 1 ns before its end")
	for _, hash := range []storage.Hash{in.Hash, stale.Hash} {
		wantNoSession(t, s, hash, in.ExpiresAt, "at the end that it had before a refused change")
	}
	for _, now := range []time.Time{in.ExpiresAt, stale.ExpiresAt.Add(-1)} {
		late := given(newCode("late"), in, false)
		late.ExpiresAt, late.RetainTo = now.Add(codeLife), now.Add(retainLife)
		verdict(t, createCode(s, bg, late, now), storage.ErrRevoked, "creating a code after that end")
	}
}

func sessionRotation(t testing.TB, s provider.Store) {
	in := createSession(t, s, newSession("rot", "a"))
	for i := range 5 {
		next := in
		next.Hash = storage.HashOf(numbered("rotated", i))
		must(t, replace(bg, s, in.Hash, next, epoch), "rotating a session")
		next.Version++
		wantNoSession(t, s, in.Hash, epoch, "whose hash was rotated away")
		again := next
		again.Hash = storage.HashOf(numbered("rotated again", i))
		verdict(t, replace(bg, s, in.Hash, again, epoch), storage.ErrNotFound, "replacing by the old hash")
		_, err := s.EndSession(bg, in.Hash, epoch)
		verdict(t, err, storage.ErrNotFound, "ending by the old hash")
		wantSession(t, s, next, epoch, "by its new hash")
		in = next
	}
	createSession(t, s, newSession("another", "a"))
	ended, err := s.ReplaceSession(bg, none, newSession("last", "a"), 1, epoch)
	must(t, err, "creating the only session")
	if len(ended) != 2 {
		t.Errorf("a session rotated five times counts as %d sessions of its user, want 1", len(ended)-1)
	}
	wantNoSession(t, s, in.Hash, epoch, "ended after it was rotated")
}

func sessionRotationConflict(t testing.TB, s provider.Store) {
	one, two := createSession(t, s, newSession("one", "a")), createSession(t, s, newSession("two", "b"))
	next := one
	next.Hash = two.Hash
	verdict(t, replace(bg, s, one.Hash, next, epoch), storage.ErrConflict, "rotating to a hash that exists")
	wantSession(t, s, one, epoch, "after a refused rotation")
	wantSession(t, s, two, epoch, "whose hash was to be used again")
}

func sessionKeepsPerson(t testing.TB, s provider.Store) {
	in := createSession(t, s, newSession("keep", "a"))
	user, id := in, in
	user.UserKey = storage.HashOf("person b")
	id.ID = "another"
	verdict(t, replace(bg, s, in.Hash, user, epoch), storage.ErrConflict, "replacing the user")
	verdict(t, replace(bg, s, in.Hash, id, epoch), storage.ErrConflict, "replacing the ID")
	wantSession(t, s, in, epoch, "after refused replacements")
}

func sessionSwitch(t testing.TB, s provider.Store) {
	old, beside := createSession(t, s, newSession("old", "a")), createSession(t, s, newSession("beside", "a"))
	_, login := redeemed(t, s, given(newCode("login"), old, true), "login")
	unused := given(newCode("unused"), old, false)
	must(t, createCode(s, bg, unused, epoch), "creating a code")
	for i, user := range []string{"b", "a"} { // the same user can start anew, too
		next := newSession(numbered("next", i), user)
		ended, err := s.ReplaceSession(bg, old.Hash, next, 0, epoch)
		must(t, err, "switching the session")
		same(t, ended, []storage.Session{old}, "the ended sessions")
		wantSession(t, s, next, epoch, "after the switch, with its version")
		wantNoSession(t, s, old.Hash, epoch, "that was switched away")
		old = next
	}
	wantSession(t, s, beside, epoch, "of the first user in another browser")
	issuanceState(t, s, login, epoch, storage.ErrRevoked, "of a login-only grant of the old session")
	wantCode(t, s, unused, storage.ErrConsumed, epoch, "of the old session")
	verdict(t, createCode(s, bg, given(newCode("late"), newSession("old", "a"), false), epoch), storage.ErrRevoked, "creating a code in the old session")
	limited := newSession("limited", "a")
	ended, err := s.ReplaceSession(bg, old.Hash, limited, 1, epoch)
	must(t, err, "switching with a limit")
	same(t, ended, []storage.Session{old, beside}, "the old session first, then those beyond the limit")
	_, err = s.ReplaceSession(bg, old.Hash, newSession("late", "b"), 0, epoch)
	verdict(t, err, storage.ErrNotFound, "switching from a session that has ended")
	wantNoSession(t, s, newSession("late", "b").Hash, epoch, "of a rejected switch")
}

func sessionSwitchConflict(t testing.TB, s provider.Store) {
	old, taken := createSession(t, s, newSession("old", "a")), createSession(t, s, newSession("taken", "b"))
	for what, change := range map[string]func(*storage.Session){
		"Hash":                func(in *storage.Session) { in.Hash = taken.Hash },
		"ID":                  func(in *storage.Session) { in.ID = taken.ID },
		"Hash of the old one": func(in *storage.Session) { in.Hash = old.Hash },
	} {
		next := newSession("next "+what, "b")
		change(&next)
		ended, err := s.ReplaceSession(bg, old.Hash, next, 1, epoch)
		verdict(t, err, storage.ErrConflict, "switching to a session whose "+what+" exists")
		same(t, ended, []storage.Session(nil), "what a rejected switch ended")
		wantSession(t, s, old, epoch, "after a rejected switch")
		wantSession(t, s, taken, epoch, "whose "+what+" was to be used again")
	}
}

func sessionRetry(t testing.TB, s provider.Store) {
	first := createSession(t, s, newSession("first", "a"))
	again := withIdentity(newSession("first", "a"), "sealed again")
	again.Version = 99
	createSession(t, s, newSession("beside", "a"))
	ended, err := s.ReplaceSession(bg, none, again, 1, epoch)
	must(t, err, "creating the session again")
	same(t, ended, []storage.Session(nil), "what the retry ended, although there are more than limit")
	wantSession(t, s, first, epoch, "after it was created again")

	next := first
	next.Hash = storage.HashOf("rotated")
	must(t, replace(bg, s, first.Hash, next, epoch), "rotating the session")
	must(t, replace(bg, s, first.Hash, next, epoch), "rotating it again")
	next.Version++
	wantSession(t, s, next, epoch, "after it was rotated again")

	user := newSession("user", "b")
	old := createSession(t, s, newSession("old", "a"))
	_, err = s.ReplaceSession(bg, old.Hash, user, 0, epoch)
	must(t, err, "switching the session")
	ended, err = s.ReplaceSession(bg, old.Hash, user, 0, epoch)
	must(t, err, "switching it again")
	same(t, ended, []storage.Session(nil), "what the second switch ended")

	stolen := user
	stolen.UserKey = storage.HashOf("person c")
	verdict(t, replace(bg, s, none, stolen, epoch), storage.ErrConflict, "creating the session again for another user")
	expired := user
	expired.ExpiresAt = user.ExpiresAt.Add(sessionLife)
	if err := replace(bg, s, none, expired, user.ExpiresAt); err == nil {
		wantSession(t, s, expired, user.ExpiresAt, "that was created again after it had expired")
	}
}

func sessionLimitReplaced(t testing.TB, s provider.Store) {
	var all []storage.Session
	for i := range 4 {
		in := newSession(numbered("s", i), "a")
		in.StartedAt = epoch.Add(time.Duration(i))
		all = append(all, createSession(t, s, in))
	}
	next := all[0] // the oldest, which is not ended itself
	next.Hash = storage.HashOf("rotated")
	ended, err := s.ReplaceSession(bg, all[0].Hash, next, 2, epoch)
	must(t, err, "rotating with a limit")
	same(t, ended, all[1:3], "the sessions beyond the limit")
	next.Version++
	wantSession(t, s, next, epoch, "after it was rotated")
	wantSession(t, s, all[3], epoch, "within the limit")
}

func sessionReserved(t testing.TB, s provider.Store) {
	in := createSession(t, s, newSession("e", "a"))
	_, err := s.EndSession(bg, in.Hash, epoch)
	must(t, err, "ending a session")
	for _, now := range []time.Time{epoch, in.ExpiresAt.Add(-1)} {
		reserved(t, s, in, now)
	}
}

// reserved checks that no session can have the Hash or the ID of one that has ended.
func reserved(t testing.TB, s provider.Store, ended storage.Session, now time.Time) {
	t.Helper()
	verdict(t, replace(bg, s, none, ended, now), storage.ErrConflict, "creating an ended session again")
	id, hash := newSession("fresh", "a"), newSession("fresh", "b")
	id.ID, hash.Hash = ended.ID, ended.Hash
	verdict(t, replace(bg, s, none, id, now), storage.ErrConflict, "creating a session with the ID of an ended one")
	wantNoSession(t, s, id.Hash, now, "with the ID of an ended one")
	verdict(t, replace(bg, s, none, hash, now), storage.ErrConflict, "creating a session with the Hash of an ended one")
	live := newSession("live "+now.String()+ended.ID, "b")
	live.ExpiresAt = now.Add(sessionLife)
	must(t, replace(bg, s, none, live, now), "creating another session")
	hash = live
	hash.Hash = ended.Hash
	verdict(t, replace(bg, s, live.Hash, hash, now), storage.ErrConflict, "rotating to the Hash of an ended session")
	wantNoSession(t, s, ended.Hash, now, "that has ended")
	wantSession(t, s, live, now, "that was to be rotated")
}

func sessionReservedEach(t testing.TB, s provider.Store) {
	var ended []storage.Session
	for i := range 16 {
		in := createSession(t, s, newSession(numbered("e", i), "a"))
		if i%2 == 0 { // each way in which a session ends
			_, err := s.EndSession(bg, in.Hash, epoch)
			must(t, err, "ending a session")
		} else {
			must(t, replace(bg, s, in.Hash, newSession(numbered("next", i), "b"), epoch), "switching the session")
		}
		ended = append(ended, in)
	}
	for _, in := range ended {
		reserved(t, s, in, epoch)
	}
}

func sessionCopies(t testing.TB, s provider.Store) {
	in := newSession("copy", "a")
	createSession(t, s, in)
	overwrite(&in)
	want := newSession("copy", "a")
	wantSession(t, s, want, epoch, "after what went in was overwritten")
	out, err := s.Session(bg, want.Hash, epoch)
	must(t, err, "reading a session")
	overwrite(&out)
	wantSession(t, s, want, epoch, "after what came out was overwritten")
	next := newSession("copy", "a")
	must(t, replace(bg, s, want.Hash, next, epoch), "replacing a session")
	overwrite(&next)
	want.Version++
	wantSession(t, s, want, epoch, "after what replaced it was overwritten")
}

func endSessionCases() []testCase[provider.Store] {
	return []testCase[provider.Store]{
		{"EndSession/returns the session", "EndSession returns the session as it was; the second call returns ErrNotFound", endReturns},
		{"EndSession/grants", "login-only grants of the session are revoked, and no others", endGrants},
		{"EndSession/codes", "unused codes of the session are consumed", endCodes},
		{"EndSession/after rotation", "grants belong to the session's ID, not to one of its hashes", endAfterRotation},
		{"EndSession/long after the code", "login-only grants of a session end with it when their codes are not recognised any more", endLate},
		{"EndSession/after prolongation", "a code in a session that was prolonged, rotated and ended is ErrRevoked", endProlonged},
		{"EndSession/no code after it", "a code in a session that has ended is ErrRevoked, now and later", endThenCode},
	}
}

func endReturns(t testing.TB, s provider.Store) {
	in := createSession(t, s, newSession("e", "a"))
	got, err := s.EndSession(bg, in.Hash, epoch)
	must(t, err, "ending a session")
	same(t, got, in, "the ended session")
	wantNoSession(t, s, in.Hash, epoch, "that was ended")
	verdict(t, replace(bg, s, in.Hash, in, epoch), storage.ErrNotFound, "replacing an ended session")
	_, err = s.EndSession(bg, in.Hash, epoch)
	verdict(t, err, storage.ErrNotFound, "ending a session twice")
}

func endGrants(t testing.TB, s provider.Store) {
	in, other := createSession(t, s, newSession("e", "a")), createSession(t, s, newSession("o", "a"))
	_, login := redeemed(t, s, given(newCode("login"), in, true), "login")
	_, data := redeemed(t, s, given(newCode("data"), in, false), "data")
	_, elsewhere := redeemed(t, s, given(newCode("elsewhere"), other, true), "elsewhere")
	alone := newCode("alone")
	alone.Grant.LoginOnly = true
	_, outside := redeemed(t, s, alone, "outside")
	_, err := s.EndSession(bg, in.Hash, epoch)
	must(t, err, "ending a session")
	issuanceState(t, s, login, epoch, storage.ErrRevoked, "of a login-only grant")
	issuanceState(t, s, data, epoch, nil, "of a grant for more than login")
	issuanceState(t, s, elsewhere, epoch, nil, "of another session")
	issuanceState(t, s, outside, epoch, nil, "of no session")
	wantSession(t, s, other, epoch, "of the same user in another browser")
}

func endCodes(t testing.TB, s provider.Store) {
	in, other := createSession(t, s, newSession("e", "a")), createSession(t, s, newSession("o", "a"))
	login, data := given(newCode("login"), in, true), given(newCode("data"), in, false)
	elsewhere, used := given(newCode("elsewhere"), other, true), given(newCode("used"), in, false)
	for _, c := range []testCode{login, data, elsewhere} {
		must(t, createCode(s, bg, c, epoch), "creating a code")
	}
	redeemed(t, s, used, "used")
	_, err := s.EndSession(bg, in.Hash, epoch)
	must(t, err, "ending a session")
	for _, c := range []testCode{login, data} {
		_, err = s.Code(bg, c.Hash, epoch)
		verdict(t, err, storage.ErrConsumed, "an unused code of the session")
		issue := newIssuance("late", c)
		verdict(t, s.RedeemCode(bg, c.Hash, issue, epoch), storage.ErrConsumed, "redeeming a code of the session")
		issuanceState(t, s, issue, epoch, storage.ErrNotFound, "of a code of an ended session")
	}
	_, err = s.Code(bg, used.Hash, epoch)
	verdict(t, err, storage.ErrConsumed, "a used code of the session")
	must(t, s.RedeemCode(bg, elsewhere.Hash, newIssuance("elsewhere", elsewhere), epoch), "redeeming a code of another session")
}

func endAfterRotation(t testing.TB, s provider.Store) {
	in := createSession(t, s, newSession("e", "a"))
	_, login := redeemed(t, s, given(newCode("login"), in, true), "login")
	next := in
	next.Hash = storage.HashOf("rotated")
	must(t, replace(bg, s, in.Hash, next, epoch), "rotating a session")
	_, later := redeemed(t, s, given(newCode("later"), in, true), "later")
	_, err := s.EndSession(bg, next.Hash, epoch)
	must(t, err, "ending a rotated session")
	issuanceState(t, s, login, epoch, storage.ErrRevoked, "of a grant older than the rotation")
	issuanceState(t, s, later, epoch, storage.ErrRevoked, "of a grant younger than the rotation")
}

func endThenCode(t testing.TB, s provider.Store) {
	in := createSession(t, s, newSession("e", "a"))
	_, err := s.EndSession(bg, in.Hash, epoch)
	must(t, err, "ending a session")
	late := given(newCode("late"), in, false)
	for _, now := range []time.Time{epoch, in.ExpiresAt.Add(-1), in.ExpiresAt, in.ExpiresAt.Add(grantLife)} {
		verdict(t, createCode(s, bg, late, now), storage.ErrRevoked, "creating a code in an ended session")
		_, err = s.Code(bg, late.Hash, epoch)
		verdict(t, err, storage.ErrNotFound, "a code refused because its session was ended")
	}
}

func endLate(t testing.TB, s provider.Store) {
	in := newSession("e", "a")
	in.ExpiresAt = epoch.Add(grantLife)
	createSession(t, s, in)
	_, login := redeemed(t, s, given(newCode("login"), in, true), "login")
	now := keptAlive(t, s, login)
	_, err := s.EndSession(bg, in.Hash, now)
	must(t, err, "ending a session")
	_, _, err = s.RefreshToken(bg, login.Refresh.Hash, now)
	verdict(t, err, storage.ErrRevoked, "a token of a login whose code is not recognised any more")
}

func endProlonged(t testing.TB, s provider.Store) {
	in := createSession(t, s, newSession("e", "a"))
	next := in
	next.Hash, next.ExpiresAt = storage.HashOf("rotated"), in.ExpiresAt.Add(sessionLife)
	must(t, replace(bg, s, in.Hash, next, epoch), "prolonging a session")
	_, err := s.EndSession(bg, next.Hash, epoch)
	must(t, err, "ending a session")
	for _, now := range []time.Time{epoch, in.ExpiresAt, next.ExpiresAt.Add(-1), next.ExpiresAt} {
		late := given(newCode("late "+now.String()), in, false)
		late.ExpiresAt, late.RetainTo = now.Add(codeLife), now.Add(retainLife)
		verdict(t, createCode(s, bg, late, now), storage.ErrRevoked, "creating a code in an ended session")
	}
}
