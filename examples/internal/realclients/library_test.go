package realclients_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// setup is a client of a test.
type setup struct {
	profile, auth, scope string
	par, formPost        bool
}

// library is a service that is written with a client library.
type library struct {
	name    string
	pushes  bool                                     // the library has pushed authorization requests
	command func(t *testing.T, dir string) *exec.Cmd // starts the service
}

var libraries = []library{
	{"openid-client", true, func(t *testing.T, dir string) *exec.Cmd {
		t.Helper()
		own := t.TempDir() // a module finds its packages beside its file
		text, err := os.ReadFile("node/rp.mjs")
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(own, "rp.mjs"), text, 0o600))
		require.NoError(t, os.Symlink(filepath.Join(dir, "node", "node_modules"), filepath.Join(own, "node_modules")))
		return exec.Command("node", filepath.Join(own, "rp.mjs"))
	}},
	{"Authlib", false, func(_ *testing.T, dir string) *exec.Cmd {
		return exec.Command(filepath.Join(dir, "python", "bin", "python"), "-B", "python/rp.py")
	}},
}

// TestLibraries plays login, userinfo, refresh, introspection, revocation and logout with each library.
func TestLibraries(t *testing.T) {
	t.Parallel()
	dir := installed(t)
	for _, l := range libraries {
		for name, s := range map[string]setup{
			"client_secret_basic": {profile: "openid", auth: "client_secret_basic", scope: "openid profile email"},
			"client_secret_post":  {profile: "openid", auth: "client_secret_post", scope: "openid profile email", formPost: true},
			"private_key_jwt":     {profile: "openid", auth: "private_key_jwt", scope: "openid profile email"},
			"ID-porten":           {profile: "idporten", auth: "private_key_jwt", scope: "openid profile", par: true},
		} {
			t.Run(l.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				s.par = s.par && l.pushes
				play(t, l, s, dir)
			})
		}
	}
}

func play(t *testing.T, l library, s setup, dir string) {
	w := newWorld(t)
	listen := address(t)
	origin := "http://" + listen
	w.start(s.profile, w.registration(s, origin))
	l.run(w, s, dir, listen)

	b := w.browser()
	login := b.get(origin + "/login")
	require.Equal(t, w.issuer+"/login", w.issuer+login.url.Path, "%s", login.body)
	in := b.logIn(login).json(t)
	claims, info := in["claims"].(object), in["userinfo"].(object)
	require.Equal(t, claims["sub"], info["sub"])
	if s.profile == "openid" {
		require.Equal(t, "Kari Testesen", info["name"])
		require.Equal(t, "kari@example.no", info["email"])
		require.NotContains(t, claims, "name", "claims of scopes are at userinfo")
	} else {
		require.Equal(t, "21879498012", claims["pid"])
		require.Equal(t, "idporten-loa-high", claims["acr"])
	}

	again := b.continued(b.get(origin + "/login")).json(t)["claims"].(object)
	require.Equal(t, claims["auth_time"], again["auth_time"], "single sign-on")
	require.Equal(t, claims["sid"], again["sid"])

	next := b.get(origin + "/refresh").json(t)
	require.Equal(t, true, next["changed"])
	require.Equal(t, claims["sub"], next["sub"])
	require.Equal(t, true, b.get(origin + "/introspect").json(t)["active"])
	require.Equal(t, "invalid_grant", b.get(origin + "/revoke").json(t)["error"])

	require.Equal(t, true, b.get(origin + "/logout").json(t)["left"], "without a question, because of the id_token_hint")
	require.Equal(t, "/login", b.get(origin+"/login").url.Path, "the session has ended")
}

// run starts the service as the client "tjeneste" of the world.
func (l library) run(w *world, s setup, dir, listen string) {
	w.t.Helper()
	cmd := l.command(w.t, dir)
	cmd.Env = append(os.Environ(), "LISTEN="+listen, "ISSUER="+w.issuer, "CLIENT_ID=tjeneste", "CLIENT_SECRET="+secret, "AUTH="+s.auth,
		"CLIENT_KEY="+w.path("client.pem"), "KEY_ID="+keyID, "SCOPE="+s.scope, "NODE_EXTRA_CA_CERTS="+w.path("ca.pem"), "SSL_CERT_FILE="+w.path("ca.pem"))
	if s.par {
		cmd.Env = append(cmd.Env, "PAR=1")
	}
	if s.formPost {
		cmd.Env = append(cmd.Env, "RESPONSE_MODE=form_post")
	}
	if s.profile == "idporten" {
		cmd.Env = append(cmd.Env, "IDPORTEN=1")
	}
	w.run(l.name, "ready", cmd)
}

// registration returns the client of a setup.
func (w *world) registration(s setup, origin string) object {
	c := object{
		"client_id": "tjeneste", "client_name": "Tjenesten", "token_endpoint_auth_method": s.auth, "grant_types": []string{"authorization_code", "refresh_token"},
		"redirect_uris": []string{origin + "/callback"}, "post_logout_redirect_uris": []string{origin + "/goodbye"},
	}
	if s.profile == "openid" {
		c["scopes"] = []string{"openid", "profile", "email", "offline_access"}
	} else {
		c["client_orgno"], c["integration_type"] = "991825827", "idporten"
		c["require_pushed_authorization_requests"] = s.par
	}
	if s.auth == "private_key_jwt" {
		c["jwks"] = w.jwks()
		c["allow_token_endpoint_audience"] = s.profile == "openid" // the audience of Authlib and mod_auth_openidc
	} else {
		c["client_secret"] = secret
	}
	return c
}
