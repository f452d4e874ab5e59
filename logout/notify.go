package logout

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/httpx"
	"github.com/portner-go/portner/internal/seal"
	"github.com/portner-go/portner/storage"
)

const (
	// backchannelTimeout bounds all back-channel calls of one logout together.
	backchannelTimeout = 6 * time.Second
	// maxFrames bounds the frames of the logged-out page.
	maxFrames = 100
	// logoutTokenLifetime is the lifetime of a logout token.
	logoutTokenLifetime = 300 * time.Second
)

// participant is a client of the ended session.
type participant struct {
	*client.Client
	sid  string
	open bool // storage.SessionClient.Open
}

// notify notifies every client of the ended session, the requesting one included. It calls those with a backchannel_logout_uri, and
// returns the URLs of frames for those with a frontchannel_logout_uri. Failures are logged.
func (e *Endpoint) notify(ctx context.Context, ended storage.Session, now time.Time) (frames []string) {
	clients := e.participants(ctx, ended, now)
	e.notifyBackchannel(ctx, ended, clients, now)
	for _, c := range clients {
		if c.FrontchannelLogoutURI == "" {
			continue
		}
		if !e.frameable(c.Client) {
			e.badRegistration(ctx, c.ClientID, "frontchannel_logout_uri", now)
			continue
		}
		if len(frames) < maxFrames {
			frames = append(frames, e.frame(c))
		}
	}
	return frames
}

func (e *Endpoint) participants(ctx context.Context, ended storage.Session, now time.Time) []participant {
	var clients []participant
	for _, part := range ended.Clients {
		c, err := e.findClient(ctx, part.ClientID)
		if err != nil {
			e.log.Fault(ctx, err, httpx.NewCorrelationID(), now)
			continue
		}
		if c != nil {
			clients = append(clients, participant{c, part.SID, part.Open})
		}
	}
	return clients
}

// frameable reports whether frontchannel_logout_uri is an http(s) URL on the host of one of the redirect URIs of the client. A stored
// registration may be older than the rule.
func (e *Endpoint) frameable(c *client.Client) bool {
	uri := c.FrontchannelLogoutURI
	if c.CheckURI(uri, e.cfg.Environment) != nil {
		return false
	}
	u, err := url.Parse(uri)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") {
		return false
	}
	if c.ApplicationKind() == client.Native { // its redirect URIs have no host of their own
		return true
	}
	for _, r := range c.RedirectURIs {
		if ru, err := url.Parse(r); err == nil && strings.EqualFold(ru.Hostname(), u.Hostname()) {
			return true
		}
	}
	return false
}

// frame returns the URL of a frame, with iss and sid if the client requires them (OIDC Front-Channel Logout §2).
func (e *Endpoint) frame(c participant) string {
	if !c.FrontchannelLogoutSessionRequired {
		return c.FrontchannelLogoutURI
	}
	return httpx.AppendQuery(c.FrontchannelLogoutURI, "iss", e.cfg.Issuer, "sid", c.sid)
}

// frameSource returns the directive that allows the frames, by their schemes: browsers apply frame-src to every redirect that follows,
// and a client may redirect its frame to origins that are not registered.
func frameSource(frames []string) string {
	if len(frames) == 0 {
		return "frame-src 'none'"
	}
	for _, f := range frames {
		if strings.HasPrefix(strings.ToLower(f), "http:") {
			return "frame-src https: http:"
		}
	}
	return "frame-src https:"
}

// notifyBackchannel sends the logout tokens in parallel, with one attempt each, and waits for the results.
func (e *Endpoint) notifyBackchannel(ctx context.Context, ended storage.Session, clients []participant, now time.Time) {
	if e.cfg.Backchannel == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, backchannelTimeout)
	defer cancel()
	var wg sync.WaitGroup
	for _, c := range clients {
		if c.BackchannelLogoutURI == "" {
			continue
		}
		wg.Go(func() {
			defer func() { _ = recover() }() // a panic of the host's logger in a goroutine would end the process
			outcome := e.sendToken(ctx, c, &ended, now)
			e.log.Emit(ctx, portner.Event{Name: portner.EventBackchannel, Time: now, ClientID: c.ClientID, Reason: outcome})
		})
	}
	wg.Wait()
}

// sendToken sends a logout token to one client and returns the outcome for the log. The outcome is not part of a response, because it
// would reveal the network of the provider.
func (e *Endpoint) sendToken(ctx context.Context, c participant, ended *storage.Session, now time.Time) (outcome string) {
	defer func() {
		if recover() != nil { // a panic in a goroutine would end the process
			outcome = "failed"
		}
	}()
	if c.CheckURI(c.BackchannelLogoutURI, e.cfg.Environment) != nil {
		e.badRegistration(ctx, c.ClientID, "backchannel_logout_uri", now)
		return "address_not_allowed"
	}
	sub := "" // beside the sid it would relate the subjects of a client with a login that is not open
	if c.open {
		var err error
		if sub, err = e.subject(ended, c.Client); err != nil {
			e.log.Fault(ctx, err, httpx.NewCorrelationID(), now)
			return "subject_failure"
		}
	}
	token, err := e.logoutToken(c, sub, now)
	if err != nil {
		e.log.Fault(ctx, err, httpx.NewCorrelationID(), now)
		return "signing_failure"
	}
	err = e.cfg.Backchannel.Send(ctx, c.BackchannelLogoutURI, token)
	switch {
	case err == nil:
		return "accepted"
	case errors.Is(err, ErrRejected):
		return "rejected"
	case errors.Is(err, ErrAddress):
		return "address_not_allowed"
	case errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil:
		return "timeout"
	}
	return "failed"
}

// logoutClaims are the claims of a logout token (OIDC Back-Channel Logout §2.4). A nonce is prohibited, because the token could
// then pass for an id_token.
type logoutClaims struct {
	Issuer    string                     `json:"iss"`
	Subject   string                     `json:"sub,omitempty"`
	Audience  string                     `json:"aud"`
	IssuedAt  int64                      `json:"iat"`
	ExpiresAt int64                      `json:"exp"`
	JTI       string                     `json:"jti"`
	Events    map[string]json.RawMessage `json:"events"`
	SID       string                     `json:"sid"`
}

var logoutEvents = map[string]json.RawMessage{"http://schemas.openid.net/event/backchannel-logout": json.RawMessage("{}")}

func (e *Endpoint) logoutToken(c participant, sub string, now time.Time) (string, error) {
	payload, err := json.Marshal(logoutClaims{
		Issuer: e.cfg.Issuer, Subject: sub, Audience: c.ClientID, SID: c.sid,
		IssuedAt: now.Unix(), ExpiresAt: now.Add(logoutTokenLifetime).Unix(),
		JTI: seal.NewToken(), Events: logoutEvents,
	})
	if err != nil {
		return "", fmt.Errorf("logout: encoding a logout token: %w", err)
	}
	token, err := e.cfg.Keys.Sign(c.IDTokenSignedResponseAlg, "logout+jwt", payload, now)
	if err != nil {
		return "", fmt.Errorf("logout: signing a logout token: %w", err)
	}
	return token, nil
}
