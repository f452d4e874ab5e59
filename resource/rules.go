package resource

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/internal/fields"
	"github.com/portner-go/portner/internal/httpx"
	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/storage"
)

// Rules holds the requirements on a token. The zero value is rejected: name a scope, or set AllowNoScope.
//
// Whatever the fields are, Check rejects a consumer or supplier whose coding or register is not trusted, a delegation whose source is
// not one of DelegationSources, a supplier without a delegation that is not one of Suppliers, and a token with neither sub nor consumer.
type Rules struct {
	// Scopes must all be granted. Names are compared in full.
	Scopes []string
	// AnyScope requires at least one of these scopes.
	AnyScope []string
	// AllowNoScope permits rules without Scopes and AnyScope.
	AllowNoScope bool

	// SenderConstrained rejects bearer tokens: the token must be bound to a key or to a certificate. Without it, tokens that are bound are
	// verified as such too.
	SenderConstrained bool

	// RequireUser rejects tokens without a login ([Token.HasUser]). A pid alone is no login.
	RequireUser bool
	// RequireMachine rejects tokens of a user ([Token.IsMachine]).
	RequireMachine bool
	// ACR is the minimum level of assurance, such as [acr.High]. It implies RequireUser. A weaker login is answered with a
	// step-up challenge (RFC 9470).
	ACR string
	// Levels orders ACR. If nil, [acr.IDPorten].
	Levels *acr.Levels
	// MaxAge is the greatest age of the login, by auth_time. It implies RequireUser. Zero is no limit.
	MaxAge time.Duration

	// Consumers are the organisation numbers that may use the resource. An organisation of Config.Authorities is named
	// "<authority>:<ID>". If empty, every organisation may.
	Consumers []string
	// AllowSubEntities accepts consumers that are a part of their organisation (0192:<organisation number>:<sub-entity>).
	AllowSubEntities bool
	// DelegationSources are the accepted values of delegation_source, such as "https://tt02.altinn.no/". If empty,
	// delegated tokens are rejected.
	DelegationSources []string
	// Suppliers are the organisation numbers of suppliers that are accepted without a delegation_source, in the form of Consumers.
	// ID-porten issues such tokens to clients that a supplier operates: it checks the access of the supplier, and the consumer is
	// the one that the supplier registered. If empty, tokens with a supplier and without a delegation_source are rejected.
	Suppliers []string

	// RequirePID requires the claim pid.
	RequirePID bool
	// PID is the required value of pid: the person the request is about. The zero value permits every person.
	PID norway.PID

	// ClientAMR are the accepted methods of client authentication, such as "virksomhetssertifikat" and "QCForESeal". If
	// empty, every method is accepted.
	ClientAMR []string
	// RequireSystemUser requires a system user ([Token.SystemUser]). Check does not verify its rights, which Altinn decides.
	RequireSystemUser bool
	// RequireConsent requires a consent ([Token.Consent]) that is valid and was given to the consumer. The API must verify
	// that the rights of the consent cover the request.
	RequireConsent bool
}

// Check validates a token against the rules at now. It returns an *[Error] if the token does not allow what the rules
// require, and another error if the rules are invalid, t is nil or now is zero.
func (r Rules) Check(t *Token, now time.Time) error {
	if err := r.validate(); err != nil {
		return err
	}
	switch {
	case t == nil:
		return errors.New("resource: Rules.Check: the token is nil")
	case now.IsZero():
		return errors.New("resource: Rules.Check: now is zero")
	}
	return r.check(t, now)
}

// check is Check for rules that have been validated.
func (r Rules) check(t *Token, now time.Time) error {
	for _, rejection := range []*Error{
		r.checkBinding(t), r.checkScopes(t), r.checkKind(t), r.checkLogin(t, now), r.checkConsumer(t), r.checkSupplier(t),
		r.checkPerson(t), r.checkClientAMR(t), r.checkSystemUser(t), r.checkConsent(t, now),
	} {
		if rejection != nil {
			if rejection.scheme = httpx.Bearer; t.Confirmation.Key != "" {
				rejection.scheme = httpx.DPoP
			}
			return rejection
		}
	}
	return nil
}

// checkBinding rejects bearer tokens if the rules do.
func (r Rules) checkBinding(t *Token) *Error {
	if r.SenderConstrained && t.Confirmation == (storage.Confirmation{}) {
		return invalid("token_not_sender_constrained", "The access token must be bound to a key or to a certificate.", nil)
	}
	return nil
}

// validate reports every invalid field.
func (r Rules) validate() error {
	var c fields.Checker
	c.Want(len(r.Scopes)+len(r.AnyScope) > 0 || r.AllowNoScope, "Scopes", "is required, unless AllowNoScope is set")
	checkNames(&c, "Scopes", r.Scopes)
	checkNames(&c, "AnyScope", r.AnyScope)
	c.Want(!r.RequireMachine || !r.RequireUser, "RequireMachine", "excludes RequireUser")
	c.Want(!r.RequireMachine || r.ACR == "", "ACR", "excludes RequireMachine")
	c.Want(!r.RequireMachine || r.MaxAge == 0, "MaxAge", "excludes RequireMachine")
	c.Want(r.ACR == "" || r.levels().AtLeast(r.ACR, r.ACR), "ACR", "must be one of Levels")
	c.Want(r.MaxAge >= 0, "MaxAge", "must not be negative")
	for n, consumer := range r.Consumers {
		c.Want(consumerName(consumer), index("Consumers", n), "must be an organisation number of nine digits or <authority>:<ID>")
	}
	for n, supplier := range r.Suppliers {
		c.Want(consumerName(supplier), index("Suppliers", n), "must be an organisation number of nine digits or <authority>:<ID>")
	}
	for n, source := range r.DelegationSources {
		c.Require(source != "", index("DelegationSources", n))
	}
	for n, method := range r.ClientAMR {
		c.Require(method != "", index("ClientAMR", n))
	}
	if err := c.Err(); err != nil {
		return fmt.Errorf("resource: Rules: %w", err)
	}
	return nil
}

func checkNames(c *fields.Checker, field string, scopes []string) {
	for n, name := range scopes {
		c.Add(index(field, n), oneScope(name))
	}
}

// consumerName reports whether an element of Consumers can match an organisation. "0192:991825827" cannot: an organisation
// of the Norwegian register is named by its number alone.
func consumerName(s string) bool {
	if authority, id, ok := strings.Cut(s, ":"); ok {
		return authority != "" && id != "" && authority != "0192"
	}
	_, ok := norway.OrgIdentifier(s).Number()
	return ok
}

func (r Rules) levels() *acr.Levels {
	if r.Levels == nil {
		return acr.IDPorten
	}
	return r.Levels
}

// checkScopes compares whole names.
func (r Rules) checkScopes(t *Token) *Error {
	missing := func(required []string) *Error {
		return &Error{Code: portner.InsufficientScope, Description: "The access token lacks a scope.", Reason: "scope_missing", scopes: required}
	}
	for _, name := range r.Scopes {
		if !t.HasScope(name) {
			return missing(r.Scopes)
		}
	}
	if len(r.AnyScope) > 0 && !slices.ContainsFunc(r.AnyScope, t.HasScope) {
		return missing(append(slices.Clone(r.Scopes), r.AnyScope[0])) // one of AnyScope suffices
	}
	return nil
}

func (r Rules) checkKind(t *Token) *Error {
	if (r.RequireUser || r.ACR != "" || r.MaxAge > 0) && !t.HasUser() {
		return forbidden("user_missing", "A user must have logged in.")
	}
	if r.RequireMachine && !t.IsMachine() {
		return forbidden("user_not_allowed", "Only tokens of machines are accepted here.")
	}
	return nil
}

// checkLogin challenges the client to step up (RFC 9470 §3) where another login would suffice.
func (r Rules) checkLogin(t *Token, now time.Time) *Error {
	weak := r.ACR != "" && !r.levels().AtLeast(t.ACR, r.ACR)
	old := r.MaxAge > 0 && now.Sub(t.AuthTime) > r.MaxAge // a zero AuthTime is too old
	if !weak && !old {
		return nil
	}
	e := &Error{Code: portner.InsufficientUserAuthentication}
	if old {
		e.Reason, e.Description, e.maxAge = "login_too_old", "A more recent login is required.", r.MaxAge
	}
	if weak {
		e.Reason, e.Description = "acr_insufficient", "A higher level of assurance is required."
	}
	if r.ACR != "" { // also if the login is only too old: the next one must not be weaker
		e.acrValues = []string{r.ACR}
	}
	return e
}

// checkConsumer checks the organisation that legally uses the API.
func (r Rules) checkConsumer(t *Token) *Error {
	o := t.Consumer
	switch {
	case o.ID == "" && o.Orgno == "":
		if t.Subject == "" && !t.clientOnly || len(r.Consumers) > 0 {
			return forbidden("consumer_missing", "The access token names no consumer.")
		}
	case !o.trusted():
		return forbidden("consumer_untrusted", "The consumer of the access token is not identified in a way that is accepted.")
	case o.SubEntity != "" && !r.AllowSubEntities:
		return forbidden("sub_entity_not_allowed", "Sub-entities are not accepted here.")
	case len(r.Consumers) > 0 && !o.in(r.Consumers):
		return forbidden("consumer_not_allowed", "The consumer of the access token may not use this resource.")
	}
	return nil
}

// in reports whether a list of Rules.Consumers or Rules.Suppliers names the organisation.
func (o Organisation) in(list []string) bool {
	return o.Orgno != "" && slices.Contains(list, o.Orgno) ||
		o.optedIn && slices.Contains(list, o.Authority+":"+o.ID)
}

// checkSupplier checks the coding of the supplier and the source of the delegation. Without a source, only the supplier says
// that it acts for the consumer.
func (r Rules) checkSupplier(t *Token) *Error {
	if t.Supplier.ID != "" && !t.Supplier.trusted() {
		return forbidden("supplier_untrusted", "The supplier of the access token is not identified in a way that is accepted.")
	}
	if t.Supplier.ID != "" && t.DelegationSource == "" && !t.Supplier.in(r.Suppliers) {
		return forbidden("delegation_source_missing", "The access token names a supplier without a delegation.")
	}
	if t.DelegationSource != "" && !slices.Contains(r.DelegationSources, t.DelegationSource) {
		return forbidden("delegation_source_untrusted", "Delegations of this source are not accepted here.")
	}
	return nil
}

// checkPerson checks the person the request is about.
func (r Rules) checkPerson(t *Token) *Error {
	switch {
	case t.PID.IsZero() && (r.RequirePID || !r.PID.IsZero()):
		return forbidden("pid_missing", "The access token must be about a person.")
	case !r.PID.IsZero() && t.PID != r.PID:
		return forbidden("pid_mismatch", "The access token is about another person.")
	}
	return nil
}

func (r Rules) checkClientAMR(t *Token) *Error {
	if len(r.ClientAMR) > 0 && !slices.Contains(r.ClientAMR, t.ClientAMR) {
		return forbidden("client_amr_not_allowed", "The client must authenticate in another way.")
	}
	return nil
}

func (r Rules) checkSystemUser(t *Token) *Error {
	if !r.RequireSystemUser {
		return nil
	}
	if _, ok := t.SystemUser(); !ok {
		return forbidden("system_user_missing", "The access token must be for a system user.")
	}
	return nil
}

func (r Rules) checkConsent(t *Token, now time.Time) *Error {
	if !r.RequireConsent {
		return nil
	}
	c, ok := t.Consent()
	switch {
	case !ok:
		return forbidden("consent_missing", "The access token must be for a consent.")
	case !now.Before(c.ValidTo):
		return forbidden("consent_expired", "The consent is no longer valid.")
	case c.To.Orgno != t.Consumer.Orgno || c.To.SubEntity != t.Consumer.SubEntity:
		return forbidden("consent_consumer_mismatch", "The consent was given to another organisation.")
	}
	return nil
}
