// Package session implements single sign-on (SSO) sessions: their lifetimes, the decision whether a session answers an
// authorization request, their records and their cookie.
//
// [Limits] and [Rules] can be used without the rest: they take plain values and the time, and return a decision. A [Keeper]
// applies them to the records of a [Store] and to the session cookie. A [Vault] encrypts identities before they are stored.
//
// A browser has at most one session, and a session has one user. Clients share logins within a circle. By default every
// client is a member of one common circle, and an isolated client has a circle of its own. Lifetimes and logout apply to
// the session with all its circles.
//
// An authorization endpoint calls [Keeper.Current] and [Keeper.Decide] for each request, [Keeper.LogIn] after a login,
// [Keeper.Visit] when the session answers a request, [Keeper.CountRequest] when it does not, and [Keeper.End] at logout. A page of the host
// calls [Keeper.User]. The session cookie requires https, or a loopback host in browsers that treat those as secure.
//
// The decision follows OIDC Core §3.1.2.1 and §3.1.2.3 (prompt, max_age, auth_time).
package session
