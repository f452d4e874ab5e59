// Package authorize implements the authorization endpoint (RFC 6749 §4.1, OIDC Core §3.1.2) and the pushed authorization
// request endpoint (RFC 9126).
//
// [Endpoint.Authorize] validates an authorization request and returns a [Decision]: a redirect to the client with a code or an
// error, an error page, or an interaction with the user. An interaction is a [Pending] request. The host shows a page for its
// [Step], and the answer of the user continues the request:
//
//	LoginStep, StepUpStep   Pending.LogIn
//	RepresentationStep      Pending.Represent
//	ConsentStep             Pending.Consent
//	each of them            Pending.Cancel
//
// Each of these methods returns the next Decision. [Endpoint.Page] adapts a page to net/http; [Endpoint.Resume] does the same
// for other routers.
//
// The host owns its pages. This package renders the error page, unless [Config] has one, and the form of the response modes
// form_post and form_post.jwt. It stores nothing before the user has logged in, except pushed requests. A pending request is encrypted in a
// parameter of the page's URL, bound to a cookie of the browser, and expires.
//
// Also implemented: RFC 7636 (PKCE), RFC 8707 (resource indicators), RFC 9101 (request objects by value), RFC 9207 (iss), RFC 9396
// (authorization_details), RFC 9449 §10 (codes bound to a DPoP key), OAuth 2.0 Form Post Response Mode, and JARM (signed responses).
package authorize
