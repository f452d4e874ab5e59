// Package cores shows the endpoints called with values, from a router that is not net/http and from a handler with a response format
// of its own.
package cores

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/token"
)

// foreignContext is what such a router passes to a handler.
type foreignContext struct {
	context.Context
	method, query, body, peer string
	header                    http.Header
	sent                      portner.Reply
}

func (c *foreignContext) send(r portner.Reply) error {
	c.sent = r
	return nil
}

func (c *foreignContext) request() (client.Request, error) {
	form, err := client.ParseForm(c.body)
	return client.Request{Method: c.method, Form: form, Header: c.header, RemoteAddr: c.peer}, err
}

func tokenEndpoint(op *provider.Provider, c *foreignContext) error {
	r, err := c.request()
	if err != nil {
		return c.send(portner.ErrorReply(err))
	}
	res, err := op.Token.Issue(c, r)
	if err != nil {
		return c.send(portner.ErrorReply(err))
	}
	return c.send(res.Reply())
}

// tokenHandler is a handler of net/http with a response format of its own.
func tokenHandler(op *provider.Provider) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var res *token.Response
		req, err := client.RequestFrom(w, r, nil)
		if err == nil {
			res, err = op.Token.Issue(r.Context(), req)
		}
		w.Header().Set("Cache-Control", "no-store")
		_ = json.NewEncoder(w).Encode(map[string]any{"ok": err == nil, "token": res})
	}
}

func introspection(op *provider.Provider, c *foreignContext) error {
	r, err := c.request()
	if err != nil {
		return c.send(portner.ErrorReply(err))
	}
	claims, err := op.Token.Introspect(c, r)
	if err != nil {
		return c.send(portner.ErrorReply(err))
	}
	return c.send(claims.Reply())
}

func pushedRequest(op *provider.Provider, c *foreignContext) error {
	r, err := c.request()
	if err != nil {
		return c.send(portner.ErrorReply(err))
	}
	pushed, err := op.Authorize.Push(c, r)
	if err != nil {
		return c.send(portner.ErrorReply(err))
	}
	return c.send(pushed.Reply())
}

func authorization(op *provider.Provider, c *foreignContext) error {
	form, err := client.ParseForm(c.query)
	if err != nil {
		return c.send(portner.ErrorReply(err))
	}
	d := op.Authorize.Authorize(c, authorize.Request{Method: c.method, Form: form, Header: c.header, RemoteAddr: c.peer})
	if d.Interaction != nil && d.Interaction.Step == authorize.LoginStep {
		return c.send(loginPage(d.Header, d.Interaction)) // rendered at once, without a redirect to Pages.Login
	}
	return c.send(d.Reply())
}

func loginPage(h http.Header, p *authorize.Pending) portner.Reply {
	form := fmt.Sprintf(`<form method="post" action="/login"><input name="request" value="%s"><input name="csrf" value="%s">`, p.Sealed, p.CSRF())
	return portner.Reply{Status: http.StatusOK, Header: h, Body: []byte(form)}
}
