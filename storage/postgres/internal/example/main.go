// Command example is an OpenID provider whose nodes share one PostgreSQL: start as many as you like.
package main

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"html/template"
	"log"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage/postgres"
)

const issuer = "http://localhost:8080"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	handler, err := newHandler(ctx, os.Getenv("DATABASE_URL"))
	if err != nil {
		log.Print(err)
		return
	}
	server := &http.Server{Addr: "localhost:8080", Handler: handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	log.Print(server.ListenAndServe())
}

// newHandler returns the provider and a readiness probe. Its background work ends with ctx.
func newHandler(ctx context.Context, database string) (http.Handler, error) {
	// The nodes have the same secrets: they seal and derive what another node opens.
	secrets, pairwise := []portner.Secret{portner.Secret(os.Getenv("APP_SECRET"))}, portner.Secret(os.Getenv("APP_PAIRWISE_KEY"))
	logger := slog.Default()

	pool, err := pgxpool.New(ctx, database)
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, pool.Close)
	if err := postgres.Migrate(ctx, pool); err != nil { // or portner-postgres migrate, with a role of its own
		return nil, err
	}
	store, err := postgres.New(ctx, pool, postgres.Config{Logger: logger})
	if err != nil {
		return nil, err
	}
	go store.Run(ctx) // removes expired records
	keys, err := keyset.Shared{Store: store, Set: issuer, Secrets: secrets, Alg: keyset.ES256, Logger: logger}.Open(ctx)
	if err != nil {
		return nil, err
	}
	go keys.Run(ctx) // makes the next key, on one of the nodes

	clients, err1 := client.NewRegistry(client.Environment{Test: true}, client.Client{
		ClientID: "my-service", ClientName: "My service", ApplicationType: "native", TokenEndpointAuthMethod: "none",
		RedirectURIs: []string{"http://127.0.0.1:9090/callback"}, Scopes: []string{"openid", "profile"},
		GrantTypes: []string{"authorization_code", "refresh_token"},
	})
	op, err2 := provider.New(provider.Config{
		Issuer: issuer, Profile: provider.OpenIDConnect(), Store: store, Keys: keys, Clients: clients,
		PushedRequests: store, Page: page, Secrets: secrets, PairwiseKey: pairwise, Logger: logger,
	})
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if store.Ping(r.Context()) != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	return op.Handler(mux), nil
}

var loginPage = template.Must(template.New("login").Parse(`<!doctype html><html lang="en"><title>Log in</title>
<form method="post"><input type="hidden" name="csrf" value="{{.CSRF}}">
<p><label>Name <input name="username"></label> <label>Password <input name="password" type="password"></label> <button>Log in</button></form></html>`))

// page shows the login form, verifies the password, and logs the user in.
func page(w http.ResponseWriter, r *http.Request, p *authorize.Pending) *authorize.Decision {
	given, want := sha256.Sum256([]byte(r.PostForm.Get("password"))), sha256.Sum256([]byte("correct horse battery staple"))
	if r.Method == http.MethodPost && r.PostForm.Get("username") == "kari" && subtle.ConstantTimeCompare(given[:], want[:]) == 1 {
		return p.LogIn(r.Context(), session.Authentication{Identity: session.Identity{Subject: "kari"}, ACR: acr.Substantial, AMR: []string{"pwd"}})
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if err := loginPage.Execute(w, p); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	return nil
}
