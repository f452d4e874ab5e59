package httpx

import (
	"errors"
	"strings"
)

// Errors of [BearerToken] and [BearerCredentials].
var (
	ErrNoBearerToken         = errors.New("httpx: no bearer token")
	ErrAuthorizationRepeated = errors.New("httpx: the Authorization header field is repeated")
	ErrAuthorizationInvalid  = errors.New("httpx: the Authorization header field has no valid bearer token")
)

// BearerToken returns the token in the values of the Authorization header field (RFC 6750 §2.1). It returns ErrNoBearerToken if
// there is no value or its scheme is another one, and ErrAuthorizationInvalid if the text after the scheme is not a b64token.
func BearerToken(authorization []string) (string, error) {
	token, err := BearerCredentials(authorization)
	if err != nil {
		return "", err
	}
	if !isB64Token(token) {
		return "", ErrAuthorizationInvalid
	}
	return token, nil
}

// BearerCredentials is BearerToken without the check of the syntax of the token. It is for the endpoints that look a token up,
// where a malformed token is an unknown one.
func BearerCredentials(authorization []string) (string, error) {
	if len(authorization) == 0 {
		return "", ErrNoBearerToken
	}
	if len(authorization) > 1 {
		return "", ErrAuthorizationRepeated
	}
	scheme, token, _ := strings.Cut(authorization[0], " ")
	if !strings.EqualFold(scheme, "Bearer") { // RFC 9110 §11.1: without regard to case
		return "", ErrNoBearerToken
	}
	if token = strings.TrimLeft(token, " "); token == "" {
		return "", ErrAuthorizationInvalid
	}
	return token, nil
}

// isB64Token reports whether s has the syntax of a bearer token (RFC 6750 §2.1).
func isB64Token(s string) bool {
	body := strings.TrimRight(s, "=")
	for i := range len(body) {
		c := body[i]
		if !('A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || strings.IndexByte("-._~+/", c) >= 0) {
			return false
		}
	}
	return body != ""
}
