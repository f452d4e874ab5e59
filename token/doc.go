// Package token implements the token endpoint, and the endpoints for introspection, revocation and userinfo.
//
// [New] takes a [Config] and returns an [Endpoint]. Hosts on net/http mount it at the path of the token endpoint, and the handlers of
// [Endpoint.Introspection], [Endpoint.UserInfo] and [Endpoint.Revocation] at the paths of the metadata, behind TLS. Hosts with
// another router or response format call [Endpoint.Issue], [Endpoint.Introspect], [Endpoint.DescribeUser] and
// [Endpoint.Revoke].
//
// The claims of id_tokens, self-contained access tokens, introspection and userinfo come from functions, see [ClaimsFunc]. A
// [GrantHandler] adds a grant type: it decides what to issue and calls [Minter.Mint].
//
// Every grant type first loads and checks its records and signs all tokens. Only then it calls the one method of the store that
// consumes the code or refresh token and inserts the new tokens in one step. If two requests present the same code, one of them
// receives tokens, and the second use revokes these (RFC 6749 §4.1.2). If a signature fails, the code stays valid.
//
// The package implements RFC 6749 §4.1.3, §5 and §6, RFC 7636 §4.6, OIDC Core §3.1.3, §5.3 and §12, RFC 6750, RFC 7009,
// RFC 7662, RFC 8707 §2.2 and RFC 9068.
package token
