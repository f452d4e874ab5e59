package token_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/digdir/ansattporten"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/rar"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/token"
)

// withDetails grants authorization_details with a code, as the authorization endpoint stores them.
func withDetails(details string) func(*storage.AuthorizationCode) {
	return func(c *storage.AuthorizationCode) {
		c.Grant.AuthorizationDetails = testVault().SealDetails([]byte(details), c.Grant.ID)
	}
}

const (
	firstDetail  = `{"type":"example","x":[1,{"y":"a"}]}`
	secondDetail = `{"type":"other"}`
	bothDetails  = `[` + firstDetail + `,` + secondDetail + `]`
)

// detailsIn returns the authorization_details of a response, its access token, its id_token and of
// introspection, "" where there is none.
func (f *fixture) detailsIn(a answer) (all [4]string) {
	f.t.Helper()
	require.Equal(f.t, http.StatusOK, a.Code, a.Body.String())
	text := func(claims map[string]any) string {
		if claims["authorization_details"] == nil {
			return ""
		}
		return string(must(json.Marshal(claims["authorization_details"])))
	}
	all[0] = text(a.body)
	if at := a.str("access_token"); strings.Contains(at, ".") {
		_, claims := segments(f.t, at)
		all[1] = text(claims)
	}
	if idToken := a.str("id_token"); idToken != "" {
		_, claims := segments(f.t, idToken)
		all[2] = text(claims)
	}
	all[3] = text(f.introspect("web", a.str("access_token")).body)
	return all
}

func (f *fixture) detailed(details string, scopes ...string) string {
	return f.code(forClient("web", scopes...), withDetails(details))
}

// RFC 9396 §7 and §9: response, access token, id_token and introspection have the granted details.
func TestDetailsInDocuments(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(c *token.Config) { c.IDTokenOnRefresh = true })
	a := f.redeem("web", f.detailed(bothDetails))
	require.Equal(t, [4]string{bothDetails, bothDetails, bothDetails, bothDetails}, f.detailsIn(a))
	require.Equal(t, [4]string{bothDetails, bothDetails, bothDetails, bothDetails}, f.detailsIn(f.refresh("web", a.str("refresh_token"))))
	require.Equal(t, [4]string{"[]", "[]", "[]", "[]"}, f.detailsIn(f.redeem("web", f.detailed(`[]`))), "an empty list was granted")
	require.Equal(t, [4]string{}, f.detailsIn(f.redeem("web", f.code())), "none were requested")
	require.Equal(t, [4]string{bothDetails, "", bothDetails, bothDetails}, f.detailsIn(f.redeem("web", f.detailed(bothDetails, "openid", "api:opaque"))))
}

// RFC 9396 §6.1: a token request narrows one access token; the grant keeps its details.
func TestDetailsAreNarrowed(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(c *token.Config) { c.IDTokenOnRefresh = true })
	with := func(form url.Values, details string) url.Values {
		form.Set("authorization_details", details)
		return form
	}
	one := `[` + secondDetail + `]`
	code := f.detailed(bothDetails)
	f.requireError(f.send(f.ep, "web", with(codeForm(code), `[{"type":"third"}]`)), http.StatusBadRequest, portner.InvalidAuthorizationDetails)
	a := f.send(f.ep, "web", with(codeForm(code), one))
	require.Equal(t, [4]string{one, one, one, one}, f.detailsIn(a), "a rejected request consumes no code")

	a = f.send(f.ep, "web", with(refreshForm(a.str("refresh_token")), `[{"x":[1,{"y":"a"}],"type":"example"}]`))
	first := `[` + firstDetail + `]`
	require.Equal(t, [4]string{first, first, first, first}, f.detailsIn(a), "the other one: the grant has both")
	for name, details := range map[string]string{
		"more":                     `[` + firstDetail + `,{"type":"third"}]`,
		"a changed member":         `[{"type":"example","x":[2]}]`,
		"a member more":            `[{"type":"other","x":1}]`,
		"a member less":            `[{"type":"example"}]`,
		"no JSON":                  `x`,
		"no array":                 secondDetail,
		"no objects":               `["other"]`,
		"a member twice":           `[{"type":"other","type":"other"}]`,
		"a member in another case": `[{"Type":"other"}]`,
	} {
		refused := f.send(f.ep, "web", with(refreshForm(a.str("refresh_token")), details))
		require.Equal(t, "invalid_authorization_details", refused.str("error"), name)
		require.Equal(t, http.StatusBadRequest, refused.Code, name)
	}
	a = f.send(f.ep, "web", with(refreshForm(a.str("refresh_token")), `[]`))
	require.Equal(t, [4]string{"[]", "[]", "[]", "[]"}, f.detailsIn(a), "an empty list is narrower")
	a = f.refresh("web", a.str("refresh_token"))
	require.Equal(t, bothDetails, f.detailsIn(a)[1], "without the parameter: all that was granted")

	plain := f.redeem("web", f.code())
	f.requireError(f.send(f.ep, "web", with(refreshForm(plain.str("refresh_token")), one)), http.StatusBadRequest, portner.InvalidAuthorizationDetails)
}

// If a scope of the code requires pseudonymous tokens now, the client does not receive the details, because they can name the user. A
// resource server that may resolve the user receives them.
func TestDetailsOfPseudonyms(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(c *token.Config) { c.IDTokenOnRefresh = true })
	named := `[{"type":"idporten:fullmakt","authorized_representative":{"pid":"\u0032` + pid[1:] + `"}}]`
	require.Contains(t, f.detailsIn(f.redeem("web", f.detailed(named, "openid", "api:read")))[2], pid)
	code := f.detailed(named, "openid", "api:read")
	f.scopes["api:read"].RequiresPseudonymousTokens = true
	a := f.redeem("web", code)
	require.Equal(t, [4]string{}, f.detailsIn(a))
	require.NotContains(t, a.Body.String(), pid)
	resolved := f.introspect("api", a.str("access_token")).body
	require.Equal(t, pid, resolved["pid"])
	require.NotNil(t, resolved["authorization_details"])

	byReference := f.redeem("web", f.detailed(named, "api:opaque"))
	require.Equal(t, "", f.detailsIn(byReference)[0], "opaque tokens: only introspection returns the details")
	require.NotNil(t, f.introspect("api", byReference.str("access_token")).body["authorization_details"])
}

// A client that must not see the details cannot name them: a request that is accepted only with the exact details would disclose the
// number in them to a client that guesses.
func TestDetailsCannotBeGuessed(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	guess := func(number string) string { return `[{"type":"idporten:fullmakt","pid":"` + number + `"}]` }
	code := f.detailed(guess(pid), "api:opaque")
	form := codeForm(code)
	form.Set("authorization_details", guess(pid))
	f.requireError(f.send(f.ep, "web", form), http.StatusBadRequest, portner.InvalidAuthorizationDetails)
	a := f.redeem("web", code)
	require.Equal(t, http.StatusOK, a.Code)
	var bodies []string
	for _, number := range []string{pid, "45840375084"} {
		form := refreshForm(a.str("refresh_token"))
		form.Set("authorization_details", guess(number))
		refused := f.send(f.ep, "web", form)
		f.requireError(refused, http.StatusBadRequest, portner.InvalidAuthorizationDetails)
		bodies = append(bodies, refused.Body.String())
	}
	require.Equal(t, bodies[0], bodies[1])
}

// The details of grants and tokens are encrypted in the store: they can contain a national identity number.
func TestDetailsRestSealed(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	a := f.redeem("web", f.detailed(`[{"type":"idporten:fullmakt","authorizer":{"pid":"`+pid+`"}}]`))
	access, grant, err := f.store.AccessToken(t.Context(), storage.HashOf(a.str("access_token")), f.clock())
	require.NoError(t, err)
	for _, stored := range [][]byte{access.AuthorizationDetails, grant.AuthorizationDetails} {
		require.NotEmpty(t, stored)
		require.NotContains(t, string(stored), pid)
		require.NotContains(t, string(stored), "fullmakt")
	}
}

// Details that cannot be decrypted are a fault of the provider.
func TestDetailsOfAnotherGrant(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	code := f.code(func(c *storage.AuthorizationCode) {
		c.Grant.AuthorizationDetails = testVault().SealDetails([]byte(bothDetails), "another grant")
	})
	f.requireError(f.redeem("web", code), http.StatusInternalServerError, portner.ServerError)
	_, err := f.store.Code(t.Context(), storage.HashOf(code), f.clock())
	require.False(t, errors.Is(err, storage.ErrConsumed), "nothing was consumed")
}

// The id_token of Ansattporten has the name. That of ID-porten and access tokens do not.
func TestNameClaim(t *testing.T) {
	t.Parallel()
	kari := session.Identity{
		Subject: "k", Identifiers: identified(session.TypePID, pid), Attributes: map[string]string{"name": "Kari Nordmann"},
	}
	for _, names := range []bool{true, false} {
		profile := provider.IDPorten()
		if names {
			profile = ansattporten.Profile()
		}
		f := newFixture(t, withProfile(profile))
		a := f.redeem("web", f.code(identity(kari)))
		_, idToken := segments(t, a.str("id_token"))
		_, access := segments(t, a.str("access_token"))
		info := f.userInfo(a.str("access_token")).body
		require.Equal(t, names, idToken["name"] == "Kari Nordmann")
		require.Equal(t, idToken["name"], info["name"], "userinfo and id_token agree")
		require.NotContains(t, access, "name")
		pseudo := f.redeem("web", f.code(forClient("web", "openid", "api:pseudo"), identity(kari)))
		_, idToken = segments(t, pseudo.str("id_token"))
		require.NotContains(t, idToken, "name")
	}
	f := newFixture(t, withProfile(provider.OpenIDConnect()))
	info := f.userInfo(f.redeem("web", f.code(identity(kari))).str("access_token")).body
	require.Equal(t, "Kari Nordmann", info["name"], "a standard claim of the scope profile")
}

// Granted details are evaluated again when a code is redeemed and at each refresh. If none is left, the grant ends. A register that
// does not answer is an outage.
func TestDetailsAreEvaluatedAgain(t *testing.T) {
	t.Parallel()
	var left []string
	var fault error
	var requests []rar.Request
	deny := func(context.Context, rar.Request, []rar.Detail, []string) ([]json.RawMessage, error) {
		return nil, rar.ErrDenied
	}
	types := must(rar.NewRegistry(rar.Type{Name: "other", Grant: deny}, rar.Type{
		Name: "example", Grant: deny,
		Refresh: func(_ context.Context, r rar.Request, _ []rar.Detail) (all []json.RawMessage, err error) {
			requests = append(requests, r)
			for _, text := range left {
				all = append(all, json.RawMessage(text))
			}
			return all, fault
		},
	}))
	f := newFixture(t, func(c *token.Config) { c.AuthorizationDetails, c.IDTokenOnRefresh = types, true })
	left = []string{firstDetail}
	a := f.redeem("web", f.detailed(bothDetails))
	require.Equal(t, bothDetails, f.detailsIn(a)[0], "a type without Refresh keeps its details when the code is redeemed")
	require.Equal(t, "web", requests[0].ClientID)
	require.Equal(t, consumerOrgno, requests[0].Organisation)
	require.NotEmpty(t, requests[0].Subject)
	require.NotEmpty(t, requests[0].Identifiers)
	require.Equal(t, f.clock(), requests[0].Now)

	one := `[` + firstDetail + `]`
	a = f.refresh("web", a.str("refresh_token"))
	require.Equal(t, [4]string{one, one, one, one}, f.detailsIn(a), "a type without Refresh loses its details at a refresh")
	named := refreshForm(a.str("refresh_token"))
	named.Set("authorization_details", `[`+secondDetail+`]`)
	f.requireError(f.send(f.ep, "web", named), http.StatusBadRequest, portner.InvalidAuthorizationDetails)

	for _, broken := range []func(){func() { fault = errOutage }, func() { left = []string{`{"type":"example","x":[1,{"y":"b"}]}`} }} {
		broken()
		f.requireError(f.refresh("web", a.str("refresh_token")), http.StatusServiceUnavailable, portner.TemporarilyUnavailable)
		code := f.detailed(bothDetails)
		f.requireError(f.redeem("web", code), http.StatusServiceUnavailable, portner.TemporarilyUnavailable)
		left, fault = []string{firstDetail}, nil
		require.Equal(t, http.StatusOK, f.redeem("web", code).Code, "an outage consumes nothing")
	}
	a = f.refresh("web", a.str("refresh_token"))
	require.Equal(t, one, f.detailsIn(a)[0])

	left, f.events = nil, nil
	lost := f.detailed(one)
	f.requireError(f.redeem("web", lost), http.StatusBadRequest, portner.InvalidGrant)
	f.requireError(f.refresh("web", a.str("refresh_token")), http.StatusBadRequest, portner.InvalidGrant)
	for _, e := range f.events {
		require.Equal(t, "details_withdrawn", e.Reason)
	}
	left = []string{firstDetail}
	f.requireError(f.redeem("web", lost), http.StatusBadRequest, portner.InvalidGrant)
	f.requireError(f.refresh("web", a.str("refresh_token")), http.StatusBadRequest, portner.InvalidGrant)
	require.False(t, f.active(a.str("access_token")), "the grant has ended")

	calls := len(requests)
	f.refresh("web", f.redeem("web", f.detailed(`[]`)).str("refresh_token"))
	f.refresh("web", f.login("web", "openid").str("refresh_token"))
	require.Len(t, requests, calls, "without details nothing is evaluated")
}
