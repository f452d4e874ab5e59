package token

import (
	"context"
	"net/http"
	"slices"

	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/httpx"
)

// handler adapts the decision of one endpoint to net/http.
type handler struct {
	*Endpoint
	name   string // in events
	cors   string // methods of browser clients; "" if there are none
	read   func(http.ResponseWriter, *http.Request) (client.Request, error)
	decide func(*exchange, context.Context) (*buffer, error)
	none   []byte // body of the response if decide returns no buffer
}

// ServeHTTP adapts Issue to net/http and answers CORS preflight requests.
func (e *Endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) { e.token.ServeHTTP(w, r) }

// Introspection returns the handler that adapts Introspect to net/http. It is nil without Config.Store.
func (e *Endpoint) Introspection() http.Handler { return e.stored(&e.introspection) }

// UserInfo returns the handler that adapts DescribeUser to net/http. It is nil without Config.Store.
func (e *Endpoint) UserInfo() http.Handler { return e.stored(&e.userInfo) }

// Revocation returns the handler that adapts Revoke to net/http. It is nil without Config.Store.
func (e *Endpoint) Revocation() http.Handler { return e.stored(&e.revocation) }

// stored returns h, or nil if there is no store to find tokens in.
func (e *Endpoint) stored(h *handler) http.Handler {
	if e.cfg.Store == nil {
		return nil
	}
	return h
}

// ServeHTTP decides the request and writes the response.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, preflight := r.Context(), h.cors != "" && isPreflight(r)
	var request client.Request
	var unreadable error
	if !preflight {
		request, unreadable = h.read(w, r)
	}
	x := h.begin(h.name, request)
	out, err := h.handle(x, w, r, unreadable)
	if h.cors != "" && x.client != nil {
		restrictOrigin(w, r, x.client)
	}
	if !preflight {
		h.expose(w)
	}
	switch {
	case err != nil:
		httpx.WriteError(w, x.reject(ctx, err))
	case preflight:
		h.writePreflight(w)
	case out == nil && h.none == nil:
		writeEmpty(w)
	case out == nil:
		httpx.WriteJSON(w, http.StatusOK, h.none)
	default:
		defer out.free()
		if x.signed {
			writeSigned(w, out.bytes())
			return
		}
		setNonce(w.Header(), x.nonce)
		httpx.WriteJSON(w, http.StatusOK, out.bytes())
	}
}

// handle decides a request, unless it is a CORS preflight request. unreadable is the error of reading it.
func (h *handler) handle(x *exchange, w http.ResponseWriter, r *http.Request, unreadable error) (*buffer, error) {
	if h.cors != "" {
		if err := x.allowOrigin(w, r); err != nil || isPreflight(r) {
			return nil, err
		}
	}
	if unreadable != nil {
		return nil, unreadable
	}
	return h.decide(x, r.Context())
}

// writeSigned writes a signed introspection response (RFC 9701 §5).
func writeSigned(w http.ResponseWriter, jwt []byte) {
	h := w.Header()
	httpx.JSON(h, len(jwt))
	h["Content-Type"] = introspectionMedia
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(jwt)
}

var introspectionMedia = []string{introspectionType}

func writeEmpty(w http.ResponseWriter) {
	h := w.Header()
	httpx.Secure(h)
	h["Content-Length"] = []string{"0"}
	w.WriteHeader(http.StatusOK)
}

// A browser client may read responses from the origins of its registration, without cookies. Before the client is known, which
// is in preflight requests and in errors that disclose nothing, the origins of all browser clients apply.

// isPreflight reports whether a request is a CORS preflight request.
func isPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Origin") != "" && r.Header.Get("Access-Control-Request-Method") != ""
}

// allowOrigin allows the origin of a browser client. It returns an error for preflight requests only.
func (x *exchange) allowOrigin(w http.ResponseWriter, r *http.Request) (err error) {
	defer x.rescue(&err)
	varyByOrigin(w.Header())
	origin := r.Header.Get("Origin")
	if origin == "" {
		return nil
	}
	switch allowed, err := x.hasOrigin(r.Context(), origin); {
	case err != nil && isPreflight(r):
		return err
	case err != nil: // the origins of the client apply as soon as it is known
		x.fault(r.Context(), err)
	case allowed:
		w.Header().Set("Access-Control-Allow-Origin", origin)
	}
	return nil
}

var onlyOrigin = []string{"Origin"}

// varyByOrigin tells caches that the response depends on the origin. The host may have set Vary, too.
func varyByOrigin(h http.Header) {
	if len(h["Vary"]) > 0 {
		h.Add("Vary", "Origin")
		return
	}
	h["Vary"] = onlyOrigin // shared: http.Header.Add would allocate
}

// hasOrigin reports whether any browser client has the origin.
func (x *exchange) hasOrigin(ctx context.Context, origin string) (bool, error) {
	if x.cfg.Origins == nil || origin == "null" {
		return false, nil
	}
	allowed, err := x.cfg.Origins(ctx, origin)
	if err != nil {
		return false, unavailable("finding the origin of a browser client", err)
	}
	return allowed, nil
}

func (h *handler) writePreflight(w http.ResponseWriter) {
	header := w.Header()
	httpx.Secure(header)
	if header.Get("Access-Control-Allow-Origin") != "" {
		allowed := "Authorization, Content-Type"
		if h.cfg.DPoP != nil {
			allowed += ", DPoP"
		}
		header.Set("Access-Control-Allow-Methods", h.cors)
		header.Set("Access-Control-Allow-Headers", allowed)
		header.Set("Access-Control-Max-Age", "600")
	}
	w.WriteHeader(http.StatusNoContent)
}

// expose lets a browser client whose origin is allowed read the nonce for its next proof, and why its token or proof was refused (RFC 9449
// §8, §7.1).
func (h *handler) expose(w http.ResponseWriter) {
	if h.cfg.DPoP != nil && w.Header().Get("Access-Control-Allow-Origin") != "" {
		w.Header().Set("Access-Control-Expose-Headers", "DPoP-Nonce, WWW-Authenticate")
	}
}

// restrictOrigin allows the origin of the request only if it is one of the client.
func restrictOrigin(w http.ResponseWriter, r *http.Request, c *client.Client) {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return
	}
	if slices.Contains(c.CORSOrigins(), origin) {
		w.Header().Set("Access-Control-Allow-Origin", origin)
		return
	}
	w.Header().Del("Access-Control-Allow-Origin")
}
