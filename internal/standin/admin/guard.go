package admin

import (
	"crypto/subtle"
	"net/http"
	"net/url"

	"github.com/portner-go/portner/internal/httpx"
)

// MinSecret is the smallest length of Config.Secret.
const MinSecret = 20

// guard rejects requests of other web pages, and requests without the secret. The host of the request is checked before: a name that another
// site makes resolve to this machine is none of the listener's.
func (h *handler) guard(next http.Handler) http.Handler {
	protection := http.NewCrossOriginProtection()
	protection.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.writeError(w, &refusal{http.StatusForbidden, "Origin", "a page of another site cannot change anything here"})
	}))
	return protection.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !sameSite(r) {
			h.writeError(w, &refusal{http.StatusForbidden, "Sec-Fetch-Site", "a page of another site cannot read anything here"})
			return
		}
		if !h.authenticated(r) {
			w.Header().Add("WWW-Authenticate", `Bearer realm="portner administration"`)
			if httpx.AcceptsHTML(r.Header) {
				w.Header().Add("WWW-Authenticate", `Basic realm="portner administration", charset="UTF-8"`)
			}
			h.writeError(w, &refusal{http.StatusUnauthorized, "Authorization", "send the secret of -admin-secret as a bearer token, or as the password of any user name"})
			return
		}
		next.ServeHTTP(w, r)
	}))
}

// sameSite reports whether no page of another site made the request, unless it is a link or an address that the user follows.
func sameSite(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "none", "same-origin":
		return true
	case "": // of no browser, or of one that sends it to encrypted addresses and to this machine only
		return ownOrigin(r)
	}
	return r.Method == http.MethodGet && r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document"
}

// ownOrigin reports whether the Origin of a request is its host, or absent.
func ownOrigin(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	u, err := url.Parse(origin)
	return origin == "" || err == nil && u.Host == r.Host
}

// authenticated reports whether a request has the secret: as a bearer token (RFC 6750 §2.1), or as the password of a browser (RFC 7617).
func (h *handler) authenticated(r *http.Request) bool {
	if h.cfg.Secret == nil {
		return true
	}
	given, err := httpx.BearerToken(r.Header["Authorization"])
	if err != nil {
		_, given, _ = r.BasicAuth()
	}
	return subtle.ConstantTimeCompare([]byte(given), h.cfg.Secret) == 1
}
