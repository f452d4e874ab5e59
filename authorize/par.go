package authorize

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/dpop"
	"github.com/portner-go/portner/internal/audit"
	"github.com/portner-go/portner/internal/httpx"
	"github.com/portner-go/portner/internal/seal"
	"github.com/portner-go/portner/storage"
)

// Pushed is a stored authorization request (RFC 9126 §2.2).
type Pushed struct {
	RequestURI string `json:"request_uri"` // value of the parameter request_uri
	ExpiresIn  int64  `json:"expires_in"`  // seconds
}

// Reply returns the 201 response.
func (p *Pushed) Reply() portner.Reply {
	doc, err := json.Marshal(p)
	if err != nil {
		panic(err) // a string and a number encode
	}
	return httpx.JSONReply(http.StatusCreated, doc)
}

// Push decides a pushed authorization request (RFC 9126 §2). It authenticates the client, validates the request as Authorize does,
// and stores it. A DPoP proof in r.Header binds the code to its key (RFC 9449 §10.1); it is for Config.PushURL. The error of Push is a
// *portner.Error or a fault; portner.ErrorReply returns the response for both.
func (e *Endpoint) Push(ctx context.Context, r client.Request) (*Pushed, error) {
	return e.push(ctx, r, nil)
}

// PushHandler adapts Push to net/http. It returns nil if Config.PushedRequests is nil.
func (e *Endpoint) PushHandler() http.Handler {
	if e.cfg.PushedRequests == nil {
		return nil
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		req, err := client.RequestFrom(w, r, e.cfg.ClientCertificates)
		req.Method = r.Method
		p, err := e.push(r.Context(), req, err)
		if err != nil {
			httpx.WriteError(w, portner.AsError(err))
			return
		}
		httpx.WriteReply(w, p.Reply())
	})
}

// push decides a pushed request and reports its error. malformed is the error of reading it.
func (e *Endpoint) push(ctx context.Context, r client.Request, malformed error) (p *Pushed, err error) {
	if r.Method != http.MethodPost {
		return nil, httpx.MethodError(http.MethodPost)
	}
	now := e.cfg.Now()
	clientID := ""
	defer func() {
		if v := recover(); v != nil {
			if v == http.ErrAbortHandler {
				panic(v)
			}
			p, err = nil, fmt.Errorf("%w: a value of type %T\n%s", errPanic, v, debug.Stack())
		}
		if err != nil {
			err = e.reportPush(ctx, err, clientID, now)
		}
	}()
	if malformed != nil {
		return nil, malformed
	}
	if e.cfg.PushedRequests == nil {
		return nil, &portner.Error{Code: portner.InvalidRequest, Status: http.StatusNotFound, Description: "Pushed authorization requests are not supported."}
	}
	proof, proofErr := e.checkPushProof(r, now)
	if errors.Is(proofErr, dpop.ErrNonce) { // before the client assertion, which is valid once, is consumed
		return nil, e.proofError(proofErr, now)
	}
	c, err := e.cfg.Authenticator.Authenticate(ctx, r, "par", now)
	if err != nil {
		return nil, err
	}
	clientID = c.ClientID
	if proofErr != nil {
		return nil, e.proofError(proofErr, now)
	}
	s, err := e.checkPushed(ctx, c.Client, httpx.Form(r.Form), proof.Key, now)
	if err != nil {
		return nil, err
	}
	uri, err := e.storePushed(ctx, storage.PushedRequest{ClientID: clientID, Source: c.Caller(r.RemoteAddr)}, s, now)
	if err != nil {
		return nil, err
	}
	// Anyone can push requests of a public client: the bounds of each sender, which PushRequest applies, come before the proof takes room
	// of the client in the replay store. The request_uri of a request with a used proof is never sent, and expires.
	if proof.Key != "" {
		if err := e.cfg.DPoP.Consume(ctx, clientID, proof, now); err != nil {
			return nil, e.proofError(err, now)
		}
	}
	return &Pushed{RequestURI: uri, ExpiresIn: int64(e.cfg.PushedRequestLifetime / time.Second)}, nil
}

// checkPushed validates the request of an authenticated client. key is that of its DPoP proof, "" without one.
func (e *Endpoint) checkPushed(ctx context.Context, c *client.Client, form httpx.Form, key string, now time.Time) (source, error) {
	if form.Has("request_uri") { // RFC 9126 §2.1
		return source{}, &portner.Error{Code: portner.InvalidRequest, Description: "The parameter request_uri must not be pushed."}
	}
	if id := form.Get("client_id"); id != "" && id != c.ClientID {
		return source{}, &portner.Error{Code: portner.InvalidRequest, Description: "The client_id must be that of the authenticated client."}
	}
	form = form.Without("client_secret", "client_assertion", "client_assertion_type").With("client_id", c.ClientID)
	s := source{form: form}
	if form.Has("request") {
		var refused *refusal
		if s, refused = e.requestObject(ctx, c, form, now, e.merges(c)); refused != nil {
			return source{}, refused
		}
		if e.merges(c) {
			s.form = merged(s.form, form.Without("request"))
		}
	}
	if refused := s.bind(key); refused != nil {
		return source{}, refused.explain(s.form, c)
	}
	s.pushed = storage.Hash{1} // not zero: it is a pushed request
	if _, refused := e.validate(ctx, c, s, now); refused != nil {
		return source{}, refused
	}
	return s, nil
}

// merges reports whether the request objects of pushed requests may leave out parameters.
func (e *Endpoint) merges(c *client.Client) bool {
	return e.cfg.MergeRequestObject && !e.cfg.requires("request") && !c.RequireSignedRequestObject
}

// merged returns the parameters of a request object, and those beside it that it does not have.
func merged(object, beside httpx.Form) httpx.Form {
	return httpx.Concat(object, beside.Without(object.Names()...))
}

// maxPushed bounds the encoded parameters of a pushed request, so that a pending request made of them does not exceed maxSealed.
const maxPushed = maxSealed*3/4 - sealedFixed - 256

// storePushed stores the parameters as p under a request_uri with 256 random bits.
func (e *Endpoint) storePushed(ctx context.Context, p storage.PushedRequest, s source, now time.Time) (string, error) {
	if len(s.form.Encode()) > maxPushed {
		return "", &portner.Error{Code: portner.InvalidRequest, Description: "The request is too large."}
	}
	for range 3 {
		uri := e.cfg.RequestURIPrefix + seal.NewToken()
		p.Hash, p.ExpiresAt = storage.HashOf(uri), now.Add(e.cfg.PushedRequestLifetime)
		p.Params = e.sealPushed(s, p.ClientID, p.Hash)
		switch err := e.cfg.PushedRequests.PushRequest(ctx, p, now); {
		case errors.Is(err, storage.ErrConflict):
			e.parLog.Emit(ctx, portner.Event{Name: portner.EventIDCollision, Time: now, Reason: "request_uri"})
			continue
		case err != nil:
			return "", fmt.Errorf("%w: storing a pushed request: %w", portner.ErrUnavailable, err)
		}
		return uri, nil
	}
	return "", fmt.Errorf("%w: no free request_uri", portner.ErrUnavailable)
}

// Error makes a refusal an error, for Push.
func (r *refusal) Error() string { return "authorize: " + r.reason }

// reportPush logs why a pushed request was rejected and returns the error for the client. RFC 9126 §2.3: no error is redirected.
func (e *Endpoint) reportPush(ctx context.Context, err error, clientID string, now time.Time) error {
	event := portner.Event{Name: portner.EventRefused, Time: now, CorrelationID: httpx.NewCorrelationID(), ClientID: clientID}
	if refused, ok := errors.AsType[*refusal](err); ok {
		event.Name, event.Reason, event.Explanation = refused.event, refused.reason, refused.explanation
		if err = refused.wireError(); refused.fault != nil {
			err = refused.fault
		}
	}
	if portner.IsFault(err) {
		e.parLog.Fault(ctx, err, event.CorrelationID, now)
		return err
	}
	if f, ok := errors.AsType[*httpx.FormError](err); ok {
		if event.Reason = f.Reason; f.Repeated() {
			event.Name, event.Explanation.Parameter = portner.EventDuplicateParam, f.Parameter
		}
	}
	if c, ok := errors.AsType[*audit.Cause](err); ok {
		event.Name, event.Reason = c.Event, c.Reason
	}
	if event.Reason == "" {
		event.Reason = string(portner.AsError(err).Code)
	}
	e.parLog.Emit(ctx, event)
	return err
}
