// Package bound checks that the sender of an access token is the one that the token is bound to (RFC 9449 §7, RFC 8705 §3). It is the one
// rule of every API of this module that accepts access tokens: userinfo, the APIs of hosts, and package resource.
package bound

import (
	"context"
	"crypto/x509"
	"errors"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/dpop"
	"github.com/portner-go/portner/internal/httpx"
	"github.com/portner-go/portner/internal/jose"
	"github.com/portner-go/portner/storage"
)

// Request is a request with an access token.
type Request struct {
	Scheme      httpx.Scheme // of the token
	Token       string
	Proofs      []string // values of the DPoP header field
	Method      string
	URL         string            // public URL of the API, from the configuration
	AliasURL    string            // that for mutual TLS; "" for none
	Certificate *x509.Certificate // of the TLS client; nil if there is none
	ClientID    string            // of the token, for the replay store
}

// Error is a rejected request. Its description is safe to show.
type Error struct {
	Code        portner.ErrorCode
	Description string
	Reason      string // for the log
	cause       error
}

// Error returns the code and the reason.
func (e *Error) Error() string { return string(e.Code) + ": " + e.Reason }

// Unwrap returns the code and the cause.
func (e *Error) Unwrap() []error {
	if e.cause == nil {
		return []error{e.Code}
	}
	return []error{e.Code, e.cause}
}

// The rules about a token that do not depend on its proof.
var (
	errPolicy           = invalid("token_sender_constrained", "The access token is bound in a way that is not accepted here.")
	errDowngrade        = invalid("bound_token_as_bearer", "The access token is bound to a key. Use the scheme DPoP.")
	errUnbound          = invalid("token_not_bound", "The access token is not bound to a key.")
	errNoCertificate    = invalid("certificate_missing", "The access token is bound to a certificate that the connection does not have.")
	errOtherCertificate = invalid("certificate_mismatch", "The access token is bound to another certificate.")
)

// Verify checks that the sender has proved everything that the token is bound to, and consumes the proof. The token has been found valid: the
// proof of a request that is rejected for another reason must not fill the replay store. p is nil if the API accepts no proofs. It returns an
// *Error, or a fault of the replay store.
//
// A token that is bound to a key is not accepted with the scheme Bearer, with or without a proof (RFC 9449 §7.2), and one that is not
// bound to a key not with DPoP: a sender that relies on a binding may disclose the token.
func Verify(ctx context.Context, p *dpop.Policy, r Request, cnf storage.Confirmation, now time.Time) error {
	switch {
	case cnf.Key != "" && p == nil:
		return errPolicy
	case cnf.Key != "" && r.Scheme != httpx.DPoP:
		return errDowngrade
	case cnf.Key == "" && r.Scheme != httpx.Bearer:
		return errUnbound
	}
	if rejection := r.checkCertificate(cnf.Certificate); rejection != nil {
		return rejection
	}
	if cnf.Key == "" {
		return nil
	}
	_, err := p.Verify(ctx, dpop.Request{
		Proofs: r.Proofs, Method: r.Method, URL: r.URL, AliasURL: r.AliasURL, AccessToken: r.Token, Key: cnf.Key, ClientID: r.ClientID,
	}, now)
	return Refusal(err)
}

func invalid(reason, description string) *Error {
	return &Error{Code: portner.InvalidToken, Description: description, Reason: reason}
}

// checkCertificate checks the certificate of the TLS connection, which proved that the client has its private key.
func (r *Request) checkCertificate(thumbprint string) *Error {
	switch {
	case thumbprint == "":
		return nil
	case r.Certificate == nil:
		return errNoCertificate
	case jose.CertificateThumbprint(r.Certificate.Raw) != thumbprint:
		return errOtherCertificate
	}
	return nil
}

// Refusal returns the *Error for a proof that package dpop refused, and every other error as it is.
func Refusal(err error) error {
	refused, ok := errors.AsType[*dpop.Error](err)
	if !ok {
		return err
	}
	e := &Error{Code: portner.InvalidDPoPProof, Description: refused.Description, Reason: refused.Reason, cause: err}
	switch {
	case errors.Is(err, dpop.ErrNonce):
		e.Code = portner.UseDPoPNonce
	case errors.Is(err, dpop.ErrKey):
		e.Code = portner.InvalidToken
	}
	return e
}
