package token_test

import (
	"context"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/slow"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/storage/memory"
	"github.com/portner-go/portner/token"
)

// mined is a host with a function that panics with a national identity number.
type mined struct {
	*fixture
	at string
}

func (m *mined) step(on string) {
	if m.at == on {
		panic(pid)
	}
}

func (m *mined) User(context.Context, string) (token.User, error) {
	m.step("User")
	return token.User{}, nil
}

func (m *mined) Consents(context.Context, storage.ConsentKey, time.Time) ([]storage.Consent, error) {
	m.step("Consents")
	return []storage.Consent{{Scope: "api:consent", ExpiresAt: start.Add(time.Hour)}}, nil
}

func (m *mined) Scope(name string) *scope.Scope { m.step("Scope"); return m.fixture.Scope(name) }

func (m *mined) HasOrigin(context.Context, string) (bool, error) {
	m.step("HasOrigin")
	return true, nil
}

func (m *mined) Client(ctx context.Context, id string) (*client.Client, error) {
	m.step("Client")
	return m.fixture.Client(ctx, id)
}

// Wait and Failed implement client.AttemptLimiter, which runs inside client authentication.
func (m *mined) Wait(context.Context, string, string, time.Time) time.Duration {
	m.step("Authenticate")
	return 0
}

func (m *mined) Failed(context.Context, string, string, time.Time) {}

// A panic in any part of the host rejects the request, consumes nothing, and its value is not logged.
func TestPanicsOfTheHost(t *testing.T) {
	t.Parallel()
	for at, endpoints := range map[string][]string{
		"User": {"code", "refresh", "introspection", "userinfo"}, "Consents": {"code", "refresh", "introspection", "userinfo"},
		"Scope": {"code", "refresh", "introspection", "userinfo"}, "Client": {"introspection", "userinfo"},
		"HasOrigin": {"code", "refresh", "revocation", "userinfo"}, "Authenticate": {"code", "refresh", "introspection", "revocation"},
	} {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			host := &mined{fixture: newFixture(t)}
			var log strings.Builder
			f := newFixture(t, func(c *token.Config) {
				c.Store, c.Users, c.Scopes, c.Clients, c.Origins = consenting{host.store, host}, host, host, host, host.HasOrigin
				c.Authenticator = must(client.NewAuthenticator(client.Config{Issuer: issuer, Clients: host.fixture, Replay: host.store, Attempts: host}))
				c.Logger = textLogger(&log)
			})
			code, a := host.code(forClient("web", "openid", "profile", "api:consent")), host.login("web", "openid", "profile", "api:consent")
			look := httptest.NewRequest(http.MethodGet, "https://idporten.dev/userinfo", nil)
			look.Header.Set("Authorization", "Bearer "+a.str("access_token"))
			requests := map[string]struct {
				h http.Handler
				r *http.Request
			}{
				"code": {f.ep, f.request("web", codeForm(code))}, "refresh": {f.ep, f.request("web", refreshForm(a.str("refresh_token")))},
				"introspection": {f.ep.Introspection(), f.request("web", url.Values{"token": {a.str("access_token")}})},
				"revocation":    {f.ep.Revocation(), f.request("web", url.Values{"token": {a.str("access_token")}})},
				"userinfo":      {f.ep.UserInfo(), look},
			}
			host.at = at
			for _, endpoint := range endpoints {
				requests[endpoint].r.Header.Set("Origin", "https://spa.example.no")
				f.requireError(f.sendRequest(requests[endpoint].h, requests[endpoint].r), http.StatusInternalServerError, portner.ServerError)
			}
			host.at = ""
			require.NotContains(t, log.String(), pid)
			require.Equal(t, http.StatusOK, f.redeem("web", code).Code)
			require.Equal(t, http.StatusOK, f.refresh("web", a.str("refresh_token")).Code)
		})
	}
}

// Every negative introspection response is equal on the wire, header fields included.
func TestInactiveResponsesAreEqual(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	live, other, dead := f.login("web", "openid", "api:read"), f.login("other", "openid", "api:opaque"), f.login("web", "api:read")
	f.send(f.ep.Revocation(), "web", url.Values{"token": {dead.str("access_token")}})
	server := httptest.NewServer(f.ep.Introspection())
	defer server.Close()
	var first string
	for name, value := range map[string]string{
		"code": f.code(), "id_token": live.str("id_token"), "access token": live.str("access_token"), "refresh token": live.str("refresh_token"),
		"opaque": other.str("access_token"), "revoked": dead.str("access_token"), "revoked refresh token": dead.str("refresh_token"),
		"junk": "x", "token-shaped": strings.Repeat("A", 43), "giant": strings.Repeat("A", 40000), "not ASCII": "æ", "blank": " ", "JWT-shaped": "a.b.c",
	} {
		r := f.request("nosy", url.Values{"token": {value}})
		r.RequestURI, r.URL = "", must(url.Parse(server.URL))
		resp, err := server.Client().Do(r)
		require.NoError(t, err)
		resp.Header.Del("Date")
		var b strings.Builder
		b.WriteString(resp.Status + "\n")
		require.NoError(t, resp.Header.Write(&b))
		_, err = io.Copy(&b, resp.Body)
		require.NoError(t, err)
		resp.Body.Close()
		if first == "" {
			first = b.String()
			require.True(t, strings.HasSuffix(first, `{"active":false}`))
		}
		require.Equal(t, first, b.String(), name)
	}
}

// A token expires at its exp claim, to the nanosecond, for any instant and time zone of its issue.
func TestRecordsExpireWithTheirClaims(t *testing.T) {
	slow.WithoutRaceDetector(t)
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	f := newFixture(t, func(c *token.Config) { c.Keys, c.OnEvent = freeKeys(), nil })
	for range 500 {
		f.now = time.Unix(1_700_000_000+rng.Int64N(1000), rng.Int64N(1e9)).In(time.FixedZone("", int(rng.Int64N(24)-12)*1800))
		a := f.login("web", "openid", "profile", "api:short")
		at := a.str("access_token")
		_, claims := segments(t, at)
		require.EqualValues(t, f.now.Unix(), claims["iat"])
		require.EqualValues(t, claims["exp"].(float64)-claims["iat"].(float64), a.body["expires_in"])
		end := time.Unix(int64(claims["exp"].(float64)), 0)
		for _, offset := range []time.Duration{-1, 0, 1} {
			f.now = end.Add(offset)
			answer := f.introspect("web", at)
			require.Equal(t, offset < 0, answer.body["active"])
			require.Equal(t, offset < 0, f.userInfo(at).Code == http.StatusOK)
			if offset < 0 {
				require.EqualValues(t, 1, answer.body["expires_in"], "a live token has at least one second left")
			}
		}
	}
}

// A full store is an outage for new tokens. Consuming and revoking succeed, live records stay, and the same requests succeed when
// there is room.
func TestFullStore(t *testing.T) {
	t.Parallel()
	full := must(memory.NewWith(memory.Config{MaxTokens: 12})) // two grants are a third
	f := newFixture(t, func(c *token.Config) { c.Store = full })
	f.store = full
	first, second, third, burnt := f.code(), f.code(), f.code(), f.code()
	a, b := f.redeem("web", first), f.redeem("web", second)
	for _, refused := range []answer{f.redeem("web", third), f.refresh("web", a.str("refresh_token"))} {
		f.requireError(refused, http.StatusServiceUnavailable, portner.TemporarilyUnavailable)
	}
	wrong := codeForm(burnt)
	wrong.Set("code_verifier", verifier[1:]+"A")
	f.requireError(f.send(f.ep, "web", wrong), http.StatusBadRequest, portner.InvalidGrant)
	require.Equal(t, http.StatusOK, f.send(f.ep.Revocation(), "web", url.Values{"token": {a.str("access_token")}}).Code)
	require.False(t, f.active(a.str("access_token")))
	require.True(t, f.active(b.str("access_token")))
	f.advance(2 * time.Minute) // the access tokens are over
	require.Equal(t, http.StatusOK, f.refresh("web", b.str("refresh_token")).Code)
	f.advance(4 * time.Hour)
	_, err := full.Sweep(t.Context(), f.clock())
	require.NoError(t, err)
	require.Equal(t, memory.Stats{}, full.Stats())
}

// With a store that returns expired records, the endpoint rejects them at the instant of their expiry.
func TestExpiryIsExactWithoutTheStore(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(c *token.Config) { c.Store = timeless{c.Store} })
	short := func(c *storage.AuthorizationCode) { c.Grant.ExpiresAt = start.Add(time.Minute) }
	for what, tt := range map[string]struct {
		end time.Duration
		try func() bool
	}{
		"code": {time.Minute, func() bool { return f.redeem("web", f.codeAt(start)).Code == http.StatusOK }},
		"refresh token": {10 * time.Minute, func() bool {
			return f.refresh("reuse", f.at(start, "reuse").str("refresh_token")).Code == http.StatusOK
		}},
		"grant": {time.Minute, func() bool {
			return f.refresh("reuse", f.at(start, "reuse", short).str("refresh_token")).Code == http.StatusOK
		}},
		"access token": {2 * time.Minute, func() bool {
			at := f.at(start, "web").str("access_token")
			active, seen := f.introspect("web", at).body["active"] == true, f.userInfo(at).Code == http.StatusOK
			require.Equal(t, active, seen)
			return active
		}},
		"access token of a grant": {time.Minute, func() bool {
			at := f.at(start, "web", short).str("access_token")
			active, seen := f.introspect("web", at).body["active"] == true, f.userInfo(at).Code == http.StatusOK
			require.Equal(t, active, seen)
			return active
		}},
	} {
		for _, offset := range []time.Duration{-time.Second, 0, 1} {
			f.now = start.Add(tt.end + offset)
			require.Equal(t, offset < 0, tt.try(), "%s, %v from its end", what, offset)
		}
	}
}

// codeAt makes a code at another instant than that of the next request.
func (f *fixture) codeAt(when time.Time, change ...func(*storage.AuthorizationCode)) string {
	now := f.now
	defer func() { f.now = now }()
	f.now = when
	return f.code(change...)
}

// at logs in at another instant than that of the next request.
func (f *fixture) at(when time.Time, clientID string, change ...func(*storage.AuthorizationCode)) answer {
	now := f.now
	defer func() { f.now = now }()
	f.now = when
	return f.redeem(clientID, f.code(append(change, forClient(clientID, "openid", "profile"))...))
}

// More than five resources are rejected, granted or not.
func TestTooManyResources(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	form := codeForm(f.code(func(c *storage.AuthorizationCode) { c.Grant.Resources = []string{"urn:a"} }))
	form["resource"] = []string{"urn:a", "urn:a", "urn:a", "urn:a", "urn:a", "urn:a"}
	f.requireError(f.send(f.ep, "web", form), http.StatusBadRequest, portner.InvalidTarget)
	form["resource"] = form["resource"][:5]
	require.Equal(t, http.StatusOK, f.send(f.ep, "web", form).Code)
}

// A repeated Authorization field is rejected: a proxy may have checked the other one.
func TestRepeatedAuthorization(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	at := f.login("web").str("access_token")
	for _, headers := range [][]string{{"Bearer " + at, "Bearer " + at}, {"Bearer " + at, "Basic eDp5"}, {"Basic eDp5", "Bearer " + at}} {
		r := httptest.NewRequest(http.MethodGet, "https://idporten.dev/userinfo", nil)
		r.Header["Authorization"] = headers
		f.requireError(f.sendRequest(f.ep.UserInfo(), r), http.StatusBadRequest, portner.InvalidRequest)
	}
}

// The origin null is rejected, whatever Config.Origins returns.
func TestNullOrigin(t *testing.T) {
	t.Parallel()
	host := &mined{fixture: newFixture(t)}
	f := newFixture(t, func(c *token.Config) { c.Origins = host.HasOrigin })
	for _, h := range []http.Handler{f.ep, f.ep.UserInfo(), f.ep.Revocation()} {
		r := httptest.NewRequest(http.MethodOptions, "https://idporten.dev/x", nil)
		r.Header.Set("Origin", "null")
		r.Header.Set("Access-Control-Request-Method", "POST")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		require.Empty(t, w.Header().Get("Access-Control-Allow-Origin"))
		require.Empty(t, w.Header().Get("Access-Control-Allow-Methods"))
	}
}
