package storagetest

import (
	"testing"
	"time"

	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/storage"
)

// RunSigningKeys checks the methods for the signing keys that nodes share.
func RunSigningKeys(t *testing.T, newStore func(t *testing.T) keyset.Store) {
	run(t, signingKeyCases(), newStore)
}

func signingKeyCases() []testCase[keyset.Store] {
	return []testCase[keyset.Store]{
		{"SigningKey/round trip", "the keys of a set come back as they went in, by Number; an unknown set has none", signingKeysRoundTrip},
		{"SigningKey/never overwrites", "a Number or a KID that the set has is ErrConflict, and nothing changes", signingKeysTaken},
		{"SigningKey/sets are apart", "sets that differ in one byte or in case share no numbers and no keys", signingKeySets},
		{"SigningKey/deleted", "a deleted key has an empty Key, keeps its other fields, and its Number and KID stay taken", signingKeyDeleted},
		{"SigningKey/delete unknown", "deleting a key twice, or an unknown one, returns nil and changes nothing", signingKeyUnknown},
		{"SigningKey/values", "a Key contains any bytes, and names come back whole", signingKeyValues},
		{"SigningKey/copies", "the store shares no memory with its callers", signingKeyCopies},
		{"SigningKey/cancelled", "a context that is done before the method starts changes nothing", signingKeyCancelled},
		{"SigningKey/race", "of 50 callers that insert a key with one Number exactly one gets nil, and its key stays", signingKeyRace},
		{"SigningKey/race with delete", "a number that is deleted while others insert it stays deleted", signingKeyDeleteRace},
	}
}

func newSigningKey(set string, number int64, kid string) storage.SigningKey {
	k := storage.SigningKey{
		Set: set, Number: number, KID: kid, Alg: "ES256", Key: []byte("sealed " + kid),
		CreatedAt: epoch.Add(time.Duration(number) * time.Hour).In(oslo),
	}
	if number > 1 {
		k.ActiveFrom = k.CreatedAt.Add(48*time.Hour + 1)
	}
	return k
}

func insertKey(t testing.TB, s keyset.Store, k storage.SigningKey) storage.SigningKey {
	t.Helper()
	must(t, s.InsertSigningKey(bg, k), "inserting a signing key")
	return k
}

func wantKeys(t testing.TB, s keyset.Store, set, when string, want ...storage.SigningKey) {
	t.Helper()
	got, err := s.SigningKeys(bg, set)
	must(t, err, "reading the signing keys "+when)
	same(t, got, want, "the signing keys "+when)
}

func deleted(k storage.SigningKey) storage.SigningKey {
	k.Key = nil
	return k
}

func signingKeysRoundTrip(t testing.TB, s keyset.Store) {
	wantKeys(t, s, "a", "of an unknown set")
	third := insertKey(t, s, newSigningKey("a", 10, "third"))
	first := insertKey(t, s, newSigningKey("a", 1, "first"))
	second := insertKey(t, s, newSigningKey("a", 2, "second"))
	last := insertKey(t, s, newSigningKey("a", 1<<53+1, "last"))
	wantKeys(t, s, "a", "by number", first, second, third, last)
}

func signingKeysTaken(t testing.TB, s keyset.Store) {
	first := insertKey(t, s, newSigningKey("a", 1, "first"))
	for what, k := range map[string]storage.SigningKey{
		"the number of another key": newSigningKey("a", 1, "other"), "the KID of another key": newSigningKey("a", 2, "first"), "both": first,
	} {
		k.Key = []byte("replaced")
		verdict(t, s.InsertSigningKey(bg, k), storage.ErrConflict, "inserting a key with "+what)
		wantKeys(t, s, "a", "after a conflict", first)
	}
}

func signingKeySets(t testing.TB, s keyset.Store) {
	sets := []string{"https://op.example", "https://op.example/", "https://OP.example", "https://op.example "}
	var keys []storage.SigningKey
	for _, set := range sets {
		keys = append(keys, insertKey(t, s, newSigningKey(set, 1, "kid")), insertKey(t, s, newSigningKey(set, 2, "KID")))
	}
	must(t, s.DeleteSigningKey(bg, sets[0], "kid"), "deleting a key")
	keys[0] = deleted(keys[0])
	for i, set := range sets {
		wantKeys(t, s, set, "of a set with a similar name", keys[2*i:2*i+2]...)
	}
}

func signingKeyDeleted(t testing.TB, s keyset.Store) {
	first, second := insertKey(t, s, newSigningKey("a", 1, "first")), insertKey(t, s, newSigningKey("a", 2, "second"))
	must(t, s.DeleteSigningKey(bg, "a", "second"), "deleting a key")
	second = deleted(second)
	wantKeys(t, s, "a", "after one was deleted", first, second)
	verdict(t, s.InsertSigningKey(bg, newSigningKey("a", 2, "third")), storage.ErrConflict, "inserting a key with the number of a deleted one")
	verdict(t, s.InsertSigningKey(bg, newSigningKey("a", 3, "second")), storage.ErrConflict, "inserting a deleted key again")
	must(t, s.DeleteSigningKey(bg, "a", "first"), "deleting the other key")
	wantKeys(t, s, "a", "after all were deleted", deleted(first), second)
	third := insertKey(t, s, newSigningKey("a", 3, "third"))
	wantKeys(t, s, "a", "after one was inserted", deleted(first), second, third)
}

func signingKeyUnknown(t testing.TB, s keyset.Store) {
	must(t, s.DeleteSigningKey(bg, "a", "first"), "deleting an unknown key")
	first := insertKey(t, s, newSigningKey("a", 1, "first"))
	must(t, s.DeleteSigningKey(bg, "b", "first"), "deleting the key of an unknown set")
	must(t, s.DeleteSigningKey(bg, "a", "FIRST"), "deleting a key whose KID differs in case")
	wantKeys(t, s, "a", "after others were deleted", first)
	for range 2 {
		must(t, s.DeleteSigningKey(bg, "a", "first"), "deleting a key")
	}
	wantKeys(t, s, "a", "after one was deleted twice", deleted(first))
}

func signingKeyValues(t testing.TB, s keyset.Store) {
	k := newSigningKey(trouble("set"), 1, "kid' \"%s")
	k.Key = append(anyBytes(), make([]byte, 8000)...)
	insertKey(t, s, k)
	wantKeys(t, s, k.Set, "with special values", k)
	must(t, s.DeleteSigningKey(bg, k.Set, k.KID), "deleting a key")
	wantKeys(t, s, k.Set, "with special names", deleted(k))
}

func signingKeyCopies(t testing.TB, s keyset.Store) {
	k := insertKey(t, s, newSigningKey("a", 1, "kid"))
	overwrite(&k)
	wantKeys(t, s, "a", "after what went in was overwritten", newSigningKey("a", 1, "kid"))
	out, err := s.SigningKeys(bg, "a")
	must(t, err, "reading the signing keys")
	overwrite(&out)
	wantKeys(t, s, "a", "after what came out was overwritten", newSigningKey("a", 1, "kid"))
}

func signingKeyCancelled(t testing.TB, s keyset.Store) {
	first := insertKey(t, s, newSigningKey("a", 1, "first"))
	refused(t, s.InsertSigningKey(cancelled(), newSigningKey("a", 2, "second")), "inserting a key")
	refused(t, s.DeleteSigningKey(cancelled(), "a", "first"), "deleting a key")
	_, err := s.SigningKeys(cancelled(), "a")
	refused(t, err, "reading the keys")
	wantKeys(t, s, "a", "after calls with a cancelled context", first)
}

func signingKeyRace(t testing.TB, s keyset.Store) {
	var want []storage.SigningKey
	for round := range rounds() {
		candidates := make([]storage.SigningKey, crowd())
		for i := range candidates {
			candidates[i] = newSigningKey("race", int64(round+1), numbered(numbered("kid", round), i))
		}
		errs := together(t, crowd(), func(i int) error { return s.InsertSigningKey(yielding(), candidates[i]) })
		if n := successes(errs); n != 1 {
			t.Fatalf("round %d: %d of %d callers inserted a key with one number, want exactly 1", round, n, crowd())
		}
		othersGot(t, errs, storage.ErrConflict)
		for i, err := range errs {
			if err == nil {
				want = append(want, candidates[i])
			}
		}
	}
	wantKeys(t, s, "race", "that were inserted at once", want...)
}

func signingKeyDeleteRace(t testing.TB, s keyset.Store) {
	var want []storage.SigningKey
	for round := range rounds() {
		first := insertKey(t, s, newSigningKey("race", int64(round+1), numbered("kid", round)))
		errs := together(t, crowd(), func(i int) error {
			if i == 0 {
				return s.DeleteSigningKey(yielding(), "race", first.KID)
			}
			again := first
			if i%2 == 0 {
				again.KID = numbered(first.KID+" other", i)
			}
			return s.InsertSigningKey(yielding(), again)
		})
		if n := successes(errs); n != 1 || errs[0] != nil {
			t.Fatalf("round %d: %d of %d callers succeeded, want only the one that deletes: %v", round, n, crowd(), errs[0])
		}
		want = append(want, deleted(first))
	}
	wantKeys(t, s, "race", "that were deleted while others inserted them", want...)
}
