// Command embed shows a provider inside a host: users and clients in a database, pages, claims of the host and rotating keys.
package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"html/template"
	"log"
	"net/http"
	"os"
	"time"

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

type app struct{ db *sql.DB }

var pages = template.Must(template.ParseGlob("*.html")) // named after the steps: login, step-up, consent

func main() {
	db, err1 := sql.Open("sqlite", "app.db") // the host imports a driver of its choice
	keys, err2 := keyset.Directory{Path: "keys", Alg: keyset.ES256}.Open()
	op, err3 := newProvider(db, keys)
	if err := errors.Join(err1, err2, err3); err != nil {
		log.Fatal(err) // names every invalid field, short and placeholder secrets included
	}
	go keys.Run(context.Background())
	server := &http.Server{Addr: "localhost:8080", Handler: op, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second}
	log.Fatal(server.ListenAndServe())
}

func newProvider(db *sql.DB, keys *keyset.Set) (*provider.Provider, error) {
	a := &app{db: db}
	return provider.New(provider.Config{
		Issuer: "https://login.example.no", Profile: provider.OpenIDConnect(), Store: memory.New(), Keys: keys,
		Clients: client.Cache(client.SourceFunc(a.client), 1000, time.Minute), Users: token.UserFunc(a.user), Claims: claims,
		Page:    a.page, // at /login, /step-up and /consent
		Secrets: []portner.Secret{portner.Secret(os.Getenv("APP_SECRET"))}, PairwiseKey: portner.Secret(os.Getenv("APP_PAIRWISE_KEY")),
	})
}

func (a *app) load(ctx context.Context, query, id string) (text []byte, err error) {
	if err = a.db.QueryRowContext(ctx, query, id).Scan(&text); errors.Is(err, sql.ErrNoRows) {
		err = storage.ErrNotFound
	}
	return text, err
}

func (a *app) client(ctx context.Context, id string) (*client.Client, error) {
	text, err := a.load(ctx, "select registration from client where id = ?", id)
	if err != nil {
		return nil, err
	}
	return client.Parse(text, client.Environment{}) // {"client_id": "app", "subject_type": "public", …}; others have "pairwise"
}

// user loads a user, once per request: {"roles": ["admin"], "tenant_id": "t1"}. An unknown user loses every token.
func (a *app) user(ctx context.Context, id string) (u token.User, err error) {
	text, err := a.load(ctx, "select claims from user where id = ?", id)
	if err == nil {
		err = json.Unmarshal(text, &u.Claims)
	}
	return u, err
}

func claims(_ context.Context, d *token.Document) error {
	d.Set("roles", d.User.Claims["roles"]) // in id_token, access token, introspection and userinfo
	d.Set("tenant_id", d.User.Claims["tenant_id"])
	return nil
}

func (a *app) page(w http.ResponseWriter, r *http.Request, p *authorize.Pending) *authorize.Decision {
	switch user, factors := check(r, p.User); { // p.User is the user of a step-up
	case r.PostForm.Has("cancel"):
		return p.Cancel(r.Context())
	case p.Step == authorize.ConsentStep && r.Method == http.MethodPost:
		return p.Consent(r.Context(), r.PostForm["scope"]) // the other scopes shown are declined
	case p.Step != authorize.ConsentStep && user != "":
		return p.LogIn(r.Context(), session.Authentication{Identity: session.Identity{Subject: user}, AMR: factors})
	}
	_ = pages.ExecuteTemplate(w, string(p.Step), p) // posts the fields request and csrf back
	return nil
}

// check is the password check of the host; at a step-up, the check of the second factor.
var check = func(*http.Request, string) (user string, factors []string) { return }
