package exchange_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/exchange"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage/memory"
	"github.com/portner-go/portner/token"
)

// A policy under which the client "service" may exchange tokens of the client "portal", also for another API.
func ExamplePolicy() {
	policy := exchange.Policy(func(_ context.Context, r *exchange.Request) (exchange.Decision, error) {
		if r.Own || r.Subject.ClientID == "portal" && r.Client.ClientID == "service" {
			return exchange.Decision{Audience: []string{"https://arkiv.example.no"}}, nil
		}
		return exchange.Decision{}, exchange.ErrRejected
	})
	_, err := policy(context.Background(), &exchange.Request{Subject: exchange.Token{ClientID: "portal"}, Client: authenticated("other")})
	fmt.Println(err)
	// Output: exchange: rejected by policy
}

// A client exchanges a token of its own for one with fewer scopes. The handler is for provider.Config.GrantHandlers.
func Example() {
	handler, err := exchange.New(exchange.Config{
		Issuer: "https://login.example.no", Store: memory.New(), Vault: vault(), Scopes: scopes(),
	})
	fmt.Println(handler.Type, err)
	// Output: urn:ietf:params:oauth:grant-type:token-exchange <nil>
}

// A machine has a token for two scopes, and exchanges it for one that it passes on to a part of its system that needs only one of them.
func Example_tokenEndpoint() {
	op, secret, err := newProvider()
	if err != nil {
		fmt.Println(err)
		return
	}
	post := func(form url.Values) (response struct {
		AccessToken string `json:"access_token"`
		Scope       string
		Error       string
	},
	) {
		r := httptest.NewRequest(http.MethodPost, issuer+"/token", strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.SetBasicAuth("batch", secret)
		w := httptest.NewRecorder()
		op.ServeHTTP(w, r)
		_ = json.Unmarshal(w.Body.Bytes(), &response)
		return response
	}

	all := post(url.Values{"grant_type": {"client_credentials"}, "scope": {"nav:sak.read nav:sak.write"}})
	fmt.Println(all.Scope)
	request := url.Values{
		"grant_type": {exchange.GrantType}, "subject_token": {all.AccessToken}, "subject_token_type": {exchange.AccessToken},
		"scope": {"nav:sak.read"},
	}
	narrow := post(request)
	fmt.Println(narrow.Scope, narrow.AccessToken != all.AccessToken)

	request.Set("subject_token", narrow.AccessToken)
	request.Set("scope", "nav:sak.write")
	fmt.Println(post(request).Error)
	// Output:
	// nav:sak.read nav:sak.write
	// nav:sak.read true
	// invalid_scope
}

// newProvider returns a provider with token exchange, and the secret of its client "batch".
func newProvider() (op *provider.Provider, clientSecret string, err error) {
	clientSecret = client.GenerateSecret()
	hashed, err1 := client.NewSecret(clientSecret, time.Time{})
	clients, err2 := client.NewRegistry(client.Environment{}, client.Client{
		ClientID: "batch", Secrets: []client.Secret{hashed}, Scopes: []string{"nav:sak.read", "nav:sak.write"},
		GrantTypes: []string{"client_credentials", exchange.GrantType},
	})
	scopes, err3 := scope.NewRegistry([]scope.Scope{
		{Name: "nav:sak.read", AccessibleForAll: true}, {Name: "nav:sak.write", AccessibleForAll: true},
	}, nil)
	key, err4 := keyset.Generate(keyset.ES256)
	keys, err5 := keyset.New(keyset.Config{Keys: []keyset.Key{key}})
	secret, store := portner.NewSecret(), memory.New()
	vault, err6 := session.NewVault(issuer, secret) // the secrets of the provider
	handler, err7 := exchange.New(exchange.Config{Issuer: issuer, Store: store, Vault: vault, Scopes: scopes})
	op, err8 := provider.New(provider.Config{
		Issuer: issuer, Profile: provider.OpenIDConnect(), Store: store, Keys: keys, Clients: clients, Scopes: scopes,
		Secrets: []portner.Secret{secret}, PairwiseKey: portner.NewSecret(),
		GrantHandlers: []token.GrantHandler{token.ClientCredentials(store), handler},
	})
	return op, clientSecret, errors.Join(err1, err2, err3, err4, err5, err6, err7, err8)
}

const issuer = "https://login.example.no"

func vault() *session.Vault {
	v, err := session.NewVault("https://login.example.no", portner.NewSecret())
	if err != nil {
		panic(err)
	}
	return v
}

func scopes() scope.Source {
	r, err := scope.NewRegistry(nil, nil)
	if err != nil {
		panic(err)
	}
	return r
}
