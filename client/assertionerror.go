package client

import (
	"errors"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client/businesscert"
)

// AssertionFault names the check of the purpose, key or signature of an assertion that failed. It is an error that an AssertionError wraps, so
// errors.Is(err, ErrKeyExpired) works.
type AssertionFault string

// Error describes the fault.
func (f AssertionFault) Error() string { return "client: assertion: " + string(f) }

// Checks of an assertion that fail.
const (
	// ErrAssertionMalformed reports that the text is no compact JWS, or its header is malformed.
	ErrAssertionMalformed AssertionFault = "malformed"
	// ErrAssertionHeader reports that the header has crit or b64.
	ErrAssertionHeader AssertionFault = "header"
	// ErrAssertionAlgorithm reports that alg is not allowed, or the key is for another algorithm.
	ErrAssertionAlgorithm AssertionFault = "algorithm"
	// ErrAssertionPurpose reports that the JWT is of another kind, such as a request object in place of a client assertion.
	ErrAssertionPurpose AssertionFault = "another kind of JWT"
	// ErrX5C reports that x5c is not an array of certificates in base64.
	ErrX5C AssertionFault = "x5c is not a list of certificates"
	// ErrNoKeyID reports that the header does not select a key: kid is required for registered keys, x5c for business certificates.
	ErrNoKeyID AssertionFault = "no kid"
	// ErrUnknownKeyID reports that the client has no key with this kid.
	ErrUnknownKeyID AssertionFault = "unknown kid"
	// ErrKeyExpired reports that the registered keys are 365 days old or older.
	ErrKeyExpired AssertionFault = "key expired"
	// ErrKeySet reports that the keys of the registration are invalid. The operator has to correct them.
	ErrKeySet AssertionFault = "registered keys"
	// ErrCertificate reports that the certificate is rejected. The error also wraps a businesscert.Reason.
	ErrCertificate AssertionFault = "certificate"
	// ErrCertificateOrgno reports that the certificate is of another organisation than the client.
	ErrCertificateOrgno AssertionFault = "certificate of another organisation"
	// ErrAssertionSignature reports that the signature is invalid.
	ErrAssertionSignature AssertionFault = "signature"
)

// AssertionError reports that the purpose, key or signature of an assertion was rejected. It is for the log, not for the client.
type AssertionError struct {
	// Fault is the check that failed.
	Fault AssertionFault
	// Event and Reason are for the event that reports the error.
	Event  portner.EventName
	Reason string
	// Err is the cause, or nil. It wraps a businesscert.Reason if Fault is ErrCertificate.
	Err error
}

// Error describes the fault.
func (e *AssertionError) Error() string { return e.Fault.Error() }

// Unwrap returns the fault and the cause.
func (e *AssertionError) Unwrap() []error { return []error{e.Fault, e.Err} }

// rejectedCertificate returns the rejection for a certificate with the reason of businesscert.
func rejectedCertificate(err error) *rejection {
	reason, _ := errors.AsType[businesscert.Reason](err)
	return &rejection{event: portner.EventCertificateRejected, reason: string(reason), fault: ErrCertificate, err: err}
}
