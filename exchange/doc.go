// Package exchange implements token exchange (RFC 8693) as a grant handler of package token. A client presents a token and
// receives one for fewer scopes, for another API, or for a subject on whose behalf it acts.
//
//	g, err := exchange.New(exchange.Config{Issuer: issuer, Store: store, Vault: vault, Scopes: scopes, Policy: policy})
//	token.Config{GrantHandlers: []token.GrantHandler{g.Handler()}, …}
//
// Without a [Policy] a client can only narrow its own tokens. With one, the host decides which client may exchange which token.
// These rules hold whatever the policy returns:
//
//   - The new token has no scope that the presented token lacks, and no audience beyond it that the policy did not name. It does
//     not outlive the presented token. If the presented token is pseudonymous or opaque, so is the new one. There are no
//     refresh tokens.
//   - The claim act names the party that acts for the subject, with earlier actors nested in it. Only the outermost actor counts
//     for authorization (RFC 8693 §4.1).
//   - A subject token with may_act can only be exchanged by that party (RFC 8693 §4.4). The new token has the same may_act.
//   - If a token of this provider or its grant is revoked, the tokens exchanged for it end at once, at introspection and
//     userinfo. An API that verifies signatures only accepts them until they expire. Tokens of other issuers have no such
//     effect.
//
// A live token may be exchanged any number of times.
package exchange
