package provider_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/optest"
	"github.com/portner-go/portner/internal/testpki"
	"github.com/portner-go/portner/provider"
)

// tlsChain returns an authority for TLS clients, and a certificate with an authority in between.
func tlsChain(t *testing.T) (roots *x509.CertPool, chain tls.Certificate) {
	t.Helper()
	newKey := func() *ecdsa.PrivateKey {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		require.NoError(t, err)
		return key
	}
	key, valid := newKey(), testpki.Validity{From: time.Now().Add(-time.Hour), To: time.Now().Add(time.Hour)}
	root, err := testpki.NewRoot("Root", testpki.AuthorityOrgno, newKey(), valid)
	require.NoError(t, err)
	issuing, err := root.NewAuthority("CA", testpki.AuthorityOrgno, newKey(), valid)
	require.NoError(t, err)
	leaf, err := issuing.Issue(testpki.Seal{Orgno: optest.Org, Name: "X", Key: key.Public(), Validity: valid}, func(c *x509.Certificate) {
		c.DNSNames = []string{"client.example.no"}
	})
	require.NoError(t, err)
	roots = x509.NewCertPool()
	roots.AddCert(root.Certificate)
	return roots, tls.Certificate{Certificate: testpki.Chain(leaf, issuing.Certificate), PrivateKey: key, Leaf: leaf}
}

// proxied ends TLS in front of a handler, and writes the certificates of the client into the fields of RFC 9440.
func proxied(t *testing.T, backend http.Handler) http.Handler {
	t.Helper()
	server := httptest.NewServer(backend)
	t.Cleanup(server.Close)
	target, err := url.Parse(server.URL)
	require.NoError(t, err)
	item := func(c *x509.Certificate) string { return ":" + base64.StdEncoding.EncodeToString(c.Raw) + ":" }
	return &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host
		r.Out.Header.Del("Client-Cert")
		r.Out.Header.Del("Client-Cert-Chain")
		for i, c := range r.In.TLS.PeerCertificates {
			if i == 0 {
				r.Out.Header.Set("Client-Cert", item(c))
				continue
			}
			r.Out.Header.Add("Client-Cert-Chain", item(c))
		}
	}}
}

// TestClientCertificates: clients authenticate with a TLS certificate at every endpoint that authenticates clients, over a real connection
// and behind a proxy. Certificates of another authority, none, and one in a header field do not authenticate.
func TestClientCertificates(t *testing.T) {
	t.Parallel()
	roots, good := tlsChain(t)
	_, foreign := tlsChain(t)
	registered := client.Client{
		ClientID: "mtls", TokenEndpointAuthMethod: client.TLSClientAuth, TLSClientAuthSANDNS: "client.example.no", RedirectURIs: []string{optest.Callback},
	}
	require.NoError(t, registered.Validate(client.Environment{}))
	trusted, err := client.CertificateFromHeader(netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("::1/128"))
	require.NoError(t, err)
	for name, behindProxy := range map[string]bool{"TLS": false, "behind a proxy": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			op := optest.New(t, optest.Options{Change: func(c *provider.Config) {
				c.Clients, c.MTLSURL, c.TLSClientCAs = beside{c.Clients, registered}, c.Issuer, roots
				if behindProxy {
					c.ClientCertificates = trusted
				}
			}})
			var handler http.Handler = op
			if behindProxy {
				handler = proxied(t, op)
			}
			server := httptest.NewUnstartedServer(handler)
			server.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
			server.StartTLS()
			t.Cleanup(server.Close)
			post := func(path string, field string, certs ...tls.Certificate) int {
				form := url.Values{"token": {"x"}, "grant_type": {"authorization_code"}, "client_id": {registered.ClientID}}
				r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+path, strings.NewReader(form.Encode()))
				require.NoError(t, err)
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				if field != "" {
					r.Header.Set("Client-Cert", field)
				}
				transport := server.Client().Transport.(*http.Transport).Clone()
				transport.TLSClientConfig.Certificates = certs
				defer transport.CloseIdleConnections()
				res, err := (&http.Client{Transport: transport}).Do(r)
				require.NoError(t, err)
				require.NoError(t, res.Body.Close())
				return res.StatusCode
			}
			forged := ":" + base64.StdEncoding.EncodeToString(good.Leaf.Raw) + ":"
			alone := tls.Certificate{Certificate: good.Certificate[:1], PrivateKey: good.PrivateKey}
			for _, path := range []string{"/token", "/par", "/tokeninfo", "/revoke"} {
				require.NotEqual(t, http.StatusUnauthorized, post(path, "", good), path)
				require.Equal(t, http.StatusUnauthorized, post(path, ""), "%s: no certificate", path)
				require.Equal(t, http.StatusUnauthorized, post(path, "", foreign), "%s: of another authority", path)
				require.Equal(t, http.StatusUnauthorized, post(path, "", alone), "%s: without the authority", path)
				require.Equal(t, http.StatusUnauthorized, post(path, forged), "%s: in a field", path)
				require.Equal(t, http.StatusUnauthorized, post(path, forged, foreign), "%s: another one and a field", path)
			}
		})
	}
}
