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

// resolve finds out who asks and what: rows 1 and 2 of idporten section 3.2. The parameters come from
// the request itself, from what the client pushed, or from a signed request object.
func (e *Endpoint) resolve(ctx context.Context, form httpx.Form, now time.Time) (*client.Client, source, *refusal) {
	c, r := e.findClient(ctx, form)
	if r != nil {
		return nil, source{}, r
	}
	object, uri := form.Has("request"), form.Get("request_uri")
	switch {
	case object && uri != "":
		return c, source{}, e.unresolved(c, form, portner.InvalidRequest, "request_and_request_uri",
			"The parameters request and request_uri exclude each other.")
	case uri != "":
		s, r := e.pushedRequest(ctx, c, form, uri, now)
		return c, s, r
	case object:
		s, r := e.requestObject(ctx, c, form, now)
		return c, s, r
	}
	return c, source{form: form}, nil
}

// findClient: row 1. An unknown client has no redirect_uri to go to.
func (e *Endpoint) findClient(ctx context.Context, form httpx.Form) (*client.Client, *refusal) {
	id := form.Get("client_id")
	switch {
	case id == "":
		return nil, page(portner.InvalidRequest, "client_id_missing", "The parameter client_id is required.")
	case repeated(form, "client_id"):
		return nil, page(portner.InvalidRequest, "client_id_repeated", "The parameter client_id was sent twice.").
			as(portner.EventDuplicateParam)
	}
	c, err := client.Lookup(ctx, e.cfg.Clients, id)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return nil, page(portner.InvalidClient, "client_unknown", "The client is not known here.")
	case err != nil:
		return nil, faulty(nil, err)
	}
	return c, nil
}

// unresolved refuses a request whose parameters cannot be had. It goes to the redirect_uri beside
// them if that is a registered one, and to a page otherwise (security row A12).
func (e *Endpoint) unresolved(c *client.Client, form httpx.Form, code portner.ErrorCode, reason, description string) *refusal {
	to, r := newTarget(c, e.cfg.Environment, form)
	if r != nil {
		return page(code, reason, description)
	}
	return to.refuse(code, reason, description)
}

// pushedRequest takes the parameters a client pushed. What stands beside request_uri and client_id is
// ignored (RFC 9126 section 4, RFC 9101 section 6.3). The request stays usable until it led to a code,
// so that a browser's reload works.
func (e *Endpoint) pushedRequest(ctx context.Context, c *client.Client, form httpx.Form, uri string, now time.Time) (source, *refusal) {
	bad := func(code portner.ErrorCode, reason string) (source, *refusal) {
		return source{}, e.unresolved(c, form, code, reason, "The request_uri is unknown, used or expired.")
	}
	secret, ours := strings.CutPrefix(uri, e.cfg.RequestURIPrefix)
	switch {
	case repeated(form, "request_uri"):
		return source{}, page(portner.InvalidRequest, "request_uri_repeated", "The parameter request_uri was sent twice.").
			as(portner.EventDuplicateParam)
	case e.cfg.PushedRequests == nil || strings.HasPrefix(uri, "http:") || strings.HasPrefix(uri, "https:"):
		return source{}, e.unresolved(c, form, portner.RequestURINotSupported, "request_uri_kind",
			"Only a request_uri from the pushed authorization request endpoint is supported.")
	case !ours || !seal.TokenShaped(secret):
		return bad(portner.InvalidRequestURI, "request_uri_form")
	}
	hash := storage.HashOf(uri)
	p, err := e.cfg.PushedRequests.PushedRequest(ctx, hash, now)
	switch {
	case errors.Is(err, storage.ErrNotFound), errors.Is(err, storage.ErrConsumed):
		return bad(portner.InvalidRequestURI, "request_uri_unknown")
	case err != nil:
		return source{}, faulty(nil, fmt.Errorf("%w: reading a pushed request: %w", portner.ErrUnavailable, err))
	case p.ClientID != c.ClientID:
		return bad(portner.InvalidRequestURI, "request_uri_foreign")
	}
	return e.unpark(p.Params, c.ClientID, hash)
}

// park seals parameters for the store: login_hint and id_token_hint may name a person (security row J1).
// Sealed for one row of one client they open in no other.
func (e *Endpoint) park(s source, clientID string, hash storage.Hash) []byte {
	kind := byte(pushedPlain)
	if s.signed {
		kind = pushedSigned
	}
	return e.parked.Seal(append([]byte{kind}, s.form.Encode()...), string(hash[:])+clientID)
}

// The first byte of parked parameters says how the client had sent them.
const (
	pushedPlain  = 'p'
	pushedSigned = 's'
)

// unpark reverses park.
func (e *Endpoint) unpark(sealed []byte, clientID string, hash storage.Hash) (source, *refusal) {
	params, err := e.parked.Open(sealed, string(hash[:])+clientID)
	if err == nil && len(params) > 0 && (params[0] == pushedPlain || params[0] == pushedSigned) {
		var form httpx.Form
		if form, err = httpx.Parse(string(params[1:])); err == nil {
			return source{form: form, pushed: hash, signed: params[0] == pushedSigned}, nil
		}
	}
	return source{}, faulty(nil, errors.New("authorize: a stored pushed request does not open"))
}
