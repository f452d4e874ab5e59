package httpx

import "slices"

// parameters are the request parameters of the protocols, in order. Responses and logs may contain these names, because they are constants.
var parameters = []string{
	"access_token", "acr_values", "actor_token", "actor_token_type", "assertion", "audience", "authorization_details", "claims", "claims_locales",
	"client_assertion", "client_assertion_type", "client_id", "client_secret", "code", "code_challenge", "code_challenge_method", "code_verifier",
	"display", "dpop_jkt", "grant_type", "id_token_hint", "login_hint", "logout_hint", "max_age", "nonce", "onbehalfof", "password",
	"post_logout_redirect_uri", "prompt", "redirect_uri", "refresh_token", "registration", "request", "request_uri", "requested_token_type",
	"resource", "response_mode", "response_type", "scope", "state", "subject_token", "subject_token_type", "token", "token_type_hint", "ui_locales",
	"username",
}

// KnownParameter returns name if it is a request parameter of the protocols, and "" if it is another text of the peer.
func KnownParameter(name string) string {
	if _, known := slices.BinarySearch(parameters, name); known {
		return name
	}
	return ""
}

// RepeatedText describes a repeated parameter. It names a parameter of the protocols only.
func RepeatedText(name string) string {
	if KnownParameter(name) == "" {
		return "A parameter is repeated."
	}
	return "The parameter " + name + " is repeated."
}
