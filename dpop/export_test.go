package dpop

import "time"

// Normalise returns the normal form of a URL.
var Normalise = normalise

// The bounds of Policy.
const (
	MaxMaxAge   = maxMaxAge
	MaxMaxAhead = maxMaxAhead
)

// Check reports whether a nonce is valid, and when it ends.
func (n *Nonces) Check(nonce string, now time.Time) (end time.Time, ok bool) {
	return n.check(nonce, now)
}
