package authorize

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/pseudonym"
	"github.com/portner-go/portner/rar"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
)

// checkDetails: row 14 (RFC 9396 section 5). What a type knows beforehand is checked now; whether there is
// anything to grant, its Choices and Grant say when a person has logged in.
func (e *Endpoint) checkDetails(_ context.Context, q *request, _ time.Time) *refusal {
	text := q.form.Get("authorization_details")
	if text == "" {
		return nil
	}
	bad := func(reason, description string) *refusal {
		return q.to.refuse(portner.InvalidAuthorizationDetails, reason, description)
	}
	if e.cfg.AuthorizationDetails == nil {
		return bad("authorization_details", "No type of authorization_details is known.")
	}
	details, err := e.cfg.AuthorizationDetails.Parse([]byte(text))
	if err != nil {
		return bad(faultOf(err))
	}
	// Details say for whom a person acts and sometimes who the person is, and RFC 9396 section 7 sends them
	// to the client: that and a pseudonym exclude each other (idporten section 13.2, rule 5).
	if q.hidesPerson() {
		return bad("details_pseudonymous", "The scopes hide who the person is, so authorization_details cannot be granted.")
	}
	q.details = details
	return nil
}

// hidesPerson reports whether the scopes keep from the client who the person is (idporten section 13.1).
func (q *request) hidesPerson() bool {
	return pseudonym.Decide(pseudonym.Grant{
		Prior: pseudonym.Open, RequiresPseudonym: q.plan.Pseudonymous, OpaqueTokens: q.plan.TokenType == scope.Opaque,
		IDToken: q.plan.OpenID, UserInfo: contains(q.scopes, scope.Profile),
	}) != pseudonym.Open
}

// faultOf names what is wrong with authorization_details, for the log and for the client.
func faultOf(err error) (reason, description string) {
	for _, f := range []struct {
		is                  error
		reason, description string
	}{
		{rar.ErrUnknownType, "details_type", "A type of authorization_details is not known."},
		{rar.ErrUnknownMember, "details_member", "A member of authorization_details is not known for its type."},
		{rar.ErrMixedTypes, "details_mixed", "These types of authorization_details cannot be mixed."},
		{rar.ErrValue, "details_value", "A value in authorization_details is missing or not valid."},
	} {
		if errors.Is(err, f.is) {
			return f.reason, f.description
		}
	}
	return "details_malformed", "The authorization_details is not a JSON array of objects with a type."
}

// representation is whom the person represents in this login, as the page's form said.
type representation struct {
	answered bool     // the form was posted
	chosen   []string // IDs of choices; none: nobody
}

// choose returns the question that is still to be asked before the details can be granted, nil if there
// is none: no details, nothing to choose in them, nobody to choose, or an answer.
func (f *flow) choose(sess *storage.Session) (*rar.Question, *refusal) {
	if len(f.req.details) == 0 || f.representation.answered {
		return nil, nil
	}
	q, refused := f.askTypes(sess)
	switch {
	case refused != nil:
		return nil, refused
	case q == nil || len(q.Choices) == 0 && !q.Required:
		return nil, nil
	case len(q.Choices) == 0:
		return nil, f.denied(rar.ErrDenied)
	}
	return q, nil
}

// askTypes asks the types of the request what the person of the session may choose.
func (f *flow) askTypes(sess *storage.Session) (*rar.Question, *refusal) {
	who, err := f.requester(sess)
	if err != nil {
		return nil, faulty(f.req.to, err)
	}
	q, err := f.cfg.AuthorizationDetails.Ask(f.r.Context(), who, f.req.details)
	if err != nil {
		return nil, f.denied(err)
	}
	return q, nil
}

// requester is who asks for the details.
func (f *flow) requester(sess *storage.Session) (rar.Request, error) {
	who, err := f.cfg.Sessions.Identity(sess)
	if err != nil {
		return rar.Request{}, err
	}
	c := f.req.client
	id, _ := who.Identifier(session.TypePID)
	pid, _ := norway.ParsePID(id.Reveal()) // zero for a user without a number
	return rar.Request{
		ClientID: c.ClientID, Orgno: c.OrganisationNo, Supplier: c.SupplierOrgno,
		Subject: who.Subject, PID: pid, Name: who.Attributes["name"],
		Locale: f.locale(f.r, f.req.form.Get("ui_locales")), Now: f.now,
	}, nil
}

// granted returns the details the person grants, sealed for the grant; nil if none were asked for. The
// choices are derived once more: a right that was lost meanwhile is not granted.
func (f *flow) granted(sess *storage.Session, grantID string) ([]byte, *refusal) {
	if len(f.req.details) == 0 {
		return nil, nil
	}
	q, refused := f.askTypes(sess)
	if refused != nil {
		return nil, refused
	}
	var chosen []string
	if q != nil {
		var err error
		if chosen, err = q.Pick(f.representation.chosen); err != nil {
			return nil, f.denied(rar.ErrDenied) // no longer among the choices: the form was checked when it came
		}
	}
	who, err := f.requester(sess)
	if err != nil {
		return nil, faulty(f.req.to, err)
	}
	details, err := f.cfg.AuthorizationDetails.Grant(f.r.Context(), who, f.req.details, chosen)
	if err != nil {
		return nil, f.denied(err)
	}
	return f.cfg.Vault.SealDetails(details, grantID), nil
}

// denied answers what a type said instead of granting.
func (f *flow) denied(err error) *refusal {
	switch {
	case errors.Is(err, rar.ErrNoMandate) && !f.req.prompt.has(promptNone):
		r := page(portner.AccessDenied, "details_no_mandate", "You have nobody to act for in this service.")
		r.status = http.StatusForbidden
		return r
	case errors.Is(err, rar.ErrDenied):
		return f.req.to.refuse(portner.AccessDenied, "details_denied", "There is nothing to grant for the authorization_details.")
	case errors.Is(err, rar.ErrValue):
		reason, description := faultOf(err)
		return f.req.to.refuse(portner.InvalidAuthorizationDetails, reason, description)
	}
	return faulty(f.req.to, fmt.Errorf("%w: asking a type of authorization_details: %w", portner.ErrUnavailable, err))
}

// Represented records whom the person represents, the IDs of the choices picked on the page (nobody is
// none of them), and goes on with the request. It writes the answer. Only the posted form of the page
// counts, and only choices that were shown on it. Picking nobody where somebody is required ends the
// login with access_denied.
func (p *Pending) Represented(w http.ResponseWriter, r *http.Request, chosen []string) {
	p.act(w, r, func(f *flow) *refusal {
		if p.Step != StepRepresentation || !p.verified {
			return notOurPage("representation_not_posted")
		}
		picked, err := f.choice.Pick(chosen)
		switch {
		case errors.Is(err, rar.ErrDenied):
			return f.denied(rar.ErrDenied)
		case err != nil:
			return notOurPage("choice_not_shown")
		}
		sess, refused := f.same()
		if refused != nil || sess == nil {
			return refused
		}
		f.representation = representation{true, picked}
		return f.proceed(sess, nil)
	})
}

// shownChoice is what a representation page shows: a copy, so that pages cannot change what is checked.
func (f *flow) shownChoice() *rar.Question {
	if f.choice == nil {
		return nil
	}
	q := *f.choice
	q.Choices = slices.Clone(q.Choices)
	return &q
}

// shownChoices is everything a representation page shows to choose from.
func shownChoices(q *rar.Question) []string {
	parts := []string{fmt.Sprint(q.Multiple, q.Required)}
	for _, c := range q.Choices {
		parts = append(parts, c.ID, c.Name, c.Hint)
	}
	return parts
}
