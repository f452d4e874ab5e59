package dpop

import "errors"

// What a refused proof means for the response. Every refusal is an *Error that matches one of them; an error that matches none is a fault,
// of the replay store or of the configuration, and says nothing about the proof.
var (
	// ErrProof reports that the proof is missing, invalid or used before: invalid_dpop_proof (RFC 9449 §5 and §7.1).
	ErrProof = errors.New("dpop: invalid proof")
	// ErrNonce reports that the proof has no nonce, or one that is too old: use_dpop_nonce, with a new one in DPoP-Nonce (RFC 9449 §8).
	ErrNonce = errors.New("dpop: nonce required")
	// ErrKey reports a valid proof of another key: invalid_token at a resource server, invalid_grant at a token endpoint.
	ErrKey = errors.New("dpop: proof of another key")
)

// Error is a refused proof. No field quotes the request.
type Error struct {
	// Reason names the rule in events and logs, for example "dpop_htu_mismatch".
	Reason string
	// Description is one ASCII sentence for the client (RFC 6749 §5.2).
	Description string

	kind, cause error
}

// Error returns the kind and the description.
func (e *Error) Error() string { return e.kind.Error() + ": " + e.Description }

// Is reports whether target is the kind: ErrProof, ErrNonce or ErrKey.
func (e *Error) Is(target error) bool { return target == e.kind }

// Unwrap returns the cause, or nil.
func (e *Error) Unwrap() error { return e.cause }
