package httpx

import (
	"errors"
	"strings"
)

// Errors of [Credentials], [BearerToken] and [AccessToken].
var (
	ErrNoToken               = errors.New("httpx: no access token in the Authorization header field")
	ErrAuthorizationRepeated = errors.New("httpx: the Authorization header field is repeated")
	ErrAuthorizationInvalid  = errors.New("httpx: the Authorization header field has no valid access token")
)

// Scheme is an authentication scheme for access tokens.
type Scheme string

// The schemes of bearer tokens (RFC 6750 §2.1) and of tokens that are bound to a key (RFC 9449 §7.1).
const (
	Bearer Scheme = "Bearer"
	DPoP   Scheme = "DPoP"
)

// BearerToken returns the token in the values of the Authorization header field (RFC 6750 §2.1). It returns ErrNoToken if there is no value
// or its scheme is another one, and ErrAuthorizationInvalid if the text after the scheme is not a b64token.
func BearerToken(authorization []string) (string, error) {
	scheme, token, err := AccessToken(authorization)
	if scheme == DPoP {
		return "", ErrNoToken
	}
	return token, err
}

// AccessToken returns the access token in the values of the Authorization header field, and its scheme. It returns ErrNoToken if there is no
// value or its scheme is neither Bearer nor DPoP, and ErrAuthorizationInvalid if the text after the scheme is not a token68 (RFC 9110
// §11.2).
func AccessToken(authorization []string) (Scheme, string, error) {
	scheme, token, err := Credentials(authorization)
	if err == nil && !isToken68(token) {
		return scheme, "", ErrAuthorizationInvalid
	}
	return scheme, token, err
}

// Credentials is AccessToken without the check of the syntax of the token. It is for the endpoints that look a token up, where a malformed
// token is an unknown one. The scheme is set with ErrAuthorizationInvalid too.
func Credentials(authorization []string) (Scheme, string, error) {
	if len(authorization) == 0 {
		return "", "", ErrNoToken
	}
	if len(authorization) > 1 {
		return "", "", ErrAuthorizationRepeated
	}
	name, token, _ := strings.Cut(authorization[0], " ")
	var scheme Scheme
	switch { // RFC 9110 §11.1: without regard to case
	case strings.EqualFold(name, string(Bearer)):
		scheme = Bearer
	case strings.EqualFold(name, string(DPoP)):
		scheme = DPoP
	default:
		return "", "", ErrNoToken
	}
	if token = strings.TrimLeft(token, " "); token == "" {
		return scheme, "", ErrAuthorizationInvalid
	}
	return scheme, token, nil
}

// isToken68 reports whether s has the syntax of a token68, which is that of a bearer token (RFC 6750 §2.1).
func isToken68(s string) bool {
	body := strings.TrimRight(s, "=")
	for i := range len(body) {
		c := body[i]
		if !('A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || strings.IndexByte("-._~+/", c) >= 0) {
			return false
		}
	}
	return body != ""
}
