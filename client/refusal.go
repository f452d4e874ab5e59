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
	refusedNothing       = failed("credentials_missing")
	refusedHeader        = failed("authorization_malformed")
	refusedDisagreement  = failed("client_id_mismatch")
	refusedUnknown       = failed("client_unknown")
	refusedDisabled      = failed("client_disabled")
	refusedMethod        = failed("auth_method_mismatch")
	refusedSecret        = failed("secret_mismatch")
	refusedSecretExpired = failed("secret_expired")
	refusedTooMany       = failed("attempt_limit")

	refusedNotOffered = failed("auth_method_unsupported")
	refusedType       = &refusal{event: portner.EventAssertionHeader, reason: "assertion_typ"}
	refusedIssuer     = failed("assertion_iss_mismatch")
	refusedSubject    = failed("assertion_sub_mismatch")
	refusedAudience   = &refusal{event: portner.EventAssertionAudience, reason: "assertion_aud_mismatch"}
	refusedTimes      = failed("assertion_times_malformed")
	refusedLifetime   = failed("assertion_lifetime_limit")
	refusedFuture     = failed("assertion_not_yet_valid")
	refusedExpired    = failed("assertion_expired")
	refusedJTI        = failed("assertion_jti_malformed")
	refusedReplay     = &refusal{event: portner.EventAssertionReplay, reason: "assertion_replay"}

	// Reasons for rejecting the key of an assertion.
	refusedMalformed  = badKey(portner.EventClientAuthFailed, "assertion_malformed", ErrAssertionMalformed)
	refusedX5CForm    = badKey(portner.EventClientAuthFailed, "assertion_malformed", ErrX5C)
	refusedSignature  = badKey(portner.EventClientAuthFailed, "assertion_signature_mismatch", ErrAssertionSignature)
	refusedKey        = badKey(portner.EventClientAuthFailed, "assertion_kid_unknown", ErrUnknownKeyID)
	refusedNoKID      = badKey(portner.EventClientAuthFailed, "assertion_kid_missing", ErrNoKeyID)
	refusedKeyUnfit   = badKey(portner.EventClientAuthFailed, "assertion_key_unsuitable", ErrKeySet)
	refusedKeyExpired = badKey(portner.EventClientAuthFailed, "key_expired", ErrKeyExpired)
	refusedKeys       = badKey(portner.EventBadRegistration, "jwks_invalid", ErrKeySet)
	refusedNoVerifier = badKey(portner.EventBadRegistration, "x5c_unsupported", ErrKeySet)
	refusedHeaders    = badKey(portner.EventAssertionHeader, "assertion_crit", ErrAssertionHeader)
	refusedX5C        = badKey(portner.EventAssertionHeader, "assertion_kid_missing", ErrNoKeyID)
	refusedAlgorithm  = badKey(portner.EventAssertionAlgorithm, "assertion_alg_mismatch", ErrAssertionAlgorithm)
	refusedOrgno      = badKey(portner.EventCertificateRejected, "cert_organisation_mismatch", ErrCertificateOrgno)
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
