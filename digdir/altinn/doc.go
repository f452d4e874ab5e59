// Package altinn exchanges access tokens of Maskinporten, ID-porten and Altinn Studio for tokens of Altinn, as the endpoint
// GET /authentication/api/v1/exchange/{tokenProvider} of Altinn's platform does (docs.altinn.studio: Authentication, exchange).
//
// [New] returns one handler with the exchange, the metadata and the keys, and with the refresh and the introspection of its tokens if they are
// configured. Its tokens have the same claims as Altinn's. Its validation is stricter:
//
//   - iss is compared byte for byte, and the keys of an issuer verify the tokens of that issuer only.
//   - A token with another audience is rejected.
//   - The new token does not outlive the exchanged one, unless a [Lifetime] allows it.
//   - A token with an unknown acr is rejected. Altinn uses the last character of acr as the level.
//
// This is not token exchange by RFC 8693, which package exchange implements: there is no form and no client authentication, and
// the response is the bare token. Every holder of a token can exchange it.
package altinn
