package portnertest

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/portner-go/portner/internal/jose"
)

// sender delivers logout tokens to the tested app (logout.Sender).
type sender struct{ p *Provider }

// delivery is the outcome of a back-channel call.
type delivery struct {
	clientID string
	err      error
}

// Send implements logout.Sender.
func (s sender) Send(ctx context.Context, uri, logoutToken string) error {
	form := url.Values{"logout_token": {logoutToken}}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, uri, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := s.p.transport.RoundTrip(r)
	if err == nil {
		_ = resp.Body.Close()
	}
	return s.p.delivered(logoutToken, resp, err)
}

// delivered keeps the outcome of a back-channel call. It returns an error if the app did not accept it.
func (p *Provider) delivered(logoutToken string, resp *http.Response, err error) error {
	if err == nil && (resp.StatusCode < 200 || resp.StatusCode > 299) {
		err = fmt.Errorf("status %d", resp.StatusCode)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent = append(p.sent, delivery{jose.Peek(logoutToken, maxToken, "aud"), err})
	return err
}

// frames loads the frames of the page of a logout, and continues to the app. A browser sends no cookies in frames of another site.
func (b *browser) frames(resp *http.Response) {
	for _, frame := range resp.Header[headerFrame] {
		r, err := http.NewRequestWithContext(resp.Request.Context(), http.MethodGet, frame, nil)
		if err != nil {
			continue
		}
		r.Header.Set("Sec-Fetch-Dest", "iframe")
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		answer, err := b.p.transport.RoundTrip(r)
		if err == nil {
			_ = answer.Body.Close()
			if answer.StatusCode >= http.StatusBadRequest {
				err = fmt.Errorf("status %d", answer.StatusCode)
			}
		}
		if err != nil {
			b.p.report(FrontchannelLogout, b.clientID(), "the call of %s fails: %v", r.URL.Path, err)
		}
	}
	if next := resp.Header.Get(headerNext); next != "" {
		resp.StatusCode, resp.Status = http.StatusSeeOther, "303 See Other"
		resp.Header.Set("Location", next)
	}
}

func (b *browser) clientID() string {
	b.play.mu.Lock()
	defer b.play.mu.Unlock()
	return b.play.clientID
}

// EndSession ends the sessions of a user, as a logout in another window of each of their browsers does. Before it returns, the front-channel
// and back-channel calls have reached the tested app. An app at which the user is still logged in fails the test.
func (p *Provider) EndSession(t testing.TB, user string) {
	t.Helper()
	if err := p.checkLogin(Login{User: user}); err != nil {
		t.Fatalf("portnertest: EndSession: %v", err)
	}
	p.mu.Lock()
	all := p.browsers
	p.mu.Unlock()
	for _, b := range all {
		if b.play.login.user() != user || b.clientID() == "" {
			continue
		}
		if err := p.endSession(b); err != nil {
			t.Fatalf("portnertest: EndSession: %v", err)
		}
	}
}

func (p *Provider) endSession(b *browser) error {
	b.mu.Lock()
	landing := b.landing
	b.mu.Unlock()
	if landing != nil && landing.status >= http.StatusBadRequest {
		landing = nil // the login failed
	}
	var before *outcome
	if landing != nil {
		before = p.fetch(b.jar, landing.url)
	}
	p.mu.Lock()
	p.sent = nil
	p.mu.Unlock()
	framed, err := p.logOut(b)
	if err != nil || landing == nil {
		return err
	}
	p.mu.Lock()
	sent := p.sent
	p.mu.Unlock()
	for _, d := range sent {
		if d.err != nil {
			p.report(BackchannelLogout, d.clientID, "the back-channel call fails: %v", d.err)
		}
	}
	if before == nil {
		return nil
	}
	after, anonymous := p.fetch(b.jar, landing.url), p.anonymous(landing.url)
	still := loggedIn(after, before, anonymous)
	switch {
	case len(sent) > 0 && still:
		p.report(BackchannelLogout, b.clientID(), "the user is still logged in at %s after the back-channel call", landing.url.Path)
	case framed && still:
		p.report(FrontchannelLogout, b.clientID(), "the user is still logged in at %s after the front-channel call, which has no cookies: the app must find its session by sid", landing.url.Path)
	case len(sent) == 0 && !framed:
		p.report(LogoutUnregistered, b.clientID(), "the user logged out, and the client has no logout URI: name the path of its handler in Config.FrontchannelLogoutPath or BackchannelLogoutPath")
	}
	return nil
}

// logOut opens the logout page in a browser and confirms it. It reports whether the page had frames.
func (p *Provider) logOut(b *browser) (framed bool, err error) {
	c := http.Client{Transport: b, Jar: b.jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	r, err := http.NewRequest(http.MethodGet, p.endpointURL("logout"), nil)
	if err != nil {
		return false, err
	}
	r.Header.Set(headerPlay, own)
	resp, err := c.Do(r)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	return len(resp.Header[headerFrame]) > 0, nil
}
