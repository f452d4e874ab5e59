package main

import (
	"net/http"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/logout"
)

// logoutPages are the pages of logout. The endpoint sets their header fields, among them the Content-Security-Policy.
func (p *pages) logoutPages() logout.Pages {
	return logout.Pages{Confirm: p.confirmLogout, LoggedOut: p.loggedOut, Cancelled: p.logoutCancelled, Error: p.logoutError}
}

// body returns a page without header fields.
func (p *pages) body(name string, data any) portner.Reply {
	body, err := p.execute(name, data)
	if err != nil {
		return portner.Reply{Status: http.StatusInternalServerError, Body: []byte("server_error\n")}
	}
	return portner.Reply{Body: body}
}

func (p *pages) confirmLogout(c logout.ConfirmPage) portner.Reply {
	return p.body("logout.html", struct {
		frame
		logout.ConfirmPage
	}{p.frame(c.Locale, textsFor(c.Locale).LogoutTitle, "logout-page", ""), c})
}

func (p *pages) loggedOut(l logout.LoggedOutPage) portner.Reply {
	t := textsFor(l.Locale)
	title := t.LoggedOutTitle
	if l.ContinueURL != "" {
		title = t.LoggingOutTitle
	}
	return p.body("loggedout.html", struct {
		frame
		logout.LoggedOutPage
	}{p.frame(l.Locale, title, "logged-out-page", ""), l})
}

func (p *pages) logoutCancelled(c logout.CancelledPage) portner.Reply {
	return p.body("cancelled.html", struct {
		frame
		logout.CancelledPage
	}{p.frame(c.Locale, textsFor(c.Locale).StillLoggedIn, "logout-page", ""), c})
}

func (p *pages) logoutError(e logout.ErrorPage) portner.Reply {
	t := textsFor(e.Locale)
	return p.body("error.html", errorPage{
		frame: p.frame(e.Locale, t.ErrorTitle, "error-page", ""), Code: string(e.Code), CorrelationID: e.CorrelationID,
		Unavailable: e.Status >= 500, NotLoggedOut: e.StillLoggedIn,
	})
}
