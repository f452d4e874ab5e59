package main

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/portner-go/portner/digdir/authorizations"
	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/session"
)

// pathMine is the page where people see and end what they have granted, and look back at their logins.
const pathMine = "/mine-tilganger"

// buildAuthorizations creates the authorizations API (docs/spec/idporten.md §17) with the store of the provider.
func (s *server) buildAuthorizations() error {
	var err error
	s.granted, err = authorizations.New(authorizations.Config{
		Store: s.store, Vault: s.op.Vault, Tokens: s.op.Token.Minter(), Clients: s.clients, Scopes: s.scopes, History: s.store,
		Machines: s.machines, SubjectOf: s.subjectOf, Logger: s.log,
	})
	return err
}

// subjectOf finds a person by number, for support staff with a machine token.
func (s *server) subjectOf(_ context.Context, pid norway.PID) (string, bool, error) {
	i := slices.IndexFunc(s.cfg.Users, func(u user) bool { return u.PID == pid.Reveal() })
	if i < 0 {
		return "", false, nil
	}
	return subject(s.cfg.Users[i]), true, nil
}

// minePage is what mine.html shows.
type minePage struct {
	frame
	LoggedIn, Ended bool
	List            []mineEntry
	History         []historyEntry
}

type mineEntry struct {
	ID, Name, Orgno, Until string
	Scopes                 []string
}

type historyEntry struct{ At, Service, Method string }

// mine shows the page of whoever is logged in in this browser; nobody else's is to be had here.
func (p *pages) mine(w http.ResponseWriter, r *http.Request) {
	now, locale := time.Now(), p.locale(r)
	data := minePage{frame: p.frame(locale, textsFor(locale).MineTitle, "mine-page", pathMine), Ended: r.URL.Query().Has("ended")}
	who, ok, err := p.person(w, r, now)
	if err == nil && ok {
		data.LoggedIn = true
		err = p.fillMine(r.Context(), &data, who.Subject, locale, now)
	}
	if err != nil {
		p.s.log.Error("mine", "error", err)
		p.showError(w, http.StatusServiceUnavailable, "temporarily_unavailable", locale)
		return
	}
	p.render(w, http.StatusOK, "mine.html", data, "form-action 'self'")
}

// person is whoever is logged in in this browser; ok is false if nobody is.
func (p *pages) person(w http.ResponseWriter, r *http.Request, now time.Time) (who session.Identity, ok bool, err error) {
	s, err := p.s.op.Sessions.Current(r.Context(), r.Header, w.Header(), now)
	if err != nil || s == nil {
		return who, false, err
	}
	who, err = p.s.op.Sessions.Identity(s)
	return who, err == nil, err
}

func (p *pages) fillMine(ctx context.Context, data *minePage, subject, locale string, now time.Time) error {
	list, err := p.s.granted.OfUser(ctx, subject, authorizations.Filter{WithoutConsent: true, Locale: locale}, now)
	if err != nil {
		return err
	}
	for _, a := range list {
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

// endMine ends one authorization of the person of this browser's session. The form cannot come from
// another site: the cookie is SameSite=Lax, and the mux has Go's cross-origin protection around it.
func (p *pages) endMine(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	now := time.Now()
	who, ok, err := p.person(w, r, now)
	if err != nil || !ok || r.ParseForm() != nil {
		p.showError(w, http.StatusForbidden, "access_denied", p.locale(r))
		return
	}
	if err := p.s.granted.Revoke(r.Context(), who.Subject, r.PostForm.Get("id"), now); err != nil {
		p.showError(w, http.StatusNotFound, "invalid_request", p.locale(r))
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Location", pathMine+"?ended=1")
	w.WriteHeader(http.StatusSeeOther)
}
