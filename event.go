package portner

import "time"

// Event is one decision a package took, for audit logs, metrics and traces. It
// names things by internal identifiers only: no code, token, secret, subject or
// national identity number is ever in it, so an Event may be stored as it is.
type Event struct {
	Name          EventName // what happened
	Time          time.Time // when, by the clock of the Config
	CorrelationID string    // also shown to the peer on error pages
	Endpoint      string    // "authorize", "token", "logout", …
	ClientID      string    // only if it resolved to a registered client
	GrantID       string    // random identifier of the authorization
	Reason        string    // a fixed word, never text from a request
}

// EventName says what happened. Names that begin with "sec." deserve an alarm or
// a counter, "sys." names are faults of the provider's surroundings.
type EventName string

// The events of this module.
const (
	EventAuthorized     EventName = "authorize.granted"  // a code was issued
	EventRefused        EventName = "req.refused"        // an ordinary refusal; Reason says why
	EventAuthenticated  EventName = "session.started"    // a person authenticated
	EventSessionRotated EventName = "session.rotated"    // new session identifier; Reason says why
	EventSessionEnded   EventName = "session.ended"      // logout or another user
	EventTokenIssued    EventName = "token.issued"       // Reason is the grant type
	EventTokenRevoked   EventName = "token.revoked"      // by the client itself
	EventFault          EventName = "sys.fault"          // store, signer or hook failed
	EventIDCollision    EventName = "sys.id_collision"   // a random identifier existed already
	EventLoggedOut      EventName = "logout.done"        // single logout ran
	EventBackchannel    EventName = "logout.backchannel" // one back-channel call; Reason is its outcome

	EventRedirectMismatch    EventName = "sec.redirect_mismatch"
	EventBadRegistration     EventName = "sec.bad_registration"
	EventDuplicateParam      EventName = "sec.duplicate_param"
	EventScopeDenied         EventName = "sec.scope_denied"
	EventPKCEMismatch        EventName = "sec.pkce_mismatch"
	EventCodeForeignClient   EventName = "sec.code_foreign_client"
	EventCodeReplay          EventName = "sec.code_replay"         // valid second use: grant revoked
	EventCodeReplayInvalid   EventName = "sec.code_replay_invalid" // invalid second use: nothing revoked
	EventRefreshReuse        EventName = "sec.refresh_reuse"
	EventRefreshForeign      EventName = "sec.refresh_foreign_client"
	EventRevokeForeign       EventName = "sec.revoke_foreign"
	EventClientAuthFailed    EventName = "sec.client_auth_failed"
	EventAssertionAudience   EventName = "sec.assertion_aud"
	EventAssertionAlgorithm  EventName = "sec.assertion_alg"
	EventAssertionHeader     EventName = "sec.assertion_header"
	EventAssertionReplay     EventName = "sec.assertion_replay"
	EventCertificateRejected EventName = "sec.cert_rejected"
	EventLegacyAudience      EventName = "sec.legacy_aud"
	EventCSRF                EventName = "sec.csrf"
	EventCookieDuplicate     EventName = "sec.cookie_dup"
	EventIntrospectionDenied EventName = "sec.introspect_denied"
	EventPIDLeakBlocked      EventName = "sec.pid_leak_blocked"
)
