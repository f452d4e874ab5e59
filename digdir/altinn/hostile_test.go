package altinn_test

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"testing"

	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/digdir/altinn"
	"github.com/portner-go/portner/portnertest"
)

// TestUsersAreNoMachines checks that the token of a user is not exchanged as a token of the client's organisation.
func TestUsersAreNoMachines(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *altinn.Config) { c.Maskinporten = c.IDPorten })
	w.exchanged(request("id-porten", w.person()))
	w.rejects(request("maskinporten", w.person(change{"scope": "altinn:serviceowner"})), http.StatusUnauthorized)
	w.rejects(request("maskinporten", w.person(change{"acr": nil})), http.StatusUnauthorized)
	w.rejects(request("maskinporten", w.person(change{"sub": nil})), http.StatusUnauthorized)
	w.rejects(request("maskinporten", w.person(change{"scope": nil})), http.StatusUnauthorized)
	w.exchanged(request("maskinporten", w.person(change{"acr": nil, "sub": nil}))) // the token of a machine, with a pid

	sky := newWorld(t)
	sky.exchanged(request("maskinporten", sky.machine(change{"sub": "0192:314240979;altinn:broker.read"})))
}

// TestBoundTokensAreNotExchanged: a token that is bound to a key or a certificate is rejected, also if the sender proves it: the new token is a
// bearer token.
func TestBoundTokensAreNotExchanged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key, cert := portnertest.NewProver(), &x509.Certificate{Raw: []byte("client")}
	byKey := w.machine(change{"cnf": map[string]any{"jkt": key.Thumbprint}, "token_type": "DPoP"})
	byCertificate := w.machine(change{"cnf": map[string]any{"x5t#S256": client.CertificateThumbprint(cert)}})
	for _, scheme := range []string{"Bearer ", "DPoP "} {
		for _, token := range []string{byKey, byCertificate} {
			r := request("maskinporten", "")
			r.Header.Set("Authorization", scheme+token)
			r.Header["Dpop"] = []string{key.Proof("GET", "https://platform.tt02.altinn.no"+altinn.ExchangePath+"maskinporten", token, w.now, nil)}
			r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{cert}}
			w.rejects(r, http.StatusUnauthorized)
		}
	}
}
