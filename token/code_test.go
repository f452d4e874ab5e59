package token_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/optest"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/token"
)

func TestCodeExchange(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	a := f.redeem("web", f.code())
	require.Equal(t, http.StatusOK, a.Code, a.Body.String())
	require.Equal(t, "no-cache", a.Header().Get("Pragma"))
	require.Equal(t, "Bearer", a.str("token_type"))
	require.Equal(t, "openid profile", a.str("scope"))
	require.EqualValues(t, 120, a.body["expires_in"])
	require.EqualValues(t, 600, a.body["refresh_token_expires_in"])
	require.Len(t, a.str("refresh_token"), 43)
	require.Equal(t, []portner.EventName{portner.EventTokenIssued}, f.eventNames())
	require.True(t, f.active(a.str("access_token")))
	for _, jwt := range []string{a.str("access_token"), a.str("id_token")} {
		optest.Verified(t, f.keys, jwt, f.clock())
	}
}

// All bindings must match: a request with one wrong binding is rejected.
func TestCodeBindings(t *testing.T) {
	t.Parallel()
	const other = "xyo94uhy3zKvgB0NJwLms86SwcjtWviEOpkBnGgaLlo"
	for _, tt := range []struct {
		name   string
		client string
		form   func(url.Values)
		later  time.Duration
		burns  bool
		event  portner.EventName
	}{
		{name: "client", client: "codeonly", event: portner.EventCodeForeignClient},
		{name: "client by post", client: "other", event: portner.EventCodeForeignClient},
		{name: "redirect_uri absent", client: "web", form: del("redirect_uri"), burns: true, event: portner.EventRefused},
		{name: "redirect_uri empty", client: "web", form: set("redirect_uri", ""), burns: true, event: portner.EventRefused},
		{name: "redirect_uri other", client: "web", form: set("redirect_uri", callback+"/"), burns: true, event: portner.EventRefused},
		{name: "verifier absent", client: "web", form: del("code_verifier"), burns: true, event: portner.EventPKCEMismatch},
		{name: "verifier wrong", client: "web", form: set("code_verifier", other), burns: true, event: portner.EventPKCEMismatch},
		{name: "verifier is the challenge", client: "web", form: set("code_verifier", challenge), burns: true, event: portner.EventPKCEMismatch},
		{name: "verifier too short", client: "web", form: set("code_verifier", verifier[:42]), burns: true, event: portner.EventPKCEMismatch},
		{name: "expired", client: "web", later: time.Minute, event: portner.EventRefused},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			code := f.code()
			f.advance(tt.later)
			form := codeForm(code)
			if tt.form != nil {
				tt.form(form)
			}
			a := f.send(f.ep, tt.client, form)
			f.requireError(a, http.StatusBadRequest, portner.InvalidGrant)
			require.Equal(t, refusal(t).Body.String(), a.Body.String(), "every wrong code has the same answer")
			require.Equal(t, []portner.EventName{tt.event}, f.eventNames())
			if tt.later > 0 {
				return
			}
			again := f.redeem("web", code)
			if tt.burns { // a wrong binding of the owner consumes the code
				f.requireError(again, http.StatusBadRequest, portner.InvalidGrant)
			} else {
				require.Equal(t, http.StatusOK, again.Code)
			}
		})
	}
}

// refusal is the response to an unknown code.
func refusal(t *testing.T) answer {
	f := newFixture(t)
	return f.redeem("web", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
}

func set(name, value string) func(url.Values) { return func(v url.Values) { v.Set(name, value) } }
func del(name string) func(url.Values)        { return func(v url.Values) { v.Del(name) } }

// Every combination of a code with or without a challenge, and a verifier that is missing, right or wrong.
func TestCodePKCE(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, client, challenge, verifier string
		ok                                bool
	}{
		{"challenge, no verifier", "nopkce", challenge, "", false},
		{"challenge, right verifier", "nopkce", challenge, verifier, true},
		{"challenge, wrong verifier", "nopkce", challenge, verifier[1:] + "A", false},
		{"no challenge, no verifier", "nopkce", "", "", true},
		{"no challenge, a verifier", "nopkce", "", verifier, false},
		{"no challenge, a malformed verifier", "nopkce", "", "x", false},
		{"public client, no challenge, no verifier", "spa", "", "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			form := codeForm(f.code(forClient(tt.client), func(c *storage.AuthorizationCode) { c.CodeChallenge = tt.challenge }))
			form.Del("code_verifier")
			if tt.verifier != "" {
				form.Set("code_verifier", tt.verifier)
			}
			a := f.send(f.ep, tt.client, form)
			if tt.ok {
				require.Equal(t, http.StatusOK, a.Code, a.Body.String())
				return
			}
			f.requireError(a, http.StatusBadRequest, portner.InvalidGrant)
		})
	}
}

// A code expires at the nanosecond of its ExpiresAt.
func TestCodeExpiryEdge(t *testing.T) {
	t.Parallel()
	for offset, want := range map[time.Duration]int{-1: http.StatusOK, 0: http.StatusBadRequest, 1: http.StatusBadRequest} {
		f := newFixture(t)
		code := f.code()
		f.advance(time.Minute + offset)
		require.Equal(t, want, f.redeem("web", code).Code, "offset %d", offset)
	}
}

// A second use with the right bindings revokes the tokens of the first one.
func TestCodeReplayValid(t *testing.T) {
	t.Parallel()
	for _, after := range []time.Duration{0, time.Second, 30 * time.Second, 90 * time.Second} {
		f := newFixture(t)
		code := f.code()
		first := f.redeem("web", code)
		require.Equal(t, http.StatusOK, first.Code)
		f.advance(after)
		second := f.redeem("web", code)
		f.requireError(second, http.StatusBadRequest, portner.InvalidGrant)
		require.Equal(t, refusal(t).Body.String(), second.Body.String())
		require.Contains(t, f.eventNames(), portner.EventCodeReplay)
		require.False(t, f.active(first.str("access_token")))
		require.Equal(t, http.StatusUnauthorized, f.userInfo(first.str("access_token")).Code)
		require.Equal(t, false, f.introspect("web", first.str("access_token")).body["active"])
		f.requireError(f.refresh("web", first.str("refresh_token")), http.StatusBadRequest, portner.InvalidGrant)
	}
}

// A second use with a wrong binding has no effect on the owner.
func TestCodeReplayInvalid(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, client string
		form         func(url.Values)
		event        portner.EventName
	}{
		{"wrong verifier", "web", set("code_verifier", verifier[1:]+"A"), portner.EventCodeReplayInvalid},
		{"no verifier", "web", del("code_verifier"), portner.EventCodeReplayInvalid},
		{"wrong redirect_uri", "web", set("redirect_uri", "https://evil.example"), portner.EventCodeReplayInvalid},
		{"other client", "codeonly", nil, portner.EventCodeForeignClient},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			code := f.code()
			first := f.redeem("web", code)
			f.eventNames()
			form := codeForm(code)
			if tt.form != nil {
				tt.form(form)
			}
			f.requireError(f.send(f.ep, tt.client, form), http.StatusBadRequest, portner.InvalidGrant)
			require.Equal(t, []portner.EventName{tt.event}, f.eventNames())
			require.True(t, f.active(first.str("access_token")))
		})
	}
	t.Run("failed authentication", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		code := f.code()
		first := f.redeem("web", code)
		r := f.request("web", codeForm(code))
		r.SetBasicAuth("web", "wrong")
		f.requireError(f.sendRequest(f.ep, r), http.StatusUnauthorized, portner.InvalidClient)
		require.True(t, f.active(first.str("access_token")))
	})
}

// A request whose client does not authenticate, or is another one, has no effect on the code.
func TestCodeSurvivesForeignRequests(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	code := f.code()
	r := f.request("web", codeForm(code))
	r.SetBasicAuth("web", "wrong")
	a := f.sendRequest(f.ep, r)
	f.requireError(a, http.StatusUnauthorized, portner.InvalidClient)
	require.Contains(t, a.Header().Get("WWW-Authenticate"), "Basic")
	require.Equal(t, http.StatusOK, f.redeem("web", code).Code)
}

// A value that does not have the form of a code or token is not looked up.
func TestMalformedValuesDoNotReachTheStore(t *testing.T) {
	t.Parallel()
	asked := false
	store := &brokenStore{hook: func(string) { asked = true }}
	f := newFixture(t, func(c *token.Config) { store.Store, c.Store = c.Store, store })
	for _, value := range []string{"x", strings.Repeat("A", 42), strings.Repeat("A", 44), strings.Repeat("A", 42) + "+", strings.Repeat("A", 1<<15)} {
		f.requireError(f.redeem("web", value), http.StatusBadRequest, portner.InvalidGrant)
		f.requireError(f.refresh("web", value), http.StatusBadRequest, portner.InvalidGrant)
	}
	require.False(t, asked)
}

// Only the exact text of a code is valid.
func TestCodeEdited(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	code := f.code()
	var edits []string
	for i := range code {
		flipped := byte('A')
		if code[i] == 'A' {
			flipped = 'B'
		}
		edits = append(edits, code[:i]+string(flipped)+code[i+1:], code[:i]+code[i+1:], code[:i]+"A"+code[i:])
	}
	edits = append(edits, code+"=", code+"\n", " "+code, code[:42], code+code)
	for _, e := range edits {
		a := f.redeem("web", e)
		require.Equal(t, http.StatusBadRequest, a.Code, e)
	}
	require.Equal(t, http.StatusOK, f.redeem("web", code).Code)
}

func TestCodeWithoutRefreshGrantGetsNoRefreshToken(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	a := f.login("codeonly")
	require.NotContains(t, a.body, "refresh_token")
	require.NotContains(t, a.body, "refresh_token_expires_in")
}

func TestCodeWithoutOpenIDGetsNoIDToken(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	a := f.login("web", "api:read")
	require.NotContains(t, a.body, "id_token")
	require.Equal(t, "api:read", a.str("scope"))
}

// The shortest lifetime applies, including the remaining lifetime of the grant.
func TestAccessTokenLifetime(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		own    int
		scopes []string
		left   time.Duration
		want   int
	}{
		{"default", 0, []string{"openid"}, 2 * time.Hour, 120},
		{"client", 600, []string{"openid"}, 2 * time.Hour, 600},
		{"scope", 600, []string{"openid", "api:short"}, 2 * time.Hour, 30},
		{"client below scope", 10, []string{"openid", "api:short"}, 2 * time.Hour, 10},
		{"authorization", 600, []string{"openid", "api:short"}, 7 * time.Second, 7},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.clients["web"].AccessTokenLifetime = tt.own
			f.advance(999 * time.Millisecond) // fractions must not make tokens outlive anything
			code := f.code(forClient("web", tt.scopes...), func(c *storage.AuthorizationCode) {
				c.Grant.ExpiresAt = f.clock().Add(tt.left)
			})
			a := f.redeem("web", code)
			require.EqualValues(t, tt.want, a.body["expires_in"], a.Body.String())
			_, claims := segments(t, a.str("access_token"))
			require.EqualValues(t, tt.want, claims["exp"].(float64)-claims["iat"].(float64))
			require.LessOrEqual(t, a.body["refresh_token_expires_in"], tt.left.Seconds())
		})
	}
}

func TestAuthorizationEndedWithinTheSecond(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	code := f.code(func(c *storage.AuthorizationCode) { c.Grant.ExpiresAt = start.Add(time.Millisecond) })
	f.requireError(f.redeem("web", code), http.StatusBadRequest, portner.InvalidGrant)
}

// RFC 8707 §2.2.
func TestResource(t *testing.T) {
	t.Parallel()
	granted := func(c *storage.AuthorizationCode) {
		c.Grant.Resources = []string{"https://a.example", "urn:b", "https://api.example.no"}
	}
	for _, tt := range []struct {
		name   string
		scopes []string
		ask    []string
		want   any
	}{
		{"none requested: all granted", []string{"openid"}, nil, []any{"https://a.example", "urn:b", "https://api.example.no"}},
		{"one", []string{"openid"}, []string{"urn:b"}, "urn:b"},
		{"the same twice", []string{"openid"}, []string{"urn:b", "urn:b"}, "urn:b"},
		{"with one a scope enforces", []string{"openid", "api:aud"}, []string{"urn:b"}, []any{"urn:b", "https://api.example.no"}},
		{"one a scope enforces as well", []string{"openid", "api:aud"}, []string{"https://api.example.no"}, "https://api.example.no"},
		{"not granted", []string{"openid"}, []string{"urn:b", "urn:c"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			form := codeForm(f.code(forClient("web", tt.scopes...), granted))
			form["resource"] = tt.ask
			a := f.send(f.ep, "web", form)
			if tt.want == nil {
				f.requireError(a, http.StatusBadRequest, portner.InvalidTarget)
				form.Del("resource")
				require.Equal(t, http.StatusOK, f.send(f.ep, "web", form).Code, "the code is not consumed")
				return
			}
			_, claims := segments(t, a.str("access_token"))
			require.Equal(t, tt.want, claims["aud"])
		})
	}
}

func TestAudienceOnlyOnRequest(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	_, claims := segments(t, f.login("web").str("access_token"))
	require.NotContains(t, claims, "aud")
	_, claims = segments(t, f.login("web", "api:aud").str("access_token"))
	require.Equal(t, "https://api.example.no", claims["aud"])
}

func TestScopeSwitchedOffBetweenLoginAndToken(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	code := f.code(forClient("web", "openid", "api:read"))
	only := f.code(forClient("web", "api:read"))
	f.scopes["api:read"].Inactive = true
	require.Equal(t, "openid", f.redeem("web", code).str("scope"))
	f.requireError(f.redeem("web", only), http.StatusBadRequest, portner.InvalidScope)
}

// The sid of an id_token is that of its grant: the authorization endpoint decides which client has one.
func TestSIDOfTheGrant(t *testing.T) {
	t.Parallel()
	for sid, want := range map[string]any{"": nil, "the-sid": "the-sid"} {
		f := newFixture(t)
		_, claims := segments(t, f.redeem("web", f.code(func(c *storage.AuthorizationCode) { c.Grant.SID = sid })).str("id_token"))
		require.Equal(t, want, claims["sid"])
	}
}
