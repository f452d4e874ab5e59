// Package businesscert verifies Norwegian business certificates (virksomhetssertifikat) and eSeals: chains of X.509
// certificates whose subject is an organisation (docs.digdir.no: Maskinporten, virksomhetssertifikater).
//
// A [Verifier] is for one environment: certificates of test authorities are rejected in production, and those of production in
// test, because their roots are not in its pool. The caller compares the organisation number and verifies the signature of the
// message.
//
// Errors do not quote the certificates, because they come from the peer.
package businesscert

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/portner-go/portner/internal/fields"
)

// Limits of a chain.
const (
	MaxCertificates = 5        // certificates in a chain
	MaxBytes        = 32 << 10 // bytes of DER in a chain
)

// Config configures a Verifier.
type Config struct {
	// Roots are the trust anchors of the environment. Required. If an authority also issues other certificates than business
	// certificates, trust the intermediate authority for business certificates in place of its root, or set Policies.
	Roots *x509.CertPool
	// Intermediates are authorities below the roots, for chains that leave them out (RFC 7515 §4.1.6: further certificates may follow the
	// leaf). They are no trust anchors: a chain ends in a root also through them, and their revocation is checked. If nil, a chain must
	// hold every authority below its anchor.
	Intermediates *x509.CertPool
	// Revocation checks every certificate below the anchor. Required. A chain whose status is unknown is rejected.
	Revocation Revocation
	// Policies are certificate policies; the leaf must have one of them, such as 2.16.578.1.26.1.3.2 of Buypass. If empty,
	// policies are not checked.
	Policies []x509.OID
	// Pinned are SHA-256 thumbprints; the leaf must have one of them. If empty, thumbprints are not checked.
	Pinned [][sha256.Size]byte

	// Lenient accepts an organizationIdentifier that ends in nine digits and has other text after or in place of "NTRNO-", as
	// in certificates of some test authorities (NTRNO-NOFOR.991825827). An identifier of another country or of another kind
	// is rejected.
	Lenient bool
	// AllowCommonName accepts a common name of nine digits as the organisation number if no other attribute has one, as in
	// old certificates.
	AllowCommonName bool
	// AllowAnyCheckDigit accepts organisation numbers with a wrong check digit, for fictitious organisations.
	AllowAnyCheckDigit bool
}

// Verifier verifies chains. It is immutable and safe for concurrent use.
type Verifier struct{ cfg Config }

// New returns a Verifier. It reports every problem of the configuration at once, as portner.FieldErrors.
func New(cfg Config) (*Verifier, error) {
	var problems fields.Checker
	problems.Require(cfg.Roots != nil, "Roots")
	problems.Want(cfg.Roots == nil || !cfg.Roots.Equal(x509.NewCertPool()), "Roots", "must not be empty")
	problems.Want(cfg.Intermediates == nil || !cfg.Intermediates.Equal(x509.NewCertPool()), "Intermediates", "must not be empty")
	problems.RequireValue(cfg.Revocation, "Revocation")
	for i, p := range cfg.Policies {
		problems.Want(!p.Equal(x509.OID{}), fmt.Sprintf("Policies[%d]", i), "must not be the zero value")
	}
	for i, p := range cfg.Pinned {
		problems.Want(p != [sha256.Size]byte{}, fmt.Sprintf("Pinned[%d]", i), "must be a SHA-256 thumbprint")
	}
	if err := problems.Err(); err != nil {
		return nil, fmt.Errorf("businesscert: %w", err)
	}
	cfg.Roots = cfg.Roots.Clone()
	if cfg.Intermediates == nil {
		cfg.Intermediates = x509.NewCertPool()
	}
	cfg.Intermediates = cfg.Intermediates.Clone()
	cfg.Policies = slices.Clone(cfg.Policies)
	cfg.Pinned = slices.Clone(cfg.Pinned)
	return &Verifier{cfg}, nil
}

// Certificate is a verified leaf.
type Certificate struct {
	// Leaf holds the public key of the organisation. It is verified for the time of the call only: verify the chain again for
	// each use.
	Leaf *x509.Certificate
	// Orgno is the organisation number of the subject: nine digits.
	Orgno string
	// Class is Business, QCForESeal or CForESeal. It is the client_amr of tokens.
	Class string
	// Thumbprint is the SHA-256 of the leaf's DER.
	Thumbprint [sha256.Size]byte
}

// Verify verifies a chain at now: certificates in DER, leaf first, each issued by the next one. The root may be the last one or
// be left out (RFC 7515 §4.1.6), and so may the authorities of Config.Intermediates. Verify fetches no certificates.
//
// The error for a chain that is rejected wraps a [Reason]. Other errors are faults: ctx has ended, or now is zero. Revocation
// is checked last.
func (v *Verifier) Verify(ctx context.Context, chain [][]byte, now time.Time) (Certificate, error) {
	if now.IsZero() {
		return Certificate{}, errors.New("businesscert: now is zero") // x509 would use its own clock
	}
	presented, err := parse(chain)
	if err != nil {
		return Certificate{}, err
	}
	leaf := presented[0]
	for _, check := range []func() error{
		func() error { return checkStrength(presented) },
		func() error { return checkValidity(presented, now) },
		func() error { return v.checkLeaf(leaf) },
	} {
		if err := check(); err != nil {
			return Certificate{}, err
		}
	}
	path, err := v.path(presented, now)
	if err != nil {
		return Certificate{}, err
	}
	c := Certificate{Leaf: leaf, Thumbprint: sha256.Sum256(leaf.Raw)}
	if len(v.cfg.Pinned) > 0 && !slices.Contains(v.cfg.Pinned, c.Thumbprint) {
		return Certificate{}, ErrPinned
	}
	if c.Class, err = classify(leaf); err != nil {
		return Certificate{}, err
	}
	if c.Orgno, err = v.orgno(leaf.Subject.Names); err != nil {
		return Certificate{}, err
	}
	if err := v.checkRevocation(ctx, path, now); err != nil {
		return Certificate{}, err
	}
	return c, nil
}

// reject returns an error that wraps r and has details for the log.
func reject(r Reason, format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{r}, args...)...)
}
