package main

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/portner-go/portner/internal/standin"
	"github.com/portner-go/portner/internal/standin/idporten"
)

// TestInactive checks "active": false of clients, users and scopes.
func TestInactive(t *testing.T) {
	t.Parallel()
	s := start(t, "-config", team(t, newKey(t), `,"scopes":[{"name":"a:b","active":false,"accessible_for_all":true}]`))
	v := visit(t, s)
	p := newParty(t, s, "avslatt", clientSecret, nobody, "openid")
	require.Equal(t, "invalid_client", v.get(p.url()).text("error-code"))
	p = newParty(t, s, "alene", clientSecret, nobody, "openid")
	refused := v.login(v.get(p.url()), "sperret")
	require.Equal(t, http.StatusUnauthorized, refused.status)
	require.NotNil(t, refused.id("login-failed"))
	require.Nil(t, refused.id("user-sperret"), "no button either")
	r, err := s.Config.ScopeRegistry()
	require.NoError(t, err)
	require.True(t, r.Scope("a:b").Inactive)
}

// TestDisabledLater checks that a user who is disabled while logged in gets no more tokens.
func TestDisabledLater(t *testing.T) {
	t.Parallel()
	s := start(t)
	v := visit(t, s)
	p := newParty(t, s, "min-tjeneste", idporten.DemoSecret, s.At.First+"/callback", "openid", "profile")
	tok, _ := p.exchange(v.login(v.get(p.url()), "ola").left.Query())
	code := v.get(p.url()).param(t, "code")
	s.Users.Persons["user:ola"] = idporten.Person{Disabled: true}
	_, err := p.refresh(tok.RefreshToken)
	refusedWith(t, err, "invalid_grant")
	_, err = p.conf.Exchange(p.ctx, code, oauth2.VerifierOption(p.verifier))
	refusedWith(t, err, "invalid_grant")
	_, err = p.provider.UserInfo(p.ctx, oauth2.StaticTokenSource(tok))
	require.ErrorContains(t, err, "401")
	_, err = s.Users.TestPerson(t.Context(), parsed("45840375084"))
	require.Error(t, err)
}

// TestTwoEntriesOnePerson checks that a person with one disabled and one enabled user is enabled.
func TestTwoEntriesOnePerson(t *testing.T) {
	t.Parallel()
	off := false
	d, err := idporten.NewDirectory([]idporten.User{
		{Account: standin.Account{PID: "45840375084", Username: "a"}, Active: &off}, {Account: standin.Account{PID: "45840375084", Username: "b"}},
	}, false, nil)
	require.NoError(t, err)
	require.Equal(t, "user:a", d.Subject(d.Entries[0]), "one subject for each person")
	u, err := d.User(t.Context(), "user:a")
	require.NoError(t, err)
	require.False(t, u.Disabled)
	_, ok := d.Named("a")
	require.False(t, ok)
	_, err = d.User(t.Context(), "user:kari")
	require.Error(t, err, "an unknown subject")
}

// TestLimits checks the members session and lifetimes.
func TestLimits(t *testing.T) {
	t.Parallel()
	s, advance := startWithClock(t, "-config", team(t, newKey(t), `,"session":{"idle":1},"lifetimes":{"access_token":77,"id_token":33,"code":1,"pushed_request":44}`))
	v := visit(t, s)
	p := newParty(t, s, "alene", clientSecret, nobody, "openid")
	tok, it := p.exchange(v.login(v.get(p.url()), "ola").left.Query())
	require.EqualValues(t, 77, tok.ExpiresIn)
	require.Equal(t, 33*time.Second, it.Expiry.Sub(it.IssuedAt))
	late := v.get(p.url()).param(t, "code")
	_, pushed := post(t, s, "/par", "alene", clientSecret, p.params())
	require.InDelta(t, 44, pushed["expires_in"], 0)
	advance(time.Second)
	_, err := p.conf.Exchange(p.ctx, late, oauth2.VerifierOption(p.verifier))
	refusedWith(t, err, "invalid_grant")
	require.Equal(t, "/login", v.get(p.url()).url.Path, "idle for a second")
}

func TestLimitsInAll(t *testing.T) {
	t.Parallel()
	s, advance := startWithClock(t, "-config", team(t, newKey(t), `,"session":{"max":2,"idle":2},"lifetimes":{"refresh_token":1,"authorization":9}`))
	v := visit(t, s)
	p := newParty(t, s, "nettleser", "", "http://localhost:5173/cb", "openid")
	p.conf.Endpoint.AuthStyle = oauth2.AuthStyleInParams
	tok, _ := p.exchange(v.login(v.get(p.url()), "ola").left.Query())
	require.LessOrEqual(t, tok.ExpiresIn, int64(9), "an access token does not outlive the authorization")
	require.NotNil(t, v.get(p.url()).left)
	advance(time.Second)
	_, err := p.refresh(tok.RefreshToken)
	refusedWith(t, err, "invalid_grant")
	require.NotNil(t, v.get(p.url()).left, "busy, and not too old")
	advance(time.Second)
	require.Equal(t, "/login", v.get(p.url()).url.Path, "two seconds in all, though busy")
}

// startWithClock runs the example server with a clock that advances only when the test advances it.
func startWithClock(t *testing.T, args ...string) (s *idporten.Server, advance func(time.Duration)) {
	t.Helper()
	var passed atomic.Int64
	s = prepare(t, args...)
	begin := time.Now()
	s.Now = func() time.Time { return begin.Add(time.Duration(passed.Load())) }
	serve(t, s)
	return s, func(d time.Duration) { passed.Add(int64(d)) }
}
