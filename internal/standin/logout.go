package standin

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

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

// Backchannel returns the sender of logout tokens to services, which may be on this machine.
func (f Flags) Backchannel() logout.Sender {
	if f.HTTP != nil {
		return sender{f.HTTP}
	}
	return logout.NewSender(logout.SenderConfig{AllowHTTP: true, AllowPrivate: true, TLS: f.TLS.Client()})
}

// sender sends logout tokens with the client of a host.
type sender struct{ http *http.Client }

// Send implements logout.Sender.
func (s sender) Send(ctx context.Context, uri, logoutToken string) error {
	body := url.Values{"logout_token": {logoutToken}}.Encode()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, uri, strings.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := s.http.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		return errors.New(resp.Status)
	}
	return nil
}
