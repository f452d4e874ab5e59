package businesscert

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"time"
)

// Revocation returns the status of certificates.
type Revocation interface {
	// Check returns nil if the certificate is not revoked at now, and an error that wraps ErrRevoked if it is. Any other
	// error means that the status is unknown, and the chain is rejected. issuer is the verified issuer of leaf; leaf may be
	// an intermediate certificate.
	Check(ctx context.Context, leaf, issuer *x509.Certificate, now time.Time) error
}

// InsecureNoRevocation is a Revocation for tests that accepts every certificate: a stolen key can be used until its certificate
// expires, up to three years later.
type InsecureNoRevocation struct{}

// Check returns nil.
func (InsecureNoRevocation) Check(context.Context, *x509.Certificate, *x509.Certificate, time.Time) error {
	return nil
}

// checkRevocation checks each certificate below the anchor. An anchor is revoked by removing it from Config.Roots.
func (v *Verifier) checkRevocation(ctx context.Context, path []*x509.Certificate, now time.Time) error {
	for i, c := range path[:len(path)-1] {
		err := v.cfg.Revocation.Check(ctx, c, path[i+1], now)
		switch {
		case err == nil:
		case errors.Is(err, ErrRevoked):
			return fmt.Errorf("businesscert: certificate %d: %w", i, err)
		case ctx.Err() != nil:
			return fmt.Errorf("businesscert: checking revocation: %w", ctx.Err())
		default:
			return fmt.Errorf("businesscert: certificate %d: %w: %w", i, ErrRevocationUnknown, err)
		}
	}
	return nil
}
