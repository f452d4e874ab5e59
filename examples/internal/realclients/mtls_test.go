package realclients_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestMutualTLS plays a login and calls of an API with oauth4webapi, which authenticates with a client certificate at the endpoints of
// mtls_endpoint_aliases and binds its tokens to the certificate.
func TestMutualTLS(t *testing.T) {
	t.Parallel()
	dir := installed(t)
	for _, method := range []string{"tls_client_auth", "self_signed_tls_client_auth", "private_key_jwt"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			listen := w.free()
			origin := "https://" + listen
			api := w.api()
			registration := object{"token_endpoint_auth_method": method, "tls_client_certificate_bound_access_tokens": true, "use_mtls_endpoint_aliases": true}
			certificate := w.clientCertificate("client", method == "self_signed_tls_client_auth")
			switch method {
			case "tls_client_auth":
				registration["tls_client_auth_subject_dn"] = "CN=client,O=Testetaten"
			case "self_signed_tls_client_auth":
				registration["jwks"] = w.certificateKeys(certificate)
			}
			c := w.boundClient(origin, registration)
			if method == "tls_client_auth" {
				delete(c, "jwks")
			}
			w.startFAPI("fapi2", "", c)
			w.service("oauth4webapi", nodeProgram("oauth.mjs")(t, dir), listen, "AUTH="+method, "CERTIFICATE="+w.path("client.crt"), "CERTIFICATE_KEY="+w.path("client.key"))

			b := w.browser()
			in := b.logIn(b.get(origin + "/login")).json(t)
			sub := in["claims"].(object)["sub"]
			require.Equal(t, sub, in["userinfo"].(object)["sub"])
			w.requireCertificate(b, origin, api, sub, certificate)
			require.Equal(t, sub, b.get(origin + "/refresh").json(t)["sub"])
			w.requireCertificate(b, origin, api, sub, certificate)
			b.get(origin + "/machine?scope=" + apiScope).json(t)
			w.requireCertificate(b, origin, api, "tjeneste", certificate)
		})
	}
}

// TestAPIMetadata reads the metadata of an API with oauth4webapi.
func TestAPIMetadata(t *testing.T) {
	t.Parallel()
	dir := installed(t)
	w := newWorld(t)
	listen := w.free()
	api := w.api()
	w.service("oauth4webapi", nodeProgram("oauth.mjs")(t, dir), listen)
	of := w.browser().get("https://" + listen + "/metadata?resource=" + url.QueryEscape(api.url)).json(t)
	require.Equal(t, []any{w.issuer}, of["authorization_servers"])
	require.Equal(t, []any{"PS256", "ES256", "EdDSA"}, of["dpop_signing_alg_values_supported"])
	require.Equal(t, true, of["tls_client_certificate_bound_access_tokens"])
	require.Contains(t, of["challenge"], `resource_metadata="`+api.url+`/.well-known/oauth-protected-resource"`)
}

// TestSpringCertificates presents tokens that are bound to a certificate to Spring Security.
func TestSpringCertificates(t *testing.T) {
	t.Parallel()
	dir := installed(t)
	w := newWorld(t)
	listen, other := w.free(), w.free()
	origin := "https://" + listen
	who := "https://" + other + "/who"
	w.clientCertificate("client", false)
	w.startFAPI("fapi2", who, w.boundClient(origin, object{"tls_client_certificate_bound_access_tokens": true, "use_mtls_endpoint_aliases": true}))
	w.service("oauth4webapi", nodeProgram("oauth.mjs")(t, dir), listen, "CERTIFICATE="+w.path("client.crt"), "CERTIFICATE_KEY="+w.path("client.key"))
	w.service("Spring Security", otherAPIs[0].command(t, dir), other, "AUDIENCE="+who)

	b := w.browser()
	b.get(origin + "/machine?scope=" + apiScope).json(t)
	called := b.get(origin + "/call?url=" + url.QueryEscape(who)).json(t)
	require.EqualValues(t, http.StatusOK, called["status"], "%v", called)
	require.Equal(t, "tjeneste", called["body"].(object)["client_id"])
	token := b.get(origin + "/token").json(t)["access_token"].(string)
	require.Equal(t, http.StatusUnauthorized, w.ask(who, "Bearer", token, "").status, "without a certificate")
	w.clientCertificate("other", false)
	require.Equal(t, http.StatusUnauthorized, w.with("other").ask(who, "Bearer", token, "").status, "with another certificate")
}

// requireCertificate verifies that the access token of the client has its certificate: the API accepts it from the client, and from nobody else.
func (w *world) requireCertificate(b *browser, origin string, api *nonceAPI, sub any, certificate []byte) {
	w.t.Helper()
	called := b.get(origin + "/call?url=" + url.QueryEscape(api.url+"/who")).json(w.t)
	require.EqualValues(w.t, http.StatusOK, called["status"], "%v", called)
	require.Equal(w.t, sub, called["body"].(object)["sub"])

	sum := sha256.Sum256(certificate)
	of := b.get(origin + "/introspect").json(w.t)
	require.Equal(w.t, object{"x5t#S256": base64.RawURLEncoding.EncodeToString(sum[:])}, of["cnf"])

	token := b.get(origin + "/token").json(w.t)["access_token"].(string)
	stolen := w.ask(api.url+"/who", "Bearer", token, "")
	require.Equal(w.t, http.StatusUnauthorized, stolen.status)
	require.Contains(w.t, stolen.challenge, `error="invalid_token"`)
	w.clientCertificate("other", false)
	stolen = w.with("other").ask(api.url+"/who", "Bearer", token, "")
	require.Equal(w.t, http.StatusUnauthorized, stolen.status, "with another certificate")
}

// with returns the world with a client certificate for requests of the test.
func (w *world) with(name string) *world {
	w.t.Helper()
	pair, err := tls.LoadX509KeyPair(w.path(name+".crt"), w.path(name+".key"))
	require.NoError(w.t, err)
	other := *w
	other.certificate = &pair
	return &other
}

// clientCertificate writes a certificate and its key: name.crt and name.key. It is issued by the authority of the world, or by itself.
func (w *world) clientCertificate(name string, selfSigned bool) (der []byte) {
	w.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(w.t, err)
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(3), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	leaf.Subject.CommonName, leaf.Subject.Organization = name, []string{"Testetaten"}
	issuer, issuerKey := w.ca, w.caKey
	if selfSigned {
		issuer, issuerKey = leaf, key
	}
	der, err = x509.CreateCertificate(rand.Reader, leaf, issuer, &key.PublicKey, issuerKey)
	require.NoError(w.t, err)
	w.write(name+".crt", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	w.writeKey(name+".key", key)
	return der
}

// certificateKeys returns the registered key of self_signed_tls_client_auth.
func (w *world) certificateKeys(der []byte) object {
	w.t.Helper()
	certificate, err := x509.ParseCertificate(der)
	require.NoError(w.t, err)
	key := publicJWK(w.t, certificate.PublicKey.(*ecdsa.PublicKey))
	key["x5c"] = []string{base64.StdEncoding.EncodeToString(der)}
	return object{"keys": []object{key}}
}
