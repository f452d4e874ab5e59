package logout

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/httpx"
	"github.com/portner-go/portner/storage"
)

// The parameters of RP-Initiated Logout 1.0 section 2.
const (
	paramHint     = "id_token_hint"
	paramClientID = "client_id"
	paramRedirect = "post_logout_redirect_uri"
	paramState    = "state"
	paramLocales  = "ui_locales"
	paramUserHint = "logout_hint" // tolerated: the cookie says who it is
)

var parameters = [...]string{paramHint, paramClientID, paramRedirect, paramState, paramLocales, paramUserHint}

// The fields of the endpoint's own forms.
const (
	fieldConfirm = "logout_confirmation"
	fieldCancel  = "logout_cancelled"
	fieldAgain   = "logout_resubmitted"
)

// request is a logout request after everything in it was checked that does not need the session.
type request struct {
	form     httpx.Form
	client   *client.Client // who asks; nil if it did not say, or is not registered
	hint     *hint          // nil if none was sent
	returnTo string         // registered for client, with state; "" to stay
	refused  bool           // a return was asked for and is not registered
}

// read takes the form of a GET or POST.
func read(w http.ResponseWriter, r *http.Request) (httpx.Form, error) {
	if r.Method == http.MethodPost {
		return httpx.ReadPost(w, r)
	}
	return httpx.ParseQuery(r.URL.RawQuery)
}

// repeated returns the first of our parameters that was sent twice (security row B1).
func repeated(f httpx.Form) string {
	for _, name := range parameters {
		if len(f.All(name)) > 1 {
			return name
		}
	}
	return ""
}

// reason is the fixed word the log has for a refusal.
type reason string

func (r reason) Error() string { return "logout: " + string(r) }

func invalid(word reason, description string) *portner.Error {
	return &portner.Error{Code: portner.InvalidRequest, Description: description, Err: word}
}

// parse resolves who asks and where the browser may return to. A protocol error changes nothing.
func (e *Endpoint) parse(ctx context.Context, f httpx.Form, now time.Time) (request, error) {
	req := request{form: f}
	if name := repeated(f); name != "" {
		e.log.Emit(ctx, portner.Event{Name: portner.EventDuplicateParam, Time: now, Reason: name})
		return req, invalid("repeated_parameter", "The parameter "+name+" was sent more than once.")
	}
	state := f.Get(paramState)
	if !validState(state) {
		return req, invalid("bad_state", "The parameter state must be printable ASCII of at most 2048 characters.")
	}
	clientID := f.Get(paramClientID)
	if len(clientID) > maxClientID {
		return req, invalid("long_client_id", "The parameter client_id is too long.")
	}
	if f.Has(paramHint) {
		h, err := e.readHint(f.Get(paramHint), now)
		if err != nil {
			return req, invalid("bad_hint", "The parameter id_token_hint is not an id_token of this provider.")
		}
		if clientID != "" && clientID != h.clientID {
			return req, invalid("client_mismatch", "The parameters client_id and id_token_hint name different clients.")
		}
		req.hint, clientID = h, h.clientID
	}
	var err error
	if req.client, err = e.registered(ctx, clientID); err != nil {
		return req, err
	}
	if req.hint != nil && req.client == nil {
		return req, invalid("bad_hint", "The parameter id_token_hint names a client that is not registered.")
	}
	e.resolveReturn(ctx, &req, state, now)
	return req, nil
}

const (
	maxState    = 2048
	maxClientID = 256
)

// validState is ^[\x20-\x7E]*$ (idporten section 15.1), with security section 0.6's limit.
func validState(state string) bool {
	if len(state) > maxState {
		return false
	}
	for i := range len(state) {
		if state[i] < 0x20 || state[i] > 0x7e {
			return false
		}
	}
	return true
}

// registered returns the active client with this ID, or nil.
func (e *Endpoint) registered(ctx context.Context, clientID string) (*client.Client, error) {
	if clientID == "" {
		return nil, nil
	}
	c, err := client.Lookup(ctx, e.cfg.Clients, clientID)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nil
	}
	return c, err
}

// resolveReturn decides where the browser may go afterwards: to a URI registered for the client that
// the hint or client_id names (security row G4), nowhere else.
func (e *Endpoint) resolveReturn(ctx context.Context, req *request, state string, now time.Time) {
	uri := req.form.Get(paramRedirect)
	if uri == "" {
		return
	}
	if req.client == nil || !req.client.MatchPostLogoutRedirectURI(uri) {
		req.refused = true
		ev := portner.Event{Name: portner.EventRedirectMismatch, Time: now, Reason: "post_logout"}
		if req.client != nil {
			ev.ClientID = req.client.ClientID
		}
		e.log.Emit(ctx, ev)
		return
	}
	// Security row A5: the registration may be older than the rules.
	if req.client.CheckURI(uri, e.cfg.Environment) != nil || !safeOrigin(uri) {
		req.refused = true
		e.badRegistration(ctx, req.client.ClientID, "post_logout_redirect_uri", now)
		return
	}
	req.returnTo = uri
	if state != "" {
		req.returnTo = httpx.AppendQuery(uri, paramState, state)
	}
}

func (e *Endpoint) badRegistration(ctx context.Context, clientID, property string, now time.Time) {
	e.log.Emit(ctx, portner.Event{Name: portner.EventBadRegistration, Time: now, ClientID: clientID, Reason: property})
}

// safeOrigin reports whether the URI's origin may stand in a Content-Security-Policy: there, a
// semicolon or a comma would begin another directive.
func safeOrigin(uri string) bool {
	o := httpx.Origin(uri)
	if o == "" {
		return false
	}
	for i := range len(o) {
		c := o[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("+-.:/[]", c) >= 0) {
			return false
		}
	}
	return true
}

// locale follows idporten section 3.6: what the person chose, what the client asked for, the fallback.
func (e *Endpoint) locale(r *http.Request, f httpx.Form) string {
	if chosen := r.CookiesNamed("IDPORTEN_SELECTED_LANGUAGE"); len(chosen) == 1 {
		if l := e.knownLocale(chosen[0].Value); l != "" {
			return l
		}
	}
	for want := range strings.FieldsSeq(f.Get(paramLocales)) {
		if l := e.knownLocale(want); l != "" {
			return l
		}
	}
	return e.cfg.Locales[0]
}

// knownLocale returns our own spelling, never the request's (security row B7). A region is ignored.
func (e *Endpoint) knownLocale(tag string) string {
	base, _, _ := strings.Cut(tag, "-")
	for _, l := range e.cfg.Locales {
		if strings.EqualFold(l, tag) || strings.EqualFold(l, base) {
			return l
		}
	}
	return ""
}
