package token_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/token"
)

// Tokens in the header and in the form (RFC 6750 §2.1, §2.2) are accepted, and in the query (RFC 6750 §2.3) rejected.
func TestUserInfoRequests(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	a := f.login("web")
	at := a.str("access_token")
	_, claims := segments(t, a.str("id_token"))
	want := map[string]any{"sub": claims["sub"], "pid": pid, "locale": "nb"}
	form := url.Values{"access_token": {at}}.Encode()
	for _, tt := range []struct {
		name, method, query, header, body, contentType string
		status                                         int
		code                                           string
	}{
		{name: "GET", method: "GET", header: "Bearer " + at, status: 200},
		{name: "scheme in another case", method: "GET", header: "bEARER " + at, status: 200},
		{name: "several spaces", method: "GET", header: "Bearer   " + at, status: 200},
		{name: "another query parameter", method: "GET", query: "?x=1", header: "Bearer " + at, status: 200},
		{name: "POST header", method: "POST", header: "Bearer " + at, status: 200},
		{name: "POST header and empty form", method: "POST", header: "Bearer " + at, contentType: formType, status: 200},
		{name: "POST header and JSON", method: "POST", header: "Bearer " + at, body: "{}", contentType: "application/json", status: 200},
		{name: "POST body", method: "POST", body: form, contentType: formType, status: 200},
		{name: "query", method: "GET", query: "?" + form, status: 400, code: "invalid_request"},
		{name: "query in POST", method: "POST", query: "?" + form, header: "Bearer " + at, status: 400, code: "invalid_request"},
		{name: "malformed query", method: "GET", query: "?a=%zz", header: "Bearer " + at, status: 400, code: "invalid_request"},
		{name: "twice", method: "POST", header: "Bearer " + at, body: form, contentType: formType, status: 400, code: "invalid_request"},
		{name: "twice in the body", method: "POST", body: form + "&" + form, contentType: formType, status: 400, code: "invalid_request"},
		{name: "JSON body", method: "POST", body: `{"access_token":"x"}`, contentType: "application/json", status: 400, code: "invalid_request"},
		{name: "no token", method: "GET", status: 401},
		{name: "POST without anything", method: "POST", status: 401},
		{name: "other scheme", method: "GET", header: "Basic eDp5", status: 401},
		{name: "empty credentials", method: "GET", header: "Bearer ", status: 400, code: "invalid_request"},
		{name: "unknown token", method: "GET", header: "Bearer x", status: 401, code: "invalid_token"},
		{name: "token with a tail", method: "GET", header: "Bearer " + at + " x", status: 401, code: "invalid_token"},
		{name: "giant token", method: "GET", header: "Bearer " + strings.Repeat("x", 1<<17), status: 401, code: "invalid_token"},
		{name: "PUT", method: "PUT", header: "Bearer " + at, status: 405, code: "invalid_request"},
		{name: "HEAD", method: "HEAD", header: "Bearer " + at, status: 405, code: "invalid_request"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(tt.method, "https://idporten.dev/userinfo"+tt.query, strings.NewReader(tt.body))
			if tt.header != "" {
				r.Header.Set("Authorization", tt.header)
			}
			if tt.contentType != "" {
				r.Header.Set("Content-Type", tt.contentType)
			}
			a := f.sendRequest(f.ep.UserInfo(), r)
			require.Equal(t, tt.status, a.Code, a.Body.String())
			require.Equal(t, tt.code, a.str("error"))
			challenge := a.Header().Get("WWW-Authenticate")
			switch {
			case tt.status == 200:
				require.Equal(t, want, a.body)
			case tt.status == 405:
				require.Equal(t, "GET, POST", a.Header().Get("Allow"))
			case tt.code == "":
				require.Equal(t, `Bearer realm="`+issuer+`"`, challenge)
				require.Empty(t, a.Body.String())
			default:
				require.Contains(t, challenge, `Bearer realm="`+issuer+`", error="`+tt.code+`"`)
			}
		})
	}
}

const formType = "application/x-www-form-urlencoded"

func TestUserInfoScope(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.requireError(f.userInfo(f.login("web", "openid", "api:read").str("access_token")), http.StatusForbidden, portner.InsufficientScope)
	require.Equal(t, http.StatusOK, f.userInfo(f.login("web", "profile", "api:opaque").str("access_token")).Code, "opaque tokens work too")

	plain := newFixture(t, withProfile(provider.OpenIDConnect()))
	require.Equal(t, http.StatusOK, plain.userInfo(plain.login("web", "openid").str("access_token")).Code)
	plain.requireError(plain.userInfo(plain.login("web", "profile").str("access_token")), http.StatusForbidden, portner.InsufficientScope)
}

func TestUserInfoTokenEnds(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	at := f.login("web").str("access_token")
	f.advance(2*time.Minute - 1)
	require.Equal(t, http.StatusOK, f.userInfo(at).Code)
	f.advance(1)
	f.requireError(f.userInfo(at), http.StatusUnauthorized, portner.InvalidToken)
}

func TestUserInfoChecksTheGrant(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change func(*fixture, *world)
		status int
	}{
		"as before":       {func(*fixture, *world) {}, 200},
		"user disabled":   {func(_ *fixture, w *world) { w.user.Disabled = true }, 401},
		"user removed":    {func(_ *fixture, w *world) { w.userErr = storage.ErrNotFound }, 401},
		"outage":          {func(_ *fixture, w *world) { w.userErr = errOutage }, 503},
		"client removed":  {func(f *fixture, _ *world) { delete(f.clients, "web") }, 401},
		"client inactive": {func(f *fixture, _ *world) { f.clients["web"].Disabled = true }, 401},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := &world{}
			f := newFixture(t, func(c *token.Config) { c.Users = w })
			at := f.login("web").str("access_token")
			tt.change(f, w)
			require.Equal(t, tt.status, f.userInfo(at).Code)
		})
	}
}

// Userinfo has every claim of the scopes, and the id_token has none of them.
func TestPlainOpenIDClaims(t *testing.T) {
	t.Parallel()
	standard := map[string]any{
		"name": "Kari Nordmann", "given_name": "Kari", "family_name": "Nordmann", "middle_name": "B", "nickname": "K",
		"preferred_username": "kari", "profile": "https://example.no/kari", "picture": "https://example.no/kari.png",
		"website": "https://example.no", "gender": "female", "birthdate": "1994-01-01", "zoneinfo": "Europe/Oslo",
		"locale": "nb-NO", "updated_at": 1700000000, "email": email, "email_verified": true,
		"address": map[string]any{"formatted": "Storgata 1"}, "phone_number": "+47 55 55 55 55", "phone_number_verified": false,
		"pid": pid, "role": "admin", "sub": "somebody else", "website2": "",
	}
	profile := []string{
		"name", "given_name", "family_name", "middle_name", "nickname", "preferred_username", "profile", "picture",
		"website", "gender", "birthdate", "zoneinfo", "locale", "updated_at",
	}
	for _, tt := range []struct {
		scopes []string
		want   []string
	}{
		{[]string{"openid"}, nil},
		{[]string{"openid", "email"}, []string{"email", "email_verified"}},
		{[]string{"openid", "profile"}, profile},
		{[]string{"openid", "email", "profile"}, append([]string{"email", "email_verified"}, profile...)},
	} {
		t.Run(strings.Join(tt.scopes, " "), func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, withProfile(provider.OpenIDConnect()), func(c *token.Config) { c.Users = &world{user: token.User{Claims: standard}} })
			a := f.login("web", tt.scopes...)
			u := f.userInfo(a.str("access_token"))
			require.Equal(t, http.StatusOK, u.Code, u.Body.String())
			_, claims := segments(t, a.str("id_token"))
			require.Equal(t, claims["sub"], u.body["sub"])
			requireNoDuplicates(t, u.Body.String())
			delete(u.body, "sub")
			var got []string
			for name := range u.body {
				got = append(got, name)
			}
			require.ElementsMatch(t, tt.want, got)
			require.Subset(t, []string{
				"iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "azp", "at_hash",
				"c_hash", "s_hash", "nbf", "jti", "sid", "txn",
			}, keys(claims))
			header, access := segments(t, a.str("access_token"))
			require.Equal(t, "at+jwt", header["typ"])
			require.Equal(t, issuer, access["aud"])
			require.Subset(t, []string{"iss", "sub", "aud", "exp", "iat", "auth_time", "acr", "amr", "jti", "client_id", "scope"}, keys(access))
		})
	}
}

// Without a user source the claims come from the login.
func TestPlainOpenIDClaimsFromLogin(t *testing.T) {
	t.Parallel()
	f := newFixture(t, withProfile(provider.OpenIDConnect()))
	code := f.code(forClient("web", "openid", "profile", "email"), identity(session.Identity{
		Subject: "u", Identifiers: identified(session.TypeEmail, email), Attributes: map[string]string{"given_name": "Kari"},
	}))
	u := f.userInfo(f.redeem("web", code).str("access_token"))
	require.Equal(t, email, u.body["email"])
	require.Equal(t, "Kari", u.body["given_name"])
	require.Equal(t, 1, strings.Count(u.Body.String(), "given_name"))
}

// identity changes the user of a code.
func identity(id session.Identity) func(*storage.AuthorizationCode) {
	return func(c *storage.AuthorizationCode) { c.Grant.Identity = testVault().Seal(id, c.Grant.ID) }
}

func keys(m map[string]any) []string {
	var k []string
	for name := range m {
		k = append(k, name)
	}
	return k
}

// A claim that both the host and the login have is written once, because JSON parsers differ in which of two equal members they use.
func TestUserInfoHasNoDuplicates(t *testing.T) {
	t.Parallel()
	f := newFixture(t, withProfile(provider.OpenIDConnect()), func(c *token.Config) {
		c.Users = &world{user: token.User{Claims: map[string]any{"given_name": "K", "email": "k@example.no", "birthdate": "1990", "locale": "en"}}}
	})
	u := f.userInfo(f.redeem("web", f.code(forClient("web", "openid", "profile", "email"), identity(everything))).str("access_token"))
	requireNoDuplicates(t, u.Body.String())
	require.Equal(t, "K", u.body["given_name"], "the claim of the host, not that of the login")
	require.Equal(t, everything.Attributes["family_name"], u.body["family_name"], "the host has none")
	require.Equal(t, "en", u.body["locale"])
}

func requireNoDuplicates(t *testing.T, object string) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(object))
	_, err := d.Token()
	require.NoError(t, err)
	seen := map[string]bool{}
	for d.More() {
		name := must(d.Token()).(string)
		require.False(t, seen[name], "%s twice", name)
		seen[name] = true
		var value any
		require.NoError(t, d.Decode(&value))
	}
}

// TestUserInfoOfAnOpaqueToken verifies that an opaque token without openid and profile does not disclose the user to its client at
// userinfo, whatever scope the endpoint requires (docs/threat-model.md H1).
func TestUserInfoOfAnOpaqueToken(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(c *token.Config) { c.UserInfoScope, c.SubjectType = "api:read", client.Public })
	f.requireError(f.userInfo(f.login("web", "api:read", "api:opaque").str("access_token")), http.StatusForbidden, portner.InsufficientScope)
	require.Equal(t, "subject_withheld", f.events[len(f.events)-1].Reason)
	open := f.userInfo(f.login("web", "openid", "api:read", "api:opaque").str("access_token"))
	require.Equal(t, pid, open.body["pid"], "the client has an id_token")
	require.Equal(t, "user-1", open.body["sub"])
}

// TestUserInfoAudience: a token for other resource servers only is not accepted at userinfo (RFC 9068 §4).
func TestUserInfoAudience(t *testing.T) {
	t.Parallel()
	const api = "https://api.example.no"
	kari := session.Identity{Subject: "user-1", Identifiers: identified(session.TypePID, pid)}
	for _, tt := range []struct {
		audience []string
		typ      string
		status   int
	}{
		{nil, "", http.StatusOK},
		{nil, "at+jwt", http.StatusOK}, // aud is the issuer
		{[]string{issuer, api}, "", http.StatusOK},
		{[]string{api}, "", http.StatusUnauthorized},
		{[]string{api}, "at+jwt", http.StatusUnauthorized},
	} {
		f := voucherFixture(t, token.Contents{Identity: kari, Scopes: []string{"openid", "profile"}, Resources: tt.audience}, func(c *token.Config) {
			c.AccessTokenType = tt.typ
		})
		a := f.send(f.ep, "web", url.Values{"grant_type": {voucherGrant}})
		require.Equal(t, http.StatusOK, a.Code, a.Body.String())
		got := f.userInfo(a.str("access_token"))
		require.Equal(t, tt.status, got.Code, "%v", tt)
		if tt.status == http.StatusUnauthorized {
			require.Equal(t, "invalid_token", got.str("error"))
			last := f.events[len(f.events)-1]
			require.Equal(t, "audience_mismatch", last.Reason)
			require.Equal(t, portner.Explanation{Parameter: "aud", Expected: "the issuer, or no audience"}, last.Explanation)
		}
	}
}
