package realclients_test

import (
	"crypto/tls"
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/dpop"
	"github.com/portner-go/portner/resource"
	"github.com/portner-go/portner/storage/memory"
)

const apiScope = "test:api"

// dpopClients are the programs of clients that bind their tokens to a key.
var dpopClients = []struct {
	name    string
	command func(t *testing.T, dir string) *exec.Cmd
	env     []string
}{
	{"openid-client", nodeProgram("rp.mjs"), []string{"PAR=1", "DPOP=1"}},
	{"oauth4webapi with a proof at PAR", nodeProgram("oauth.mjs"), []string{"DPOP=proof"}},
	{"oauth4webapi with dpop_jkt", nodeProgram("oauth.mjs"), []string{"DPOP=dpop_jkt"}},
	{"requests_oauth2client", func(_ *testing.T, dir string) *exec.Cmd {
		return exec.Command(filepath.Join(dir, "python", "bin", "python"), "-B", "python/dpop.py")
	}, nil},
}

// TestDPoP plays login, userinfo, refresh, client_credentials and calls of an API with each client that binds its tokens to a key. Token endpoint
// and API require nonces.
func TestDPoP(t *testing.T) {
	t.Parallel()
	dir := installed(t)
	for _, c := range dpopClients {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			listen := w.free()
			origin := "https://" + listen
			api := w.api()
			w.startFAPI("fapi2", "", w.boundClient(origin, object{"dpop_bound_access_tokens": true}))
			w.service(c.name, c.command(t, dir), listen, c.env...)

			b := w.browser()
			in := b.logIn(b.get(origin + "/login")).json(t)
			sub := in["claims"].(object)["sub"]
			require.NotEmpty(t, sub)
			require.Equal(t, sub, in["userinfo"].(object)["sub"])
			w.requireBound(b, origin, api, sub)

			next := b.get(origin + "/refresh").json(t)
			require.Equal(t, true, next["changed"])
			require.Equal(t, sub, next["sub"])
			w.requireBound(b, origin, api, sub)

			b.get(origin + "/machine?scope=" + apiScope).json(t)
			w.requireBound(b, origin, api, "tjeneste")

			asked := b.get(origin + "/challenges").json(t)
			require.EqualValues(t, 1, asked["/token"], "the client keeps the nonce")
			require.EqualValues(t, 1, api.asked.Load(), "the client keeps the nonce of the API, too")
		})
	}
}

func nodeProgram(name string) func(t *testing.T, dir string) *exec.Cmd {
	return func(t *testing.T, dir string) *exec.Cmd {
		t.Helper()
		own := t.TempDir() // a module finds its packages beside its file
		text, err := os.ReadFile(filepath.Join("node", name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(own, name), text, 0o600))
		require.NoError(t, os.Symlink(filepath.Join(dir, "node", "node_modules"), filepath.Join(own, "node_modules")))
		return exec.Command("node", filepath.Join(own, name))
	}
}

// requireBound verifies that the access token of the client has its key: the API accepts it from the client, and from nobody else.
func (w *world) requireBound(b *browser, origin string, api *nonceAPI, sub any) {
	w.t.Helper()
	called := b.get(origin + "/call?url=" + url.QueryEscape(api.url+"/who")).json(w.t)
	require.EqualValues(w.t, http.StatusOK, called["status"], "%v", called)
	require.Equal(w.t, sub, called["body"].(object)["sub"])

	asked := api.asked.Load()
	token := b.get(origin + "/token").json(w.t)["access_token"].(string)
	thief := newProver(w.t)
	for _, at := range []string{api.url + "/who", w.issuer + "/userinfo"} {
		stolen := w.ask(at, "Bearer", token, "")
		require.Equal(w.t, http.StatusUnauthorized, stolen.status, at)
		require.Contains(w.t, stolen.challenge, `error="invalid_token"`, at)
		stolen = w.ask(at, "DPoP", token, thief.proof(http.MethodGet, at, token, nil))
		if stolen.nonce != "" {
			stolen = w.ask(at, "DPoP", token, thief.proof(http.MethodGet, at, token, object{"nonce": stolen.nonce}))
		}
		require.Equal(w.t, http.StatusUnauthorized, stolen.status, at)
		require.Contains(w.t, stolen.challenge, `error="invalid_token"`, at)
	}
	api.asked.Store(asked)
}

// boundClient returns the registration of "tjeneste" with private_key_jwt and PAR. set adds members.
func (w *world) boundClient(origin string, set object) object {
	c := object{
		"client_id": "tjeneste", "client_name": "Tjenesten", "token_endpoint_auth_method": "private_key_jwt", "jwks": w.jwks(),
		"grant_types":   []string{"authorization_code", "refresh_token", "client_credentials"},
		"redirect_uris": []string{origin + "/callback"}, "scopes": []string{"openid", "profile", "offline_access", apiScope},
	}
	for name, value := range set {
		c[name] = value
	}
	return c
}

// service starts the program of the client "tjeneste".
func (w *world) service(name string, cmd *exec.Cmd, listen string, env ...string) {
	w.t.Helper()
	cmd.Env = append(os.Environ(), "LISTEN="+listen, "ISSUER="+w.issuer, "CLIENT_ID=tjeneste", "AUTH=private_key_jwt", "CLIENT_KEY="+w.path("client.pem"), "KEY_ID="+keyID,
		"SCOPE=openid profile offline_access "+apiScope, "NODE_EXTRA_CA_CERTS="+w.path("ca.pem"), "SSL_CERT_FILE="+w.path("ca.pem"), "REQUESTS_CA_BUNDLE="+w.path("ca.pem"))
	cmd.Env = append(cmd.Env, "SERVER_CERTIFICATE="+w.path("tls.pem"), "SERVER_KEY="+w.path("tls.key"))
	cmd.Env = append(cmd.Env, env...)
	w.run(name, "ready", cmd)
}

// nonceAPI is an API with package resource, which accepts tokens that are bound to a key or a certificate, with a nonce in every proof.
// GET /who answers with the sub of the token.
type nonceAPI struct {
	url   string
	asked atomic.Int64 // how often a client without a nonce was asked for one
}

func (w *world) api() *nonceAPI {
	w.t.Helper()
	l, err := net.Listen("tcp", w.host()+":0")
	require.NoError(w.t, err)
	base := "https://" + l.Addr().String()
	nonces, err := dpop.NewNonces(base, portner.NewSecret())
	require.NoError(w.t, err)
	verifier, err := resource.New(resource.Config{
		Issuer: w.issuer, Keys: resource.RemoteKeys{URI: w.issuer + "/jwks.json", HTTP: w.browser().http}, URL: base, Audience: []string{w.issuer},
		DPoP:     &dpop.Policy{Replay: memory.New(), Nonces: nonces},
		Metadata: &resource.Metadata{ScopesSupported: []string{apiScope}, TLSClientCertificateBoundAccessTokens: true},
	})
	require.NoError(w.t, err)
	api := &nonceAPI{url: base}
	mux := http.NewServeMux()
	mux.Handle(verifier.Metadata())
	mux.Handle("GET /who", verifier.Protect(resource.Rules{Scopes: []string{apiScope}, SenderConstrained: true}, http.HandlerFunc(
		func(rw http.ResponseWriter, r *http.Request) {
			_ = json.NewEncoder(rw).Encode(object{"sub": resource.FromContext(r.Context()).Subject})
		})))
	counted := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		mux.ServeHTTP(rw, r)
		if strings.Contains(rw.Header().Get("WWW-Authenticate"), "use_dpop_nonce") {
			api.asked.Add(1)
		}
	})
	server := &http.Server{Handler: counted, ReadHeaderTimeout: time.Minute, TLSConfig: &tls.Config{ClientAuth: tls.RequestClientCert, MinVersion: tls.VersionTLS12}}
	go func() { _ = server.ServeTLS(l, w.path("tls.pem"), w.path("tls.key")) }()
	w.t.Cleanup(func() { _ = server.Close() })
	return api
}

// startFAPI starts the provider with a profile of FAPI 2.0. Tokens with the scope of the API are for api, or for the provider if it is "".
func (w *world) startFAPI(profile, api string, clients ...object) {
	w.t.Helper()
	s := object{"name": apiScope, "accessible_for_all": true}
	if api != "" {
		s["enforced_aud_for_access_token"] = api
	}
	w.configure(object{
		"profile": profile, "clients": clients, "signing_algorithms": []string{"ES256"}, "dpop": object{"nonce": true},
		"mtls":   object{"addr": w.host() + ":0", "client_ca": w.path("ca.pem")},
		"scopes": []object{s},
	})
}

// host is the IP address of the world, for which its certificate is.
func (w *world) host() string {
	w.t.Helper()
	host, _, err := net.SplitHostPort(w.addr)
	require.NoError(w.t, err)
	return host
}

// free returns a free TCP address of the world.
func (w *world) free() string {
	w.t.Helper()
	l, err := net.Listen("tcp", w.host()+":0")
	require.NoError(w.t, err)
	defer l.Close()
	return l.Addr().String()
}
