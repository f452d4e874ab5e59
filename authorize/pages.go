package authorize

import (
	"net/http"

	"github.com/portner-go/portner/internal/httpx"
)

// Step is what a request waits for.
type Step string

// The steps.
const (
	StepLogin   Step = "login"   // Pending.Authenticated goes on
	StepConsent Step = "consent" // Pending.Consented goes on
)

// Pages is the host's user interface. A page is reached with a request waiting for a person; the
// host's handler gets it back with Endpoint.Resume.
//
// A page with a form posts RequestField and CSRFField to the issuer's origin and sends
// "Referrer-Policy: same-origin" (with no-referrer, browsers hide the Origin of the post, and it is
// refused), "frame-ancestors 'none'", and Pending.FormAction in its Content-Security-Policy.
type Pages interface {
	// Interact takes the browser to the page for p.Step: it redirects (303) to a URL of the provider's
	// own origin with p.Sealed as the parameter RequestField, or renders the page at once.
	Interact(w http.ResponseWriter, r *http.Request, p *Pending)
}

// The names of the two fields every form of the host's pages posts.
const (
	RequestField = "request" // Pending.Sealed
	CSRFField    = "csrf"    // Pending.CSRF
)

// PageURLs are Pages at two paths of the provider's own origin.
type PageURLs struct {
	Login   string // for example "/login"
	Consent string // for example "/consent"
}

// Interact redirects to the step's page with the sealed request in its query.
func (u PageURLs) Interact(w http.ResponseWriter, _ *http.Request, p *Pending) {
	page := u.Login
	if p.Step == StepConsent {
		page = u.Consent
	}
	httpx.SeeOther(w, httpx.AppendQuery(page, RequestField, p.Sealed))
}
