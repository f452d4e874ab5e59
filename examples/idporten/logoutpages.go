package main

import (
	"net/http"

	"github.com/portner-go/portner/logout"
)

// pages implements logout.Pages: the endpoint has set the headers, its Content-Security-Policy among them.
var _ logout.Pages = (*pages)(nil)

// Confirm asks whether to log out of everything.
func (p *pages) Confirm(w http.ResponseWriter, _ *http.Request, c logout.ConfirmPage) {
	p.write(w, http.StatusOK, "logout.html", struct {
		frame
		logout.ConfirmPage
	}{p.frame(c.Locale, textsFor(c.Locale).LogoutTitle, "logout-page", ""), c})
}

// LoggedOut tells the clients in frames and goes on.
func (p *pages) LoggedOut(w http.ResponseWriter, _ *http.Request, l logout.LoggedOutPage) {
	t := textsFor(l.Locale)
	title := t.LoggedOutTitle
	if l.ContinueURL != "" {
		title = t.LoggingOutTitle
	}
	p.write(w, http.StatusOK, "loggedout.html", struct {
		frame
		logout.LoggedOutPage
	}{p.frame(l.Locale, title, "logged-out-page", ""), l})
}

// Cancelled says that nothing happened.
func (p *pages) Cancelled(w http.ResponseWriter, _ *http.Request, c logout.CancelledPage) {
	p.write(w, http.StatusOK, "cancelled.html", struct {
		frame
		logout.CancelledPage
	}{p.frame(c.Locale, textsFor(c.Locale).StillLoggedIn, "logout-page", ""), c})
}

// Error says what went wrong, and whether the session lives on.
func (p *pages) Error(w http.ResponseWriter, _ *http.Request, e logout.ErrorPage) {
	t := textsFor(e.Locale)
	p.write(w, e.Status, "error.html", errorPage{
		frame: p.frame(e.Locale, t.ErrorTitle, "error-page", ""), Code: string(e.Code), CorrelationID: e.CorrelationID,
		Unavailable: e.Status >= 500, NotLoggedOut: e.StillLoggedIn,
	})
}
