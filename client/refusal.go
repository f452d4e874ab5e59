package client

import (
	"time"

	"github.com/portner-go/portner"
)

// refusal is the reason for which a client is not authenticated. It is for the log; the error for the peer is the same for all.
type refusal struct {
	event  portner.EventName
	reason string
	fault  AssertionFault // for the key of an assertion
	err    error          // the cause, or nil
}

// Error returns the reason.
func (r *refusal) Error() string { return "client: " + r.reason }

// Unwrap returns the cause.
func (r *refusal) Unwrap() error { return r.err }

func failed(reason string) *refusal {
	return &refusal{event: portner.EventClientAuthFailed, reason: reason}
}

func badKey(event portner.EventName, reason string, fault AssertionFault) *refusal {
	return &refusal{event: event, reason: reason, fault: fault}
}

var (
	refusedNothing       = failed("no_credentials")
	refusedHeader        = failed("authorization_header")
	refusedDisagreement  = failed("client_id_disagreement")
	refusedUnknown       = failed("unknown_client")
	refusedDisabled      = failed("client_disabled")
	refusedMethod        = failed("method")
	refusedSecret        = failed("secret")
	refusedSecretExpired = failed("secret_expired")
	refusedTooMany       = failed("too_many_attempts")

	refusedNotOffered = failed("method_not_offered")
	refusedType       = &refusal{event: portner.EventAssertionHeader, reason: "typ"}
	refusedIssuer     = failed("assertion_iss")
	refusedSubject    = failed("assertion_sub")
	refusedAudience   = &refusal{event: portner.EventAssertionAudience, reason: "assertion_aud"}
	refusedTimes      = failed("assertion_times")
	refusedLifetime   = failed("assertion_lifetime")
	refusedFuture     = failed("assertion_future")
	refusedExpired    = failed("assertion_expired")
	refusedJTI        = failed("assertion_jti")
	refusedReplay     = &refusal{event: portner.EventAssertionReplay, reason: "assertion_replay"}

	// Reasons for rejecting the key of an assertion.
	refusedMalformed  = badKey(portner.EventClientAuthFailed, "assertion_malformed", ErrAssertionMalformed)
	refusedX5CForm    = badKey(portner.EventClientAuthFailed, "assertion_malformed", ErrX5C)
	refusedSignature  = badKey(portner.EventClientAuthFailed, "assertion_signature", ErrAssertionSignature)
	refusedKey        = badKey(portner.EventClientAuthFailed, "assertion_key", ErrUnknownKeyID)
	refusedNoKID      = badKey(portner.EventClientAuthFailed, "assertion_key", ErrNoKeyID)
	refusedKeyUnfit   = badKey(portner.EventClientAuthFailed, "assertion_key", ErrKeySet)
	refusedKeyExpired = badKey(portner.EventClientAuthFailed, "key_expired", ErrKeyExpired)
	refusedKeys       = badKey(portner.EventBadRegistration, "jwks", ErrKeySet)
	refusedNoVerifier = badKey(portner.EventBadRegistration, "x5c", ErrKeySet)
	refusedHeaders    = badKey(portner.EventAssertionHeader, "crit", ErrAssertionHeader)
	refusedX5C        = badKey(portner.EventAssertionHeader, "x5c", ErrNoKeyID)
	refusedAlgorithm  = badKey(portner.EventAssertionAlgorithm, "assertion_alg", ErrAssertionAlgorithm)
	refusedOrgno      = badKey(portner.EventCertificateRejected, "cert_other_organisation", ErrCertificateOrgno)
)

// TooManyAttemptsError is the cause of the error after too many failed attempts. The status of that error is 429.
type TooManyAttemptsError struct {
	// RetryAfter is the time until the next attempt is allowed.
	RetryAfter time.Duration
}

// Error describes the error.
func (*TooManyAttemptsError) Error() string { return "client: too many failed attempts" }

// Throttled returns RetryAfter. portner.Error takes the status 429 and Retry-After from it.
func (e *TooManyAttemptsError) Throttled() time.Duration { return e.RetryAfter }

// Unwrap returns the reason.
func (*TooManyAttemptsError) Unwrap() error { return refusedTooMany }
