package logout_test

import (
	"bytes"
	"context"
	"fmt"
	"html/template"
	"net/http"
	"net/http/httptest"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/logout"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage/memory"
)

// A router that is not net/http calls the core and writes the reply, or renders a page of its own.
func ExampleEndpoint_Logout() {
	var endpoint *logout.Endpoint // from logout.New
	handle := func(ctx context.Context, method, query string, header http.Header) portner.Reply {
		form, err := client.ParseForm(query)
		if err != nil {
			return portner.ErrorReply(err)
		}
		return endpoint.Logout(ctx, logout.Request{Method: method, Form: form, Header: header}).Reply()
	}
	_ = handle
}

// A host renders the confirmation in its own language. The functions that are left out send plain English pages.
func ExamplePages() {
	confirm := template.Must(template.New("confirm").Parse(`<!doctype html><title>Logg ut</title><h1>Vil du logge ut?</h1>
<form method="post" action="{{.Action}}"><input type="hidden" name="{{.TokenField}}" value="{{.Token}}">
<button>Logg ut</button> <button name="{{.CancelField}}" value="1">Avbryt</button></form>
`))
	pages := logout.Pages{Confirm: func(p logout.ConfirmPage) portner.Reply {
		var body bytes.Buffer
		if err := confirm.Execute(&body, p); err != nil {
			panic(err)
		}
		return portner.Reply{Body: body.Bytes()}
	}}
	fmt.Printf("%s", pages.Confirm(logout.ConfirmPage{Action: "/logout", TokenField: "token", Token: "T", CancelField: "cancel"}).Body)
	// Output:
	// <!doctype html><title>Logg ut</title><h1>Vil du logge ut?</h1>
	// <form method="post" action="/logout"><input type="hidden" name="token" value="T">
	// <button>Logg ut</button> <button name="cancel" value="1">Avbryt</button></form>
}

func Example() {
	secret := portner.NewSecret()
	vault, err1 := session.NewVault("https://login.example.no", secret)
	sessions, err2 := session.New(session.Config{Store: memory.New(), Vault: vault})
	clients, err3 := client.NewRegistry(client.Environment{})
	key, err4 := keyset.Generate(keyset.ES256)
	keys, err5 := keyset.New(keyset.Config{Keys: []keyset.Key{key}})

	endpoint, err6 := logout.New(logout.Config{
		Issuer: "https://login.example.no", URL: "https://login.example.no/logout",
		Sessions: sessions, Clients: clients, Keys: keys, Secrets: []portner.Secret{secret},
		Subject: func(c *client.Client, id *session.Identity, pseudonymous bool) (string, error) {
			return id.Subject, nil
		},
	})
	fmt.Println(err1, err2, err3, err4, err5, err6)

	w := httptest.NewRecorder()
	endpoint.ServeHTTP(w, httptest.NewRequest("GET", "/logout", nil)) // a browser without a session
	fmt.Println(w.Code)
	// Output:
	// <nil> <nil> <nil> <nil> <nil> <nil>
	// 200
}
