package realclients_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
	"text/template"

	"github.com/stretchr/testify/require"
)

// apacheConf is the configuration of an Apache with mod_auth_openidc in front of an application.
var apacheConf = template.Must(template.New("apache").Parse(`
ServerRoot "/usr/lib/apache2"
ServerName {{.Host}}
Listen {{.Listen}}
PidFile {{.Dir}}/apache.pid
Mutex file:{{.Dir}} default
ErrorLog /dev/stderr
LogLevel notice auth_openidc:warn
LoadModule mpm_event_module modules/mod_mpm_event.so
LoadModule authn_core_module modules/mod_authn_core.so
LoadModule authz_core_module modules/mod_authz_core.so
LoadModule authz_user_module modules/mod_authz_user.so
LoadModule proxy_module modules/mod_proxy.so
LoadModule proxy_http_module modules/mod_proxy_http.so
LoadModule auth_openidc_module modules/mod_auth_openidc.so
User www-data
Group www-data

OIDCProviderMetadataURL {{.Issuer}}/.well-known/openid-configuration
OIDCCABundlePath {{.Dir}}/ca.pem
OIDCClientID apache
{{if .Keys}}OIDCPublicKeyFiles {{.KeyID}}#{{.Dir}}/apache.pub
OIDCPrivateKeyFiles {{.KeyID}}#{{.Dir}}/apache.key
OIDCProviderTokenEndpointAuth private_key_jwt
{{else}}OIDCProviderTokenEndpointAuth {{.Auth}}
OIDCClientSecret {{.Secret}}
{{end}}OIDCRedirectURI {{.Origin}}/callback
OIDCScope "{{.Scope}}"
OIDCPKCEMethod S256
{{if .FormPost}}OIDCResponseMode form_post
{{end}}OIDCCryptoPassphrase en-tilfeldig-frase-for-testen
OIDCSessionType server-cache
OIDCRemoteUserClaim sub
OIDCPassClaimsAs headers
OIDCPassRefreshToken On
OIDCInfoHook iat access_token access_token_expires id_token userinfo refresh_token session
OIDCStateMaxNumberOfCookies 7 true
<Location />
  AuthType openid-connect
  Require valid-user
</Location>
<Location /goodbye>
  AuthType None
  Require all granted
</Location>
ProxyPass /app {{.App}}/app
ProxyPass /goodbye {{.App}}/goodbye
`))

// apache is a running Apache.
type apache struct {
	origin string
	w      *world
}

// application answers with the header fields that Apache adds.
func application(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(r.Header)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// startApache starts an Apache as the client "apache" of the world.
func startApache(w *world, listen string, s setup) *apache {
	w.t.Helper()
	a := &apache{origin: "http://" + listen, w: w}
	var conf bytes.Buffer
	require.NoError(w.t, apacheConf.Execute(&conf, map[string]any{
		"Host": strings.Split(listen, ":")[0], "Listen": listen, "Dir": w.dir, "Issuer": w.issuer, "Keys": s.auth == "private_key_jwt", "KeyID": keyID,
		"Auth": s.auth, "Secret": secret, "Origin": a.origin, "Scope": s.scope, "FormPost": s.formPost, "App": application(w.t),
	}))
	w.write("apache.conf", conf.Bytes())
	w.run("Apache", "resuming normal operations", exec.Command("apache2", "-f", w.path("apache.conf"), "-DFOREGROUND"))
	return a
}

// info returns what mod_auth_openidc holds for the session of a browser. It refreshes the access token if query says so.
func (a *apache) info(b *browser, query string) object {
	return b.get(a.origin + "/callback?info=json" + query).json(a.w.t)
}

func TestApache(t *testing.T) {
	t.Parallel()
	installed(t)
	for name, s := range map[string]setup{
		"client_secret_basic": {profile: "openid", auth: "client_secret_basic", scope: "openid profile email"},
		"client_secret_post":  {profile: "openid", auth: "client_secret_post", scope: "openid profile email", formPost: true},
		"private_key_jwt":     {profile: "openid", auth: "private_key_jwt", scope: "openid profile email"},
		"ID-porten":           {profile: "idporten", auth: "client_secret_basic", scope: "openid profile"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			playApache(t, s)
		})
	}
}

func playApache(t *testing.T, s setup) {
	w := newWorld(t)
	listen := address(t)
	c := w.registration(s, "http://"+listen)
	c["client_id"] = "apache"
	c["backchannel_logout_uri"] = "http://" + listen + "/callback?logout=backchannel"
	c["backchannel_logout_session_required"] = true
	if s.auth == "private_key_jwt" {
		c["jwks"] = w.apacheKey()
	}
	other := address(t)
	otherClient := w.registration(setup{profile: s.profile, auth: "client_secret_basic"}, "http://"+other)
	w.start(s.profile, c, otherClient)
	a := startApache(w, listen, s)

	b := w.browser()
	headers := b.logIn(b.get(a.origin + "/app")).json(t)
	require.NotEmpty(t, headers["Oidc_claim_sub"], "%v", headers)
	require.Equal(t, []any{w.issuer}, headers["Oidc_claim_iss"])
	if s.profile == "openid" {
		require.Equal(t, []any{"Kari Testesen"}, headers["Oidc_claim_name"])
	} else {
		require.Equal(t, []any{"21879498012"}, headers["Oidc_claim_pid"])
	}
	first := a.info(b, "")
	next := a.info(b, "&access_token_refresh_interval=0")
	require.NotEqual(t, first["access_token"], next["access_token"], "refreshed")
	require.NotEmpty(t, next["access_token"])

	require.Equal(t, listen, b.get(a.origin+"/callback?logout="+a.origin+"/goodbye").url.Host, "RP-initiated logout")
	require.Equal(t, "/login", b.get(a.origin+"/app").url.Path, "both sessions have ended")
}

// TestApacheLogoutElsewhere checks that a logout at another service ends the session at Apache, by the front channel and by the back
// channel.
func TestApacheLogoutElsewhere(t *testing.T) {
	t.Parallel()
	dir := installed(t)
	for name, register := range map[string]func(c object, origin string){
		"front-channel": func(c object, origin string) {
			c["frontchannel_logout_uri"], c["frontchannel_logout_session_required"] = origin+"/callback?logout=get", true
		},
		"back-channel": func(c object, origin string) {
			c["backchannel_logout_uri"], c["backchannel_logout_session_required"] = origin+"/callback?logout=backchannel", true
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, listen, other := newWorld(t), address(t), address(t)
			s := setup{profile: "openid", auth: "client_secret_basic", scope: "openid profile"}
			c := w.registration(s, "http://"+listen)
			c["client_id"] = "apache"
			register(c, "http://"+listen)
			w.start(s.profile, c, w.registration(s, "http://"+other))
			a := startApache(w, listen, s)
			libraries[0].run(w, s, dir, other)

			b := w.browser()
			b.logIn(b.get(a.origin + "/app")).json(t)
			require.NotEmpty(t, b.get("http://" + other + "/login").json(t)["claims"], "single sign-on")
			require.Equal(t, "/app", b.get(a.origin+"/app").url.Path)
			b.get("http://" + other + "/logout")
			require.Equal(t, "/login", b.get(a.origin+"/app").url.Path, "Apache's session has ended")
		})
	}
}
