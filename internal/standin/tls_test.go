package standin_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"log/slog"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/standin"
	"github.com/portner-go/portner/internal/standin/idporten"
	"github.com/portner-go/portner/internal/standin/krr"
	"github.com/portner-go/portner/internal/standin/standintest"
)

// TestCipherSuites connects with each cipher suite of TLS 1.2 alone: only those with ECDHE and AES-GCM or CHACHA20 are accepted. A
// client with TLS 1.3 connects, and one with TLS 1.1 does not.
func TestCipherSuites(t *testing.T) {
	t.Parallel()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	for name, key := range map[string]crypto.Signer{"ECDSA": nil, "RSA": private} {
		cert, file := standintest.SelfSigned(t, key)
		cfg, err := standin.TLS{Cert: cert, Key: file}.Server()
		require.NoError(t, err)
		l, err := tls.Listen("tcp", "localhost:0", cfg)
		require.NoError(t, err)
		t.Cleanup(func() { _ = l.Close() })
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				_ = c.(*tls.Conn).Handshake()
				_ = c.Close()
			}
		}()
		connect := func(client *tls.Config) error {
			client.InsecureSkipVerify = true
			c, err := tls.Dial("tcp", l.Addr().String(), client)
			if err == nil {
				_ = c.Close()
			}
			return err
		}
		accepted := 0
		for _, suite := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
			if !slices.Contains(suite.SupportedVersions, tls.VersionTLS12) {
				continue
			}
			err := connect(&tls.Config{MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{suite.ID}})
			want := strings.HasPrefix(suite.Name, "TLS_ECDHE_"+name) && (strings.Contains(suite.Name, "_GCM_") || strings.Contains(suite.Name, "CHACHA20"))
			require.Equal(t, want, err == nil, "%s with a key for %s: %v", suite.Name, name, err)
			if want {
				accepted++
			}
		}
		require.Equal(t, 3, accepted)
		require.NoError(t, connect(&tls.Config{MinVersion: tls.VersionTLS13}))
		require.Error(t, connect(&tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}))
	}
}

// TestIssuerOfListener: the scheme of an issuer at the address of the server is that of its listener. An https issuer at another address is that
// of a proxy, and an http issuer at another host needs -allow-http.
func TestIssuerOfListener(t *testing.T) {
	t.Parallel()
	cert, key := standintest.SelfSigned(t, nil)
	for _, files := range []standin.TLS{{}, {Cert: cert, Key: key}} {
		sites, err := standin.Listen(standin.Flags{Addr: "localhost:0", TLS: files}, "")
		require.NoError(t, err)
		t.Cleanup(sites.Close)
		host := strings.TrimPrefix(sites[0].Base, files.Scheme()+"://")
		require.NoError(t, sites.CheckTest(sites[0].Base, ""))
		require.NoError(t, sites.CheckTest("https://localhost:1", ""))
		if files.Cert == "" {
			require.ErrorContains(t, sites.CheckTest("https://"+host, ""), "has https at the address of this server, which needs -tls-cert and -tls-key")
			require.ErrorContains(t, sites.CheckTest("http://idp.test.local", "http://idp.test.local"), "which needs -allow-http")
		} else {
			require.ErrorContains(t, sites.CheckTest("http://"+host, ""), "must begin with https, because the server has -tls-cert")
		}
	}
}

// TestCertificateOfIssuer: a certificate that is not for the host of the issuer is logged with its names.
func TestCertificateOfIssuer(t *testing.T) {
	t.Parallel()
	cert, key := standintest.SelfSigned(t, nil)
	for _, tt := range []struct {
		files  standin.TLS
		issuer string
		want   string // in the log
	}{
		{standin.TLS{Cert: cert, Key: key}, "https://localhost:8080", ""},
		{standin.TLS{Cert: cert, Key: key}, "https://127.0.0.1/op", ""},
		{standin.TLS{Cert: cert, Key: key}, "https://idp.test.local/op", `host=idp.test.local names="localhost 127.0.0.1"`},
		{standin.TLS{Cert: cert, Key: key}, "https://[::1]:8080", `host=::1 names="localhost 127.0.0.1"`},
		{standin.TLS{}, "https://idp.test.local", ""}, // the proxy has the certificate
	} {
		sites, err := standin.Listen(standin.Flags{Addr: "localhost:0", TLS: tt.files}, "")
		require.NoError(t, err)
		t.Cleanup(sites.Close)
		var log bytes.Buffer
		sites.WarnCertificate(tt.issuer, slog.New(slog.NewTextHandler(&log, nil)))
		require.Equal(t, tt.want != "", strings.Contains(log.String(), "level=WARN"), "%s: %s", tt.issuer, log.String())
		require.Contains(t, log.String(), tt.want)
	}
}

// TestCertificateIsCheckedAtStart: every kind of server logs it.
func TestCertificateIsCheckedAtStart(t *testing.T) {
	t.Parallel()
	cert, key := standintest.SelfSigned(t, nil)
	const issuer = "https://idp.test.local"
	for name, command := range map[string]standin.Command{"idporten": new(idporten.Options).Command(), "krr": new(krr.Options).Command()} {
		var log bytes.Buffer
		s, err := standintest.Prepare(t, command, slog.NewTextHandler(&log, nil), "-addr", "localhost:0", "-tls-cert", cert, "-tls-key", key, "-issuer", issuer, "-test-issuer", issuer)
		require.NoError(t, err, name)
		ended, end := context.WithCancel(t.Context())
		end()
		require.NoError(t, s.Serve(ended), name) // closes the listener
		require.Contains(t, log.String(), "host=idp.test.local", name)
	}
}

// TestStrictTransportSecurity: browsers keep the field for the host, for every port (RFC 6797 §8.3). It is not sent for this machine, where
// the developer's application has http.
func TestStrictTransportSecurity(t *testing.T) {
	t.Parallel()
	cert, key := standintest.SelfSigned(t, nil)
	sites, err := standin.Listen(standin.Flags{Addr: "localhost:0", TLS: standin.TLS{Cert: cert, Key: key}}, "")
	require.NoError(t, err)
	t.Cleanup(sites.Close)
	handler := sites.Handler(standin.Running{Log: slog.New(slog.DiscardHandler)})
	const field = "max-age=31536000; includeSubDomains"
	for target, want := range map[string]string{
		"https://localhost:8080/": "", "https://127.0.0.1:8080/": "", "https://[::1]:8080/": "", "https://localhost/": "",
		"https://idp.test.local:8080/": field, "https://idp.test.local/": field, "http://idp.test.local/": "",
	} {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest("GET", target, nil))
		require.Equal(t, want, w.Header().Get("Strict-Transport-Security"), target)
	}
}
