// Package logout implements the end_session_endpoint: OIDC RP-Initiated Logout, and the notifications of OIDC Front-Channel Logout and
// OIDC Back-Channel Logout.
//
// [Endpoint.Logout] ends the session first, and in the same step its unused codes and the grants of pure logins. Then the clients of
// the session are notified. Then the browser returns to the client that requested the logout. Grants with a scope of an API stay
// valid.
//
// The [Decision] for a request depends on the session and on id_token_hint:
//
//   - With a hint of this session the user is logged out.
//   - With a hint of another session, or without a hint, the user has to confirm. [Config.WithoutConfirmation] skips the
//     confirmation if there is no hint.
//   - Without a session cookie nothing is logged out, and the decision is an error page. The form of another site arrives without the
//     cookie (SameSite=Lax), so it is first answered with a page that posts it again from the provider.
//   - A second request with the cookie of a session that has ended, and a valid hint or confirmation, leads to the logged-out page,
//     without a redirect.
//   - A hint that this provider did not sign, or that contradicts client_id, changes nothing. A post_logout_redirect_uri that is not
//     registered is not used; the logout takes place.
//
// Everything happens within the request. The session is kept by a session.Keeper.
package logout
