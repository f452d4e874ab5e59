package authorize

import (
	"net/http"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/httpx"
)

// The response modes there are. "fragment" is for front-channel tokens, which do not exist here.
const (
	modeQuery    = "query"
	modeFormPost = "form_post"
)

// Limits of security section 0.6. Values beyond are refused, never cut.
const (
	maxRedirectURI = 2048
	maxState       = 2048
	maxNonce       = 512
	maxScope       = 4096
	maxScopes      = 100
	maxClientID    = 256
	maxClaims      = 4096
)

// target is where the answer to a request may be sent. Only newTarget makes one, and only for a
// redirect_uri that is registered for the client: an error that has a target may be redirected, one
// that has none never can.
type target struct {
	uri   string
	mode  string
	state string // "" if there was none, or none that may be returned
}

// newTarget checks redirect_uri and nothing else (security rows A1-A6).
func newTarget(c *client.Client, env client.Environment, form httpx.Form) (*target, *refusal) {
	uri := form.Get("redirect_uri")
	switch {
	case uri == "":
		return nil, page(portner.InvalidRequest, "redirect_uri_missing", "The parameter redirect_uri is required.")
	case repeated(form, "redirect_uri"):
		return nil, page(portner.InvalidRequest, "redirect_uri_repeated", "The parameter redirect_uri was sent twice.").
			as(portner.EventDuplicateParam)
	case len(uri) > maxRedirectURI || !c.MatchRedirectURI(uri):
		return nil, page(portner.InvalidRequest, "redirect_uri_mismatch", "The redirect_uri is not registered for this client.").
			as(portner.EventRedirectMismatch)
	}
	if err := c.CheckURI(uri, env); err != nil { // the store may hold registrations older than a rule (A5)
		r := page(portner.ServerError, "redirect_uri_rule", "The registration of this client cannot be used.").
			as(portner.EventBadRegistration)
		r.status = http.StatusInternalServerError
		return nil, r
	}
	t := &target{uri: uri, mode: modeQuery}
	if !c.HasResponseMode(modeQuery) {
		t.mode = modeFormPost
	}
	if s := form.Get("state"); validState(s) && !repeated(form, "state") {
		t.state = s
	}
	return t, nil
}

// validState: printable ASCII (ID-porten's rule, security row A7).
func validState(s string) bool {
	if len(s) > maxState {
		return false
	}
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return true
}

func repeated(form httpx.Form, name string) bool { return form.Count(name) > 1 }

// refusal is the end of a request that gets no code.
type refusal struct {
	to          *target // nil: an error page
	status      int     // of the page; 0 is 400
	code        portner.ErrorCode
	description string // one fixed sentence
	event       portner.EventName
	reason      string // one fixed word, for the log
	fault       error  // what failed here, for the log only
}

// page is a refusal that must not be redirected (PAGE of security section 0.4).
func page(code portner.ErrorCode, reason, description string) *refusal {
	return &refusal{code: code, reason: reason, description: description, event: portner.EventRefused}
}

// refuse is a refusal the client gets (RED of security section 0.4).
func (t *target) refuse(code portner.ErrorCode, reason, description string) *refusal {
	r := page(code, reason, description)
	r.to = t
	return r
}

// invalid is refuse with invalid_request.
func (t *target) invalid(reason, description string) *refusal {
	return t.refuse(portner.InvalidRequest, reason, description)
}

// as names the security event the refusal is.
func (r *refusal) as(e portner.EventName) *refusal { r.event = e; return r }

// wireError is the refusal as a protocol error.
func (r *refusal) wireError() *portner.Error {
	return &portner.Error{Code: r.code, Description: r.description, Err: r.fault}
}

// faulty turns something that failed here into what the client, or the page, may be told (R9). to may
// be nil.
func faulty(to *target, err error) *refusal {
	e := portner.AsError(err)
	return &refusal{
		to: to, status: e.HTTPStatus(), code: e.Code, description: e.Description,
		event: portner.EventFault, reason: "fault", fault: err,
	}
}
