package resource

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/scope"
)

// Rules say what a token must allow to use a resource. They are a plain value; what is not named in them is
// not demanded, but for three things: a scope, that the organisations in a token are coded in a way that is
// trusted, and that a delegation comes from a source that is trusted.
type Rules struct {
	// Scopes must all have been granted, by exact name.
	Scopes []string
	// AnyScope needs one of these.
	AnyScope []string
	// AllowNoScope lets a rule name no scope: then every token of the issuer that passes the rest will do.
	AllowNoScope bool

	// Person demands that a person logged in, Machine that none did. A pid alone is no login.
	Person, Machine bool
	// ACR is the lowest level of assurance that will do, such as [acr.High]; it implies Person. A weaker
	// login is answered with a challenge to step up (RFC 9470).
	ACR string
	// Levels order ACR. nil: [acr.IDPorten].
	Levels *acr.Levels
	// MaxAge is how long ago the login may be, by auth_time. Zero: any time. It implies Person.
	MaxAge time.Duration

	// Consumers are the organisation numbers that may use the resource; an organisation that
	// Config.Authorities opts in to is named by "<authority>:<ID>". Empty: all. A token that names neither
	// a consumer nor a person is always refused.
	Consumers []string
	// AllowSubEntities takes consumers that are a part of their organisation (0192:<orgno>:<sub-entity>).
	AllowSubEntities bool
	// DelegationSources are trusted to know who may act for whom, by exact value, such as
	// "https://tt02.altinn.no/". Empty: delegated tokens are refused.
	DelegationSources []string

	// RequirePID demands that the token is about one person; compare [Token.PID] with the person in the call.
	RequirePID bool
	// PID is the person in the call: the token must be about her. Zero: anybody.
	PID norway.PID

	// ClientAMR are the ways of client authentication that will do, e.g. "virksomhetssertifikat" and
	// "QCForESeal" for an API that demands certificates. Empty: all.
	ClientAMR []string
	// SystemUser demands a token for a system user ([Token.SystemUser]). What it may do is for Altinn's
	// decision point to say.
	SystemUser bool
	// Consent demands a token for a consent ([Token.Consent]) that still holds and was given to the
	// consumer. Whether its rights cover the call is for the resource to say.
	Consent bool
}

// Check reports whether a token allows what the rules are for, with a *[RefusalError] if it does not. Other
// errors are mistakes in the rules.
func (r Rules) Check(t *Token, now time.Time) error {
	if err := r.validate(); err != nil {
		return err
	}
	return r.check(t, now)
}

// check is Check of rules that are known to be good.
func (r Rules) check(t *Token, now time.Time) error {
	for _, refused := range []*RefusalError{
		r.scope(t), r.family(t), r.login(t, now), r.consumer(t), r.supplier(t),
		r.person(t), r.clientAMR(t), r.systemUser(t), r.consent(t, now),
	} {
		if refused != nil {
			return refused
		}
	}
	return nil
}

// validate finds rules that would not say what their author means.
func (r Rules) validate() error {
	named := slices.Concat(r.Scopes, r.AnyScope)
	if len(named) == 0 && !r.AllowNoScope {
		return errors.New("resource: Rules name no scope; AllowNoScope if that is meant")
	}
	for _, name := range named {
		if one, err := scope.Parse(name); err != nil || len(one) != 1 {
			return fmt.Errorf("resource: Rules: %q is not the name of a scope", name)
		}
	}
	if r.Person && r.Machine {
		return errors.New("resource: Rules: a token cannot be a person's and a machine's")
	}
	if r.Machine && (r.ACR != "" || r.MaxAge != 0) {
		return errors.New("resource: Rules: a machine does not log in")
	}
	if r.ACR != "" && !r.levels().AtLeast(r.ACR, r.ACR) { // no token would satisfy an unknown value
		return fmt.Errorf("resource: Rules: ACR %q is not one of the Levels", r.ACR)
	}
	if r.MaxAge < 0 {
		return errors.New("resource: Rules: MaxAge is negative")
	}
	return nil
}

func (r Rules) levels() *acr.Levels {
	if r.Levels == nil {
		return acr.IDPorten
	}
	return r.Levels
}

// scope compares whole elements, never parts (maskinporten-altinn chapter 2 row 8).
func (r Rules) scope(t *Token) *RefusalError {
	const description = "The access token lacks a scope."
	for _, name := range r.Scopes {
		if !t.HasScope(name) {
			return &RefusalError{Code: portner.InsufficientScope, Description: description, Reason: "scope", Scopes: r.Scopes}
		}
	}
	if len(r.AnyScope) > 0 && !slices.ContainsFunc(r.AnyScope, t.HasScope) {
		needed := append(slices.Clone(r.Scopes), r.AnyScope[0]) // one that would do; all of them need not be granted
		return &RefusalError{Code: portner.InsufficientScope, Description: description, Reason: "scope", Scopes: needed}
	}
	return nil
}

func (r Rules) family(t *Token) *RefusalError {
	if (r.Person || r.ACR != "" || r.MaxAge > 0) && !t.Person() {
		return forbidden("no_person", "A person must have logged in.")
	}
	if r.Machine && !t.Machine() {
		return forbidden("no_machine", "Only tokens of machines are accepted here.")
	}
	return nil
}

// login asks for a step-up (RFC 9470 section 3) where another login would help.
func (r Rules) login(t *Token, now time.Time) *RefusalError {
	weak := r.ACR != "" && !r.levels().AtLeast(t.ACR, r.ACR)
	old := r.MaxAge > 0 && now.Sub(t.AuthTime) > r.MaxAge // without auth_time: since the year 1
	if !weak && !old {
		return nil
	}
	e := &RefusalError{Code: portner.InsufficientUserAuthentication}
	if old {
		e.Reason, e.Description, e.MaxAge = "login_old", "A more recent login is required.", r.MaxAge
	}
	if weak {
		e.Reason, e.Description = "acr", "A higher level of assurance is required."
	}
	if r.ACR != "" { // also with an old login: the new one must not be weaker
		e.ACRValues = []string{r.ACR}
	}
	return e
}

// consumer is rows 9 and 10 of chapter 2: who legally consumes the API.
func (r Rules) consumer(t *Token) *RefusalError {
	o := t.Consumer
	switch {
	case o.ID == "" && o.Orgno == "":
		if t.Subject == "" || len(r.Consumers) > 0 {
			return forbidden("consumer_missing", "The access token names no consumer.")
		}
	case !o.trusted():
		return forbidden("consumer_untrusted", "The consumer of the access token is not identified in a way that is accepted.")
	case o.SubEntity != "" && !r.AllowSubEntities:
		return forbidden("sub_entity", "Sub-entities are not accepted here.")
	case len(r.Consumers) > 0 && !o.among(r.Consumers):
		return forbidden("consumer_denied", "The consumer of the access token may not use this resource.")
	}
	return nil
}

// among reports whether a list names the organisation.
func (o Organisation) among(list []string) bool {
	return o.Orgno != "" && slices.Contains(list, o.Orgno) ||
		o.optedIn && slices.Contains(list, o.Authority+":"+o.ID)
}

// supplier is row 11: nobody decides on the supplier, but a delegation must come from a trusted source.
func (r Rules) supplier(t *Token) *RefusalError {
	if t.Supplier.ID != "" && !t.Supplier.trusted() {
		return forbidden("supplier_untrusted", "The supplier of the access token is not identified in a way that is accepted.")
	}
	if t.DelegationSource != "" && !slices.Contains(r.DelegationSources, t.DelegationSource) {
		return forbidden("delegation_source", "Delegations of this source are not accepted here.")
	}
	return nil
}

// person is row 12.
func (r Rules) person(t *Token) *RefusalError {
	switch {
	case t.PID.IsZero() && (r.RequirePID || !r.PID.IsZero()):
		return forbidden("pid_missing", "The access token must be about a person.")
	case !r.PID.IsZero() && t.PID != r.PID:
		return forbidden("pid_other", "The access token is about another person.")
	}
	return nil
}

// clientAMR is row 15.
func (r Rules) clientAMR(t *Token) *RefusalError {
	if len(r.ClientAMR) > 0 && !slices.Contains(r.ClientAMR, t.ClientAMR) {
		return forbidden("client_amr", "The client must authenticate in another way.")
	}
	return nil
}

// systemUser is row 13.
func (r Rules) systemUser(t *Token) *RefusalError {
	if !r.SystemUser {
		return nil
	}
	if _, ok := t.SystemUser(); !ok {
		return forbidden("system_user", "The access token must be for a system user.")
	}
	return nil
}

// consent is row 14.
func (r Rules) consent(t *Token, now time.Time) *RefusalError {
	if !r.Consent {
		return nil
	}
	c, ok := t.Consent()
	switch {
	case !ok:
		return forbidden("consent_missing", "The access token must be for a consent.")
	case !now.Before(c.ValidTo):
		return forbidden("consent_ended", "The consent is no longer valid.")
	case c.To.Orgno != t.Consumer.Orgno || c.To.SubEntity != t.Consumer.SubEntity:
		return forbidden("consent_other", "The consent was given to another organisation.")
	}
	return nil
}
