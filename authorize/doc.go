// Package authorize is the authorization endpoint: it validates authorization requests, asks the host's
// pages for login and consent where the session does not answer, and gives the client a code.
//
// A request travels like this:
//
//	GET /authorize ─ validate ─ decide ─┬─ issue: 303 to the client with a code
//	                                    ├─ refuse: 303 to the client with an error, or an error page
//	                                    └─ ask: Pages.Interact, with the request sealed (Pending)
//	login page          ─ Resume ─ Pending.Authenticated ─ decide …
//	representation page ─ Resume ─ Pending.Represented   ─ decide …
//	consent page        ─ Resume ─ Pending.Consented     ─ decide …
//
// The representation page is for authorization_details (RFC 9396) whose types let a person choose whom
// to act for: it is asked for at every such request, session or not.
//
// The host owns the pages (login, representation, consent); this package renders error and form_post pages only. A
// request that waits for a person is not stored: it travels through the browser, sealed, bound to a
// cookie and with an expiry. The store sees the first write when somebody has authenticated or a
// client pushed a request.
//
// RFC 6749 section 4.1, RFC 7636, RFC 9101 (by value), RFC 9126, RFC 9207, RFC 8707, RFC 9396, OpenID Connect
// Core 1.0 section 3.1.2, OAuth 2.0 Form Post Response Mode.
package authorize
