package client_test

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/httpx"
	"github.com/stretchr/testify/require"
)

func basicHeader(id, secret string) []string {
	return []string{"Basic " + base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(id)+":"+url.QueryEscape(secret)))}
}

// mechanisms are the authentication methods, and one of another scheme, with valid credentials for a client.
var mechanisms = []struct {
	name string
	with func(id string) credentials
}{
	{client.ClientSecretBasic, func(id string) credentials {
		return credentials{Authorization: basicHeader(id, secretText)}
	}},
	{client.ClientSecretPost, func(id string) credentials {
		return credentials{ClientID: id, ClientSecret: secretText}
	}},
	{client.PrivateKeyJWT, func(id string) credentials {
		return withAssertion(id, signJWT(p256Key(), object{"alg": "ES256", "kid": "k1"}, goodClaims(id)))
	}},
	{client.None, func(id string) credentials { return credentials{ClientID: id} }},
	{"bearer", func(id string) credentials {
		return credentials{ClientID: id, Authorization: []string{"Bearer abc"}}
	}},
}

// body returns the response to an error.
func body(t testing.TB, err error) string {
	t.Helper()
	e, ok := errors.AsType[*portner.Error](err)
	require.True(t, ok, "%v", err)
	w := httptest.NewRecorder()
	httpx.WriteError(w, e)
	return fmt.Sprint(w.Code, w.Header(), w.Body.String())
}

func TestAuthenticateOnlyTheRegisteredMethod(t *testing.T) {
	t.Parallel()
	a, _ := authenticator(t, nil)
	registered := map[string]string{
		"basic": client.ClientSecretBasic, "post": client.ClientSecretPost, "jwt": client.PrivateKeyJWT,
		"spa": client.None, "off": "nothing", "unknown": "nothing",
	}
	refusals := map[bool]string{} // by whether the request has an Authorization field
	for id, method := range registered {
		for _, m := range mechanisms {
			got, err := a.Authenticate(t.Context(), m.with(id), now)
			if m.name == method {
				require.NoError(t, err, "%s with %s", id, m.name)
				require.Equal(t, id, got.ClientID)
				require.Equal(t, method, got.AMR)
				continue
			}
			require.ErrorIs(t, err, portner.InvalidClient, "%s with %s", id, m.name)
			require.Nil(t, got.Client)
			header := m.with(id).Authorization != nil
			if refusals[header] == "" {
				refusals[header] = body(t, err)
			}
			require.Equal(t, refusals[header], body(t, err), "%s with %s", id, m.name)
		}
	}
	challenge := `Www-Authenticate:[Basic realm="` + issuer + `"] `
	require.Equal(t, refusals[false], strings.Replace(refusals[true], challenge, "", 1), "the challenge is the only difference")
	require.True(t, strings.HasPrefix(refusals[false], "401 "), refusals[false])
}

func TestAuthenticateOneMethodPerRequest(t *testing.T) {
	t.Parallel()
	a, _ := authenticator(t, nil)
	for _, id := range []string{"basic", "post", "jwt", "spa", "off", "unknown"} {
		for i, m := range mechanisms {
			for j, n := range mechanisms {
				if i >= j || m.name == client.None || n.name == client.None {
					continue // none beside another method is not a second one
				}
				c := merge(m.with(id), n.with(id))
				_, err := a.Authenticate(t.Context(), c, now)
				require.ErrorIs(t, err, portner.InvalidRequest, "%s: %s and %s", id, m.name, n.name)
			}
		}
		c := mechanisms[0].with(id)
		c.Authorization = append(c.Authorization, c.Authorization[0])
		_, err := a.Authenticate(t.Context(), c, now)
		require.ErrorIs(t, err, portner.InvalidRequest, "two headers")

		c = mechanisms[0].with(id) // another parameter beside a valid secret
		c.ClientAssertionType = assertionType
		_, err = a.Authenticate(t.Context(), c, now)
		require.ErrorIs(t, err, portner.InvalidRequest, "assertion type alone")
	}
}

func merge(a, b credentials) credentials {
	a.Authorization = append(a.Authorization, b.Authorization...)
	a.ClientID = cmp.Or(a.ClientID, b.ClientID)
	a.ClientSecret += b.ClientSecret
	a.ClientAssertionType += b.ClientAssertionType
	a.ClientAssertion += b.ClientAssertion
	return a
}

func TestAuthenticateClientID(t *testing.T) {
	t.Parallel()
	a, rec := authenticator(t, nil)
	c := mechanisms[0].with("basic")
	c.ClientID = "basic"
	_, err := a.Authenticate(t.Context(), c, now)
	require.NoError(t, err, "the same client_id in header and body")

	c.ClientID = "post"
	_, err = a.Authenticate(t.Context(), c, now)
	require.ErrorIs(t, err, portner.InvalidClient)
	require.Equal(t, "client_id_mismatch", rec.last(t).Reason)

	c = mechanisms[2].with("jwt")
	c.ClientID = ""
	got, err := a.Authenticate(t.Context(), c, now)
	require.NoError(t, err, "sub names the client (RFC 7521 §4.2)")
	require.Equal(t, "jwt", got.ClientID)
	strict, _ := authenticator(t, func(cfg *client.Config) { cfg.RequireClientID = true })
	_, err = strict.Authenticate(t.Context(), c, now)
	require.ErrorIs(t, err, portner.InvalidRequest, "client_id is required")

	_, err = a.Authenticate(t.Context(), credentials{ClientSecret: secretText}, now)
	require.ErrorIs(t, err, portner.InvalidRequest)

	_, err = a.Authenticate(t.Context(), credentials{}, now)
	require.ErrorIs(t, err, portner.InvalidClient, "no client authentication included")

	for _, id := range []string{strings.Repeat("x", 257), "bas\x00ic", "basic ", "BASIC", "ba\u0073ic\u00a0"} {
		_, err = a.Authenticate(t.Context(), credentials{ClientID: id}, now)
		require.ErrorIs(t, err, portner.InvalidClient, "%q", id)
	}
}

func TestAuthenticateBasicIsFormEncoded(t *testing.T) {
	t.Parallel()
	a, _ := authenticator(t, nil)
	got, err := a.Authenticate(t.Context(), credentials{Authorization: basicHeader("odd id:%+&", secretText)}, now)
	require.NoError(t, err)
	require.Equal(t, "odd id:%+&", got.ClientID)
}

func TestAuthenticateSecrets(t *testing.T) {
	t.Parallel()
	day := 24 * time.Hour
	older, newer := client.GenerateSecret(), client.GenerateSecret()
	for _, tc := range []struct {
		name    string
		secrets []client.Secret
		present string
		reason  string
	}{
		{"one", []client.Secret{secret(t, older, now.Add(day))}, older, ""},
		{"older of two", []client.Secret{secret(t, older, now.Add(day)), secret(t, newer, now.Add(day))}, older, ""},
		{"newer of two", []client.Secret{secret(t, older, now.Add(day)), secret(t, newer, now.Add(day))}, newer, ""},
		{"no expiry", []client.Secret{secret(t, older, time.Time{})}, older, ""},
		{"last moment", []client.Secret{secret(t, older, now.Add(1))}, older, ""},
		{"expired now", []client.Secret{secret(t, older, now)}, older, "secret_expired"},
		{"expired, other live", []client.Secret{secret(t, older, now.Add(-1)), secret(t, newer, now.Add(day))}, older, "secret_expired"},
		{"360 days", []client.Secret{secret(t, older, now.Add(360*day))}, older, ""},
		{"more than 360 days", []client.Secret{secret(t, older, now.Add(360*day+1))}, older, "secret_expired"},
		{"wrong", []client.Secret{secret(t, older, now.Add(day))}, newer, "secret_mismatch"},
		{"prefix", []client.Secret{secret(t, older, now.Add(day))}, older[:42], "secret_mismatch"},
		{"suffix", []client.Secret{secret(t, older, now.Add(day))}, older + "x", "secret_mismatch"},
		{"none registered", nil, older, "secret_mismatch"},
		{"zero hash", []client.Secret{{}}, older, "secret_mismatch"},
		{"a third is never live", []client.Secret{secret(t, newer, now.Add(day)), secret(t, newer, now.Add(day)), secret(t, older, now.Add(day))}, older, "secret_mismatch"},
	} {
		a, rec := authenticator(t, func(cfg *client.Config) {
			cfg.Clients = source{"c": {ClientID: "c", TokenEndpointAuthMethod: client.ClientSecretPost, Secrets: tc.secrets}}
		})
		_, err := a.Authenticate(t.Context(), credentials{ClientID: "c", ClientSecret: tc.present}, now)
		if tc.reason == "" {
			require.NoError(t, err, tc.name)
			continue
		}
		require.ErrorIs(t, err, portner.InvalidClient, tc.name)
		require.Equal(t, tc.reason, rec.last(t).Reason, tc.name)
	}
}

func TestAuthenticateEventsNameRegisteredClientsOnly(t *testing.T) {
	t.Parallel()
	a, rec := authenticator(t, nil)
	for id, want := range map[string]portner.Event{
		"basic": {ClientID: "basic", Reason: "secret_mismatch"},
		"post": {ClientID: "post", Reason: "auth_method_mismatch", Explanation: portner.Explanation{
			Received: "client_secret_basic", Expected: "client_secret_post", Property: "token_endpoint_auth_method",
		}},
		"off":     {ClientID: "off", Reason: "client_disabled"},
		"unknown": {Reason: "client_unknown"},
	} {
		c := credentials{Authorization: basicHeader(id, "wrong"), CorrelationID: "corr"}
		_, err := a.Authenticate(t.Context(), c, now)
		require.ErrorIs(t, err, portner.InvalidClient)
		want.Name, want.Time, want.Endpoint, want.CorrelationID = portner.EventClientAuthFailed, now, "token", "corr"
		got := rec.last(t)
		require.NotEmpty(t, got.Explanation.Parameter)
		require.NotEmpty(t, got.Explanation.Expected)
		if want.Explanation == (portner.Explanation{}) {
			got.Explanation = want.Explanation
		}
		got.Explanation.Parameter = ""
		require.Equal(t, want, got)
	}
}

// TestDefaultMethodIsExplained: the log says that a registration without token_endpoint_auth_method has its default.
func TestDefaultMethodIsExplained(t *testing.T) {
	t.Parallel()
	a, rec := authenticator(t, func(cfg *client.Config) {
		cfg.Clients.(source)["unset"] = &client.Client{ClientID: "unset", Secrets: []client.Secret{secret(t, secretText, now.Add(time.Hour))}}
	})
	for id, want := range map[string]string{
		"unset": "client_secret_basic (the default: none is registered)",
		"spa":   "none (the default: none is registered)",
		"basic": "client_secret_basic",
	} {
		_, err := a.Authenticate(t.Context(), credentials{ClientID: id, ClientSecret: secretText}, now)
		require.ErrorIs(t, err, portner.InvalidClient)
		require.Equal(t, "auth_method_mismatch", rec.last(t).Reason)
		require.Equal(t, portner.Explanation{
			Parameter: "token_endpoint_auth_method", Received: "client_secret_post", Expected: want, Property: "token_endpoint_auth_method",
		}, rec.last(t).Explanation)
	}
	_, err := a.Authenticate(t.Context(), credentials{Authorization: basicHeader("unset", secretText)}, now)
	require.NoError(t, err)
}

// TestPresentedMethodIsNamed: the log names the method that a client used, also one that is not supported.
func TestPresentedMethodIsNamed(t *testing.T) {
	t.Parallel()
	a, rec := authenticator(t, func(cfg *client.Config) {
		cfg.Clients.(source)["hmac"] = &client.Client{ClientID: "hmac", TokenEndpointAuthMethod: "client_secret_jwt", Secrets: []client.Secret{secret(t, secretText, now.Add(time.Hour))}}
	})
	const unsupported = "a method of token_endpoint_auth_methods_supported in place of the registered client_secret_jwt"
	for name, tt := range map[string]struct {
		id     string
		alg    string
		key    any
		reason string
		want   portner.Explanation
	}{
		"HMAC":              {"basic", "HS256", []byte(secretText), "auth_method_mismatch", portner.Explanation{Received: "client_secret_jwt", Expected: "client_secret_basic"}},
		"signature":         {"basic", "ES256", p256Key(), "auth_method_mismatch", portner.Explanation{Received: "private_key_jwt", Expected: "client_secret_basic"}},
		"registered anyway": {"hmac", "HS256", []byte(secretText), "auth_method_unsupported", portner.Explanation{Received: "client_secret_jwt", Expected: unsupported}},
		"other than it":     {"hmac", "ES256", p256Key(), "auth_method_unsupported", portner.Explanation{Received: "private_key_jwt", Expected: unsupported}},
	} {
		_, err := a.Authenticate(t.Context(), withAssertion(tt.id, signJWT(tt.key, object{"alg": tt.alg, "kid": "k1"}, goodClaims(tt.id))), now)
		require.ErrorIs(t, err, portner.InvalidClient, name)
		require.Equal(t, tt.reason, rec.last(t).Reason, name)
		tt.want.Parameter, tt.want.Property = "token_endpoint_auth_method", "token_endpoint_auth_method"
		require.Equal(t, tt.want, rec.last(t).Explanation, name)
	}
}

func TestAuthenticateFaults(t *testing.T) {
	t.Parallel()
	broken := errors.New("database away")
	a, _ := authenticator(t, func(cfg *client.Config) { cfg.Clients = brokenSource{broken} })
	_, err := a.Authenticate(t.Context(), credentials{ClientID: "spa"}, now)
	require.ErrorIs(t, err, broken)
	_, isProtocol := errors.AsType[*portner.Error](err)
	require.False(t, isProtocol)

	a, _ = authenticator(t, func(cfg *client.Config) { cfg.Clients = brokenSource{nil} })
	_, err = a.Authenticate(t.Context(), credentials{ClientID: "spa"}, now)
	require.ErrorContains(t, err, "another client")
}

type brokenSource struct{ err error }

func (s brokenSource) Client(context.Context, string) (*client.Client, error) {
	return &client.Client{ClientID: "other", ApplicationType: client.Browser}, s.err
}

// TestNewAuthenticatorReportsEveryField: each field that can be invalid is reported by name, and all of them at once.
func TestNewAuthenticatorReportsEveryField(t *testing.T) {
	t.Parallel()
	good := client.Config{Issuer: issuer, Clients: source{}}
	_, err := client.NewAuthenticator(good)
	require.NoError(t, err)
	broken := map[string][]func(*client.Config){
		"Issuer": {
			func(c *client.Config) { c.Issuer = "" }, func(c *client.Config) { c.Issuer = "login.example.no" },
			func(c *client.Config) { c.Issuer = issuer + "?x" }, func(c *client.Config) { c.Issuer = "https://a@login.example.no" },
		},
		"AssertionAudience": {func(c *client.Config) { c.AssertionAudience = 2 }},
		"TokenEndpoint":     {func(c *client.Config) { c.TokenEndpoint = "/token" }},
		"Clients":           {func(c *client.Config) { c.Clients = nil }},
	}
	all := good
	for field, changes := range broken {
		for _, change := range changes {
			cfg := good
			change(&cfg)
			_, err := client.NewAuthenticator(cfg)
			require.Equal(t, []string{field}, fieldsOf(err))
		}
		changes[0](&all)
	}
	_, err = client.NewAuthenticator(all)
	require.ElementsMatch(t, []string{"Issuer", "AssertionAudience", "TokenEndpoint", "Clients"}, fieldsOf(err))
	require.ErrorIs(t, err, portner.ErrRequired)
}

func TestNewAttemptLimiterReportsEveryField(t *testing.T) {
	t.Parallel()
	_, err := client.NewAttemptLimiter(1, time.Nanosecond)
	require.NoError(t, err)
	_, err = client.NewAttemptLimiter(0, time.Minute)
	require.Equal(t, []string{"max"}, fieldsOf(err))
	_, err = client.NewAttemptLimiter(1, 0)
	require.Equal(t, []string{"window"}, fieldsOf(err))
	_, err = client.NewAttemptLimiter(-1, -1)
	require.Equal(t, []string{"max", "window"}, fieldsOf(err))
}

// fieldsOf returns the fields that an error names.
func fieldsOf(err error) (names []string) {
	for _, e := range portner.FieldErrors(err) {
		names = append(names, e.Field)
	}
	return names
}

func TestMethodsWithoutReplayStore(t *testing.T) {
	t.Parallel()
	with, _ := authenticator(t, nil)
	require.Equal(t, []string{"client_secret_basic", "client_secret_post", "private_key_jwt", "none"}, with.Methods())
	require.Equal(t, []string{"RS256", "RS384", "RS512", "PS256", "ES256", "EdDSA"}, with.AssertionAlgorithms())
	without, rec := authenticator(t, func(cfg *client.Config) { cfg.Replay = nil })
	require.Equal(t, []string{"client_secret_basic", "client_secret_post", "none"}, without.Methods())
	require.Empty(t, without.AssertionAlgorithms())
	_, err := without.Authenticate(t.Context(), mechanisms[2].with("jwt"), now)
	require.ErrorIs(t, err, portner.InvalidClient)
	require.Equal(t, "auth_method_unsupported", rec.last(t).Reason)
}

func TestSecretsNeverPrint(t *testing.T) {
	t.Parallel()
	s := secret(t, secretText, now)
	c := credentials{ClientSecret: secretText, ClientAssertion: secretText, Authorization: basicHeader("c", secretText)}.request()
	registered := client.Client{ClientID: "c", Secrets: []client.Secret{s}}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		for _, v := range []any{s, &s, c, &c, []client.Secret{s}} {
			require.NotContains(t, fmt.Sprintf(verb, v), secretText)
			require.Contains(t, fmt.Sprintf(verb, v), "REDACTED", "%s %T", verb, v)
		}
		require.NotContains(t, fmt.Sprintf(verb, registered), fmt.Sprintf("%d", s.Hash[0])+" "+fmt.Sprintf("%d", s.Hash[1]))
	}
	require.Equal(t, "REDACTED", s.String()+"")
	require.Equal(t, "REDACTED", c.LogValue().String())
	require.Equal(t, "REDACTED", s.LogValue().String())
	for _, v := range []any{s, &s, []client.Secret{s}, map[string]any{"secret": s}} {
		_, err := json.Marshal(v)
		require.ErrorContains(t, err, "marshal its Client", "it could not be read again")
	}
	text, err := json.Marshal(registered)
	require.NoError(t, err)
	require.NotContains(t, string(text), secretText)
}

func TestNewSecretRejectsLowEntropy(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"replace-this-secret-with-a-random-one-please", "endre-meg-dette-er-bare-et-eksempel", "0123456789abcdef0123456789abcdef",
		"", "secret", strings.Repeat("x", 31), strings.Repeat("ab", 32), strings.Repeat("1234567", 5),
		"0123456789abcdef0123456789abcde", "0123456789abcdef0123456789abcd\n\n", "0123456789abcdef0123456789abcdeø", strings.Repeat("0123456789abcdef", 33),
	} {
		_, err := client.NewSecret(text, time.Time{})
		require.Error(t, err, "%q", text)
		if len(text) > 10 {
			require.NotContains(t, err.Error(), text)
		}
	}
	for _, text := range []string{client.GenerateSecret(), "a3f907bde4c188d25b6ef0139ac72d4e", secretText} {
		_, err := client.NewSecret(text, time.Time{})
		require.NoError(t, err)
	}
	_, err := client.InsecureSecret("demo", time.Time{})
	require.NoError(t, err)
	_, err = client.InsecureSecret("", time.Time{})
	require.Error(t, err)
	require.NotEqual(t, client.GenerateSecret(), client.GenerateSecret())
}
