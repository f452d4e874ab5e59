package businesscert

// Reason is why a chain was refused. It is an error itself: find it with errors.Is, or take it out of an
// error with errors.As to log it.
type Reason string

// Error describes the reason.
func (r Reason) Error() string { return "businesscert: " + string(r) }

// The reasons.
const (
	// ErrMalformed: not one to five certificates of DER, too long, or an extension nobody can read.
	ErrMalformed Reason = "cert_malformed"
	// ErrWeak: a signature over SHA-1 or MD5, or a key that is too small, too large or of another kind
	// than RSA and the NIST curves.
	ErrWeak Reason = "cert_weak"
	// ErrExpired: a certificate is past its time.
	ErrExpired Reason = "cert_expired"
	// ErrNotYetValid: a certificate's time has not come.
	ErrNotYetValid Reason = "cert_not_yet_valid"
	// ErrChain: the chain does not lead to a root of this environment, is out of order, has strangers in
	// it, or breaks a constraint of one of its authorities.
	ErrChain Reason = "cert_chain"
	// ErrUsage: an authority in place of a leaf, or a leaf that is not for signing as an organisation.
	ErrUsage Reason = "cert_usage"
	// ErrPinned: a good certificate, but not one of those that are pinned.
	ErrPinned Reason = "cert_pinned"
	// ErrOrgno: the subject has no organisation number, or more than one.
	ErrOrgno Reason = "cert_orgno"
	// ErrRevoked: an authority took a certificate of the chain back.
	ErrRevoked Reason = "cert_revoked"
	// ErrRevocationUnknown: nobody could tell whether a certificate is revoked.
	ErrRevocationUnknown Reason = "cert_revocation_unknown"
)
