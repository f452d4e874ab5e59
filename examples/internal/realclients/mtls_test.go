package realclients_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
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
