package main

import (
	"github.com/portner-go/portner"
	"github.com/portner-go/portner/examples/internal/standin"
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

// final returns the data of the layout of a page whose address shows another page when it is opened again. It has no switch of the
// language.
func (p *pages) final(locale, title, bodyID string) frame {
	f := p.frame(locale, title, bodyID, "")
	f.Switch = nil
	return f
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
	}{p.final(l.Locale, title, "logged-out-page"), l})
}

func (p *pages) logoutCancelled(c logout.CancelledPage) portner.Reply {
	return p.Body("cancelled.html", struct {
		frame
		logout.CancelledPage
	}{p.final(c.Locale, textsFor(c.Locale).StillLoggedIn, "logout-page"), c})
}

func (p *pages) logoutError(e logout.ErrorPage) portner.Reply {
	return p.Error(e.Locale, standin.ErrorPage{
		Status: e.Status, Logout: true, NotLoggedOut: e.StillLoggedIn, Code: string(e.Code), Parameter: e.Parameter, CorrelationID: e.CorrelationID,
		ClientName: e.ClientName, BackURL: e.BackURL,
	})
}
