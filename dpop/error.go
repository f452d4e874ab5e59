package dpop

import "errors"

// Kinds of refused proofs, each with the error code of the response. Every refusal is an *Error that matches one of them. An error that
// matches none is a fault of the replay store or of the configuration: the proof may be valid.
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

func invalid(reason, description string) Error {
	return Error{Reason: reason, Description: description, kind: ErrProof}
}

// because returns a refusal with its cause, which may be nil.
func (e Error) because(cause error) *Error {
	e.cause = cause
	return &e
}

// The refusals, in the order of the checks. They are values, so that no caller changes what another one receives.
var (
	missing   = invalid("dpop_missing", "The DPoP proof is missing.")
	repeated  = invalid("dpop_repeated", "The request has more than one DPoP proof.")
	malformed = invalid("dpop_malformed", "The DPoP proof is not a compact JWS of at most 8192 bytes.")
	extended  = invalid("dpop_crit", "The DPoP proof has a header parameter crit or b64.")
	otherTyp  = invalid("dpop_typ", "The typ of the DPoP proof is not dpop+jwt.")
	otherAlg  = invalid("dpop_alg_mismatch", "The alg of the DPoP proof is not accepted or does not fit the key.")
	badKey    = invalid("dpop_jwk", "The jwk of the DPoP proof is not a public key that is accepted.")
	badSig    = invalid("dpop_signature_mismatch", "The signature of the DPoP proof is invalid.")
	badJTI    = invalid("dpop_jti_malformed", "The jti of the DPoP proof is not a text of 1 to 256 bytes.")
	badTimes  = invalid("dpop_times_malformed", "The iat of the DPoP proof, or its exp, is not a number of seconds.")
	otherHTM  = invalid("dpop_htm_mismatch", "The htm of the DPoP proof is not the method of the request.")
	otherHTU  = invalid("dpop_htu_mismatch", "The htu of the DPoP proof is not the URL of the request.")
	noNonce   = Error{Reason: "dpop_nonce_missing", Description: "The DPoP proof must have a nonce of this server.", kind: ErrNonce}
	oldNonce  = Error{Reason: "dpop_nonce_invalid", Description: "The nonce of the DPoP proof is not a current one of this server.", kind: ErrNonce}
	tooOld    = invalid("dpop_iat_too_old", "The iat of the DPoP proof is too long ago.")
	inFuture  = invalid("dpop_iat_in_future", "The iat of the DPoP proof is in the future.")
	expired   = invalid("dpop_expired", "The exp of the DPoP proof has passed.")
	otherATH  = invalid("dpop_ath_mismatch", "The ath of the DPoP proof is not the hash of the access token.")
	otherKey  = Error{Reason: "dpop_key_mismatch", Description: "The DPoP proof is of another key.", kind: ErrKey}
	replayed  = invalid("dpop_replay", "The DPoP proof was used before.")
)
