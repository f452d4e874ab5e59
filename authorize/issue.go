package authorize

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/httpx"
	"github.com/portner-go/portner/internal/seal"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/storage"
)

const (
	// minRetention is the least time that a store recognises a consumed code.
	minRetention = 30 * time.Minute
	// commitTimeout bounds the writes of one code. They run to their end even if the browser disconnects.
	commitTimeout = 5 * time.Second
)

// issue stores a code and returns the Decision that sends it. The client learns the code last, so a failure before leaves no
// usable code.
func (e *Endpoint) issue(ctx context.Context, x *exchange, sess *storage.Session, f facts, given *scope.Answer) *Decision {
	grant, refused := e.newGrant(ctx, x, sess, f)
	if refused != nil {
		return e.refuse(ctx, x, refused)
	}
	code := seal.NewToken()
	commitCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
	defer cancel()
	if refused = e.commit(commitCtx, x, sess, e.newCode(x, code, grant), given); refused != nil {
		return e.refuse(ctx, x, refused)
	}
	e.log.Emit(ctx, portner.Event{Name: portner.EventAuthorized, Time: x.now, ClientID: grant.ClientID, GrantID: grant.ID})
	e.recordLogin(commitCtx, x, &grant)
	return e.respond(x, x.req.to, "code", code)
}

// newGrant returns the grant of the user to the client.
func (e *Endpoint) newGrant(ctx context.Context, x *exchange, sess *storage.Session, f facts) (storage.Grant, *refusal) {
	q := x.req
	who, err := e.cfg.Sessions.Identity(sess)
	if err != nil {
		return storage.Grant{}, faulty(q.to, err)
	}
	g := storage.Grant{
		ID: seal.NewID(), ClientID: q.client.ClientID,
		UserKey: sess.UserKey, SessionID: sess.ID, LoginOnly: f.plan.LoginOnly,
		Scopes: slices.Clone(f.plan.Granted), Resources: q.resources, Pseudonymous: f.plan.Pseudonymous,
		ACR: f.circle.ACR, AMR: slices.Clone(f.circle.AMR), AuthTime: f.circle.AuthTime,
		Locale: e.locale(x.r.Header, q.form.Get("ui_locales")), OnBehalfOf: q.onBehalfOf.Value,
		CreatedAt: x.now,
		ExpiresAt: scope.Expiry(x.now, e.authorizationLifetime(q.client), f.plan.AuthorizationMaxAge, time.Time{}),
	}
	if q.client.TakesSID() {
		g.SID = e.cfg.Sessions.SID(sess, g.ClientID)
	}
	if e.cfg.KeepUserAgent {
		g.UserAgent = printableUserAgent(x.r.Header.Get("User-Agent"))
	}
	g.Identity = e.cfg.Vault.Seal(who, g.ID)
	var refused *refusal
	g.AuthorizationDetails, refused = e.grantDetails(ctx, x, sess, g.ID)
	return g, refused
}

// maxUserAgent bounds the name of a browser that is kept with a grant.
const maxUserAgent = 200

// printableUserAgent returns the printable ASCII of a User-Agent field, shortened. It is shown to users later.
func printableUserAgent(value string) string {
	name := strings.Map(func(c rune) rune {
		if c < 0x20 || c > 0x7e {
			return -1
		}
		return c
	}, value)
	return name[:min(len(name), maxUserAgent)]
}

func (e *Endpoint) authorizationLifetime(c *client.Client) time.Duration {
	return c.Lifetimes(client.Lifetimes{Authorization: e.cfg.AuthorizationLifetime}).Authorization
}

// newCode returns the record of a code. The store recognises its RequestID for as long as another tab may hold the same request.
func (e *Endpoint) newCode(x *exchange, code string, g storage.Grant) storage.AuthorizationCode {
	retain := x.now.Add(max(minRetention, e.cfg.PendingLifetime))
	if g.ExpiresAt.After(retain) {
		retain = g.ExpiresAt
	}
	return storage.AuthorizationCode{
		Hash: storage.HashOf(code), RequestID: x.requestID(), Grant: g,
		RedirectURI: x.req.to.uri, CodeChallenge: x.req.challenge, Nonce: x.req.nonce,
		ExpiresAt: x.now.Add(e.cfg.CodeLifetime), RetainUntil: retain,
	}
}

// commit writes in an order that makes a failure at any point safe: the request_uri is consumed, the code is stored (one for each
// request), consents are remembered, and the session must still be live.
func (e *Endpoint) commit(ctx context.Context, x *exchange, sess *storage.Session, code storage.AuthorizationCode, given *scope.Answer) *refusal {
	to := x.req.to
	if refused := e.consumePushed(ctx, x); refused != nil {
		return refused
	}
	err := e.cfg.Store.CreateCode(ctx, code, x.now)
	switch {
	case errors.Is(err, storage.ErrConflict):
		return completed(portner.InvalidRequest)
	case errors.Is(err, storage.ErrRevoked):
		return sessionEnded(to)
	case err != nil:
		return faulty(to, fmt.Errorf("%w: storing a code: %w", portner.ErrUnavailable, err))
	}
	if err := e.rememberConsents(ctx, x, code.Grant, given); err != nil {
		return faulty(to, fmt.Errorf("%w: storing consents: %w", portner.ErrUnavailable, err))
	}
	_, err = e.cfg.Sessions.Touch(ctx, sess, code.Grant.ClientID, x.now)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return sessionEnded(to)
	case err != nil:
		return faulty(to, fmt.Errorf("%w: %w", portner.ErrUnavailable, err))
	}
	return nil
}

// completed refuses a request that has led to a code.
func completed(code portner.ErrorCode) *refusal {
	return page(code, "request_completed", "This login is completed. Go back to the service you came from.")
}

// sessionEnded refuses a request whose user has logged out in another tab.
func sessionEnded(to *target) *refusal {
	return to.refuse(portner.LoginRequired, "session_ended", "The user has logged out.")
}

// consumePushed consumes the request_uri. One that expired while the user logged in is still valid for this request: all tabs
// share its identifier, so only one of them gets a code.
func (e *Endpoint) consumePushed(ctx context.Context, x *exchange) *refusal {
	if !x.req.isPushed() {
		return nil
	}
	err := e.cfg.PushedRequests.ConsumePushedRequest(ctx, x.req.pushed, x.now)
	switch {
	case errors.Is(err, storage.ErrConsumed):
		return completed(portner.InvalidRequestURI)
	case err != nil && !errors.Is(err, storage.ErrNotFound):
		return faulty(x.req.to, fmt.Errorf("%w: consuming a pushed request: %w", portner.ErrUnavailable, err))
	}
	return nil
}

// rememberConsents stores the scopes that the user approved, until the grant expires.
func (e *Endpoint) rememberConsents(ctx context.Context, x *exchange, g storage.Grant, given *scope.Answer) error {
	if given == nil || len(given.Approved) == 0 || e.cfg.Consents == nil {
		return nil
	}
	consents := make([]storage.Consent, 0, len(given.Approved))
	for _, name := range given.Approved {
		consents = append(consents, storage.Consent{
			UserKey: g.UserKey, ClientID: g.ClientID, Scope: name, GrantedAt: x.now, ExpiresAt: g.ExpiresAt,
		})
	}
	return e.cfg.Consents.GrantConsents(ctx, consents, x.now)
}

// recordLogin adds the login to the history of the user. A failure is logged, and the login succeeds.
func (e *Endpoint) recordLogin(ctx context.Context, x *exchange, g *storage.Grant) {
	if e.cfg.History == nil {
		return
	}
	info := infoOf(x.req.client, x.req.onBehalfOf)
	l := storage.Login{
		UserKey: g.UserKey, ClientID: g.ClientID, Orgno: info.Orgno, Service: info.Name, Method: "Federated",
		At: x.now, ExpiresAt: x.now.Add(e.cfg.HistoryLifetime), Hidden: x.req.isPseudonymous(),
	}
	if !g.AuthTime.Before(x.receivedAt) && len(g.AMR) > 0 { // the user logged in for this request
		l.Method = g.AMR[0]
	}
	if err := e.cfg.History.RecordLogin(ctx, l, x.now); err != nil {
		e.log.Fault(ctx, fmt.Errorf("authorize: recording a login: %w", err), httpx.NewCorrelationID(), x.now)
	}
}
