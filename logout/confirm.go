package logout

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/httpx"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
)

// confirmationLifetime is how long a confirmation page is valid.
const confirmationLifetime = 15 * time.Minute

// intent is what follows the logout, according to the validated request.
type intent struct {
	ClientID      string `json:"c,omitempty"`
	ClientName    string `json:"n,omitempty"`
	ReturnTo      string `json:"r,omitempty"` // Registered, with the state of the request
	Registered    string `json:"u,omitempty"` // the post_logout_redirect_uri as it is registered
	NotRegistered bool   `json:"x,omitempty"`
	Locale        string `json:"l,omitempty"`
}

func (r request) intent() intent {
	in := intent{ReturnTo: r.returnTo, Registered: r.registered, NotRegistered: r.refused}
	if r.client != nil {
		in.ClientID, in.ClientName = r.client.ClientID, r.client.ClientName
	}
	return in
}

// confirmation is the sealed value of a confirmation page. It is also the CSRF token of the form, because it is bound to one session.
type confirmation struct {
	SessionID string `json:"s"`
	Expires   int64  `json:"e"`
	Intent    intent `json:"i"`
}

// confirmationPage returns the confirmation page.
func (e *Endpoint) confirmationPage(ctx context.Context, x *exchange, current *storage.Session, in intent) *Decision {
	in.Locale = x.locale
	doc, err := json.Marshal(confirmation{current.ID, x.now.Add(confirmationLifetime).Unix(), in})
	if err != nil {
		return e.fail(ctx, x, err)
	}
	httpx.Page(x.header, true)
	return e.result(x, Decision{Confirm: &ConfirmPage{
		Action: e.action, TokenField: fieldConfirm, Token: e.box.SealString(doc, ""),
		CancelField: fieldCancel, ClientName: in.ClientName, Locale: x.locale,
	}})
}

// openConfirmation opens the value of a confirmation page, which may have expired.
func (e *Endpoint) openConfirmation(token string) (confirmation, error) {
	doc, err := e.box.OpenString(token, "")
	if err != nil {
		return confirmation{}, err
	}
	var c confirmation
	return c, json.Unmarshal(doc, &c) // sealed by this provider, so it needs no strict decoder
}

// isFor reports whether the page was shown for this session and has not expired.
func (c confirmation) isFor(s *storage.Session, now time.Time) bool {
	return equal(c.SessionID, s.ID) && now.Unix() < c.Expires && c.Expires <= now.Add(confirmationLifetime+session.MaxSkew).Unix()
}

// confirmed decides the form of the confirmation page. A form of another site and a forged one change nothing. If the form is of another
// session or has expired, the page is shown again. If the user is logged out already, the result is that of the logout.
func (e *Endpoint) confirmed(ctx context.Context, x *exchange, current *storage.Session) *Decision {
	if !httpx.SameOrigin(x.request, e.origin) {
		return e.rejectForm(ctx, x, "form_origin")
	}
	if x.form.Count(fieldConfirm) != 1 {
		return e.rejectForm(ctx, x, "confirmation_repeated")
	}
	c, err := e.openConfirmation(x.form.Get(fieldConfirm))
	if err != nil {
		return e.rejectForm(ctx, x, "confirmation_invalid")
	}
	x.locale = e.locale(x.request, c.Intent.Locale)
	in, err := e.stillRegistered(ctx, x, c.Intent)
	if err != nil {
		return e.fail(ctx, x, err)
	}
	switch {
	case x.unclear:
		return e.reject(ctx, x, noSession())
	case current == nil: // the button was pressed twice, or the session ended in another window
		return e.loggedOut(x, in, nil)
	case x.form.Has(fieldCancel):
		httpx.Page(x.header, false)
		p := &CancelledPage{Locale: x.locale}
		p.ClientName, p.BackURL = x.back()
		return e.result(x, Decision{Cancelled: p})
	case !c.isFor(current, x.now):
		return e.confirmationPage(ctx, x, current, in)
	}
	return e.end(ctx, x, current, in, "confirmation")
}

// stillRegistered sets the client of the exchange. It returns the intent of a confirmation page, without its URI if the client is
// disabled, or its registration has lost the URI, since the page was shown.
func (e *Endpoint) stillRegistered(ctx context.Context, x *exchange, in intent) (intent, error) {
	var err error
	if x.client, err = e.findClient(ctx, in.ClientID); err != nil || in.ReturnTo == "" {
		return in, err
	}
	if !e.mayReturn(ctx, x, x.client, in.Registered) {
		in.ReturnTo, in.Registered, in.NotRegistered = "", "", true
	}
	return in, nil
}

// rejectForm rejects a form that is not the confirmation page of this provider.
func (e *Endpoint) rejectForm(ctx context.Context, x *exchange, cause string) *Decision {
	e.log.Emit(ctx, portner.Event{Name: portner.EventCSRF, Time: x.now, Reason: cause})
	refused := invalid("form_invalid", "The form has expired or does not belong to this page. Nothing was changed.")
	refused.Code, refused.Status = portner.AccessDenied, http.StatusForbidden
	return e.reject(ctx, x, refused)
}
