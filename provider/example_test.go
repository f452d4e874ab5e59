package provider_test

import (
	"fmt"
	"html/template"
	"net/http"
	"net/http/httptest"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage/memory"
)

var loginForm = template.Must(template.New("").Parse(`<form method="post"><input type="hidden" name="csrf" value="{{.CSRF}}">…</form>`))

// A plain OpenID provider with a login page of the host.
func Example() {
	key, _ := keyset.Generate(keyset.RS256) // or keyset.Directory for files that rotate, or a crypto.Signer of an HSM
	keys, _ := keyset.New(keyset.Config{Keys: []keyset.Key{key}})
	clients, _ := client.NewRegistry(client.Environment{}, client.Client{
		ClientID: "my-app", ApplicationType: client.Native, RedirectURIs: []string{"http://127.0.0.1/cb"}, Scopes: []string{"openid", "profile"},
	})
	op, err := provider.New(provider.Config{
		Issuer: "https://login.example.no", Profile: provider.OpenIDConnect(), Store: memory.New(), Keys: keys, Clients: clients,
		Secrets: []portner.Secret{portner.NewSecret()}, PairwiseKey: portner.NewSecret(), // of the host's secret store
		Page: func(w http.ResponseWriter, r *http.Request, p *authorize.Pending) *authorize.Decision { // at /login
			if r.Method != http.MethodPost {
				_ = loginForm.Execute(w, p)
				return nil
			}
			// The host checks r.PostForm against its own users here.
			return p.LogIn(r.Context(), session.Authentication{Identity: session.Identity{Subject: "user-4711"}, AMR: []string{"pwd"}})
		},
	})
	if err != nil {
		panic(err) // every problem of the configuration, each with the name of its field
	}

	w := httptest.NewRecorder()
	op.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/.well-known/openid-configuration", nil))
	fmt.Println(w.Code, w.Body.Len() > 500)
	// Output: 200 true
}
