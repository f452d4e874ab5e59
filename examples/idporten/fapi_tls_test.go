package main

import (
	"crypto/tls"
	"net"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestFAPITLS: both listeners have TLS 1.2 with the cipher suites of BCP 195 only, prefer TLS 1.3, and no older version (FAPI 2.0 SP
// §5.2.1). The listener for client certificates also serves clients without one.
func TestFAPITLS(t *testing.T) {
	t.Parallel()
	b := newFAPIBed(t)
	aliases := b.metaOpenID["mtls_endpoint_aliases"].(map[string]any)
	connect := func(address string, cfg *tls.Config) (tls.ConnectionState, error) {
		u, err := url.Parse(address)
		require.NoError(t, err)
		cfg.RootCAs = b.roots
		c, err := tls.DialWithDialer(&net.Dialer{Timeout: 10 * time.Second}, "tcp", u.Host, cfg)
		if err != nil {
			return tls.ConnectionState{}, err
		}
		defer c.Close()
		return c.ConnectionState(), nil
	}
	for _, address := range []string{b.issuer, aliases["token_endpoint"].(string)} {
		for _, version := range []uint16{tls.VersionTLS10, tls.VersionTLS11} {
			_, err := connect(address, &tls.Config{MinVersion: version, MaxVersion: version})
			require.ErrorContains(t, err, "protocol version", tls.VersionName(version))
		}
		var refused []uint16
		for _, suite := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
			if suite.SupportedVersions[0] > tls.VersionTLS12 {
				continue // of TLS 1.3
			}
			_, err := connect(address, &tls.Config{MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{suite.ID}})
			if err != nil {
				refused = append(refused, suite.ID)
				continue
			}
			require.Contains(t, []uint16{ // the certificate is for ECDSA
				tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
			}, suite.ID, suite.Name)
		}
		require.Subset(t, refused, []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA, tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256})
		state, err := connect(address, &tls.Config{MinVersion: tls.VersionTLS12})
		require.NoError(t, err)
		require.Equal(t, "TLS 1.3", tls.VersionName(state.Version), "it is preferred")
	}
}
