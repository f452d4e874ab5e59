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
//   - Browsers send the form of another site without the session cookie (SameSite=Lax), so the first Decision for such a form is a
//     page that posts it again from the provider.
//   - Without a session the user is logged out already: a valid hint leads back to the client, as the logout did, and other requests
//     lead to the page after a logout. With [Config.RequireSession] a request without a session cookie is an error.
//   - A confirmation that is posted again leads back to the client. One that has expired, or is of another session, is shown again.
//   - A hint that this provider did not sign, or that contradicts client_id, changes nothing. A post_logout_redirect_uri that is not
//     registered is not used; the logout takes place.
//
// Logout returns when the notifications have been sent or have failed: no goroutine remains. A login may end a session, too:
// [Endpoint.NotifyEnded] notifies its clients by the back channel, in the background. Package session keeps the sessions.
package logout
