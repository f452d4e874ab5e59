// Package businesscert verifies Norwegian business certificates (virksomhetssertifikat) and eSeals: a
// chain of X.509 certificates that names an organisation (maskinporten-altinn section 1.13).
//
// A [Verifier] is for one environment: certificates of the test authorities are refused in production
// because their roots are not in its pool, and the reverse. It knows nothing of tokens or clients. Whether
// the organisation is the right one, and whether the key signed anything, is the caller's to check.
//
// Everything here reads what a peer sent, so errors never quote it.
package businesscert

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"
)

// The limits of a chain (security section 0.6, row E6).
const (
	// MaxCertificates is how many certificates a chain may have.
	MaxCertificates = 5
	// MaxBytes bounds the certificates of a chain together, in bytes of DER.
	MaxBytes = 32 << 10
)

// Config says whom to trust.
type Config struct {
	// Roots are the trust anchors of this environment and no other. Required. Where an authority issues
	// more than business certificates, trust its issuing certificate for those and not its root, or
	// set Policies.
	Roots *x509.CertPool
	// Revocation is asked about every certificate below the anchor. Required: a chain whose status
	// cannot be found out is refused.
	Revocation Revocation
	// Policies are certificate policies of which the leaf must name one, such as 2.16.578.1.26.1.3.2
	// for Buypass. Empty: any policy, or none.
	Policies []x509.OID
	// Pinned are the SHA-256 thumbprints of the only leaves that are accepted. Empty: every leaf.
	Pinned [][sha256.Size]byte

	// Lenient takes the last nine digits of an organizationIdentifier that has something between or in
	// place of "NTRNO-", as some test authorities write it (NTRNO-NOFOR.991825827). An identifier of
	// another country or another kind is refused all the same.
	Lenient bool
	// AllowCommonName takes the organisation number from a common name of nine digits where no other
	// attribute has one, as in very old certificates.
	AllowCommonName bool
	// AllowAnyCheckDigit accepts organisation numbers with a wrong check digit, for made-up organisations.
	AllowAnyCheckDigit bool
}

// Verifier verifies chains. It is immutable and safe for concurrent use.
type Verifier struct{ cfg Config }

// New reports all problems of the configuration at once.
func New(cfg Config) (*Verifier, error) {
	var problems []error
	if cfg.Roots == nil || cfg.Roots.Equal(x509.NewCertPool()) {
		problems = append(problems, errors.New("businesscert: Config.Roots is required and must not be empty"))
	}
	if cfg.Revocation == nil {
		problems = append(problems, errors.New("businesscert: Config.Revocation is required"))
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	cfg.Roots = cfg.Roots.Clone()
	cfg.Policies = slices.Clone(cfg.Policies)
	cfg.Pinned = slices.Clone(cfg.Pinned)
	return &Verifier{cfg}, nil
}

// Certificate is a verified leaf.
type Certificate struct {
	// Leaf holds the key that may sign. Use it at the clock it was verified at, and do not keep it: a
	// certificate is revoked without notice.
	Leaf *x509.Certificate
	// Orgno is the organisation number of the subject, nine digits.
	Orgno string
	// Class is Business, QCForESeal or CForESeal, the client_amr of a token.
	Class string
	// Thumbprint is the SHA-256 of the leaf's DER.
	Thumbprint [sha256.Size]byte
}

// Verify verifies a chain at now: DER, leaf first, each certificate issued by the next, the root left out
// or last (RFC 7515 section 4.1.6). Intermediates come from the chain alone; nothing is fetched.
//
// Every refusal wraps a [Reason]. Other errors are faults: ctx has ended, or the caller has no clock.
// Revocation is asked last, about chains that hold in every other way.
func (v *Verifier) Verify(ctx context.Context, chain [][]byte, now time.Time) (Certificate, error) {
	if now.IsZero() {
		return Certificate{}, errors.New("businesscert: no time to verify at") // x509 would take its own clock
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

// refuse says why in words that are for the log.
func refuse(r Reason, format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{r}, args...)...)
}
