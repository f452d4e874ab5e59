package authorize

import (
	"context"
	"errors"
	"fmt"
	"net/http"
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

// minRetention is how long a used code stays recognisable at least (security section 0.6).
const minRetention = 30 * time.Minute

// commitTime is how long the writes of one code may take once they have begun (security row J5).
const commitTime = 5 * time.Second

// issue stores a code and sends it. The code is unusable until it is sent, so what fails on the way
// leaves nothing behind that anybody could use.
func (f *flow) issue(sess *storage.Session, circle *storage.Circle, plan scope.Plan, said *answer) *refusal {
	if len(plan.Granted) == 0 {
		return f.req.to.refuse(portner.AccessDenied, "nothing_granted", "Nothing is left to grant.")
	}
	grant, err := f.grant(sess, circle, plan)
	if err != nil {
		return faulty(f.req.to, err)
	}
	var refused *refusal
	if grant.AuthorizationDetails, refused = f.granted(sess, grant.ID); refused != nil {
		return refused
	}
	code := seal.NewToken()
	// A browser that goes away must not leave half of it done.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(f.r.Context()), commitTime)
	defer cancel()
	if refused = f.commit(ctx, sess, f.record(code, grant), said); refused != nil {
		return refused
	}
	f.log.Emit(f.r.Context(), portner.Event{
		Name: portner.EventAuthorized, Time: f.now,
		ClientID: grant.ClientID, GrantID: grant.ID,
	})
	f.history(ctx, &grant)
	f.respond(f.req.to, "code", code)
	return nil
}

// history adds the login to what the person can look back at. It is no part of the login: a store that
// fails is reported, and the code goes out.
func (f *flow) history(ctx context.Context, g *storage.Grant) {
	if f.cfg.History == nil {
		return
	}
	info := infoOf(f.req.client, f.req.onBehalfOf)
	l := storage.Login{
		UserKey: g.UserKey, ClientID: g.ClientID, Orgno: info.Orgno, Service: info.Name, Method: "Federated",
		At: f.now, ExpiresAt: f.now.Add(f.cfg.HistoryLifetime), Hidden: f.req.hidesPerson(),
	}
	if !g.AuthTime.Before(f.receivedAt) && len(g.AMR) > 0 { // logged in for this request
		l.Method = g.AMR[0]
	}
	if err := f.cfg.History.RecordLogin(ctx, l, f.now); err != nil {
		f.log.Fault(ctx, fmt.Errorf("authorize: recording a login: %w", err), httpx.NewCorrelationID(), f.now)
	}
}

// grant is what the person gave the client.
func (f *flow) grant(sess *storage.Session, circle *storage.Circle, plan scope.Plan) (storage.Grant, error) {
	q := f.req
	who, err := f.cfg.Sessions.Identity(sess)
	if err != nil {
		return storage.Grant{}, err
	}
	g := storage.Grant{
		ID: seal.NewID(), ClientID: q.client.ClientID,
		UserKey: sess.UserKey, SessionID: sess.ID, LoginOnly: plan.LoginOnly,
		Scopes: slices.Clone(plan.Granted), Resources: q.resources, Pseudonymous: plan.Pseudonymous,
		ACR: circle.ACR, AMR: slices.Clone(circle.AMR), AuthTime: circle.AuthTime,
		Locale: f.locale(f.r, q.form.Get("ui_locales")), OnBehalfOf: q.onBehalfOf.Value,
		CreatedAt: f.now,
		ExpiresAt: scope.Expiry(f.now, f.authorizationLifetime(q.client), plan.AuthorizationMaxAge, time.Time{}),
	}
	if q.client.TakesSID() {
		g.SID = f.cfg.Sessions.SID(sess, g.ClientID)
	}
	if f.cfg.KeepUserAgent {
		g.UserAgent = browserName(f.r)
	}
	g.Identity = f.cfg.Vault.Seal(who, g.ID)
	return g, nil
}

// browserName is the User-Agent, printable and short: it is shown to people later.
func browserName(r *http.Request) string {
	name := strings.Map(func(c rune) rune {
		if c < 0x20 || c > 0x7e {
			return -1
		}
		return c
	}, r.UserAgent())
	return name[:min(len(name), 200)]
}

func (e *Endpoint) authorizationLifetime(c *client.Client) time.Duration {
	return c.Lifetimes(client.Lifetimes{Authorization: e.cfg.AuthorizationLifetime}).Authorization
}

// record is the code as it is stored. It is remembered for as long as another tab may still hold the
// same request, which gets no second code.
func (f *flow) record(code string, g storage.Grant) storage.AuthorizationCode {
	retain := f.now.Add(max(minRetention, f.cfg.PendingLifetime))
	if g.ExpiresAt.After(retain) {
		retain = g.ExpiresAt
	}
	return storage.AuthorizationCode{
		Hash: storage.HashOf(code), RequestID: f.requestID(), Grant: g,
		RedirectURI: f.req.to.uri, CodeChallenge: f.req.challenge, Nonce: f.req.nonce,
		AuthTimeAsked: f.req.authTimeAsked,
		ExpiresAt:     f.now.Add(f.cfg.CodeLifetime), RetainUntil: retain,
	}
}

// commit writes in the order that lets a failure at any point be safe: the request_uri is used up,
// the code is stored (one for each request), consents are remembered, and only a session that is
// still live lets the code go out.
func (f *flow) commit(ctx context.Context, sess *storage.Session, code storage.AuthorizationCode, said *answer) *refusal {
	if refused := f.consumePushed(ctx); refused != nil {
		return refused
	}
	err := f.cfg.Store.CreateCode(ctx, code, f.now)
	switch {
	case errors.Is(err, storage.ErrConflict):
		return page(portner.InvalidRequest, "completed", "This login is completed. Go back to the service you came from.")
	case errors.Is(err, storage.ErrRevoked):
		return f.sessionEnded()
	case err != nil:
		return faulty(f.req.to, fmt.Errorf("%w: storing a code: %w", portner.ErrUnavailable, err))
	}
	if err := f.remember(ctx, code.Grant, said); err != nil {
		return faulty(f.req.to, fmt.Errorf("%w: remembering consents: %w", portner.ErrUnavailable, err))
	}
	_, err = f.cfg.Sessions.Touch(ctx, sess, code.Grant.ClientID, f.now)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return f.sessionEnded()
	case err != nil:
		return faulty(f.req.to, fmt.Errorf("%w: %w", portner.ErrUnavailable, err))
	}
	return nil
}

// sessionEnded: the person has logged out meanwhile, in another tab.
func (f *flow) sessionEnded() *refusal {
	return f.req.to.refuse(portner.LoginRequired, "session_ended", "The person has logged out.")
}

// consumePushed uses up the request_uri. One that expired while the person logged in is still good
// for this request: that only one of its tabs gets a code is then seen to by the identifier of the
// request, which all of them share.
func (f *flow) consumePushed(ctx context.Context) *refusal {
	if !f.req.isPushed() {
		return nil
	}
	err := f.cfg.PushedRequests.ConsumePushedRequest(ctx, f.req.pushed, f.now)
	switch {
	case errors.Is(err, storage.ErrConsumed):
		return page(portner.InvalidRequestURI, "completed", "This login is completed. Go back to the service you came from.")
	case err != nil && !errors.Is(err, storage.ErrNotFound):
		return faulty(f.req.to, fmt.Errorf("%w: using a pushed request: %w", portner.ErrUnavailable, err))
	}
	return nil
}

// remember keeps the yes of the person for as long as the authorization lasts (idporten section 12.5).
func (f *flow) remember(ctx context.Context, g storage.Grant, said *answer) error {
	if said == nil || len(said.approved) == 0 || f.cfg.Consents == nil {
		return nil
	}
	consents := make([]storage.Consent, 0, len(said.approved))
	for _, name := range said.approved {
		consents = append(consents, storage.Consent{
			UserKey: g.UserKey, ClientID: g.ClientID, Scope: name, GrantedAt: f.now, ExpiresAt: g.ExpiresAt,
		})
	}
	return f.cfg.Consents.GrantConsents(ctx, consents, f.now)
}
