package resource

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/httpx"
)

// Request holds the parts of a request to the API that [Verifier.Verify] reads.
type Request struct {
	// Authorization holds the values of the Authorization header field.
	Authorization []string
	// Query is the raw query of the request. A token in it is rejected (RFC 6750 §5.3).
	Query string
}

// RequestFrom returns the parts of r that [Verifier.Verify] reads.
func RequestFrom(r *http.Request) Request {
	return Request{Authorization: r.Header["Authorization"], Query: r.URL.RawQuery}
}

// Bearer returns a request with token in its Authorization header field. It is for tokens that are not received over HTTP.
func Bearer(token string) Request { return Request{Authorization: []string{"Bearer " + token}} }

// bearerToken returns the token of the request.
func (r Request) bearerToken() (string, error) {
	if r.tokenInQuery() {
		return "", badRequest("token_in_query", "The access token belongs in the Authorization header.")
	}
	token, err := httpx.BearerToken(r.Authorization)
	switch {
	case err == nil:
		return token, nil
	case errors.Is(err, httpx.ErrNoToken):
		return "", &Error{Description: "no bearer token", Reason: "token_missing"}
	case errors.Is(err, httpx.ErrAuthorizationRepeated):
		return "", badRequest("authorization_repeated", "There is more than one Authorization header.")
	}
	return "", badRequest("authorization_malformed", "The Authorization header is malformed.")
}

func (r Request) tokenInQuery() bool {
	if r.Query == "" {
		return false
	}
	// As in (*url.URL).Query, parameters with a bad encoding are skipped: the API does not read them either.
	values, _ := url.ParseQuery(r.Query)
	return values.Has("access_token")
}

func badRequest(reason, description string) *Error {
	return &Error{Code: portner.InvalidRequest, Description: description, Reason: reason}
}
