package token

import (
	"net/http"
	"slices"

	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/httpx"
)

// Cross-origin calls (security row I3): a browser client reads answers from exactly the origins of its
// registration, never with cookies. Before the client is known, that is for preflights and for errors
// that tell nothing of anybody, the origins of all browser clients count.

// crossOrigin opens the answer for a registered origin and answers a preflight, which it reports.
func (x *exchange) crossOrigin(methods string) bool {
	h := x.w.Header()
	h.Add("Vary", "Origin")
	origin := x.r.Header.Get("Origin")
	if origin == "" {
		return false
	}
	preflight := x.r.Method == http.MethodOptions && x.r.Header.Get("Access-Control-Request-Method") != ""
	switch allowed, err := x.hasOrigin(origin); {
	case err != nil && preflight:
		x.fail(err)
		return true
	case err != nil:
		x.fault(err) // the origins of the client decide as soon as it is authenticated
	case allowed:
		h.Set("Access-Control-Allow-Origin", origin)
	}
	if !preflight {
		return false
	}
	httpx.Secure(h)
	if h.Get("Access-Control-Allow-Origin") != "" {
		h.Set("Access-Control-Allow-Methods", methods)
		h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type")
		h.Set("Access-Control-Max-Age", "600")
	}
	x.w.WriteHeader(http.StatusNoContent)
	return true
}

// hasOrigin reports whether any browser client has the origin.
func (x *exchange) hasOrigin(origin string) (bool, error) {
	if x.cfg.Origins == nil || origin == "null" {
		return false, nil
	}
	allowed, err := x.cfg.Origins(x.r.Context(), origin)
	if err != nil {
		return false, unavailable("looking up the origin of a browser client", err)
	}
	return allowed, nil
}

// allowOrigin narrows that to the client the request is about.
func (x *exchange) allowOrigin(c *client.Client) {
	origin := x.r.Header.Get("Origin")
	if origin == "" {
		return
	}
	if slices.Contains(c.CORSOrigins(), origin) {
		x.w.Header().Set("Access-Control-Allow-Origin", origin)
		return
	}
	x.w.Header().Del("Access-Control-Allow-Origin")
}
