package portner

import "time"

// Event is one decision of the provider, for audit logs, metrics and traces. It contains no code, token, secret, subject or
// national identity number, and may be stored. Only Explanation has text from requests.
type Event struct {
	Name          EventName // what was decided
	Time          time.Time // by the clock of the configuration
	CorrelationID string    // also part of the error page
	Endpoint      string    // name of the endpoint or package, such as "authorize" or "session"
	ClientID      string    // of a registered client, otherwise ""
	GrantID       string    // random identifier of the grant
	Reason        string    // the rule, as a fixed word listed in docs/log-reasons.md; never text from a request

	// Explanation says what a rejected request had and what the rule expects, for the person who configures the client.
	Explanation Explanation
}

// Explanation is what a rejected request had, and what the provider expects. Received is text from a request: quote it, and do not use
// it in metrics. docs/troubleshooting.md says for each reason what to change.
type Explanation struct {
	Parameter string // the request parameter, header field or JWT claim that the rule concerns; "" for none
	Received  string // its value, shortened; "" if it is missing, can be secret, or can name a user
	Expected  string // what the rule expects, or the registered values
	Property  string // the property of the client's registration that can permit the value; "" for none
}

// EventName is the kind of an event. Names that begin with "sec." report violations of security rules: count them, and alert on
// unusual numbers. Names that begin with "sys." report faults of the provider or its dependencies.
type EventName string

// Decisions.
const (
	EventAuthorized     EventName = "authorize.granted"  // an authorization code was issued; a form posted twice repeats the GrantID
	EventRefused        EventName = "req.refused"        // a request was rejected; Reason is the rule
	EventAuthenticated  EventName = "session.started"    // a user logged in
	EventSessionRotated EventName = "session.rotated"    // the session got a new identifier; Reason is the cause
	EventSessionEnded   EventName = "session.ended"      // logout, or a login of another user
	EventTokenIssued    EventName = "token.issued"       // tokens were issued; Reason is the grant type
	EventTokenRevoked   EventName = "token.revoked"      // the client revoked a token
	EventLoggedOut      EventName = "logout.done"        // a single logout was carried out
	EventBackchannel    EventName = "logout.backchannel" // a back-channel logout request was sent; Reason is its outcome
)

// Faults.
const (
	EventFault       EventName = "sys.fault"        // the store, the signer or a function of the host failed
	EventIDCollision EventName = "sys.id_collision" // a random identifier existed already
)

// Violations of security rules.
const (
	EventRedirectMismatch    EventName = "sec.redirect_mismatch"      // redirect_uri is not registered
	EventBadRegistration     EventName = "sec.bad_registration"       // the registration does not permit the request
	EventDuplicateParam      EventName = "sec.duplicate_param"        // a parameter is repeated
	EventScopeDenied         EventName = "sec.scope_denied"           // the client may not have a requested scope
	EventPKCEMismatch        EventName = "sec.pkce_mismatch"          // code_verifier does not match
	EventCodeForeignClient   EventName = "sec.code_foreign_client"    // the code of another client
	EventCodeReplay          EventName = "sec.code_replay"            // second use of a code: the grant is revoked
	EventCodeReplayInvalid   EventName = "sec.code_replay_invalid"    // second use of a code in an invalid request: nothing is revoked
	EventRefreshReuse        EventName = "sec.refresh_reuse"          // use of a rotated refresh token: the family is revoked
	EventRefreshForeign      EventName = "sec.refresh_foreign_client" // the refresh token of another client
	EventRevokeForeign       EventName = "sec.revoke_foreign"         // revocation of another client's token
	EventClientAuthFailed    EventName = "sec.client_auth_failed"     // client authentication failed
	EventAssertionAudience   EventName = "sec.assertion_aud"          // aud of a client assertion
	EventAssertionAlgorithm  EventName = "sec.assertion_alg"          // alg of a client assertion
	EventAssertionHeader     EventName = "sec.assertion_header"       // another header parameter of a client assertion
	EventAssertionReplay     EventName = "sec.assertion_replay"       // second use of a client assertion
	EventCertificateRejected EventName = "sec.cert_rejected"          // the certificate in a client assertion
	EventLegacyAudience      EventName = "sec.legacy_aud"             // a client assertion for the audience of the former platform
	EventCSRF                EventName = "sec.csrf"                   // a form that the provider's page did not post
	EventCookieDuplicate     EventName = "sec.cookie_dup"             // two cookies of one name
	EventIntrospectionDenied EventName = "sec.introspect_denied"      // the client may not introspect the token
	EventPIDLeakBlocked      EventName = "sec.pid_leak_blocked"       // a pseudonymous document contained an identifier and was not sent
)
