package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/portner-go/portner/client/businesscert"
	"github.com/portner-go/portner/internal/jose"
)

// AssertionRules are what one kind of assertion demands of its key, beyond the client's registration. The
// zero value has the rules of private_key_jwt.
type AssertionRules struct {
	// Algorithms are the only ones allowed. nil is those of Authenticator.AssertionAlgorithms.
	Algorithms []string
	// RequireKID makes a client with registered keys name one, even if it has only one.
	RequireKID bool
}

// Assertion is a JWT whose key and signature were verified. Nothing of what it claims was looked at.
type Assertion struct {
	// Payload is the JSON that was signed. Read it strictly: duplicate members are still in it.
	Payload []byte
	// KID and Typ are header parameters, "" if absent.
	KID, Typ string
	// Ignored names header parameters that would have us use the sender's own key (jku, x5u, jwk). They
	// are worth an event, also beside an error.
	Ignored []string
	// AMR is the client_amr: private_key_jwt for a registered key, the class of the certificate otherwise.
	AMR string
	// Certificate is the verified certificate of the key. nil for a registered key without one.
	Certificate *businesscert.Certificate
}

// VerifyAssertion verifies that c signed the token, with the key that its registration and the token's
// header choose:
//
//   - a client with registered keys names one by kid. Keys age out 365 days after they were uploaded, and
//     one that was registered with x5c works while that certificate is good.
//   - a client without signs with its organisation's business certificate and sends the chain in x5c.
//
// That is all: the claims are the caller's to check and no jti is consumed, so that a token which fails
// here burns nothing (security row E10). Each refusal is an *AssertionError; other errors are faults.
// The Assertion has no Payload beside an error.
func (a *Authenticator) VerifyAssertion(ctx context.Context, c *Client, token string, rules AssertionRules, now time.Time) (Assertion, error) {
	verified, r, err := a.verifyKey(ctx, c, token, rules, now)
	if r != nil {
		err = &AssertionError{Fault: r.fault, Event: r.event, Reason: r.reason, Err: r.err}
	}
	return verified, err
}

func (a *Authenticator) verifyKey(ctx context.Context, c *Client, token string, rules AssertionRules, now time.Time) (Assertion, *refusal, error) {
	if rules.Algorithms == nil {
		rules.Algorithms = assertionAlgorithms
	}
	if len(c.JWKS) == 0 && a.cfg.Certificates != nil {
		return a.verifyByCertificate(ctx, c, token, rules, now)
	}
	return a.verifyByKey(ctx, c, token, rules, now)
}

func assertionOf(h jose.Header) Assertion {
	return Assertion{KID: h.KID, Typ: h.Typ, Ignored: h.Ignored, AMR: PrivateKeyJWT}
}

// verifyByKey takes a registered key. x5c beside a kid proves nothing and is not believed; in its place it
// is refused (maskinporten-altinn section 1.3).
func (a *Authenticator) verifyByKey(ctx context.Context, c *Client, token string, rules AssertionRules, now time.Time) (Assertion, *refusal, error) {
	keys, r := a.assertionKeys(c, now)
	if r != nil {
		return Assertion{}, r, nil
	}
	t, err := jose.Verify(token, a.maxToken(), rules.Algorithms, keys)
	verified := assertionOf(t.Header)
	if err != nil {
		if errors.Is(err, jose.ErrSignature) && rules.RequireKID && t.Header.KID == "" && len(t.Header.X5C) > 0 {
			return verified, refusedX5C, nil // signed with the certificate's key, while registered ones are asked for
		}
		return verified, refusalOf(err, t.Header, rules), nil
	}
	if r := checkNaming(token, t.Header, rules); r != nil {
		return verified, r, nil
	}
	if verified.Certificate, r, err = a.pinned(ctx, c, chosen(keys, t.Header.KID), t.Header, now); r != nil || err != nil {
		return verified, r, err
	}
	verified.Payload = t.Payload
	return verified, nil, nil
}

// maxToken: the longer limit is for tokens with certificates in them, which is known after decoding.
func (a *Authenticator) maxToken() int {
	if a.cfg.Certificates == nil {
		return jose.MaxToken
	}
	return jose.MaxTokenX5C
}

// checkNaming checks how a header with a good signature came to its registered key.
func checkNaming(token string, h jose.Header, rules AssertionRules) *refusal {
	switch {
	case len(token) > jose.MaxToken && len(h.X5C) == 0:
		return refusedMalformed
	case h.KID == "" && len(h.X5C) > 0:
		return refusedX5C
	case h.KID == "" && rules.RequireKID:
		return refusedNoKID
	}
	return nil
}

// chosen is the key that jose.Verify took.
func chosen(keys []jose.PublicKey, kid string) jose.PublicKey {
	i := slices.IndexFunc(keys, func(k jose.PublicKey) bool { return k.Use != "enc" && (kid == "" || k.KID == kid) })
	return keys[i]
}

// pinned verifies the certificate a key was registered with: it locks the client to that certificate and
// turns on revocation checks (idporten section 2.6). A certificate offered in the header has to be the
// same one. To a plain OpenID Connect client where nobody asked for certificates, x5c is a decoration.
func (a *Authenticator) pinned(ctx context.Context, c *Client, key jose.PublicKey, h jose.Header, now time.Time) (*businesscert.Certificate, *refusal, error) {
	if len(key.X5C) == 0 || a.cfg.Certificates == nil && c.IntegrationType == "" {
		return nil, nil, nil
	}
	if a.cfg.Certificates == nil {
		return nil, refusedNoVerifier, nil
	}
	if len(h.X5C) > 0 && !bytes.Equal(h.X5C[0], key.X5C[0]) {
		return nil, rejected(businesscert.ErrPinned), nil
	}
	cert, r, err := a.certificate(ctx, key.X5C, now)
	if r != nil || err != nil {
		return nil, r, err
	}
	// The keys of a supplier-run client may be certified for either organisation.
	if c.OrganisationNo != "" && cert.Orgno != c.OrganisationNo && cert.Orgno != c.SupplierOrgno {
		return nil, refusedOrgno, nil
	}
	return cert, nil, nil
}

// verifyByCertificate takes the key of the organisation's certificate. The number comes from the verified
// subject and has to be the client's own: the customer's, for a client that a supplier runs
// (maskinporten-altinn section 1.7).
func (a *Authenticator) verifyByCertificate(ctx context.Context, c *Client, token string, rules AssertionRules, now time.Time) (Assertion, *refusal, error) {
	h, err := jose.ParseHeader(token, jose.MaxTokenX5C)
	verified := assertionOf(h)
	if err != nil {
		return verified, refusalOf(err, h, rules), nil
	}
	switch {
	case !slices.Contains(rules.Algorithms, h.Alg): // before anything costs us a signature
		return verified, refusedAlgorithm, nil
	case len(h.X5C) == 0 && len(token) > jose.MaxToken:
		return verified, refusedMalformed, nil
	case len(h.X5C) == 0 && h.KID != "":
		return verified, refusedKey, nil // there are no keys to know it among
	case len(h.X5C) == 0:
		return verified, refusedNoKID, nil
	}
	cert, r, err := a.certificate(ctx, h.X5C, now)
	if r != nil || err != nil {
		return verified, r, err
	}
	if cert.Orgno != c.OrganisationNo {
		return verified, refusedOrgno, nil
	}
	key := jose.PublicKey{KID: h.KID, Key: cert.Leaf.PublicKey}
	t, err := jose.Verify(token, jose.MaxTokenX5C, rules.Algorithms, []jose.PublicKey{key})
	if err != nil {
		return verified, refusalOf(err, h, rules), nil
	}
	verified.Payload, verified.AMR, verified.Certificate = t.Payload, cert.Class, cert
	return verified, nil, nil
}

func (a *Authenticator) certificate(ctx context.Context, chain [][]byte, now time.Time) (*businesscert.Certificate, *refusal, error) {
	cert, err := a.cfg.Certificates.Verify(ctx, chain, now)
	if err == nil {
		return &cert, nil, nil
	}
	if _, ok := errors.AsType[businesscert.Reason](err); ok {
		return nil, rejected(err), nil
	}
	return nil, nil, fmt.Errorf("client: verifying a certificate: %w", err)
}

// assertionKeys returns the client's keys while they are young enough.
func (a *Authenticator) assertionKeys(c *Client, now time.Time) ([]jose.PublicKey, *refusal) {
	if !c.KeysUploadedAt.IsZero() && !now.Before(c.KeysUploadedAt.Add(maxKeyAge)) {
		return nil, refusedKeyExpired
	}
	keys, err := a.keys.of(c.ClientID, c.JWKS)
	if err != nil || len(keys) > maxKeys {
		return nil, refusedKeys
	}
	return keys, nil
}

func refusalOf(err error, h jose.Header, rules AssertionRules) *refusal {
	switch {
	case errors.Is(err, jose.ErrX5C):
		return refusedX5CForm
	case errors.Is(err, jose.ErrMalformed):
		return refusedMalformed
	case errors.Is(err, jose.ErrHeader):
		return refusedHeaders
	case errors.Is(err, jose.ErrNoKey) && h.KID != "":
		return refusedKey
	case errors.Is(err, jose.ErrNoKey), h.KID == "" && len(h.X5C) == 0 && rules.RequireKID:
		return refusedNoKID
	case errors.Is(err, jose.ErrSignature):
		return refusedSignature
	case errors.Is(err, jose.ErrAlgorithm):
		return refusedAlgorithm
	}
	return refusedKeyUnfit
}
