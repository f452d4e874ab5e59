package token_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/token"
)

// A grant that has ended ends at introspection and userinfo too, not only at the next refresh. A source that fails is an
// outage: the grant does not count as live or ended.
func TestEndedGrants(t *testing.T) {
	t.Parallel()
	const gone, outage = "gone", "outage"
	for name, tt := range map[string]struct {
		change func(*world)
		want   string
	}{
		"as before":            {func(*world) {}, ""},
		"user disabled":        {func(w *world) { w.user.Disabled = true }, gone},
		"user removed":         {func(w *world) { w.userErr = storage.ErrNotFound }, gone},
		"user source fails":    {func(w *world) { w.userErr = errOutage }, outage},
		"consent withdrawn":    {func(w *world) { w.consents = nil }, gone},
		"consent expired":      {func(w *world) { w.consents[0].ExpiresAt = start }, gone},
		"consent source fails": {func(w *world) { w.consentErr = errOutage }, outage},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := &world{consents: []storage.Consent{{Scope: "api:consent", ExpiresAt: start.Add(time.Hour)}}}
			f := newFixture(t, func(c *token.Config) { c.Users, c.Store = w, consenting{c.Store, w} })
			a := f.login("web", "openid", "profile", "api:consent")
			narrow := refreshForm(f.login("web", "openid", "profile", "api:consent").str("refresh_token"))
			narrow.Set("scope", "profile")
			narrowed := f.send(f.ep, "web", narrow).str("access_token")
			tt.change(w)
			for what, token := range map[string]string{
				"access token": a.str("access_token"), "refresh token": a.str("refresh_token"), "narrowed token": narrowed,
			} {
				got := f.send(f.ep.Introspection(), "web", url.Values{"token": {token}})
				switch tt.want {
				case "":
					require.Equal(t, true, got.body["active"], what)
				case gone:
					require.Equal(t, http.StatusOK, got.Code, what)
					require.Equal(t, `{"active":false}`, got.Body.String(), what)
				case outage:
					f.requireError(got, http.StatusServiceUnavailable, portner.TemporarilyUnavailable)
				}
			}
			for _, token := range []string{a.str("access_token"), narrowed} {
				require.Equal(t, map[string]int{"": 200, gone: 401, outage: 503}[tt.want], f.userInfo(token).Code)
			}
		})
	}
}

// Each scope that requires consent needs its own, and the first of them that ends is the end of the grant.
func TestConsentsOfEachScope(t *testing.T) {
	t.Parallel()
	const first, second = 5 * time.Minute, 8 * time.Minute
	for name, ends := range map[string]map[string]time.Duration{
		"the first scope ends first":  {"api:consent": first, "api:consent2": second},
		"the second scope ends first": {"api:consent": second, "api:consent2": first},
		"without the first scope":     {"api:consent2": second},
		"without the second scope":    {"api:consent": second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := &world{}
			for scope, end := range ends {
				w.consents = append(w.consents, storage.Consent{Scope: scope, ExpiresAt: start.Add(end)})
			}
			f := newFixture(t, func(c *token.Config) { c.Users, c.Store = w, consenting{c.Store, w} })
			a := f.redeem("web", f.code(forClient("web", "openid", "api:consent", "api:consent2")))
			if len(ends) < 2 {
				f.requireError(a, http.StatusBadRequest, portner.InvalidGrant)
				return
			}
			require.Equal(t, http.StatusOK, a.Code, a.Body.String())
			require.EqualValues(t, first.Seconds(), a.body["refresh_token_expires_in"])
			_, g, err := f.store.AccessToken(t.Context(), storage.HashOf(a.str("access_token")), f.clock())
			require.NoError(t, err)
			require.Equal(t, start.Add(first), g.ExpiresAt.UTC())
			w.consents = w.consents[:1]
			f.requireError(f.refresh("web", a.str("refresh_token")), http.StatusBadRequest, portner.InvalidGrant)
		})
	}
}

// A grant is valid before its end, and not at it.
func TestCheckGrantAtItsEnd(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	g := storage.Grant{ID: "g", ClientID: "web", Scopes: []string{"api:read"}, CreatedAt: start, ExpiresAt: start.Add(time.Hour)}
	require.NoError(t, f.ep.Minter().CheckGrant(t.Context(), &g, g.ExpiresAt.Add(-1)))
	require.ErrorIs(t, f.ep.Minter().CheckGrant(t.Context(), &g, g.ExpiresAt), storage.ErrRevoked)
	require.ErrorIs(t, f.ep.Minter().CheckGrant(t.Context(), &g, g.ExpiresAt.Add(1)), storage.ErrRevoked)
	g.ExpiresAt = time.Time{}
	require.NoError(t, f.ep.Minter().CheckGrant(t.Context(), &g, start.Add(1000*time.Hour)), "the zero value is no end")
}

// Consents are checked when a code is redeemed. A code whose consent was withdrawn is consumed.
func TestCodeChecksConsent(t *testing.T) {
	t.Parallel()
	w := &world{consents: []storage.Consent{{Scope: "api:consent", ExpiresAt: start.Add(time.Hour)}}}
	f := newFixture(t, func(c *token.Config) { c.Users, c.Store = w, consenting{c.Store, w} })
	kept, lost := f.code(forClient("web", "openid", "api:consent")), f.code(forClient("web", "openid", "api:consent"))
	w.consentErr = errOutage
	f.requireError(f.redeem("web", kept), http.StatusServiceUnavailable, portner.TemporarilyUnavailable)
	w.consentErr = nil
	require.Equal(t, http.StatusOK, f.redeem("web", kept).Code, "an outage consumes nothing")
	given := w.consents
	w.consents = nil
	f.requireError(f.redeem("web", lost), http.StatusBadRequest, portner.InvalidGrant)
	w.consents = given
	f.requireError(f.redeem("web", lost), http.StatusBadRequest, portner.InvalidGrant)
}

// Refreshes race each way in which a grant can end. After the end has returned, no token that was issued is active.
func TestRefreshRacesEndOfGrant(t *testing.T) {
	t.Parallel()
	ends := map[string]func(f *fixture, w *switches, session storage.Session, refresh string){
		"revocation": func(f *fixture, _ *switches, _ storage.Session, refresh string) {
			require.Equal(f.t, http.StatusOK, record(f.ep.Revocation(), f.request("web", url.Values{"token": {refresh}})).Code)
		},
		"logout": func(f *fixture, _ *switches, session storage.Session, _ string) {
			_, err := f.store.EndSession(context.Background(), session.Hash, f.clock())
			require.NoError(f.t, err)
		},
		"consent withdrawn": func(_ *fixture, w *switches, _ storage.Session, _ string) { w.withdrawn.Store(true) },
		"user disabled":     func(_ *fixture, w *switches, _ storage.Session, _ string) { w.disabled.Store(true) },
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := &switches{}
			f := newFixture(t, func(c *token.Config) {
				c.Keys, c.OnEvent, c.Users, c.Store = freeKeys(), nil, w, consenting{c.Store, w}
			})
			total := 0
			for round := range rounds() / 2 {
				w.withdrawn.Store(false)
				w.disabled.Store(false)
				in := storage.Session{Hash: storage.HashOf(f.code()), ID: f.code(), UserKey: testVault().UserKey("user-1"), ExpiresAt: f.clock().Add(time.Hour)}
				_, err := f.store.ReplaceSession(t.Context(), storage.Hash{}, in, 0, f.clock())
				require.NoError(t, err)
				code := f.code(forClient("reuse", "openid", "profile", "api:consent"), func(c *storage.AuthorizationCode) {
					c.Grant.ClientID, c.Grant.SessionID, c.Grant.LoginOnly = "web", in.ID, true
				})
				first := f.redeem("web", code)
				issued := chase(f, first, round%3, func(refresh string) { end(f, w, in, refresh) })
				total += len(issued)
				for _, value := range issued {
					got := record(f.ep.Introspection(), f.request("web", url.Values{"token": {value}}))
					require.Equal(t, `{"active":false}`, got.Body.String())
				}
			}
			require.Greater(t, total, 2*rounds(), "a refresh must sometimes win, or there was no race")
		})
	}
}

// chase rotates a refresh token again and again, calls end meanwhile, and returns all tokens that were issued.
func chase(f *fixture, first answer, headstart int, end func(refresh string)) (issued []string) {
	var wg sync.WaitGroup
	gate := make(chan struct{})
	keep := func(body string) string {
		refresh := field(body, "refresh_token")
		issued = append(issued, field(body, "access_token"), refresh)
		return refresh
	}
	refresh := keep(first.Body.String())
	wg.Go(func() {
		for n := range headstart + 5 {
			if n == headstart {
				close(gate)
			}
			w := record(f.ep, f.request("web", refreshForm(refresh)))
			if w.Code == http.StatusOK {
				refresh = keep(w.Body.String())
			}
		}
	})
	wg.Go(func() {
		<-gate
		end(first.str("refresh_token"))
	})
	wg.Wait()
	return issued
}

func record(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// switches is a host that disables users and withdraws consents while requests run.
type switches struct{ disabled, withdrawn atomic.Bool }

func (s *switches) User(context.Context, string) (token.User, error) {
	return token.User{Disabled: s.disabled.Load()}, nil
}

func (s *switches) Consents(_ context.Context, _ storage.ConsentKey, now time.Time) ([]storage.Consent, error) {
	if s.withdrawn.Load() {
		return nil, nil
	}
	return []storage.Consent{{Scope: "api:consent", ExpiresAt: now.Add(time.Hour)}}, nil
}
