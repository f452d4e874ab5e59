package resource

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/httpx"
)

// Protect lets requests through to next whose bearer token is good and allows what the rules are for.
// [FromContext] has the token then. It panics on rules that name no scope or contradict themselves:
// that is a mistake in the program.
//
// Refusals carry WWW-Authenticate (RFC 6750 section 3): 401 without or with an invalid token, or with too
// weak a login, 403 for what the token does not allow, 400 for a malformed request. If the token cannot be
// checked now the answer is 503. A request without a token is answered before next sees it, a CORS preflight
// too: handle those outside.
func (v *Verifier) Protect(rules Rules, next http.Handler) http.Handler {
	if err := rules.validate(); err != nil {
		panic(err.Error())
	}
	return v.protect(func(*http.Request) (Rules, error) { return rules, nil }, next)
}

// ProtectFunc is [Verifier.Protect] with rules that depend on the request, such as on the person in its
// path. They are asked for when the token is good; an error from them is answered with 400 and not shown.
func (v *Verifier) ProtectFunc(rules func(*http.Request) (Rules, error), next http.Handler) http.Handler {
	return v.protect(func(r *http.Request) (Rules, error) {
		demanded, err := rules(r)
		if err != nil {
			return Rules{}, &RefusalError{Code: portner.InvalidRequest, Description: "The request is malformed.", Reason: "request", Err: err}
		}
		return demanded, demanded.validate()
	}, next)
}

func (v *Verifier) protect(rules func(*http.Request) (Rules, error), next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t, err := v.admit(r, rules)
		if err != nil {
			v.Refuse(w, r, err)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), contextKey{}, t)))
	})
}

func (v *Verifier) admit(r *http.Request, rules func(*http.Request) (Rules, error)) (*Token, error) {
	now := v.now()
	bearer, err := BearerToken(r)
	if err != nil {
		return nil, err
	}
	t, err := v.verify(r.Context(), bearer, now)
	if err != nil {
		return nil, err
	}
	demanded, err := rules(r)
	if err != nil {
		return nil, err
	}
	if err := demanded.check(t, now); err != nil {
		return nil, err
	}
	return t, nil
}

type contextKey struct{}

// FromContext returns the token of a request that [Verifier.Protect] let through, nil of any other.
func FromContext(ctx context.Context) *Token {
	t, _ := ctx.Value(contextKey{}).(*Token)
	return t
}

// BearerToken returns the token of a request: one Authorization header with the scheme Bearer (RFC 6750
// section 2.1). A token in the query is refused, since addresses end up in logs (section 5.3), and so are two
// tokens. Errors are *[RefusalError].
func BearerToken(r *http.Request) (string, error) {
	headers := r.Header.Values("Authorization")
	inQuery := r.URL.RawQuery != "" && r.URL.Query().Has("access_token")
	switch {
	case inQuery:
		return "", badRequest("token_in_query", "The access token belongs in the Authorization header.")
	case len(headers) > 1:
		return "", badRequest("several_tokens", "There is more than one Authorization header.")
	case len(headers) == 0:
		return "", errNoToken()
	}
	scheme, token, _ := strings.Cut(headers[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", errNoToken()
	}
	if token = strings.TrimLeft(token, " "); !wellFormed(token) {
		return "", badRequest("malformed", "The Authorization header is malformed.")
	}
	return token, nil
}

func errNoToken() *RefusalError {
	return &RefusalError{Description: "no bearer token", Reason: "no_token"}
}

func badRequest(reason, description string) *RefusalError {
	return &RefusalError{Code: portner.InvalidRequest, Description: description, Reason: reason}
}

// Refuse answers a request with an error of this package, as [Verifier.Protect] does: for handlers that call
// [Rules.Check] themselves once they know what the call is about. An error that is no *[RefusalError] is
// answered without its text, and logged.
func (v *Verifier) Refuse(w http.ResponseWriter, r *http.Request, err error) {
	now := v.now()
	var refusal *RefusalError
	if !errors.As(err, &refusal) {
		v.fault(w, r, err, now)
		return
	}
	v.log.Emit(r.Context(), portner.Event{Name: portner.EventRefused, Time: now, Reason: refusal.Reason})
	w.Header().Set("WWW-Authenticate", refusal.Challenge(v.realm))
	if refusal.Code == "" { // RFC 6750 section 3.1: no error code without authentication information
		httpx.Secure(w.Header())
		w.WriteHeader(refusal.Status())
		return
	}
	httpx.WriteError(w, &portner.Error{Code: refusal.Code, Status: refusal.Status(), Description: refusal.Description})
}

// fault answers what is not the client's doing (security row I6).
func (v *Verifier) fault(w http.ResponseWriter, r *http.Request, err error, now time.Time) {
	v.log.Fault(r.Context(), err, httpx.NewCorrelationID(), now)
	e := &portner.Error{Code: portner.ServerError}
	if errors.Is(err, ErrUnavailable) {
		e.Code, e.Description = portner.TemporarilyUnavailable, "The access token cannot be checked now."
	}
	httpx.WriteError(w, e)
}
