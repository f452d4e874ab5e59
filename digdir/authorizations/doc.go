// Package authorizations lists and ends what users have authorized clients to do, and lists the logins of users. It serves the
// authorizations API and the login history API of ID-porten (docs.digdir.no: ID-porten, API for authorizations and login
// history).
//
// The host mounts [API.Handler] beside its provider, over the same store and session.Vault, and grants the scopes [Scope] and
// [HistoryScope] to callers. A host with another router calls [API.Authenticate], [API.List], [API.End] and [API.History].
// [API.OfUser] and [API.Revoke] are for the host's own page; [API.PageUser] finds its user, who must have logged in for the right
// circle at a level that suffices.
//
// The package has no records of its own: it reads and ends the grants of the token endpoint, and reads the logins that the
// authorization endpoint records.
package authorizations
