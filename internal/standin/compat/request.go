package compat

import (
	"bytes"
	"context"
	"encoding/base64"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/httpx"
	"github.com/portner-go/portner/internal/jose"
)

// request is what this package reads of a request to an endpoint, beside the provider. It is in the context of the request.
type request struct {
	endpoint string     // "/token"
	form     url.Values // of the body, or of the query of a GET
	clientID string     // that the request names; not authenticated
	secret   string     // that it sends
	method   string     // how it authenticates, "" if it names a client only
	// derived reports that the new token is derived from a presented one; base are claims of that one, and audience is what the request names.
	derived  bool
	base     map[string]any
	audience []string
	// apis are audiences that the switch client-audience allows although they are clients.
	apis []string
}

type requestKey struct{}

func requestOf(ctx context.Context) *request {
	r, _ := ctx.Value(requestKey{}).(*request)
	return r
}

// tokenRequest returns the request of a context if it is one for tokens.
func tokenRequest(ctx context.Context) *request {
	if r := requestOf(ctx); r != nil && r.endpoint == "/token" {
		return r
	}
	return nil
}

var (
	errTooLarge  = httpx.TooLarge()
	errMalformed = &portner.Error{Code: portner.InvalidRequest, Description: "The request is malformed."}
)

// read returns the request, and r with its body as it was. The provider reads the body again and decides whether it is valid.
func read(r *http.Request, endpoint string) (*request, *http.Request, error) {
	text := r.URL.RawQuery
	if r.Method == http.MethodPost {
		body, err := io.ReadAll(io.LimitReader(r.Body, httpx.MaxBody+1))
		if err != nil {
			return nil, r, errMalformed
		}
		if len(body) > httpx.MaxBody {
			return nil, r, errTooLarge
		}
		r.Body, text = io.NopCloser(bytes.NewReader(body)), string(body)
	}
	in := &request{endpoint: endpoint}
	in.form, _ = url.ParseQuery(text) // the provider rejects what is malformed
	in.credentials(r.Header)
	return in, r.WithContext(context.WithValue(r.Context(), requestKey{}, in)), nil
}

// credentials reads which client the request names, and how it authenticates (RFC 6749 §2.3).
func (in *request) credentials(h http.Header) {
	scheme, encoded, _ := strings.Cut(h.Get("Authorization"), " ")
	switch assertion := in.form.Get("client_assertion"); {
	case strings.EqualFold(scheme, "Basic"):
		pair, _ := base64.StdEncoding.DecodeString(encoded)
		id, secret, _ := strings.Cut(string(pair), ":")
		in.clientID, _ = url.QueryUnescape(id)
		in.secret, _ = url.QueryUnescape(secret)
		in.method = client.ClientSecretBasic
	case assertion != "":
		in.clientID = in.form.Get("client_id")
		if in.clientID == "" {
			in.clientID = jose.Peek(assertion, httpx.MaxBody, "sub")
		}
		in.method = client.PrivateKeyJWT
	default:
		in.clientID, in.secret = in.form.Get("client_id"), in.form.Get("client_secret")
		if in.secret != "" {
			in.method = client.ClientSecretPost
		}
	}
}

// authenticates reports whether clients authenticate at the endpoint of the request.
func (in *request) authenticates() bool {
	return in.endpoint == "/token" || in.endpoint == "/introspect" || in.endpoint == "/revoke"
}

// replace changes one parameter of the body.
func (in *request) replace(r *http.Request, name, value string) {
	in.form.Set(name, value)
	text := in.form.Encode()
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
	r.Header.Del("Content-Length")
}
