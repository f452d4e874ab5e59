package authorize

import "net/http"

// Endpoint is the authorization endpoint. It is an http.Handler for GET and POST, safe for concurrent
// use, and keeps no state between requests.
type Endpoint struct{ cfg Config }

// New reports all problems of the configuration at once.
func New(cfg Config) (*Endpoint, error) {
	cfg = cfg.withDefaults()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	return &Endpoint{cfg: cfg}, nil
}

// ServeHTTP answers an authorization request.
func (e *Endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) { panic("stub") }

// PushedRequests is the pushed authorization request endpoint (RFC 9126), or nil if it is not configured.
func (e *Endpoint) PushedRequests() http.Handler { panic("stub") }

// Resume returns the request a browser brought back to one of the host's pages: the parameter
// RequestField of the query or the form. For a POST it also checks that the form came from the page
// this browser was shown. If it fails the answer is written, and the handler returns.
//
// Resume reads the form with (*http.Request).ParseForm: r.PostForm has the page's own fields.
func (e *Endpoint) Resume(w http.ResponseWriter, r *http.Request) (*Pending, error) { panic("stub") }
