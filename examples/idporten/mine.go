package main

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/digdir/authorizations"
	"github.com/portner-go/portner/examples/internal/standin"
)

// pathMine is the page on which users see and revoke their grants, and see their latest logins.
const pathMine = "/mine-tilganger"

// buildAuthorizations creates the authorizations API (docs/spec/idporten.md §17) with the store of the provider.
func (s *server) buildAuthorizations() error {
	var err error
	s.granted, err = authorizations.New(authorizations.Config{
		Store: s.store, Vault: s.op.Vault, Tokens: s.op.Token.Minter(), Clients: s.clients, Scopes: s.scopes, History: s.store,
		Machines: s.machines, SubjectOf: s.users.subjectOf, Logger: s.log,
		Sessions: s.op.Sessions, Sufficient: func(level string) bool { return acr.IDPorten.AtLeast(level, acr.Substantial) },
	})
	return err
}

// minePage is the data of mine.html.
type minePage struct {
	frame
	LoggedIn, Ended bool
	List            []mineEntry
	Next            string // authorizations.Page.Next
	History         []historyEntry
}

type mineEntry struct {
	ID, Name, Orgno, Until string
	Scopes                 []string
}

type historyEntry struct{ At, Service, Method string }

// mine shows the page of the user of the session. It takes no other user as input.
func (p *pages) mine(w http.ResponseWriter, r *http.Request) {
	now, locale := time.Now(), p.locale(r)
	data := minePage{frame: p.frame(locale, textsFor(locale).MineTitle, "mine-page", p.At(pathMine)), Ended: r.URL.Query().Has("ended")}
	subject, _, err := p.s.granted.PageUser(r.Context(), r.Header, w.Header(), now)
	if err == nil && subject != "" {
		data.LoggedIn = true
		after := r.URL.Query().Get("after")
		err = p.fillMine(r.Context(), &data, subject, after, locale, now)
		if errors.Is(err, authorizations.ErrNotFound) { // the position has expired
			http.Redirect(w, r, p.At(pathMine), http.StatusSeeOther)
			return
		}
	}
	if err != nil {
		p.s.log.Error("mine", "error", err)
		standin.Write(w, p.errorReply(http.StatusServiceUnavailable, "temporarily_unavailable", "", locale))
		return
	}
	p.Render(w, http.StatusOK, "mine.html", data, standin.OwnForms)
}

func (p *pages) fillMine(ctx context.Context, data *minePage, subject, after, locale string, now time.Time) error {
	page, err := p.s.granted.OfUser(ctx, subject, authorizations.Filter{WithoutConsent: true, Locale: locale, After: after}, now)
	if err != nil {
		return err
	}
	data.Next = page.Next
	for _, a := range page.Authorizations {
		e := mineEntry{ID: a.ID, Name: a.ClientName, Until: clock(time.UnixMilli(a.Expires))}
		if a.Consumer != nil {
			e.Orgno, _ = a.Consumer.Number()
		}
		for _, s := range a.Scopes {
			e.Scopes = append(e.Scopes, s.Description)
		}
		data.List = append(data.List, e)
	}
	logins, err := p.s.store.Logins(ctx, p.s.op.Vault.UserKey(subject), now)
	if err != nil {
		return err
	}
	for _, l := range logins[:min(len(logins), 10)] {
		data.History = append(data.History, historyEntry{clock(l.At), l.Service, l.Method})
	}
	return nil
}

func clock(t time.Time) string { return t.Local().Format("02.01.2006 15:04") }

// endMine revokes a grant of the user of the session. Forms of other sites are rejected: the session cookie is SameSite=Lax, and
// http.CrossOriginProtection checks the request.
func (p *pages) endMine(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	now := time.Now()
	subject, _, err := p.s.granted.PageUser(r.Context(), r.Header, w.Header(), now)
	if err != nil || subject == "" || r.ParseForm() != nil {
		standin.Write(w, p.errorReply(http.StatusForbidden, "access_denied", "", p.locale(r)))
		return
	}
	if err := p.s.granted.Revoke(r.Context(), subject, r.PostForm.Get("id"), now); err != nil {
		standin.Write(w, p.errorReply(http.StatusNotFound, "invalid_request", "", p.locale(r)))
		return
	}
	http.Redirect(w, r, p.At(pathMine)+"?ended=1", http.StatusSeeOther)
}
