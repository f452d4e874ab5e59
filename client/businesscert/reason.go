package businesscert

// Reason is the rule for which a chain was rejected. It is an error: test for it with errors.Is, or extract it with errors.As
// for the log.
type Reason string

// Error describes the reason.
func (r Reason) Error() string { return "businesscert: " + string(r) }

// Reasons for which a chain is rejected.
const (
	// ErrMalformed reports that the chain is empty, too long or not DER, or an extension is malformed.
	ErrMalformed Reason = "cert_malformed"
	// ErrWeak reports that a signature uses SHA-1 or MD5, or a key is too small, too large, or not for RSA or a NIST curve.
	ErrWeak Reason = "cert_weak"
	// ErrExpired reports that a certificate has expired.
	ErrExpired Reason = "cert_expired"
	// ErrNotYetValid reports that the validity period of a certificate begins later.
	ErrNotYetValid Reason = "cert_not_yet_valid"
	// ErrChain reports that the chain does not end in a root of the environment, is out of order, has unrelated certificates, or
	// violates a constraint of an authority.
	ErrChain Reason = "cert_chain"
	// ErrIncomplete reports that the issuer of the last certificate is neither a root nor one of Config.Intermediates: the chain leaves out an
	// authority, or it is of another environment. Its errors wrap ErrChain too.
	ErrIncomplete Reason = "cert_chain_incomplete"
	// ErrUsage reports that the leaf is an authority, or is not for authentication of an organisation.
	ErrUsage Reason = "cert_usage"
	// ErrPinned reports that the leaf is not one of the pinned certificates.
	ErrPinned Reason = "cert_pinned"
	// ErrOrgno reports that the subject has no organisation number, or several.
	ErrOrgno Reason = "cert_orgno"
	// ErrRevoked reports that the issuer revoked a certificate of the chain.
	ErrRevoked Reason = "cert_revoked"
	// ErrRevocationUnknown reports that the status of a certificate is unknown.
	ErrRevocationUnknown Reason = "cert_revocation_unknown"
)
