package client

import (
	"crypto/x509"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/httpx"
)

// Form holds the parameters of a form or query. The zero value is empty. It prints as the names of its parameters.
type Form httpx.Form

// ParseForm parses application/x-www-form-urlencoded text. It returns a *portner.Error if the text is malformed, too large
// or repeats a parameter other than resource and audience.
func ParseForm(text string) (Form, error) {
	if len(text) > httpx.MaxBody {
		return Form{}, httpx.TooLarge()
	}
	f, err := httpx.Parse(text)
	if err != nil {
		return Form{}, err
	}
	return unique(f)
}

func unique(f httpx.Form) (Form, error) {
	if err := f.Unique(); err != nil {
		return Form{}, err
	}
	return Form(f), nil
}

// Get returns the value of a parameter, "" if it is missing.
func (f Form) Get(name string) string { return httpx.Form(f).Get(name) }

// Has reports whether a parameter has a value. A parameter without a value counts as missing (RFC 6749 §3.2).
func (f Form) Has(name string) bool { return f.Get(name) != "" }

// All returns every value of a parameter. Only resource and audience may have more than one.
func (f Form) All(name string) []string { return httpx.Form(f).All(name) }

// Names returns the names of the parameters in order.
func (f Form) Names() []string { return httpx.Form(f).Names() }

// String returns the names of the parameters without their values.
func (f Form) String() string { return httpx.Form(f).String() }

// Format writes the names of the parameters without their values, for every verb.
func (f Form) Format(s fmt.State, verb rune) { httpx.Form(f).Format(s, verb) }

// Request is a request that a client sends directly to an endpoint of the provider: token, pushed authorization,
// introspection, revocation or userinfo. It prints as REDACTED.
type Request struct {
	Method      string            // POST; GET is valid for userinfo only
	Form        Form              // the body
	Header      http.Header       // Authorization, DPoP and Accept are read
	Certificate *x509.Certificate // certificate of the TLS client, whose key it has proven to have; nil if there is none
	RemoteAddr  string            // host or host:port of the peer, for limits
	// Intermediates are the certificates that the TLS client sent after Certificate.
	Intermediates []*x509.Certificate
	// CorrelationID is part of the events of this request. It may be "".
	CorrelationID string
}

// RequestFrom reads a Request from r: the body of a POST within limits, the header and the certificates of the TLS client. certificates
// returns the latter; if it is nil, they are those of r.TLS. The errors of RequestFrom are *portner.Error values.
//
// RequestFrom rejects a POST with a query, and every request with an access token in the query (RFC 6750 §2.3 advises against
// it). It does not check the method; the endpoints do.
func RequestFrom(w http.ResponseWriter, r *http.Request, certificates CertificateFunc) (Request, error) {
	req := Request{Method: r.Method, Header: r.Header, RemoteAddr: r.RemoteAddr}
	chain, err := certificates.of(r)
	if err != nil {
		return Request{}, err
	}
	if len(chain) > 0 {
		req.Certificate, req.Intermediates = chain[0], chain[1:]
	}
	if r.Method != http.MethodPost {
		return req, checkQuery(r)
	}
	form, err := readForm(w, r)
	if err != nil {
		return Request{}, err
	}
	req.Form, err = unique(form)
	return req, err
}

// readForm reads the body of a POST. An empty body without a media type is an empty form: a request to userinfo with the
// token in its header has no parameters.
func readForm(w http.ResponseWriter, r *http.Request) (httpx.Form, error) {
	if r.ContentLength == 0 && len(r.Header["Content-Type"]) == 0 && r.URL.RawQuery == "" {
		return httpx.Form{}, nil
	}
	return httpx.ReadPost(w, r)
}

// checkQuery rejects an access token in the query of a request without a body.
func checkQuery(r *http.Request) error {
	if r.URL.RawQuery == "" {
		return nil
	}
	query, err := httpx.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return err
	}
	if query.Count("access_token") > 0 {
		return &portner.Error{Code: portner.InvalidRequest, Description: "The access token must not be sent in the URL."}
	}
	return nil
}

// String returns "REDACTED".
func (Request) String() string { return "REDACTED" }

// Format writes "REDACTED" for every verb.
func (Request) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("REDACTED")) }

// LogValue returns "REDACTED".
func (Request) LogValue() slog.Value { return slog.StringValue("REDACTED") }

// MarshalText returns "REDACTED".
func (Request) MarshalText() ([]byte, error) { return []byte("REDACTED"), nil }
