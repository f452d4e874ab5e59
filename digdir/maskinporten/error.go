package maskinporten

import (
	"errors"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/client/businesscert"
	"github.com/portner-go/portner/internal/audit"
	"github.com/portner-go/portner/rar"
)

// InvalidAltinnCustomerConfiguration is the error code for a system user or a consent that does not exist (docs.digdir.no:
// Maskinporten, error codes).
const InvalidAltinnCustomerConfiguration portner.ErrorCode = "invalid_altinn_customer_configuration"

// entry is one entry of Maskinporten's catalogue of errors (docs/spec/maskinporten.md §1.12). Failed client authentication is
// invalid_grant with status 400: the assertion is the grant.
type entry struct {
	number string // "" if the entry has none
	code   portner.ErrorCode
	text   string
}

const clientFailed = "Invalid assertion. Client authentication failed. "

var (
	mp011 = entry{"MP-011", portner.InvalidRequest, "Invalid assertion. Invalid parameter value"}
	mp012 = entry{"MP-012", portner.InvalidGrant, "Grant is used before"}
	mp100 = entry{"MP-100", portner.InvalidGrant, clientFailed + "Client not found"}
	mp110 = entry{"MP-110", portner.InvalidGrant, clientFailed + "Invalid JWT claim aud"}
	mp120 = entry{"MP-120", portner.InvalidGrant, clientFailed + "The JWT is signed with an invalid certificate."}
	mp121 = entry{"MP-121", portner.InvalidGrant, clientFailed + "Expired key"}
	mp122 = entry{"MP-122", portner.InvalidGrant, "Invalid JWT. Invalid organization number for client. Does not match certificate orgno"}
	mp123 = entry{"MP-123", portner.InvalidGrant, "Invalid JWT header x5c"}
	mp124 = entry{"MP-124", portner.InvalidGrant, "Invalid JWT signature"}
	mp130 = entry{"MP-130", portner.InvalidGrant, "JWT is expired"}
	mp200 = entry{"MP-200", portner.InvalidScope, "Token request contains invalid scopes for client"} // followed by the scopes
	mp201 = entry{"MP-201", portner.InvalidScope, "Token request contains scopes not allowed for maskinporten"}
	mp250 = entry{"MP-250", portner.InvalidScope, "Consumer has not been granted access to the scope"}
	mp251 = entry{"MP-251", portner.InvalidScope, "Consumer"} // followed by the organisations and the scope
	mp301 = entry{"MP-301", portner.InvalidAuthorizationDetails, "Unknown authorization details type"}
	mp302 = entry{"MP-302", portner.InvalidAuthorizationDetails, "Unknown fields in the authorization details"}
	mp303 = entry{"MP-303", portner.InvalidAuthorizationDetails, "Invalid authorization details values"}

	noKeyID      = entry{"", portner.InvalidGrant, "Invalid JWT. The client requires pre-registered jwk and no key identifier (kid) provided"}
	unknownKeyID = entry{"", portner.InvalidGrant, clientFailed + "Unknown key identifier (kid) for client."}
	afterNow     = entry{"", portner.InvalidGrant, "Issue time is after now"}
	tooOld       = entry{"", portner.InvalidGrant, "Issue time is too long ago"}            // Config.StrictIssuedAt
	tooLong      = entry{"", portner.InvalidGrant, "JWT lifetime is more than 120 seconds"} // the published catalogue has no text
	notYet       = entry{"", portner.InvalidGrant, "JWT is not valid yet"}                  // the published catalogue has no text
	noSystemUser = entry{"MP-303", InvalidAltinnCustomerConfiguration, mp303.text}
	combination  = entry{"", portner.InvalidRequest, "Validation of JWT claim failed: The combination consumer_org in claim and delegation scope on client is invalid"}
)

// rejection is a rejected request.
type rejection struct {
	entry  entry
	detail string // appended to the text; its characters fit error_description
	event  portner.EventName
	reason string // for the log
	err    error  // the cause

	expected string // for the log, where it is not what the rule of the reason says; "" otherwise
}

// Error returns the reason.
func (r *rejection) Error() string { return "maskinporten: " + r.reason }

// Unwrap returns the cause.
func (r *rejection) Unwrap() error { return r.err }

func reject(e entry, reason string) *rejection {
	return &rejection{entry: e, event: portner.EventRefused, reason: reason}
}

// rejectClient rejects a request with an event of its own, such as failed client authentication.
func rejectClient(e entry, event portner.EventName, reason string) *rejection {
	return &rejection{entry: e, event: event, reason: reason}
}

// rejectScope rejects a request for its scopes. The detail holds names of scopes and organisation numbers that were validated:
// their characters fit error_description (RFC 6749 §5.2).
func rejectScope(e entry, detail, reason string) *rejection {
	return &rejection{entry: e, detail: detail, event: portner.EventScopeDenied, reason: reason}
}

// protocolError returns the error response. Its text ends with the correlation identifier of the log.
func (x *exchange) protocolError(r *rejection) *portner.Error {
	e := &portner.Error{
		Code:        r.entry.code,
		Description: r.entry.text + r.detail + " (trace_id: " + x.CorrelationID + ")",
		Err:         &audit.Cause{Event: r.event, Reason: r.reason, Expected: r.expected},
	}
	if x.cfg.LegacyForbidden && (r.entry.number == mp250.number || r.entry.number == mp251.number) {
		e.Code = portner.Forbidden
	}
	if r.entry.number != "" {
		e.URI = x.cfg.ErrorURI + r.entry.number
	}
	return e
}

// assertionEntries are the entries for assertions whose key or signature was rejected.
var assertionEntries = map[client.AssertionFault]entry{
	client.ErrAssertionMalformed: mp011,
	client.ErrAssertionHeader:    mp011,
	client.ErrAssertionAlgorithm: mp124,
	client.ErrX5C:                mp123,
	client.ErrNoKeyID:            noKeyID,
	client.ErrUnknownKeyID:       unknownKeyID,
	client.ErrKeyExpired:         mp121,
	client.ErrKeySet:             mp124,
	client.ErrCertificate:        mp120,
	client.ErrCertificateOrgno:   mp122,
	client.ErrAssertionSignature: mp124,
	client.ErrAssertionPurpose:   mp011,
}

// assertionRejection returns the rejection for an error of VerifyAssertion. Faults are returned unchanged.
func assertionRejection(err error) error {
	e, ok := errors.AsType[*client.AssertionError](err)
	if !ok {
		return err
	}
	w, known := assertionEntries[e.Fault]
	switch {
	case !known:
		w = mp124
	case errors.Is(err, businesscert.ErrMalformed):
		w = mp123
	case errors.Is(err, businesscert.ErrOrgno):
		w = mp122
	}
	return &rejection{entry: w, event: e.Event, reason: e.Reason, err: err}
}

// invalidMember returns the error for a value of a member of a detail that is missing or invalid.
func invalidMember(name string) error { return &portner.FieldError{Field: name, Err: rar.ErrValue} }

// detailsRejection returns the rejection for an error of rar.Registry. Other errors are faults of a source. The text of the catalogue names no
// member, so only the log does.
func detailsRejection(err error) error {
	for _, f := range []struct {
		is     error
		entry  entry
		reason string
	}{
		{rar.ErrUnknownType, mp301, "details_type_unknown"},
		{rar.ErrUnknownMember, mp302, "details_member_unknown"},
		{rar.ErrMalformed, mp303, "details_malformed"},
		{rar.ErrMixedTypes, mp303, "details_types_mixed"},
		{rar.ErrValue, mp303, "details_value_invalid"},
		{rar.ErrDenied, noSystemUser, "details_denied"},
	} {
		if errors.Is(err, f.is) {
			r := reject(f.entry, f.reason)
			if f.is == rar.ErrValue {
				_, r.expected = audit.ValidMember(err)
			}
			return r
		}
	}
	return unavailable("granting authorization_details", err)
}
