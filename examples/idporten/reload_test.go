package main

import (
	"bytes"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const reloadSecret = "Wm5rT0yHq3ZkBv8nDs6LgXc2PjUa9EfR"

// reloadable returns a configuration with clients and one user.
func reloadable(also string, clients ...string) string {
	var all []string
	for _, id := range clients {
		all = append(all, `{"client_id":"`+id+`","client_secret":"`+reloadSecret+`","redirect_uris":["http://localhost:3000/`+id+`"],"scopes":["openid"]}`)
	}
	return `{"clients":[` + strings.Join(all, ",") + `],"users":[{"username":"ola","password":"passord","pid":"45840375084"}]` + also + `}`
}

// TestReload: a client of a reloaded configuration can log in, a session survives, and requests in progress keep the configuration with
// which they began.
func TestReload(t *testing.T) {
	t.Parallel()
	file := write(t, reloadable("", "first"))
	s := start(t, "-demo=false", "-config", file)
	first := newParty(t, s, "first", reloadSecret, "http://localhost:3000/first", "openid")
	v := visit(t, s)
	first.exchange(v.login(v.get(first.url()), "ola").left.Query())

	second := newParty(t, s, "second", reloadSecret, "http://localhost:3000/second", "openid")
	require.Equal(t, http.StatusBadRequest, v.get(second.url()).status, "the client is unknown")
	form := v.get(first.url("prompt", "login")) // the page of a login is open during the change

	require.NoError(t, os.WriteFile(file, []byte(reloadable(`,"lifetimes":{"access_token":77}`, "first", "second")), 0o600))
	require.NoError(t, s.Reload(t.Context()))
	p := v.get(second.url())
	require.NotNil(t, p.left, "single sign-on with the session from before")
	tok, _ := second.exchange(p.left.Query())
	require.InDelta(t, 77, tok.ExpiresIn, 1)
	first.exchange(v.login(form, "ola").left.Query())

	// A client that is left out is unknown, and so is its algorithm that no other client has.
	require.NoError(t, os.WriteFile(file, []byte(reloadable("", "second")), 0o600))
	require.NoError(t, s.Reload(t.Context()))
	require.Equal(t, http.StatusBadRequest, v.get(first.url()).status)
	require.NotNil(t, v.get(second.url()).left)
}

// TestReloadMakesKeys: a client of a reloaded configuration gets tokens of its own algorithm.
func TestReloadMakesKeys(t *testing.T) {
	t.Parallel()
	file := write(t, reloadable("", "first"))
	s := start(t, "-demo=false", "-config", file)
	require.Equal(t, []string{"RS256"}, s.Keys.Set().Algs(now()))
	before := s.Keys.Set().States()[0].KID
	text := strings.Replace(reloadable("", "first"), `"scopes"`, `"id_token_signed_response_alg":"ES256","scopes"`, 1)
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	require.NoError(t, s.Reload(t.Context()))
	require.ElementsMatch(t, []string{"RS256", "ES256"}, s.Keys.Set().Algs(now()))
	jwks, _ := s.Keys.Set().JWKS(now())
	require.Contains(t, string(jwks), before, "the key from before stays")
	p := newParty(t, s, "first", reloadSecret, "http://localhost:3000/first", "openid")
	v := visit(t, s)
	_, idToken := p.exchange(v.login(v.get(p.url()), "ola").left.Query())
	require.NotNil(t, idToken)
}

// TestReloadRefuses: a file with problems, and one with a change that needs a restart, change nothing, and every problem is named.
func TestReloadRefuses(t *testing.T) {
	t.Parallel()
	file := write(t, reloadable("", "first"))
	s := start(t, "-demo=false", "-issuer", "", "-config", file)
	p := newParty(t, s, "first", reloadSecret, "http://localhost:3000/first", "openid")
	v := visit(t, s)
	p.exchange(v.login(v.get(p.url()), "ola").left.Query())
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"not JSON": {`{`, []string{"line 1:"}},
		"problems": {
			`{"clients":[{"client_id":"a","redirect_uri":["x"]}],"isuer":"x"}`,
			[]string{`clients[0].redirect_uri: is an unknown member`, `isuer: is an unknown member`},
		},
		"scopes": {reloadable(`,"scopes":[{"name":"a:b","requires_user_consent":true}]`, "first"), []string{"scopes[0].description:"}},
		"restart": {
			reloadable(`,"issuer":"http://localhost:1","test_issuer":"http://localhost:1","profile":"openid","mtls":{"addr":"localhost:0"},"signing_algorithms":["ES256"],"key_certificates":true`),
			[]string{
				"issuer: has changed: this needs a restart", "test_issuer: has changed: this needs a restart", "profile: has changed: this needs a restart",
				"mtls.addr: has changed: this needs a restart", "signing_algorithms: has changed: this needs a restart", "key_certificates: has changed: this needs a restart",
			},
		},
		"found by the provider": {reloadable(`,"lifetimes":{"code":601}`), []string{"Lifetimes.Code"}},
	} {
		require.NoError(t, os.WriteFile(file, []byte(c.text), 0o600))
		var out bytes.Buffer
		cmd := s.Options.Command()
		cmd.Reload(t.Context(), s, slog.New(slog.NewTextHandler(&out, nil)))
		for _, want := range c.want {
			require.Contains(t, out.String(), want, name)
		}
		require.NotContains(t, out.String(), "is reloaded", name)
		require.NotContains(t, out.String(), "error="+file+":\n", "%s: a line without a problem", name)
		require.NotContains(t, out.String(), "passord")
		require.NotNil(t, v.get(p.url()).left, name)
	}
	require.NoError(t, os.Remove(file))
	require.ErrorContains(t, s.Reload(t.Context()), "-config")
	require.NotNil(t, v.get(p.url()).left)
}
