package token_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/token"
)

// The endpoint and its siblings are handlers. Mount them at the paths of the metadata.
func Example() {
	config := newFixture(&testing.T{}).cfg // issuer, store, clients, scopes, keys and secrets
	endpoint, err := token.New(config)
	if err != nil {
		fmt.Println(err) // every problem, with the name of the field
		return
	}
	mux := http.NewServeMux()
	mux.Handle("/token", endpoint)
	mux.Handle("/userinfo", endpoint.UserInfo())
	mux.Handle("/introspect", endpoint.Introspection())
	mux.Handle("/revoke", endpoint.Revocation())

	form := url.Values{"grant_type": {"authorization_code"}, "code": {"guessed"}, "client_id": {"spa"}}
	request := httptest.NewRequest("POST", "https://login.example.no/token", strings.NewReader(form.Encode()))
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response := httptest.NewRecorder()
	mux.ServeHTTP(response, request)
	fmt.Println(response.Code, response.Body)
	// Output: 400 {"error":"invalid_grant","error_description":"The code or refresh token is not valid."}
}

// A handler of the host calls the core and writes a response format of its own.
func ExampleEndpoint_Issue() {
	endpoint, _ := token.New(newFixture(&testing.T{}).cfg)
	handler := func(w http.ResponseWriter, r *http.Request) {
		var res *token.Response
		request, err := client.RequestFrom(w, r, nil)
		if err == nil {
			res, err = endpoint.Issue(r.Context(), request)
		}
		w.Header().Set("Cache-Control", "no-store")
		if err != nil {
			w.WriteHeader(portner.ErrorReply(err).Status)
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"ok": err == nil, "token": res})
	}

	form := url.Values{"grant_type": {"authorization_code"}, "code": {"guessed"}, "client_id": {"spa"}}
	request := httptest.NewRequest("POST", "https://login.example.no/token", strings.NewReader(form.Encode()))
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response := httptest.NewRecorder()
	handler(response, request)
	fmt.Println(response.Code, response.Body)
	// Output: 400 {"ok":false,"token":null}
}

// A claims function adds roles and the tenant of the user to id_tokens, access tokens, introspection and userinfo.
func ExampleClaimsFunc() {
	config := newFixture(&testing.T{}).cfg
	config.Users = token.UserFunc(func(_ context.Context, subject string) (token.User, error) {
		return token.User{Claims: map[string]any{"roles": []string{"admin"}, "tenant_id": "t1"}}, nil
	})
	config.Claims = append(config.Claims, func(_ context.Context, d *token.Document) error {
		d.Set("roles", d.User.Claims["roles"])
		d.Set("tenant_id", d.User.Claims["tenant_id"])
		return nil
	})
	_, err := token.New(config)
	fmt.Println(err)
	// Output: <nil>
}

// Vouchers is a store of the host. Redeem consumes the voucher and inserts the issuance in one transaction.
type Vouchers interface {
	Voucher(ctx context.Context, hash storage.Hash) (subject string, err error)
	Redeem(ctx context.Context, hash storage.Hash, i *storage.Issuance) error
}

// A grant handler exchanges a voucher for tokens, once.
func ExampleGrantHandler() {
	var vouchers Vouchers
	invalid := &portner.Error{Code: portner.InvalidGrant, Description: "The voucher is unknown or was used."}
	handler := token.GrantHandler{
		Type: "urn:example:grant-type:voucher",
		Handle: func(ctx context.Context, r *token.Request, m *token.Minter) (*token.Response, error) {
			hash := storage.HashOf(r.Form.Get("voucher"))
			subject, err := vouchers.Voucher(ctx, hash)
			if errors.Is(err, storage.ErrNotFound) {
				return nil, invalid
			} else if err != nil {
				return nil, err // a fault: 500, or 503 if it wraps portner.ErrUnavailable
			}
			res, err := m.Mint(ctx, token.Contents{
				Client: r.Client, Identity: session.Identity{Subject: subject}, Scopes: r.Client.Scopes,
			}, func(ctx context.Context, i *storage.Issuance) error { return vouchers.Redeem(ctx, hash, i) })
			if errors.Is(err, storage.ErrConsumed) {
				return nil, invalid // another request was first
			}
			return res, err
		},
	}
	config := newFixture(&testing.T{}).cfg
	config.GrantHandlers = []token.GrantHandler{handler}
	_, err := token.New(config)
	fmt.Println(err)
	// Output: <nil>
}
