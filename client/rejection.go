package client

import (
	"time"

	"github.com/portner-go/portner"
)

// rejection is the reason for which a client is not authenticated. It is for the log; the error for the peer is the same for all.
type rejection struct {
	event  portner.EventName
	reason string
	fault  AssertionFault // for the key of an assertion
	err    error          // the cause, or nil

	received, expected string // for the log; not secret
}

// Error returns the reason.
func (r *rejection) Error() string { return "client: " + r.reason }

// Unwrap returns the cause.
func (r *rejection) Unwrap() error { return r.err }

// about returns the rejection with what the request had and what is registered.
func (r *rejection) about(received, expected string) *rejection {
	c := *r
	c.received, c.expected = received, expected
	return &c
}

func failed(reason string) *rejection {
	return &rejection{event: portner.EventClientAuthFailed, reason: reason}
}

func badKey(event portner.EventName, reason string, fault AssertionFault) *rejection {
	return &rejection{event: event, reason: reason, fault: fault}
}

var (
	rejectedNothing       = failed("credentials_missing")
	rejectedHeader        = failed("authorization_malformed")
	rejectedDisagreement  = failed("client_id_mismatch")
	rejectedUnknown       = failed("client_unknown")
	rejectedDisabled      = failed("client_disabled")
	rejectedMethod        = failed("auth_method_mismatch")
	rejectedSecret        = failed("secret_mismatch")
	rejectedSecretExpired = failed("secret_expired")
	rejectedTooMany       = failed("attempt_limit")

	rejectedNotOffered = failed("auth_method_unsupported")
	rejectedIssuer     = failed("assertion_iss_mismatch")
	rejectedAudience   = &rejection{event: portner.EventAssertionAudience, reason: "assertion_aud_mismatch"}
	rejectedTimes      = failed("assertion_times_malformed")
	rejectedLifetime   = failed("assertion_lifetime_limit")
	rejectedFuture     = failed("assertion_not_yet_valid")
	rejectedExpired    = failed("assertion_expired")
	rejectedJTI        = failed("assertion_jti_malformed")
	rejectedReplay     = &rejection{event: portner.EventAssertionReplay, reason: "assertion_replay"}

	// Reasons for rejecting the purpose of an assertion.
	rejectedType    = badKey(portner.EventAssertionHeader, "assertion_typ", ErrAssertionPurpose)
	rejectedSubject = badKey(portner.EventClientAuthFailed, "assertion_sub_mismatch", ErrAssertionPurpose)
	rejectedPurpose = badKey(portner.EventClientAuthFailed, "assertion_purpose_mismatch", ErrAssertionPurpose)

	// Reasons for rejecting the key of an assertion.
	rejectedMalformed  = badKey(portner.EventClientAuthFailed, "assertion_malformed", ErrAssertionMalformed)
	rejectedX5CForm    = badKey(portner.EventClientAuthFailed, "assertion_malformed", ErrX5C)
	rejectedSignature  = badKey(portner.EventClientAuthFailed, "assertion_signature_mismatch", ErrAssertionSignature)
	rejectedKey        = badKey(portner.EventClientAuthFailed, "assertion_kid_unknown", ErrUnknownKeyID)
	rejectedNoKID      = badKey(portner.EventClientAuthFailed, "assertion_kid_missing", ErrNoKeyID)
	rejectedKeyUnfit   = badKey(portner.EventClientAuthFailed, "assertion_key_unsuitable", ErrKeySet)
	rejectedKeyExpired = badKey(portner.EventClientAuthFailed, "key_expired", ErrKeyExpired)
	rejectedKeys       = badKey(portner.EventBadRegistration, "jwks_invalid", ErrKeySet)
	rejectedNoVerifier = badKey(portner.EventBadRegistration, "x5c_unsupported", ErrKeySet)
	rejectedHeaders    = badKey(portner.EventAssertionHeader, "assertion_crit", ErrAssertionHeader)
	rejectedX5C        = badKey(portner.EventAssertionHeader, "assertion_kid_missing", ErrNoKeyID)
	rejectedAlgorithm  = badKey(portner.EventAssertionAlgorithm, "assertion_alg_mismatch", ErrAssertionAlgorithm)
	rejectedOrgno      = badKey(portner.EventCertificateRejected, "cert_organisation_mismatch", ErrCertificateOrgno)
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
func (*TooManyAttemptsError) Unwrap() error { return rejectedTooMany }
