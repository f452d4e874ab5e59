package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/digdir/authorizations"
	"github.com/portner-go/portner/examples/internal/browsertest"
	"github.com/portner-go/portner/internal/standin/look"
	"github.com/portner-go/portner/internal/standin"
	"github.com/portner-go/portner/logout"
	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/rar"
)

// states returns the pages in the states that the stories of the demo do not reach, in one language.
func states(p *pages, lang string) map[string]portner.Reply {
	t := textsFor(lang)
	out := p.LogoutPages()
	login := func(why, failed string) portner.Reply {
		f := p.frame(lang, t.LoginTitle, "login-page", "/")
		f.Failed = failed
		return p.Reply(200, "login.html", loginPage{f, standin.LoginForm{ClientName: "Min tjeneste", Why: why}}, standin.OwnForms)
	}
	consent := consentPage{frame: p.frame(lang, t.ConsentTitle, "consent-page", "/"), ClientName: "Min tjeneste", Changed: true, Only: "Betale 100 kr", Details: []rar.Shown{{
		ID: "1", Text: rar.Text{Title: "Betale 100 kr", Lines: []string{"Til Kiosken"}}, JSON: json.RawMessage(`{"type":"betaling"}`),
	}}}
	now := time.Date(2026, 10, 25, 1, 30, 0, 0, time.UTC)
	org := norway.OrgIdentifier("991825827")
	mine := minePage{frame: p.frame(lang, t.MineTitle, "mine-page", "/"), LoggedIn: true, Ended: true, Next: "x", Services: t.byService([]authorizations.Authorization{
		{ID: "1", Expires: now.UnixMilli(), AuthorizedAt: now.UnixMilli(), Scopes: []authorizations.GrantedScope{{Name: "openid", Description: "openid"}, {Name: "offline_access", Description: "offline_access"}}},
		{ID: "2", ClientID: "a", ClientName: "Min tjeneste", Consumer: &org, Expires: now.UnixMilli(), AuthorizedAt: now.UnixMilli()},
	}), History: []historyEntry{{t.Names.Instant(now), "Min tjeneste", t.Names.Methods("eIDAS")}}}
	none := minePage{frame: mine.frame, LoggedIn: true}
	client := authorize.ClientInfo{Name: "Min tjeneste"}
	return map[string]portner.Reply{
		"login, again":               login(t.Again, ""),
		"login, expired":             login(t.Expired, ""),
		"login, failed, no name":     login(t.OwnLogin, t.WrongPassword),
		"consent to a detail":        p.Reply(200, "consent.html", consent, standin.OwnForms),
		"authorizations":             p.Reply(200, "mine.html", mine, standin.OwnForms),
		"no authorizations":          p.Reply(200, "mine.html", none, standin.OwnForms),
		"authorizations, no login":   p.Reply(200, "mine.html", minePage{frame: mine.frame}, standin.OwnForms),
		"error of a login":           p.authorizeError(authorize.ErrorPage{Status: 400, Code: "invalid_request", Parameter: "redirect_uri", CorrelationID: "0123456789abcdef0123456789abcdef", Locale: lang, Client: client, BackURL: "https://tjeneste.example.no/"}),
		"completed login":            p.authorizeError(authorize.ErrorPage{Status: 400, Code: "invalid_request", CorrelationID: "0123456789abcdef0123456789abcdef", Locale: lang, Client: client, BackURL: "https://tjeneste.example.no/", Completed: true}),
		"expired login":              p.authorizeError(authorize.ErrorPage{Status: 400, Code: "invalid_request", CorrelationID: "0123456789abcdef0123456789abcdef", Locale: lang, Client: client, BackURL: "https://tjeneste.example.no/", Expired: true}),
		"unavailable":                p.authorizeError(authorize.ErrorPage{Status: 503, Code: "temporarily_unavailable", CorrelationID: "0123456789abcdef0123456789abcdef", Locale: lang}),
		"error of a logout":          out.Error(logout.ErrorPage{Status: 503, Code: "temporarily_unavailable", CorrelationID: "0123456789abcdef0123456789abcdef", Locale: lang, StillLoggedIn: true}),
		"not found":                  p.Error(lang, standin.ErrorPage{Status: 404, Code: "invalid_request"}),
		"method not allowed":         p.Error(lang, standin.ErrorPage{Status: 405, Code: "invalid_request"}),
		"logout of a client":         out.Confirm(logout.ConfirmPage{ClientName: "Min tjeneste", Locale: lang}),
		"still logged in, a client":  out.Cancelled(logout.CancelledPage{ClientName: "Min tjeneste", BackURL: "https://tjeneste.example.no/", Locale: lang}),
		"logging out":                out.LoggedOut(logout.LoggedOutPage{ContinueURL: "https://tjeneste.example.no/", Frames: []string{"about:blank"}, Locale: lang}),
		"logged out, not registered": out.LoggedOut(logout.LoggedOutPage{NotRegistered: true, CorrelationID: "0123456789abcdef0123456789abcdef", ClientName: "Min tjeneste", BackURL: "https://tjeneste.example.no/", Locale: lang}),
	}
}

// TestStates audits the states that the stories of the demo do not reach, in bokmål. In the other languages it renders them.
func TestStates(t *testing.T) {
	t.Parallel()
	s := &server{issuer: "http://localhost:1"}
	p := newPages(s)
	mux := http.NewServeMux()
	mux.Handle("GET /static/", look.Handler())
	srv := httptest.NewServer(mux)
	defer srv.Close()
	mux.HandleFunc("GET /state/{name}", func(w http.ResponseWriter, r *http.Request) {
		reply := states(p, "nb")[r.PathValue("name")]
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write(reply.Body)
	})
	b := browsertest.New(t, "")
	for _, lang := range standin.Languages {
		for name, reply := range states(p, lang) {
			require.NotEqual(t, 500, reply.Status, name)
			require.Contains(t, string(reply.Body), `<html lang="`+lang+`">`, name)
			require.Equal(t, lang == "se", strings.Contains(string(reply.Body), `id="unreviewed"`), "%s in %s", name, lang)
		}
	}
	for name := range states(p, "nb") {
		b.Open(srv.URL+"/state/"+name, "h1")
		b.Audit(name)
	}
}
