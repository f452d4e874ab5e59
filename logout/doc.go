// Package logout ends SSO sessions: RP-initiated logout (OpenID Connect RP-Initiated Logout 1.0), the
// page that tells clients through the browser (Front-Channel Logout 1.0) and the calls that tell them
// directly (Back-Channel Logout 1.0).
//
// The order is ID-porten's (idporten section 15.2): the session ends first, and in the same step its
// unused codes and the grants of pure logins; then the clients are told; then the browser returns to
// the client that asked. Grants with an API scope live on.
//
// When the endpoint asks, and when it refuses:
//
//   - An id_token_hint that fits the session logs out at once. Anything less asks first, unless
//     Config.NoQuestion; a hint of another session asks always.
//   - Without a session cookie nothing is logged out and the answer is an error page. A form posted
//     from another site comes without the cookie although there is one (SameSite=Lax), so it is
//     first answered with a page that posts it once more from here.
//   - A second submit, with the cookie of a session that has just ended and with a valid hint or
//     confirmation, is answered with the logged-out page and no redirect.
//   - A hint that was not signed here, or contradicts client_id, changes nothing. An address that is
//     not registered is never redirected to; the logout takes place.
//
// The host mounts the [Endpoint], may render its [Pages], and schedules nothing: everything happens within
// the request. The package owns no session; a session.Keeper does.
package logout
