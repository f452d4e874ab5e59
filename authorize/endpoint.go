package authorize

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/portner-go/portner/internal/audit"
	"github.com/portner-go/portner/internal/httpx"
	"github.com/portner-go/portner/internal/seal"
)

// Endpoint is the authorization endpoint. It is an http.Handler for GET and POST, safe for concurrent
// use, and keeps no state between requests.
type Endpoint struct {
	cfg     Config
	log     audit.Log
	origin  string    // of the issuer: where the pages are
	waiting *seal.Box // requests that wait for a person
	posted  *seal.Box // requests that were posted without cookies
	csrfKey []byte
}

// New reports all problems of the configuration at once.
func New(cfg Config) (*Endpoint, error) {
	cfg = cfg.withDefaults()
	e := &Endpoint{
		cfg:    cfg,
		log:    audit.Log{Endpoint: "authorize", Logger: cfg.Logger, OnEvent: cfg.OnEvent},
		origin: httpx.Origin(cfg.Issuer),
	}
	var errs [4]error
	errs[0] = cfg.check()
	if e.waiting, errs[1] = seal.New("authorize waiting", cfg.Secrets...); errs[1] != nil {
		return nil, errors.Join(errs[0], fmt.Errorf("authorize: Config.Secrets: %w", errs[1]))
	}
	e.posted, errs[2] = seal.New("authorize posted", cfg.Secrets...)
	// Pages outlive no secret that is gone, so one key is enough: a form from before a rotation has to
	// be loaded again.
	e.csrfKey, errs[3] = seal.Derive(cfg.Secrets[0], "authorize csrf")
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	return e, nil
}

// ServeHTTP answers an authorization request.
func (e *Endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f := &flow{Endpoint: e, w: w, r: r, now: e.cfg.Now()}
	defer func() { f.rescue(recover()) }()
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		httpx.MethodNotAllowed(w, "GET, POST")
		return
	}
	f.finish(f.arrive())
}

// Resume returns the request a browser brought back to one of the host's pages: the parameter
// RequestField of the query or the form. For a POST it also checks that the form came from the page
// this browser was shown. If it fails the answer is written, and the handler returns.
//
// Resume reads the form with (*http.Request).ParseForm: r.PostForm has the page's own fields.
func (e *Endpoint) Resume(w http.ResponseWriter, r *http.Request) (p *Pending, err error) {
	f := &flow{Endpoint: e, w: w, r: r, now: e.cfg.Now()}
	defer func() {
		if f.rescue(recover()) {
			p, err = nil, errPanic
		}
	}()
	p, refused, err := f.resume()
	f.finish(refused)
	return p, err
}
