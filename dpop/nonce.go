package dpop

import (
	"crypto/subtle"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/fields"
	"github.com/portner-go/portner/internal/seal"
)

const (
	nonceStep  = 60 * time.Second
	nonceSteps = 3                // the step of the nonce and two more
	nonceAhead = 10 * time.Second // how far the clock of another node may be ahead
)

// Nonces makes and checks nonces (RFC 9449 §8 and §9) without state. A nonce holds the minute in which it was made, and a keyed hash of it
// for one server. It is valid for two to three minutes, at every node with the same secrets. It may be used in many proofs: Policy.Replay
// keeps each proof while its nonce is valid.
type Nonces struct{ tokens *seal.Tokens }

// NewNonces returns the nonces of one server: the issuer of an authorization server, or the URL or name of an API. Nonces of another
// server are not valid, also with the same secrets. The first secret makes nonces, and every secret checks them, so that secrets can be
// rotated. It returns every problem as portner.FieldErrors: an empty name, no secret, a weak secret.
func NewNonces(server string, secrets ...portner.Secret) (*Nonces, error) {
	var f fields.Checker
	f.Require(server != "", "server")
	f.Require(len(secrets) > 0, "secrets")
	for i, s := range secrets {
		f.Secret(fmt.Sprintf("secrets[%d]", i), s)
	}
	if err := f.Err(); err != nil {
		return nil, err
	}
	keys, err := seal.NewKeys(server, secrets...)
	if err != nil {
		return nil, fmt.Errorf("dpop: %w", err)
	}
	return &Nonces{tokens: keys.Tokens("DPoP nonce")}, nil
}

// Current returns the nonce for the header field DPoP-Nonce of a response at now. It is the same for all responses of a minute.
// RFC 9449 §8.1: it has no '"' and no '\'.
func (n *Nonces) Current(now time.Time) string {
	step := strconv.FormatInt(now.Unix()/int64(nonceStep/time.Second), 10)
	return step + "." + n.tokens.Derive(0, step)
}

// made reports whether n is a value of NewNonces.
func (n *Nonces) made() bool { return n.tokens != nil }

// check reports whether the nonce is valid at now, and returns when it ends.
func (n *Nonces) check(nonce string, now time.Time) (end time.Time, ok bool) {
	text, derived, _ := strings.Cut(nonce, ".")
	step, err := strconv.ParseInt(text, 10, 40)
	if err != nil || !n.made() {
		return end, false
	}
	start := time.Unix(step*int64(nonceStep/time.Second), 0)
	end = start.Add(nonceSteps * nonceStep)
	if now.Before(start.Add(-nonceAhead)) || !now.Before(end) {
		return end, false
	}
	for i := range n.tokens.Len() { // the text itself is hashed: "+1" is not "1"
		if subtle.ConstantTimeCompare([]byte(derived), []byte(n.tokens.Derive(i, text))) == 1 {
			return end, true
		}
	}
	return end, false
}
