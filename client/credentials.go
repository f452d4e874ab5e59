package client

import (
	"encoding/base64"
	"net/url"
	"strings"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/audit"
	"github.com/portner-go/portner/internal/jose"
)

const (
	maxClientID = 256

	// assertionType is the only client_assertion_type (RFC 7523 §2.2).
	assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
)

// credentials are what a request authenticates with.
type credentials struct {
	method    string
	clientID  string
	secret    string
	assertion string
}

// isSecret reports whether the credentials are a secret. Only those are counted as attempts: a signature cannot be guessed, and a failed
// assertion says nothing about the next one.
func (c credentials) isSecret() bool {
	return c.method == ClientSecretBasic || c.method == ClientSecretPost
}

// credentials finds the credentials of the request. RFC 6749 §2.3: the client must not use more than one authentication
// method in each request.
func (a *Authenticator) credentials(r *Request) (credentials, error) {
	authorization := r.Header["Authorization"]
	clientID, secret := r.Form.Get("client_id"), r.Form.Get("client_secret")
	assertion := r.Form.Has("client_assertion") || r.Form.Has("client_assertion_type")
	used := 0
	for _, b := range [...]bool{len(authorization) > 0, secret != "", assertion} {
		if b {
			used++
		}
	}
	switch {
	case used > 1 || len(authorization) > 1:
		return credentials{}, badRequest("auth_method_repeated", "More than one client authentication method was used.")
	case len(authorization) == 1:
		return basicCredentials(authorization[0], clientID)
	case assertion:
		return a.assertionCredentials(r, clientID)
	case clientID == "" && secret != "":
		return credentials{}, badRequest("client_id_missing", "The parameter client_id is missing.")
	case clientID == "":
		return credentials{}, rejectedNothing
	case secret != "":
		return credentials{method: ClientSecretPost, clientID: clientID, secret: secret}, nil
	}
	return credentials{method: None, clientID: clientID}, nil
}

func badRequest(reason, description string) error {
	return &portner.Error{Code: portner.InvalidRequest, Description: description, Err: &audit.Cause{Event: portner.EventRefused, Reason: reason}}
}

// assertionCredentials finds the client of an assertion: RFC 7521 §4.2: client_id is optional, because sub names the client. The claims
// of the assertion are read again after its signature is verified; until then sub only selects the keys.
func (a *Authenticator) assertionCredentials(r *Request, clientID string) (credentials, error) {
	assertion := r.Form.Get("client_assertion")
	switch {
	case r.Form.Get("client_assertion_type") != assertionType:
		return credentials{}, badRequest("client_assertion_type_unknown", "The parameter client_assertion_type is missing or unknown.")
	case assertion == "":
		return credentials{}, badRequest("client_assertion_missing", "The parameter client_assertion is missing.")
	case clientID == "" && a.cfg.RequireClientID:
		return credentials{}, badRequest("client_id_missing", "The parameter client_id is missing.")
	case clientID == "":
		var reason *rejection
		if clientID, reason = a.unverifiedSubject(assertion); reason != nil {
			return credentials{}, reason
		}
	}
	return credentials{method: PrivateKeyJWT, clientID: clientID, assertion: assertion}, nil
}

// unverifiedSubject returns the sub of an assertion whose signature has not been verified.
func (a *Authenticator) unverifiedSubject(assertion string) (string, *rejection) {
	claims, err := jose.PeekPayload(assertion, a.maxToken())
	if err != nil {
		return "", rejectedMalformed
	}
	sub, err := claims.String("sub")
	if err != nil || sub == "" {
		return "", rejectedSubject
	}
	return sub, nil
}

// basicCredentials reads an Authorization field. RFC 6749 §5.2: the error for a field that does not authenticate is
// invalid_client, whatever its scheme.
func basicCredentials(authorization, clientID string) (credentials, error) {
	id, secret, ok := decodeBasic(authorization)
	if !ok {
		return credentials{}, rejectedHeader
	}
	if clientID != "" && clientID != id {
		return credentials{}, rejectedDisagreement
	}
	return credentials{method: ClientSecretBasic, clientID: id, secret: secret}, nil
}

var strictBase64 = base64.StdEncoding.Strict()

// decodeBasic decodes HTTP Basic credentials (RFC 6749 §2.3.1): identifier and secret are form-encoded once. It accepts one
// spelling only: padded base64 without spare bits or line breaks, and exactly one ':', because the encoded parts have none.
func decodeBasic(header string) (id, secret string, ok bool) {
	scheme, encoded, ok := strings.Cut(header, " ")
	if !ok || !strings.EqualFold(scheme, "Basic") {
		return "", "", false
	}
	encoded = strings.TrimLeft(encoded, " ") // RFC 9110 §11.4: 1*SP
	if strings.ContainsAny(encoded, "\r\n") {
		return "", "", false // the decoder skips them
	}
	var room [256]byte // most credentials fit
	raw, err := strictBase64.AppendDecode(room[:0], []byte(encoded))
	if err != nil {
		return "", "", false
	}
	id, secret, ok = strings.Cut(string(raw), ":")
	if !ok || strings.Contains(secret, ":") {
		return "", "", false
	}
	if id, ok = unescapePart(id); !ok || id == "" {
		return "", "", false
	}
	secret, ok = unescapePart(secret)
	return id, secret, ok
}

func unescapePart(s string) (string, bool) {
	if !isPrintable(s) {
		return "", false
	}
	s, err := url.QueryUnescape(s)
	return s, err == nil && isPrintable(s)
}
