package authorize

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/commit"
	"github.com/portner-go/portner/internal/httpx"
	"github.com/portner-go/portner/internal/seal"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
)

const (
	// minRetention is the least time that a store recognises a consumed code.
	minRetention = 30 * time.Minute
	// commitTimeout bounds the writes of one code. They run to their end even if the browser disconnects.
	commitTimeout = 5 * time.Second
)

// issue makes the response with a code, stores the code, and returns the response. The client receives the code last, so a failure before
// leaves no usable code.
func (e *Endpoint) issue(ctx context.Context, x *exchange, sess *storage.Session, f facts, given *scope.Answer) *Decision {
	name := codeName(x, sess, f.plan.Granted)
	code := e.codes.Derive(0, name)
	grant, refused := e.newGrant(ctx, x, sess, f, grantID(code))
	if refused != nil {
		return e.refuse(ctx, x, refused)
	}
	commitCtx := commit.New(ctx, commitTimeout)
	defer commitCtx.Cancel()
	o := e.newOutcome(x, sess, code, grant, given)
	var response *Decision
	var err error
	for i := 1; ; i++ {
		// A response that cannot be signed must not consume the request: the user may try again.
		if response, err = e.respond(x, x.req.to, "code", code); err != nil {
			return e.refuse(ctx, x, faulty(nil, err))
		}
		refused = e.commit(commitCtx, x, o)
		if refused == nil || !refused.finished || i == e.codes.Len() {
			break
		}
		// The request may have a code that was derived before the secrets rotated.
		code = e.codes.Derive(i, name)
		grant.ID, o.Code.Hash = grantID(code), storage.HashOf(code)
	}
	if refused != nil {
		return e.refuse(ctx, x, refused)
	}
	e.log.Emit(ctx, portner.Event{Name: portner.EventAuthorized, Time: x.now, ClientID: grant.ClientID, GrantID: grant.ID})
	e.recordLogin(commitCtx, x, &grant, f.fresh)
	return response
}

// codeName returns what a code derives from. A form that is posted twice leads to the same code, and another user, session, answer or
// DPoP key to another code, which the store rejects.
func codeName(x *exchange, sess *storage.Session, scopes []string) string {
	var room [256]byte // most names fit, so that only the result is allocated
	b := room[:0]
	for _, list := range [...][]string{{string(x.id[:]), string(sess.UserKey[:]), sess.ID}, scopes, x.representation.chosen, x.approval.approved} {
		b = appendTexts(binary.AppendUvarint(b, uint64(len(list))), list...) // no list can be read as another one
	}
	if x.req.dpopKey != "" {
		b = appendTexts(b, x.req.dpopKey)
	}
	return string(b)
}

// grantID returns the ID of the grant of a code. A form that is posted twice leads to one grant, one entry of the login history, and
// events with one ID.
func grantID(code string) string { return seal.IDOf("grant ID", code) }

// newGrant returns the grant of the user to the client, without its SID.
func (e *Endpoint) newGrant(ctx context.Context, x *exchange, sess *storage.Session, f facts, id string) (storage.Grant, *refusal) {
	q := x.req
	g := storage.Grant{
		ID: id, ClientID: q.client.ClientID,
		UserKey: sess.UserKey, SessionID: sess.ID, LoginOnly: f.plan.LoginOnly,
		Scopes: slices.Clone(f.plan.Granted), Resources: q.resources, Pseudonymous: f.plan.Pseudonymous,
		ACR: f.circle.ACR, AMR: slices.Clone(f.circle.AMR), AuthTime: f.circle.AuthTime,
		Locale: e.localeOf(x), Customer: q.client.Party(q.onBehalfOf),
		CreatedAt: x.now,
		ExpiresAt: scope.Expiry(x.now, e.authorizationLifetime(q.client), f.plan.AuthorizationMaxAge, time.Time{}),
	}
	if x.consentedAt.After(g.CreatedAt) {
		g.CreatedAt = x.consentedAt // a consent counts for grants that are not older
	}
	if e.cfg.KeepUserAgent {
		g.UserAgent = printableUserAgent(x.r.Header.Get("User-Agent"))
	}
	g.Claims = q.requested.Encode()
	g.Identity = e.cfg.Vault.Seal(f.identity, g.ID)
	var refused *refusal
	g.AuthorizationDetails, refused = e.grantDetails(ctx, x, &f.identity, g.ID)
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

// newOutcome returns the outcome of a request that ends with a code, and the visit of the session. The store recognises the request for as long as another
// tab may hold it, and the code for as long as its tokens may be live.
func (e *Endpoint) newOutcome(x *exchange, sess *storage.Session, code string, g storage.Grant, given *scope.Answer) storage.Outcome {
	retain := x.now.Add(max(minRetention, e.cfg.PendingLifetime))
	if g.ExpiresAt.After(retain) {
		retain = g.ExpiresAt
	}
	login := session.ClientLogin{ClientID: g.ClientID, Open: !e.withheld(x.req)}
	if g.LoginOnly {
		login.Until = g.ExpiresAt
	}
	visit := e.cfg.Sessions.Visit(sess, login, x.now)
	if e.cfg.SIDForEveryClient || x.req.client.TakesSID() {
		g.SID = visit.Client.SID
	}
	o := storage.Outcome{
		RequestID: x.requestID(), Consents: storage.ConsentKey{UserKey: g.UserKey, ClientID: g.ClientID, Customer: g.Customer},
		Code: &storage.AuthorizationCode{
			Hash: storage.HashOf(code), Grant: g,
			RedirectURI: x.req.to.uri, CodeChallenge: x.req.challenge, Nonce: x.req.nonce, DPoPKey: x.req.dpopKey,
			ExpiresAt: x.now.Add(e.cfg.CodeLifetime),
		},
		RetainTo: retain, Visit: &visit,
	}
	if given == nil {
		return o
	}
	o.Declined = declined(given)
	// A consent counts for grants that are not older. Stores that round instants must not make it later than its grant.
	at := x.now.Truncate(time.Microsecond)
	for i, name := range given.Approved { // a consent lasts as long as a grant that rests on no older one
		o.Granted = append(o.Granted, storage.Consent{Scope: name, Version: x.versions[i], GrantedAt: at, ExpiresAt: g.ExpiresAt})
	}
	return o
}

// declined returns the scopes that were shown and not approved. Their remembered consents end.
func declined(a *scope.Answer) (names []string) {
	for _, name := range a.Shown {
		if !slices.Contains(a.Approved, name) {
			names = append(names, name)
		}
	}
	return names
}

// consentKey identifies the consents of the user of a session to the client of the request.
func (x *exchange) consentKey(sess *storage.Session) storage.ConsentKey {
	return storage.ConsentKey{UserKey: sess.UserKey, ClientID: x.req.client.ClientID, Customer: x.req.client.Party(x.req.onBehalfOf)}
}

// deny stores that the user denied the request. The scopes that the answer declines are withdrawn.
func (e *Endpoint) deny(ctx context.Context, x *exchange, sess *storage.Session, given *scope.Answer) *refusal {
	commitCtx := commit.New(ctx, commitTimeout)
	defer commitCtx.Cancel()
	return e.finish(commitCtx, x, storage.Outcome{
		RequestID: x.requestID(), Consents: x.consentKey(sess), Declined: declined(given),
		RetainTo: x.now.Add(max(minRetention, e.cfg.PendingLifetime)),
	})
}

// finish stores the outcome of the request.
func (e *Endpoint) finish(ctx context.Context, x *exchange, o storage.Outcome) *refusal {
	err := e.cfg.Store.FinishRequest(ctx, o, x.now)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, storage.ErrConflict), errors.Is(err, storage.ErrConsumed):
		return completed()
	case errors.Is(err, storage.ErrRevoked):
		return sessionEnded(x.req.to)
	}
	return faulty(x.req.to, fmt.Errorf("%w: finishing the request: %w", portner.ErrUnavailable, err))
}

// commit writes in an order that makes a failure at any point safe: the request_uri is consumed, and then the outcome is stored, with the
// visit of the session in one step. The store rejects the outcome if the session has ended.
func (e *Endpoint) commit(ctx context.Context, x *exchange, o storage.Outcome) *refusal {
	if refused := e.consumePushed(ctx, x); refused != nil {
		return refused
	}
	refused := e.finish(ctx, x, o)
	x.counted = refused == nil
	return refused
}

// completed refuses a request that has led to a code.
func completed() *refusal {
	r := page(portner.InvalidRequest, "request_completed", "This login is completed. Go back to the service you came from.")
	r.finished = true
	return r
}

// sessionEnded refuses a request whose user has logged out in another tab.
func sessionEnded(to *target) *refusal {
	return to.refuse(portner.LoginRequired, "session_ended", "The user has logged out.")
}

// consumePushed consumes the request_uri. One that expired while the user logged in is still valid for this request, and so is
// one that this request consumed before: all tabs share its identifier, under which the store keeps one outcome.
func (e *Endpoint) consumePushed(ctx context.Context, x *exchange) *refusal {
	if !x.req.isPushed() {
		return nil
	}
	err := e.cfg.PushedRequests.ConsumePushedRequest(ctx, x.req.pushed, x.now)
	if err != nil && !errors.Is(err, storage.ErrConsumed) && !errors.Is(err, storage.ErrNotFound) {
		return faulty(x.req.to, fmt.Errorf("%w: consuming a pushed request: %w", portner.ErrUnavailable, err))
	}
	return nil
}

// recordLogin adds the login to the history of the user. fresh reports that the user logged in for this request. A failure is logged,
// and the login succeeds.
func (e *Endpoint) recordLogin(ctx context.Context, x *exchange, g *storage.Grant, fresh bool) {
	if e.cfg.History == nil {
		return
	}
	info := infoOf(x.req.client, x.req.onBehalfOf)
	l := storage.Login{
		ID: g.ID, UserKey: g.UserKey, ClientID: g.ClientID, Orgno: info.Orgno, Service: info.Name, Method: "Federated",
		At: x.now, ExpiresAt: x.now.Add(e.cfg.HistoryLifetime), Withheld: e.withheld(x.req),
	}
	if fresh && len(g.AMR) > 0 {
		l.Method = g.AMR[0]
	}
	if err := e.cfg.History.RecordLogin(ctx, l, x.now); err != nil {
		e.log.Fault(ctx, fmt.Errorf("authorize: recording a login: %w", err), httpx.NewCorrelationID(), x.now)
	}
}
