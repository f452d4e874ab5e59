package resource

import (
	"context"
	"errors"
	"maps"
	"net/http"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/httpx"
)

// Protect calls next for requests whose token is valid and allowed by rules. [FromContext] returns the token. Protect panics
// if the rules are invalid.
//
// Rejected requests are answered as by [Verifier.Reply] and reported to Config.Logger and Config.OnEvent. CORS preflight
// requests have no token and are rejected: handle them before Protect. If the policy for proofs requires nonces, the response to a request
// with a proof has a new one in DPoP-Nonce and, unless next sets another value, Cache-Control: no-store (RFC 9449 §8.2).
func (v *Verifier) Protect(rules Rules, next http.Handler) http.Handler {
	if err := rules.validate(); err != nil {
		panic(err.Error())
	}
	return v.protect(rules.SenderConstrained, func(*http.Request) (Rules, error) { return rules, nil }, next)
}

// ProtectFunc is [Verifier.Protect] with rules that depend on the request, such as the person in its path. The function is
// called after the token was verified. Its error is answered with 400; the text of the error is not sent.
func (v *Verifier) ProtectFunc(rules func(*http.Request) (Rules, error), next http.Handler) http.Handler {
	return v.protect(false, func(r *http.Request) (Rules, error) {
		required, err := rules(r)
		if err != nil {
			return Rules{}, &Error{Code: portner.InvalidRequest, Description: "The request is malformed.", Reason: "request_malformed", cause: err}
		}
		return required, required.validate()
	}, next)
}

// protect protects next. If boundOnly is set, the rules reject bearer tokens, so that challenges need not offer them.
func (v *Verifier) protect(boundOnly bool, rules func(*http.Request) (Rules, error), next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t, err := v.authorize(r, rules)
		if err != nil {
			if e, ok := err.(*Error); ok && boundOnly && v.dpop != nil {
				e.boundOnly = true
			}
			v.reject(w, r, err)
			return
		}
		if t.DPoPNonce != "" {
			w.Header()["Dpop-Nonce"], w.Header()["Cache-Control"] = []string{t.DPoPNonce}, []string{"no-store"}
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), contextKey{}, t)))
	})
}

// authorize verifies the token of r and checks it against its rules, all at one instant.
func (v *Verifier) authorize(r *http.Request, rules func(*http.Request) (Rules, error)) (*Token, error) {
	now := v.now()
	request, err := v.requestFrom(r)
	if err != nil {
		return nil, err
	}
	t, err := v.verify(r.Context(), request, now)
	if err != nil {
		return nil, err
	}
	required, err := rules(r)
	if err != nil {
		return nil, err
	}
	if err := required.check(t, now); err != nil {
		return nil, err
	}
	return t, nil
}

// requestFrom is RequestFrom with the certificate that the host finds. If it finds none, that of the connection, which may be the one of a
// proxy, is not used.
func (v *Verifier) requestFrom(r *http.Request) (Request, error) {
	request := RequestFrom(r)
	if v.certificates == nil {
		return request, nil
	}
	chain, err := v.certificates(r)
	if err != nil {
		return request, &Error{
			Code: portner.InvalidRequest, Description: "The certificate of the TLS client cannot be read.", Reason: "tls_certificate_unreadable", cause: err,
		}
	}
	request.Certificate = nil
	if len(chain) > 0 {
		request.Certificate = chain[0]
	}
	return request, nil
}

// reject reports err and writes its reply.
func (v *Verifier) reject(w http.ResponseWriter, r *http.Request, err error) {
	now := v.now()
	if e, ok := errors.AsType[*Error](err); ok {
		v.log.Emit(r.Context(), portner.Event{Name: portner.EventRefused, Time: now, Reason: e.Reason})
	} else {
		v.log.Fault(r.Context(), err, httpx.NewCorrelationID(), now)
	}
	reply := v.Reply(err)
	maps.Copy(w.Header(), reply.Header)
	w.WriteHeader(reply.Status)
	_, _ = w.Write(reply.Body)
}

type contextKey struct{}

// FromContext returns the token of a request that passed [Verifier.Protect], nil otherwise.
func FromContext(ctx context.Context) *Token {
	t, _ := ctx.Value(contextKey{}).(*Token)
	return t
}
