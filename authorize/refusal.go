package authorize

import (
	"errors"
	"net/http"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/audit"
	"github.com/portner-go/portner/internal/httpx"
)

// Limits of parameters. Longer values are rejected, never cut.
const (
	maxRedirectURI = 2048
	maxNonce       = 512
)

// target is where a response may be sent. Only newTarget makes one, for a redirect_uri that is registered for the client. A refusal
// without a target cannot be redirected.
type target struct {
	uri   string
	mode  string
	state string // "" if there is none, or none that may be returned
}

// newTarget validates redirect_uri.
func newTarget(c *client.Client, env client.Environment, form httpx.Form) (t target, refused *refusal) {
	uri := form.Get("redirect_uri")
	switch {
	case uri == "":
		return t, page(portner.InvalidRequest, "redirect_uri_missing", "The parameter redirect_uri is required.")
	case repeated(form, "redirect_uri"):
		return t, page(portner.InvalidRequest, "redirect_uri_repeated", "The parameter redirect_uri is repeated.").
			as(portner.EventDuplicateParam)
	case len(uri) > maxRedirectURI || !c.MatchRedirectURI(uri):
		return t, page(portner.InvalidRequest, "redirect_uri_mismatch", "The redirect_uri is not registered for this client.").
			as(portner.EventRedirectMismatch)
	}
	if err := c.CheckURI(uri, env); err != nil { // a stored registration may be older than a rule
		r := page(portner.ServerError, "redirect_uri_registration", "The registration of the redirect_uri is invalid.").
			as(portner.EventBadRegistration)
		r.status = http.StatusInternalServerError
		return t, r
	}
	t = target{uri: uri, mode: modeOf(c, uri, form)}
	if s := form.Get("state"); httpx.ValidState(s) && !repeated(form, "state") {
		t.state = s
	}
	return t, nil
}

func repeated(form httpx.Form, name string) bool { return form.Count(name) > 1 }

// refusal is the end of a request without a code.
type refusal struct {
	to          *target // if nil, the refusal is an error page
	status      int     // of the page; 0 is 400
	code        portner.ErrorCode
	description string // one sentence, which names the parameter of the reason
	event       portner.EventName
	reason      string // snake_case, for the log
	fault       error  // a fault of the provider, for the log only
	finished    bool   // the request has another outcome
	late        bool   // the request has expired, or is not one of this browser

	explanation portner.Explanation
}

// page returns a refusal that must not be redirected.
func page(code portner.ErrorCode, reason, description string) *refusal {
	return &refusal{code: code, reason: reason, description: description, event: portner.EventRefused}
}

// refuse returns a refusal that is sent to the client.
func (t *target) refuse(code portner.ErrorCode, reason, description string) *refusal {
	r := page(code, reason, description)
	r.to = t
	return r
}

// invalid is refuse with invalid_request.
func (t *target) invalid(reason, description string) *refusal {
	return t.refuse(portner.InvalidRequest, reason, description)
}

// explain adds what the request had, and what is registered for the client, which is nil if it is not known.
func (r *refusal) explain(form httpx.Form, c *client.Client) *refusal {
	x := &r.explanation
	if x.Parameter == "" {
		x.Parameter = audit.Parameter(r.reason)
	}
	if x.Received == "" {
		x.Received = audit.Received(x.Parameter, form.Get(x.Parameter))
	}
	switch r.reason {
	case "parameter_repeated":
		x.Parameter = httpx.KnownParameter(form.Repeated())
	case "code_challenge":
		if method := form.Get("code_challenge_method"); form.Has("code_challenge") && method != "S256" {
			x.Parameter, x.Received, x.Expected = "code_challenge_method", audit.Received("code_challenge_method", method), "S256"
		}
	}
	if c == nil {
		return r
	}
	switch r.reason {
	case "redirect_uri_mismatch", "redirect_uri_missing":
		x.Expected = audit.OneOf(c.RedirectURIs)
	case "response_mode_unregistered":
		x.Expected = audit.OneOf(c.ResponseModes)
	case "onbehalfof_unregistered":
		var names []string
		for _, o := range c.OnBehalfOf {
			names = append(names, o.Value)
		}
		x.Expected = audit.OneOf(names)
	}
	return r
}

// expect sets the values that the rule allows, for the log.
func (r *refusal) expect(values []string) *refusal {
	r.explanation.Expected = audit.OneOf(values)
	return r
}

// as sets the event of the refusal.
func (r *refusal) as(e portner.EventName) *refusal { r.event = e; return r }

// wireError returns the refusal as a protocol error.
func (r *refusal) wireError() *portner.Error {
	return &portner.Error{Code: r.code, Description: r.description, Err: r.fault}
}

// faulty returns the refusal for a fault of the provider. Its text is not part of the response. to may be nil.
func faulty(to *target, err error) *refusal {
	if !portner.IsFault(err) { // a protocol error of the host
		err = errors.New("authorize: " + err.Error())
	}
	e := portner.AsError(err)
	return &refusal{
		to: to, status: e.HTTPStatus(), code: e.Code, description: e.Description,
		event: portner.EventFault, reason: "fault", fault: err,
	}
}
