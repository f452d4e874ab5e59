// Package resource is what an API needs to accept access tokens of Maskinporten, ID-porten, Ansattporten
// and Altinn, and of any issuer of JWT or opaque bearer tokens: middleware for net/http, and the plain
// functions it is made of.
//
//	a [Verifier] answers: is this token the issuer's, for us, and valid now?       401 invalid_token
//	[Rules] answer:       may a caller with this token use this resource?          403, or a step-up
//
// [Verifier.Protect] asks both and hands the [Token] on in the request's context. Everything is checked by
// default: the exact issuer (a trailing slash counts), algorithms, the key, times, foreign audiences, that
// the token is an access token and not a login or logout token, that the organisation in it is coded in a
// way that is trusted. What relaxes a check is a field that says so.
//
// # Who is calling
//
// A token of a login has sub and acr ([Token.Person]); a machine's has neither ([Token.Machine]), even
// with a pid in it: a pid says whom the call is about, not that this person logged in. Access is decided
// on the consumer, the organisation that legally consumes the API, and for a system user on the customer
// in [Token.SystemUser]; never on client_id. There is no revocation of a token that is verified by its
// signature: do not remember a decision beyond [Token.ExpiresAt].
//
// A [Token] shows neither person nor authorization_details when it is printed or logged.
//
// Rules: maskinporten-altinn chapter 2, RFC 6750, RFC 7662, RFC 9068, RFC 9470.
package resource
