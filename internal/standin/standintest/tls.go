package standintest

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// SelfSigned writes a certificate for localhost and 127.0.0.1, and its key. If key is nil, it makes one.
func SelfSigned(t *testing.T, key crypto.Signer) (certFile, keyFile string) {
	t.Helper()
	if key == nil {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		must(t, err)
		key = k
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	must(t, os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	must(t, os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600))
	return certFile, keyFile
}

// CommonFlags are the flags of every program, ServerFlags those of every server.
var (
	CommonFlags = []string{"-addr", "-config", "-tls-cert", "-tls-key", "-insecure-trust-self-signed"}
	ServerFlags = append([]string{"-issuer", "-test-issuer", "-store", "-secrets", "-drain"}, CommonFlags...)
)

// RequireFlags runs a program with -h. The program prints the flags to standard output and ends with status 0.
func RequireFlags(t *testing.T, run func(ctx context.Context, args []string, stdout, stderr io.Writer) int, flags ...string) {
	t.Helper()
	var out, errs bytes.Buffer
	if status := run(t.Context(), []string{"-h"}, &out, &errs); status != 0 || errs.Len() > 0 {
		t.Errorf("-h: status %d, %s", status, errs.String())
	}
	for _, flag := range flags {
		if !strings.Contains(out.String(), "  "+flag+" ") && !strings.Contains(out.String(), "  "+flag+"\n") {
			t.Errorf("there is no flag %s:\n%s", flag, out.String())
		}
	}
}
