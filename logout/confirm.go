package logout

import (
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/httpx"
	"github.com/portner-go/portner/storage"
)

// questionLifetime is how long the person may think about it.
const questionLifetime = 15 * time.Minute

// intent is what to do after the logout, as the request's checks left it.
type intent struct {
	ClientID      string `json:"c,omitempty"`
	ClientName    string `json:"n,omitempty"`
	ReturnTo      string `json:"r,omitempty"`
	NotRegistered bool   `json:"x,omitempty"`
	Locale        string `json:"l,omitempty"`
}

func intentOf(req request) intent {
	in := intent{ReturnTo: req.returnTo, NotRegistered: req.refused}
	if req.client != nil {
		in.ClientID, in.ClientName = req.client.ClientID, req.client.ClientName
	}
	return in
}

// question is what the confirmation page carries, sealed. It is the form's CSRF token: made here, for
// one session, readable and repeatable by nobody else (security rows G1, G3).
type question struct {
	SessionID string `json:"s"`
	Expires   int64  `json:"e"`
	Intent    intent `json:"i"`
}

// ask shows the question and changes nothing.
func (v visit) ask(current *storage.Session, req request) {
	in := intentOf(req)
	in.Locale = v.locale
	doc, err := json.Marshal(question{current.ID, v.now.Add(questionLifetime).Unix(), in})
	if err != nil {
		v.notLoggedOut(err)
		return
	}
	httpx.Page(v.w.Header(), true, formAction(in.ReturnTo))
	v.cfg.Pages.Confirm(v.w, v.r, ConfirmPage{
		Action: v.action, TokenField: fieldConfirm, Token: v.box.SealString(doc, ""),
		CancelField: fieldCancel, ClientName: in.ClientName, Locale: v.locale,
	})
}

var errQuestion = errors.New("logout: not a question of ours")

// open reads a question back.
func (e *Endpoint) open(token string, now time.Time) (question, error) {
	doc, err := e.box.OpenString(token, "")
	if err != nil {
		return question{}, err
	}
	var q question
	if err := json.Unmarshal(doc, &q); err != nil { // our own sealed document, not the peer's
		return question{}, err
	}
	if q.SessionID == "" || now.Unix() >= q.Expires {
		return question{}, errQuestion
	}
	return q, nil
}

// answered takes the person's answer. A form of another site, another session's question, a forged or
// an old one change nothing.
func (v visit) answered(current *storage.Session, f httpx.Form) {
	if !httpx.SameOrigin(v.r.Header, v.origin) || len(f.All(fieldConfirm)) != 1 {
		v.forged("origin")
		return
	}
	q, err := v.open(f.Get(fieldConfirm), v.now)
	if err != nil {
		v.forged("token")
		return
	}
	v.locale = v.Endpoint.locale(v.r, httpx.Form{}.With(paramLocales, q.Intent.Locale))
	switch {
	case current == nil && v.cfg.Sessions.HasCookie(v.r.Header): // the second click on the button
		v.loggedOut(intent{NotRegistered: q.Intent.NotRegistered}, nil)
	case current == nil:
		v.refuse(http.StatusBadRequest, noSession())
	case !equal(q.SessionID, current.ID):
		v.forged("session")
	case f.Has(fieldCancel):
		httpx.Page(v.w.Header(), false)
		v.cfg.Pages.Cancelled(v.w, v.r, CancelledPage{ClientName: q.Intent.ClientName, Locale: v.locale})
	default:
		v.logOut(current, q.Intent, "confirmed")
	}
}

func (v visit) forged(word string) {
	v.log.Emit(v.r.Context(), portner.Event{Name: portner.EventCSRF, Time: v.now, Reason: word})
	v.refuse(http.StatusForbidden, &portner.Error{Code: portner.AccessDenied, Description: "The form is too old or not from here. Nothing was changed.", Err: reason("bad_form")})
}
