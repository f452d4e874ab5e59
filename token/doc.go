// Package token is the token endpoint and its neighbours: userinfo, introspection (tokeninfo) and
// revocation.
//
// [New] takes one [Config] and returns an [Endpoint], which is the handler of POST /token;
// [Endpoint.UserInfo], [Endpoint.Introspection] and [Endpoint.Revocation] are its siblings.
//
// Every grant works by "prepare, then commit": it reads and checks, signs all tokens, and only then
// calls the one store verb that consumes the code or refresh token and inserts what was issued. The
// loser of a race throws its unsent tokens away, a failing signer leaves the code usable.
//
// The caller gives a [Store], the clients, the scopes, the keys and the secrets; it mounts the handlers
// under the paths its metadata names, behind TLS.
//
// It implements RFC 6749 sections 4.1.3, 5 and 6, RFC 7636 section 4.6, OpenID Connect Core 1.0 sections
// 3.1.3, 5.3 and 12, RFC 6750, RFC 7009, RFC 7662, RFC 8707 section 2.2 and RFC 9068 on request.
package token
