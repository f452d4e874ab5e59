package token

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/audit"
	"github.com/portner-go/portner/internal/httpx"
)

// Endpoint is the token endpoint: the handler of POST /token. It is safe for concurrent use.
type Endpoint struct {
	cfg    Config
	grants map[string]GrantHandler
}

// New reports all problems of the configuration at once.
func New(cfg Config) (*Endpoint, error) {
	cfg.Grants = slices.Clone(cfg.Grants)
	cfg.Claims = slices.Clone(cfg.Claims)
	cfg.setDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("token: %w", err)
	}
	e := &Endpoint{cfg: cfg, grants: map[string]GrantHandler{}}
	if cfg.Store != nil {
		cfg.Grants = append(cfg.Grants, GrantHandler{Type: AuthorizationCode, Handle: redeemCode}, GrantHandler{Type: RefreshToken, Handle: refresh})
	}
	for _, g := range cfg.Grants {
		e.grants[g.Type] = g
	}
	return e, nil
}

// Minter returns a Minter for use outside of a grant handler, such as an API of the host that checks access tokens of this
// provider.
func (e *Endpoint) Minter() *Minter { return &Minter{cfg: &e.cfg} }

// ServeHTTP answers POST /token, and CORS preflights.
func (e *Endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := e.begin(w, r, "token")
	defer x.rescue()
	req, ok := x.post(true)
	if !ok {
		return
	}
	res, err := e.dispatch(r.Context(), x, req)
	if err != nil {
		x.fail(err)
		return
	}
	doc, err := encode(res)
	if err != nil {
		x.fail(err)
		return
	}
	defer doc.free()
	x.event(portner.EventTokenIssued, req.Form.Get("grant_type"), res.GrantID)
	httpx.WriteJSON(w, http.StatusOK, doc.bytes())
}

// dispatch runs what all grants share and then the grant.
func (e *Endpoint) dispatch(ctx context.Context, x *exchange, r client.Request) (*Response, error) {
	grantType := r.Form.Get("grant_type")
	if grantType == "" {
		return nil, refuse(portner.InvalidRequest, "The parameter grant_type is missing.", "grant_type_missing")
	}
	req := &Request{Request: r, Now: x.now}
	g, known := e.grants[grantType]
	if !known && e.cfg.Authenticator == nil { // nobody to authenticate: every grant does so itself
		return nil, errGrantUnknown
	}
	if !known || !g.Unauthenticated {
		c, err := x.authenticate(r)
		if err != nil {
			return nil, err
		}
		if !known {
			return nil, errGrantUnknown
		}
		if !c.HasGrant(grantType) {
			return nil, refuse(portner.UnauthorizedClient, "The client may not use this grant type.", "grant_type_not_registered")
		}
		req.Client = c
	}
	res, err := g.Handle(ctx, req, &x.minter)
	if err == nil && res == nil {
		err = fmt.Errorf("token: the grant handler of %s returned no response", grantType)
	}
	if req.Client.Client != nil {
		x.identified(req.Client.Client)
	}
	x.correlation = req.CorrelationID
	return res, err
}

var errGrantUnknown = refuse(portner.UnsupportedGrantType, "The grant type is not supported.", "grant_type_unknown")

// authenticate proves who sends the request.
func (x *exchange) authenticate(r client.Request) (client.Authenticated, error) {
	c, err := x.cfg.Authenticator.Authenticate(x.r.Context(), r, x.log.Endpoint, x.now)
	if err != nil {
		x.reported = errors.Is(err, portner.InvalidClient) || errors.Is(err, portner.TemporarilyUnavailable)
		return client.Authenticated{}, err
	}
	x.identified(c.Client)
	return c, nil
}

// stored is a handler that looks tokens up, nil if there is nowhere to look.
func (e *Endpoint) stored(h http.HandlerFunc) http.Handler {
	if e.cfg.Store == nil {
		return nil
	}
	return h
}

// exchange is one HTTP request on its way through a handler.
type exchange struct {
	cfg         *Config
	minter      Minter
	w           http.ResponseWriter
	r           *http.Request
	now         time.Time
	log         audit.Log
	correlation string
	clientID    string // "" until a registered client is known
	reported    bool   // the authenticator has told the log why it refused
	cors        bool   // the endpoint answers browser clients
	bearer      bool   // errors are told by RFC 6750
}

func (e *Endpoint) begin(w http.ResponseWriter, r *http.Request, endpoint string) *exchange {
	now := e.cfg.Now()
	x := &exchange{
		cfg: &e.cfg, w: w, r: r, now: now, minter: Minter{cfg: &e.cfg, now: now},
		log: audit.Log{Endpoint: endpoint, Logger: e.cfg.Logger, OnEvent: e.cfg.OnEvent},
	}
	if x.log.Active() {
		x.correlation = httpx.NewCorrelationID()
	}
	return x
}

// post answers what is no readable POST and returns the request of what is.
func (x *exchange) post(cors bool) (client.Request, bool) {
	x.cors = cors
	if cors && x.crossOrigin("POST") {
		return client.Request{}, false
	}
	if x.r.Method != http.MethodPost {
		httpx.MethodNotAllowed(x.w, http.MethodPost)
		return client.Request{}, false
	}
	r, err := client.RequestFrom(x.w, x.r)
	if err != nil {
		x.failForm(err)
		return client.Request{}, false
	}
	r.CorrelationID = x.correlation
	return r, true
}

func (x *exchange) identified(c *client.Client) {
	x.clientID = c.ClientID
	if x.cors {
		x.allowOrigin(c)
	}
}
