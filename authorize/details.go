package authorize

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/audit"
	"github.com/portner-go/portner/internal/protection"
	"github.com/portner-go/portner/pseudonym"
	"github.com/portner-go/portner/rar"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
)

// checkDetails validates authorization_details as far as its types can before the user has logged in (RFC 9396 §5). What exists in the
// registers of the host is checked once for each new request; the offer to the user is loaded from them again.
func (e *Endpoint) checkDetails(ctx context.Context, q *request, now time.Time) *refusal {
	text := q.form.Get("authorization_details")
	if text == "" {
		return nil
	}
	if e.cfg.AuthorizationDetails == nil {
		return q.to.refuse(portner.InvalidAuthorizationDetails, "details_not_supported", "The parameter authorization_details is not supported.")
	}
	details, err := e.cfg.AuthorizationDetails.Parse([]byte(text))
	if isRejected(err) {
		return q.to.rejected(err)
	} else if err != nil {
		return q.to.refuseDetails(err)
	}
	// Details may identify the user or the organisation the user acts for, and RFC 9396 §7 sends them to the client.
	if e.withheld(q) {
		return q.to.refuse(portner.InvalidAuthorizationDetails, "details_pseudonymous", "The parameter authorization_details cannot be combined with scopes that require a pseudonym.")
	}
	q.details = details
	if q.sealed {
		return nil
	}
	switch err = e.cfg.AuthorizationDetails.Check(ctx, clientRequest(q, now), details); {
	case errors.Is(err, rar.ErrValue):
		return q.to.refuseDetails(err)
	case isRejected(err):
		return q.to.rejected(err)
	case err != nil:
		return faulty(q.to, fmt.Errorf("%w: checking authorization_details: %w", portner.ErrUnavailable, err))
	}
	return nil
}

// isRejected reports whether a type of authorization_details returned an error for the client: a *portner.Error itself. One that another
// error wraps is the cause of a fault, and its text may concern another request.
func isRejected(err error) bool {
	_, ok := err.(*portner.Error)
	return ok
}

// rejected returns the refusal for an error of a type that is sent to the client.
func (t *target) rejected(err error) *refusal {
	e := portner.AsError(err)
	return t.refuse(e.Code, "details_rejected", e.Description)
}

// withheld reports whether the client may not learn the identity of the user. It is decided on all requested scopes, so that no
// answer of the user changes it.
func (e *Endpoint) withheld(q *request) bool {
	_, opaque := scope.Privacy(q.scopes, e.cfg.Scopes)
	return protection.Of(protection.Grant{
		Requested: q.scopes, Granted: q.plan.Granted, Pseudonymous: q.plan.Pseudonymous, Opaque: opaque,
	}, e.cfg.Scopes) != pseudonym.Open
}

// refuseDetails returns the refusal for an error of package rar. It names the member whose value is invalid, if the type does.
func (t *target) refuseDetails(err error) *refusal {
	reason, description := detailsReason(err)
	r := t.refuse(portner.InvalidAuthorizationDetails, reason, description)
	if name, expected := audit.ValidMember(err); name != "" && errors.Is(err, rar.ErrValue) {
		r.description = "The member " + name + " of authorization_details is missing or invalid."
		r.explanation.Expected = expected
	}
	return r
}

// detailsReason returns the reason for the log and the description for the client of an error of package rar.
func detailsReason(err error) (reason, description string) {
	for _, f := range [...]struct {
		is                  error
		reason, description string
	}{
		{rar.ErrUnknownType, "details_type_unknown", "A type of authorization_details is not supported."},
		{rar.ErrUnknownMember, "details_member_unknown", "A member of authorization_details is not defined for its type."},
		{rar.ErrMixedTypes, "details_types_mixed", "The types of authorization_details cannot be combined."},
		{rar.ErrValue, "details_value", "A value in authorization_details is missing or invalid."},
	} {
		if errors.Is(err, f.is) {
			return f.reason, f.description
		}
	}
	return "details_malformed", "The parameter authorization_details must be a JSON array of objects with a type."
}

// representation is the answer of the representation page in this login. It counts only while the page would show the same.
type representation struct {
	answered bool     // the form was posted
	chosen   []string // identifiers of choices; empty if the user represents no other party
	locale   string   // language of the page
	shown    string   // digest of what the page showed
}

// approval is the answer of the consent page for details. Details are approved for one request: no approval is remembered.
type approval struct {
	answered bool
	approved []string // IDs of rar.Shown
}

// loadedOffer is an offer to a user, with texts in one language.
type loadedOffer struct {
	subject, locale string
	offer           *rar.Offer
}

// offer loads what the details of the request offer to the user. Registers are queried once in an exchange and language, and only for
// a user who has logged in.
func (e *Endpoint) offer(ctx context.Context, x *exchange, who *session.Identity, locale string) (*rar.Offer, *refusal) {
	for _, o := range x.offers {
		if o.subject == who.Subject && o.locale == locale {
			return o.offer, nil
		}
	}
	offer, err := e.cfg.AuthorizationDetails.Offer(ctx, e.detailsRequest(x, who, locale), x.req.details)
	if err != nil {
		return nil, denied(x, err)
	}
	x.offers = append(slices.Clip(x.offers), loadedOffer{who.Subject, locale, offer})
	return offer, nil
}

// loadDetails loads what the user has to select and approve before details are granted: nothing if the request has no details, if
// they leave nothing to answer, or if the user has answered.
func (e *Endpoint) loadDetails(ctx context.Context, x *exchange, f *facts) *refusal {
	if len(x.req.details) == 0 {
		return nil
	}
	if x.representation.answered {
		offer, refused := e.offer(ctx, x, &f.identity, x.representation.locale)
		if refused != nil {
			return refused
		}
		if offered(offer.Represented, offer.Selection) != x.representation.shown { // the page is shown again
			x.representation = representation{}
		}
	}
	offer, refused := e.offer(ctx, x, &f.identity, e.localeOf(x))
	if refused != nil {
		return refused
	}
	if q := offer.Selection; q != nil && !x.representation.answered {
		switch {
		case len(q.Choices) > 0:
			f.selection, f.represented = q, offer.Represented
		case q.Required:
			return denied(x, rar.ErrDenied)
		}
	}
	if !x.approval.answered {
		f.approvable = offer.Approvable
	}
	return nil
}

// clientRequest describes the client to package rar.
func clientRequest(q *request, now time.Time) rar.Request {
	p := q.client.Parties(q.onBehalfOf, storage.Delegation{})
	return rar.Request{ClientID: q.client.ClientID, Organisation: p.Consumer, Supplier: p.Supplier, Now: now}
}

// detailsRequest describes the client and the user to package rar.
func (e *Endpoint) detailsRequest(x *exchange, who *session.Identity, locale string) rar.Request {
	r := clientRequest(x.req, x.now)
	r.Subject, r.Identifiers, r.Name, r.Locale = who.Subject, who.Identifiers, who.Attributes["name"], locale
	return r
}

// grantDetails returns the details that the user grants, sealed for the grant; nil if the request has none.
func (e *Endpoint) grantDetails(ctx context.Context, x *exchange, who *session.Identity, grantID string) ([]byte, *refusal) {
	if len(x.req.details) == 0 {
		return nil, nil
	}
	offer, refused := e.offer(ctx, x, who, cmp.Or(x.representation.locale, e.localeOf(x)))
	if refused != nil {
		return nil, refused
	}
	details, err := offer.Grant(ctx, x.representation.chosen, x.approval.approved)
	if err != nil {
		return nil, denied(x, err)
	}
	return e.cfg.Vault.SealDetails(details, grantID), nil
}

// denied returns the refusal for an error of a type of authorization_details.
func denied(x *exchange, err error) *refusal {
	to := x.req.to
	switch {
	case errors.Is(err, rar.ErrNoMandate) && !x.req.prompt.has(promptNone):
		r := page(portner.AccessDenied, "details_mandate_missing", "You have no mandate to act for others in this service.")
		r.status = http.StatusForbidden
		return r
	case errors.Is(err, rar.ErrDenied):
		return to.refuse(portner.AccessDenied, "details_denied", "Nothing can be granted for the authorization_details.")
	case errors.Is(err, rar.ErrValue):
		return to.refuseDetails(err)
	}
	return faulty(to, fmt.Errorf("%w: evaluating authorization_details: %w", portner.ErrUnavailable, err))
}
