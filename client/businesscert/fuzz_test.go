package businesscert_test

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"flag"
	"os"
	"testing"
	"time"

	"github.com/portner-go/portner/client/businesscert"
	"github.com/portner-go/portner/internal/slow"
	"github.com/portner-go/portner/internal/testpki"
	"github.com/stretchr/testify/require"
)

// join concatenates certificates, each after its length.
func join(chain [][]byte) (out []byte) {
	for _, der := range chain {
		out = append(binary.BigEndian.AppendUint16(out, uint16(len(der))), der...)
	}
	return out
}

func split(data []byte) (chain [][]byte) {
	for len(data) >= 2 {
		n := min(int(binary.BigEndian.Uint16(data)), len(data)-2)
		chain = append(chain, data[2:2+n])
		data = data[2+n:]
	}
	return chain
}

// fixed holds certificates and lists for the processes of a fuzz run, which cannot create equal ones because signatures are
// random. Create it with go test -run Fixed -update.
const fixed = "testdata/fixed.pem"

var update = flag.Bool("update", false, "create "+fixed)

func TestFixed(t *testing.T) {
	t.Parallel()
	if *update {
		w := newWorld(t)
		leaf := w.seal(w.issuing)
		qualified := w.sealOf(testpki.Seal{Orgno: digdir, ESeal: true, Qualified: true, Key: leafKey.Public()}, w.issuing)
		var out []byte
		for _, der := range testpki.Chain(w.root.Certificate, w.issuing.Certificate, leaf, qualified, w.selfSigned(), resign(t, leaf, sha1WithRSA, crypto.SHA1, rsaKey())) {
			out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
		}
		out = append(out, pemCRL(w.crl(w.issuing, week, nil), w.crl(w.issuing, week, nil, leaf), w.crl(w.issuing, week, idp(t, url("http://crl.example.no/2"))))...)
		require.NoError(t, os.WriteFile(fixed, out, 0o600))
	}
	certs, crls := readFixed(t)
	v, err := businesscert.New(businesscert.Config{Roots: pool(certs[0]), Revocation: businesscert.InsecureNoRevocation{}})
	require.NoError(t, err)
	_, err = v.Verify(t.Context(), testpki.Chain(certs[2], certs[1]), now)
	require.NoError(t, err)
	for i, want := range []error{nil, businesscert.ErrRevoked, unknown} {
		status, err := businesscert.CheckCRL(crls[i], certs[2], certs[1], now)
		require.NoError(t, err)
		require.ErrorIs(t, status, want)
	}
}

func readFixed(t testing.TB) (certs []*x509.Certificate, crls [][]byte) {
	t.Helper()
	rest, err := os.ReadFile(fixed)
	require.NoError(t, err)
	var block *pem.Block
	for block, rest = pem.Decode(rest); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "X509 CRL" {
			crls = append(crls, block.Bytes)
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		require.NoError(t, err)
		certs = append(certs, c)
	}
	return certs, crls
}

// FuzzVerify: only a leaf that the test authority issued is accepted, with its organisation number, and every error has a reason.
func FuzzVerify(f *testing.F) {
	certs, _ := readFixed(f)
	root, issuing, leaf, qualified := certs[0], certs[1], certs[2], certs[3]
	ours := map[string]bool{string(leaf.Raw): true, string(qualified.Raw): true}
	for _, chain := range [][][]byte{
		testpki.Chain(leaf, issuing), testpki.Chain(qualified, issuing, root), testpki.Chain(certs[4]), testpki.Chain(certs[5]),
		testpki.Chain(issuing, leaf),
		{turned(leaf), issuing.Raw},
		nil,
		{{}, {0x30}},
	} {
		f.Add(join(chain))
	}
	v, err := businesscert.New(businesscert.Config{
		Roots: pool(root), Revocation: businesscert.InsecureNoRevocation{}, Lenient: true, AllowCommonName: true, AllowAnyCheckDigit: true,
	})
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, data []byte) {
		chain := split(data)
		var c businesscert.Certificate
		var err error
		slow.Within(t, 5*time.Second, func() { c, err = v.Verify(t.Context(), chain, now) })
		switch reason, ok := reasonOf(err); {
		case err == nil && (!ours[string(chain[0])] || c.Orgno != digdir):
			t.Errorf("accepted %x", chain[0])
		case err != nil && (!ok || c.Leaf != nil):
			t.Errorf("refused without a reason, or with a certificate: %v", err)
		case err != nil && reason == "":
			t.Error("an empty reason")
		}
	})
}

// FuzzCRL: a certificate is valid only with a list that the issuer signed.
func FuzzCRL(f *testing.F) {
	certs, crls := readFixed(f)
	issuing, leaf := certs[1], certs[2]
	for _, data := range [][]byte{crls[0], crls[1], pemCRL(crls[1]), pemCRL(crls...), crls[2], []byte("-----BEGIN")} {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		status, err := businesscert.CheckCRL(data, leaf, issuing, now)
		if err == nil && status == nil && !containsCRL(data, crls[0]) {
			t.Errorf("a good certificate by %x", data)
		}
	})
}

func reasonOf(err error) (businesscert.Reason, bool) { return errors.AsType[businesscert.Reason](err) }

// containsCRL reports whether the list is in data, as it is or in a PEM block.
func containsCRL(data, der []byte) bool {
	if bytes.Equal(data, der) {
		return true
	}
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if bytes.Equal(block.Bytes, der) {
			return true
		}
	}
	return false
}
