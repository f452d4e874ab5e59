package authorize

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
)

// load reads the facts that decide what the request needs next. given is the answer of the consent page, nil without one.
func (e *Endpoint) load(ctx context.Context, x *exchange, sess *storage.Session, given *scope.Answer) (facts, *refusal) {
	f, refused := e.loadLogin(ctx, x, sess)
	if refused != nil || f.decideLogin().action != proceed {
		return f, refused
	}
	if refused = e.loadDetails(ctx, x, &f); refused != nil || f.selection != nil {
		return f, refused
	}
	f.plan, f.declined, refused = e.evaluate(ctx, x, sess, given)
	return f, refused
}

// loadLogin evaluates the session, loads its user, and compares the user with the one that id_token_hint names.
func (e *Endpoint) loadLogin(ctx context.Context, x *exchange, sess *storage.Session) (facts, *refusal) {
	q := x.req
	f := facts{silent: q.prompt.has(promptNone)}
	var since time.Time
	if x.interacted { // without a page, no login was made for this request
		since = x.receivedAt
	}
	f.circle, f.reason = e.cfg.Sessions.Decide(sess, session.Request{
		Circle:      e.circleOf(q.client),
		Sufficient:  func(level string) bool { return e.sufficient(level, q) },
		PromptLogin: q.prompt.has(promptLogin | promptSelectAccount),
		FreshScope:  q.plan.NeedsFreshLogin,
		MaxAge:      q.maxAge, HasMaxAge: q.hasMaxAge,
		At: since, LoginAt: x.loginAt,
	}, x.now)
	f.unmet = f.reason == session.StepUp && q.acrEssential && e.cfg.Levels.Satisfies(x.level, q.acrValues)
	if f.circle == nil {
		return f, nil
	}
	var err error
	if f.identity, err = e.cfg.Sessions.Identity(sess, f.circle.Name); err != nil {
		return f, faulty(q.to, err)
	}
	f.fresh = x.interacted && !f.circle.AuthTime.Before(x.receivedAt)
	if e.cfg.UserEnabled != nil {
		enabled, err := e.cfg.UserEnabled(ctx, f.identity.Subject)
		if err != nil {
			return f, faulty(q.to, fmt.Errorf("%w: loading the user: %w", portner.ErrUnavailable, err))
		}
		f.disabled = !enabled
	}
	if q.hintSub == "" {
		return f, nil
	}
	who := f.identity // a copy, so that requests without a hint keep the facts off the heap
	if f.otherUser, err = e.isOther(q, &who); err != nil {
		return f, faulty(q.to, err)
	}
	return f, nil
}

func (e *Endpoint) circleOf(c *client.Client) string {
	return e.cfg.Sessions.CircleOf(c.ClientID, c.SSODisabled)
}

// sufficient reports whether a login at level answers the request. A request without values, to a provider without DefaultACRValues,
// accepts every level. Essential values must match (OIDC Core §5.5.1.1).
func (e *Endpoint) sufficient(level string, q *request) bool {
	switch {
	case !e.hasLevels:
		return true
	case q.acrEssential:
		return slices.Contains(q.acrValues, level)
	case len(q.acrValues) == 0:
		return e.cfg.Levels.AtLeast(level, level)
	}
	return e.cfg.Levels.Satisfies(level, q.acrValues)
}

// evaluate evaluates the scopes with the answer and the remembered consents of the user. declined reports that the user declined
// all of them.
func (e *Endpoint) evaluate(ctx context.Context, x *exchange, sess *storage.Session, given *scope.Answer) (plan scope.Plan, declined bool, refused *refusal) {
	q := x.req
	if len(q.plan.NeedsConsent) == 0 && given == nil {
		return q.plan, false, nil
	}
	request := e.scopeRequest(q, x.now)
	request.Answer = given
	if !request.PromptConsent || given != nil {
		remembered, refused := e.remembered(ctx, x, x.consentKey(sess))
		if refused != nil {
			return plan, false, refused
		}
		for _, c := range remembered {
			if c.GrantedAt.After(x.consentedAt) && slices.Contains(q.scopes, c.Scope) {
				x.consentedAt = c.GrantedAt
			}
			if request.PromptConsent || x.again && !c.GrantedAt.Before(x.receivedAt) {
				continue
			}
			request.Consents = append(request.Consents, scope.Consent{Scope: c.Scope, Version: c.Version, ExpiresAt: c.ExpiresAt})
		}
	}
	plan, err := scope.Evaluate(request)
	switch {
	case err == nil:
		return plan, false, nil
	case errors.Is(err, scope.ErrAllDeclined):
		return plan, true, nil
	}
	return plan, false, q.to.refuseScopes(err)
}

// remembered returns the consents of the user to the client.
func (e *Endpoint) remembered(ctx context.Context, x *exchange, key storage.ConsentKey) ([]storage.Consent, *refusal) {
	if x.consentsOf == key {
		return x.consents, nil
	}
	all, err := e.cfg.Store.Consents(ctx, key, x.now)
	if err != nil {
		return nil, faulty(x.req.to, fmt.Errorf("%w: loading consents: %w", portner.ErrUnavailable, err))
	}
	x.consents, x.consentsOf = all, key
	return all, nil
}
