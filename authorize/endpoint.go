package authorize

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"

	"github.com/portner-go/portner"
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
	parked  *seal.Box // pushed requests in the store: a hint in one may name a person

	csrfKeys [][]byte // one for each secret; the first makes tokens
}

// New reports all problems of the configuration at once.
func New(cfg Config) (*Endpoint, error) {
	cfg = cfg.withDefaults()
	e := &Endpoint{
		cfg:    cfg,
		log:    audit.Log{Endpoint: "authorize", Logger: cfg.Logger, OnEvent: cfg.OnEvent},
		origin: httpx.Origin(cmp.Or(cfg.URL, cfg.Issuer)),
	}
	if err := errors.Join(cfg.check(), e.deriveKeys(cfg.Secrets)); err != nil {
		return nil, err
	}
	return e, nil
}

func (e *Endpoint) deriveKeys(secrets []portner.Secret) (err error) {
	if e.waiting, err = seal.New("authorize waiting", secrets...); err != nil {
		return fmt.Errorf("authorize: Config.Secrets: %w", err)
	}
	if e.posted, err = seal.New("authorize posted", secrets...); err != nil {
		return fmt.Errorf("authorize: Config.Secrets: %w", err)
	}
	if e.parked, err = seal.New("authorize pushed", secrets...); err != nil {
		return fmt.Errorf("authorize: Config.Secrets: %w", err)
	}
	for _, s := range secrets {
		key, err := seal.Derive(s, "authorize csrf")
		if err != nil {
			return fmt.Errorf("authorize: Config.Secrets: %w", err)
		}
		e.csrfKeys = append(e.csrfKeys, key)
	}
	return nil
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
