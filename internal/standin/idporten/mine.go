package idporten

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/digdir/authorizations"
	"github.com/portner-go/portner/internal/standin"
)

// PathMine is the page on which users see and revoke their grants, and see their latest logins.
const PathMine = "/mine-tilganger"

// buildAuthorizations creates the authorizations API (docs/spec/idporten.md §17) with the store of the provider.
func (s *Server) buildAuthorizations() error {
	var err error
	s.granted, err = authorizations.New(authorizations.Config{
		Store: s.State.Store, Vault: s.Provider.Vault, Tokens: s.Provider.Token.Minter(), Clients: s.clients, Scopes: s.scopes, History: s.State.Store,
		Machines: s.machines, SubjectOf: s.Users.subjectOf, Now: s.Clock, Logger: s.Log, OnEvent: s.Admin.OnEvent(),
		Sessions: s.Provider.Sessions, Sufficient: func(level string) bool { return s.Config.levels().AtLeast(level, acr.Substantial) },
	})
	return err
}

// MinePage is the data of mine.html.
type MinePage struct {
	PageFrame
	LoggedIn, Ended bool
	Services        []mineService
	Next            string // authorizations.Page.Next
	History         []HistoryEntry
}

// mineService is what the user authorized one service to do, by all of its logins.
type mineService struct {
	clientID     string
	IDs          []string // of the authorizations: the user ends them together
	Name, Orgno  string
	Scopes       []string
	Since, Until standin.Instant // the first and the last instant of all
	since, until int64
}

// HistoryEntry is a login of the user: its time, the name of the client and the method.
type HistoryEntry struct {
	At              standin.Instant
	Service, Method string
}

// mine shows the page of the user of the session. It takes no other user as input.
func (p *Pages) mine(w http.ResponseWriter, r *http.Request) {
	now, locale := p.s.Now(), p.locale(r)
	data := MinePage{PageFrame: p.PageFrame(locale, TextsFor(locale).MineTitle, "mine-page", p.At(PathMine)), Ended: r.URL.Query().Has("ended")}
	subject, _, err := p.s.granted.PageUser(r.Context(), r.Header, w.Header(), now)
	if err == nil && subject != "" {
		data.LoggedIn = true
		after := r.URL.Query().Get("after")
		err = p.fillMine(r.Context(), &data, subject, after, locale, now)
		if errors.Is(err, authorizations.ErrNotFound) { // the position has expired
			http.Redirect(w, r, p.At(PathMine), http.StatusSeeOther)
			return
		}
	}
	if err != nil {
		p.s.Log.Error("mine", "error", err)
		p.Refuse(w, r, http.StatusServiceUnavailable, portner.TemporarilyUnavailable)
		return
	}
	p.Render(w, http.StatusOK, "mine.html", data, standin.OwnForms)
}

func (p *Pages) fillMine(ctx context.Context, data *MinePage, subject, after, locale string, now time.Time) error {
	page, err := p.s.granted.OfUser(ctx, subject, authorizations.Filter{WithoutConsent: true, Locale: locale, After: after}, now)
	if err != nil {
		return err
	}
	data.Next = page.Next
	data.Services = data.T.ByService(page.Authorizations)
	logins, err := p.s.State.Store.Logins(ctx, p.s.Provider.Vault.UserKey(subject), now)
	if err != nil {
		return err
	}
	for _, l := range logins[:min(len(logins), 10)] {
		data.History = append(data.History, HistoryEntry{data.T.Names.Instant(l.At), l.Service, data.T.Names.Methods(l.Method)})
	}
	return nil
}

// ByService returns one entry for each service, in the order of the newest authorization of each.
func (t texts) ByService(all []authorizations.Authorization) []mineService {
	var services []mineService
	for _, a := range all {
		i := slices.IndexFunc(services, func(s mineService) bool { return s.clientID == a.ClientID })
		if i < 0 {
			i = len(services)
			services = append(services, mineService{clientID: a.ClientID, Name: cmp.Or(a.ClientName, t.MineGone), since: a.AuthorizedAt, until: a.Expires})
			if a.Consumer != nil {
				services[i].Orgno, _ = a.Consumer.Number()
			}
		}
		s := &services[i]
		s.IDs = append(s.IDs, a.ID)
		s.since, s.until = min(s.since, a.AuthorizedAt), max(s.until, a.Expires)
		s.Since, s.Until = t.Names.Instant(time.UnixMilli(s.since)), t.Names.Instant(time.UnixMilli(s.until))
		for _, granted := range a.Scopes {
			if name := t.scopeName(granted); !slices.Contains(s.Scopes, name) {
				s.Scopes = append(s.Scopes, name)
			}
		}
	}
	return services
}

// scopeName returns the text of a scope. A standard scope may have no record.
func (t texts) scopeName(s authorizations.GrantedScope) string {
	if name := t.Standard[s.Name]; name != "" && s.Description == s.Name {
		return name
	}
	return s.Description
}

// endMine revokes a grant of the user of the session. Forms of other sites are rejected: the session cookie is SameSite=Lax, and
// http.CrossOriginProtection checks the request.
func (p *Pages) endMine(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	now := p.s.Now()
	subject, _, err := p.s.granted.PageUser(r.Context(), r.Header, w.Header(), now)
	if err != nil || subject == "" || r.ParseForm() != nil {
		p.Refuse(w, r, http.StatusForbidden, portner.AccessDenied)
		return
	}
	ended := false
	for _, id := range r.PostForm["id"] {
		err := p.s.granted.Revoke(r.Context(), subject, id, now)
		switch {
		case err == nil:
			ended = true
		case !errors.Is(err, authorizations.ErrNotFound): // one that ended with another, or before
			p.s.Log.Error("mine", "error", err)
			p.Refuse(w, r, http.StatusServiceUnavailable, portner.TemporarilyUnavailable)
			return
		}
	}
	if !ended {
		p.Refuse(w, r, http.StatusNotFound, portner.InvalidRequest)
		return
	}
	http.Redirect(w, r, p.At(PathMine)+"?ended=1", http.StatusSeeOther)
}
