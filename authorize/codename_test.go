package authorize

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/storage"
)

// TestCodeNames checks that no two answers to a request have the same code: an identifier of one list is none of another list.
func TestCodeNames(t *testing.T) {
	t.Parallel()
	key, sess := "", storage.Session{ID: "s", UserKey: storage.Hash{1}}
	name := func(scopes, chosen, approved []string) string {
		x := &exchange{req: &request{dpopKey: key}}
		x.representation.chosen, x.approval.approved = chosen, approved
		return codeName(x, &sess, scopes)
	}
	a, b, none := []string{"a"}, []string{"b"}, []string(nil)
	seen := map[string]bool{}
	for _, n := range []string{
		name(a, b, none), name(a, none, b), name(none, a, b), name([]string{"a", "b"}, none, none), name([]string{"a b"}, none, none),
		name(none, []string{"a", "b"}, none), name(none, []string{"a\x00b"}, none), name(none, none, []string{"a", "b"}),
	} {
		require.False(t, seen[n])
		seen[n] = true
	}
	require.Equal(t, name(a, b, a), name(a, b, a))
	unbound := name(a, b, a)
	key = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
	require.NotEqual(t, unbound, name(a, b, a))

	of := name(a, b, a)
	sess.UserKey = storage.Hash{2}
	require.NotEqual(t, of, name(a, b, a), "another user")
	sess = storage.Session{ID: "t", UserKey: storage.Hash{1}}
	require.NotEqual(t, of, name(a, b, a), "another session")
}
