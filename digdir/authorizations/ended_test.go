package authorizations_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/digdir/authorizations"
	"github.com/portner-go/portner/exchange"
	"github.com/portner-go/portner/internal/optest"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/token"
)

// register holds what a host can change while tokens are live.
type register struct {
	userDisabled, userRemoved, clientDisabled, clientRemoved, consentRequired atomic.Bool
}

// User implements token.UserSource.
func (r *register) User(context.Context, string) (token.User, error) {
	if r.userRemoved.Load() {
		return token.User{}, storage.ErrNotFound
	}
	return token.User{Disabled: r.userDisabled.Load()}, nil
}

type changingClients struct {
	client.Source
	*register
}

// Client implements client.Source.
func (s changingClients) Client(ctx context.Context, id string) (*client.Client, error) {
	c, err := s.Source.Client(ctx, id)
	if err != nil || id != "profil" {
		return c, err
	}
	if s.clientRemoved.Load() {
		return nil, storage.ErrNotFound
	}
	changed := *c
	changed.Disabled = s.clientDisabled.Load()
	changed.GrantTypes = []string{"authorization_code", "refresh_token", exchange.GrantType}
	return &changed, nil
}

type changingScopes struct {
	scope.Source
	*register
}

// Scope implements scope.Source.
func (s changingScopes) Scope(name string) *scope.Scope {
	found := s.Source.Scope(name)
	if found == nil || name != "test:api" {
		return found
	}
	changed := *found
	changed.RequiresUserConsent = s.consentRequired.Load()
	return &changed
}

// liveTokens are a code and the tokens of one login, and a token that was exchanged.
type liveTokens struct{ code, access, refresh, exchanged string }

// endedWorld is a provider with its authorizations API, and live tokens of kari.
type endedWorld struct {
	t *testing.T
	*register
	op   *optest.OP
	api  *authorizations.API
	http http.Handler // of the API
	verifier,
	grantID string
	liveTokens
}

func newEndedWorld(t *testing.T) *endedWorld {
	t.Helper()
	w := &endedWorld{t: t, register: &register{}}
	page := profilePage(optest.Clients(t)[0])
	page.Scopes = []string{"openid", "profile", "test:api", authorizations.Scope}
	var cfg provider.Config
	w.op = optest.New(t, optest.Options{
		Scopes:  []scope.Scope{{Name: authorizations.Scope, Description: "Fullmakter", OwnerOrgno: optest.OwnerOrg}},
		Clients: []client.Client{page},
		Change: func(c *provider.Config) {
			c.Clients, c.Scopes, c.Users = changingClients{c.Clients, w.register}, changingScopes{c.Scopes, w.register}, w.register
			vault, err := session.NewVault(c.Issuer, c.Secrets...)
			require.NoError(t, err)
			g, err := exchange.New(exchange.Config{Issuer: c.Issuer, Store: c.Store.(token.GrantStore), Vault: vault, Scopes: c.Scopes})
			require.NoError(t, err)
			c.GrantHandlers = []token.GrantHandler{g}
			cfg = *c
		},
	})
	var err error
	w.api, err = authorizations.New(authorizations.Config{
		Store: w.op.Store, Vault: w.op.Vault, Tokens: w.op.Token.Minter(), Clients: cfg.Clients, Scopes: cfg.Scopes,
		Sufficient: substantial,
	})
	require.NoError(t, err)
	w.http = w.api.Handler()
	w.login()
	return w
}

const endedScopes = "openid profile test:api " + authorizations.Scope

func (w *endedWorld) login() {
	r := w.op.Request("profil", endedScopes)
	a := w.op.Exchange(w.t, r, w.op.Browser().Login(w.t, r, "kari").Code(w.t))
	w.access, w.refresh = a.String("access_token"), a.String("refresh_token")
	_, g, err := w.op.Store.AccessToken(w.t.Context(), storage.HashOf(w.access), time.Now())
	require.NoError(w.t, err)
	w.grantID = g.ID
	w.exchanged = w.exchange().String("access_token")
	require.NotEmpty(w.t, w.exchanged)
	r = w.op.Request("profil", endedScopes)
	w.code, w.verifier = w.op.Browser().Login(w.t, r, "kari").Code(w.t), r.Verifier
}

func (w *endedWorld) exchange() optest.Answer {
	return w.op.Call(w.t, "/token", "profil", url.Values{
		"grant_type": {exchange.GrantType}, "subject_token": {w.access}, "subject_token_type": {exchange.AccessToken},
	})
}

func (w *endedWorld) list(access string) int {
	r := httptest.NewRequestWithContext(w.t.Context(), "GET", "/clients/authorizations", strings.NewReader(""))
	r.Header.Set("Authorization", "Bearer "+access)
	rec := httptest.NewRecorder()
	w.http.ServeHTTP(rec, r)
	return rec.Code
}

// TestEndedGrantsEndEverywhere drives one decision through every endpoint that makes it: whether the tokens of a grant may
// still be used.
func TestEndedGrantsEndEverywhere(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		end    func(w *endedWorld)
		client bool // the client itself cannot authenticate any more
		code   bool // the code, which is of another grant, can still be redeemed
	}{
		"user disabled":    {end: func(w *endedWorld) { w.userDisabled.Store(true) }},
		"user removed":     {end: func(w *endedWorld) { w.userRemoved.Store(true) }},
		"client disabled":  {end: func(w *endedWorld) { w.clientDisabled.Store(true) }, client: true},
		"client removed":   {end: func(w *endedWorld) { w.clientRemoved.Store(true) }, client: true},
		"consent required": {end: func(w *endedWorld) { w.consentRequired.Store(true) }},
		"grant revoked": {end: func(w *endedWorld) {
			require.NoError(w.t, w.op.Store.Revoke(w.t.Context(), storage.Revocation{GrantID: w.grantID}, time.Now()))
		}, code: true},
		"authorization revoked": {end: func(w *endedWorld) {
			list, err := w.api.OfUser(w.t.Context(), "kari", authorizations.Filter{WithoutConsent: true}, time.Now())
			require.NoError(w.t, err)
			require.NotEmpty(w.t, list.Authorizations)
			require.NoError(w.t, w.api.Revoke(w.t.Context(), "kari", list.Authorizations[0].ID, time.Now()))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newEndedWorld(t)
			for _, access := range []string{w.access, w.exchanged} {
				require.Equal(t, http.StatusOK, w.op.UserInfo(t, access).Status)
				require.Equal(t, true, w.op.Introspect(t, "owner", access).JSON["active"])
				require.Equal(t, http.StatusOK, w.list(access))
			}
			tt.end(w)
			for what, access := range map[string]string{"access token": w.access, "exchanged token": w.exchanged} {
				require.Equal(t, http.StatusUnauthorized, w.op.UserInfo(t, access).Status, what)
				require.Equal(t, http.StatusUnauthorized, w.list(access), what)
				a := w.op.Introspect(t, "owner", access)
				require.Equal(t, http.StatusOK, a.Status, what)
				require.Equal(t, map[string]any{"active": false}, a.JSON, what)
			}
			want := http.StatusBadRequest
			if tt.client {
				want = http.StatusUnauthorized
			}
			require.Equal(t, want, w.exchange().Status, "exchange")
			require.Equal(t, want, w.op.Refresh(t, "profil", w.refresh).Status, "refresh")
			redeemed := w.op.Exchange(t, optest.Request{ClientID: "profil", Verifier: w.verifier}, w.code)
			if tt.code {
				require.Equal(t, http.StatusOK, redeemed.Status)
				return
			}
			require.Equal(t, want, redeemed.Status, "code")
		})
	}
}
