package portnertest

import (
	"fmt"
	"slices"
)

// Rule names a rule for clients. docs/testing.md lists the rules with their sources.
type Rule string

// Rules that concern what the tested app sends.
const (
	PKCEMissing          Rule = "pkce_missing"             // no code_challenge with the method S256
	StateMissing         Rule = "state_missing"            // no state
	StateShort           Rule = "state_short"              // fewer than 22 characters, or few different ones
	StateReused          Rule = "state_reused"             // the state of an earlier request
	NonceMissing         Rule = "nonce_missing"            // no nonce
	NonceReused          Rule = "nonce_reused"             // the nonce of an earlier request
	VerifierWeak         Rule = "verifier_weak"            // a code_verifier that can be guessed
	VerifierReused       Rule = "verifier_reused"          // the code_verifier of an earlier request
	RedirectHTTP         Rule = "redirect_http"            // a redirect URI over http outside loopback
	SecretInURL          Rule = "secret_in_url"            // a secret, code or assertion of the client in a URL
	TokenInURL           Rule = "token_in_url"             // an access token in a URL
	IDTokenAsAccessToken Rule = "id_token_as_access_token" // an id_token where an access token belongs
	CodeReused           Rule = "code_reused"              // a code a second time
	RefreshReused        Rule = "refresh_token_reused"     // a refresh token that has a successor
	AssertionAudience    Rule = "assertion_audience"       // aud is not the issuer
	AssertionReused      Rule = "assertion_reused"         // the jti of an earlier assertion
	AssertionWithoutJTI  Rule = "assertion_without_jti"    // no jti
	AssertionLifetime    Rule = "assertion_lifetime"       // more than 120 s from iat to exp
)

// Rules that concern what the tested app accepts. The browser probes them before the first login.
const (
	StateUnchecked     Rule = "state_unchecked"     // a response with another state
	NonceUnchecked     Rule = "nonce_unchecked"     // an id_token with another nonce
	ACRUnchecked       Rule = "acr_unchecked"       // an id_token with a lower level than the request
	SignatureUnchecked Rule = "signature_unchecked" // an id_token that another key signed
	AudienceUnchecked  Rule = "audience_unchecked"  // an id_token for another client
	IssuerUnchecked    Rule = "issuer_unchecked"    // an id_token of another issuer
	ExpiryUnchecked    Rule = "expiry_unchecked"    // an expired id_token
)

// Rules that concern the logout, which EndSession reports.
const (
	LogoutUnregistered Rule = "logout_unregistered" // the client has no logout URI
	FrontchannelLogout Rule = "frontchannel_logout" // the front-channel call does not end the login at the app
	BackchannelLogout  Rule = "backchannel_logout"  // the back-channel call is not accepted, or does not end the login at the app
)

// source is the page of a rule.
var sources = map[Rule]string{
	PKCEMissing:          "docs.digdir.no: oidc_func_pkce; RFC 9700 §2.1.1",
	StateMissing:         "docs.digdir.no: oidc_protocol_authorize; RFC 6749 §10.12",
	StateShort:           "RFC 6749 §10.10, §10.12",
	StateReused:          "RFC 6749 §10.12",
	NonceMissing:         "docs.digdir.no: oidc_protocol_authorize; OIDC Core §3.1.2.1",
	NonceReused:          "OIDC Core §15.5.2",
	VerifierWeak:         "RFC 7636 §7.1",
	VerifierReused:       "RFC 7636 §4.1",
	RedirectHTTP:         "docs.digdir.no: oidc_func_clientreg; RFC 9700 §2.6",
	SecretInURL:          "RFC 6749 §2.3.1; RFC 9700 §4.2",
	TokenInURL:           "RFC 9700 §4.3.2",
	IDTokenAsAccessToken: "docs.digdir.no: oidc_guide_idporten; OIDC Core §5.3.1",
	CodeReused:           "RFC 6749 §4.1.2",
	RefreshReused:        "docs.digdir.no: oidc_protocol_token; RFC 9700 §4.14.2",
	AssertionAudience:    "docs.digdir.no: oidc_protocol_token; RFC 7523 §3",
	AssertionReused:      "docs.digdir.no: maskinporten_protocol_jwtgrant; RFC 7523 §3",
	AssertionWithoutJTI:  "docs.digdir.no: maskinporten_protocol_jwtgrant; OIDC Core §9",
	AssertionLifetime:    "docs.digdir.no: maskinporten_protocol_jwtgrant",
	StateUnchecked:       "RFC 6749 §10.12; RFC 9700 §4.7",
	NonceUnchecked:       "docs.digdir.no: oidc_guide_idporten; OIDC Core §3.1.3.7",
	ACRUnchecked:         "docs.digdir.no: oidc_guide_idporten, oidc_protocol_id_token",
	SignatureUnchecked:   "docs.digdir.no: oidc_guide_idporten; OIDC Core §3.1.3.7",
	AudienceUnchecked:    "docs.digdir.no: oidc_guide_idporten; OIDC Core §3.1.3.7",
	IssuerUnchecked:      "docs.digdir.no: oidc_guide_idporten; OIDC Core §3.1.3.7",
	ExpiryUnchecked:      "docs.digdir.no: oidc_guide_idporten; OIDC Core §3.1.3.7",
	LogoutUnregistered:   "docs.digdir.no: oidc_func_sso, oidc_protocol_logout",
	FrontchannelLogout:   "docs.digdir.no: oidc_guide_idporten, oidc_protocol_logout",
	BackchannelLogout:    "docs.digdir.no: oidc_func_backchannel_logout; OIDC Back-Channel Logout §2.8",
}

// report reports a mistake of a client, once for each rule and client.
func (p *Provider) report(rule Rule, clientID, format string, args ...any) {
	if p.cfg.Lenient || slices.Contains(p.cfg.Allow, rule) {
		return
	}
	key := string(rule) + " " + clientID
	p.mu.Lock()
	reported := p.reported[key]
	p.reported[key] = true
	p.mu.Unlock()
	if !reported {
		of := ""
		if clientID != "" { // a request with a token only does not name the client
			of = fmt.Sprintf("client %q: ", clientID)
		}
		p.t.Errorf("portnertest: %s: %s%s (%s)", rule, of, fmt.Sprintf(format, args...), sources[rule])
	}
}
