package token

import (
	"fmt"
	"net/http"
)

// Endpoint is the token endpoint: the handler of POST /token. It is safe for concurrent use.
type Endpoint struct {
	cfg    Config
	minter *Minter
}

// New reports all problems of the configuration at once.
func New(cfg Config) (*Endpoint, error) {
	cfg.Grants = append([]Grant(nil), cfg.Grants...)
	cfg.setDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("token: %w", err)
	}
	e := &Endpoint{cfg: cfg}
	e.minter = &Minter{cfg: &e.cfg}
	return e, nil
}

// ServeHTTP answers POST /token.
func (e *Endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) { panic("stub") }

// UserInfo is the handler of the userinfo endpoint: GET and POST.
func (e *Endpoint) UserInfo() http.Handler { panic("stub") }

// Introspection is the handler of the introspection endpoint, ID-porten's tokeninfo: POST.
func (e *Endpoint) Introspection() http.Handler { panic("stub") }

// Revocation is the handler of the revocation endpoint: POST.
func (e *Endpoint) Revocation() http.Handler { panic("stub") }
