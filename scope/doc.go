// Package scope decides which requested scopes are granted, to which client and on which conditions.
//
// A scope is a name such as "nav:trygdeopplysninger.read" (RFC 6749 §3.3). Its owner keeps a record of it, a [Scope]: which
// organisations may use it, whether the user must consent, and the lifetime and format of tokens. A [Source] finds records;
// [Registry] is a Source over fixed records.
//
// [Parse] splits the scope parameter. [Evaluate] decides an authorization request. [Narrow] applies the same rules again at
// the token endpoint. [Expiry] computes the end of a lifetime. All are pure functions: they use no clock, no storage and no
// network.
//
// The caller sends invalid_scope for a malformed parameter or a [RefusedError], logs the user in again if
// [Plan].NeedsFreshLogin, shows the consent page if [Plan].NeedsConsent is not empty, and stores the answer.
//
// References: RFC 6749 §3.3, OIDC Core §5.4 and §11, docs.digdir.no: oidc_protocol_scope.
package scope
