package authorize_test

import (
	"context"
	"net/http"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/session"
)

// A login page shows a form on GET, with the fields authorize.RequestField (pending.Sealed) and authorize.CSRFField
// (pending.CSRF), and reads it on POST.
func ExampleEndpoint_Page() {
	var endpoint *authorize.Endpoint // from authorize.New
	http.Handle("/login", endpoint.Page(func(w http.ResponseWriter, r *http.Request, pending *authorize.Pending) *authorize.Decision {
		if r.Method != http.MethodPost || r.PostForm.Get("password") != "correct" {
			return nil // the form is written to w
		}
		return pending.LogIn(r.Context(), session.Authentication{
			Identity: session.Identity{Subject: r.PostForm.Get("username")},
			ACR:      acr.Substantial, AMR: []string{"Password"},
		})
	}))
}

// foreignRequest is what a router other than net/http gives to a handler.
type foreignRequest struct {
	method, query, body, peer string
	header                    http.Header
}

// A router that is not net/http reads the query, calls the core, and writes the reply.
func ExampleEndpoint_Authorize() {
	var endpoint *authorize.Endpoint // from authorize.New
	handle := func(ctx context.Context, r foreignRequest) portner.Reply {
		form, err := client.ParseForm(r.query)
		if err != nil {
			return portner.ErrorReply(err)
		}
		d := endpoint.Authorize(ctx, authorize.Request{Method: r.method, Form: form, Header: r.header, RemoteAddr: r.peer})
		return d.Reply() // or a page of the host, if d.Interaction is set
	}
	_ = handle
}

// A pushed authorization request is a request of a client, with its credentials.
func ExampleEndpoint_Push() {
	var endpoint *authorize.Endpoint // from authorize.New
	handle := func(ctx context.Context, r foreignRequest) portner.Reply {
		form, err := client.ParseForm(r.body)
		if err != nil {
			return portner.ErrorReply(err)
		}
		pushed, err := endpoint.Push(ctx, client.Request{Method: r.method, Form: form, Header: r.header, RemoteAddr: r.peer})
		if err != nil {
			return portner.ErrorReply(err)
		}
		return pushed.Reply()
	}
	_ = handle
}
