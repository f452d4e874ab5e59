package businesscert_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/elliptic"
	_ "crypto/md5"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client/businesscert"
	"github.com/portner-go/portner/internal/testpki"
	"github.com/stretchr/testify/require"
)

func TestVerifyAccepts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cross := w.under(w.newRoot("Some other root", strangeKey), "Test Root", rootKey).Certificate // the root, certified by another root
	p384 := newEC(elliptic.P384())
	for name, tc := range map[string]struct {
		chain [][]byte
		class string
	}{
		"SEID 2":                       {w.chain(), businesscert.Business},
		"SEID 1":                       {testpki.Chain(w.sealOf(testpki.Seal{Orgno: digdir, Generation: testpki.SEID1, Key: leafKey.Public()}, w.issuing), w.issuing.Certificate), businesscert.Business},
		"qualified eSeal":              {testpki.Chain(w.sealOf(testpki.Seal{Orgno: digdir, ESeal: true, Qualified: true, Key: leafKey.Public()}, w.issuing), w.issuing.Certificate), businesscert.QCForESeal},
		"eSeal":                        {testpki.Chain(w.sealOf(testpki.Seal{Orgno: digdir, ESeal: true, Key: leafKey.Public()}, w.issuing), w.issuing.Certificate), businesscert.CForESeal},
		"qualified, not for seals":     {testpki.Chain(w.sealOf(testpki.Seal{Orgno: digdir, Qualified: true, Key: leafKey.Public()}, w.issuing), w.issuing.Certificate), businesscert.Business},
		"with the root":                {testpki.Chain(w.seal(w.issuing), w.issuing.Certificate, w.root.Certificate), businesscert.Business},
		"the root in another wrapping": {testpki.Chain(w.seal(w.issuing), w.issuing.Certificate, w.reissued(w.root, cross)), businesscert.Business},
		"straight below the root":      {testpki.Chain(w.seal(w.root)), businesscert.Business},
		"RSA":                          {testpki.Chain(w.sealOf(testpki.Seal{Orgno: digdir, Key: rsaKey().Public()}, w.issuing), w.issuing.Certificate), businesscert.Business},
		"P-384":                        {testpki.Chain(w.sealOf(testpki.Seal{Orgno: digdir, Key: p384.Public()}, w.issuing), w.issuing.Certificate), businesscert.Business},
		"first second":                 {w.chain(valid(now, years.To)), businesscert.Business},
		"last second":                  {w.chain(valid(years.From, now)), businesscert.Business},
		"both usages in one":           {w.chain(usage(x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment)), businesscert.Business},
		"no extended usage":            {w.chain(extended(nil)), businesscert.Business},
		"any extended usage":           {w.chain(extended([]x509.ExtKeyUsage{x509.ExtKeyUsageAny})), businesscert.Business},
		"document signing":             {w.chain(extended(nil, asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 36})), businesscert.Business},
		"unrelated serialNumber":       {w.chain(subject(identifier("NTRNO-"+digdir), serial("UN:NO-9578-4050-100"))), businesscert.Business},
		"both say the same":            {w.chain(subject(identifier("NTRNO-"+digdir), serial(digdir))), businesscert.Business},
		"four certificates":            {w.deep(3), businesscert.Business},
	} {
		got, err := w.verifier(nil).Verify(t.Context(), tc.chain, now)
		require.NoError(t, err, name)
		require.Equal(t, digdir, got.Orgno, name)
		require.Equal(t, tc.class, got.Class, name)
		require.Equal(t, sha256.Sum256(tc.chain[0]), got.Thumbprint, name)
		require.Equal(t, tc.chain[0], got.Leaf.Raw, name)
	}
}

// reissued returns a certificate for the name and key of an authority, issued by another one.
func (w *world) reissued(a *testpki.Authority, by *x509.Certificate) *x509.Certificate {
	w.Helper()
	require.Equal(w, a.Certificate.RawSubject, by.RawSubject)
	require.NotEqual(w, a.Certificate.Raw, by.Raw)
	return by
}

// deep returns a chain with n authorities below the root.
func (w *world) deep(n int) [][]byte {
	w.Helper()
	var certs []*x509.Certificate
	a := w.root
	for i := range n {
		a = w.under(a, "CA "+string(rune('A'+i)), newEC(elliptic.P256()))
		certs = append(certs, a.Certificate)
	}
	slices.Reverse(certs)
	return testpki.Chain(append([]*x509.Certificate{w.seal(a)}, certs...)...)
}

// TestVerifyRejects: chains that must be rejected, with the reason for each.
func TestVerifyRejects(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	good, issuing, root := w.seal(w.issuing), w.issuing.Certificate, w.root.Certificate
	stranger := w.newRoot("Stranger Root", strangeKey)
	impostor := w.newRoot("Test Root", strangeKey) // the name of the root, another key
	rsaCA := w.under(w.root, "RSA CA", rsaKey())
	narrow := w.under(w.root, "Narrow CA", strangeKey, func(c *x509.Certificate) {
		c.PermittedDNSDomainsCritical, c.PermittedDNSDomains = true, []string{"example.no"}
	})
	last := w.under(w.root, "Last CA", strangeKey, func(c *x509.Certificate) { c.MaxPathLenZero = true })
	beyond := w.under(last, "CA beyond the last", issuingKey)
	fake := &testpki.Authority{Certificate: w.unsigned(issuing), Key: strangeKey}
	tls := w.under(w.root, "TLS CA", strangeKey, extended([]x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}))
	mute := w.under(w.root, "CA that may not sign certificates", strangeKey, usage(x509.KeyUsageCRLSign))
	old := w.under(w.root, "Old CA", strangeKey, valid(long.From, now.Add(-time.Second)))
	young := w.under(w.root, "Young CA", strangeKey, valid(now.Add(time.Second), long.To))
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	clerk := &testpki.Authority{Certificate: good, Key: leafKey} // an organisation that signs certificates
	even := rsaOf(2048)
	even.N.SetBit(even.N, 0, 0)

	cases := map[string]struct {
		chain  [][]byte
		reason businesscert.Reason
	}{
		"no certificate":                 {nil, businesscert.ErrMalformed},
		"empty certificate":              {[][]byte{{}}, businesscert.ErrMalformed},
		"garbage":                        {[][]byte{[]byte("MIIC")}, businesscert.ErrMalformed},
		"trailing byte":                  {[][]byte{append(bytes.Clone(good.Raw), 0), issuing.Raw}, businesscert.ErrMalformed},
		"two in one":                     {[][]byte{slices.Concat(good.Raw, issuing.Raw)}, businesscert.ErrMalformed},
		"cut short":                      {[][]byte{good.Raw[:len(good.Raw)-1], issuing.Raw}, businesscert.ErrMalformed},
		"PEM":                            {[][]byte{pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: good.Raw})}, businesscert.ErrMalformed},
		"only the signed part":           {[][]byte{good.RawTBSCertificate, issuing.Raw}, businesscert.ErrMalformed},
		"garbage after a leaf":           {[][]byte{good.Raw, {0x30, 0}}, businesscert.ErrMalformed},
		"six certificates":               {w.deep(5), businesscert.ErrMalformed},
		"longer than 32 KiB":             {[][]byte{good.Raw, make([]byte, businesscert.MaxBytes)}, businesscert.ErrMalformed},
		"a leaf of 33 KiB":               {w.chain(extension(asn1.ObjectIdentifier{1, 2, 3}, make([]byte, 33<<10), false)), businesscert.ErrMalformed},
		"malformed QCStatements":         {w.chain(extension(asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 3}, []byte("x"), false)), businesscert.ErrMalformed},
		"malformed QcType":               {w.chain(extension(asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 3}, []byte{0x30, 0x0a, 0x30, 8, 6, 6, 4, 0, 0x8e, 0x46, 1, 6}, false)), businesscert.ErrMalformed},
		"self-signed":                    {testpki.Chain(w.selfSigned()), businesscert.ErrChain},
		"self-signed, with a chain":      {testpki.Chain(w.selfSigned(), issuing), businesscert.ErrChain},
		"another root":                   {testpki.Chain(w.seal(stranger)), businesscert.ErrChain},
		"another root, in the chain":     {testpki.Chain(w.seal(stranger), stranger.Certificate), businesscert.ErrChain},
		"another root of the same name":  {testpki.Chain(w.seal(impostor), impostor.Certificate), businesscert.ErrChain},
		"leaf not first":                 {testpki.Chain(issuing, good), businesscert.ErrUsage},
		"an authority as leaf":           {testpki.Chain(issuing), businesscert.ErrUsage},
		"the root as leaf":               {testpki.Chain(root), businesscert.ErrUsage},
		"leaf may sign certificates":     {w.chain(usage(x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign)), businesscert.ErrUsage},
		"leaf may sign lists":            {w.chain(usage(x509.KeyUsageDigitalSignature | x509.KeyUsageCRLSign)), businesscert.ErrUsage},
		"leaf is a CA":                   {w.chain(func(c *x509.Certificate) { c.IsCA = true }), businesscert.ErrUsage},
		"expired":                        {w.chain(valid(years.From, now.Add(-time.Second))), businesscert.ErrExpired},
		"expired, wrong root":            {testpki.Chain(w.seal(stranger, valid(years.From, now.Add(-time.Second)))), businesscert.ErrExpired},
		"not yet valid":                  {w.chain(valid(now.Add(time.Second), years.To)), businesscert.ErrNotYetValid},
		"CA expired":                     {testpki.Chain(w.seal(old), old.Certificate), businesscert.ErrExpired},
		"CA not yet valid":               {testpki.Chain(w.seal(young), young.Certificate), businesscert.ErrNotYetValid},
		"SHA-1":                          {testpki.Chain(resign(t, w.seal(rsaCA), sha1WithRSA, crypto.SHA1, rsaKey()), rsaCA.Certificate), businesscert.ErrWeak},
		"MD5":                            {testpki.Chain(resign(t, w.seal(rsaCA), md5WithRSA, crypto.MD5, rsaKey()), rsaCA.Certificate), businesscert.ErrWeak},
		"SHA-1 on a CA":                  {testpki.Chain(good, resign(t, issuing, sha1WithRSA, crypto.SHA1, rsaKey())), businesscert.ErrWeak},
		"RSA 1024":                       {w.chainFor(rsaOf(1024)), businesscert.ErrWeak},
		"RSA 2047":                       {w.chainFor(rsaOf(2047)), businesscert.ErrWeak},
		"RSA 8193":                       {w.chainFor(rsaOf(8193)), businesscert.ErrWeak},
		"RSA 16384 on a CA":              {testpki.Chain(good, w.withKey(w.root, rsaOf(16384))), businesscert.ErrWeak},
		"RSA 1024 on a CA":               {testpki.Chain(good, w.withKey(w.root, rsaOf(1024))), businesscert.ErrWeak},
		"RSA exponent 1":                 {w.chainFor(&rsa.PublicKey{N: rsaOf(2048).N, E: 1}), businesscert.ErrWeak},
		"RSA exponent 2":                 {w.chainFor(&rsa.PublicKey{N: rsaOf(2048).N, E: 2}), businesscert.ErrWeak},
		"RSA even modulus":               {w.chainFor(even), businesscert.ErrWeak},
		"P-224":                          {w.chainFor(newEC(elliptic.P224()).Public()), businesscert.ErrWeak},
		"Ed25519":                        {w.chainFor(ed.Public()), businesscert.ErrWeak},
		"no key usage":                   {w.chain(usage(0)), businesscert.ErrUsage},
		"non-repudiation":                {w.chain(usage(x509.KeyUsageContentCommitment)), businesscert.ErrUsage},
		"key encipherment":               {w.chain(usage(x509.KeyUsageKeyEncipherment)), businesscert.ErrUsage},
		"web server":                     {w.chain(extended([]x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth})), businesscert.ErrUsage},
		"timestamps":                     {w.chain(extended([]x509.ExtKeyUsage{x509.ExtKeyUsageTimeStamping})), businesscert.ErrUsage},
		"code signing":                   {w.chain(extended([]x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning})), businesscert.ErrUsage},
		"OCSP responder":                 {w.chain(extended([]x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning})), businesscert.ErrUsage},
		"unknown extended key usage":     {w.chain(extended(nil, asn1.ObjectIdentifier{1, 2, 3, 4})), businesscert.ErrUsage},
		"authority for web servers only": {testpki.Chain(w.seal(tls), tls.Certificate), businesscert.ErrUsage},
		"unknown critical extension":     {w.chain(extension(asn1.ObjectIdentifier{1, 2, 3, 4}, []byte{5, 0}, true)), businesscert.ErrChain},
		"outside the name constraint": {
			testpki.Chain(w.seal(narrow, func(c *x509.Certificate) { c.DNSNames = []string{"example.com"} }), narrow.Certificate),
			businesscert.ErrChain,
		},
		"beyond the path length":         {testpki.Chain(w.seal(beyond), beyond.Certificate, last.Certificate), businesscert.ErrChain},
		"issued by an organisation":      {testpki.Chain(w.seal(clerk), good, issuing), businesscert.ErrChain},
		"CA without keyCertSign":         {testpki.Chain(w.seal(mute), mute.Certificate), businesscert.ErrChain},
		"intermediate missing":           {testpki.Chain(good), businesscert.ErrChain},
		"root as the intermediate":       {testpki.Chain(good, root), businesscert.ErrChain},
		"another intermediate":           {testpki.Chain(good, rsaCA.Certificate), businesscert.ErrChain},
		"an unrelated one at the end":    {testpki.Chain(good, issuing, rsaCA.Certificate), businesscert.ErrChain},
		"an unrelated one between":       {testpki.Chain(good, rsaCA.Certificate, issuing), businesscert.ErrChain},
		"an unrelated root at the end":   {testpki.Chain(good, issuing, stranger.Certificate), businesscert.ErrChain},
		"another root of the right name": {testpki.Chain(good, issuing, impostor.Certificate), businesscert.ErrChain},
		"out of order":                   {testpki.Chain(good, root, issuing), businesscert.ErrChain},
		"leaf twice":                     {testpki.Chain(good, good, issuing), businesscert.ErrChain},
		"leaf again at the end":          {testpki.Chain(good, issuing, good), businesscert.ErrChain},
		"intermediate twice":             {testpki.Chain(good, issuing, issuing), businesscert.ErrChain},
		"root twice":                     {testpki.Chain(good, issuing, root, root), businesscert.ErrChain},
		"two leaves":                     {testpki.Chain(good, w.seal(w.issuing), issuing), businesscert.ErrChain},
		"signed by another key":          {testpki.Chain(w.seal(&testpki.Authority{Certificate: issuing, Key: issuingKey}), w.samename(issuing)), businesscert.ErrChain},
		"authority with the right name":  {testpki.Chain(w.seal(fake), fake.Certificate, root), businesscert.ErrChain},
		"one bit changed":                {[][]byte{turned(good), issuing.Raw}, businesscert.ErrChain},
	}
	require.Greater(t, len(cases), 50)
	for name, tc := range cases {
		_, err := w.verifier(nil).Verify(t.Context(), tc.chain, now)
		require.ErrorIs(t, err, tc.reason, name)
	}
}

// chainFor returns a chain that is valid but for its public key.
func (w *world) chainFor(key crypto.PublicKey) [][]byte {
	w.Helper()
	return testpki.Chain(w.sealOf(testpki.Seal{Orgno: digdir, Name: "X", Generation: testpki.SEID2, Key: key}, w.issuing), w.issuing.Certificate)
}

// selfSigned returns a self-signed certificate with the contents of a valid leaf.
func (w *world) selfSigned() *x509.Certificate {
	w.Helper()
	return w.seal(&testpki.Authority{Key: leafKey})
}

// samename returns an authority with the name and the key identifier of another one and its own key.
func (w *world) samename(c *x509.Certificate) *x509.Certificate {
	w.Helper()
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		RawSubject: c.RawSubject, SubjectKeyId: c.SubjectKeyId, NotBefore: long.From, NotAfter: long.To,
		KeyUsage: x509.KeyUsageCertSign, BasicConstraintsValid: true, IsCA: true,
	}, w.root.Certificate, strangeKey.Public(), rootKey)
	require.NoError(w, err)
	out, err := x509.ParseCertificate(der)
	require.NoError(w, err)
	return out
}

// unsigned is samename with an invalid signature.
func (w *world) unsigned(c *x509.Certificate) *x509.Certificate {
	w.Helper()
	fake, err := x509.ParseCertificate(w.samename(c).Raw)
	require.NoError(w, err)
	i := len(fake.Raw) - 1
	fake.Raw[i] ^= 1 // in the signature
	out, err := x509.ParseCertificate(fake.Raw)
	require.NoError(w, err)
	return out
}

// turned returns a certificate with one digit of the organisation number changed in the signed part.
func turned(c *x509.Certificate) []byte {
	der := bytes.Clone(c.Raw)
	i := bytes.LastIndex(der, []byte("NTRNO-"+digdir))
	der[i+len("NTRNO-")]--
	return der
}

func extension(id asn1.ObjectIdentifier, value []byte, critical bool) testpki.Change {
	return func(c *x509.Certificate) {
		c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: id, Value: value, Critical: critical})
	}
}

// TestVerifyWithOwnIntermediates: a chain may leave out the authorities that the operator has (RFC 7515 §4.1.6). They complete a chain and
// vouch for nothing: what is wrong with a chain remains wrong.
func TestVerifyWithOwnIntermediates(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	stranger := w.newRoot("Stranger Root", strangeKey)
	foreign := w.under(stranger, "Foreign CA", newEC(elliptic.P256()))
	policy := w.under(w.root, "Policy CA", newEC(elliptic.P256()))
	below := w.under(policy, "CA below the policy CA", newEC(elliptic.P256()))
	old := w.under(w.root, "Old CA", strangeKey, valid(long.From, now.Add(-time.Second)))
	weak := w.under(w.root, "Weak CA", newEC(elliptic.P224()))
	tls := w.under(w.root, "TLS CA", strangeKey, extended([]x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}))
	orphan := w.under(foreign, "Orphan CA", newEC(elliptic.P256()))
	good, root := w.seal(w.issuing), w.root.Certificate
	own := pool(w.issuing.Certificate, policy.Certificate, below.Certificate, old.Certificate, weak.Certificate, tls.Certificate, orphan.Certificate)
	v := w.verifier(func(c *businesscert.Config) { c.Intermediates = own })
	seid1 := w.sealOf(testpki.Seal{Orgno: digdir, Generation: testpki.SEID1, Key: leafKey.Public()}, w.issuing)
	for name, chain := range map[string][][]byte{
		"leaf alone":                   testpki.Chain(good),
		"leaf alone, SEID 1":           testpki.Chain(seid1),
		"full chain":                   testpki.Chain(good, w.issuing.Certificate),
		"full chain with the root":     testpki.Chain(good, w.issuing.Certificate, root),
		"two authorities missing":      testpki.Chain(w.seal(below)),
		"the upper authority missing":  testpki.Chain(w.seal(below), below.Certificate),
		"straight below the root":      testpki.Chain(w.seal(w.root)),
		"an authority that only we do": testpki.Chain(w.seal(policy)),
	} {
		got, err := v.Verify(t.Context(), chain, now)
		require.NoError(t, err, name)
		require.Equal(t, digdir, got.Orgno, name)
	}
	for name, tc := range map[string]struct {
		chain  [][]byte
		reason businesscert.Reason
	}{
		"foreign leaf":                       {testpki.Chain(w.seal(foreign)), businesscert.ErrIncomplete},
		"foreign leaf with its authority":    {testpki.Chain(w.seal(foreign), foreign.Certificate), businesscert.ErrIncomplete},
		"foreign leaf with its root":         {testpki.Chain(w.seal(foreign), foreign.Certificate, stranger.Certificate), businesscert.ErrChain},
		"below an authority without root":    {testpki.Chain(w.seal(orphan)), businesscert.ErrIncomplete},
		"forged for our authority":           {testpki.Chain(w.seal(&testpki.Authority{Certificate: w.issuing.Certificate, Key: w.issuing.Key}), foreign.Certificate), businesscert.ErrChain},
		"signed with another key":            {[][]byte{turned(good)}, businesscert.ErrIncomplete},
		"our authority with another key":     {testpki.Chain(good, w.samename(w.issuing.Certificate)), businesscert.ErrChain},
		"reversed":                           {testpki.Chain(w.issuing.Certificate, good), businesscert.ErrUsage},
		"reversed above the leaf":            {testpki.Chain(good, root, w.issuing.Certificate), businesscert.ErrChain},
		"root without the authority between": {testpki.Chain(good, root), businesscert.ErrChain},
		"an unrelated one at the end":        {testpki.Chain(good, policy.Certificate), businesscert.ErrChain},
		"authority expired":                  {testpki.Chain(w.seal(old)), businesscert.ErrIncomplete},
		"authority with a weak key":          {testpki.Chain(w.seal(weak)), businesscert.ErrWeak},
		"authority for other purposes":       {testpki.Chain(w.seal(tls)), businesscert.ErrUsage},
		"authority as leaf":                  {testpki.Chain(w.issuing.Certificate), businesscert.ErrUsage},
		"self-signed":                        {testpki.Chain(w.selfSigned()), businesscert.ErrChain},
	} {
		_, err := v.Verify(t.Context(), tc.chain, now)
		got, _ := errors.AsType[businesscert.Reason](err)
		require.Equal(t, tc.reason, got, "%s: %v", name, err)
		require.Equal(t, tc.reason == businesscert.ErrIncomplete || tc.reason == businesscert.ErrChain, errors.Is(err, businesscert.ErrChain), name)
	}
	_, err := w.verifier(nil).Verify(t.Context(), testpki.Chain(good), now)
	require.ErrorIs(t, err, businesscert.ErrIncomplete, "without the authority")

	own.AddCert(foreign.Certificate)
	_, err = w.verifier(func(c *businesscert.Config) { c.Intermediates = own }).Verify(t.Context(), testpki.Chain(w.seal(foreign)), now)
	require.ErrorIs(t, err, businesscert.ErrIncomplete, "an intermediate is no trust anchor")
}

// TestRevocationOfOwnIntermediates: the authorities of the operator are checked as those of a chain.
func TestRevocationOfOwnIntermediates(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	good := w.seal(w.issuing)
	for _, revoked := range []*x509.Certificate{good, w.issuing.Certificate} {
		v := w.verifier(func(c *businesscert.Config) {
			c.Intermediates = pool(w.issuing.Certificate)
			c.Revocation = revocation{revoked.SerialNumber.String(): businesscert.ErrRevoked}
		})
		_, err := v.Verify(t.Context(), testpki.Chain(good), now)
		require.ErrorIs(t, err, businesscert.ErrRevoked)
	}
}

// TestVerifyEnvironments: a chain of one environment is rejected in the other.
func TestVerifyEnvironments(t *testing.T) {
	t.Parallel()
	test := newWorld(t)
	production := &world{TB: t, root: test.newRoot("Production Root", strangeKey)}
	production.issuing = production.under(production.root, "Production Business CA", issuingKey)
	inTest, inProduction := test.verifier(nil), production.verifier(nil)

	_, err := inTest.Verify(t.Context(), test.chain(), now)
	require.NoError(t, err)
	_, err = inProduction.Verify(t.Context(), production.chain(), now)
	require.NoError(t, err)
	_, err = inProduction.Verify(t.Context(), test.chain(), now)
	require.ErrorIs(t, err, businesscert.ErrChain)
	_, err = inTest.Verify(t.Context(), production.chain(), now)
	require.ErrorIs(t, err, businesscert.ErrChain)
}

func TestVerifyAnchors(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	anchored := func(certs ...*x509.Certificate) *businesscert.Verifier {
		return w.verifier(func(c *businesscert.Config) { c.Roots = pool(certs...) })
	}
	own := w.selfSigned()
	_, err := anchored(own, w.root.Certificate).Verify(t.Context(), testpki.Chain(own), now)
	require.ErrorIs(t, err, businesscert.ErrChain, "a leaf that is a root itself")

	leaf := w.seal(w.issuing)
	_, err = anchored(leaf).Verify(t.Context(), testpki.Chain(leaf, w.issuing.Certificate), now)
	require.ErrorIs(t, err, businesscert.ErrChain)

	_, err = anchored(w.issuing.Certificate).Verify(t.Context(), testpki.Chain(leaf), now)
	require.NoError(t, err, "an intermediate authority may be the anchor")
	_, err = anchored(w.issuing.Certificate).Verify(t.Context(), testpki.Chain(leaf, w.issuing.Certificate, w.root.Certificate), now)
	require.NoError(t, err, "certificates above the anchor are ignored")
	_, err = anchored(w.issuing.Certificate).Verify(t.Context(), testpki.Chain(leaf, w.issuing.Certificate, w.newRoot("X", strangeKey).Certificate), now)
	require.ErrorIs(t, err, businesscert.ErrChain, "the certificate above the anchor is not its issuer")

	weak := w.newRoot("Weak root", newEC(elliptic.P224()))
	_, err = anchored(weak.Certificate).Verify(t.Context(), testpki.Chain(w.seal(weak)), now)
	require.ErrorIs(t, err, businesscert.ErrWeak)

	expired := w.newRoot("Expired root", strangeKey, valid(long.From, now.Add(-time.Second)))
	_, err = anchored(expired.Certificate).Verify(t.Context(), testpki.Chain(w.seal(expired)), now)
	require.ErrorIs(t, err, businesscert.ErrChain)
	_, err = anchored(expired.Certificate).Verify(t.Context(), testpki.Chain(w.seal(expired), expired.Certificate), now)
	require.ErrorIs(t, err, businesscert.ErrExpired)
}

func TestVerifyOrganisationNumber(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	nofor := subject(identifier("NTRNO-NOFOR." + digdir))
	for name, tc := range map[string]struct {
		subject        testpki.Change
		strict         bool // accepted by default
		lenient, names bool // accepted with Lenient, with AllowCommonName
	}{
		"SEID 2":                         {subject(identifier("NTRNO-" + digdir)), true, true, true},
		"SEID 1":                         {subject(serial(digdir)), true, true, true},
		"with an unrelated serialNumber": {subject(identifier("NTRNO-"+digdir), serial("12345")), true, true, true},
		"with a number that is none":     {subject(identifier("NTRNO-"+digdir), serial("991825828")), true, true, true},
		"another organisation beside":    {subject(identifier("NTRNO-"+digdir), serial(another)), false, false, false},
		"identifier twice":               {subject(identifier("NTRNO-"+digdir), identifier("NTRNO-"+another)), false, false, false},
		"the same identifier twice":      {subject(identifier("NTRNO-"+digdir), identifier("NTRNO-"+digdir)), false, false, false},
		"serialNumber twice":             {subject(serial(digdir), serial(another)), false, false, false},
		"identifier and two serials":     {subject(identifier("NTRNO-"+digdir), serial("1"), serial("2")), false, false, false},
		"only in the issuer":             {subject(), false, false, false},
		"only a common name":             {subject(commonName(digdir)), false, false, true},
		"in a common name with more":     {subject(commonName("ORG " + digdir)), false, false, false},
		"two common names":               {subject(commonName(digdir), commonName(another)), false, false, false},
		"name beside a foreign number":   {subject(commonName(digdir), identifier("NTRDE-HRB1")), false, false, false},
		"name beside a serial":           {subject(commonName(digdir), serial("x")), false, false, false},
		"German register":                {subject(identifier("NTRDE-" + digdir)), false, false, false},
		"German register, SEID 1 beside": {subject(identifier("NTRDE-"+digdir), serial(digdir)), false, false, false},
		"VAT number":                     {subject(identifier("VATNO-" + digdir)), false, false, false},
		"a national scheme":              {subject(identifier("XX:NO-" + digdir)), false, false, false},
		"a person":                       {subject(identifier("PNONO-" + digdir)), false, false, false},
		"no prefix":                      {subject(identifier(digdir)), false, true, false},
		"NOFOR":                          {nofor, false, true, false},
		"small letters":                  {subject(identifier("ntrno-" + digdir)), false, false, false},
		"a space":                        {subject(identifier("NTRNO- " + digdir)), false, true, false},
		"a space behind":                 {subject(identifier("NTRNO-" + digdir + " ")), false, false, false},
		"NUL behind":                     {subject(identifier("NTRNO-" + digdir + "\x00")), false, false, false},
		"ten digits":                     {subject(identifier("NTRNO-1" + digdir)), false, false, false},
		"eight digits":                   {subject(identifier("NTRNO-" + digdir[1:])), false, false, false},
		"empty":                          {subject(identifier("NTRNO-")), false, false, false},
		"wrong check digit":              {subject(identifier("NTRNO-991825828")), false, false, false},
		"wrong check digit, SEID 1":      {subject(serial("991825828")), false, false, false},
		"digits of another script":       {subject(identifier("NTRNO-٩٩١٨٢٥٨٢٧")), false, false, false},
		"SEID 2 form in serialNumber":    {subject(serial("NTRNO-" + digdir)), false, false, false},
		"in an alternative name only": {func(c *x509.Certificate) {
			subject()(c)
			c.DNSNames = []string{"NTRNO-" + digdir}
		}, false, false, false},
	} {
		chain := w.chain(tc.subject)
		for which, v := range map[string]struct {
			*businesscert.Verifier
			accepts bool
		}{
			"strict":  {w.verifier(nil), tc.strict},
			"lenient": {w.verifier(func(c *businesscert.Config) { c.Lenient = true }), tc.lenient},
			"names":   {w.verifier(func(c *businesscert.Config) { c.AllowCommonName = true }), tc.names},
		} {
			got, err := v.Verify(t.Context(), chain, now)
			if !v.accepts {
				require.ErrorIs(t, err, businesscert.ErrOrgno, "%s, %s", name, which)
				require.NotContains(t, err.Error(), digdir)
				continue
			}
			require.NoError(t, err, "%s, %s", name, which)
			require.Equal(t, digdir, got.Orgno, "%s, %s", name, which)
		}
	}
}

func TestVerifyAnyCheckDigit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.verifier(func(c *businesscert.Config) { c.AllowAnyCheckDigit = true })
	got, err := v.Verify(t.Context(), w.chain(subject(identifier("NTRNO-999888778"))), now)
	require.NoError(t, err)
	require.Equal(t, "999888778", got.Orgno)
	for _, wrong := range []string{"99988877", "9998887780", "99988877x", "٩٩٩٨٨٨٧٧٨"} {
		_, err = v.Verify(t.Context(), w.chain(subject(identifier("NTRNO-"+wrong))), now)
		require.ErrorIs(t, err, businesscert.ErrOrgno, wrong)
	}
	// The serialNumber counts as an organisation number here, so it must be equal, too.
	_, err = v.Verify(t.Context(), w.chain(subject(identifier("NTRNO-"+digdir), serial("991825828"))), now)
	require.ErrorIs(t, err, businesscert.ErrOrgno)
}

func TestVerifyPoliciesAndPins(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	smartCard, err := x509.ParseOID("2.16.578.1.26.1.3.5")
	require.NoError(t, err)
	chain := w.chain()
	with := func(policies ...x509.OID) *businesscert.Verifier {
		return w.verifier(func(c *businesscert.Config) { c.Policies = policies })
	}
	_, err = with(smartCard, testpki.SoftCertificate).Verify(t.Context(), chain, now)
	require.NoError(t, err)
	_, err = with(smartCard).Verify(t.Context(), chain, now)
	require.ErrorIs(t, err, businesscert.ErrUsage)
	_, err = with(smartCard).Verify(t.Context(), w.chain(func(c *x509.Certificate) { c.Policies = nil }), now)
	require.ErrorIs(t, err, businesscert.ErrUsage)

	pinned := w.verifier(func(c *businesscert.Config) { c.Pinned = [][sha256.Size]byte{{1}, sha256.Sum256(chain[0])} })
	_, err = pinned.Verify(t.Context(), chain, now)
	require.NoError(t, err)
	_, err = pinned.Verify(t.Context(), w.chain(), now) // the same key and name in a new certificate
	require.ErrorIs(t, err, businesscert.ErrPinned)
}

func TestVerifyRevocationFailsClosed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	leaf, issuing, root := w.seal(w.issuing), w.issuing.Certificate, w.root.Certificate
	chain := testpki.Chain(leaf, issuing, root)
	down := errors.New("no response")
	for name, tc := range map[string]struct {
		status revocation
		reason error
	}{
		"good":              {revocation{}, nil},
		"leaf revoked":      {revocation{leaf.SerialNumber.String(): businesscert.ErrRevoked}, businesscert.ErrRevoked},
		"authority revoked": {revocation{issuing.SerialNumber.String(): businesscert.ErrRevoked}, businesscert.ErrRevoked},
		"leaf unknown":      {revocation{leaf.SerialNumber.String(): down}, businesscert.ErrRevocationUnknown},
		"authority unknown": {revocation{issuing.SerialNumber.String(): down}, businesscert.ErrRevocationUnknown},
		"the root's own":    {revocation{root.SerialNumber.String(): businesscert.ErrRevoked}, nil},
	} {
		v := w.verifier(func(c *businesscert.Config) { c.Revocation = tc.status })
		_, err := v.Verify(t.Context(), chain, now)
		require.ErrorIs(t, err, tc.reason, name)
	}
	// A cancelled context is a fault, not a status of the certificate.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := w.verifier(func(c *businesscert.Config) { c.Revocation = revocation{} }).Verify(ctx, chain, now)
	require.ErrorIs(t, err, context.Canceled)
	var reason businesscert.Reason
	require.False(t, errors.As(err, &reason))
}

// counting counts the calls of Check.
type counting int

func (c *counting) Check(context.Context, *x509.Certificate, *x509.Certificate, time.Time) error {
	*c++
	return nil
}

// TestVerifyChecksRevocationLast: Check may make a network call, so it runs only for chains that are otherwise valid.
func TestVerifyChecksRevocationLast(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	asked := counting(0)
	v := w.verifier(func(c *businesscert.Config) { c.Revocation = &asked })
	for _, chain := range [][][]byte{
		testpki.Chain(w.selfSigned()),
		w.chain(subject()),
		w.chain(usage(x509.KeyUsageContentCommitment)),
		w.chain(valid(years.From, years.From)),
		testpki.Chain(w.seal(w.issuing)),
	} {
		_, err := v.Verify(t.Context(), chain, now)
		require.Error(t, err)
	}
	require.Zero(t, asked)
	_, err := v.Verify(t.Context(), w.chain(), now)
	require.NoError(t, err)
	require.Equal(t, counting(2), asked)
}

// TestVerifyNeedsNow: with a zero time crypto/x509 would use the system clock.
func TestVerifyNeedsNow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.verifier(nil).Verify(t.Context(), w.chain(), time.Time{})
	require.Error(t, err)
	var reason businesscert.Reason
	require.False(t, errors.As(err, &reason), "a fault of the caller has no reason")
}

func TestNewReportsEveryField(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	good := businesscert.Config{Roots: pool(w.root.Certificate), Revocation: businesscert.InsecureNoRevocation{}}
	_, err := businesscert.New(good)
	require.NoError(t, err)
	for field, change := range map[string]func(*businesscert.Config){
		"Roots":       func(c *businesscert.Config) { c.Roots = nil },
		"Revocation":  func(c *businesscert.Config) { c.Revocation = nil },
		"Policies[0]": func(c *businesscert.Config) { c.Policies = make([]x509.OID, 1) },
		"Pinned[1]":   func(c *businesscert.Config) { c.Pinned = [][sha256.Size]byte{{1}, {}} },
	} {
		cfg := good
		change(&cfg)
		_, err := businesscert.New(cfg)
		require.Equal(t, []string{field}, fieldsOf(err))
	}
	_, err = businesscert.New(businesscert.Config{Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), Policies: make([]x509.OID, 1), Pinned: make([][sha256.Size]byte, 1)})
	require.Equal(t, []string{"Roots", "Intermediates", "Revocation", "Policies[0]", "Pinned[0]"}, fieldsOf(err))
}

// fieldsOf returns the fields that an error names.
func fieldsOf(err error) (names []string) {
	for _, e := range portner.FieldErrors(err) {
		names = append(names, e.Field)
	}
	return names
}

// TestNewCopies: roots that are added to the pool later are not trusted.
func TestNewCopies(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	stranger := w.newRoot("Stranger Root", strangeKey)
	roots, own := pool(w.root.Certificate), pool(w.under(w.root, "CA", newEC(elliptic.P256())).Certificate)
	v := w.verifier(func(c *businesscert.Config) { c.Roots, c.Intermediates = roots, own })
	roots.AddCert(stranger.Certificate)
	own.AddCert(w.issuing.Certificate)
	for _, leaf := range []*x509.Certificate{w.seal(stranger), w.seal(w.issuing)} {
		_, err := v.Verify(t.Context(), testpki.Chain(leaf), now)
		require.ErrorIs(t, err, businesscert.ErrChain)
	}
}
