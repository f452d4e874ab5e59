// Package exchange implements token exchange (RFC 8693) as a grant handler of package token. A client presents a token and
// receives one for fewer scopes, for another API, or for a subject on whose behalf it acts.
//
//	handler, err := exchange.New(exchange.Config{Issuer: issuer, Store: store, Vault: vault, Scopes: scopes, Policy: policy})
//	token.Config{GrantHandlers: []token.GrantHandler{handler}, …}
//
// Without a [Policy] a client can only narrow its own tokens. With one, the host decides which client may exchange which token.
// These rules hold whatever the policy returns:
//
//   - The scopes of the new token are among those of the presented token, or among those that the policy names if that is an
//     id_token. The audiences of the new token are among those of the presented token, those that the policy names, and those
//     that the records of its scopes enforce: a client that narrows a token without audiences cannot add another one. The new token
//     expires no later than the presented token. No refresh token is issued.
//   - If the presented token is pseudonymous or opaque, the new token is too. The sub of a pseudonymous token is not one that the
//     client receives in open grants, so that the client cannot find the user by it; see pseudonym.Pairwise. An opaque token
//     identifies the user to the APIs that are entitled to its scopes, and not to the client, which receives no sub: the user is no
//     actor.
//   - The claim act names the party that acts for the subject, with earlier actors nested in it. Only the outermost actor counts
//     for authorization (RFC 8693 §4.1).
//   - A subject token with may_act can only be exchanged by the party that may_act names (RFC 8693 §4.4). The new token has the same may_act;
//     without one it has that of the policy ([Decision.MayAct]).
//   - If a token of this provider or its grant is revoked, the tokens exchanged for it, or with it as the actor token, are revoked too:
//     introspection and userinfo reject them at once. An id_token counts as the access token that was issued with it. After a logout it
//     cannot be a subject token any more, and it can be an actor token only as long as that access token can. An API that only verifies
//     signatures accepts them until they expire. The revocation of a token of another issuer has no effect on the tokens exchanged
//     for it.
//
// A live token may be exchanged any number of times.
package exchange
