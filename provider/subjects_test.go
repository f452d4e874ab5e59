package provider_test

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/optest"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/scope"
)

// app returns the registration of a client that may introspect its tokens.
func app(t *testing.T, id, subjectType, sector string) client.Client {
	t.Helper()
	c := optest.Clients(t)[0]
	c.ClientID, c.RedirectURIs, c.PostLogoutRedirectURIs = id, []string{optest.RedirectURI(id)}, []string{optest.RedirectURI(id) + "/out"}
	c.SubjectType, c.SectorIdentifierURI = subjectType, sector
	c.FrontchannelLogoutURI, c.FrontchannelLogoutSessionRequired = "", false
	c.Scopes = []string{"openid", "profile", "email", "test:pseudonym", "test:api", scope.Introspection}
	return c
}

// documents logs kari in and returns the four documents with claims about her, and the id_token.
func documents(t *testing.T, op *optest.OP, b *optest.Browser, clientID, scopes string) (map[string]map[string]any, string) {
	t.Helper()
	r := op.Request(clientID, scopes)
	a := op.Exchange(t, r, b.Login(t, r, "kari").Code(t))
	require.Equal(t, http.StatusOK, a.Status, "%v", a.JSON)
	accessToken := a.String("access_token")
	info := op.UserInfo(t, accessToken)
	require.Equal(t, http.StatusOK, info.Status, "%v", info.JSON)
	return map[string]map[string]any{
		"id_token": claimsOf(t, op, a.String("id_token")), "access token": claimsOf(t, op, accessToken),
		"introspection": op.Introspect(t, clientID, accessToken).JSON, "userinfo": info.JSON,
	}, a.String("id_token")
}

// subject returns the sub of kari at a client, which is the same in the four documents.
func subject(t *testing.T, op *optest.OP, clientID, scopes string) string {
	t.Helper()
	all, _ := documents(t, op, op.Browser(), clientID, scopes)
	sub := all["id_token"]["sub"]
	for name, claims := range all {
		require.Equal(t, sub, claims["sub"], name)
	}
	return sub.(string)
}

// TestSubjectTypes: the registration of a client selects public or pairwise subjects, and the profile selects for other clients.
func TestSubjectTypes(t *testing.T) {
	t.Parallel()
	const sector = "https://example.no/sector.json"
	for _, standard := range []string{client.Public, client.Pairwise} {
		t.Run(standard, func(t *testing.T) {
			t.Parallel()
			op := optest.New(t, optest.Options{
				Clients: []client.Client{
					app(t, "default", "", ""), app(t, "public", client.Public, ""), app(t, "pairwise", client.Pairwise, ""),
					app(t, "web", client.Pairwise, sector), app(t, "shop", client.Pairwise, "https://example.no/other.json"),
				},
				Change: func(c *provider.Config) {
					c.Profile.SubjectType, c.Profile.SubjectTypesSupported = standard, []string{client.Public, client.Pairwise}
				},
			})
			sub := map[string]string{}
			for _, id := range []string{"default", "public", "pairwise", "web", "shop"} {
				sub[id] = subject(t, op, id, "openid profile")
			}
			require.Equal(t, standard == client.Public, sub["default"] == "kari")
			require.Equal(t, "kari", sub["public"])
			require.Equal(t, sub["web"], sub["shop"], "clients of one sector")
			for _, id := range []string{"default", "pairwise"} {
				require.NotEqual(t, sub["web"], sub[id])
			}
			require.Len(t, sub["pairwise"], 43)
			require.NotEqual(t, sub["default"], sub["pairwise"])
		})
	}
}

// TestPseudonymousSubject: a client with public subjects has a pairwise subject in a pseudonymous grant.
func TestPseudonymousSubject(t *testing.T) {
	t.Parallel()
	op := optest.New(t, optest.Options{Clients: []client.Client{app(t, "public", client.Public, "")}, Change: func(c *provider.Config) {
		c.Profile.SubjectType = client.Public
	}})
	require.Equal(t, "kari", subject(t, op, "public", "openid profile"))
	hidden := subject(t, op, "public", "openid profile test:pseudonym")
	require.Len(t, hidden, 43)
	require.Equal(t, hidden, subject(t, op, "public", "openid profile test:pseudonym"))
	all, _ := documents(t, op, op.Browser(), "public", "openid profile test:pseudonym")
	for name, claims := range all {
		require.NotContains(t, claims, "pid", name)
	}
}

// TestPseudonymousBrowserClient: the same holds for a client that does not authenticate.
func TestPseudonymousBrowserClient(t *testing.T) {
	t.Parallel()
	spa := app(t, "spa", client.Public, "")
	spa.ApplicationType, spa.Secrets, spa.Scopes = client.Browser, nil, []string{"openid", "profile", "test:pseudonym"}
	op := optest.New(t, optest.Options{Clients: []client.Client{spa}})
	for scopes, public := range map[string]bool{"openid profile": true, "openid profile test:pseudonym": false} {
		r := op.Request("spa", scopes)
		form := url.Values{
			"grant_type": {"authorization_code"}, "client_id": {"spa"}, "code": {op.Browser().Login(t, r, "kari").Code(t)},
			"redirect_uri": {optest.RedirectURI("spa")}, "code_verifier": {r.Verifier},
		}
		request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, optest.Issuer+"/token", strings.NewReader(form.Encode()))
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		op.ServeHTTP(w, request)
		var tokens map[string]any
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &tokens))
		require.Equal(t, http.StatusOK, w.Code, "%v", tokens)
		idToken := claimsOf(t, op, tokens["id_token"].(string))
		accessToken := tokens["access_token"].(string)
		require.Equal(t, public, idToken["sub"] == "kari")
		require.Equal(t, idToken["sub"], claimsOf(t, op, accessToken)["sub"])
		require.Equal(t, idToken["sub"], op.UserInfo(t, accessToken).JSON["sub"])
		_, hasPID := idToken["pid"]
		require.Equal(t, public, hasPID)
	}
}

// TestHintsWithPublicSubjects: id_tokens with a public and with a pairwise sub are hints to their user, at the authorization endpoint
// and at logout.
func TestHintsWithPublicSubjects(t *testing.T) {
	t.Parallel()
	op := optest.New(t, optest.Options{
		Clients: []client.Client{app(t, "public", client.Public, ""), app(t, "pairwise", client.Pairwise, "")},
		Change:  func(c *provider.Config) { c.Profile = provider.OpenIDConnect() },
	})
	silent := func(b *optest.Browser, clientID, hint string) url.Values {
		t.Helper()
		p := b.Get(t, op.Request(clientID, "openid", "prompt", "none", "id_token_hint", hint).URL())
		require.NotNil(t, p.Left, p.Body)
		return p.Left.Query()
	}
	for _, tt := range []struct{ clientID, scopes string }{
		{"public", "openid profile"}, {"pairwise", "openid profile"},
	} {
		b, ola := op.Browser(), op.Browser()
		_, hint := documents(t, op, b, tt.clientID, tt.scopes)
		require.NotEmpty(t, silent(b, tt.clientID, hint).Get("code"), "%v", tt)
		require.NotNil(t, ola.Login(t, op.Request(tt.clientID, "openid"), "ola").Left)
		require.Equal(t, "login_required", silent(ola, tt.clientID, hint).Get("error"), "the hint names another user")

		out := optest.Issuer + "/logout?" + url.Values{
			"id_token_hint": {hint}, "post_logout_redirect_uri": {optest.RedirectURI(tt.clientID) + "/out"},
		}.Encode()
		p := ola.Get(t, out)
		require.Nil(t, p.Left, "a confirmation page: the hint names another user")
		require.NotEmpty(t, silent(ola, tt.clientID, "").Get("code"), "the session goes on")
		p = b.Get(t, out)
		require.NotNil(t, p.Left, "%d %s", p.Status, p.Body)
		require.Equal(t, optest.RedirectURI(tt.clientID)+"/out", p.Left.String())
		require.Equal(t, "login_required", silent(b, tt.clientID, "").Get("error"), "the session has ended")
	}
}

// TestHintsOfPseudonyms: the id_token of a pseudonymous login is a hint to its user for pseudonymous requests only, and does not log
// the user out without a confirmation: a client that knows the user of a browser could find out who the pseudonym is.
func TestHintsOfPseudonyms(t *testing.T) {
	t.Parallel()
	op := optest.New(t, optest.Options{
		Clients: []client.Client{app(t, "public", client.Public, ""), app(t, "pairwise", client.Pairwise, "")},
		Change: func(c *provider.Config) {
			c.Profile = provider.OpenIDConnect()
			c.Profile.SIDForEveryClient = false // a sid names the session, whoever the user is
		},
	})
	const open, hidden = "openid profile", "openid profile test:pseudonym"
	for _, clientID := range []string{"public", "pairwise"} {
		b := op.Browser()
		hints := map[string]string{}
		_, hints[open] = documents(t, op, b, clientID, open)
		_, hints[hidden] = documents(t, op, b, clientID, hidden)
		for scopes, hint := range hints {
			for requested := range hints {
				p := b.Get(t, op.Request(clientID, requested, "prompt", "none", "id_token_hint", hint).URL())
				require.NotNil(t, p.Left, p.Body)
				require.Equal(t, scopes == requested, p.Left.Query().Has("code"), "%s: a hint of %q for %q", clientID, scopes, requested)
			}
		}
		out := optest.Issuer + "/logout?" + url.Values{
			"id_token_hint": {hints[hidden]}, "post_logout_redirect_uri": {optest.RedirectURI(clientID) + "/out"},
		}.Encode()
		require.Nil(t, b.Get(t, out).Left, "a confirmation page")
		require.NotNil(t, b.Get(t, op.Request(clientID, open, "prompt", "none").URL()).Left, "the session goes on")
	}
}

// TestPseudonymsAreNotOpenSubjects: no document of a pseudonymous grant has the sub of an open grant of the user, at the client and at
// the other clients of its sector, and a client_id that is the host of a sector does not join the sector.
func TestPseudonymsAreNotOpenSubjects(t *testing.T) {
	t.Parallel()
	const sector = "https://example.no/sector.json"
	op := optest.New(t, optest.Options{
		Clients: []client.Client{
			app(t, "alone", client.Pairwise, ""), app(t, "web", client.Pairwise, sector), app(t, "shop", client.Pairwise, sector),
			app(t, "public", client.Public, ""), app(t, "example.no", client.Pairwise, ""),
		},
		Change: func(c *provider.Config) { c.Profile = provider.OpenIDConnect() },
	})
	open, hidden := map[string]string{}, map[string]string{}
	for _, id := range []string{"alone", "web", "shop", "public", "example.no"} {
		open[id], hidden[id] = subject(t, op, id, "openid profile"), subject(t, op, id, "openid profile test:pseudonym")
	}
	for _, of := range hidden {
		require.NotContains(t, slices.Collect(maps.Values(open)), of)
	}
	for _, of := range []map[string]string{open, hidden} {
		require.Equal(t, of["web"], of["shop"])
		require.NotEqual(t, of["web"], of["example.no"])
		require.NotEqual(t, of["web"], of["alone"])
	}
}

// sender keeps the logout tokens by client.
type sender struct {
	mu     sync.Mutex
	tokens map[string]string
}

func (s *sender) Send(_ context.Context, uri, token string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens[uri] = token
	return nil
}

// TestLogoutTokenSubjects: the sub of a logout token is that of the id_tokens. A client that may have pseudonymous grants receives
// none.
func TestLogoutTokenSubjects(t *testing.T) {
	t.Parallel()
	var clients []client.Client
	for _, c := range []client.Client{app(t, "open", client.Public, ""), app(t, "mixed", client.Public, ""), app(t, "pairwise", client.Pairwise, "")} {
		c.BackchannelLogoutURI, c.BackchannelLogoutSessionRequired = "https://"+c.ClientID+".example.no/bc", true
		if c.ClientID != "mixed" {
			c.Scopes = []string{"openid", "profile", scope.Introspection}
		}
		clients = append(clients, c)
	}
	s := &sender{tokens: map[string]string{}}
	op := optest.New(t, optest.Options{Clients: clients, Change: func(c *provider.Config) {
		c.Profile, c.Backchannel = provider.OpenIDConnect(), s
	}})
	b, want, hint := op.Browser(), map[string]any{}, ""
	for id, scopes := range map[string]string{"open": "openid profile", "mixed": "openid profile test:pseudonym", "pairwise": "openid profile"} {
		var all map[string]map[string]any
		all, hint = documents(t, op, b, id, scopes)
		want[id] = all["id_token"]["sub"]
		if id == "mixed" {
			want[id] = nil
		}
	}
	b.Get(t, optest.Issuer+"/logout?id_token_hint="+hint)
	s.mu.Lock()
	defer s.mu.Unlock()
	got := map[string]any{}
	for uri, token := range s.tokens {
		got[strings.TrimSuffix(strings.TrimPrefix(uri, "https://"), ".example.no/bc")] = claimsOf(t, op, token)["sub"]
	}
	require.Equal(t, want, got)
	require.Equal(t, "kari", got["open"])
}
