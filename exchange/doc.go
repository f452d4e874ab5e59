// Package exchange is token exchange (RFC 8693) as a grant handler of package token: a client presents a token and gets one
// for fewer scopes, another API, or in the name of somebody it acts for.
//
//	g, err := exchange.New(exchange.Config{Issuer: issuer, Store: store, Vault: vault, Scopes: scopes, Policy: mayExchange})
//	token.Config{Grants: []token.GrantHandler{g.Handler()}, …}
//
// Without a [Policy] a client can narrow its own tokens and nothing else. With one, the host says who may
// exchange what for whom; the rules here hold whatever it says:
//
//   - Nothing grows: the new token holds no scope the presented one does not hold and no audience beyond it
//     that the policy did not name, it ends no later, tells no more of a pseudonymous person and stays opaque
//     if it was (security decision K8, row H4). There are no refresh tokens.
//   - Whoever acts for the subject is told in act, the newest outermost and older ones inside it. Only the
//     outermost counts for decisions (RFC 8693 section 4.1).
//   - A subject token with may_act can be exchanged by that party only (section 4.4), and stays so.
//   - A token of this provider that is revoked, or whose grant is, ends at once what it was exchanged for, as
//     introspection and userinfo say it. An API that only verifies signatures learns of it when the token
//     expires, which is when the presented one would have. Tokens of other issuers have no such tie.
//
// A token may be presented any number of times while it lives.
package exchange
