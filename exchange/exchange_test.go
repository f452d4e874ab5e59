package exchange_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/exchange"
	"github.com/portner-go/portner/internal/fields"
	"github.com/portner-go/portner/internal/optest"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/resource"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/storage/memory"
)

// TestSelfNarrowing checks that a client can only narrow its own tokens without a policy.
func TestSelfNarrowing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *exchange.Config) { c.Policy, c.Issuers = nil, nil })
	const api = "https://api.example.no/inntekt"
	subject := w.login("portal", "openid profile test:api test:two", "resource", api).String("access_token")
	before := claims(t, subject)

	value, got := w.exchanged("portal", form(subject, "scope", "test:api", "resource", api))
	require.Equal(t, "test:api", got["scope"])
	require.Equal(t, api, got["aud"])
	require.NotContains(t, got, "act")
	for _, same := range []string{"sub", "pid", "acr", "client_id", "consumer"} {
		require.Equal(t, before[same], got[same], same)
	}
	require.NotEqual(t, before["jti"], got["jti"])
	require.LessOrEqual(t, got["exp"], before["exp"])
	require.Equal(t, true, w.Introspect(t, "service", value).JSON["active"])

	w.rejects("portal", form(value, "scope", "test:two"), portner.InvalidScope)                     // not in the narrowed token
	w.rejects("portal", form(value, "resource", "https://other.example.no"), portner.InvalidTarget) // not in its audience
	_, got = w.exchanged("portal", form(value))
	require.Equal(t, api, got["aud"], "the audience is kept by default")

	w.rejects("service", form(subject), portner.InvalidRequest) // a token of another client
	w.rejects("portal", form(subject, "actor_token", subject, "actor_token_type", exchange.AccessToken), portner.InvalidRequest)
}

// TestRequest checks the parameters of a request and the error codes (RFC 8693 §2.1, RFC 8693 §2.2.2).
func TestRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *exchange.Config) {
		c.Policy = decide(exchange.Decision{Audience: []string{"a", "b", "urn:x:y"}})
	})
	login := w.login("portal", "openid test:api")
	subject := login.String("access_token")
	good := func() url.Values { return form(subject) }
	for name, tt := range map[string]struct {
		change func(url.Values)
		want   portner.ErrorCode
	}{
		"subject_token missing":         {func(f url.Values) { f.Del("subject_token") }, portner.InvalidRequest},
		"subject_token_type missing":    {func(f url.Values) { f.Del("subject_token_type") }, portner.InvalidRequest},
		"subject_token repeated":        {func(f url.Values) { f.Add("subject_token", subject) }, portner.InvalidRequest},
		"subject_token unknown":         {func(f url.Values) { f.Set("subject_token", "nonsense") }, portner.InvalidRequest},
		"subject_token huge":            {func(f url.Values) { f.Set("subject_token", strings.Repeat("a.", 20<<10)) }, portner.InvalidRequest},
		"refresh token as access token": {func(f url.Values) { f.Set("subject_token", login.String("refresh_token")) }, portner.InvalidRequest},
		"id_token as access token":      {func(f url.Values) { f.Set("subject_token", login.String("id_token")) }, portner.InvalidRequest},
		"id_token not enabled": {func(f url.Values) {
			f.Set("subject_token", login.String("id_token"))
			f.Set("subject_token_type", exchange.IDToken)
		}, portner.InvalidRequest},
		"own token as jwt":             {func(f url.Values) { f.Set("subject_token_type", exchange.JWT) }, portner.InvalidRequest},
		"saml2":                        {func(f url.Values) { f.Set("subject_token_type", "urn:ietf:params:oauth:token-type:saml2") }, portner.InvalidRequest},
		"refresh token requested":      {func(f url.Values) { f.Set("requested_token_type", "urn:ietf:params:oauth:token-type:refresh_token") }, portner.InvalidRequest},
		"access token requested":       {func(f url.Values) { f.Set("requested_token_type", exchange.AccessToken) }, ""},
		"actor type without actor":     {func(f url.Values) { f.Set("actor_token_type", exchange.AccessToken) }, portner.InvalidRequest},
		"actor without type":           {func(f url.Values) { f.Set("actor_token", subject) }, portner.InvalidRequest},
		"actor unknown":                {func(f url.Values) { f.Set("actor_token", "x"); f.Set("actor_token_type", exchange.AccessToken) }, portner.InvalidRequest},
		"scope malformed":              {func(f url.Values) { f.Set("scope", "a  b") }, portner.InvalidScope},
		"scope not the subject's":      {func(f url.Values) { f.Set("scope", "test:two") }, portner.InvalidScope},
		"resource relative":            {func(f url.Values) { f.Set("resource", "/api") }, portner.InvalidTarget},
		"resource with fragment":       {func(f url.Values) { f.Set("resource", "https://api.example.no/#x") }, portner.InvalidTarget},
		"audience empty":               {func(f url.Values) { f["audience"] = []string{"a", ""} }, portner.InvalidTarget},
		"audience with space":          {func(f url.Values) { f.Set("audience", "a b") }, portner.InvalidTarget},
		"six targets":                  {func(f url.Values) { f["audience"] = []string{"a", "b", "c", "d", "e", "f"} }, portner.InvalidTarget},
		"resource and audience":        {func(f url.Values) { f["audience"] = []string{"a", "b"}; f["resource"] = []string{"urn:x:y"} }, ""},
		"authorization_details absent": {func(f url.Values) { f.Set("authorization_details", `[{"type":"x"}]`) }, portner.InvalidAuthorizationDetails},
	} {
		f := good()
		tt.change(f)
		if tt.want == "" {
			w.exchanged("service", f)
			continue
		}
		t.Log(name)
		w.rejects("service", f, tt.want)
	}
	w.rejects("tjeneste", good(), portner.UnauthorizedClient) // the grant type is not registered
	wrong := w.Call(t, "/token", "unknown", good())
	require.Equal(t, http.StatusUnauthorized, wrong.Status)
}

// TestRevocationFollows checks that the end of a token ends the tokens that were exchanged for it.
func TestRevocationFollows(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(w *world, login optest.Answer, middle string){
		"refresh token revoked": func(w *world, login optest.Answer, _ string) {
			w.Call(w.t, "/revoke", "portal", url.Values{"token": {login.String("refresh_token")}})
		},
		"link of the chain revoked": func(w *world, _ optest.Answer, middle string) {
			w.Call(w.t, "/revoke", "service", url.Values{"token": {middle}})
		},
		"reuse of the refresh token": func(w *world, login optest.Answer, _ string) {
			w.Refresh(w.t, "portal", login.String("refresh_token"))
			w.Refresh(w.t, "portal", login.String("refresh_token"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			login := w.login("portal", "openid profile test:api")
			middle, _ := w.exchanged("service", form(login.String("access_token")))
			last, _ := w.exchanged("deep", form(middle))
			require.Equal(t, true, w.Introspect(t, "service", last).JSON["active"])
			require.Equal(t, http.StatusOK, w.UserInfo(t, last).Status)

			end(w, login, middle)
			require.Equal(t, map[string]any{"active": false}, w.Introspect(t, "service", last).JSON)
			require.Equal(t, http.StatusUnauthorized, w.UserInfo(t, last).Status)
			w.rejects("deep", form(last), portner.InvalidRequest)
		})
	}
}

// TestLifetime checks that the new token does not outlive the subject token and the configured bounds.
func TestLifetime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	subject := w.login("portal", "test:api test:short test:two").String("access_token") // 30 s: test:short
	end := claims(t, subject)["exp"]
	w.now = w.now.Add(10 * time.Second)
	_, got := w.exchanged("service", form(subject, "scope", "test:api")) // a scope without a cap
	require.Equal(t, end, got["exp"])
	w.now = w.now.Add(20 * time.Second)
	w.rejects("service", form(subject), portner.InvalidRequest)

	for name, tt := range map[string]struct {
		change func(*exchange.Config)
		scope  string
		want   float64
	}{
		"subject's":     {func(*exchange.Config) {}, "test:api", 600},
		"configuration": {func(c *exchange.Config) { c.MaxLifetime = 77 * time.Second }, "test:api", 77},
		"policy":        {func(c *exchange.Config) { c.Policy = decide(exchange.Decision{Lifetime: 55 * time.Second}) }, "test:api", 55},
		"scope":         {func(*exchange.Config) {}, "test:short", 30},
	} {
		w := newWorld(t, tt.change)
		subject := w.login("portal", "openid test:api").String("access_token")
		if tt.scope == "test:short" {
			subject = w.machineToken(set("scope", "test:short"))
		}
		_, got := w.exchanged("service", form(subject, "scope", tt.scope))
		require.Equal(t, tt.want, got["exp"].(float64)-got["iat"].(float64), name)
	}
	negative := newWorld(t, func(c *exchange.Config) { c.Policy = decide(exchange.Decision{Lifetime: -time.Second}) })
	a := negative.exchange("service", form(negative.login("portal", "openid test:api").String("access_token"), "scope", "test:api"))
	require.Equal(t, 500, a.Status, "a negative bound of the policy is not no bound")
	late := w.machineToken(set("iat", w.now.Unix()-120), set("exp", w.now.Unix()-5)) // within the verifier's leeway
	w.rejects("service", form(late), portner.InvalidRequest)
}

// TestPolicy checks the responses to errors of the policy.
func TestPolicy(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		err    error
		status int
		want   portner.ErrorCode
	}{
		"rejected":       {exchange.ErrRejected, 400, portner.InvalidRequest},
		"protocol error": {&portner.Error{Code: portner.InvalidTarget, Description: "Not there."}, 400, portner.InvalidTarget},
		"fault":          {errors.New("table is gone"), 500, portner.ServerError},
	} {
		w := newWorld(t, func(c *exchange.Config) {
			c.Policy = func(context.Context, *exchange.Request) (exchange.Decision, error) {
				return exchange.Decision{}, tt.err
			}
		})
		subject := w.login("portal", "openid test:api", "resource", "https://a.example.no").String("access_token")
		a := w.exchange("service", form(subject, "audience", "https://a.example.no", "scope", "test:api"))
		require.Equal(t, tt.status, a.Status, name)
		require.Equal(t, string(tt.want), a.String("error"), name)
		require.NotContains(t, a.String("error_description"), "is gone")
		require.Equal(t, "portal", w.request.Subject.ClientID)
		require.Equal(t, []string{"https://a.example.no"}, w.request.Subject.Audience)
		require.Equal(t, []string{"test:api"}, w.request.Scopes)
		require.Equal(t, []string{"https://a.example.no"}, w.request.Audience)
		require.False(t, w.request.Own)
		require.False(t, w.request.MayAct)
	}
}

// TestTargets checks that the policy can extend the audience, and that it cannot extend the scopes.
func TestTargets(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *exchange.Config) {
		c.Policy = decide(exchange.Decision{Audience: []string{"https://b.example.no"}, Scopes: []string{"test:api", "test:short"}})
	})
	subject := w.login("portal", "openid test:api test:two", "resource", "https://a.example.no").String("access_token")
	for target, ok := range map[string]bool{"https://a.example.no": true, "https://b.example.no": true, "https://c.example.no": false} {
		if !ok {
			w.rejects("service", form(subject, "resource", target), portner.InvalidTarget)
			continue
		}
		_, got := w.exchanged("service", form(subject, "resource", target))
		require.Equal(t, target, got["aud"])
		require.Equal(t, "test:api", got["scope"], "scopes of both policy and subject token")
	}
	w.rejects("few", form(subject), portner.InvalidScope)                            // may use test:two only, which the policy does not allow
	w.rejects("service", form(subject, "scope", "test:short"), portner.InvalidScope) // allowed by the policy, absent from the subject token
}

// TestTargetsOfTokensWithoutAudience checks that a token without an audience, which APIs that require one reject, is exchanged for the
// audiences of the policy only, by its own client and by another one.
func TestTargetsOfTokensWithoutAudience(t *testing.T) {
	t.Parallel()
	const granted, other = "https://a.example.no", "https://b.example.no"
	for name, policy := range map[string]exchange.Policy{
		"no policy": nil, "zero decision": decide(exchange.Decision{}), "one audience": decide(exchange.Decision{Audience: []string{granted}}),
	} {
		w := newWorld(t, func(c *exchange.Config) {
			if c.Policy = policy; policy == nil {
				c.Issuers = nil
			}
		})
		subject := w.login("portal", "openid test:api").String("access_token")
		require.NotContains(t, claims(t, subject), "aud")
		for _, clientID := range []string{"portal", "service"} {
			for _, parameter := range []string{"resource", "audience"} {
				if name != "one audience" {
					a := w.exchange(clientID, form(subject, parameter, granted))
					require.Equal(t, http.StatusBadRequest, a.Status, "%s, %s, %s: %v", name, clientID, parameter, a.JSON)
					continue
				}
				_, got := w.exchanged(clientID, form(subject, parameter, granted))
				require.Equal(t, granted, got["aud"])
				w.rejects(clientID, form(subject, parameter, other), portner.InvalidTarget)
			}
		}
		_, got := w.exchanged("portal", form(subject))
		require.NotContains(t, got, "aud", name)
	}
}

// TestPseudonymity checks that tokens exchanged for a pseudonymous or opaque token do not identify the user.
func TestPseudonymity(t *testing.T) {
	t.Parallel()
	for name, scopes := range map[string]string{"pseudonymous scope": "test:pseudonym test:api", "opaque": "test:opaque test:api"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			subject := w.login("portal", scopes).String("access_token")
			value, got := w.exchanged("service", form(subject, "scope", "test:api"))
			again, _ := w.exchanged("deep", form(value, "scope", "test:api"))
			require.NotContains(t, got, "pid")
			require.NotContains(t, w.Introspect(t, "portal", value).JSON, "pid")
			if name == "opaque" {
				require.Nil(t, got, "the new token is opaque")
				require.NotContains(t, again, ".")
			} else {
				require.NotContains(t, claims(t, again), "pid")
			}
		})
	}
	w := newWorld(t)
	nameless := w.machineToken(set("sub", "someone"), set("acr", "idporten-loa-high")) // without pid
	_, got := w.exchanged("service", form(nameless))
	require.NotContains(t, got, "pid")
	require.NotEmpty(t, got["sub"])
	named := w.machineToken(set("sub", "someone"), set("acr", "idporten-loa-high"), set("pid", optest.KariPID))
	_, got = w.exchanged("service", form(named))
	require.Equal(t, optest.KariPID, got["pid"])
}

// TestForeignIssuer checks tokens of other issuers.
func TestForeignIssuer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	value, got := w.exchanged("service", form(w.machineToken(), "scope", "test:api"))
	require.NotContains(t, got, "sub")
	require.NotContains(t, got, "pid")
	require.Equal(t, map[string]any{"authority": "iso6523-actorid-upis", "ID": "0192:" + machineOrg}, got["consumer"])
	require.Equal(t, map[string]any{"authority": "iso6523-actorid-upis", "ID": "0192:" + optest.OwnerOrg}, got["supplier"])
	require.Equal(t, map[string]any{"sub": "0192:" + optest.OwnerOrg, "iss": optest.Issuer, "client_id": "service"}, got["act"])
	require.Equal(t, true, w.Introspect(t, "service", value).JSON["active"])
	require.NotNil(t, w.request.Subject.Foreign)
	require.True(t, w.request.Subject.IsMachine())
	f := form(w.machineToken())
	f.Set("subject_token_type", exchange.JWT)
	w.exchanged("service", f)

	for name, change := range map[string]func(map[string]any){
		"slash missing":       set("iss", foreignIssuer[:len(foreignIssuer)-1]),
		"another issuer":      set("iss", "https://elsewhere.example.no/"),
		"this provider":       set("iss", optest.Issuer),
		"foreign audience":    set("aud", "https://elsewhere.example.no"),
		"expired":             set("exp", w.clock().Unix()-20),
		"wrong register":      set("consumer", map[string]any{"authority": "iso6523-actorid-upis", "ID": "9908:" + machineOrg}),
		"sub-entity":          set("consumer", map[string]any{"authority": "iso6523-actorid-upis", "ID": "0192:" + machineOrg + ":x"}),
		"act is no object":    set("act", "x"),
		"id_token":            set("nonce", "n"),
		"act nested too deep": set("act", map[string]any{"act": map[string]any{"act": map[string]any{"act": map[string]any{"act": map[string]any{"sub": "x"}}}}}),
		"may_act to another":  set("may_act", map[string]any{"sub": "other"}),
	} {
		t.Log(name)
		w.rejects("service", form(w.machineToken(change)), portner.InvalidRequest)
	}
	other := newWorld(t)
	w.rejects("service", form(other.machineToken()), portner.InvalidRequest) // keys of another issuer

	for name, person := range map[string]func(context.Context, *resource.Token) (session.Identity, error){
		"machines only": nil,
		"unknown": func(context.Context, *resource.Token) (session.Identity, error) {
			return session.Identity{}, storage.ErrNotFound
		},
		"zero identity": func(context.Context, *resource.Token) (session.Identity, error) { return session.Identity{}, nil },
	} {
		w := newWorld(t, func(c *exchange.Config) {
			i := c.Issuers[foreignIssuer]
			i.User = person
			c.Issuers[foreignIssuer] = i
		})
		t.Log(name)
		w.rejects("service", form(w.machineToken(set("sub", "someone"), set("acr", "idporten-loa-high"))), portner.InvalidRequest)
	}
}

// TestIDToken checks that a client can exchange its id_tokens for the scopes of the policy.
func TestIDToken(t *testing.T) {
	t.Parallel()
	withLogin := func(c *exchange.Config) {
		c.Policy = decide(exchange.Decision{Scopes: []string{"test:api"}})
	}
	w := newWorld(t, withLogin)
	reads := newWorldWithIDTokens(t, withLogin)
	login := reads.login("portal", "openid profile test:two")
	f := form(login.String("id_token"))
	f.Set("subject_token_type", exchange.IDToken)
	_, got := reads.exchanged("portal", f)
	require.Equal(t, "test:api", got["scope"])
	require.Equal(t, claims(t, login.String("id_token"))["sub"], got["sub"])
	require.Equal(t, optest.KariPID, got["pid"])
	reads.rejects("service", f, portner.InvalidRequest) // the id_token of another client
	f.Set("subject_token", login.String("access_token"))
	reads.rejects("portal", f, portner.InvalidRequest) // an access token
	f.Set("subject_token", w.login("portal", "openid").String("id_token"))
	reads.rejects("portal", f, portner.InvalidRequest) // keys of another provider
	f.Set("subject_token", login.String("id_token"))
	reads.request = nil
	reads.now = reads.now.Add(120 * time.Second)
	reads.rejects("portal", f, portner.InvalidRequest)
	require.Nil(t, reads.request, "the policy is not called for an expired id_token")
	again := claims(t, reads.login("portal", "openid profile test:two").String("id_token"))
	for _, change := range []struct {
		name  string
		value any
		ok    bool
	}{
		{"nonce", again["nonce"], true}, // unchanged
		{"scope", "x", false},
		{"client_id", "x", false},
		{"events", "x", false}, // claims of other tokens of the issuer
		{"sub", "another", false},
		{"jti", "prkQoucQJf8", false},
		{"jti", nil, false},
		{"aud", "service", false},
		{"jti", strings.Repeat("A", 43), false},
		{"jti", again["jti"].(string) + "AAAA", false},
	} {
		m := maps.Clone(again)
		set(change.name, change.value)(m)
		raw, err := json.Marshal(m)
		require.NoError(t, err)
		jwt, err := reads.Keys.Sign("", "", raw, reads.now)
		require.NoError(t, err)
		f.Set("subject_token", jwt)
		if change.ok {
			reads.exchanged("portal", f)
			continue
		}
		reads.rejects("portal", f, portner.InvalidRequest)
	}

	pseudonymous := newWorldWithIDTokens(t, withLogin)
	f.Set("subject_token", pseudonymous.login("portal", "openid test:pseudonym").String("id_token"))
	_, got = pseudonymous.exchanged("portal", f)
	require.NotContains(t, got, "pid", "the id_token has no pid")
}

// TestIDTokenIsOfOneKind checks that the token for an open id_token without pid discloses neither the pseudonym nor the pid of the user,
// and that an id_token with the sub of another user is rejected.
func TestIDTokenIsOfOneKind(t *testing.T) {
	t.Parallel()
	w := newWorldWithIDTokens(t, func(c *exchange.Config) { c.Policy = decide(exchange.Decision{Scopes: []string{"test:api"}}) })
	login := claims(t, w.login("portal", "openid").String("id_token"))
	idToken := func(sub any) string {
		m := maps.Clone(login)
		set("pid", nil)(m)
		set("sub", sub)(m)
		raw, err := json.Marshal(m)
		require.NoError(t, err)
		jwt, err := w.Keys.Sign("", "", raw, w.now)
		require.NoError(t, err)
		return jwt
	}
	f := form(idToken(login["sub"]))
	f.Set("subject_token_type", exchange.IDToken)
	a := w.Call(t, "/token", "portal", f)
	require.Equal(t, http.StatusOK, a.Status, a.JSON)
	require.NotContains(t, a.String("access_token"), ".", "an opaque token, of which the client receives no claim")
	f.Set("subject_token", idToken("another"))
	w.rejects("portal", f, portner.InvalidRequest)
}

func newWorldWithIDTokens(t *testing.T, change func(*exchange.Config)) *world {
	t.Helper()
	return newWorld(t, change, withIDTokens)
}

// withIDTokens accepts id_tokens. newWorldAt sets the keys of the provider.
func withIDTokens(c *exchange.Config) { c.IDTokens = &keyset.Set{} }

// TestNewReportsEveryField breaks each field of a valid configuration, and then several at once.
func TestNewReportsEveryField(t *testing.T) {
	t.Parallel()
	key, err := keyset.Generate(keyset.ES256)
	require.NoError(t, err)
	keys, err := keyset.New(keyset.Config{Keys: []keyset.Key{key}})
	require.NoError(t, err)
	doc, _ := keys.JWKS(time.Now())
	verifier, err := resource.New(resource.Config{Issuer: foreignIssuer, Keys: resource.StaticKeys(doc), URL: optest.Issuer})
	require.NoError(t, err)
	valid := func() exchange.Config {
		return exchange.Config{
			Issuer: optest.Issuer, Store: memory.New(), Vault: vault(), Scopes: scopes(), Policy: decide(exchange.Decision{}),
			Issuers:  map[string]exchange.Issuer{foreignIssuer: {Verifier: verifier}},
			IDTokens: keys,
		}
	}
	_, err = exchange.New(valid())
	require.NoError(t, err)
	for _, tt := range []struct {
		name, field string
		spoil       func(*exchange.Config)
	}{
		{"no issuer", "Issuer", func(c *exchange.Config) { c.Issuer = "" }},
		{"relative issuer", "Issuer", func(c *exchange.Config) { c.Issuer = "/op" }},
		{"no store", "Store", func(c *exchange.Config) { c.Store = nil }},
		{"no vault", "Vault", func(c *exchange.Config) { c.Vault = nil }},
		{"no scopes", "Scopes", func(c *exchange.Config) { c.Scopes = nil }},
		{"no policy", "Policy", func(c *exchange.Config) { c.Policy = nil }},
		{"an issuer without a name", `Issuers[""]`, func(c *exchange.Config) { c.Issuers[""] = c.Issuers[foreignIssuer] }},
		{"the provider as another issuer", `Issuers["` + optest.Issuer + `"]`, func(c *exchange.Config) { c.Issuers[optest.Issuer] = c.Issuers[foreignIssuer] }},
		{"no verifier", `Issuers["x"].Verifier`, func(c *exchange.Config) { c.Issuers["x"] = exchange.Issuer{} }},
		{"a verifier that New did not make", `Issuers["x"].Verifier`, func(c *exchange.Config) { c.Issuers["x"] = exchange.Issuer{Verifier: &resource.Verifier{}} }},
		{"negative lifetime", "MaxLifetime", func(c *exchange.Config) { c.MaxLifetime = -1 }},
		{"negative actors", "MaxActors", func(c *exchange.Config) { c.MaxActors = -1 }},
		{"too many actors", "MaxActors", func(c *exchange.Config) { c.MaxActors = 7 }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := valid()
			tt.spoil(&cfg)
			_, err := exchange.New(cfg)
			require.Equal(t, []string{tt.field}, fields.Names(err))
		})
	}
	_, err = exchange.New(exchange.Config{MaxActors: 7, MaxLifetime: -1, IDTokens: keys, Issuers: map[string]exchange.Issuer{"": {}}})
	require.Equal(t, []string{
		"Issuer", "Store", "Vault", "Scopes", "Policy", `Issuers[""]`, `Issuers[""].Verifier`, "MaxLifetime", "MaxActors",
	}, fields.Names(err))
}

// TestPublicClient checks that a public client can only narrow its own tokens.
func TestPublicClient(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	send := func(f url.Values) *httptest.ResponseRecorder {
		f.Set("client_id", "spa")
		r := httptest.NewRequest(http.MethodPost, optest.Issuer+"/token", strings.NewReader(f.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		answer := httptest.NewRecorder()
		w.ServeHTTP(answer, r)
		return answer
	}
	r := w.Request("spa", "openid test:api test:two")
	r.Params.Set("redirect_uri", "https://spa.example.no/callback")
	page := w.Browser().Login(t, r, "kari")
	a := send(url.Values{
		"grant_type": {"authorization_code"}, "code": {page.Left.Query().Get("code")}, "redirect_uri": {"https://spa.example.no/callback"},
		"code_verifier": {r.Verifier},
	})
	require.Equal(t, http.StatusOK, a.Code, a.Body)
	var own struct {
		AccessToken string `json:"access_token"`
	}
	require.NoError(t, json.Unmarshal(a.Body.Bytes(), &own))
	require.Equal(t, http.StatusOK, send(form(own.AccessToken, "scope", "test:two")).Code)
	require.Contains(t, send(form(w.login("portal", "test:api").String("access_token"))).Body.String(), portner.UnauthorizedClient)
}
