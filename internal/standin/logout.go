package standin

import (
	"github.com/portner-go/portner"
	"github.com/portner-go/portner/logout"
)

// LogoutPages returns the pages of logout. The endpoint sets their header fields, such as Content-Security-Policy.
func (p *Pages) LogoutPages() logout.Pages {
	return logout.Pages{Confirm: p.confirmLogout, LoggedOut: p.loggedOut, Cancelled: p.logoutCancelled, Error: p.logoutError}
}

func (p *Pages) confirmLogout(c logout.ConfirmPage) portner.Reply {
	t := TextsFor(c.Locale)
	return p.Body("logout.html", struct {
		Frame
		logout.ConfirmPage
		T Texts
	}{p.Frame(t, t.LogoutTitle, "logout-page", ""), c, t})
}

// final returns the data of the layout of a page whose address shows another page when it is opened again. It has no switch of the
// language.
func (p *Pages) final(t Texts, title, bodyID string) Frame {
	f := p.Frame(t, title, bodyID, "")
	f.Switch = nil
	return f
}

func (p *Pages) loggedOut(l logout.LoggedOutPage) portner.Reply {
	t := TextsFor(l.Locale)
	title := t.LoggedOutTitle
	if l.ContinueURL != "" {
		title = t.LoggingOutTitle
	}
	return p.Body("loggedout.html", struct {
		Frame
		logout.LoggedOutPage
		T Texts
	}{p.final(t, title, "logged-out-page"), l, t})
}

func (p *Pages) logoutCancelled(c logout.CancelledPage) portner.Reply {
	t := TextsFor(c.Locale)
	return p.Body("cancelled.html", struct {
		Frame
		logout.CancelledPage
		T Texts
	}{p.final(t, t.StillLoggedIn, "logout-page"), c, t})
}

func (p *Pages) logoutError(e logout.ErrorPage) portner.Reply {
	return p.Error(e.Locale, ErrorPage{
		Status: e.Status, Logout: true, NotLoggedOut: e.StillLoggedIn, Code: string(e.Code), Parameter: e.Parameter, CorrelationID: e.CorrelationID,
		ClientName: e.ClientName, BackURL: e.BackURL,
	})
}
