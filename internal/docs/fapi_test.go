package docs_test

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/dpop"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/storage/memory"
)

func newBank(cfg provider.Config, clientCAs *x509.CertPool) (*provider.Provider, error) {
	nonces, err := dpop.NewNonces(cfg.Issuer, cfg.Secrets...)
	if err != nil {
		return nil, err
	}
	cfg.Profile = provider.FAPI2() // or FAPI2MessageSigning()
	cfg.DPoP = &dpop.Policy{Replay: cfg.Replay, Nonces: nonces}
	cfg.MTLSURL, cfg.TLSClientCAs = "https://mtls.bank.example.no", clientCAs
	return provider.New(cfg)
}

func bankServers(op *provider.Provider, cert tls.Certificate) (issuer, mtls *http.Server) {
	cfg := provider.TLSConfig()
	cfg.Certificates = []tls.Certificate{cert}
	requests := cfg.Clone()
	requests.ClientAuth = tls.RequestClientCert // the provider checks the certificate of each client
	return &http.Server{Handler: op, TLSConfig: cfg}, &http.Server{Handler: op, TLSConfig: requests}
}

// TestBank: the configuration of the document is accepted, and reports its requirements.
func TestBank(t *testing.T) {
	t.Parallel()
	key, err := keyset.Generate(keyset.ES256)
	require.NoError(t, err)
	keys, err := keyset.New(keyset.Config{Keys: []keyset.Key{key}})
	require.NoError(t, err)
	pr := provider.FAPI2()
	clients, err := client.NewRegistry(client.Environment{SigningAlgorithms: pr.SigningAlgorithms, Profile: pr.CheckClient})
	require.NoError(t, err)
	store := memory.New()
	op, err := newBank(provider.Config{
		Issuer: "https://bank.example.no", Store: store, PushedRequests: store, Replay: store, Keys: keys, Clients: clients,
		Secrets: []portner.Secret{portner.NewSecret()}, PairwiseKey: portner.NewSecret(),
	}, x509.NewCertPool())
	require.NoError(t, err)
	require.NotEmpty(t, op.Report())
	issuer, mtls := bankServers(op, tls.Certificate{})
	require.Equal(t, []tls.ClientAuthType{tls.NoClientCert, tls.RequestClientCert}, []tls.ClientAuthType{issuer.TLSConfig.ClientAuth, mtls.TLSConfig.ClientAuth})
}
