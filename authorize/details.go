package authorize

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/pseudonym"
	"github.com/portner-go/portner/rar"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/session"
)

// checkDetails validates authorization_details as far as its types can before the user has logged in (RFC 9396 §5).
func (e *Endpoint) checkDetails(_ context.Context, q *request, _ time.Time) *refusal {
	text := q.form.Get("authorization_details")
	if text == "" {
		return nil
	}
	bad := func(reason, description string) *refusal {
		return q.to.refuse(portner.InvalidAuthorizationDetails, reason, description)
	}
	if e.cfg.AuthorizationDetails == nil {
		return bad("details_not_supported", "The parameter authorization_details is not supported.")
	}
	details, err := e.cfg.AuthorizationDetails.Parse([]byte(text))
	if err != nil {
		return bad(detailsReason(err))
	}
	// Details may identify the user or the organisation the user acts for, and RFC 9396 §7 sends them to the client.
	if q.isPseudonymous() {
		return bad("details_pseudonymous", "The parameter authorization_details cannot be combined with scopes that require a pseudonym.")
	}
	q.details = details
	return nil
}

// isPseudonymous reports whether the client may not learn the identity of the user.
func (q *request) isPseudonymous() bool {
	return pseudonym.Decide(pseudonym.Grant{
		Prior: pseudonym.Open, RequiresPseudonym: q.plan.Pseudonymous, OpaqueTokens: q.plan.TokenType == scope.Opaque,
		IDToken: q.plan.OpenID, UserInfo: slices.Contains(q.scopes, scope.Profile),
	}) != pseudonym.Open
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

// representation is the answer of the representation page in this login.
type representation struct {
	answered bool     // the form was posted
	chosen   []string // identifiers of choices; empty if the user represents no other party
}

// openSelection returns the selection that the user must make before details are granted. It returns nil if the request has no
// details, they leave nothing to choose, or the user has made the selection.
func (e *Endpoint) openSelection(ctx context.Context, x *exchange, who *session.Identity) (*rar.Selection, *refusal) {
	if len(x.req.details) == 0 || x.representation.answered {
		return nil, nil
	}
	selection, refused := e.loadSelection(ctx, x, who)
	switch {
	case refused != nil:
		return nil, refused
	case selection == nil || len(selection.Choices) == 0 && !selection.Required:
		return nil, nil
	case len(selection.Choices) == 0:
		return nil, denied(x, rar.ErrDenied)
	}
	return selection, nil
}

// loadSelection returns what the user may choose, according to the types of the details.
func (e *Endpoint) loadSelection(ctx context.Context, x *exchange, who *session.Identity) (*rar.Selection, *refusal) {
	selection, err := e.cfg.AuthorizationDetails.Selection(ctx, e.detailsRequest(x, who), x.req.details)
	if err != nil {
		return nil, denied(x, err)
	}
	return selection, nil
}

// detailsRequest describes the client and the user to package rar.
func (e *Endpoint) detailsRequest(x *exchange, who *session.Identity) rar.Request {
	c := x.req.client
	return rar.Request{
		ClientID: c.ClientID, Organisation: c.OrganisationNo, Supplier: c.SupplierOrgno,
		Subject: who.Subject, Identifiers: who.Identifiers, Name: who.Attributes["name"],
		Locale: e.locale(x.r.Header, x.req.form.Get("ui_locales")), Now: x.now,
	}
}

// grantDetails returns the details that the user grants, sealed for the grant; nil if the request has none. It loads the choices
// again, so that a right that was lost meanwhile is not granted.
func (e *Endpoint) grantDetails(ctx context.Context, x *exchange, who *session.Identity, grantID string) ([]byte, *refusal) {
	if len(x.req.details) == 0 {
		return nil, nil
	}
	selection, refused := e.loadSelection(ctx, x, who)
	if refused != nil {
		return nil, refused
	}
	var chosen []string
	if selection != nil {
		var err error
		if chosen, err = selection.Check(x.representation.chosen); err != nil {
			return nil, denied(x, rar.ErrDenied) // the page accepted the choice, so it is no longer offered
		}
	}
	details, err := e.cfg.AuthorizationDetails.Grant(ctx, e.detailsRequest(x, who), x.req.details, chosen)
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
		reason, description := detailsReason(err)
		return to.refuse(portner.InvalidAuthorizationDetails, reason, description)
	}
	return faulty(to, fmt.Errorf("%w: evaluating authorization_details: %w", portner.ErrUnavailable, err))
}

// shownChoices returns every text of the representation page that the user chooses from.
func shownChoices(q *rar.Selection) []string {
	parts := []string{fmt.Sprint(q.Multiple, q.Required)}
	for _, c := range q.Choices {
		parts = append(parts, c.ID, c.Name, c.Hint)
	}
	return parts
}
