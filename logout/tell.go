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
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
)

const (
	// backchannelTimeout bounds all back-channel calls of one logout together.
	backchannelTimeout = 6 * time.Second
	// maxFrames bounds the front-channel page (security row G15).
	maxFrames = 100
	// logoutTokenLifetime is exp - iat (idporten section 15.5).
	logoutTokenLifetime = 300 * time.Second
)

// told is one client of the ended session and its registration.
type told struct {
	*client.Client
	sid string
}

// tell informs every client of the ended session, the one that asked included: directly those that
// have a backchannel_logout_uri, and through the frames it returns those that have a
// frontchannel_logout_uri. The session is over whatever becomes of it.
func (v visit) tell(ctx context.Context, ended storage.Session) (frames []string) {
	clients := v.toTell(ctx, ended)
	v.callBack(ctx, ended, clients)
	for _, c := range clients {
		if c.FrontchannelLogoutURI == "" {
			continue
		}
		if !v.frameable(c.Client) {
			v.badRegistration(ctx, c.ClientID, "frontchannel_logout_uri", v.now)
			continue
		}
		if len(frames) < maxFrames {
			frames = append(frames, v.frame(c))
		}
	}
	return frames
}

func (v visit) toTell(ctx context.Context, ended storage.Session) []told {
	var clients []told
	for _, part := range ended.Clients {
		c, err := v.registered(ctx, part.ClientID)
		if err != nil {
			v.log.Fault(ctx, err, httpx.NewCorrelationID(), v.now)
			continue
		}
		if c != nil {
			clients = append(clients, told{c, part.SID})
		}
	}
	return clients
}

// frameable checks the registration once more (security rows A5, G15): an http(s) address on the host
// of one of the client's redirect URIs.
func (e *Endpoint) frameable(c *client.Client) bool {
	uri := c.FrontchannelLogoutURI
	if c.CheckURI(uri, e.cfg.Environment) != nil || !safeOrigin(uri) {
		return false
	}
	u, err := url.Parse(uri)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") {
		return false
	}
	if c.ApplicationKind() == client.Native { // its redirect URIs are the app's own
		return true
	}
	for _, r := range c.RedirectURIs {
		if ru, err := url.Parse(r); err == nil && strings.EqualFold(ru.Hostname(), u.Hostname()) {
			return true
		}
	}
	return false
}

// frame is Front-Channel Logout 1.0 section 2: iss and sid only if the client registered for them, and
// its own query kept.
func (e *Endpoint) frame(c told) string {
	if !c.FrontchannelLogoutSessionRequired {
		return c.FrontchannelLogoutURI
	}
	return httpx.AppendQuery(c.FrontchannelLogoutURI, "iss", e.cfg.Issuer, "sid", c.sid)
}

// frameSource is the CSP directive that allows exactly the frames' origins.
func frameSource(frames []string) string {
	if len(frames) == 0 {
		return "frame-src 'none'"
	}
	var b strings.Builder
	b.WriteString("frame-src")
	seen := map[string]bool{}
	for _, f := range frames {
		if o := httpx.Origin(f); !seen[o] {
			seen[o] = true
			b.WriteString(" " + o)
		}
	}
	return b.String()
}

// callBack sends the logout tokens, all at once, one attempt each (idporten section 15.5), and waits:
// nothing of a request outlives it.
func (v visit) callBack(ctx context.Context, ended storage.Session, clients []told) {
	if v.cfg.Backchannel == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, backchannelTimeout)
	defer cancel()
	var who *session.Identity
	if id, err := v.cfg.Sessions.Identity(&ended); err == nil {
		who = &id
	}
	var wg sync.WaitGroup
	for _, c := range clients {
		if c.BackchannelLogoutURI == "" {
			continue
		}
		wg.Go(func() {
			outcome := v.callOne(ctx, c, who)
			v.log.Emit(ctx, portner.Event{Name: portner.EventBackchannel, Time: v.now, ClientID: c.ClientID, Reason: outcome})
		})
	}
	wg.Wait()
}

// callOne returns a word for what became of one call. Why it failed stays here: the difference between
// refused and unreachable tells about the network (security row F1), to the log's readers only.
func (v visit) callOne(ctx context.Context, c told, who *session.Identity) (outcome string) {
	defer func() {
		if recover() != nil { // in a goroutine, a hook's panic would take the process with it (security row J13)
			outcome = "failed"
		}
	}()
	if c.CheckURI(c.BackchannelLogoutURI, v.cfg.Environment) != nil {
		v.badRegistration(ctx, c.ClientID, "backchannel_logout_uri", v.now)
		return "bad_address"
	}
	token, err := v.logoutToken(c, v.subject(c.Client, who))
	if err != nil {
		v.log.Fault(ctx, err, httpx.NewCorrelationID(), v.now)
		return "not_signed"
	}
	err = v.cfg.Backchannel.Send(ctx, c.BackchannelLogoutURI, token)
	switch {
	case err == nil:
		return "accepted"
	case errors.Is(err, ErrRefused):
		return "refused"
	case errors.Is(err, ErrAddress):
		return "bad_address"
	case errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil:
		return "timeout"
	}
	return "failed"
}

// logoutClaims are the claims of a logout token (Back-Channel Logout 1.0 section 2.4). There is never a
// nonce: it would make the token pass for an id_token.
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

func (v visit) logoutToken(c told, sub string) (string, error) {
	payload, err := json.Marshal(logoutClaims{
		Issuer: v.cfg.Issuer, Subject: sub, Audience: c.ClientID, SID: c.sid,
		IssuedAt: v.now.Unix(), ExpiresAt: v.now.Add(logoutTokenLifetime).Unix(),
		JTI: seal.NewToken(), Events: logoutEvents,
	})
	if err != nil {
		return "", fmt.Errorf("logout: encoding a logout token: %w", err)
	}
	token, err := v.cfg.Keys.Sign(c.IDTokenSignedResponseAlg, "logout+jwt", payload, v.now)
	if err != nil {
		return "", fmt.Errorf("logout: signing a logout token: %w", err)
	}
	return token, nil
}
