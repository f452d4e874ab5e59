package maskinporten

import (
	"errors"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/client/businesscert"
	"github.com/portner-go/portner/internal/audit"
	"github.com/portner-go/portner/rar"
)

// Error codes of the error member that no registry has.
const (
	// InvalidAltinnCustomerConfiguration: the request for a system user or a consent is well formed, and there is
	// none.
	InvalidAltinnCustomerConfiguration portner.ErrorCode = "invalid_altinn_customer_configuration"
)

// row is a row of the catalogue of errors (maskinporten-altinn section 1.12). Failures of authentication are
// invalid_grant with status 400, for the grant is the credential.
type row struct {
	number string // "" if it has none
	code   portner.ErrorCode
	text   string
}

const clientFailed = "Invalid assertion. Client authentication failed. "

var (
	mp011 = row{"MP-011", portner.InvalidRequest, "Invalid assertion. Invalid parameter value"}
	mp012 = row{"MP-012", portner.InvalidGrant, "Grant is used before"}
	mp100 = row{"MP-100", portner.InvalidGrant, clientFailed + "Client not found"}
	mp110 = row{"MP-110", portner.InvalidGrant, clientFailed + "Invalid JWT claim aud"}
	mp120 = row{"MP-120", portner.InvalidGrant, clientFailed + "The JWT is signed with an invalid certificate."}
	mp121 = row{"MP-121", portner.InvalidGrant, clientFailed + "Expired key"}
	mp122 = row{"MP-122", portner.InvalidGrant, "Invalid JWT. Invalid organization number for client. Does not match certificate orgno"}
	mp123 = row{"MP-123", portner.InvalidGrant, "Invalid JWT header x5c"}
	mp124 = row{"MP-124", portner.InvalidGrant, "Invalid JWT signature"}
	mp130 = row{"MP-130", portner.InvalidGrant, "JWT is expired"}
	mp200 = row{"MP-200", portner.InvalidScope, "Token request contains invalid scopes for client"} // the scopes follow
	mp201 = row{"MP-201", portner.InvalidScope, "Token request contains scopes not allowed for maskinporten"}
	mp250 = row{"MP-250", portner.InvalidScope, "Consumer has not been granted access to the scope"}
	mp251 = row{"MP-251", portner.InvalidScope, "Consumer"} // the rest is made of the organisations and the scope
	mp301 = row{"MP-301", portner.InvalidAuthorizationDetails, "Unknown authorization details type"}
	mp302 = row{"MP-302", portner.InvalidAuthorizationDetails, "Unknown fields in the authorization details"}
	mp303 = row{"MP-303", portner.InvalidAuthorizationDetails, "Invalid authorization details values"}

	noKeyID      = row{"", portner.InvalidGrant, "Invalid JWT. The client requires pre-registered jwk and no key identifier (kid) provided"}
	unknownKeyID = row{"", portner.InvalidGrant, "Unknown key identifier (kid) for client"}
	afterNow     = row{"", portner.InvalidGrant, "Issue time is after now"}
	tooOld       = row{"", portner.InvalidGrant, "Issue time is too long ago"}            // Config.StrictIssuedAt
	tooLong      = row{"", portner.InvalidGrant, "JWT lifetime is more than 120 seconds"} // its text is unpublished (Q27)
	notYet       = row{"", portner.InvalidGrant, "JWT is not valid yet"}                  // nbf is not documented
	noSystemUser = row{"MP-303", InvalidAltinnCustomerConfiguration, mp303.text}          // Q6
	combination  = row{"", portner.InvalidRequest, "Validation of JWT claim failed: The combination consumer_org in claim and delegation scope on client is invalid"}
)

// refusal is why a request was refused, before it is put into words for the peer.
type refusal struct {
	row    row
	detail string // follows the text; checked to be fit for error_description
	event  portner.EventName
	reason string
	err    error
}

// Error returns the reason.
func (r *refusal) Error() string { return "maskinporten: " + r.reason }

// Unwrap returns the cause.
func (r *refusal) Unwrap() error { return r.err }

func refuse(w row, reason string) *refusal {
	return &refusal{row: w, event: portner.EventRefused, reason: reason}
}

// failed is a refusal of the authentication.
func failed(w row, event portner.EventName, reason string) *refusal {
	return &refusal{row: w, event: event, reason: reason}
}

// answer puts a refusal into words. The identifier that ends them is the one the log has.
func (g *grant) answer(r *refusal, correlation string) *portner.Error {
	e := &portner.Error{
		Code:        r.row.code,
		Description: r.row.text + r.detail + " (trace_id: " + correlation + ")",
		Err:         &audit.Cause{Event: r.event, Reason: r.reason},
	}
	if g.cfg.LegacyForbidden && (r.row.number == mp250.number || r.row.number == mp251.number) {
		e.Code = portner.Forbidden
	}
	if r.row.number != "" {
		e.URI = g.cfg.ErrorURI + r.row.number
	}
	return e
}

// keyFaults are the rows of what can be wrong with the key of an assertion.
var keyFaults = map[client.AssertionFault]row{
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
}

// keyRefusal is the refusal of a key; other errors are faults and come back as they are.
func keyRefusal(err error) error {
	e, ok := errors.AsType[*client.AssertionError](err)
	if !ok {
		return err
	}
	w, known := keyFaults[e.Fault]
	switch {
	case !known:
		w = mp124
	case errors.Is(err, businesscert.ErrMalformed):
		w = mp123
	case errors.Is(err, businesscert.ErrOrgno):
		w = mp122
	}
	return &refusal{row: w, event: e.Event, reason: e.Reason, err: err}
}

// detailsRefusal is the refusal of authorization_details; other errors are faults of a source.
func detailsRefusal(err error) error {
	for _, f := range []struct {
		is     error
		row    row
		reason string
	}{
		{rar.ErrUnknownType, mp301, "details_type"},
		{rar.ErrUnknownMember, mp302, "details_member"},
		{rar.ErrMalformed, mp303, "details_malformed"},
		{rar.ErrMixedTypes, mp303, "details_mixed"},
		{rar.ErrValue, mp303, "details_value"},
		{rar.ErrDenied, noSystemUser, "details_denied"},
	} {
		if errors.Is(err, f.is) {
			return refuse(f.row, f.reason)
		}
	}
	return unavailable("resolving authorization_details", err)
}
