package token_test

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/slow"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/token"
)

const callers = 12

// rounds of a race; fewer with -short.
func rounds() int {
	if testing.Short() {
		return 100
	}
	return 1000
}

// fastFixture makes constant signatures, because slow ones would separate the calls of the store in time.
func fastFixture(t testing.TB, store token.Store) *fixture {
	return newFixture(t, func(c *token.Config) {
		c.Keys, c.OnEvent = freeKeys(), nil
		if store != nil {
			c.Store = store
		}
	})
}

// signer is an Ed25519 signer, such as an HSM, whose signatures come from a function.
type signer struct {
	ed25519.PrivateKey
	sign func(message []byte) ([]byte, error)
}

func (s *signer) Sign(_ io.Reader, message []byte, _ crypto.SignerOpts) ([]byte, error) {
	return s.sign(message)
}

// signingKeys returns keys that sign by calling sign. keyset.New makes a signature too, which is valid.
func signingKeys(sign func(key ed25519.PrivateKey, message []byte) ([]byte, error)) *keyset.Set {
	_, key, err := ed25519.GenerateKey(nil)
	s := &signer{PrivateKey: must(key, err)}
	s.sign = func(message []byte) ([]byte, error) { return ed25519.Sign(s.PrivateKey, message), nil }
	set := must(keyset.New(keyset.Config{Keys: []keyset.Key{{Alg: keyset.EdDSA, Signer: s}}}))
	s.sign = func(message []byte) ([]byte, error) { return sign(s.PrivateKey, message) }
	return set
}

// freeKeys returns keys with constant signatures, which are not valid.
func freeKeys() *keyset.Set {
	return signingKeys(func(ed25519.PrivateKey, []byte) ([]byte, error) { return make([]byte, ed25519.SignatureSize), nil })
}

// raceAnswers sends the same request from all callers at the same time.
func raceAnswers(h http.Handler, request func() *http.Request) (statuses [callers]int, bodies [callers]string) {
	var ready, done sync.WaitGroup
	gate := make(chan struct{})
	ready.Add(callers)
	for i := range callers {
		r := request()
		done.Go(func() {
			w := httptest.NewRecorder()
			ready.Done()
			<-gate
			h.ServeHTTP(w, r)
			statuses[i], bodies[i] = w.Code, w.Body.String()
		})
	}
	ready.Wait()
	close(gate)
	done.Wait()
	return statuses, bodies
}

// exactlyOne reports whether one caller received tokens and all others the same error.
func exactlyOne(statuses [callers]int) bool {
	won := 0
	for _, s := range statuses {
		if s == http.StatusOK {
			won++
		} else if s != http.StatusBadRequest {
			return false
		}
	}
	return won == 1
}

// Several callers redeem one code: one succeeds. Each other request is a second use, so no token of the grant is live when one of them has
// its response.
func TestCodeRace(t *testing.T) {
	t.Parallel()
	f := fastFixture(t, nil)
	for range slow.Rounds(rounds()) {
		code := f.code(forClient("web", "openid", "api:opaque"))
		statuses, bodies := raceAnswers(f.ep, func() *http.Request { return f.request("web", codeForm(code)) })
		require.True(t, exactlyOne(statuses), statuses)
		for i, s := range statuses {
			if s == http.StatusOK {
				require.False(t, f.active(field(bodies[i], "access_token")), "the winner's token outlived a reported replay")
			}
		}
	}
}

// One refresh token, several callers: one success; the reuse by the others revokes the family.
func TestRefreshRace(t *testing.T) {
	t.Parallel()
	f := fastFixture(t, nil)
	for range slow.Rounds(rounds()) {
		rt := f.login("web", "openid", "api:opaque").str("refresh_token")
		statuses, bodies := raceAnswers(f.ep, func() *http.Request { return f.request("web", refreshForm(rt)) })
		require.True(t, exactlyOne(statuses), statuses)
		for i, s := range statuses {
			if s == http.StatusOK {
				require.False(t, f.active(field(bodies[i], "access_token")))
				require.Equal(t, http.StatusBadRequest, f.refresh("web", field(bodies[i], "refresh_token")).Code)
			}
		}
	}
}

// With Config.RotationGrace all callers of that race receive the same refresh token, which is live.
func TestRefreshRaceWithGrace(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(c *token.Config) { c.Keys, c.OnEvent, c.RotationGrace = freeKeys(), nil, time.Second })
	for range slow.Rounds(rounds() / 10) {
		rt := f.login("web", "openid", "api:opaque").str("refresh_token")
		statuses, bodies := raceAnswers(f.ep, func() *http.Request { return f.request("web", refreshForm(rt)) })
		next := field(bodies[0], "refresh_token")
		for i, s := range statuses {
			require.Equal(t, http.StatusOK, s)
			require.Equal(t, next, field(bodies[i], "refresh_token"))
			require.True(t, f.active(field(bodies[i], "access_token")))
		}
		require.Equal(t, http.StatusOK, f.refresh("web", next).Code)
	}
}

// The harness finds the defect of a store that reads a code and then marks it, in two steps.
func TestRaceSeesABrokenStore(t *testing.T) {
	t.Parallel()
	f := fastFixture(t, nil)
	broken := fastFixture(t, &getThenMark{Store: f.store, used: map[storage.Hash]bool{}})
	for range 200 {
		code := f.code(forClient("web", "openid", "api:opaque"))
		statuses, _ := raceAnswers(broken.ep, func() *http.Request { return broken.request("web", codeForm(code)) })
		if !exactlyOne(statuses) {
			return
		}
	}
	t.Fatal("200 rounds did not see a get-then-mark store")
}

// getThenMark is a store that redeems a code in two steps.
type getThenMark struct {
	token.Store
	mu   sync.Mutex
	used map[storage.Hash]bool
}

func (s *getThenMark) RedeemCode(_ context.Context, hash storage.Hash, _ *storage.Issuance, _ time.Time) error {
	s.mu.Lock()
	used := s.used[hash]
	s.mu.Unlock()
	if used {
		return storage.ErrConsumed
	}
	time.Sleep(time.Microsecond) // the round trip of a real database
	s.mu.Lock()
	s.used[hash] = true
	s.mu.Unlock()
	return nil
}

// After a revocation has returned, no token of the grant is or becomes live.
func TestRefreshRacesRevocation(t *testing.T) {
	t.Parallel()
	f := fastFixture(t, nil)
	for range slow.Rounds(rounds() / 2) {
		rt := f.login("web", "openid", "api:opaque").str("refresh_token")
		var refreshed, revoked *httptest.ResponseRecorder = httptest.NewRecorder(), httptest.NewRecorder()
		var wg sync.WaitGroup
		wg.Go(func() { f.ep.ServeHTTP(refreshed, f.request("web", refreshForm(rt))) })
		wg.Go(func() { f.ep.Revocation().ServeHTTP(revoked, f.request("web", map[string][]string{"token": {rt}})) })
		wg.Wait()
		require.Equal(t, http.StatusOK, revoked.Code)
		if refreshed.Code == http.StatusOK {
			require.False(t, f.active(field(refreshed.Body.String(), "access_token")))
		}
	}
}

// Every endpoint with several clients at once, for the race detector.
func TestAllEndpointsAtOnce(t *testing.T) {
	t.Parallel()
	f := fastFixture(t, nil)
	var wg sync.WaitGroup
	for _, id := range []string{"web", "other", "spa", "reuse"} {
		wg.Go(func() {
			for range 50 {
				a := f.login(id, "openid", "profile", "api:opaque")
				b := f.refresh(id, a.str("refresh_token"))
				f.userInfo(b.str("access_token"))
				f.introspect("api", b.str("access_token"))
				f.send(f.ep.Revocation(), id, map[string][]string{"token": {b.str("access_token")}})
			}
		})
	}
	wg.Wait()
}
