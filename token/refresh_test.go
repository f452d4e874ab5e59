package token_test

import (
	"context"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/slow"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/token"
)

func TestRefreshRotates(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	first := f.login("web")
	f.advance(time.Minute)
	second := f.refresh("web", first.str("refresh_token"))
	require.Equal(t, http.StatusOK, second.Code, second.Body.String())
	require.NotEqual(t, first.str("refresh_token"), second.str("refresh_token"))
	require.NotContains(t, second.body, "id_token", "only if configured")
	require.Equal(t, "openid profile", second.str("scope"))
	require.True(t, f.active(first.str("access_token")))
	require.True(t, f.active(second.str("access_token")))
}

// The use of a rotated token revokes its family, however old it is, and the request fails.
func TestRefreshReuse(t *testing.T) {
	t.Parallel()
	for _, back := range []int{1, 2, 10} {
		f := newFixture(t)
		tokens := []string{f.login("web").str("refresh_token")}
		var last answer
		for range 10 { // at one instant
			last = f.refresh("web", tokens[len(tokens)-1])
			require.Equal(t, http.StatusOK, last.Code)
			tokens = append(tokens, last.str("refresh_token"))
		}
		f.eventNames()
		f.requireError(f.refresh("web", tokens[len(tokens)-1-back]), http.StatusBadRequest, portner.InvalidGrant)
		require.Equal(t, []portner.EventName{portner.EventRefreshReuse}, f.eventNames())
		require.False(t, f.active(last.str("access_token")))
		f.requireError(f.refresh("web", last.str("refresh_token")), http.StatusBadRequest, portner.InvalidGrant)
	}
}

// A refresh by another client has no effect on the owner, whether the token is live or rotated.
func TestRefreshForeignClient(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	first := f.login("web")
	f.requireError(f.refresh("other", first.str("refresh_token")), http.StatusBadRequest, portner.InvalidGrant)
	require.Contains(t, f.eventNames(), portner.EventRefreshForeign)
	second := f.refresh("web", first.str("refresh_token"))
	require.Equal(t, http.StatusOK, second.Code)
	f.requireError(f.refresh("other", first.str("refresh_token")), http.StatusBadRequest, portner.InvalidGrant)
	require.True(t, f.active(second.str("access_token")))
	r := f.request("web", refreshForm(second.str("refresh_token")))
	r.SetBasicAuth("web", "wrong")
	f.requireError(f.sendRequest(f.ep, r), http.StatusUnauthorized, portner.InvalidClient)
	require.Equal(t, http.StatusOK, f.refresh("web", second.str("refresh_token")).Code)
}

func TestRefreshGrantNotRegistered(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.requireError(f.refresh("codeonly", f.login("web").str("refresh_token")), http.StatusBadRequest, portner.UnauthorizedClient)
}

// refresh_token_usage REUSE renews the token in place; a public client rotates all the same.
func TestRefreshUsage(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	value := f.login("reuse").str("refresh_token")
	for range 3 {
		f.advance(9 * time.Minute)
		a := f.refresh("reuse", value)
		require.Equal(t, http.StatusOK, a.Code, a.Body.String())
		require.Equal(t, value, a.str("refresh_token"))
		require.EqualValues(t, 600, a.body["refresh_token_expires_in"])
	}
	f.advance(10 * time.Minute)
	f.requireError(f.refresh("reuse", value), http.StatusBadRequest, portner.InvalidGrant)

	public := f.login("spa").str("refresh_token")
	require.NotEqual(t, public, f.refresh("spa", public).str("refresh_token"))
	f.requireError(f.refresh("spa", public), http.StatusBadRequest, portner.InvalidGrant)
}

// A refresh restarts the idle lifetime, and does not extend the grant.
func TestRefreshEnds(t *testing.T) {
	t.Parallel()
	t.Run("idle edge", func(t *testing.T) {
		t.Parallel()
		for offset, want := range map[time.Duration]int{-1: http.StatusOK, 0: http.StatusBadRequest, 1: http.StatusBadRequest} {
			f := newFixture(t)
			value := f.login("web").str("refresh_token")
			f.advance(10*time.Minute + offset)
			require.Equal(t, want, f.refresh("web", value).Code, "offset %d", offset)
		}
	})
	t.Run("absolute", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		a := f.login("web")
		for f.clock().Before(start.Add(2*time.Hour - 5*time.Minute)) {
			f.advance(5 * time.Minute)
			if a = f.refresh("web", a.str("refresh_token")); a.Code != http.StatusOK {
				break
			}
			left := start.Add(2 * time.Hour).Sub(f.clock()).Seconds()
			require.LessOrEqual(t, a.body["refresh_token_expires_in"], left)
			require.LessOrEqual(t, a.body["expires_in"], left)
		}
		require.Equal(t, start.Add(115*time.Minute), f.clock())
		f.advance(5 * time.Minute)
		f.requireError(f.refresh("web", a.str("refresh_token")), http.StatusBadRequest, portner.InvalidGrant)
	})
}

// A refresh evaluates the grant again, and revokes the family if it has ended.
func TestRefreshEvaluatesAgain(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		scopes []string
		change func(*fixture, *world)
		status int
		code   portner.ErrorCode
		kept   bool
	}{
		{"all as before", []string{"openid", "api:consent"}, func(*fixture, *world) {}, 200, "", true},
		{"user disabled", []string{"openid"}, func(_ *fixture, w *world) { w.user.Disabled = true }, 400, portner.InvalidGrant, false},
		{"user removed", []string{"openid"}, func(_ *fixture, w *world) { w.userErr = storage.ErrNotFound }, 400, portner.InvalidGrant, false},
		{"user source fails", []string{"openid"}, func(_ *fixture, w *world) { w.userErr = errOutage }, 503, portner.TemporarilyUnavailable, true},
		{"consent withdrawn", []string{"openid", "api:consent"}, func(_ *fixture, w *world) { w.consents = nil }, 400, portner.InvalidGrant, false},
		{"consent expired", []string{"openid", "api:consent"}, func(f *fixture, w *world) { w.consents[0].ExpiresAt = f.clock() }, 400, portner.InvalidGrant, false},
		{"consent unknown for now", []string{"openid", "api:consent"}, func(_ *fixture, w *world) { w.consentErr = errOutage }, 503, portner.TemporarilyUnavailable, true},
		{"consent not needed", []string{"openid"}, func(_ *fixture, w *world) { w.consents = nil }, 200, "", true},
		{"only scope switched off", []string{"api:read"}, func(f *fixture, _ *world) { f.scopes["api:read"].Inactive = true }, 400, portner.InvalidGrant, false},
		{"only scope no longer registered", []string{"api:read"}, func(f *fixture, _ *world) { f.clients["web"].Scopes = []string{"openid"} }, 400, portner.InvalidGrant, false},
		{"client switched off", []string{"openid"}, func(f *fixture, _ *world) { f.clients["web"].Disabled = true }, 401, portner.InvalidClient, true},
		{"client removed", []string{"openid"}, func(f *fixture, _ *world) { delete(f.clients, "web") }, 401, portner.InvalidClient, true},
		{"grant type taken away", []string{"openid"}, func(f *fixture, _ *world) { f.clients["web"].GrantTypes = nil }, 400, portner.UnauthorizedClient, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := &world{consents: []storage.Consent{{Scope: "api:consent", ExpiresAt: start.Add(time.Hour)}}}
			f := newFixture(t, func(c *token.Config) { c.Users, c.Store = w, consenting{c.Store, w} })
			first := f.login("web", tt.scopes...)
			r := f.request("web", refreshForm(first.str("refresh_token")))
			tt.change(f, w)
			a := f.sendRequest(f.ep, r)
			require.Equal(t, tt.status, a.Code, a.Body.String())
			require.Equal(t, string(tt.code), a.str("error"))
			require.Equal(t, tt.kept, f.active(first.str("access_token")))
		})
	}
}

// world is the host: its users and consents.
type world struct {
	user       token.User
	userErr    error
	consents   []storage.Consent
	consentErr error
}

func (w *world) User(context.Context, string) (token.User, error) { return w.user, w.userErr }

func (w *world) Consents(context.Context, storage.ConsentKey, time.Time) ([]storage.Consent, error) {
	return w.consents, w.consentErr
}

// consenting is a store whose consents come from the host.
type consenting struct {
	token.Store
	consents interface {
		Consents(context.Context, storage.ConsentKey, time.Time) ([]storage.Consent, error)
	}
}

func (c consenting) Consents(ctx context.Context, key storage.ConsentKey, now time.Time) ([]storage.Consent, error) {
	return c.consents.Consents(ctx, key, now)
}

// The scopes of a refresh are those requested that were granted and are still allowed. They apply to one access token.
func TestRefreshScope(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	rt := f.login("web", "openid", "api:read", "api:write").str("refresh_token")
	ask := func(s string) answer {
		form := refreshForm(rt)
		form.Set("scope", s)
		return f.send(f.ep, "web", form)
	}
	for _, bad := range []string{"api:aud", "openid api:aud", "api:read\"", "api:read  openid,"} {
		f.requireError(ask(bad), http.StatusBadRequest, portner.InvalidScope)
	}
	a := ask("api:write")
	require.Equal(t, "api:write", a.str("scope"))
	_, claims := segments(t, a.str("access_token"))
	require.Equal(t, "api:write", claims["scope"])
	rt = a.str("refresh_token")
	a = f.refresh("web", rt)
	require.Equal(t, "openid api:read api:write", a.str("scope"), "the grant was not narrowed")
	rt = a.str("refresh_token")
	f.scopes["api:write"].Inactive = true
	f.requireError(ask("api:write"), http.StatusBadRequest, portner.InvalidScope)
	require.Equal(t, "openid api:read", f.refresh("web", rt).str("scope"), "the token was not consumed")
}

// The same for random grants, registrations and requests.
func TestRefreshScopeProperty(t *testing.T) {
	slow.WithoutRaceDetector(t)
	t.Parallel()
	all := []string{"openid", "profile", "api:read", "api:write", "api:aud", "api:short"}
	rng := rand.New(rand.NewPCG(1, 2))
	subset := func() []string {
		var s []string
		for _, name := range all {
			if rng.IntN(2) == 0 {
				s = append(s, name)
			}
		}
		return s
	}
	for range 300 {
		f := newFixture(t)
		granted := append(subset(), "api:read")
		granted = slices.Compact(slices.Sorted(slices.Values(granted)))
		rt := f.login("web", granted...).str("refresh_token")
		allowed := subset()
		f.clients["web"].Scopes = append(allowed, "none:such")
		off := all[2+rng.IntN(4)]
		f.scopes[off].Inactive = true
		form := refreshForm(rt)
		if requested := subset(); rng.IntN(3) > 0 && len(requested) > 0 {
			form.Set("scope", strings.Join(requested, " "))
		}
		a := f.send(f.ep, "web", form)
		if a.Code != http.StatusOK {
			require.Contains(t, []string{"invalid_scope", "invalid_grant"}, a.str("error"))
			continue
		}
		for _, s := range strings.Fields(a.str("scope")) {
			require.Contains(t, granted, s)
			require.Contains(t, allowed, s)
			require.NotEqual(t, off, s)
		}
	}
}

func TestIDTokenOnRefresh(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(c *token.Config) { c.IDTokenOnRefresh = true })
	first := f.login("web")
	_, original := segments(t, first.str("id_token"))
	f.advance(5 * time.Minute)
	second := f.refresh("web", first.str("refresh_token"))
	_, renewed := segments(t, second.str("id_token"))
	for _, same := range []string{"iss", "sub", "aud", "auth_time", "acr", "amr"} {
		require.Equal(t, original[same], renewed[same], same)
	}
	require.EqualValues(t, 300, renewed["iat"].(float64)-original["iat"].(float64))
	require.NotContains(t, renewed, "nonce", "OIDC Core §12.2")
	form := refreshForm(second.str("refresh_token"))
	form.Set("scope", "profile")
	require.NotContains(t, f.send(f.ep, "web", form).body, "id_token")

	require.NotContains(t, f.refresh("web", f.login("web", "api:read").str("refresh_token")).body, "id_token")
}

// A grant stays pseudonymous when its scopes are narrowed.
func TestRefreshKeepsPseudonymity(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(c *token.Config) { c.IDTokenOnRefresh = true })
	a := f.login("web", "openid", "profile", "api:pseudo")
	form := refreshForm(a.str("refresh_token"))
	form.Set("scope", "openid profile")
	f.scopes["api:pseudo"] = &scope.Scope{Name: "api:pseudo", AccessibleForAll: true, OwnerOrgno: ownerOrgno} // and its record changed
	b := f.send(f.ep, "web", form)
	require.Equal(t, http.StatusOK, b.Code, b.Body.String())
	for _, jwt := range []string{b.str("access_token"), b.str("id_token")} {
		_, claims := segments(t, jwt)
		require.NotContains(t, claims, "pid")
	}
	require.NotContains(t, f.userInfo(b.str("access_token")).body, "pid")
}

// Within RotationGrace a refresh token whose successor is unused leads to the same successor again.
func TestRotationGrace(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		grace   time.Duration
		after   time.Duration
		used    bool // the successor was used, too
		revoked bool
	}{
		{"off", 0, 0, false, true},
		{"at once", 10 * time.Second, 0, false, false},
		{"just within", 10 * time.Second, 10*time.Second - 1, false, false},
		{"just after", 10 * time.Second, 10 * time.Second, false, true},
		{"on a node whose clock runs behind", 10 * time.Second, -session.MaxSkew, false, false},
		{"after the clock was set back", 10 * time.Second, -session.MaxSkew - 1, false, true},
		{"successor used", 10 * time.Second, time.Second, true, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, func(c *token.Config) { c.RotationGrace = tt.grace })
			old := f.login("web").str("refresh_token")
			last := f.refresh("web", old)
			if tt.used {
				last = f.refresh("web", last.str("refresh_token"))
			}
			f.advance(tt.after)
			again := f.refresh("web", old)
			if tt.revoked {
				f.requireError(again, http.StatusBadRequest, portner.InvalidGrant)
				require.False(t, f.active(last.str("access_token")))
				require.Equal(t, http.StatusBadRequest, f.refresh("web", last.str("refresh_token")).Code)
				return
			}
			require.Equal(t, http.StatusOK, again.Code)
			require.Equal(t, last.str("refresh_token"), again.str("refresh_token"))
			require.NotEqual(t, last.str("access_token"), again.str("access_token"))
			require.InDelta(t, 600-tt.after.Seconds(), again.body["refresh_token_expires_in"], 1, "it counts from the rotation")
			require.True(t, f.active(last.str("access_token")))
			require.True(t, f.active(again.str("access_token")))
			require.Equal(t, http.StatusOK, f.refresh("web", again.str("refresh_token")).Code)
			f.requireError(f.refresh("web", old), http.StatusBadRequest, portner.InvalidGrant)
			require.False(t, f.active(again.str("access_token")), "the successor was used")
		})
	}
}

// laxStore is a store that accepts retries for a day, whatever the grace is.
type laxStore struct{ token.Store }

func (s laxStore) RotateRefreshToken(ctx context.Context, h storage.Hash, i *storage.Issuance, _ time.Duration, now time.Time) error {
	return s.Store.RotateRefreshToken(ctx, h, i, 24*time.Hour, now)
}

// The endpoint decides the end of RotationGrace itself: it asks no store after it.
func TestRotationGraceEndsWithoutTheStore(t *testing.T) {
	t.Parallel()
	const grace = 10 * time.Second
	for after, want := range map[time.Duration]int{grace - 1: http.StatusOK, grace: http.StatusBadRequest, time.Minute: http.StatusBadRequest} {
		f := newFixture(t, func(c *token.Config) { c.RotationGrace, c.Store = grace, laxStore{c.Store} })
		old := f.login("web").str("refresh_token")
		last := f.refresh("web", old)
		f.advance(after)
		require.Equal(t, want, f.refresh("web", old).Code, after)
		require.Equal(t, want == http.StatusOK, f.active(last.str("access_token")), after)
	}
}

// Each rotation adds one to the generation of the refresh token; a retry and a renewal in place do not.
func TestRefreshGenerations(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(c *token.Config) { c.RotationGrace = time.Minute })
	generation := func(a answer) int {
		require.Equal(t, http.StatusOK, a.Code, a.Body.String())
		r, _, err := f.store.RefreshToken(t.Context(), storage.HashOf(a.str("refresh_token")), f.clock())
		require.NoError(t, err)
		return r.Generation
	}
	first := f.login("web")
	require.Equal(t, 0, generation(first))
	second := f.refresh("web", first.str("refresh_token"))
	require.Equal(t, 1, generation(second))
	require.Equal(t, 1, generation(f.refresh("web", first.str("refresh_token"))))
	require.Equal(t, 2, generation(f.refresh("web", second.str("refresh_token"))))
	renewed := f.login("reuse")
	require.Equal(t, 0, generation(f.refresh("reuse", renewed.str("refresh_token"))))
}

// The idle lifetime of the first refresh token counts from its issue, not from the login.
func TestRefreshIdleLifetimeOfTheFirstToken(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	code := f.code()
	f.advance(30 * time.Second)
	a := f.redeem("web", code)
	require.Equal(t, http.StatusOK, a.Code, a.Body.String())
	require.EqualValues(t, 600, a.body["refresh_token_expires_in"])
	f.advance(10*time.Minute - time.Nanosecond)
	require.Equal(t, http.StatusOK, f.refresh("web", a.str("refresh_token")).Code)
}

// Two nodes of which one has a new secret rotate one refresh token at once: both return the same successor.
func TestRotationMeetsANodeWithAnotherSecret(t *testing.T) {
	t.Parallel()
	store := &brokenStore{}
	f := newFixture(t, func(c *token.Config) {
		c.RotationGrace, store.Store, c.Store = time.Minute, c.Store, store
	})
	cfg := f.cfg
	cfg.Vault = must(session.NewVault(issuer, portner.NewSecret(), vaultSecret))
	other := must(token.New(cfg))
	old := f.login("web").str("refresh_token")
	var first answer
	store.hook = func(verb string) {
		if verb == "RotateRefreshToken" { // the other node has loaded the token
			store.hook = nil
			first = f.refresh("web", old)
		}
	}
	second := f.send(other, "web", refreshForm(old))
	require.Equal(t, http.StatusOK, first.Code, first.Body.String())
	require.Equal(t, http.StatusOK, second.Code, second.Body.String())
	require.Equal(t, first.str("refresh_token"), second.str("refresh_token"))
	require.True(t, f.active(first.str("access_token")))
	require.Equal(t, http.StatusOK, f.refresh("web", first.str("refresh_token")).Code)
}

// A retry receives the same successor after a new secret was put first.
func TestRotationGraceAfterNewSecret(t *testing.T) {
	t.Parallel()
	before, after := vaultSecret, portner.NewSecret()
	f := newFixture(t, func(c *token.Config) { c.RotationGrace = time.Minute })
	old := f.login("web").str("refresh_token")
	last := f.refresh("web", old)
	at := func(secrets ...portner.Secret) *token.Endpoint {
		cfg := f.cfg
		cfg.Vault = must(session.NewVault(issuer, secrets...))
		return must(token.New(cfg))
	}
	again := f.send(at(after, before), "web", refreshForm(old))
	require.Equal(t, http.StatusOK, again.Code, again.Body.String())
	require.Equal(t, last.str("refresh_token"), again.str("refresh_token"))
}
