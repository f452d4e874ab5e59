package dpop

import (
	"errors"
	"time"

	"github.com/portner-go/portner"
)

// Nonces makes and checks nonces (RFC 9449 §8 and §9) without state. A nonce holds the minute in which it was made, and a keyed hash of it
// for one server. It is valid for two to three minutes, at every node with the same secrets.
type Nonces struct{}

// NewNonces returns the nonces of one server: the issuer of an authorization server, or the URL or name of an API. Nonces of another
// server are not valid, also with the same secrets. The first secret makes nonces, and every secret checks them. It returns an error for
// an empty name, without secrets, and that of Secret.Validate.
func NewNonces(server string, secrets ...portner.Secret) (*Nonces, error) {
	return nil, errors.New("dpop: nonces are not implemented")
}

// Current returns the nonce for the header field DPoP-Nonce of a response at now. It is the same for all responses of a minute.
func (n *Nonces) Current(now time.Time) string { return "" }
