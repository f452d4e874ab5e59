// Command example is an OpenID provider whose nodes share one Redis: start it several times behind a load balancer.
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

	goredis "github.com/redis/go-redis/v9"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage/redis"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	handler, err := newHandler(ctx)
	if err != nil {
		return err
	}
	srv := &http.Server{Addr: "localhost:8080", Handler: handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second}
	return srv.ListenAndServe()
}

func newHandler(ctx context.Context) (http.Handler, error) {
	options, err := goredis.ParseURL(os.Getenv("REDIS_URL")) // redis://user:password@host:6379/0; rediss:// for TLS
	if err != nil {
		return nil, errors.New("REDIS_URL is no valid URL") // err may have the password
	}
	options.ContextTimeoutEnabled = true
	logger := slog.New(slog.NewTextHandler(os.Stderr, nil))
	store, err := redis.New(ctx, goredis.NewClient(options), redis.Config{Logger: logger})
	if err != nil {
		return nil, err
	}
	go store.Run(ctx)

	secrets := []portner.Secret{portner.Secret(os.Getenv("LOGIN_SECRET"))} // the same on every node
	keys, err1 := keyset.Shared{Store: store, Set: "login", Secrets: secrets, Alg: keyset.ES256}.Open(ctx)
	clients, err2 := client.NewRegistry(client.Environment{Test: true}, client.Client{
		ClientID: "my-app", ApplicationType: client.Native, RedirectURIs: []string{"http://127.0.0.1/cb"}, Scopes: []string{"openid", "profile"},
	})
	op, err3 := provider.New(provider.Config{
		Issuer: "http://localhost:8080", Profile: provider.OpenIDConnect(), Keys: keys, Clients: clients, Page: page,
		Store: store, PushedRequests: store, Replay: store, Secrets: secrets, PairwiseKey: portner.Secret(os.Getenv("LOGIN_PAIRWISE_KEY")),
		Logger: logger,
	})
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	go keys.Run(ctx)
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
