package resource

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/bound"
	"github.com/portner-go/portner/internal/httpx"
	"github.com/portner-go/portner/storage"
)

// confirmation reads cnf (RFC 7800 §3.1). A member that this package cannot verify, such as the jwk or kid of another method, binds the
// token to something that the sender would not have to prove: supported is false, and the token must be rejected. An empty cnf is such one.
func (r *reader) confirmation() (cnf storage.Confirmation, supported bool) {
	if !r.Has("cnf") { // object would make an error of it
		return cnf, true
	}
	o, _ := r.object("cnf")
	for _, name := range o.Names() {
		text, err := o.String(name)
		switch name {
		case "jkt":
			cnf.Key = text
		case "x5t#S256":
			cnf.Certificate = text
		default:
			return storage.Confirmation{}, false
		}
		if err == nil && !bound.IsThumbprint(text) {
			err = errThumbprint
		}
		r.fail(err)
	}
	return cnf, cnf != storage.Confirmation{}
}

var errThumbprint = errors.New("resource: cnf has no SHA-256 thumbprint in base64url")

func errBound() *Error {
	return invalid("token_sender_constrained", "The access token is bound in a way that is not accepted here.", nil)
}

// checkTokenType checks that token_type is that of the binding (RFC 9449 §6.2). An introspection response must have one, because the
// response for a refresh token has none.
func checkTokenType(tokenType string, cnf storage.Confirmation, from origin) *Error {
	want := httpx.Bearer
	if cnf.Key != "" {
		want = httpx.DPoP
	}
	optional := tokenType == "" && !from.introspected
	if !optional && !strings.EqualFold(tokenType, string(want)) {
		return invalid("token_type_not_accepted", "The token_type of the access token is not that of its binding.", nil)
	}
	return nil
}

// confirm checks that the sender of a request has what its token is bound to, and consumes the proof. The result has a new nonce if the policy
// requires nonces.
func (v *Verifier) confirm(ctx context.Context, r *Request, scheme httpx.Scheme, token string, t *Token, now time.Time) (*Token, error) {
	proved, target := scheme == httpx.DPoP && t.Confirmation.Key != "", ""
	if proved { // a bearer token needs no URL, which would cost an allocation
		if !strings.HasPrefix(r.Path, "/") || strings.ContainsAny(r.Path, "?#") { // it would not be the path of the URL
			return nil, badRequest("request_malformed", "The request is malformed.")
		}
		target = v.origin + r.Path
	}
	err := bound.Verify(ctx, v.dpop, bound.Request{
		Scheme: scheme, Token: token, Proofs: r.DPoP, Method: r.Method, URL: target, Certificate: r.Certificate, ClientID: t.ClientID,
	}, t.Confirmation, now)
	if err != nil {
		return nil, v.notConfirmed(err, now)
	}
	if !proved || v.dpop.Nonces == nil {
		return t, nil
	}
	own := *t // t may be cached
	own.DPoPNonce = v.dpop.Nonces.Current(now)
	return &own, nil
}

// notConfirmed returns the rejection of a request whose sender does not have what the token is bound to (RFC 9449 §7.1, §9), or a fault.
func (v *Verifier) notConfirmed(err error, now time.Time) error {
	refused, ok := errors.AsType[*bound.Error](err)
	if !ok {
		return fmt.Errorf("resource: checking a proof: %w: %w", portner.ErrUnavailable, err)
	}
	e := &Error{Code: refused.Code, Description: refused.Description, Reason: refused.Reason, cause: err}
	if refused.Code == portner.UseDPoPNonce {
		e.nonce = v.dpop.Nonces.Current(now)
	}
	return e
}
