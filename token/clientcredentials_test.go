package token_test

import (
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/token"
)

// machineFixture is a fixture with the grant type client_credentials for the client "job".
func machineFixture(t testing.TB, change ...func(*token.Config)) *fixture {
	var f *fixture
	add := func(c *token.Config) {
		c.GrantHandlers = append(c.GrantHandlers, token.ClientCredentials(c.Store.(token.GrantStore)))
	}
	f = newFixture(t, append([]func(*token.Config){add}, change...)...)
	job := *f.clients["web"]
	job.ClientID, job.GrantTypes, job.RedirectURIs = "job", []string{client.ClientCredentials}, nil
	job.Scopes = []string{"openid", "profile", "email", "offline_access", scope.Introspection, "api:read", "api:short", "api:opaque"}
	f.clients["job"] = &job
	for _, s := range []scope.Scope{
		{Name: "offline_access"},
		{Name: "api:login", RequiresUserAuthentication: true},
		{Name: "api:inactive", Inactive: true},
		{Name: "api:denied", OwnerOrgno: ownerOrgno},
	} {
		s.AccessibleForAll = s.Name != "api:denied"
		f.scopes[s.Name] = &s
	}
	return f
}

func withMachineSubject(c *token.Config) { c.MachineSubject = "client_id" }

func machineForm(scopes string, more ...string) url.Values {
	form := url.Values{"grant_type": {client.ClientCredentials}}
	if scopes != "" {
		form.Set("scope", scopes)
	}
	for i := 0; i < len(more); i += 2 {
		form.Add(more[i], more[i+1])
	}
	return form
}

// RFC 6749 §4.4.3: a response has an access token for the client and no refresh token; RFC 9068 §2.2: its sub is the client_id.
func TestClientCredentials(t *testing.T) {
	t.Parallel()
	f := machineFixture(t, withProfile(provider.OpenIDConnect()), withMachineSubject)
	a := f.send(f.ep, "job", machineForm("api:read", "resource", "https://api.example.no"))
	require.Equal(t, http.StatusOK, a.Code, a.Body.String())
	require.ElementsMatch(t, []string{"access_token", "token_type", "expires_in", "scope"}, names(a.body))
	require.Equal(t, "api:read", a.str("scope"))
	header, claims := segments(t, a.str("access_token"))
	require.Equal(t, "at+jwt", header["typ"])
	require.Equal(t, "job", claims["sub"])
	require.Equal(t, "job", claims["client_id"])
	require.Equal(t, "https://api.example.no", claims["aud"])
	for _, ofUser := range []string{"acr", "amr", "auth_time", "pid", "nonce", "sid"} {
		require.NotContains(t, claims, ofUser)
	}
	require.Equal(t, []portner.EventName{portner.EventTokenIssued}, f.eventNames())

	seen := f.introspect("job", a.str("access_token"))
	for _, name := range []string{"sub", "client_id", "aud", "scope", "exp", "iat", "jti", "iss"} {
		require.Equal(t, claims[name], seen.body[name], name)
	}
	f.requireError(f.userInfo(a.str("access_token")), http.StatusUnauthorized, portner.InvalidToken) // aud is another API
	plain := f.send(f.ep, "job", machineForm("api:read")).str("access_token")
	f.requireError(f.userInfo(plain), http.StatusForbidden, portner.InsufficientScope)
	require.Equal(t, http.StatusOK, f.send(f.ep.Revocation(), "job", url.Values{"token": {plain}}).Code)
	require.Equal(t, false, f.introspect("job", plain).body["active"])
	require.Equal(t, true, f.introspect("job", a.str("access_token")).body["active"], "each request has a grant of its own")
}

func names(body map[string]any) (all []string) {
	for name := range body {
		all = append(all, name)
	}
	return all
}

// The sub of machine tokens is a value of the profile; without it there is none, also in introspection.
func TestMachineSubject(t *testing.T) {
	t.Parallel()
	require.Equal(t, "client_id", provider.OpenIDConnect().MachineSubject)
	require.Empty(t, provider.IDPorten().MachineSubject)
	f := machineFixture(t)
	for _, scopes := range []string{"api:read", "api:opaque"} {
		value := f.send(f.ep, "job", machineForm(scopes)).str("access_token")
		require.NotContains(t, f.introspect("api", value).body, "sub")
		require.NotContains(t, f.introspect("job", value).body, "sub")
	}
	f = machineFixture(t, withMachineSubject)
	value := f.send(f.ep, "job", machineForm("api:opaque")).str("access_token")
	for _, caller := range []string{"job", "api", "listed"} {
		require.Equal(t, "job", f.introspect(caller, value).body["sub"], "a client is no user whose identity is withheld")
	}
	cfg := f.cfg
	cfg.MachineSubject = "organisation"
	_, err := token.New(cfg)
	require.ErrorContains(t, err, "MachineSubject: must be client_id or empty")
	cfg.MachineSubject, cfg.GrantHandlers = "", []token.GrantHandler{token.ClientCredentials(nil)}
	_, err = token.New(cfg)
	require.ErrorContains(t, err, "GrantHandlers[0].Handle: is required")
}

// Scopes that concern a user, or need a consent or a login, are not for a client alone; the others follow its registration.
func TestClientCredentialsScopes(t *testing.T) {
	t.Parallel()
	f := machineFixture(t)
	f.clients["job"].Scopes = append(f.clients["job"].Scopes, "api:consent", "api:login", "api:inactive", "api:denied", "api:unknown")
	for _, scopes := range []string{
		"openid", "profile", "email", "offline_access", "no_pid", "api:consent", "api:login", "api:inactive", "api:denied", "api:unknown",
		"api:write", "api:read openid", "api:read api:write", "api:read  api:short", "\"",
	} {
		f.requireError(f.send(f.ep, "job", machineForm(scopes)), http.StatusBadRequest, portner.InvalidScope)
	}
	// RFC 6749 §3.3: without scope, the default is every registered scope of an API that the client may have without a user.
	a := f.send(f.ep, "job", machineForm(""))
	require.Equal(t, "api:read api:short api:opaque", a.str("scope"), a.Body.String())
	f.clients["job"].Scopes = []string{"openid", "api:consent"}
	f.requireError(f.send(f.ep, "job", machineForm("")), http.StatusBadRequest, portner.InvalidScope)
}

func TestClientCredentialsRefusals(t *testing.T) {
	t.Parallel()
	f := machineFixture(t)
	f.requireError(f.send(f.ep, "web", machineForm("api:read")), http.StatusBadRequest, portner.UnauthorizedClient)
	f.requireError(f.send(f.ep, "nobody", machineForm("api:read")), http.StatusUnauthorized, portner.InvalidClient)
	wrong := f.request("job", machineForm("api:read"))
	wrong.SetBasicAuth("job", "wrong")
	f.requireError(f.sendRequest(f.ep, wrong), http.StatusUnauthorized, portner.InvalidClient)
	// A registration that is older than the rules: RFC 6749 §4.4 is for confidential clients.
	f.clients["spa"].GrantTypes = append(f.clients["spa"].GrantTypes, client.ClientCredentials)
	f.requireError(f.send(f.ep, "spa", machineForm("api:read")), http.StatusBadRequest, portner.UnauthorizedClient)
	for _, target := range []string{"https://api.example.no#f", "job", issuer, "api", "http://api.example.no", "x"} {
		f.requireError(f.send(f.ep, "job", machineForm("api:read", "resource", target)), http.StatusBadRequest, portner.InvalidTarget)
	}
	six := slices.Repeat([]string{"resource", "https://api.example.no"}, 6)
	f.requireError(f.send(f.ep, "job", machineForm("api:read", six...)), http.StatusBadRequest, portner.InvalidTarget)
}

// A grant ends with its only token, and with its client.
func TestClientCredentialsEnd(t *testing.T) {
	t.Parallel()
	f := machineFixture(t)
	f.clients["job"].AccessTokenLifetime = 60
	a := f.send(f.ep, "job", machineForm("api:read"))
	require.EqualValues(t, 60, a.body["expires_in"])
	short := f.send(f.ep, "job", machineForm("api:read api:short"))
	require.EqualValues(t, 30, short.body["expires_in"])
	f.advance(time.Minute - 1)
	require.Equal(t, true, f.introspect("job", a.str("access_token")).body["active"])
	f.advance(1)
	require.Equal(t, false, f.introspect("job", a.str("access_token")).body["active"])
	b := f.send(f.ep, "job", machineForm("api:read")).str("access_token")
	f.clients["job"].Disabled = true
	require.Equal(t, false, f.introspect("web", b).body["active"])
	require.Equal(t, false, f.introspect("api", b).body["active"])
}
