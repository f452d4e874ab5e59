package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client/businesscert"
	"github.com/portner-go/portner/internal/jose"
)

// Purpose is what a client signs a JWT for.
type Purpose int

// The purposes of the JWTs of a client. A JWT of one purpose is not accepted for another one.
const (
	ForAuthentication Purpose = iota // a client assertion (RFC 7523 §2.2)
	ForGrant                         // an assertion as authorization grant (RFC 7523 §2.1)
	ForRequest                       // a request object (RFC 9101)
	ForPartialRequest                // a request object with some of the parameters, beside a pushed request (OIDC Core §6.1)
)

// kinds holds the rules of each Purpose.
var kinds = map[Purpose]*jose.Purpose{
	ForAuthentication: jose.ClientAssertion, ForGrant: jose.AuthorizationGrant, ForRequest: jose.RequestObject,
	ForPartialRequest: jose.PartialRequestObject,
}

// AssertionRules are the rules for the purpose and the key of one kind of assertion. The zero value holds the rules of
// private_key_jwt.
type AssertionRules struct {
	// Purpose is the required purpose. The header parameter typ determines it, and without one the claims.
	Purpose Purpose
	// Algorithms are the allowed signature algorithms, of those in Config.SigningAlgorithms. If nil, it is all of them.
	Algorithms []string
	// StrictKID requires kid from clients with registered keys, also from those with one key, and rejects a kid that names no registered
	// key, also beside x5c.
	StrictKID bool
}

// Assertion is a JWT whose purpose, key and signature have been verified. The values of its claims have not.
type Assertion struct {
	// Payload is the JSON object that was signed.
	Payload []byte
	// KID is a header parameter, "" if it is missing.
	KID string
	// Ignored are the names of header parameters that refer to a key of the sender (jku, x5u, jwk). The caller reports them
	// as an event, also if there is an error.
	Ignored []string
	// AMR is the client_amr: private_key_jwt for a registered key, or the class of the certificate.
	AMR string
	// Certificate is the verified certificate of the key. It is nil for a registered key without a certificate.
	Certificate *businesscert.Certificate

	claims jose.Object // of Payload
	typed  bool        // the header has an explicit typ of the purpose
}

// VerifyAssertion verifies that c signed the token for the purpose of the rules, with the key that its registration and the header of
// the token select:
//
//   - For a client with registered keys kid selects one. Keys expire 365 days after they were uploaded; a key that was
//     registered with x5c is valid as long as its certificate.
//   - A client without registered keys signs with the business certificate of its organisation and sends the chain in x5c.
//
// The caller checks the values of the claims and consumes the jti. A token that is rejected yields an *AssertionError; other errors are
// faults. If there is an error, Payload is nil.
func (a *Authenticator) VerifyAssertion(ctx context.Context, c *Client, token string, rules AssertionRules, now time.Time) (Assertion, error) {
	verified, r, err := a.verifyKey(ctx, c, token, rules, now)
	if r != nil {
		err = &AssertionError{Fault: r.fault, Event: r.event, Reason: r.reason, Err: r.err}
	}
	return verified, err
}

func (a *Authenticator) verifyKey(ctx context.Context, c *Client, token string, rules AssertionRules, now time.Time) (Assertion, *rejection, error) {
	if kinds[rules.Purpose] == nil {
		return Assertion{}, nil, errors.New("client: AssertionRules.Purpose is not a purpose")
	}
	rules.Algorithms = a.allowed(rules.Algorithms)
	if len(c.JWKS) == 0 && a.cfg.Certificates != nil {
		return a.verifyByCertificate(ctx, c, token, rules, now)
	}
	return a.verifyByKey(ctx, c, token, rules, now)
}

// allowed returns those of the algorithms that Config.SigningAlgorithms has, and all of the latter for nil.
func (a *Authenticator) allowed(algorithms []string) []string {
	if algorithms == nil {
		return a.cfg.SigningAlgorithms
	}
	excluded := func(alg string) bool { return !slices.Contains(a.cfg.SigningAlgorithms, alg) }
	if !slices.ContainsFunc(algorithms, excluded) {
		return algorithms
	}
	return slices.DeleteFunc(slices.Clone(algorithms), excluded)
}

func assertionOf(h jose.Header) Assertion {
	return Assertion{KID: h.KID, Ignored: h.Ignored, AMR: PrivateKeyJWT}
}

// verifyByKey verifies a token with a registered key. x5c beside kid is ignored; x5c without kid is rejected
// (docs/spec/maskinporten.md §1.3).
func (a *Authenticator) verifyByKey(ctx context.Context, c *Client, token string, rules AssertionRules, now time.Time) (Assertion, *rejection, error) {
	keys, r := a.assertionKeys(c, now)
	if r != nil {
		return Assertion{}, r, nil
	}
	t, err := jose.Verify(token, a.maxToken(), rules.Algorithms, keys, kinds[rules.Purpose])
	verified := assertionOf(t.Header)
	if err != nil {
		if errors.Is(err, jose.ErrSignature) && rules.StrictKID && t.Header.KID == "" && len(t.Header.X5C) > 0 {
			return verified, rejectedX5C, nil // signed with a key of a certificate in place of a registered key
		}
		return verified, rejectionOf(err, t.Header, rules), nil
	}
	if r := checkNaming(token, t.Header, rules); r != nil {
		return verified, r, nil
	}
	if verified.Certificate, r, err = a.pinned(ctx, c, t.Key, t.Header, now); r != nil || err != nil {
		return verified, r, err
	}
	verified.Payload, verified.claims, verified.typed = t.Payload, t.Claims, kinds[rules.Purpose].Typed(t.Header)
	return verified, nil, nil
}

// maxToken returns the length limit of tokens. Tokens with certificates may be longer; checkNaming rejects others.
func (a *Authenticator) maxToken() int {
	if a.cfg.Certificates == nil {
		return jose.MaxToken
	}
	return jose.MaxTokenX5C
}

// checkNaming checks how the header of a verified token selects the registered key.
func checkNaming(token string, h jose.Header, rules AssertionRules) *rejection {
	switch {
	case len(token) > jose.MaxToken && len(h.X5C) == 0:
		return rejectedMalformed
	case h.KID == "" && len(h.X5C) > 0:
		return rejectedX5C
	case h.KID == "" && rules.StrictKID:
		return rejectedNoKID
	}
	return nil
}

// pinned verifies the certificate that a key was registered with, including its revocation (docs/spec/idporten.md §2.6). A
// certificate in the header must be the same one. It is ignored for plain OpenID Connect clients of a provider without
// Config.Certificates, and for those with self_signed_tls_client_auth, whose certificates are for TLS.
func (a *Authenticator) pinned(ctx context.Context, c *Client, key jose.PublicKey, h jose.Header, now time.Time) (*businesscert.Certificate, *rejection, error) {
	plain := c.IntegrationType == "" && (a.cfg.Certificates == nil || c.AuthMethod() == SelfSignedTLSClientAuth)
	if len(key.X5C) == 0 || plain {
		return nil, nil, nil
	}
	if a.cfg.Certificates == nil {
		return nil, rejectedNoVerifier, nil
	}
	if len(h.X5C) > 0 && !bytes.Equal(h.X5C[0], key.X5C[0]) {
		return nil, rejectedCertificate(businesscert.ErrPinned), nil
	}
	cert, r, err := a.certificate(ctx, key.X5C, now)
	if r != nil || err != nil {
		return nil, r, err
	}
	// The certificate may be of the owner or of the supplier of the client.
	if c.OrganisationNo != "" && cert.Orgno != c.OrganisationNo && cert.Orgno != c.SupplierOrgno {
		return nil, rejectedOrgno, nil
	}
	return cert, nil, nil
}

// verifyByCertificate verifies a token with the key of a business certificate. The organisation number of its subject must be that
// of the owner of the client, also if a supplier operates the client (docs/spec/maskinporten.md §1.7).
func (a *Authenticator) verifyByCertificate(ctx context.Context, c *Client, token string, rules AssertionRules, now time.Time) (Assertion, *rejection, error) {
	h, err := jose.ParseHeader(token, jose.MaxTokenX5C)
	verified := assertionOf(h)
	if err != nil {
		return verified, rejectionOf(err, h, rules), nil
	}
	switch {
	case !slices.Contains(rules.Algorithms, h.Alg): // before signatures are verified
		return verified, rejectedAlgorithm, nil
	case len(h.X5C) == 0 && len(token) > jose.MaxToken:
		return verified, rejectedMalformed, nil
	case h.KID != "" && (len(h.X5C) == 0 || rules.StrictKID):
		return verified, rejectedKey, nil // the client has no registered keys
	case len(h.X5C) == 0:
		return verified, rejectedNoKID, nil
	}
	cert, r, err := a.certificate(ctx, h.X5C, now)
	if r != nil || err != nil {
		return verified, r, err
	}
	if cert.Orgno != c.OrganisationNo {
		return verified, rejectedOrgno, nil
	}
	key := jose.PublicKey{KID: h.KID, Key: cert.Leaf.PublicKey}
	t, err := jose.Verify(token, jose.MaxTokenX5C, rules.Algorithms, []jose.PublicKey{key}, kinds[rules.Purpose])
	if err != nil {
		return verified, rejectionOf(err, h, rules), nil
	}
	verified.Payload, verified.claims, verified.AMR, verified.Certificate = t.Payload, t.Claims, cert.Class, cert
	verified.typed = kinds[rules.Purpose].Typed(t.Header)
	return verified, nil, nil
}

func (a *Authenticator) certificate(ctx context.Context, chain [][]byte, now time.Time) (*businesscert.Certificate, *rejection, error) {
	cert, err := a.cfg.Certificates.Verify(ctx, chain, now)
	if err == nil {
		return &cert, nil, nil
	}
	if _, ok := errors.AsType[businesscert.Reason](err); ok {
		return nil, rejectedCertificate(err), nil
	}
	return nil, nil, fmt.Errorf("client: verifying a certificate: %w: %w", portner.ErrUnavailable, err)
}

// assertionKeys returns the registered keys of the client unless they have expired.
func (a *Authenticator) assertionKeys(c *Client, now time.Time) ([]jose.PublicKey, *rejection) {
	if !c.KeysUploadedAt.IsZero() && !now.Before(c.KeysUploadedAt.Add(maxKeyAge)) {
		return nil, rejectedKeyExpired
	}
	keys, err := a.keys.of(c.ClientID, c.JWKS)
	if err != nil || len(keys) > maxKeys {
		return nil, rejectedKeys
	}
	return keys, nil
}

func rejectionOf(err error, h jose.Header, rules AssertionRules) *rejection {
	if e, ok := errors.AsType[*jose.PurposeError](err); ok {
		return rejectionOfPurpose(e)
	}
	switch {
	case errors.Is(err, jose.ErrX5C):
		return rejectedX5CForm
	case errors.Is(err, jose.ErrMalformed):
		return rejectedMalformed
	case errors.Is(err, jose.ErrHeader):
		return rejectedHeaders
	case errors.Is(err, jose.ErrNoKey) && h.KID != "":
		return rejectedKey
	case errors.Is(err, jose.ErrNoKey), h.KID == "" && len(h.X5C) == 0 && rules.StrictKID:
		return rejectedNoKID
	case errors.Is(err, jose.ErrSignature):
		return rejectedSignature
	case errors.Is(err, jose.ErrAlgorithm):
		return rejectedAlgorithm
	}
	return rejectedKeyUnfit
}

// rejectionOfPurpose returns the rejection of a JWT of another purpose.
func rejectionOfPurpose(e *jose.PurposeError) *rejection {
	switch e.Member {
	case "typ":
		return rejectedType
	case "sub":
		return rejectedSubject
	}
	return rejectedPurpose
}
