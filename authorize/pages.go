package authorize

import (
	"net/http"

	"github.com/portner-go/portner/internal/httpx"
)

// Step is what a request waits for.
type Step string

// The steps.
const (
	StepLogin          Step = "login"          // Pending.Authenticated goes on
	StepRepresentation Step = "representation" // Pending.Represented goes on
	StepConsent        Step = "consent"        // Pending.Consented goes on
)

// Pages is the host's user interface. A page is reached with a request waiting for a person; the
// host's handler gets it back with Endpoint.Resume, which sets headers against framing and caching: set
// a Content-Security-Policy of your own in their place, with frame-ancestors 'none' in it.
//
// A page with a form posts RequestField and CSRFField to the issuer's origin and sends
// "Referrer-Policy: same-origin" (with no-referrer, browsers hide the Origin of the post, and it is
// refused), "frame-ancestors 'none'", and Pending.FormAction in its Content-Security-Policy.
type Pages interface {
	// Interact takes the browser to the page for p.Step: it redirects (303) to a URL of the provider's
	// own origin with p.Sealed as the parameter RequestField, or renders the page at once.
	Interact(w http.ResponseWriter, r *http.Request, p *Pending)
}

// The headers of the host's pages, unless it sets its own: no page frames them, keeps them or learns
// their address (security rows G6, I1). Scripts and styles are the host's affair, and so is form-action
// (see Pending.FormAction): its form may go on to another identity provider. With no-referrer the
// Origin header of the form would be null.
var (
	frameDeny  = []string{"DENY"}
	sameOrigin = []string{"same-origin"}
	pagePolicy = []string{"base-uri 'none'; object-src 'none'; frame-ancestors 'none'"}
)

func bornSafe(h http.Header) {
	httpx.Secure(h)
	h["Referrer-Policy"] = sameOrigin
	h["X-Frame-Options"] = frameDeny
	h["Content-Security-Policy"] = pagePolicy
}

// The names of the two fields every form of the host's pages posts.
const (
	RequestField = "request" // Pending.Sealed
	CSRFField    = "csrf"    // Pending.CSRF
)

// PageURLs are Pages at paths of the provider's own origin.
type PageURLs struct {
	Login   string // for example "/login"
	Consent string // for example "/consent"
	// Representation is where people choose whom to act for, for example "/representation". Required if a
	// type of Config.AuthorizationDetails has Choices.
	Representation string
}

// Interact redirects to the step's page with the sealed request in its query.
func (u PageURLs) Interact(w http.ResponseWriter, _ *http.Request, p *Pending) {
	page := u.Login
	switch p.Step {
	case StepRepresentation:
		page = u.Representation
	case StepConsent:
		page = u.Consent
	}
	httpx.SeeOther(w, httpx.AppendQuery(page, RequestField, p.Sealed))
}
