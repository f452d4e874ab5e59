// Command minimal is an OpenID provider with a login page, in memory: authorization code with PKCE, refresh, userinfo, single logout.
package main

import (
	"crypto/sha256"
	"crypto/subtle"
	"html/template"
	"log"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage/memory"
)

var loginPage = template.Must(template.New("login").Parse(`<!doctype html><html lang="en">
<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">
<title>{{if .Failed}}Error: wrong name or password – {{end}}Log in</title>
<main><h1>Log in to {{.Client.Name}}</h1>{{if .Failed}}<p id="failed">Wrong name or password.</p>{{end}}
<form method="post"><input type="hidden" name="csrf" value="{{.CSRF}}">
<p><label>Name <input name="username" autocomplete="username"{{if .Failed}} autofocus aria-describedby="failed"{{end}}></label></p>
<p><label>Password <input name="password" type="password" autocomplete="current-password"></label></p>
<p><button>Log in</button> <button name="cancel" value="1">Cancel</button></p></form></main></html>`))

var users = map[string]string{"kari": "correct horse battery staple"} // replace with your user directory

func main() {
	handler, err := newHandler("http://localhost:8080", slog.New(slog.NewTextHandler(os.Stderr, nil)))
	if err != nil {
		log.Fatal(err)
	}
	srv := &http.Server{Addr: "localhost:8080", Handler: handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second}
	log.Print("http://localhost:8080/.well-known/openid-configuration")
	log.Fatal(srv.ListenAndServe())
}

func newHandler(issuer string, logger *slog.Logger) (http.Handler, error) {
	key, err := keyset.Generate(keyset.RS256)
	if err != nil {
		return nil, err
	}
	keys, err := keyset.New(keyset.Config{Keys: []keyset.Key{key}})
	if err != nil {
		return nil, err
	}
	secret, err := client.NewSecret("q8H2vTz5yWm0RkN7uXc4LbP9sJdF1gAe", time.Now().Add(360*24*time.Hour))
	if err != nil {
		return nil, err
	}
	clients, err := client.NewRegistry(client.Environment{Test: true}, client.Client{
		ClientID: "my-service", ClientName: "My service", Secrets: []client.Secret{secret},
		RedirectURIs: []string{"http://127.0.0.1:9090/callback"}, PostLogoutRedirectURIs: []string{"http://127.0.0.1:9090/"},
		Scopes: []string{"openid", "profile"}, GrantTypes: []string{"authorization_code", "refresh_token"},
	})
	if err != nil {
		return nil, err
	}
	op, err := provider.New(provider.Config{
		Issuer: issuer, Profile: provider.OpenIDConnect(), Store: memory.New(), Keys: keys, Clients: clients, Origins: clients.HasOrigin,
		Page:    page, // at /login; no scope of this program requires consent
		Secrets: []portner.Secret{portner.NewSecret()}, PairwiseKey: portner.NewSecret(), Logger: logger,
	})
	if err != nil {
		return nil, err
	}
	return op, nil
}

// page shows the login form, verifies the password, and logs the user in.
func page(w http.ResponseWriter, r *http.Request, p *authorize.Pending) *authorize.Decision {
	name := r.PostForm.Get("username")
	switch {
	case r.PostForm.Has("cancel"):
		return p.Cancel(r.Context())
	case r.Method == http.MethodPost && passwordOK(name, r.PostForm.Get("password")):
		return p.LogIn(r.Context(), session.Authentication{
			Identity: session.Identity{Subject: name}, ACR: acr.Substantial, AMR: []string{"pwd"},
		})
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = loginPage.Execute(w, struct {
		*authorize.Pending
		Failed bool
	}{p, r.Method == http.MethodPost})
	return nil
}

func passwordOK(name, password string) bool {
	want, given := sha256.Sum256([]byte(users[name])), sha256.Sum256([]byte(password))
	return users[name] != "" && subtle.ConstantTimeCompare(want[:], given[:]) == 1
}
