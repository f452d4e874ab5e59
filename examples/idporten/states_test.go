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
	"github.com/portner-go/portner/internal/slow"
	"github.com/portner-go/portner/internal/standin"
	"github.com/portner-go/portner/internal/standin/idporten"
	"github.com/portner-go/portner/internal/standin/look"
	"github.com/portner-go/portner/logout"
	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/rar"
)

// states returns the pages in the states that the stories of the demo do not reach, in one language.
func states(p *idporten.Pages, lang string) map[string]portner.Reply {
	t := idporten.TextsFor(lang)
	out := p.LogoutPages()
	login := func(why, failed string) portner.Reply {
		f := p.PageFrame(lang, t.LoginTitle, "login-page", "/")
		f.Failed = failed
		return p.Reply(200, "login.html", idporten.LoginPage{PageFrame: f, LoginForm: standin.LoginForm{ClientName: "Min tjeneste", Why: why}}, standin.OwnForms)
	}
	consent := idporten.ConsentPage{PageFrame: p.PageFrame(lang, t.ConsentTitle, "consent-page", "/"), ClientName: "Min tjeneste", Changed: true, Only: "Betale 100 kr", Details: []rar.Shown{{
		ID: "1", Text: rar.Text{Title: "Betale 100 kr", Lines: []string{"Til Kiosken"}}, JSON: json.RawMessage(`{"type":"betaling"}`),
	}}}
	now := time.Date(2026, 10, 25, 1, 30, 0, 0, time.UTC)
	org := norway.OrgIdentifier("991825827")
	mine := idporten.MinePage{PageFrame: p.PageFrame(lang, t.MineTitle, "mine-page", "/"), LoggedIn: true, Ended: true, Next: "x", Services: t.ByService([]authorizations.Authorization{
		{ID: "1", Expires: now.UnixMilli(), AuthorizedAt: now.UnixMilli(), Scopes: []authorizations.GrantedScope{{Name: "openid", Description: "openid"}, {Name: "offline_access", Description: "offline_access"}}},
		{ID: "2", ClientID: "a", ClientName: "Min tjeneste", Consumer: &org, Expires: now.UnixMilli(), AuthorizedAt: now.UnixMilli()},
	}), History: []idporten.HistoryEntry{{At: t.Names.Instant(now), Service: "Min tjeneste", Method: t.Names.Methods("eIDAS")}}}
	none := idporten.MinePage{PageFrame: mine.PageFrame, LoggedIn: true}
	client := authorize.ClientInfo{Name: "Min tjeneste"}
	return map[string]portner.Reply{
		"login, again":               login(t.Again, ""),
		"login, expired":             login(t.Expired, ""),
		"login, failed, no name":     login(t.OwnLogin, t.WrongPassword),
		"consent to a detail":        p.Reply(200, "consent.html", consent, standin.OwnForms),
		"authorizations":             p.Reply(200, "mine.html", mine, standin.OwnForms),
		"no authorizations":          p.Reply(200, "mine.html", none, standin.OwnForms),
		"authorizations, no login":   p.Reply(200, "mine.html", idporten.MinePage{PageFrame: mine.PageFrame}, standin.OwnForms),
		"error of a login":           p.AuthorizeError(authorize.ErrorPage{Status: 400, Code: "invalid_request", Parameter: "redirect_uri", CorrelationID: "0123456789abcdef0123456789abcdef", Locale: lang, Client: client, BackURL: "https://tjeneste.example.no/"}),
		"completed login":            p.AuthorizeError(authorize.ErrorPage{Status: 400, Code: "invalid_request", CorrelationID: "0123456789abcdef0123456789abcdef", Locale: lang, Client: client, BackURL: "https://tjeneste.example.no/", Completed: true}),
		"expired login":              p.AuthorizeError(authorize.ErrorPage{Status: 400, Code: "invalid_request", CorrelationID: "0123456789abcdef0123456789abcdef", Locale: lang, Client: client, BackURL: "https://tjeneste.example.no/", Expired: true}),
		"unavailable":                p.AuthorizeError(authorize.ErrorPage{Status: 503, Code: "temporarily_unavailable", CorrelationID: "0123456789abcdef0123456789abcdef", Locale: lang}),
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
	slow.Test(t)
	t.Parallel()
	s := &idporten.Server{Parts: &standin.Parts[idporten.Config]{Issuer: "http://localhost:1"}}
	p := idporten.NewPages(s)
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
