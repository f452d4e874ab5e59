package token_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/portner-go/portner/token"
)

// The endpoint and its siblings are handlers: mount them where the metadata says.
func Example() {
	config := newFixture(&testing.T{}).cfg // issuer, store, clients, scopes, keys and secrets
	endpoint, err := token.New(config)
	if err != nil {
		fmt.Println(err) // every problem, each with the name of its field
		return
	}
	mux := http.NewServeMux()
	mux.Handle("/token", endpoint)
	mux.Handle("/userinfo", endpoint.UserInfo())
	mux.Handle("/tokeninfo", endpoint.Introspection())
	mux.Handle("/revoke", endpoint.Revocation())

	form := url.Values{"grant_type": {"authorization_code"}, "code": {"guessed"}, "client_id": {"spa"}}
	request := httptest.NewRequest("POST", "https://login.example.no/token", strings.NewReader(form.Encode()))
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer := httptest.NewRecorder()
	mux.ServeHTTP(answer, request)
	fmt.Println(answer.Code, answer.Body)
	// Output: 400 {"error":"invalid_grant","error_description":"The code or refresh token is not valid."}
}
