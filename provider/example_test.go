package provider_test

import (
	"fmt"
	"html/template"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/dpop"
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

// The requirements of FAPI 2.0 that remain with the host.
func ExampleProvider_Report() {
	key, _ := keyset.Generate(keyset.ES256)
	keys, _ := keyset.New(keyset.Config{Keys: []keyset.Key{key}})
	clients, _ := client.NewRegistry(client.Environment{})
	store := memory.New()
	op, err := provider.New(provider.Config{
		Issuer: "https://bank.example.no", Profile: provider.FAPI2(), Store: store, PushedRequests: store, Replay: store, Keys: keys, Clients: clients,
		DPoP: &dpop.Policy{Replay: store}, Secrets: []portner.Secret{portner.NewSecret()}, PairwiseKey: portner.NewSecret(),
	})
	if err != nil {
		panic(err)
	}
	for _, r := range op.Report() {
		if i := strings.Index(r.Met, "host:"); i >= 0 {
			fmt.Println(r.Section, r.Met[i:])
		}
	}
	// Output:
	// FAPI 2.0 Security Profile §5.2.1 host: the listeners use TLSConfig; the issuer is https
	// FAPI 2.0 Security Profile §5.2.2 host: Strict-Transport-Security on every response; the authorization endpoint has no CORS fields
	// FAPI 2.0 Security Profile §5.3.2.2-13 host: the consent page shows the scopes and details of Pending and the name of the client
	// FAPI 2.0 Security Profile §5.3.4 host: APIs use package resource with the rule SenderConstrained
}
