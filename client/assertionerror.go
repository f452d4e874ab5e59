package client

import (
	"errors"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client/businesscert"
)

// AssertionFault says which check of an assertion's key failed. It is an error itself, so that errors.Is
// finds it in an AssertionError.
type AssertionFault string

// Error describes the fault.
func (f AssertionFault) Error() string { return "client: assertion: " + string(f) }

// The faults.
const (
	// ErrAssertionMalformed: no compact JWS, or a header that cannot be read.
	ErrAssertionMalformed AssertionFault = "malformed"
	// ErrAssertionHeader: the header says that the rest means something else (crit, b64).
	ErrAssertionHeader AssertionFault = "header"
	// ErrAssertionAlgorithm: alg is not allowed, or does not fit the key.
	ErrAssertionAlgorithm AssertionFault = "algorithm"
	// ErrX5C: x5c is not an array of certificates in base64.
	ErrX5C AssertionFault = "x5c is not a list of certificates"
	// ErrNoKeyID: the header chooses no key: a client with registered keys needs kid, another x5c.
	ErrNoKeyID AssertionFault = "no kid"
	// ErrUnknownKeyID: the client has no key of that name.
	ErrUnknownKeyID AssertionFault = "unknown kid"
	// ErrKeyExpired: the registered keys were uploaded 365 days ago or more.
	ErrKeyExpired AssertionFault = "key expired"
	// ErrKeySet: the registration's keys cannot be used. The operator has to mend it.
	ErrKeySet AssertionFault = "registered keys"
	// ErrCertificate: the certificate is not to be trusted; a businesscert.Reason beside it says why.
	ErrCertificate AssertionFault = "certificate"
	// ErrCertificateOrgno: a good certificate, of another organisation than the client's.
	ErrCertificateOrgno AssertionFault = "certificate of another organisation"
	// ErrAssertionSignature: the key did not sign this.
	ErrAssertionSignature AssertionFault = "signature"
)

// AssertionError is why the key of an assertion was not believed. Nothing of it is for the wire: what a
// client may learn is the endpoint's to say.
type AssertionError struct {
	// Fault is the check that failed.
	Fault AssertionFault
	// Event is the name to report the refusal under, and Reason the reason to report.
	Event  portner.EventName
	Reason string
	// Err is the cause. It wraps a businesscert.Reason if Fault is ErrCertificate, and may be nil.
	Err error
}

// Error describes the fault.
func (e *AssertionError) Error() string { return e.Fault.Error() }

// Unwrap returns the fault and the cause.
func (e *AssertionError) Unwrap() []error { return []error{e.Fault, e.Err} }

// rejected is the refusal of a certificate, under the reason that businesscert gives.
func rejected(err error) *refusal {
	reason, _ := errors.AsType[businesscert.Reason](err)
	return &refusal{event: portner.EventCertificateRejected, reason: string(reason), fault: ErrCertificate, err: err}
}
