// Package app is an application outside of the module. It adds claims of its own, selects public subjects, and answers token requests
// in a handler of its router.
package app

import (
	"context"
	"fmt"
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/storage/memory"
	"github.com/portner-go/portner/token"
)

// New returns the handler of an issuer.
func New(issuer string, keys *keyset.Set, clients *client.Registry) (http.Handler, error) {
	profile := provider.IDPorten()
	profile.SubjectType, profile.SubjectTypesSupported = client.Public, []string{client.Public, client.Pairwise}
	op, err := provider.New(provider.Config{
		Issuer: issuer, Profile: profile, Store: memory.New(), Keys: keys, Clients: clients,
		Users: token.UserFunc(user), Claims: claims, Page: page,
		Secrets: []portner.Secret{portner.NewSecret()}, PairwiseKey: portner.NewSecret(),
	})
	if err != nil {
		return nil, err
	}
	r := chi.NewRouter()
	r.Post("/token", issue(op.Token))
	r.Handle("/*", op)
	return r, nil
}

func claims(_ context.Context, d *token.Document) error {
	d.Set("roles", d.User.Claims["roles"])
	d.Set("tenant_id", d.User.Claims["tenant_id"])
	return nil
}

var users = map[string]token.User{
	"kari": {Claims: map[string]any{"roles": []string{"admin", "reader"}, "tenant_id": "t1"}},
}

func user(_ context.Context, subject string) (token.User, error) {
	if u, ok := users[subject]; ok {
		return u, nil
	}
	return token.User{}, storage.ErrNotFound
}

// issue answers token requests with the core of the token endpoint.
func issue(endpoint *token.Endpoint) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var res *token.Response
		req, err := client.RequestFrom(w, r, nil)
		if err == nil {
			res, err = endpoint.Issue(r.Context(), req)
		}
		w.Header().Set("X-Route", chi.RouteContext(r.Context()).RoutePattern())
		if err != nil {
			send(w, portner.ErrorReply(err))
			return
		}
		send(w, res.Reply())
	}
}

func send(w http.ResponseWriter, reply portner.Reply) {
	for name, values := range reply.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(reply.Status)
	_, _ = w.Write(reply.Body)
}

func page(w http.ResponseWriter, r *http.Request, p *authorize.Pending) *authorize.Decision {
	if name := r.PostForm.Get("user"); name != "" {
		return p.LogIn(r.Context(), session.Authentication{Identity: session.Identity{Subject: name}, ACR: "idporten-loa-high", AMR: []string{"pwd"}})
	}
	fmt.Fprintf(w, `<form method="post"><input name="request" value="%s"><input name="csrf" value="%s"><input name="user"></form>`, p.Sealed, p.CSRF())
	return nil
}
