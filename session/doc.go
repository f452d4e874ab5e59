// Package session decides how long an SSO session lives and whom it is good for, and keeps it in a
// store and a cookie.
//
// The policies stand alone: [Limits] are the two timers of a session, [Rules] say whether a session
// answers an authorization request or the person must log in. Both take plain values and the time.
// A [Keeper] applies them to a [Store] and to the browser's cookie; a [Vault] hides the person from
// the store.
//
// The model is ID-porten's: one session per browser, one person per session. Clients share their
// logins within a circle of trust; a client with sso_disabled has a circle of its own. Timers and
// logout are common to all circles.
//
// The caller asks [Keeper.Current] who the browser is, [Keeper.Decide] what that is worth, and records logins
// with [Keeper.LogIn], visits with [Keeper.Touch] and the end with [Keeper.End]. The cookie needs
// https, or a loopback host in browsers that take one for it.
//
// OpenID Connect Core 1.0 sections 3.1.2.1 and 3.1.2.3 (prompt, max_age, auth_time), idporten chapter 14,
// security chapter G.
package session
