package authorize

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/audit"
	"github.com/portner-go/portner/internal/httpx"
	"github.com/portner-go/portner/internal/seal"
	"github.com/portner-go/portner/storage"
)

// PushedRequests is the pushed authorization request endpoint (RFC 9126, idporten section 4.1), or nil
// if Config.PushedRequests is nil.
func (e *Endpoint) PushedRequests() http.Handler {
	if e.cfg.PushedRequests == nil {
		return nil
	}
	log := e.log
	log.Endpoint = "par"
	return &parEndpoint{e, log}
}

type parEndpoint struct {
	*Endpoint
	log audit.Log
}

// ServeHTTP answers POST only. Clients authenticate as at the token endpoint.
func (p *parEndpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		httpx.MethodNotAllowed(w, http.MethodPost)
		return
	}
	now := p.cfg.Now()
	defer func() {
		switch v := recover(); v {
		case nil:
		case http.ErrAbortHandler:
			panic(v)
		default:
			p.fault(w, r, fmt.Errorf("authorize: panic of type %T", v), now)
		}
	}()
	req, err := client.RequestFrom(w, r)
	if err != nil {
		p.refuse(w, r, err, "", now)
		return
	}
	uri, clientID, err := p.push(r, req, now)
	if err != nil {
		p.refuse(w, r, err, clientID, now)
		return
	}
	doc, err := json.Marshal(pushed{int(p.cfg.PushedRequestLifetime / time.Second), uri})
	if err != nil {
		p.fault(w, r, err, now)
		return
	}
	httpx.WriteJSON(w, http.StatusCreated, doc)
}

// pushed is the answer (RFC 9126 section 2.2).
type pushed struct {
	ExpiresIn  int    `json:"expires_in"`
	RequestURI string `json:"request_uri"`
}

// push authenticates, validates as the authorization endpoint would, and stores. The client is
// returned as soon as it has authenticated.
func (p *parEndpoint) push(r *http.Request, req client.Request, now time.Time) (uri, clientID string, err error) {
	auth, err := p.cfg.Authenticator.Authenticate(r.Context(), req, "par", now)
	if err != nil {
		return "", "", err
	}
	s, err := p.check(r, auth, httpx.Form(req.Form), now)
	if err == nil {
		uri, err = p.store(r, auth.ClientID, s, now)
	}
	return uri, auth.ClientID, err
}

// check validates what an authenticated client pushes.
func (p *parEndpoint) check(r *http.Request, auth client.Authenticated, form httpx.Form, now time.Time) (source, error) {
	if form.Has("request_uri") { // RFC 9126 section 2.1
		return source{}, &portner.Error{Code: portner.InvalidRequest, Description: "A request_uri cannot be pushed."}
	}
	if id := form.Get("client_id"); id != "" && id != auth.ClientID {
		return source{}, &portner.Error{Code: portner.InvalidRequest, Description: "The client_id is not the authenticated client's."}
	}
	form = form.Without("client_secret", "client_assertion", "client_assertion_type").With("client_id", auth.ClientID)
	s := source{form: form}
	if form.Has("request") {
		var refused *refusal
		if s, refused = p.requestObject(r.Context(), auth.Client, form, now); refused != nil {
			return source{}, refused
		}
	}
	s.pushed = storage.Hash{1} // it is being pushed; what matters is that it is not zero
	if _, refused := p.validate(r.Context(), auth.Client, s, now); refused != nil {
		return source{}, refused
	}
	return s, nil
}

// store keeps the parameters under a new request_uri of 256 random bits.
func (p *parEndpoint) store(r *http.Request, clientID string, s source, now time.Time) (string, error) {
	if len(s.form.Encode()) > maxSealed*3/4-sealedFixed-256 { // what cannot travel later is refused now
		return "", &portner.Error{Code: portner.InvalidRequest, Description: "The request is too large."}
	}
	for range 3 {
		uri := p.cfg.RequestURIPrefix + seal.NewToken()
		hash := storage.HashOf(uri)
		err := p.cfg.PushedRequests.PushRequest(r.Context(), storage.PushedRequest{
			Hash: hash, ClientID: clientID, Params: p.park(s, clientID, hash),
			ExpiresAt: now.Add(p.cfg.PushedRequestLifetime),
		}, now)
		switch {
		case errors.Is(err, storage.ErrConflict):
			p.log.Emit(r.Context(), portner.Event{Name: portner.EventIDCollision, Time: now, Reason: "request_uri"})
			continue
		case err != nil:
			return "", fmt.Errorf("%w: storing a pushed request: %w", portner.ErrUnavailable, err)
		}
		return uri, nil
	}
	return "", fmt.Errorf("%w: no free request_uri", portner.ErrUnavailable)
}

// Error makes a refusal an error, so that the endpoint has one way out.
func (r *refusal) Error() string { return "authorize: " + r.reason }

// refuse answers with JSON, whatever the authorization endpoint would have done (RFC 9126 section 2.3).
func (p *parEndpoint) refuse(w http.ResponseWriter, r *http.Request, err error, clientID string, now time.Time) {
	event := portner.Event{Name: portner.EventRefused, Time: now, CorrelationID: httpx.NewCorrelationID(), ClientID: clientID}
	if refused, ok := errors.AsType[*refusal](err); ok {
		if refused.fault != nil {
			p.fault(w, r, refused.fault, now)
			return
		}
		event.Name, event.Reason = refused.event, refused.reason
		err = refused.wireError()
	}
	e, ok := errors.AsType[*portner.Error](err)
	if !ok {
		p.fault(w, r, err, now)
		return
	}
	if f, ok := errors.AsType[*httpx.FormError](err); ok {
		if event.Reason = f.Reason; f.Parameter != "" {
			event.Name = portner.EventDuplicateParam
		}
	}
	if event.Reason == "" {
		event.Reason = string(e.Code)
	}
	p.log.Emit(r.Context(), event)
	httpx.WriteError(w, e)
}

func (p *parEndpoint) fault(w http.ResponseWriter, r *http.Request, err error, now time.Time) {
	p.log.Fault(r.Context(), err, httpx.NewCorrelationID(), now)
	httpx.WriteError(w, portner.AsError(err))
}
