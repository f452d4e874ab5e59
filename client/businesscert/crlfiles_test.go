package businesscert_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/portner-go/portner/client/businesscert"
	"github.com/portner-go/portner/internal/testpki"
	"github.com/stretchr/testify/require"
)

var week = testpki.Validity{From: now.AddDate(0, 0, -1), To: now.AddDate(0, 0, 6)}

func (w *world) crl(a *testpki.Authority, v testpki.Validity, extensions []pkix.Extension, revoked ...*x509.Certificate) []byte {
	w.Helper()
	der, err := a.RevocationList(v, extensions, revoked...)
	require.NoError(w, err)
	return der
}

// write replaces a file by renaming a new one.
func write(t testing.TB, path string, data []byte) {
	t.Helper()
	require.NoError(t, os.WriteFile(path+".new", data, 0o600))
	require.NoError(t, os.Rename(path+".new", path))
}

func crlFiles(t testing.TB, lists ...[]byte) *businesscert.CRLFiles {
	t.Helper()
	var paths []string
	dir := t.TempDir()
	for i, list := range lists {
		paths = append(paths, filepath.Join(dir, string(rune('a'+i))))
		write(t, paths[i], list)
	}
	f, err := businesscert.NewCRLFiles(paths...)
	require.NoError(t, err)
	return f
}

func pemCRL(ders ...[]byte) (out []byte) {
	for _, der := range ders {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der})...)
	}
	return out
}

func idp(t testing.TB, scope any) []pkix.Extension {
	t.Helper()
	der, err := asn1.Marshal(scope)
	require.NoError(t, err)
	return []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 28}, Critical: true, Value: der}}
}

type (
	users struct {
		V bool `asn1:"tag:1"`
	}
	cas struct {
		V bool `asn1:"tag:2"`
	}
	reasons struct {
		V asn1.BitString `asn1:"tag:3"`
	}
	indirect struct {
		V bool `asn1:"tag:4"`
	}
	attributes struct {
		V bool `asn1:"tag:5"`
	}
	fullName struct {
		Names []asn1.RawValue `asn1:"tag:0"`
	}
	at struct {
		Point fullName `asn1:"tag:0"`
	}
)

func url(s string) at { return named(6, s) }

func named(tag int, s string) at {
	return at{fullName{[]asn1.RawValue{{Class: asn1.ClassContextSpecific, Tag: tag, Bytes: []byte(s)}}}}
}

func TestCRLFilesCheck(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	good, bad := w.seal(w.issuing), w.seal(w.issuing)
	located := w.sealOf(testpki.Seal{Orgno: digdir, Key: leafKey.Public(), CRL: "http://crl.example.no/1"}, w.issuing)
	renamed := &testpki.Authority{Certificate: w.samename(w.issuing.Certificate), Key: strangeKey}
	namesake := w.under(w.root, "The same key in another name", issuingKey)
	foreign := w.under(w.root, "Another CA", strangeKey)
	list := func(v testpki.Validity, e []pkix.Extension) []byte { return w.crl(w.issuing, v, e, bad) }
	fresh := list(week, nil)

	for name, tc := range map[string]struct {
		lists             [][]byte
		good, bad, placed error // placed: status of the certificate with a distribution point
	}{
		"DER":                 {[][]byte{fresh}, nil, businesscert.ErrRevoked, nil},
		"PEM":                 {[][]byte{pemCRL(fresh)}, nil, businesscert.ErrRevoked, nil},
		"two in one file":     {[][]byte{pemCRL(w.crl(foreign, week, nil), fresh)}, nil, businesscert.ErrRevoked, nil},
		"two files":           {[][]byte{w.crl(w.root, week, nil), fresh}, nil, businesscert.ErrRevoked, nil},
		"another issuer":      {[][]byte{w.crl(foreign, week, nil, bad)}, unknown, unknown, unknown},
		"list of the root":    {[][]byte{w.crl(w.root, week, nil, bad)}, unknown, unknown, unknown},
		"another name":        {[][]byte{w.crl(namesake, week, nil, bad)}, unknown, unknown, unknown},
		"another key":         {[][]byte{w.crlBy(renamed, week, bad)}, unknown, unknown, unknown},
		"nextUpdate is now":   {[][]byte{list(testpki.Validity{From: week.From, To: now}, nil)}, unknown, unknown, unknown},
		"nextUpdate is later": {[][]byte{list(testpki.Validity{From: week.From, To: now.Add(time.Second)}, nil)}, nil, businesscert.ErrRevoked, nil},
		"thisUpdate is later": {[][]byte{list(testpki.Validity{From: now.Add(time.Second), To: week.To}, nil)}, unknown, unknown, unknown},
		"old and new":         {[][]byte{w.crl(w.issuing, testpki.Validity{From: long.From, To: week.From}, nil), fresh}, nil, businesscert.ErrRevoked, nil},
		"for users":           {[][]byte{list(week, idp(t, users{true}))}, nil, businesscert.ErrRevoked, nil},
		"for authorities":     {[][]byte{list(week, idp(t, cas{true}))}, unknown, unknown, unknown},
		"other partition":     {[][]byte{list(week, idp(t, url("http://crl.example.no/2")))}, unknown, unknown, unknown},
		"partition":           {[][]byte{list(week, idp(t, url("http://crl.example.no/1")))}, unknown, unknown, nil},
		"partition by name":   {[][]byte{list(week, idp(t, named(2, "http://crl.example.no/1")))}, unknown, unknown, unknown},
		"partition and all":   {[][]byte{list(week, idp(t, url("http://crl.example.no/1"))), fresh}, nil, businesscert.ErrRevoked, nil},
	} {
		f := crlFiles(t, tc.lists...)
		for range 2 { // the second result uses the remembered signatures
			require.ErrorIs(t, f.Check(t.Context(), good, w.issuing.Certificate, now), tc.good, name)
			require.ErrorIs(t, f.Check(t.Context(), bad, w.issuing.Certificate, now), tc.bad, name)
			require.ErrorIs(t, f.Check(t.Context(), located, w.issuing.Certificate, now), tc.placed, name)
		}
	}
}

const unknown = businesscert.ErrRevocationUnknown

// crlBy returns a list by an authority that has the name of another one.
func (w *world) crlBy(a *testpki.Authority, v testpki.Validity, revoked ...*x509.Certificate) []byte {
	w.Helper()
	c := *a.Certificate
	c.KeyUsage |= x509.KeyUsageCRLSign
	return w.crl(&testpki.Authority{Certificate: &c, Key: a.Key}, v, nil, revoked...)
}

// TestCRLFilesWholeChain: every certificate below the anchor needs a list that covers it.
func TestCRLFilesWholeChain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	leaf := w.seal(w.issuing)
	chain := testpki.Chain(leaf, w.issuing.Certificate)
	leaves, authorities := w.crl(w.issuing, week, nil), w.crl(w.root, week, idp(t, cas{true}))
	for name, tc := range map[string]struct {
		lists  [][]byte
		reason error
	}{
		"both lists":        {[][]byte{leaves, authorities}, nil},
		"no list of leaves": {[][]byte{authorities}, unknown},
		"no list of CAs":    {[][]byte{leaves}, unknown},
		"CAs not covered":   {[][]byte{leaves, w.crl(w.root, week, idp(t, users{true}))}, unknown},
		"leaf revoked":      {[][]byte{w.crl(w.issuing, week, nil, leaf), authorities}, businesscert.ErrRevoked},
		"CA revoked":        {[][]byte{leaves, w.crl(w.root, week, nil, w.issuing.Certificate)}, businesscert.ErrRevoked},
	} {
		v := w.verifier(func(c *businesscert.Config) { c.Revocation = crlFiles(t, tc.lists...) })
		_, err := v.Verify(t.Context(), chain, now)
		require.ErrorIs(t, err, tc.reason, name)
	}
}

// TestNewCRLFilesRejects: a list that cannot be used is rejected when its file is read.
func TestNewCRLFilesRejects(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	good := w.crl(w.issuing, week, nil)
	delta := []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 27}, Critical: true, Value: []byte{2, 1, 1}}}
	for name, data := range map[string][]byte{
		"empty":                nil,
		"garbage":              []byte("no list"),
		"trailing byte":        append(slices.Clone(good), 0),
		"a certificate":        w.root.Certificate.Raw,
		"PEM of a certificate": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: w.root.Certificate.Raw}),
		"PEM of both":          append(pemCRL(good), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: w.root.Certificate.Raw})...),
		"PEM of garbage":       pemCRL(good, []byte("x")),
		"half a PEM block":     pemCRL(good)[:100],
		"delta":                w.crl(w.issuing, week, delta),
		"some reasons":         w.crl(w.issuing, week, idp(t, reasons{asn1.BitString{Bytes: []byte{0x40}, BitLength: 2}})),
		"indirect":             w.crl(w.issuing, week, idp(t, indirect{true})),
		"attributes":           w.crl(w.issuing, week, idp(t, attributes{true})),
		"malformed scope":      w.crl(w.issuing, week, []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 28}, Critical: true, Value: []byte("x")}}),
		"critical entry":       w.crlWithEntry(pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 29}, Critical: true, Value: []byte{0x30, 0}}),
		"SHA-1":                weakCRL(t, good, sha1WithRSA, crypto.SHA1),
		"no nextUpdate":        withoutNextUpdate(t, good),
	} {
		path := filepath.Join(t.TempDir(), "crl")
		require.NoError(t, os.WriteFile(path, data, 0o600))
		_, err := businesscert.NewCRLFiles(path)
		require.Error(t, err, name)
		require.ErrorContains(t, err, path, name)
	}
	_, err := businesscert.NewCRLFiles()
	require.Equal(t, []string{"paths"}, fieldsOf(err))
	_, err = businesscert.NewCRLFiles(filepath.Join(t.TempDir(), "absent"))
	require.ErrorIs(t, err, os.ErrNotExist)
	valid := filepath.Join(t.TempDir(), "crl")
	require.NoError(t, os.WriteFile(valid, good, 0o600))
	_, err = businesscert.NewCRLFiles("absent", valid, "absent too")
	require.Equal(t, []string{"paths[0]", "paths[2]"}, fieldsOf(err))
}

func (w *world) crlWithEntry(e pkix.Extension) []byte {
	w.Helper()
	der, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{
		Number: big.NewInt(1), ThisUpdate: week.From, NextUpdate: week.To,
		RevokedCertificateEntries: []x509.RevocationListEntry{{SerialNumber: big.NewInt(7), RevocationTime: week.From, ExtraExtensions: []pkix.Extension{e}}},
	}, w.issuing.Certificate, issuingKey)
	require.NoError(w, err)
	return der
}

// weakCRL returns a list with an RSA signature over an old hash.
func weakCRL(t testing.TB, der []byte, algorithm asn1.ObjectIdentifier, hash crypto.Hash) []byte {
	t.Helper()
	return rewritten(t, der, func(tbs *tbsCRL) {
		tbs.Algorithm = pkix.AlgorithmIdentifier{Algorithm: algorithm, Parameters: asn1.NullRawValue}
	},
		func(message []byte) ([]byte, error) {
			h := hash.New()
			h.Write(message)
			return rsa.SignPKCS1v15(rand.Reader, rsaKey(), hash, h.Sum(nil))
		})
}

func withoutNextUpdate(t testing.TB, der []byte) []byte {
	t.Helper()
	return rewritten(t, der, func(tbs *tbsCRL) { tbs.NextUpdate = time.Time{} }, func(message []byte) ([]byte, error) {
		h := crypto.SHA256.New()
		h.Write(message)
		return ecdsa.SignASN1(rand.Reader, issuingKey, h.Sum(nil))
	})
}

type tbsCRL struct {
	Version    int
	Algorithm  pkix.AlgorithmIdentifier
	Issuer     asn1.RawValue
	ThisUpdate time.Time
	NextUpdate time.Time        `asn1:"optional"`
	Extensions []pkix.Extension `asn1:"optional,explicit,tag:0"`
}

func rewritten(t testing.TB, der []byte, change func(*tbsCRL), sign func([]byte) ([]byte, error)) []byte {
	t.Helper()
	l, err := x509.ParseRevocationList(der)
	require.NoError(t, err)
	var tbs tbsCRL
	_, err = asn1.Unmarshal(l.RawTBSRevocationList, &tbs)
	require.NoError(t, err)
	change(&tbs)
	message, err := asn1.Marshal(tbs)
	require.NoError(t, err)
	signature, err := sign(message)
	require.NoError(t, err)
	out, err := asn1.Marshal(struct {
		TBS       asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}{asn1.RawValue{FullBytes: message}, tbs.Algorithm, asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)}})
	require.NoError(t, err)
	_, err = x509.ParseRevocationList(out) // crypto/x509 accepts it
	require.NoError(t, err)
	return out
}

func TestCRLFilesReadsChangedFiles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	leaf := w.seal(w.issuing)
	path := filepath.Join(t.TempDir(), "crl.pem")
	write(t, path, pemCRL(w.crl(w.issuing, week, nil)))
	f, err := businesscert.NewCRLFiles(path)
	require.NoError(t, err)
	check := func(at time.Time) error { return f.Check(t.Context(), leaf, w.issuing.Certificate, at) }
	require.NoError(t, check(now))

	write(t, path, pemCRL(w.crl(w.issuing, week, nil, leaf)))
	require.NoError(t, check(now.Add(999*time.Millisecond)), "the next look is later")
	require.ErrorIs(t, check(now.Add(time.Second)), businesscert.ErrRevoked)

	write(t, path, pemCRL(w.crl(w.issuing, testpki.Validity{From: week.From, To: week.To.AddDate(0, 0, 1)}, nil)))
	require.NoError(t, f.Reload())
	require.NoError(t, check(now.Add(time.Second)), "no longer on hold")

	// If the file is malformed or missing, the former list stays in force and Err returns the error.
	require.NoError(t, f.Err())
	write(t, path, []byte("half a li"))
	require.NoError(t, check(now.Add(2*time.Second)))
	require.ErrorContains(t, f.Err(), path)
	require.Error(t, f.Reload())
	require.NoError(t, os.Remove(path))
	require.NoError(t, check(now.Add(3*time.Second)))
	require.ErrorIs(t, f.Err(), os.ErrNotExist)
	require.ErrorIs(t, check(week.To.AddDate(0, 0, 1)), unknown, "after nextUpdate")

	write(t, path, pemCRL(w.crl(w.issuing, testpki.Validity{From: week.To, To: week.To.AddDate(0, 0, 7)}, nil)))
	require.NoError(t, check(week.To.AddDate(0, 0, 2)))
	require.NoError(t, f.Err())
}

func TestCRLFilesConcurrently(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	leaf, bad := w.seal(w.issuing), w.seal(w.issuing)
	path := filepath.Join(t.TempDir(), "crl")
	lists := [][]byte{w.crl(w.issuing, week, nil, bad), w.crl(w.issuing, week, nil, bad, w.seal(w.issuing))}
	write(t, path, lists[0])
	f, err := businesscert.NewCRLFiles(path)
	require.NoError(t, err)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 500 {
				at := now.Add(time.Duration(i) * 2 * time.Second)
				if err := f.Check(t.Context(), leaf, w.issuing.Certificate, at); err != nil {
					t.Error("good:", err)
				}
				if err := f.Check(t.Context(), bad, w.issuing.Certificate, at); err == nil {
					t.Error("a revoked certificate passed")
				}
			}
		})
	}
	for i := range 100 {
		write(t, path, lists[i%2])
		if i%10 == 0 {
			_ = f.Reload()
		}
	}
	wg.Wait()
}

// TestCRLFilesKeepTheNewestList: a list that is older than the one in force, that somebody else signed, or that is missing does not
// end the one in force, whether or not a certificate was checked before. Err returns it.
func TestCRLFilesKeepTheNewestList(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	good, stolen := w.seal(w.issuing), w.seal(w.issuing)
	validity := func(day int) testpki.Validity {
		return testpki.Validity{From: now.AddDate(0, 0, day), To: now.AddDate(0, 0, day+7)}
	}
	newest := w.crl(w.issuing, validity(-1), nil, stolen)
	forger := &testpki.Authority{Certificate: w.samename(w.issuing.Certificate), Key: strangeKey}
	other := w.newRoot("Other", strangeKey)
	for name, tc := range map[string]struct {
		data []byte
		want string // in Err
	}{
		"older":                  {w.crl(w.issuing, validity(-2), nil), "older"},
		"older, after the forge": {pemCRL(w.crlBy(forger, validity(0)), w.crl(w.issuing, validity(-2), nil)), "older"},
		"forged":                 {w.crlBy(forger, validity(-1)), "did not sign"},
		"forged, newer":          {w.crlBy(forger, validity(0)), "did not sign"},
		"of another issuer":      {w.crl(other, validity(0), nil), ""},
		"malformed":              {[]byte("half a li"), "revocation list"},
	} {
		for _, checked := range []bool{true, false} {
			path := filepath.Join(t.TempDir(), "crl")
			write(t, path, newest)
			f, err := businesscert.NewCRLFiles(path)
			require.NoError(t, err)
			at := now
			check := func(c *x509.Certificate) error {
				at = at.Add(time.Minute)
				return f.Check(t.Context(), c, w.issuing.Certificate, at)
			}
			if checked {
				require.NoError(t, check(good), name)
			}
			write(t, path, tc.data)
			for range 3 {
				_ = f.Reload()
				require.ErrorIs(t, check(stolen), businesscert.ErrRevoked, name)
				require.NoError(t, check(good), name)
				if tc.want == "" {
					require.NoError(t, f.Err(), name)
				} else {
					require.ErrorContains(t, f.Err(), tc.want, name)
				}
			}
			at = now.AddDate(0, 0, 6)
			require.ErrorIs(t, check(good), unknown, "%s: after nextUpdate", name)
			at = now
			write(t, path, w.crl(w.issuing, validity(0), nil))
			require.NoError(t, f.Reload(), name)
			require.NoError(t, check(stolen), "%s: a newer list", name)
			require.NoError(t, f.Err(), name)
		}
	}
}

// TestCRLFilesNewKeyOfAnIssuer: an issuer with a new key under its old name has its own list. It is accepted with the first
// certificate under the new key.
func TestCRLFilesNewKeyOfAnIssuer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	before := w.seal(w.issuing)
	renewed := w.under(w.root, "Test Business CA", strangeKey)
	after := w.seal(renewed)
	f := crlFiles(t, pemCRL(w.crl(w.issuing, week, nil), w.crl(renewed, week, nil)))
	require.NoError(t, f.Check(t.Context(), before, w.issuing.Certificate, now))
	require.ErrorContains(t, f.Err(), "did not sign")
	require.NoError(t, f.Check(t.Context(), after, renewed.Certificate, now))
	require.NoError(t, f.Check(t.Context(), before, w.issuing.Certificate, now))
	require.NoError(t, f.Err())
}

// TestCRLFilesNumbers: the number orders the lists of one second.
func TestCRLFilesNumbers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	leaf := w.seal(w.issuing)
	list := func(number int64, revoked ...x509.RevocationListEntry) []byte {
		der, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{
			Number: big.NewInt(number), ThisUpdate: week.From, NextUpdate: week.To, RevokedCertificateEntries: revoked,
		}, w.issuing.Certificate, w.issuing.Key)
		require.NoError(t, err)
		return der
	}
	f := crlFiles(t, list(8, x509.RevocationListEntry{SerialNumber: leaf.SerialNumber, RevocationTime: week.From}), list(7))
	require.ErrorIs(t, f.Check(t.Context(), leaf, w.issuing.Certificate, now), businesscert.ErrRevoked)
	require.ErrorContains(t, f.Err(), "paths[1]")
}
