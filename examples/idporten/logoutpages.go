package main

import (
	"github.com/portner-go/portner"
	"github.com/portner-go/portner/logout"
)

// logoutPages returns the pages of logout. The endpoint sets their header fields, such as Content-Security-Policy.
func (p *pages) logoutPages() logout.Pages {
	return logout.Pages{Confirm: p.confirmLogout, LoggedOut: p.loggedOut, Cancelled: p.logoutCancelled, Error: p.logoutError}
}

func (p *pages) confirmLogout(c logout.ConfirmPage) portner.Reply {
	return p.Body("logout.html", struct {
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
	return p.Body("loggedout.html", struct {
		frame
		logout.LoggedOutPage
	}{p.frame(l.Locale, title, "logged-out-page", ""), l})
}

func (p *pages) logoutCancelled(c logout.CancelledPage) portner.Reply {
	return p.Body("cancelled.html", struct {
		frame
		logout.CancelledPage
	}{p.frame(c.Locale, textsFor(c.Locale).StillLoggedIn, "logout-page", ""), c})
}

func (p *pages) logoutError(e logout.ErrorPage) portner.Reply {
	t := textsFor(e.Locale)
	return p.Body("error.html", errorPage{
		frame: p.frame(e.Locale, t.ErrorTitle, "error-page", ""), Code: string(e.Code), CorrelationID: e.CorrelationID,
		Unavailable: e.Status >= 500, NotLoggedOut: e.StillLoggedIn,
	})
}
