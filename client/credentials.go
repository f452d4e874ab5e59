package client

import (
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"github.com/portner-go/portner"
)

const (
	maxClientID = 256 // security section 0.6

	// assertionType is the only client_assertion_type (RFC 7523 section 2.2).
	assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
)

// Credentials is what a request says about who sends it. It prints as REDACTED.
type Credentials struct {
	Authorization       []string // all values of the header
	ClientID            string   // form parameter client_id
	ClientSecret        string   // form parameter client_secret
	HasClientSecret     bool     // there is one
	ClientAssertionType string   // form parameter client_assertion_type
	ClientAssertion     string   // form parameter client_assertion
	HasClientAssertion  bool     // there is one
	RemoteAddr          string   // host or host:port of the caller; guesses are counted by it

	// Endpoint and CorrelationID are copied into events.
	Endpoint      string
	CorrelationID string
}

// Form is the read side of a parsed form.
type Form interface {
	Get(name string) string // the first value, "" if there is none
	Has(name string) bool   // whether it was sent with a value
}

// CredentialsFrom collects the credentials of a request whose body is form. A parameter without a value
// counts as omitted (RFC 6749 section 3.2).
func CredentialsFrom(r *http.Request, form Form) Credentials {
	return Credentials{
		Authorization:       r.Header["Authorization"],
		ClientID:            form.Get("client_id"),
		ClientSecret:        form.Get("client_secret"),
		HasClientSecret:     form.Get("client_secret") != "",
		ClientAssertionType: form.Get("client_assertion_type"),
		ClientAssertion:     form.Get("client_assertion"),
		HasClientAssertion:  form.Get("client_assertion") != "",
		RemoteAddr:          r.RemoteAddr,
	}
}

// String returns "REDACTED".
func (Credentials) String() string { return "REDACTED" }

// Format writes "REDACTED" for every verb.
func (Credentials) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("REDACTED")) }

// LogValue returns "REDACTED".
func (Credentials) LogValue() slog.Value { return slog.StringValue("REDACTED") }

// MarshalText returns "REDACTED".
func (Credentials) MarshalText() ([]byte, error) { return []byte("REDACTED"), nil }

// presented is the one mechanism a request uses.
type presented struct {
	method   string
	clientID string
	secret   string
}

// guessable reports whether trying often enough could succeed.
func (p presented) guessable() bool {
	return p.method == ClientSecretBasic || p.method == ClientSecretPost
}

// mechanism finds the one mechanism the request uses. RFC 6749 section 2.3: the client MUST NOT use
// more than one authentication method in each request.
func (c Credentials) mechanism() (presented, error) {
	assertion := c.HasClientAssertion || c.ClientAssertionType != ""
	used := 0
	for _, b := range [...]bool{len(c.Authorization) > 0, c.HasClientSecret, assertion} {
		if b {
			used++
		}
	}
	switch {
	case used > 1 || len(c.Authorization) > 1:
		return presented{}, badRequest("More than one client authentication method was used.")
	case len(c.Authorization) == 1:
		return c.basic()
	case assertion:
		return c.assertion()
	case c.ClientID == "" && c.HasClientSecret:
		return presented{}, badRequest("The parameter client_id is missing.")
	case c.ClientID == "":
		return presented{}, refusedNothing
	case c.HasClientSecret:
		return presented{method: ClientSecretPost, clientID: c.ClientID, secret: c.ClientSecret}, nil
	}
	return presented{method: None, clientID: c.ClientID}, nil
}

func badRequest(description string) error {
	return &portner.Error{Code: portner.InvalidRequest, Description: description}
}

// assertion demands the client_id parameter beside an assertion (idporten section 5.1). What the
// assertion itself says about the client is believed after its signature.
func (c Credentials) assertion() (presented, error) {
	switch {
	case c.ClientAssertionType != assertionType:
		return presented{}, badRequest("The parameter client_assertion_type is missing or unknown.")
	case !c.HasClientAssertion:
		return presented{}, badRequest("The parameter client_assertion is missing.")
	case c.ClientID == "":
		return presented{}, badRequest("The parameter client_id is missing.")
	}
	return presented{method: PrivateKeyJWT, clientID: c.ClientID}, nil
}

// basic reads an Authorization header. RFC 6749 section 5.2 wants invalid_client for every header that
// does not authenticate, of whichever scheme.
func (c Credentials) basic() (presented, error) {
	id, secret, ok := decodeBasic(c.Authorization[0])
	if !ok {
		return presented{}, refusedHeader
	}
	if c.ClientID != "" && c.ClientID != id {
		return presented{}, refusedDisagreement
	}
	return presented{method: ClientSecretBasic, clientID: id, secret: secret}, nil
}

var strictBase64 = base64.StdEncoding.Strict()

// decodeBasic decodes HTTP Basic credentials as RFC 6749 section 2.3.1 has them: both halves
// form-encoded once. There is one spelling only: padded base64 without spare bits or line breaks, and
// exactly one ':', because an encoded half has none (security row E3).
func decodeBasic(header string) (id, secret string, ok bool) {
	scheme, encoded, ok := strings.Cut(header, " ")
	if !ok || !strings.EqualFold(scheme, "Basic") {
		return "", "", false
	}
	encoded = strings.TrimLeft(encoded, " ") // RFC 9110 section 11.4: 1*SP
	if strings.ContainsAny(encoded, "\r\n") {
		return "", "", false // the decoder would skip them
	}
	raw, err := strictBase64.DecodeString(encoded)
	if err != nil {
		return "", "", false
	}
	id, secret, ok = strings.Cut(string(raw), ":")
	if !ok || strings.Contains(secret, ":") {
		return "", "", false
	}
	if id, ok = unescapeHalf(id); !ok || id == "" {
		return "", "", false
	}
	secret, ok = unescapeHalf(secret)
	return id, secret, ok
}

func unescapeHalf(s string) (string, bool) {
	if !vschar(s) {
		return "", false
	}
	s, err := url.QueryUnescape(s)
	return s, err == nil && vschar(s)
}
