// Command example is an OpenID provider of one machine. Users stay logged in when it is restarted.
package main

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage/sqlite"
)

const issuer = "http://localhost:8080"

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() (err error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	logger := slog.New(slog.NewTextHandler(os.Stderr, nil))
	store, err := sqlite.Open(ctx, "provider.db", sqlite.Config{Logger: logger})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	go store.Run(ctx)
	handler, err := newHandler(ctx, store, logger)
	if err != nil {
		return err
	}
	srv := &http.Server{Addr: "localhost:8080", Handler: handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second}
	drained := make(chan error, 1)
	go func() {
		<-ctx.Done()
		drained <- srv.Shutdown(context.WithoutCancel(ctx))
	}()
	if err := srv.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-drained
}

func newHandler(ctx context.Context, store *sqlite.Store, logger *slog.Logger) (http.Handler, error) {
	secrets := []portner.Secret{portner.Secret(os.Getenv("LOGIN_SECRET"))} // 32 random bytes, the same after a restart
	keys, err := keyset.Shared{Store: store, Set: issuer, Secrets: secrets, Alg: keyset.ES256, Logger: logger}.Open(ctx)
	if err != nil {
		return nil, err
	}
	go keys.Run(ctx)
	clients, err := client.NewRegistry(client.Environment{Test: true}, client.Client{
		ClientID: "my-app", ApplicationType: client.Native, RedirectURIs: []string{"http://127.0.0.1/cb"}, Scopes: []string{"openid", "profile"},
	})
	if err != nil {
		return nil, err
	}
	op, err := provider.New(provider.Config{
		Issuer: issuer, Profile: provider.OpenIDConnect(), Keys: keys, Clients: clients, Page: page,
		Store: store, PushedRequests: store, Replay: store, Secrets: secrets, PairwiseKey: portner.Secret(os.Getenv("LOGIN_PAIRWISE_KEY")),
		Logger: logger,
	})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if err := store.Ping(r.Context()); err != nil {
			http.Error(w, "the store is unavailable", http.StatusServiceUnavailable)
		}
	})
	return op.Handler(mux), nil
}

var loginPage = template.Must(template.New("login").Parse(`<!doctype html><html lang="en"><title>Log in</title>
<form method="post"><input type="hidden" name="csrf" value="{{.CSRF}}">
<label>Name <input name="username"></label> <button>Log in</button></form></html>`))

// page logs every name in: replace it with the check of a password.
func page(w http.ResponseWriter, r *http.Request, p *authorize.Pending) *authorize.Decision {
	if name := r.PostForm.Get("username"); r.Method == http.MethodPost && name != "" {
		return p.LogIn(r.Context(), session.Authentication{Identity: session.Identity{Subject: name}, ACR: acr.Substantial, AMR: []string{"pwd"}})
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = loginPage.Execute(w, p)
	return nil
}
