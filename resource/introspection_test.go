package resource_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/resource"
)

// endpoint is an introspection endpoint. It records its requests.
type endpoint struct {
	fakeIssuer
	user, password string
	form           url.Values
}

// responds sets the response to the next requests.
func (a *endpoint) responds(status int, doc string, header ...string) {
	a.answers(func(r *http.Request) (*http.Response, error) {
		a.user, a.password, _ = r.BasicAuth()
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		if a.form, err = url.ParseQuery(string(body)); err != nil || r.Method != http.MethodPost || r.ContentLength != int64(len(body)) {
			return nil, errors.New("not a form")
		}
		return response(status, []byte(doc), header...), nil
	})
}

// active returns an active response for a token that is valid for an hour.
func active(t *testing.T, pairs ...any) string {
	now := time.Now().Unix()
	return string(person(t).with("active", true, "token_type", "Bearer", "iat", now, "exp", now+3600).with(pairs...).json(t))
}

func (a *endpoint) config(t *testing.T) resource.Config {
	return resource.Config{Issuer: maskinporten, URL: api, Keys: issuerKeys(t), Introspection: &resource.Introspection{
		Endpoint: "https://test.maskinporten.no/tokeninfo", ClientID: "api:eier", ClientSecret: portner.Secret("w4+%q8H2vTz5yWm0RkN7uXc4LbP9sKd3"),
		HTTP: &http.Client{Transport: a},
	}}
}

// TestIntrospection checks which introspection responses (RFC 7662) make an opaque token valid.
func TestIntrospection(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		pairs  []any // members of the response, unless doc is set
		doc    string
		status int // of the response; 0 is 200
		header []string
		want   int
	}{
		{name: "active", want: 200},
		{name: "without iss and iat", pairs: []any{"iss", nil, "iat", nil}, want: 200},
		{name: "times with a fraction", pairs: []any{"iat", json.Number("946684799.125"), "exp", json.Number("4102444800.5")}, want: 200},
		{name: "exp is text", pairs: []any{"exp", "4102444800"}, want: 401},
		{name: "token_type in another case", pairs: []any{"token_type", "bearer"}, want: 200},
		{name: "more members", pairs: []any{"expires_in", 10, "client_orgno", "991825827"}, want: 200},
		{name: "inactive", doc: `{"active":false}`, want: 401},
		{name: "active is text", pairs: []any{"active", "true"}, want: 401},
		{name: "active missing", pairs: []any{"active", nil}, want: 401},
		{name: "of another issuer", pairs: []any{"iss", "https://test.maskinporten.no"}, want: 401},
		{name: "expired", pairs: []any{"exp", 1}, want: 401},
		{name: "no exp", pairs: []any{"exp", nil}, want: 401},
		{name: "a refresh token", pairs: []any{"token_type", nil}, want: 401},
		{name: "bound to a key", pairs: []any{"cnf", map[string]any{"jkt": thumbprint}, "token_type", "DPoP"}, want: 401},
		{name: "for another API", pairs: []any{"aud", "https://other.example"}, want: 401},
		{name: "wrong scope", pairs: []any{"scope", "difitest:test22"}, want: 403},
		{name: "unknown client", doc: `{"error":"invalid_client"}`, status: 401, want: 503},
		{name: "a redirect", status: 307, header: []string{"Location", "https://evil.example"}, want: 503},
		{name: "an error", status: 500, want: 503},
		{name: "HTML", header: []string{"Content-Type", "text/html"}, want: 503},
		{name: "active twice", doc: `{"active":false,"active":true}`, want: 503},
		{name: "too long", doc: `{"active":false}` + strings.Repeat(" ", 64<<10), want: 503},
		{name: "empty document", doc: " ", want: 503},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := &endpoint{}
				doc, status := tt.doc, tt.status
				if doc == "" {
					doc = active(t, tt.pairs...)
				}
				if status == 0 {
					status = 200
				}
				a.responds(status, doc, tt.header...)
				v := verifier(t, a.config(t))
				w := call(v, resource.Rules{Scopes: []string{"difitest:test2"}}, "IxC0B76v_slPU=")
				require.Equal(t, tt.want, w.Code, w.Body.String())
				require.Equal(t, "api%3Aeier", a.user)
				require.Equal(t, "w4%2B%25q8H2vTz5yWm0RkN7uXc4LbP9sKd3", a.password)
				require.Equal(t, url.Values{"token": {"IxC0B76v_slPU="}, "token_type_hint": {"access_token"}}, a.form)
				require.Equal(t, int64(1), a.fetched.Load())
				if tt.want == 503 {
					require.NotEmpty(t, w.Header().Get("Retry-After"))
					require.Empty(t, w.Header().Get("WWW-Authenticate"))
				}
			})
		})
	}
}

// TestIntrospectionOutage checks that an outage is a fault, and that its error does not hold the token.
func TestIntrospectionOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := &endpoint{}
		a.answers(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		start := time.Now()
		_, err := verifier(t, a.config(t)).Verify(t.Context(), resource.Bearer("opaque-secret"))
		require.ErrorIs(t, err, portner.ErrUnavailable)
		require.NotContains(t, err.Error(), "opaque-secret")
		require.NotContains(t, err.Error(), "q8H2vTz5yWm0RkN7uXc4LbP9s")
		require.Equal(t, 3*time.Second, time.Since(start))
	})
}

// TestIntrospectedTokens checks which tokens are introspected.
func TestIntrospectedTokens(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		now := time.Now().Unix()
		jwt := func(c claims) string { return sign(t, "ec", "", c.with("iat", now, "exp", now+3600).json(t)) }
		pseudonymous := person(t).with("pid", nil)
		a := &endpoint{}
		a.responds(200, active(t, "scope", "all of them"))
		introspect := func(cfg resource.Config, token string) (*resource.Token, int64, error) {
			before := a.fetched.Load()
			verified, err := verifier(t, cfg).Verify(t.Context(), resource.Bearer(token))
			return verified, a.fetched.Load() - before, err
		}
		cfg := a.config(t)
		token, n, err := introspect(cfg, jwt(pseudonymous))
		require.NoError(t, err)
		require.Zero(t, n, "only opaque tokens by default")
		require.True(t, token.PID.IsZero())

		cfg.Introspection.WithoutPID = true
		token, n, err = introspect(cfg, jwt(pseudonymous))
		require.NoError(t, err)
		require.Equal(t, int64(1), n)
		require.Equal(t, synthetic, token.PID.Reveal())
		require.True(t, token.Introspected)
		require.Equal(t, []string{"difitest:test2"}, token.Scopes, "only pid is read from the response")
		for _, c := range []claims{machine(t), person(t)} {
			_, n, err = introspect(cfg, jwt(c))
			require.NoError(t, err)
			require.Zero(t, n, "the token of a machine, and one with a pid")
		}
		_, n, err = introspect(cfg, jwt(pseudonymous.with("iss", "https://evil.example")))
		require.Equal(t, "issuer_mismatch", rejection(t, err).Reason)
		require.Zero(t, n)
		for _, other := range [][]any{{"sub", "x"}, {"client_id", "x"}, {"jti", "x"}} {
			a.responds(200, active(t, other...))
			_, _, err = introspect(cfg, jwt(pseudonymous))
			require.ErrorIs(t, err, portner.ErrUnavailable, "about another token")
		}
		a.responds(200, `{"active":false}`)
		_, _, err = introspect(cfg, jwt(pseudonymous))
		require.Equal(t, "token_inactive", rejection(t, err).Reason)

		cfg.Keys = nil // everything
		a.responds(200, active(t))
		token, n, err = introspect(cfg, jwt(machine(t)))
		require.NoError(t, err)
		require.Equal(t, int64(1), n)
		require.True(t, token.Introspected)
		for bad, reason := range map[string]string{
			"a b": "authorization_malformed", "": "authorization_malformed", "å": "authorization_malformed", "===": "authorization_malformed",
			"a\x00": "authorization_malformed", strings.Repeat("a", 5000): "token_malformed",
		} {
			_, n, err = introspect(cfg, bad)
			require.Equal(t, reason, rejection(t, err).Reason)
			require.Zero(t, n)
		}
	})
}

// TestIntrospectionCache checks that responses are not cached by default, active ones at most until the token expires, and
// inactive ones never.
func TestIntrospectionCache(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := &endpoint{}
		a.responds(200, active(t, "exp", time.Now().Unix()+90))
		cfg := a.config(t)
		use := func(v *resource.Verifier, token string) (int64, error) {
			before := a.fetched.Load()
			_, err := v.Verify(t.Context(), resource.Bearer(token))
			return a.fetched.Load() - before, err
		}
		v := verifier(t, cfg)
		for range 2 {
			n, err := use(v, "t1")
			require.NoError(t, err)
			require.Equal(t, int64(1), n)
		}
		cfg.Introspection.CacheFor = time.Minute
		v = verifier(t, cfg)
		for i, want := range []int64{1, 0, 0} {
			n, err := use(v, "t1")
			require.NoError(t, err)
			require.Equal(t, want, n, i)
		}
		n, err := use(v, "t2")
		require.NoError(t, err)
		require.Equal(t, int64(1), n, "another token")
		time.Sleep(time.Minute)
		n, err = use(v, "t1")
		require.NoError(t, err)
		require.Equal(t, int64(1), n, "after CacheFor")
		time.Sleep(30 * time.Second) // to exp
		n, _ = use(v, "t1")
		require.Equal(t, int64(1), n, "at exp")

		a.responds(200, `{"active":false}`)
		for range 2 {
			n, err = use(v, "t3")
			require.Equal(t, "token_inactive", rejection(t, err).Reason)
			require.Equal(t, int64(1), n)
		}
		a.responds(200, active(t))
		n, err = use(v, "t3")
		require.NoError(t, err)
		require.Equal(t, int64(1), n)
	})
}

// TestIntrospectionAuthenticate checks that Authenticate replaces client_secret_basic.
func TestIntrospectionAuthenticate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := &endpoint{}
		a.responds(200, active(t))
		cfg := a.config(t)
		cfg.Introspection.ClientID, cfg.Introspection.ClientSecret = "", nil
		cfg.Introspection.Authenticate = func(_ *http.Request, form url.Values) error {
			form.Set("client_assertion", "signed")
			return nil
		}
		_, err := verifier(t, cfg).Verify(t.Context(), resource.Bearer("opaque"))
		require.NoError(t, err)
		require.Empty(t, a.user)
		require.Equal(t, "signed", a.form.Get("client_assertion"))
		require.Equal(t, "opaque", a.form.Get("token"))
		cfg.Introspection.Authenticate = func(*http.Request, url.Values) error { return errors.New("no signer") }
		_, err = verifier(t, cfg).Verify(t.Context(), resource.Bearer("opaque"))
		require.ErrorIs(t, err, portner.ErrUnavailable)
		require.Equal(t, int64(1), a.fetched.Load())
	})
}

// TestConfigIsRedacted checks that a marshalled secret is redacted.
func TestConfigIsRedacted(t *testing.T) {
	t.Parallel()
	raw, err := json.Marshal((&endpoint{}).config(t).Introspection.ClientSecret)
	require.NoError(t, err)
	require.NotContains(t, string(raw), "q8H2vTz5yWm0RkN7uXc4LbP9s")
}

// TestIntrospectionCacheKeepsTokensInUse verifies that a user with thousands of tokens does not remove the responses for tokens of
// others that are in use.
func TestIntrospectionCacheKeepsTokensInUse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := &endpoint{}
		a.responds(200, active(t, "exp", time.Now().Unix()+3600))
		cfg := a.config(t)
		cfg.Introspection.CacheFor = time.Hour
		v := verifier(t, cfg)
		requests := func(token string) int64 {
			before := a.fetched.Load()
			_, err := v.Verify(t.Context(), resource.Bearer(token))
			require.NoError(t, err)
			return a.fetched.Load() - before
		}
		require.Equal(t, int64(1), requests("in-use"))
		for n := range 3 * 4096 {
			require.Equal(t, int64(1), requests(fmt.Sprint("flood-", n)))
			if n%1000 == 0 {
				require.Zero(t, requests("in-use"), "after %d tokens of another user", n)
			}
		}
		require.Equal(t, int64(1), requests("flood-0"), "the cache is bounded")
	})
}
