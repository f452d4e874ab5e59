package businesscert

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"time"
)

// Revocation knows which certificates were taken back.
type Revocation interface {
	// Check returns nil if the certificate is known to be good at now, and an error that wraps
	// ErrRevoked if it is not. Any other error means that nobody can tell, and the chain is refused.
	// The issuer is the verified one of the leaf, which may be an intermediate certificate.
	Check(ctx context.Context, leaf, issuer *x509.Certificate, now time.Time) error
}

// InsecureNoRevocation calls every certificate good. It is for tests: a stolen key works until its
// certificate expires, up to three years later.
type InsecureNoRevocation struct{}

// Check returns nil.
func (InsecureNoRevocation) Check(context.Context, *x509.Certificate, *x509.Certificate, time.Time) error {
	return nil
}

// checkRevocation asks about each certificate below the anchor. What stands in the pool of anchors is
// taken back by taking it out of the pool.
func (v *Verifier) checkRevocation(ctx context.Context, path []*x509.Certificate, now time.Time) error {
	for i, c := range path[:len(path)-1] {
		err := v.cfg.Revocation.Check(ctx, c, path[i+1], now)
		switch {
		case err == nil:
		case errors.Is(err, ErrRevoked):
			return fmt.Errorf("businesscert: certificate %d: %w", i, err)
		case ctx.Err() != nil:
			return fmt.Errorf("businesscert: asking for revocation: %w", ctx.Err())
		default:
			return fmt.Errorf("businesscert: certificate %d: %w: %w", i, ErrRevocationUnknown, err)
		}
	}
	return nil
}
