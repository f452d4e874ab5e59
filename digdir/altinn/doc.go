// Package altinn trades access tokens of Maskinporten, ID-porten and Altinn Studio for Altinn's, as the
// platform's GET /authentication/api/v1/exchange/{tokenProvider} does (maskinporten-altinn chapter 3).
//
// [New] gives one handler: the exchange, and the metadata and keys that APIs verify its tokens with. What
// comes out is the same as at Altinn; what decides is stricter (Q15, Q23):
//
//   - iss is compared byte for byte, also for ID-porten, and an issuer's keys verify its own tokens only.
//   - A token that is restricted to another audience is refused.
//   - A token ends no later than the one it came from, unless a [Lifetime] says so as Altinn's does.
//   - An acr that is not in the table is refused, instead of taking its last character for a level.
//
// This is not token exchange by RFC 8693 (see package exchange): there is no form, no client authentication,
// and the answer is the bare token. Whoever holds a token can exchange it.
package altinn
