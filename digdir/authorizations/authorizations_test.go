package authorizations_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/digdir/authorizations"
	"github.com/portner-go/portner/internal/fields"
	"github.com/portner-go/portner/internal/optest"
	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/token"
)

// machines accepts organisation numbers as machine tokens.
type machines struct{}

func (machines) VerifyMachine(_ context.Context, token, _ string, _ time.Time) (string, error) {
	_, err := norway.ParseOrgno(token)
	switch {
	case token == "down":
		return "", errors.New("no answer")
	case token == "narrow":
		return "", fmt.Errorf("%w", portner.InsufficientScope)
	case err == nil:
		return token, nil
	}
	return "", fmt.Errorf("%w", portner.InvalidToken)
}

// substantial reports whether a level is the least one of the tests or higher.
func substantial(level string) bool { return acr.IDPorten.AtLeast(level, acr.Substantial) }

// world is a provider with its authorizations API, after two logins of kari.
type world struct {
	t       *testing.T
	op      *optest.OP
	api     *authorizations.API
	handler http.Handler
	own     string // a token of kari at a client of optest.Org, with both scopes
	cfg     authorizations.Config

	provider provider.Config
}

func newWorld(t *testing.T) *world {
	t.Helper()
	clients := optest.Clients(t)
	var cfg provider.Config
	op := optest.New(t, optest.Options{
		Scopes: []scope.Scope{
			{Name: authorizations.Scope, Description: "Fullmakter", OwnerOrgno: optest.OwnerOrg},
			{Name: authorizations.HistoryScope, Description: "Logg", OwnerOrgno: optest.OwnerOrg},
			{Name: "other:api", Description: "En annens", OwnerOrgno: otherOrg},
		},
		Clients: []client.Client{profilePage(clients[0])},
		Change:  func(c *provider.Config) { c.History = nil; cfg = *c },
	})
	cfg.History = op.Store
	p, err := provider.New(cfg)
	require.NoError(t, err)
	op.Use(p)
	config := authorizations.Config{
		Store: op.Store, Vault: p.Vault, Tokens: p.Token.Minter(), Clients: cfg.Clients, Scopes: cfg.Scopes, History: op.Store, Machines: machines{},
		Sessions: p.Sessions, Sufficient: substantial,
		SubjectOf: func(_ context.Context, pid norway.PID) (string, bool, error) {
			return "kari", pid.Reveal() == optest.KariPID, nil
		},
	}
	api, err := authorizations.New(config)
	require.NoError(t, err)
	w := &world{t: t, op: op, api: api, handler: api.Handler(), cfg: config, provider: cfg}
	b := op.Browser()
	r := op.Request("tjeneste", "openid test:consent")
	op.Exchange(t, r, b.Post(t, b.Login(t, r, "kari"), url.Values{"scope": {"test:consent"}}).Code(t))
	r = op.Request("profil", "openid "+authorizations.Scope+" "+authorizations.HistoryScope)
	w.own = op.Exchange(t, r, b.Login(t, r, "kari").Code(t)).String("access_token")
	require.NotEmpty(t, w.own)
	return w
}

func profilePage(like client.Client) client.Client {
	like.ClientID, like.ClientName = "profil", "Profilside"
	like.RedirectURIs = []string{optest.RedirectURI("profil")}
	like.PostLogoutRedirectURIs, like.FrontchannelLogoutURI, like.FrontchannelLogoutSessionRequired = nil, "", false
	like.PostLogoutRedirectURIs = []string{optest.RedirectURI("profil")}
	like.Scopes = []string{"openid", authorizations.Scope, authorizations.HistoryScope, "test:pseudonym", "test:opaque", "other:api"}
	return like
}

func (w *world) call(method, path, token, body string) *httptest.ResponseRecorder {
	w.t.Helper()
	r := httptest.NewRequestWithContext(w.t.Context(), method, path, strings.NewReader(body))
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	require.Equal(w.t, "no-store", rec.Header().Get("Cache-Control"))
	return rec
}

func (w *world) list(method, path, token, body string) []authorizations.Authorization {
	w.t.Helper()
	rec := w.call(method, path, token, body)
	require.Equal(w.t, http.StatusOK, rec.Code, rec.Body)
	var list []authorizations.Authorization
	require.NoError(w.t, json.Unmarshal(rec.Body.Bytes(), &list))
	return list
}

const aboutKari = `{"pid":"` + optest.KariPID + `"}`

// TestListing checks the lists of docs/spec/idporten.md §17.1.
func TestListing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	own := w.list("GET", "/clients/authorizations", w.own, "")
	require.Len(t, own, 1, "only authorizations with a scope that requires consent")
	require.Equal(t, "tjeneste", own[0].ClientID)
	require.Equal(t, "0192:"+optest.Org, own[0].Consumer.ID)
	require.Len(t, own[0].Scopes, 2, "every scope of a matching authorization")
	require.Equal(t, "Samtykke", own[0].Scopes[1].Description)
	require.InDelta(t, time.Now().UnixMilli(), own[0].AuthorizedAt, 60_000)
	require.InDelta(t, own[0].AuthorizedAt+3600_000, own[0].Expires, 2_000)

	require.Len(t, w.list("GET", "/clients/authorizations?require_user_consent=false", w.own, ""), 2)
	require.Len(t, w.list("GET", "/clients/authorizations?visibility=PRIVATE", w.own, ""), 0)
	require.Equal(t, own, w.list("POST", "/clients/authorizations", optest.Org, aboutKari), "the same for a machine")
	require.Empty(t, w.list("POST", "/clients/authorizations", optest.OwnerOrg, aboutKari), "another organisation's clients")
	require.Equal(t, own, w.list("POST", "/api-provider/authorizations", optest.OwnerOrg, aboutKari), "the scope's owner")
	require.Empty(t, w.list("POST", "/api-provider/authorizations", optest.Org, aboutKari))
	require.Empty(t, w.list("POST", "/clients/authorizations", optest.Org, `{"pid":"45840375084"}`), "an unknown person")
}

// TestEnding checks that the tokens of an ended authorization end, and that authorizations of others are not found.
func TestEnding(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.list("GET", "/clients/authorizations", w.own, "")[0].ID
	require.Equal(t, http.StatusNotFound, w.call("DELETE", "/authorizations/unknown", w.own, "").Code)
	require.Equal(t, http.StatusNotFound, w.call("DELETE", "/authorizations/"+id, "910753614", "").Code, "another organisation")
	foreign := w.loginAs("ola")
	require.Equal(t, http.StatusNotFound, w.call("DELETE", "/authorizations/"+id, foreign, "").Code, "another user")
	require.Len(t, w.list("GET", "/clients/authorizations", w.own, ""), 1)

	require.Equal(t, http.StatusNoContent, w.call("DELETE", "/authorizations/"+id, optest.OwnerOrg, "").Code)
	require.Empty(t, w.list("GET", "/clients/authorizations", w.own, ""))
	require.Equal(t, http.StatusNotFound, w.call("DELETE", "/authorizations/"+id, w.own, "").Code, "twice")

	// Ending the authorization of the caller's own token ends the token.
	all := w.list("GET", "/clients/authorizations?require_user_consent=false", w.own, "")
	require.Equal(t, http.StatusNoContent, w.call("DELETE", "/authorizations/"+all[0].ID, w.own, "").Code)
	require.Equal(t, http.StatusUnauthorized, w.call("GET", "/clients/authorizations", w.own, "").Code)
}

// loginAs returns the access token of a login of another user.
func (w *world) loginAs(user string) string {
	w.t.Helper()
	r := w.op.Request("profil", "openid "+authorizations.Scope+" "+authorizations.HistoryScope)
	return w.op.Exchange(w.t, r, w.op.Browser().Login(w.t, r, user).Code(w.t)).String("access_token")
}

// TestRejections checks that each method accepts one kind of token, and the challenges of RFC 6750.
func TestRejections(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.op.Request("tjeneste", "openid")
	narrow := w.op.Exchange(t, r, w.op.Browser().Login(t, r, "kari").Code(t)).String("access_token")
	for _, c := range []struct {
		method, path, token, body string
		status                    int
		challenge                 string
	}{
		{"GET", "/clients/authorizations", "", "", 401, "Bearer"},
		{"GET", "/clients/authorizations", "nonsense", "", 401, `Bearer error="invalid_token"`},
		{"GET", "/clients/authorizations", optest.Org, "", 401, `Bearer error="invalid_token"`},
		{"GET", "/clients/authorizations", narrow, "", 403, `Bearer error="insufficient_scope"`},
		{"POST", "/clients/authorizations", w.own, aboutKari, 401, `Bearer error="invalid_token"`},
		{"POST", "/clients/authorizations", "narrow", aboutKari, 403, `Bearer error="insufficient_scope"`},
		{"POST", "/clients/authorizations", "down", aboutKari, 503, ""},
		{"POST", "/clients/authorizations", optest.Org, `{"pid":"1"}`, 400, `Bearer error="invalid_request"`},
		{"POST", "/clients/authorizations", optest.Org, `{"pid":"` + optest.KariPID + `","x":1}`, 400, `Bearer error="invalid_request"`},
		{"POST", "/clients/authorizations", optest.Org, `[]`, 400, `Bearer error="invalid_request"`},
		{"GET", "/clients/authorizations?require_user_consent=maybe", w.own, "", 400, `Bearer error="invalid_request"`},
		{"GET", "/innlogginger/logg/idporten?maxhits=0", w.own, "", 400, `Bearer error="invalid_request"`},
		{"GET", "/innlogginger/logg/idporten", narrow, "", 403, `Bearer error="insufficient_scope"`},
		{"PUT", "/clients/authorizations", w.own, "", 404, ""},
		{"GET", "/nowhere", w.own, "", 404, ""},
	} {
		rec := w.call(c.method, c.path, c.token, c.body)
		require.Equal(t, c.status, rec.Code, "%s %s: %s", c.method, c.path, rec.Body)
		require.Equal(t, c.challenge, rec.Header().Get("WWW-Authenticate"), "%s %s", c.method, c.path)
		require.NotContains(t, rec.Body.String(), optest.KariPID)
	}
}

// TestHistory checks the history of docs/spec/idporten.md §17.2: single sign-on is Federated, and only logins at clients of the
// caller's organisation are listed.
func TestHistory(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rec := w.call("GET", "/innlogginger/logg/idporten?maxhits=10", w.own, "")
	require.Equal(t, http.StatusOK, rec.Code, rec.Body)
	var log []map[string]string
	require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &log))
	require.Len(t, log, 2)
	require.Equal(t, "Federated", log[0]["eid"])
	require.Equal(t, "Profilside", log[0]["tjeneste"])
	require.Equal(t, "BankID", log[1]["eid"])
	require.Equal(t, "tjeneste", log[1]["integrasjon_id"])
	require.Equal(t, optest.Org, log[1]["orgno"])
	require.Regexp(t, `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$`, log[0]["tidspunkt"])
	require.NotContains(t, rec.Body.String(), optest.KariPID)
	rec = w.call("GET", "/innlogginger/logg/idporten?maxhits=1", w.own, "")
	require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &log))
	require.Len(t, log, 1)
}

// TestHostPage checks the functions for the host's own page.
func TestHostPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	page, err := w.api.OfUser(t.Context(), "kari", authorizations.Filter{WithoutConsent: true, Locale: "nb"}, time.Now())
	require.NoError(t, err)
	list := page.Authorizations
	require.Len(t, list, 2)
	require.ErrorIs(t, w.api.Revoke(t.Context(), "ola", list[0].ID, time.Now()), authorizations.ErrNotFound)
	key := storage.ConsentKey{UserKey: w.cfg.Vault.UserKey("kari"), ClientID: list[0].ClientID, Customer: optest.Org + "///"}
	require.NoError(t, w.op.Store.FinishRequest(t.Context(), storage.Outcome{
		RequestID: "request", Consents: key, Granted: []storage.Consent{{Scope: "test:consent", ExpiresAt: time.Now().Add(time.Hour)}},
	}, time.Now()))
	require.NoError(t, w.api.Revoke(t.Context(), "kari", list[0].ID, time.Now()))
	consents, err := w.op.Store.Consents(t.Context(), key, time.Now())
	require.NoError(t, err)
	require.Empty(t, consents, "the next authorization request requires consent")
	page, err = w.api.OfUser(t.Context(), "kari", authorizations.Filter{WithoutConsent: true}, time.Now())
	require.NoError(t, err)
	require.Len(t, page.Authorizations, 1)
}

// TestNewReportsEveryField breaks each field of a valid configuration, and then several at once.
func TestNewReportsEveryField(t *testing.T) {
	t.Parallel()
	valid := newWorld(t).cfg
	for field, spoil := range map[string]func(*authorizations.Config){
		"Store":      func(c *authorizations.Config) { c.Store = nil },
		"Vault":      func(c *authorizations.Config) { c.Vault = nil },
		"Tokens":     func(c *authorizations.Config) { c.Tokens = nil },
		"Clients":    func(c *authorizations.Config) { c.Clients = nil },
		"Scopes":     func(c *authorizations.Config) { c.Scopes = nil },
		"SubjectOf":  func(c *authorizations.Config) { c.SubjectOf = nil },
		"Sufficient": func(c *authorizations.Config) { c.Sufficient = nil },
		"Circle":     func(c *authorizations.Config) { c.Circle, c.Sessions = "isolated", nil },
	} {
		t.Run(field, func(t *testing.T) {
			t.Parallel()
			cfg := valid
			spoil(&cfg)
			_, err := authorizations.New(cfg)
			require.Equal(t, []string{field}, fields.Names(err))
		})
	}
	_, err := authorizations.New(authorizations.Config{Machines: machines{}})
	require.Equal(t, []string{"Store", "Vault", "Tokens", "Clients", "Scopes", "Sufficient", "SubjectOf"}, fields.Names(err))
}

// TestCores calls the API without net/http.
func TestCores(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx, header := t.Context(), []string{"Bearer " + w.own}
	user, err := w.api.AuthenticateUser(ctx, token.APIRequest{Authorization: header}, authorizations.Scope)
	require.NoError(t, err)
	require.Equal(t, optest.Org, user.Organisation)
	list, err := w.api.List(ctx, user, authorizations.ListRequest{})
	require.NoError(t, err)
	require.Len(t, list.Authorizations, 1)

	pid, err := norway.ParsePID(optest.KariPID)
	require.NoError(t, err)
	machine, err := w.api.Authenticate(ctx, token.APIRequest{Authorization: []string{"Bearer " + optest.Org}})
	require.NoError(t, err)
	same, err := w.api.List(ctx, machine, authorizations.ListRequest{PID: pid})
	require.NoError(t, err)
	require.Equal(t, list, same)
	_, err = w.api.History(ctx, machine, 1)
	require.ErrorIs(t, err, portner.InvalidToken, "a machine has no logins")

	reader, err := w.api.AuthenticateUser(ctx, token.APIRequest{Authorization: header}, authorizations.HistoryScope)
	require.NoError(t, err)
	logins, err := w.api.History(ctx, reader, 1)
	require.NoError(t, err)
	require.Len(t, logins, 1)

	err = w.api.End(ctx, user, "unknown")
	require.ErrorIs(t, err, authorizations.ErrNotFound)
	require.Equal(t, http.StatusNotFound, portner.ErrorReply(err).Status)
	require.NoError(t, w.api.End(ctx, machine, list.Authorizations[0].ID))
	list, err = w.api.List(ctx, user, authorizations.ListRequest{})
	require.NoError(t, err)
	require.Empty(t, list.Authorizations)

	_, err = w.api.AuthenticateUser(ctx, token.APIRequest{}, authorizations.Scope)
	require.Equal(t, []string{"Bearer"}, portner.ErrorReply(err).Header["Www-Authenticate"])
}
