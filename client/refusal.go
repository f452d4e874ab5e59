package client

import (
	"time"

	"github.com/portner-go/portner"
)

// refusal is why a client was not believed. It goes to the log and to nobody else: the caller sees the
// same answer for all of them (security row E13).
type refusal struct {
	event  portner.EventName
	reason string
}

// Error returns the reason.
func (r *refusal) Error() string { return "client: " + r.reason }

func failed(reason string) *refusal { return &refusal{portner.EventClientAuthFailed, reason} }

var (
	refusedNothing       = failed("no_credentials")
	refusedHeader        = failed("authorization_header")
	refusedDisagreement  = failed("client_id_disagreement")
	refusedUnknown       = failed("unknown_client")
	refusedInactive      = failed("inactive_client")
	refusedMethod        = failed("method")
	refusedSecret        = failed("secret")
	refusedSecretExpired = failed("secret_expired")
	refusedTooMany       = failed("too_many_attempts")

	refusedNotOffered = failed("method_not_offered")
	refusedMalformed  = failed("assertion_malformed")
	refusedSignature  = failed("assertion_signature")
	refusedKey        = failed("assertion_key")
	refusedKeyExpired = failed("key_expired")
	refusedKeys       = &refusal{portner.EventBadRegistration, "jwks"}
	refusedType       = &refusal{portner.EventAssertionHeader, "typ"}
	refusedHeaders    = &refusal{portner.EventAssertionHeader, "crit"}
	refusedX5C        = &refusal{portner.EventAssertionHeader, "x5c"}
	refusedAlgorithm  = &refusal{portner.EventAssertionAlgorithm, "assertion_alg"}
	refusedIssuer     = failed("assertion_iss")
	refusedSubject    = failed("assertion_sub")
	refusedAudience   = &refusal{portner.EventAssertionAudience, "assertion_aud"}
	refusedTimes      = failed("assertion_times")
	refusedLifetime   = failed("assertion_lifetime")
	refusedFuture     = failed("assertion_future")
	refusedExpired    = failed("assertion_expired")
	refusedJTI        = failed("assertion_jti")
	refusedReplay     = &refusal{portner.EventAssertionReplay, "assertion_replay"}
)

// TooManyAttemptsError is the cause of the refusal a caller gets after too many failures: answer 429
// with Retry-After.
type TooManyAttemptsError struct {
	// RetryAfter is how long the caller has to wait, at least.
	RetryAfter time.Duration
}

// Error describes the error.
func (*TooManyAttemptsError) Error() string { return "client: too many failed attempts" }

// Throttled makes the writers of this module answer 429 with Retry-After.
func (e *TooManyAttemptsError) Throttled() time.Duration { return e.RetryAfter }

// Unwrap makes the reason visible.
func (*TooManyAttemptsError) Unwrap() error { return refusedTooMany }
