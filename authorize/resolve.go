package authorize

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/httpx"
	"github.com/portner-go/portner/internal/seal"
	"github.com/portner-go/portner/storage"
)

// resolve finds the client and the parameters of a request: its own, those of a pushed request, or those of a signed request object.
func (e *Endpoint) resolve(ctx context.Context, form httpx.Form, now time.Time) (*client.Client, source, *refusal) {
	c, r := e.findClient(ctx, form)
	if r != nil {
		return nil, source{}, r
	}
	object, uri := form.Has("request"), form.Get("request_uri")
	switch {
	case object && uri != "":
		return c, source{}, e.unresolved(c, form, portner.InvalidRequest, "request_and_request_uri",
			"The parameters request and request_uri must not be combined.")
	case uri != "":
		s, r := e.pushedRequest(ctx, c, form, uri, now)
		return c, s, r
	case object:
		s, r := e.requestObject(ctx, c, form, now, false)
		return c, s, r
	}
	return c, source{form: form}, nil
}

// findClient returns the registration of the client. Its refusals are error pages, because no redirect_uri is registered.
func (e *Endpoint) findClient(ctx context.Context, form httpx.Form) (*client.Client, *refusal) {
	id := form.Get("client_id")
	switch {
	case id == "":
		return nil, page(portner.InvalidRequest, "client_id_missing", "The parameter client_id is required.")
	case repeated(form, "client_id"):
		return nil, page(portner.InvalidRequest, "client_id_repeated", "The parameter client_id is repeated.").
			as(portner.EventDuplicateParam)
	}
	c, err := client.Lookup(ctx, e.cfg.Clients, id)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return nil, page(portner.InvalidClient, "client_unknown", "The client_id is not registered.")
	case err != nil:
		return nil, faulty(nil, err)
	}
	return c, nil
}

// unresolved refuses a request whose parameters cannot be read. The refusal is sent to the redirect_uri of the request if it is
// registered, and is an error page otherwise.
func (e *Endpoint) unresolved(c *client.Client, form httpx.Form, code portner.ErrorCode, reason, description string) *refusal {
	to, r := newTarget(c, e.cfg.Environment, form)
	if r != nil {
		return page(code, reason, description)
	}
	return to.refuse(code, reason, description)
}

// pushedRequest loads the parameters of a pushed request. Parameters beside request_uri and client_id are ignored (RFC 9126 §4, RFC
// 9101 §6.3), or rejected where Config.RequestURIAlone says so. The request stays valid until it has led to a code, so that a browser may reload.
func (e *Endpoint) pushedRequest(ctx context.Context, c *client.Client, form httpx.Form, uri string, now time.Time) (source, *refusal) {
	bad := func(code portner.ErrorCode, reason string) (source, *refusal) {
		return source{}, e.unresolved(c, form, code, reason, "The request_uri is unknown, consumed or expired.")
	}
	secret, ours := strings.CutPrefix(uri, e.cfg.RequestURIPrefix)
	switch {
	case repeated(form, "request_uri"):
		return source{}, page(portner.InvalidRequest, "request_uri_repeated", "The parameter request_uri is repeated.").
			as(portner.EventDuplicateParam)
	case e.cfg.PushedRequests == nil || strings.HasPrefix(uri, "http:") || strings.HasPrefix(uri, "https:"):
		return source{}, e.unresolved(c, form, portner.RequestURINotSupported, "request_uri_unsupported",
			"The request_uri must come from the pushed authorization request endpoint.")
	case !ours || !seal.TokenShaped(secret):
		return bad(portner.InvalidRequestURI, "request_uri_malformed")
	}
	hash := storage.HashOf(uri)
	p, err := e.cfg.PushedRequests.PushedRequest(ctx, hash, now)
	switch {
	case errors.Is(err, storage.ErrNotFound), errors.Is(err, storage.ErrConsumed):
		return bad(portner.InvalidRequestURI, "request_uri_unknown")
	case err != nil:
		return source{}, faulty(nil, fmt.Errorf("%w: loading a pushed request: %w", portner.ErrUnavailable, err))
	case p.ClientID != c.ClientID:
		return bad(portner.InvalidRequestURI, "request_uri_client_mismatch")
	}
	s, refused := e.openPushed(p.Params, c.ClientID, hash)
	if refused == nil && e.cfg.RequestURIAlone && len(form.Without("client_id", "request_uri").Names()) > 0 {
		refused = e.unresolved(c, s.form, portner.InvalidRequest, "request_uri_not_alone", "Only client_id may be sent with request_uri.")
	}
	return s, refused
}

// sealPushed seals parameters for the store, because login_hint and id_token_hint may identify a user. They open only with the
// same client and hash.
func (e *Endpoint) sealPushed(s source, clientID string, hash storage.Hash) []byte {
	kind := byte(pushedPlain)
	if s.signed {
		kind = pushedSigned
	}
	return e.pushed.Seal(append([]byte{kind}, s.form.Encode()...), sealedFor(clientID, hash))
}

// sealedFor returns the associated data of sealed parameters.
func sealedFor(clientID string, hash storage.Hash) string { return string(hash[:]) + clientID }

// First byte of sealed parameters: whether they came from a request object.
const (
	pushedPlain  = 'p'
	pushedSigned = 's'
)

// openPushed reverses sealPushed.
func (e *Endpoint) openPushed(sealed []byte, clientID string, hash storage.Hash) (source, *refusal) {
	params, err := e.pushed.Open(sealed, sealedFor(clientID, hash))
	if err == nil && len(params) > 0 && (params[0] == pushedPlain || params[0] == pushedSigned) {
		var form httpx.Form
		if form, err = httpx.Parse(string(params[1:])); err == nil {
			return source{form: form, pushed: hash, signed: params[0] == pushedSigned}, nil
		}
	}
	return source{}, faulty(nil, errors.New("authorize: a stored pushed request does not open"))
}
