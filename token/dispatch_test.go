package token_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/digdir/maskinporten"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/token"
)

// Malformed forms are rejected before anything else happens.
func TestForms(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		change func(*http.Request, *string)
		status int
		reason string // and, after a space, the parameter of the explanation
	}{
		{"repeated", func(_ *http.Request, b *string) { *b += "&code=x" }, 400, "parameter_repeated code"},
		{"repeated with the same value", func(_ *http.Request, b *string) { *b += "&grant_type=authorization_code" }, 400, "parameter_repeated grant_type"},
		{"repeated unknown", func(_ *http.Request, b *string) { *b += "&x=1&x=2" }, 400, "parameter_repeated"},
		{"in the URL", func(r *http.Request, _ *string) { r.URL.RawQuery = "code_verifier=x" }, 400, "parameters_in_query"},
		{"JSON", func(r *http.Request, _ *string) { r.Header.Set("Content-Type", "application/json") }, 400, "content_type Content-Type"},
		{"none", func(r *http.Request, _ *string) { r.Header.Del("Content-Type") }, 400, "content_type Content-Type"},
		{"multipart", func(r *http.Request, _ *string) { r.Header.Set("Content-Type", "multipart/form-data; boundary=x") }, 400, "content_type Content-Type"},
		{"charset", func(r *http.Request, _ *string) { r.Header.Set("Content-Type", formType+"; charset=UTF-8") }, 200, ""},
		{"compressed", func(r *http.Request, _ *string) { r.Header.Set("Content-Encoding", "gzip") }, 400, "content_encoding Content-Encoding"},
		{"giant", func(_ *http.Request, b *string) { *b += "&x=" + strings.Repeat("a", 70<<10) }, 413, "request_too_large"},
		{"many", func(_ *http.Request, b *string) { *b += strings.Repeat("&a=b", 100) }, 400, "too_many_parameters"},
		{"percent", func(_ *http.Request, b *string) { *b += "&x=%zz" }, 400, "percent_encoding"},
		{"semicolon", func(_ *http.Request, b *string) { *b += ";x=1" }, 400, "semicolon"},
		{"NUL", func(_ *http.Request, b *string) { *b += "&x=%00" }, 400, "control_character"},
		{"UTF-8", func(_ *http.Request, b *string) { *b += "&x=%ff" }, 400, "invalid_utf8"},
		{"unknown parameter", func(_ *http.Request, b *string) { *b += "&x=1" }, 200, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			code := f.code()
			body := codeForm(code).Encode()
			r := f.request("web", nil)
			tt.change(r, &body)
			sent := httptest.NewRequest(http.MethodPost, r.URL.String(), strings.NewReader(body))
			sent.Header = r.Header
			a := f.sendRequest(f.ep, sent)
			require.Equal(t, tt.status, a.Code, a.Body.String())
			if tt.status != http.StatusOK {
				require.Equal(t, "invalid_request", a.str("error"))
				refused := f.events[len(f.events)-1]
				require.Equal(t, tt.reason, strings.TrimSpace(refused.Reason+" "+refused.Explanation.Parameter))
				require.NotEmpty(t, refused.Explanation.Expected)
				if name, repeated := strings.CutPrefix(tt.reason, "parameter_repeated "); repeated {
					require.Equal(t, "The parameter "+name+" is repeated.", a.str("error_description"))
				}
				require.Equal(t, http.StatusOK, f.redeem("web", code).Code, "nothing was consumed")
			}
		})
	}
}

// The log names the rule of a method that an endpoint does not have.
func TestMethodIsExplained(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.events = nil
	a := f.sendRequest(f.ep, httptest.NewRequest(http.MethodGet, issuer+"/token", nil))
	require.Equal(t, http.StatusMethodNotAllowed, a.Code)
	require.Len(t, f.events, 1)
	require.Equal(t, "method_not_allowed", f.events[0].Reason)
	require.NotEmpty(t, f.events[0].Explanation.Expected)
}

// The log names the rule that parameters of client authentication break.
func TestMalformedAuthenticationIsExplained(t *testing.T) {
	t.Parallel()
	for reason, form := range map[string]url.Values{
		"auth_method_repeated":          {"client_id": {"web"}, "client_secret": {"x"}, "client_assertion": {"x"}},
		"client_id_missing":             {"client_secret": {"x"}},
		"client_assertion_type_unknown": {"client_assertion": {"x"}},
		"client_assertion_missing":      {"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}},
	} {
		f := newFixture(t)
		form.Set("grant_type", client.AuthorizationCode)
		r := httptest.NewRequest(http.MethodPost, issuer+"/token", strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", formType)
		a := f.sendRequest(f.ep, r)
		require.Equal(t, "invalid_request", a.str("error"), reason)
		require.Equal(t, reason, f.events[len(f.events)-1].Reason)
		require.NotEmpty(t, f.events[len(f.events)-1].Explanation.Expected)
	}
}

func TestGrantTypes(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for grantType, want := range map[string]portner.ErrorCode{
		"": portner.InvalidRequest, "password": portner.UnsupportedGrantType, "AUTHORIZATION_CODE": portner.UnsupportedGrantType,
		"urn:ietf:params:oauth:grant-type:jwt-bearer": portner.UnsupportedGrantType, "client_credentials": portner.UnsupportedGrantType,
		client.AuthorizationCode: portner.InvalidRequest, client.RefreshToken: portner.InvalidRequest,
	} {
		f.requireError(f.send(f.ep, "web", url.Values{"grant_type": {grantType}}), http.StatusBadRequest, want)
	}
	f.requireError(f.send(f.ep, "nobody", url.Values{"grant_type": {"password"}}), http.StatusUnauthorized, portner.InvalidClient)
}

// assertionGrant returns a grant handler that verifies an assertion, as RFC 7523 §2.1 does.
func assertionGrant(f **fixture) token.GrantHandler {
	return token.GrantHandler{Type: client.JWTBearer, Unauthenticated: true, Handle: func(ctx context.Context, r *token.Request, m *token.Minter) (*token.Response, error) {
		return assertion(ctx, *f, r, m)
	}}
}

func assertion(ctx context.Context, f *fixture, r *token.Request, m *token.Minter) (*token.Response, error) {
	if r.Client.Client != nil {
		return nil, fmt.Errorf("authenticated already")
	}
	if r.Form.Get("assertion") != "good" {
		return nil, &portner.Error{Code: portner.InvalidGrant}
	}
	c, err := f.Client(ctx, "web")
	if err != nil {
		return nil, err
	}
	r.Client = client.Authenticated{Client: c, AMR: client.PrivateKeyJWT}
	var stored *storage.Issuance
	res, err := m.Mint(ctx, token.Contents{
		Client: r.Client, Grant: storage.Grant{ID: "machine"}, Scopes: []string{"api:read"}, JTI: strings.Repeat("x", 43),
	}, func(_ context.Context, i *storage.Issuance) error { stored = i; return nil })
	if err == nil && (stored.Access.GrantID != "machine" || stored.Refresh != nil) {
		return nil, fmt.Errorf("wrong issue")
	}
	return res, err
}

// A grant handler adds a grant type, with or without client authentication.
func TestFurtherGrants(t *testing.T) {
	t.Parallel()
	var f *fixture
	f = newFixture(t, func(c *token.Config) { c.GrantHandlers = []token.GrantHandler{assertionGrant(&f)} })
	a := f.send(f.ep, "", url.Values{"grant_type": {client.JWTBearer}, "assertion": {"good"}})
	require.Equal(t, http.StatusOK, a.Code, a.Body.String())
	_, claims := segments(t, a.str("access_token"))
	require.NotContains(t, claims, "sub")
	require.Equal(t, "private_key_jwt", claims["client_amr"])
	require.Contains(t, claims, "consumer")
	require.Equal(t, "web", f.events[0].ClientID)
	f.requireError(f.send(f.ep, "", url.Values{"grant_type": {client.JWTBearer}, "assertion": {"bad"}}), http.StatusBadRequest, portner.InvalidGrant)
}

// TestWithoutStore: an endpoint whose grant handlers all authenticate requests themselves needs no store, authenticator and vault.
func TestWithoutStore(t *testing.T) {
	t.Parallel()
	_, err := token.New(token.Config{})
	require.ErrorContains(t, err, "Store: is required without GrantHandlers")
	f := newFixture(t)
	ep, err := token.New(token.Config{
		Issuer: f.cfg.Issuer, Clients: f.cfg.Clients, Scopes: f.cfg.Scopes, Keys: f.cfg.Keys, Now: f.cfg.Now, GrantHandlers: []token.GrantHandler{assertionGrant(&f)},
		Claims: []token.ClaimsFunc{maskinporten.Claims},
	})
	require.NoError(t, err)
	require.Nil(t, ep.UserInfo())
	require.Nil(t, ep.Introspection())
	require.Nil(t, ep.Revocation())
	a := f.send(ep, "", url.Values{"grant_type": {client.JWTBearer}, "assertion": {"good"}})
	require.Equal(t, http.StatusOK, a.Code, a.Body.String())
	_, claims := segments(t, a.str("access_token"))
	require.Equal(t, "Bearer", claims["token_type"])
	require.Len(t, claims["jti"], 43)
	for _, unknown := range []string{"client_credentials", "authorization_code", "refresh_token"} {
		f.requireError(f.send(ep, "", url.Values{"grant_type": {unknown}}), http.StatusBadRequest, portner.UnsupportedGrantType)
	}
}

// Logs, events and errors contain no secrets.
func TestLogsHoldNoSecrets(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	f := newFixture(t, func(c *token.Config) { c.Logger = textLogger(&log) })
	code := f.code()
	a := f.redeem("web", code)
	b := f.refresh("web", a.str("refresh_token"))
	f.userInfo(b.str("access_token"))
	f.introspect("web", b.str("access_token"))
	f.introspect("nosy", b.str("access_token"))
	f.refresh("web", a.str("refresh_token"))
	f.redeem("web", code)
	f.send(f.ep.Revocation(), "other", url.Values{"token": {b.str("access_token")}})
	f.send(f.ep, "web", url.Values{"grant_type": {"unknown"}, "code": {"secret-code"}, "code_verifier": {"secret-verifier"}})
	_, claims := segments(t, a.str("id_token"))
	for _, s := range []string{
		pid, code, verifier, challenge, secret, a.str("access_token"), a.str("refresh_token"), b.str("access_token"),
		claims["sub"].(string), "secret-", "nonce-1",
	} {
		require.NotContains(t, log.String(), s)
		require.NotContains(t, fmt.Sprintf("%+v", f.events), s)
	}
	require.Contains(t, log.String(), "token.issued")
	require.Equal(t, "REDACTED", fmt.Sprintf("%v", token.Response{AccessToken: "x"}))
}

// After too many failures the response is 429, and the failure is logged once.
func TestTooManyAttempts(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(c *token.Config) {
		c.Authenticator = must(client.NewAuthenticator(client.Config{Issuer: issuer, Clients: c.Clients, OnEvent: c.OnEvent}))
	})
	code := f.code()
	for i := range 12 {
		r := f.request("web", codeForm(code))
		r.SetBasicAuth("web", "wrong")
		a := f.sendRequest(f.ep, r)
		want := http.StatusUnauthorized
		if i >= 10 {
			want = http.StatusTooManyRequests
			require.NotEmpty(t, a.Header().Get("Retry-After"))
		}
		require.Equal(t, want, a.Code, i)
		require.Equal(t, []portner.EventName{portner.EventClientAuthFailed}, f.eventNames())
	}
}

// A grant without a user has no id_token, and a zero auth_time is left out.
func TestGrantWithoutUser(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	code := f.code(func(c *storage.AuthorizationCode) { c.Grant.Identity = nil })
	f.requireError(f.redeem("web", code), http.StatusInternalServerError, portner.ServerError)
	code = f.code(func(c *storage.AuthorizationCode) { c.Grant.AuthTime = time.Time{} })
	_, claims := segments(t, f.redeem("web", code).str("id_token"))
	require.NotContains(t, claims, "auth_time")
}
