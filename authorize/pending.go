package authorize

import (
	"net/http"

	"github.com/portner-go/portner/session"
)

// Authentication is one login event, as the host's login page hands it over.
type Authentication = session.Authentication

// Pending is an authorization request that waits for a person. Its fields are for the pages to show;
// changing them changes nothing else.
type Pending struct {
	// Step is what the request waits for.
	Step Step
	// Reason is a fixed word for why: session.Verdict's words at the login step, "other_person" if the
	// client asked for another person than the one logged in, "consent" at the consent step.
	Reason string
	// Client is who asks.
	Client ClientInfo
	// Locale is the language to show (idporten section 3.6).
	Locale string
	// Prompt are the request's prompt values: a page may offer the choice of account for select_account.
	Prompt []string
	// RequestedACR are the levels asked for, the provider's default if the request names none. A login
	// of a lower level than the lowest of them leads back to the login page.
	RequestedACR []string
	// LoginHint is what the client wrote about the person. It may be an identity number.
	LoginHint Hint
	// Scopes are what the person is asked to consent to, at the consent step only.
	Scopes []ConsentScope
	// Sealed is the request itself: the forms of the page post it as RequestField.
	Sealed string
	// CSRF proves that the page was shown to this browser: the forms post it as CSRFField.
	CSRF string
}

// ClientInfo is what a person is told of a client. The texts are the registration's, not the request's.
type ClientInfo struct {
	ID       string // client_id
	Name     string // client_name, or the customer's name for onbehalfof
	Orgno    string // the organisation number, always to be shown beside the name
	Supplier string // client_name of the supplier, if Name is a customer's
	URI      string // client_uri
	LogoURI  string // logo_uri
}

// ConsentScope is one scope to say yes or no to.
type ConsentScope struct {
	Name            string // the form value
	Description     string // in Pending.Locale
	LongDescription string // in Pending.Locale, may be empty
}

// Hint is a login_hint. It redacts itself where it is printed; Reveal gives the text.
type Hint struct{ text string }

// Authenticated records who logged in and goes on with the request: to the consent page, to the
// client, or back to the login page if the level does not suffice. It writes the answer.
func (p *Pending) Authenticated(w http.ResponseWriter, r *http.Request, a Authentication) {
	panic("stub")
}

// Consented records that the person said yes to the approved scopes and no to the others shown, and
// goes on with the request. It writes the answer.
func (p *Pending) Consented(w http.ResponseWriter, r *http.Request, approved []string) {
	panic("stub")
}

// Deny is Consented with nothing approved: the login succeeds without the scopes that need consent,
// or ends with access_denied if nothing is left.
func (p *Pending) Deny(w http.ResponseWriter, r *http.Request) { p.Consented(w, r, nil) }

// Cancel ends the request: the client gets access_denied.
func (p *Pending) Cancel(w http.ResponseWriter, r *http.Request) { panic("stub") }

// FormAction returns the sources a page must allow in the form-action of its Content-Security-Policy:
// "'self'" and where the request redirects to, because Chromium holds form-action against the redirect
// that follows a POST (security row I1).
func (p *Pending) FormAction() []string { panic("stub") }
