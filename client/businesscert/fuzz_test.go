package businesscert_test

import (
	"bytes"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"testing"
	"time"

	"github.com/portner-go/portner/client/businesscert"
	"github.com/portner-go/portner/internal/testpki"
)

// join writes certificates one behind the other, each after its length.
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

// FuzzVerify: whatever is sent, only a leaf we issued comes through, with its own number; and a refusal
// has one of the reasons.
func FuzzVerify(f *testing.F) {
	w := newWorld(f)
	leaf, qualified := w.seal(w.issuing), w.sealOf(testpki.Seal{Orgno: digdir, ESeal: true, Qualified: true, Key: leafKey.Public()}, w.issuing)
	ours := map[string]bool{string(leaf.Raw): true, string(qualified.Raw): true}
	for _, chain := range [][][]byte{
		testpki.Chain(leaf, w.issuing.Certificate), testpki.Chain(qualified, w.issuing.Certificate, w.root.Certificate),
		testpki.Chain(w.selfSigned()), testpki.Chain(w.issuing.Certificate, leaf), {turned(leaf), w.issuing.Certificate.Raw}, nil, {{}, {0x30}},
		testpki.Chain(resign(f, leaf, sha1WithRSA, 3, rsaKey())),
	} {
		f.Add(join(chain))
	}
	v := w.verifier(func(c *businesscert.Config) { c.Lenient, c.AllowCommonName, c.AllowAnyCheckDigit = true, true, true })
	f.Fuzz(func(t *testing.T, data []byte) {
		chain := split(data)
		begin := time.Now()
		c, err := v.Verify(t.Context(), chain, now)
		if took := time.Since(begin); took > 5*time.Second {
			t.Errorf("took %v", took)
		}
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

// FuzzCRL: no list but one the issuer signed makes a certificate good.
func FuzzCRL(f *testing.F) {
	w := newWorld(f)
	leaf := w.seal(w.issuing)
	good, bad := w.crl(w.issuing, week, nil), w.crl(w.issuing, week, nil, leaf)
	for _, data := range [][]byte{good, bad, pemCRL(bad), pemCRL(good, bad), w.crl(w.issuing, week, idp(f, url("http://crl.example.no/2"))), []byte("-----BEGIN")} {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		status, err := businesscert.CheckCRL(data, leaf, w.issuing.Certificate, now)
		if err == nil && status == nil && !containsCRL(data, good) {
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
