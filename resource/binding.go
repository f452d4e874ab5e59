package resource

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/dpop"
	"github.com/portner-go/portner/internal/httpx"
	"github.com/portner-go/portner/internal/jose"
	"github.com/portner-go/portner/storage"
)

// confirmation reads cnf (RFC 7800 §3.1). A member that this package cannot verify, such as the jwk or kid of another method, binds the
// token to something that the sender would not have to prove: supported is false, and the token must be rejected. An empty cnf is such one.
func (r *reader) confirmation() (bound storage.Confirmation, supported bool) {
	if !r.Has("cnf") { // object would make an error of it
		return bound, true
	}
	o, _ := r.object("cnf")
	for _, name := range o.Names() {
		text, err := o.String(name)
		switch name {
		case "jkt":
			bound.Key = text
		case "x5t#S256":
			bound.Certificate = text
		default:
			return storage.Confirmation{}, false
		}
		if err == nil && !isThumbprint(text) {
			err = errThumbprint
		}
		r.fail(err)
	}
	return bound, bound != storage.Confirmation{}
}

var errThumbprint = errors.New("resource: cnf has no SHA-256 thumbprint in base64url")

// isThumbprint reports whether s can be a SHA-256 hash in base64url. An empty one would bind a token to nothing.
func isThumbprint(s string) bool {
	return len(s) == 43 && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") == ""
}

func errBound() *Error {
	return invalid("token_sender_constrained", "The access token is bound in a way that is not accepted here.", nil)
}

// checkTokenType checks that token_type is that of the binding (RFC 9449 §6.2). An introspection response must have one, because the
// response for a refresh token has none.
func checkTokenType(tokenType string, bound storage.Confirmation, from origin) *Error {
	want := httpx.Bearer
	if bound.Key != "" {
		want = httpx.DPoP
	}
	optional := tokenType == "" && !from.introspected
	if !optional && !strings.EqualFold(tokenType, string(want)) {
		return invalid("token_type_not_accepted", "The token_type of the access token is not that of its binding.", nil)
	}
	return nil
}

// confirm checks that the sender of a request has what its token is bound to: the key (RFC 9449 §7), the certificate (RFC 8705 §3), or both. A
// token that is bound to a key is no bearer token, and one that is not bound has no key to prove.
func (v *Verifier) confirm(ctx context.Context, r *Request, scheme httpx.Scheme, token string, t *Token, now time.Time) (*Token, error) {
	switch {
	case t.Confirmation.Key != "" && v.dpop == nil:
		return nil, errBound()
	case t.Confirmation.Key != "" && scheme != httpx.DPoP: // RFC 9449 §7.2
		return nil, invalid("bound_token_as_bearer", "The access token is bound to a key. Use the scheme DPoP.", nil)
	case t.Confirmation.Key == "" && scheme == httpx.DPoP:
		return nil, invalid("token_not_bound", "The access token is not bound to a key.", nil)
	}
	if rejection := r.checkCertificate(t.Confirmation.Certificate); rejection != nil {
		return nil, rejection
	}
	if t.Confirmation.Key == "" {
		return t, nil
	}
	return v.checkProof(ctx, r, token, t, now)
}

// checkCertificate checks the certificate of the TLS connection, which proved that the client has its private key.
func (r *Request) checkCertificate(thumbprint string) *Error {
	switch {
	case thumbprint == "":
		return nil
	case r.Certificate == nil:
		return invalid("certificate_missing", "The access token is bound to a certificate that the connection does not have.", nil)
	case jose.CertificateThumbprint(r.Certificate.Raw) != thumbprint:
		return invalid("certificate_mismatch", "The access token is bound to another certificate.", nil)
	}
	return nil
}

// checkProof checks the proof of a request, and consumes it. The result has a new nonce if the policy requires nonces.
func (v *Verifier) checkProof(ctx context.Context, r *Request, token string, t *Token, now time.Time) (*Token, error) {
	if !strings.HasPrefix(r.Path, "/") || strings.ContainsAny(r.Path, "?#") { // it would not be the path of the URL
		return nil, badRequest("request_malformed", "The request is malformed.")
	}
	proof, err := v.dpop.Check(dpop.Request{
		Proofs: r.DPoP, Method: r.Method, URL: v.origin + r.Path, AccessToken: token, Key: t.Confirmation.Key,
	}, now)
	if err == nil {
		err = v.dpop.Consume(ctx, t.ClientID, proof, now)
	}
	if err != nil {
		return nil, v.badProof(err, now)
	}
	if v.dpop.Nonces == nil {
		return t, nil
	}
	own := *t // t may be cached
	own.DPoPNonce = v.dpop.Nonces.Current(now)
	return &own, nil
}

// badProof returns the rejection of a request whose proof was refused (RFC 9449 §7.1, §9), or a fault.
func (v *Verifier) badProof(err error, now time.Time) error {
	refused, ok := errors.AsType[*dpop.Error](err)
	if !ok {
		return fmt.Errorf("resource: checking a proof: %w: %w", portner.ErrUnavailable, err)
	}
	e := &Error{Code: portner.InvalidDPoPProof, Description: refused.Description, Reason: refused.Reason, cause: err}
	switch {
	case errors.Is(err, dpop.ErrNonce):
		e.Code, e.nonce = portner.UseDPoPNonce, v.dpop.Nonces.Current(now)
	case errors.Is(err, dpop.ErrKey):
		e.Code = portner.InvalidToken
	}
	return e
}
