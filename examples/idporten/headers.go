package main

import (
	"net/http"
	"slices"
)

// guard keeps strangers out of a part, and gives every answer the headers it has at least (security
// rows B8 and I1). Handlers say more where they know more.
func (s *server) guard(p part) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Content-Security-Policy", "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'none'")
		h.Set("Cache-Control", "no-store")
		h.Set("Pragma", "no-cache")
		if r.TLS != nil {
			h.Set("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
		}
		if !slices.Contains(p.hosts, r.Host) {
			http.Error(w, "this server does not answer for that host", http.StatusMisdirectedRequest)
			return
		}
		p.handler.ServeHTTP(w, r)
	})
}
