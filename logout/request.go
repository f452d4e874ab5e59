package logout

import (
	"context"
	"errors"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/audit"
	"github.com/portner-go/portner/internal/httpx"
	"github.com/portner-go/portner/storage"
)

// Parameters of OIDC RP-Initiated Logout §2.
const (
	paramHint     = "id_token_hint"
	paramClientID = "client_id"
	paramRedirect = "post_logout_redirect_uri"
	paramState    = "state"
	paramLocales  = "ui_locales"
	paramUserHint = "logout_hint" // ignored: the session cookie identifies the user
)

var parameters = [...]string{paramHint, paramClientID, paramRedirect, paramState, paramLocales, paramUserHint}

// Fields of the forms of this package.
const (
	fieldConfirm = "logout_confirmation"
	fieldCancel  = "logout_cancelled"
	fieldAgain   = "logout_resubmitted"
)

// request is a logout request whose parameters are valid.
type request struct {
	client     *client.Client // nil if the request does not name one, or it is not registered
	hint       *hint          // nil without id_token_hint
	registered string         // the post_logout_redirect_uri of client, without state; "" to stay
	returnTo   string         // a post_logout_redirect_uri of client, with state; "" to stay
	refused    bool           // the post_logout_redirect_uri of the request is not registered
}

// cause returns why the user is logged out, for the log.
func (r request) cause() string {
	if r.hint != nil {
		return "id_token_hint"
	}
	return "confirmation_disabled"
}

// repeatedParameter returns the first parameter that is repeated.
func repeatedParameter(f httpx.Form) string {
	for _, name := range parameters {
		if f.Count(name) > 1 {
			return name
		}
	}
	return ""
}

// rejection is the cause of a portner.Error.
type rejection struct {
	reason    string // for the log
	parameter string // that is missing or invalid; "" if the error is not about one
}

// Error returns the reason, as in the log.
func (r rejection) Error() string { return "logout: " + r.reason }

func invalid(reason, description string) *portner.Error {
	return &portner.Error{Code: portner.InvalidRequest, Description: description, Err: rejection{reason, audit.Parameter(reason)}}
}

// parse validates the parameters. Its error is a *portner.Error or a fault; nothing has changed then.
func (e *Endpoint) parse(ctx context.Context, x *exchange) (request, error) {
	var req request
	if name := repeatedParameter(x.form); name != "" {
		e.log.Emit(ctx, portner.Event{Name: portner.EventDuplicateParam, Time: x.now, Reason: "parameter_repeated", Explanation: portner.Explanation{Parameter: name}})
		repeated := invalid("parameter_repeated", httpx.RepeatedText(name))
		repeated.Err = rejection{"parameter_repeated", name}
		return req, repeated
	}
	state := x.form.Get(paramState)
	if !httpx.ValidState(state) {
		return req, invalid("state_malformed", "The parameter state must be printable ASCII of at most 2048 characters.")
	}
	clientID := x.form.Get(paramClientID)
	if len(clientID) > maxClientID {
		return req, invalid("client_id_too_long", "The parameter client_id must be at most 256 characters.")
	}
	if x.form.Has(paramHint) {
		h, err := e.verifyHint(x.form.Get(paramHint), x.now)
		if err != nil {
			return req, invalid("id_token_hint_invalid", "The parameter id_token_hint must be an id_token of this provider.")
		}
		if clientID != "" && clientID != h.clientID {
			return req, invalid("client_id_mismatch", "The parameters client_id and id_token_hint must name the same client.")
		}
		req.hint, clientID = h, h.clientID
	}
	var err error
	if req.client, err = e.findClient(ctx, clientID); err != nil {
		return req, err
	}
	x.client = req.client
	if req.hint != nil && req.client == nil {
		return req, invalid("id_token_hint_client_unknown", "The parameter id_token_hint must name a registered client.")
	}
	e.resolveReturn(ctx, x, &req, state)
	return req, nil
}

const maxClientID = 256

// findClient returns the enabled client, or nil if there is none.
func (e *Endpoint) findClient(ctx context.Context, clientID string) (*client.Client, error) {
	if clientID == "" {
		return nil, nil
	}
	c, err := client.Lookup(ctx, e.cfg.Clients, clientID)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nil
	}
	return c, err
}

// resolveReturn sets returnTo: a URI that is registered for the client of the request.
func (e *Endpoint) resolveReturn(ctx context.Context, x *exchange, req *request, state string) {
	uri := x.form.Get(paramRedirect)
	if uri == "" {
		return
	}
	if req.refused = !e.mayReturn(ctx, x, req.client, uri); req.refused {
		return
	}
	req.returnTo, req.registered = uri, uri
	if state != "" {
		req.returnTo = httpx.AppendQuery(uri, paramState, state)
	}
}

// mayReturn reports whether a URI is registered for a client, which may be nil. It logs a refusal.
func (e *Endpoint) mayReturn(ctx context.Context, x *exchange, c *client.Client, uri string) bool {
	if c == nil || !c.MatchPostLogoutRedirectURI(uri) {
		ev := portner.Event{Name: portner.EventRedirectMismatch, Time: x.now, Reason: "post_logout_redirect_uri_mismatch"}
		ev.Explanation.Received = audit.Received("post_logout_redirect_uri", uri)
		if c != nil {
			ev.ClientID, ev.Explanation.Expected = c.ClientID, audit.OneOf(c.PostLogoutRedirectURIs)
		}
		e.log.Emit(ctx, ev)
		return false
	}
	// A stored registration may be older than a rule.
	if c.CheckURI(uri, e.cfg.Environment) != nil {
		e.badRegistration(ctx, c.ClientID, "post_logout_redirect_uri", x.now)
		return false
	}
	return true
}

func (e *Endpoint) badRegistration(ctx context.Context, clientID, property string, now time.Time) {
	e.log.Emit(ctx, portner.Event{Name: portner.EventBadRegistration, Time: now, ClientID: clientID, Reason: property})
}
