package resource

import (
	"crypto/x509"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/httpx"
)

// Request holds the parts of a request to the API that [Verifier.Verify] reads.
type Request struct {
	// Method is the HTTP method. Required for tokens that are bound to a key.
	Method string
	// Path is the path of the URL as the client sent it: escaped, from the first slash, without the query. Required for tokens that
	// are bound to a key.
	Path string
	// Authorization holds the values of the Authorization header field.
	Authorization []string
	// DPoP holds the values of the DPoP header field.
	DPoP []string
	// Certificate is the certificate of the client in the TLS connection, nil if there is none. It need not be of a trusted issuer:
	// tokens are bound to the certificate itself (RFC 8705 §3).
	Certificate *x509.Certificate
	// Query is the raw query of the request. A token in it is rejected (RFC 6750 §5.3).
	Query string
}

// RequestFrom returns the parts of r that [Verifier.Verify] reads. The path is that of the request line, also below
// http.StripPrefix; a host behind a proxy that changes the path sets r.RequestURI to the one that the client sent. The certificate is that of
// r.TLS: behind a proxy that terminates TLS it is not the one of the client.
func RequestFrom(r *http.Request) Request {
	request := Request{
		Method: r.Method, Path: sentPath(r), Authorization: r.Header["Authorization"], DPoP: r.Header["Dpop"], Query: r.URL.RawQuery,
	}
	if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
		request.Certificate = r.TLS.PeerCertificates[0]
	}
	return request
}

// sentPath returns the path of the request line.
func sentPath(r *http.Request) string {
	if path, _, _ := strings.Cut(r.RequestURI, "?"); strings.HasPrefix(path, "/") {
		return path
	}
	if u, err := url.ParseRequestURI(r.RequestURI); err == nil { // absolute-form (RFC 9112 §3.2.2)
		return u.EscapedPath()
	}
	return r.URL.EscapedPath() // of a request that no server read
}

// Bearer returns a request with token in its Authorization header field. It is for tokens that are not received over HTTP.
func Bearer(token string) Request { return Request{Authorization: []string{"Bearer " + token}} }

// credentials returns the access token of a request, and its scheme, which is set with some errors too. Without a policy for proofs, the
// scheme DPoP is an unknown one.
func (v *Verifier) credentials(r *Request) (httpx.Scheme, string, error) {
	if r.tokenInQuery() {
		return "", "", badRequest("token_in_query", "The access token belongs in the Authorization header.")
	}
	scheme, token, err := httpx.AccessToken(r.Authorization)
	if scheme == httpx.DPoP && v.dpop == nil {
		scheme, err = "", httpx.ErrNoToken
	}
	switch {
	case err == nil:
		return scheme, token, nil
	case errors.Is(err, httpx.ErrNoToken):
		return "", "", &Error{Description: "no access token", Reason: "token_missing"}
	case errors.Is(err, httpx.ErrAuthorizationRepeated):
		return "", "", badRequest("authorization_repeated", "There is more than one Authorization header.")
	}
	return scheme, "", badRequest("authorization_malformed", "The Authorization header is malformed.")
}

func (r *Request) tokenInQuery() bool {
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
