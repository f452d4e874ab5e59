package token_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/token"
)

// heldBody is the body of a request whose sender holds it back: time passes when it is read.
type heldBody struct {
	io.Reader
	hold func()
}

func (b *heldBody) Read(p []byte) (int, error) {
	if b.hold != nil {
		b.hold()
		b.hold = nil
	}
	return b.Reader.Read(p)
}

func (*heldBody) Close() error { return nil }

// held sends a form with a body that is held back: meanwhile happens before it is read.
func (f *fixture) held(h http.Handler, clientID string, form url.Values, meanwhile func()) answer {
	f.t.Helper()
	r := f.request(clientID, form)
	r.Body = &heldBody{r.Body, meanwhile}
	return f.sendRequest(h, r)
}

// TestClockIsReadAfterTheBody checks that a peer that holds back the body of its request gains no time (docs/threat-model.md C11).
func TestClockIsReadAfterTheBody(t *testing.T) {
	t.Parallel()
	const lifetimes = 24 * time.Hour
	t.Run("code", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		a := f.held(f.ep, "web", codeForm(f.code()), func() { f.advance(10 * time.Minute) })
		f.requireError(a, http.StatusBadRequest, portner.InvalidGrant)
		require.Equal(t, start.Add(10*time.Minute), f.events[len(f.events)-1].Time)
	})
	t.Run("refresh token", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		a := f.held(f.ep, "web", refreshForm(f.login("web").str("refresh_token")), func() { f.advance(lifetimes) })
		f.requireError(a, http.StatusBadRequest, portner.InvalidGrant)
	})
	t.Run("introspection", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		form := url.Values{"token": {f.login("web").str("access_token")}}
		a := f.held(f.ep.Introspection(), "web", form, func() { f.advance(lifetimes) })
		require.Equal(t, `{"active":false}`, a.Body.String())
	})
	t.Run("userinfo", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		r := httptest.NewRequest(http.MethodPost, issuer+"/userinfo", nil)
		r.Header.Set("Content-Type", formType)
		form := url.Values{"access_token": {f.login("web").str("access_token")}}.Encode()
		r.Body, r.ContentLength = &heldBody{strings.NewReader(form), func() { f.advance(lifetimes) }}, int64(len(form))
		f.requireError(f.sendRequest(f.ep.UserInfo(), r), http.StatusUnauthorized, portner.InvalidToken)
	})
	t.Run("revocation", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		a := f.held(f.ep.Revocation(), "web", nil, func() { f.advance(lifetimes) })
		f.requireError(a, http.StatusBadRequest, portner.InvalidRequest)
		require.Equal(t, start.Add(lifetimes), f.events[len(f.events)-1].Time)
	})
}

// expiring is a replay store that forgets assertions that have expired, as a database does whose rows are deleted.
type expiring struct {
	mu   sync.Mutex
	keys map[storage.Hash]time.Time
}

func (s *expiring) ConsumeJTI(_ context.Context, _ string, key storage.Hash, expiresAt, now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, end := range s.keys {
		if !now.Before(end) {
			delete(s.keys, k)
		}
	}
	if _, used := s.keys[key]; used || !now.Before(expiresAt) {
		return storage.ErrConsumed
	}
	s.keys[key] = expiresAt
	return nil
}

// TestHeldRequestReplaysNoAssertion checks that an assertion that was used does not authenticate a request whose body was held back
// until the store has forgotten the assertion.
func TestHeldRequestReplaysNoAssertion(t *testing.T) {
	t.Parallel()
	store := &expiring{keys: map[storage.Hash]time.Time{}}
	f := newFixture(t, func(c *token.Config) {
		c.Authenticator = must(client.NewAuthenticator(client.Config{Issuer: issuer, Clients: c.Clients, Replay: store, Attempts: noLimit{}}))
	})
	key, jwks := assertionKey(t)
	f.clients["jwt"] = &client.Client{
		ClientID: "jwt", OrganisationNo: consumerOrgno, GrantTypes: []string{client.AuthorizationCode},
		TokenEndpointAuthMethod: client.PrivateKeyJWT, JWKS: jwks, RedirectURIs: []string{callback}, Scopes: []string{"openid", "profile"},
	}
	with := func(code, jti string) url.Values {
		now := f.clock().Unix()
		form := codeForm(code)
		form.Set("client_id", "jwt")
		form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		form.Set("client_assertion", key(map[string]any{"iss": "jwt", "sub": "jwt", "aud": issuer, "iat": now, "exp": now + 60, "jti": jti}))
		return form
	}
	first := with(f.code(forClient("jwt")), "one")
	require.Equal(t, http.StatusOK, f.send(f.ep, "none", first).Code)
	replay := url.Values{}
	for name := range first {
		replay.Set(name, first.Get(name))
	}
	replay.Set("code", f.code(forClient("jwt")))
	f.requireError(f.send(f.ep, "none", replay), http.StatusUnauthorized, portner.InvalidClient)
	a := f.held(f.ep, "none", replay, func() {
		f.advance(10 * time.Minute)
		f.send(f.ep, "none", with(f.code(forClient("jwt")), "two")) // the store forgets what has expired
	})
	f.requireError(a, http.StatusUnauthorized, portner.InvalidClient)
}
