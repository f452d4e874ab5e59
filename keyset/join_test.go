package keyset_test

import (
	"encoding/json"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/storage/memory"
)

// sharedOf returns a set of Shared on a store, for an algorithm.
func sharedOf(t *testing.T, store keyset.Store, alg string) *keyset.Set {
	t.Helper()
	h := shared(store)
	h.Set, h.Alg = setName+" "+alg, alg
	return openShared(t, h)
}

// kids returns the kids of a JWKS.
func kids(t *testing.T, s *keyset.Set, now time.Time) (all []string) {
	t.Helper()
	doc, etag := s.JWKS(now)
	var jwks struct {
		Keys []struct{ Kid string }
	}
	require.NoError(t, json.Unmarshal(doc, &jwks))
	require.NotEmpty(t, etag)
	for _, k := range jwks.Keys {
		all = append(all, k.Kid)
	}
	return all
}

// TestJoin: a joint set signs with the set of the algorithm, and publishes and verifies with all, also after one of them has rotated.
func TestJoin(t *testing.T) {
	t.Parallel()
	store := memory.New()
	first, second := sharedOf(t, store, keyset.ES256), sharedOf(t, store, keyset.EdDSA)
	s, err := keyset.Join(first, second)
	require.NoError(t, err)
	require.Equal(t, []string{keyset.ES256, keyset.EdDSA}, s.Algs(epoch))
	payload := []byte(`{"iss":"https://op.example","sub":"s","aud":"c","exp":1,"iat":1}`)
	var tokens []string
	for alg, of := range map[string]*keyset.Set{"": first, keyset.ES256: first, keyset.EdDSA: second} {
		token, err := s.Sign(alg, "", payload, epoch)
		require.NoError(t, err, alg)
		_, err = of.VerifyIDToken(token, epoch)
		require.NoError(t, err, "the set of %q signed", alg)
		tokens = append(tokens, token)
	}
	_, err = s.Sign(keyset.PS256, "", payload, epoch)
	require.Error(t, err)
	require.Equal(t, append(kids(t, first, epoch), kids(t, second, epoch)...), kids(t, s, epoch))
	require.Len(t, s.States(), 2)
	_, before := s.JWKS(epoch)
	_, again := s.JWKS(epoch)
	require.Equal(t, before, again)

	later := epoch.Add(71 * time.Hour) // the successors are due
	require.NoError(t, s.Rotate(t.Context(), later))
	require.Len(t, s.States(), 4, "each set has a successor")
	require.Len(t, kids(t, s, later), 4)
	_, after := s.JWKS(later)
	require.NotEqual(t, before, after)
	for _, token := range tokens {
		_, err := s.VerifyIDToken(token, later)
		require.NoError(t, err)
	}
}

// TestJoinRefuses: each mistake is named.
func TestJoinRefuses(t *testing.T) {
	t.Parallel()
	store := memory.New()
	one, two := sharedOf(t, store, keyset.ES256), sharedOf(t, store, keyset.EdDSA)
	joint, err := keyset.Join(one, two)
	require.NoError(t, err)
	_, err = keyset.Join()
	require.ErrorContains(t, err, "sets: is required")
	_, err = keyset.Join(one, nil, joint, one)
	for _, want := range []string{"sets[1]: is required", "sets[2]: is a joint set", "sets[3]: has a key for ES256, as a set before it"} {
		require.ErrorContains(t, err, want)
	}
	require.ErrorContains(t, joint.Replace(nil), "joint")
	require.ErrorContains(t, joint.Add(keyset.Key{}, 0, epoch), "joint")
}

// TestJoinIsSafe: a joint set is used while its sets rotate.
func TestJoinIsSafe(t *testing.T) {
	t.Parallel()
	store := memory.New()
	s, err := keyset.Join(sharedOf(t, store, keyset.ES256), sharedOf(t, store, keyset.EdDSA))
	require.NoError(t, err)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 50 {
				now := epoch.Add(time.Duration(i) * time.Hour)
				if err := s.Rotate(t.Context(), now); err != nil {
					t.Error(err)
				}
				if doc, _ := s.JWKS(now); len(doc) == 0 || len(s.Algs(now)) != 2 {
					t.Error("no keys")
				}
			}
		})
	}
	wg.Wait()
}

// TestJointSetIsReady: a joint set is ready while each of its sets signs.
func TestJointSetIsReady(t *testing.T) {
	t.Parallel()
	h := shared(memory.New())
	lasting, err := keyset.New(keyset.Config{Keys: []keyset.Key{generate(t, keyset.ES256)}})
	require.NoError(t, err)
	require.NotEqual(t, keyset.ES256, h.Alg)
	joint, err := keyset.Join(lasting, openShared(t, h))
	require.NoError(t, err)
	require.NoError(t, joint.Ready(epoch))
	late := epoch.Add(h.Every + h.PublishLead)
	require.NoError(t, lasting.Ready(late))
	require.ErrorIs(t, joint.Ready(late), portner.ErrUnavailable)
	require.NotEmpty(t, joint.Algs(late), "the metadata stay")
}

// TestReadyWithoutAnActiveKey: a set whose keys do not sign yet is not ready.
func TestReadyWithoutAnActiveKey(t *testing.T) {
	t.Parallel()
	key := generate(t, keyset.EdDSA)
	key.PublishFrom, key.ActiveFrom = epoch, epoch.Add(48*time.Hour)
	s, err := keyset.New(keyset.Config{Keys: []keyset.Key{key}})
	require.NoError(t, err)
	require.ErrorContains(t, s.Ready(epoch), "no active key")
	require.NoError(t, s.Ready(epoch.Add(48*time.Hour)))
}
