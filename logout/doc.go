// Package logout implements the end_session_endpoint: OIDC RP-Initiated Logout, and the notifications of OIDC Front-Channel
// Logout and OIDC Back-Channel Logout.
//
// [Endpoint.Logout] first ends the session. In the same step the store consumes the unused codes of the session, and revokes its
// login-only grants (storage.Grant.LoginOnly). Grants with a scope of an API stay valid. Then Logout notifies the clients of the
// session, and the browser returns to the client that requested the logout.
//
// The [Decision] for a request depends on the session and on id_token_hint:
//
//   - With an id_token_hint of this session, the user is logged out.
//   - With a hint of another session, or without a hint, the user has to confirm. [Config.WithoutConfirmation] skips the
//     confirmation if there is no hint.
//   - Without a session cookie nothing is logged out, and the decision is an error page. Browsers send the form of
//     another site without the cookie (SameSite=Lax), so the first Decision for such a form is a page that posts it again from the
//     provider.
//   - A second request with the cookie of a session that has ended, and a valid hint or confirmation, leads to the logged-out page,
//     without a redirect.
//   - A hint that this provider did not sign, or that contradicts client_id, changes nothing. A post_logout_redirect_uri that is not
//     registered is not used; the logout takes place.
//
// Logout returns when the notifications have been sent or have failed: no goroutine remains. A login may end a session, too:
// [Endpoint.NotifyEnded] notifies its clients by the back channel, in the background. Package session keeps the sessions.
package logout
