package realclients_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/client"
)

const keyID = "ekte-klient"

var secret = client.GenerateSecret() // of every client that has one

// installed returns the directory of install.sh, and skips the test without it.
func installed(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("PORTNER_CLIENTS")
	if dir != "" {
		return dir
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("PORTNER_CLIENTS is not set: run install.sh of this package")
	}
	t.Skip("PORTNER_CLIENTS is not set: run install.sh of this package to test with clients of other projects")
	return ""
}

// object is a JSON object.
type object = map[string]any

// world is a running examples/idporten with the clients of one test.
type world struct {
	t      *testing.T
	dir    string
	addr   string
	issuer string
	roots  *x509.CertPool
	key    *ecdsa.PrivateKey // of clients with private_key_jwt
	ca     *x509.Certificate
	caKey  *ecdsa.PrivateKey

	certificate *tls.Certificate // of the client of requests of the test; nil without one
}

var (
	binaryOnce sync.Once
	binaryPath string
	errBinary  error
)

// binary builds examples/idporten once.
func binary(t *testing.T) string {
	t.Helper()
	binaryOnce.Do(func() {
		var dir string
		if dir, errBinary = os.MkdirTemp("", "realclients"); errBinary != nil {
			return
		}
		binaryPath = filepath.Join(dir, "idporten")
		cmd := exec.Command("go", "build", "-o", binaryPath, "../../idporten")
		var out []byte
		if out, errBinary = cmd.CombinedOutput(); errBinary != nil {
			errBinary = fmt.Errorf("%w: %s", errBinary, out)
		}
	})
	require.NoError(t, errBinary)
	return binaryPath
}

func TestMain(m *testing.M) {
	code := m.Run()
	if binaryPath != "" {
		_ = os.RemoveAll(filepath.Dir(binaryPath))
	}
	os.Exit(code)
}

// newWorld makes the certificate and the key of a world. start starts the provider.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), addr: address(t)}
	for _, dir := range []string{filepath.Dir(w.dir), w.dir} { // Apache reads as another user
		require.NoError(t, os.Chmod(dir, 0o755))
	}
	w.issuer = "https://" + w.addr
	w.certificates()
	var err error
	w.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	w.writeKey("client.pem", w.key)
	return w
}

// address returns a free TCP address. Its loopback IP address is random, so that no other program takes the port meanwhile.
func address(t *testing.T) string {
	t.Helper()
	var b [3]byte
	_, _ = rand.Read(b[:])
	l, err := net.Listen("tcp", fmt.Sprintf("127.%d.%d.%d:0", 1+b[0]%254, b[1], 1+b[2]%254))
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}

func (w *world) path(name string) string { return filepath.Join(w.dir, name) }

// certificates writes ca.pem, tls.pem and tls.key.
func (w *world) certificates() {
	host, _, err := net.SplitHostPort(w.addr)
	require.NoError(w.t, err)
	key := func() *ecdsa.PrivateKey {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		require.NoError(w.t, err)
		return k
	}
	ca, server := key(), key()
	root := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	root.Subject.CommonName = "Test CA"
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), NotBefore: root.NotBefore, NotAfter: root.NotAfter, IPAddresses: []net.IP{net.ParseIP(host)},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	rootDER, err := x509.CreateCertificate(rand.Reader, root, root, &ca.PublicKey, ca)
	require.NoError(w.t, err)
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, root, &server.PublicKey, ca)
	require.NoError(w.t, err)
	w.ca, err = x509.ParseCertificate(rootDER)
	require.NoError(w.t, err)
	w.caKey, w.roots = ca, x509.NewCertPool()
	w.roots.AddCert(w.ca)
	w.write("ca.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: rootDER}))
	w.write("tls.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leafDER}))
	w.writeKey("tls.key", server)
}

func (w *world) write(name string, content []byte) {
	require.NoError(w.t, os.WriteFile(w.path(name), content, 0o644))
}

func (w *world) writeKey(name string, key *ecdsa.PrivateKey) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(w.t, err)
	w.write(name, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// jwks returns the registered key of clients with private_key_jwt.
func (w *world) jwks() object {
	return object{"keys": []object{publicJWK(w.t, &w.key.PublicKey)}}
}

func publicJWK(t *testing.T, key *ecdsa.PublicKey) object {
	t.Helper()
	point, err := key.Bytes() // 4, x, y
	require.NoError(t, err)
	b64 := base64.RawURLEncoding.EncodeToString
	return object{"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": keyID, "x": b64(point[1:33]), "y": b64(point[33:])}
}

// apacheKey writes the RSA key of Apache, because mod_auth_openidc signs assertions with RS256. It returns its public key.
func (w *world) apacheKey() object {
	public, key := w.rsaKey("apache.key")
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	require.NoError(w.t, err)
	w.write("apache.pub", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	return public
}

// rsaKey writes an RSA key (PKCS #8). It returns the public key, as a key set, and the key.
func (w *world) rsaKey(name string) (object, *rsa.PrivateKey) {
	w.t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(w.t, err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(w.t, err)
	w.write(name, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	b64 := base64.RawURLEncoding.EncodeToString
	return object{"keys": []object{{
		"kty": "RSA", "use": "sig", "alg": "RS256", "kid": keyID, "n": b64(key.N.Bytes()), "e": b64(big.NewInt(int64(key.E)).Bytes()),
	}}}, key
}

// start starts the provider with a profile and clients. The user kari has the password "passord".
func (w *world) start(profile string, clients ...object) {
	w.t.Helper()
	members := object{"profile": profile, "clients": clients}
	if profile == "idporten" {
		members["key_certificates"] = true // x5c in the headers of tokens, as at ID-porten
	}
	w.configure(members)
}

// configure is start with members of the configuration.
func (w *world) configure(members object) {
	w.t.Helper()
	members["issuer"] = w.issuer
	members["users"] = []object{{
		"username": "kari", "password": "passord", "pid": "21879498012", "acr": "idporten-loa-high", "amr": []string{"BankID"},
		"claims": object{"name": "Kari Testesen", "email": "kari@example.no", "email_verified": true},
	}}
	config, err := json.Marshal(members)
	require.NoError(w.t, err)
	w.write("config.json", config)
	w.run("provider", w.issuer, exec.Command(binary(w.t), "-addr", w.addr, "-config", w.path("config.json"), "-tls-cert", w.path("tls.pem"), "-tls-key", w.path("tls.key")))
}

// run starts a program and waits until its output contains ready. The program ends with the test. If the test fails, its output is
// logged.
func (w *world) run(name, ready string, cmd *exec.Cmd) {
	w.t.Helper()
	r, out, err := os.Pipe()
	require.NoError(w.t, err)
	cmd.Stdout, cmd.Stderr = out, out
	require.NoError(w.t, cmd.Start())
	require.NoError(w.t, out.Close())
	started, done := make(chan struct{}), make(chan string, 1)
	go func() {
		var b strings.Builder
		lines, waiting := bufio.NewReader(r), true
		for {
			line, err := lines.ReadString('\n')
			b.WriteString(line)
			if waiting && strings.Contains(line, ready) {
				waiting = false
				close(started)
			}
			if err != nil {
				break
			}
		}
		done <- b.String()
	}()
	w.t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		kill := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait()
		kill.Stop()
		text := <-done
		_ = r.Close()
		if w.t.Failed() {
			w.t.Logf("output of %s:\n%s", name, text)
		}
	})
	select {
	case <-started:
	case text := <-done:
		done <- text
		w.t.Fatalf("%s ended", name)
	case <-time.After(5 * time.Minute): // Spring on a busy machine takes more than one
		w.t.Fatalf("%s does not start", name)
	}
}

// readAll closes and reads a body.
func readAll(t *testing.T, r io.ReadCloser) string {
	t.Helper()
	defer r.Close()
	text, err := io.ReadAll(r)
	require.NoError(t, err)
	return string(text)
}
