package dpop

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/portner-go/portner/internal/fields"
	"github.com/portner-go/portner/internal/jose"
	"github.com/portner-go/portner/storage"
)

// The defaults and limits of Policy.
const (
	defaultMaxAge   = 60 * time.Second
	defaultMaxAhead = 10 * time.Second
	maxMaxAge       = 5 * time.Minute
	maxMaxAhead     = 60 * time.Second
)

// ReplayStore records used proofs. Every client.ReplayStore is one; memory.Store is one for an API of a single process.
type ReplayStore interface {
	// ConsumeJTI records key until expiresAt. The first call returns nil, and later ones storage.ErrConsumed, also for another clientID.
	// clientID is the client whose share of the store is used. If the store is full, it returns storage.ErrFull: it never removes a live key.
	ConsumeJTI(ctx context.Context, clientID string, key storage.Hash, expiresAt, now time.Time) error
}

// Policy holds the rules for proofs. The zero value rejects every proof, because Replay is missing.
//
// A Policy is safe for concurrent use. It must not be changed once it is used; copies are independent.
type Policy struct {
	// Replay is required, unless AllowReplay is set. All nodes of a server share it.
	Replay ReplayStore
	// AllowReplay accepts a proof more than once within its lifetime: a peer that sees a request can repeat it with the same token, method and
	// URL (RFC 9449 §11.1).
	AllowReplay bool
	// Algorithms are the accepted values of alg. The default is PS256, ES256 and EdDSA (FAPI 2.0 SP §5.4). EdDSA and Ed25519 (RFC 9864)
	// are two names of one algorithm; each accepts both. Symmetric algorithms and none are never accepted.
	Algorithms []string
	// MaxAge is the greatest age of a proof, by its iat. The default is 60 s, the maximum 5 minutes. A nonce replaces it.
	MaxAge time.Duration
	// MaxAhead is how far iat may be ahead of the clock of the server. The default is 10 s, the maximum 60 s (FAPI 2.0 SP §5.3.2.1). A
	// nonce replaces it.
	MaxAhead time.Duration
	// Nonces requires a nonce of this server in every proof. If nil, nonces are neither required nor checked.
	Nonces *Nonces
}

// Request is what a proof must fit.
type Request struct {
	// Proofs are all values of the header field DPoP: r.Header.Values("DPoP"). Exactly one is valid.
	Proofs []string
	// Method is the HTTP method.
	Method string
	// URL is the public URL of the request. Its origin comes from the configuration, never from the header field Host. Query and fragment
	// are ignored.
	URL string
	// AliasURL is a second URL that is accepted, for an endpoint that has one for mutual TLS. If empty, there is none.
	AliasURL string
	// AccessToken is the token that came with the proof: the proof must have its hash (ath), and Key is required. If empty, ath is ignored.
	AccessToken string
	// Key is the thumbprint that the key of the proof must have (cnf.jkt). If empty, every key is accepted, but not with an access token.
	Key string
	// ClientID is the client whose share of the replay store Verify uses.
	ClientID string
}

// Proof is a checked proof.
type Proof struct {
	// Key is the SHA-256 thumbprint of the public key in base64url (RFC 7638), as in cnf.jkt and dpop_jkt.
	Key string

	id      storage.Hash // of the key, the URL and jti
	expires time.Time    // when the proof is no longer accepted
}

// Validate returns every invalid field as portner.FieldErrors. New of the packages that take a Policy calls it.
func (p *Policy) Validate() error {
	if p == nil {
		return errNoPolicy
	}
	var f fields.Checker
	f.Require(!fields.IsNil(p.Replay) || p.AllowReplay, "Replay")
	f.Want(p.Replay == nil || !p.AllowReplay, "AllowReplay", "must be false with a replay store")
	for i, alg := range p.Algorithms {
		field := fmt.Sprintf("Algorithms[%d]", i)
		f.Want(jose.Accepts(alg), field, "must be an asymmetric signature algorithm, such as ES256")
		f.Want(!slices.Contains(p.Algorithms[:i], alg), field, "is listed twice")
	}
	f.Want(p.MaxAge >= 0 && p.MaxAge <= maxMaxAge, "MaxAge", fmt.Sprintf("must be from 0 to %v", maxMaxAge))
	f.Want(p.MaxAhead >= 0 && p.MaxAhead <= maxMaxAhead, "MaxAhead", fmt.Sprintf("must be from 0 to %v", maxMaxAhead))
	f.Want(p.Nonces == nil || p.Nonces.made(), "Nonces", "must be a value of NewNonces")
	return f.Err()
}

var errNoPolicy = errors.New("dpop: no policy, or one without a replay store")

// usable returns an error for a policy that decides nothing. It is a fault, not a refusal: no proof would be accepted.
func (p *Policy) usable() error {
	if p == nil || p.Replay == nil && !p.AllowReplay {
		return errNoPolicy
	}
	return nil
}

// SupportedAlgorithms returns the accepted values of alg, for dpop_signing_alg_values_supported (RFC 9449 §5.1) and the parameter algs of
// a challenge (RFC 9449 §7.1). It returns nil for a nil Policy.
func (p *Policy) SupportedAlgorithms() []string {
	if p == nil {
		return nil
	}
	return slices.Clone(p.algorithms())
}

var defaultAlgorithms = []string{jose.PS256, jose.ES256, jose.EdDSA}

func (p *Policy) algorithms() []string {
	if len(p.Algorithms) == 0 {
		return defaultAlgorithms
	}
	return p.Algorithms
}

// Verify calls [Policy.Check] and [Policy.Consume], and returns the thumbprint of the key. Its errors are theirs.
func (p *Policy) Verify(ctx context.Context, r Request, now time.Time) (thumbprint string, err error) {
	proof, err := p.Check(r, now)
	if err != nil {
		return "", err
	}
	if err := p.Consume(ctx, r.ClientID, proof, now); err != nil {
		return "", err
	}
	return proof.Key, nil
}

// Consume records that the proof was used. The first call for a proof returns nil, and later ones an *Error that matches ErrProof. Call it
// last, so that refused requests do not fill the store. clientID is the client whose share of the store is used. An error that is no *Error
// is a fault of the policy or the store, also storage.ErrFull: the proof is not accepted.
func (p *Policy) Consume(ctx context.Context, clientID string, proof Proof, now time.Time) error {
	if err := p.usable(); err != nil {
		return err
	}
	if proof.Key == "" {
		return errors.New("dpop: the proof was not checked")
	}
	if p.Replay == nil {
		return nil // AllowReplay
	}
	err := p.Replay.ConsumeJTI(ctx, clientID, proof.id, proof.expires, now)
	if errors.Is(err, storage.ErrConsumed) {
		return replayed.because(err)
	}
	if err != nil {
		return fmt.Errorf("dpop: replay store: %w", err)
	}
	return nil
}
