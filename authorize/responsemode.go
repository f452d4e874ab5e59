package authorize

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/httpx"
)

// Response modes. The modes fragment and fragment.jwt are for response types with tokens, which are not supported.
const (
	modeQuery       = "query"
	modeFormPost    = "form_post"
	modeQueryJWT    = "query.jwt"     // JARM §2.3.1
	modeFormPostJWT = "form_post.jwt" // JARM §2.3.3
	modeJWT         = "jwt"           // JARM §2.3.4: query.jwt, because the response type is code
)

// modes are the modes of responses. A client that requests none, or one that it may not use, gets the first one that it may use: one that
// is registered for signed responses only gets no other ones, also of errors.
var modes = []string{modeQuery, modeFormPost, modeQueryJWT, modeFormPostJWT}

// modeOf returns the mode of responses, also of errors: the requested one, if checkMode accepts it.
func modeOf(c *client.Client, uri string, form httpx.Form) string {
	requested := form.Get("response_mode")
	if requested == modeJWT {
		requested = modeQueryJWT
	}
	if slices.Contains(modes, requested) && !repeated(form, "response_mode") && hasMode(c, requested) && fitsMode(uri, requested) {
		return requested
	}
	for _, mode := range modes {
		if hasMode(c, mode) {
			return mode
		}
	}
	return modeQueryJWT // a registration with modes that are not supported
}

// hasMode reports whether the client may use one of modes.
func hasMode(c *client.Client, mode string) bool {
	return c.HasResponseMode(mode) || mode == modeQueryJWT && c.HasResponseMode(modeJWT)
}

// fitsMode reports whether a redirect URI can receive a response: a browser posts forms to http and https URIs only.
func fitsMode(uri, mode string) bool { return !isPosted(mode) || strings.HasPrefix(uri, "http") }

func isPosted(mode string) bool { return mode == modeFormPost || mode == modeFormPostJWT }

func isSigned(mode string) bool { return mode == modeQueryJWT || mode == modeFormPostJWT }

// checkMode validates response_mode.
func (e *Endpoint) checkMode(_ context.Context, q *request, now time.Time) *refusal {
	mode := q.form.Get("response_mode")
	if mode == modeJWT {
		mode = modeQueryJWT
	}
	known := slices.Contains(modes, mode) && (e.cfg.Keys != nil || !isSigned(mode))
	switch {
	case mode != "" && !known && !repeated(q.form, "response_mode"):
		return page(portner.InvalidRequest, "response_mode_unknown", "The response_mode is not supported.").expect(e.supportedModes())
	case isSigned(q.to.mode) && e.responseAlg(q.client, now) == "":
		r := page(portner.ServerError, "response_alg_registration", "The response_mode needs a signature that this provider cannot make for the client.").
			as(portner.EventBadRegistration)
		r.status = http.StatusInternalServerError
		return r
	case repeated(q.form, "response_mode"):
		return nil // checkResponse rejects it
	case mode == "" && isSigned(q.to.mode):
		return q.to.invalid("response_mode_missing", "The parameter response_mode is required: the client is registered for signed responses.")
	case mode == "":
		return nil
	case !hasMode(q.client, mode):
		return q.to.invalid("response_mode_unregistered", "The response_mode is not registered for this client.")
	case !fitsMode(q.to.uri, mode):
		return q.to.invalid("response_mode_scheme", "The response_mode form_post requires an http or https redirect_uri.")
	}
	return nil
}

// supportedModes returns the accepted values of response_mode.
func (e *Endpoint) supportedModes() []string {
	if e.cfg.Keys == nil {
		return []string{modeQuery, modeFormPost}
	}
	return append(slices.Clone(modes), modeJWT)
}
