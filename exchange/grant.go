package exchange

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/seal"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/token"
)

// exchange is the state of one token request.
type exchange struct {
	*token.Request
	cfg       *Config
	minter    *token.Minter
	subject   *presented
	actor     *presented // nil without an actor token
	requested requested
	decision  Decision
	mayAct    json.RawMessage // of the decision
}

// handle decides a token request.
func (cfg *Config) handle(ctx context.Context, r *token.Request, m *token.Minter) (*token.Response, error) {
	x := &exchange{Request: r, cfg: cfg, minter: m}
	if err := x.readForm(ctx); err != nil {
		return nil, err
	}
	act, err := x.actorChain()
	if err != nil {
		return nil, err
	}
	if err := x.applyPolicy(ctx); err != nil {
		return nil, err
	}
	if x.addsNoActor() {
		act = x.subject.grant.Delegation.Actor
	}
	c, err := x.contents(ctx, act)
	if err != nil {
		return nil, err
	}
	sessionEnded := false
	res, err := m.Mint(ctx, c, func(ctx context.Context, issue *storage.Issuance) error {
		err := cfg.Store.InsertGrant(ctx, issue, r.Now)
		sessionEnded = errors.Is(err, storage.ErrRevoked)
		return err
	})
	switch {
	case sessionEnded: // of the login of an id_token: see verifyIDToken
		return nil, subjectRole.badToken("session_ended")
	case errors.Is(err, storage.ErrRevoked): // the user of a token of another issuer is disabled
		return nil, subjectRole.badToken("user_disabled")
	case err != nil:
		return nil, err
	}
	res.IssuedTokenType = AccessToken
	return res, nil
}

// readForm reads the form and verifies the presented tokens (RFC 8693 §2.1).
func (x *exchange) readForm(ctx context.Context) error {
	f := x.Form
	switch {
	case f.Get("requested_token_type") != "" && f.Get("requested_token_type") != AccessToken:
		return malformed("The requested_token_type is not supported.", "requested_token_type_unsupported")
	case !f.Has("subject_token"), !f.Has("subject_token_type"):
		return malformed("The parameters subject_token and subject_token_type are required.", "subject_token_missing")
	case f.Has("actor_token") != f.Has("actor_token_type"):
		return malformed("The parameters actor_token and actor_token_type belong together.", "actor_token_type_missing")
	}
	var err error
	if x.requested, err = readRequested(f, x.cfg.Issuer); err != nil {
		return err
	}
	if x.subject, err = x.verify(ctx, presentation{subjectRole, f.Get("subject_token"), f.Get("subject_token_type")}); err != nil {
		return err
	}
	exchanges := x.subject.exchanges
	if f.Has("actor_token") {
		if x.actor, err = x.verify(ctx, presentation{actorRole, f.Get("actor_token"), f.Get("actor_token_type")}); err != nil {
			return err
		}
		exchanges += x.actor.exchanges
	}
	if exchanges >= token.MaxExchanges {
		return subjectRole.badToken("exchanges_exceeded")
	}
	return nil
}

// narrowsOwn reports whether a client exchanges a token of its own without an actor token.
func (x *exchange) narrowsOwn() bool {
	return x.subject.own && x.actor == nil && x.subject.ClientID == x.Client.ClientID
}

// addsNoActor reports whether the new token has the actors of the subject token.
func (x *exchange) addsNoActor() bool { return x.narrowsOwn() || x.decision.Impersonate }

// applyPolicy checks that the exchange is allowed. Without a policy, and for public clients, only narrowing is.
func (x *exchange) applyPolicy(ctx context.Context) error {
	if x.Client.Public() && !x.narrowsOwn() {
		return reject(portner.UnauthorizedClient, "The client may only exchange its own tokens.", "public_client_not_allowed")
	}
	if x.cfg.Policy == nil {
		if !x.narrowsOwn() {
			return subjectRole.badToken("policy_missing")
		}
		return nil
	}
	r := &Request{
		Client: x.Client, Subject: x.subject.Token, Own: x.narrowsOwn(), MayAct: len(x.subject.grant.Delegation.MayAct) > 0 && !x.narrowsOwn(),
		Scopes: x.requested.scopes, Audience: x.requested.audience, Now: x.Now,
	}
	if x.actor != nil {
		r.Actor = &x.actor.Token
	}
	decision, err := x.cfg.Policy(ctx, r)
	if errors.Is(err, ErrRejected) {
		return subjectRole.badToken("policy_rejected")
	} else if err != nil {
		return fmt.Errorf("exchange: applying the policy: %w", err) // Policy documents that a *portner.Error is sent
	}
	if decision.Lifetime < 0 { // a difference of two instants can be negative, and only zero is "no bound"
		return errLifetime
	}
	x.decision = decision
	x.mayAct, err = x.cfg.mayAct(decision.MayAct)
	return err
}

// contents returns the contents of the new token.
func (x *exchange) contents(ctx context.Context, act json.RawMessage) (none token.Contents, err error) {
	plan, err := x.plan()
	if err != nil {
		return none, err
	}
	if plan.Pseudonymous && !x.addsNoActor() && x.actor.isPublicUser() {
		return none, actorRole.badToken("public_subject") // also if it is another user: the response tells nothing about the subject
	}
	audience, err := x.audience(ctx)
	if err != nil {
		return none, err
	}
	details, err := x.NarrowDetails(x.subject.details, x.subject.pseudonymous || x.subject.opaque)
	if err != nil {
		return none, err
	}
	end := x.end()
	if end.Unix() <= x.Now.Unix() { // expired, although the verifier of another issuer accepted it within its leeway
		return none, subjectRole.badToken("expired")
	}
	grant := x.grant(act, audience, details, end)
	grant.Pseudonymous = plan.Pseudonymous
	if len(grant.Scopes) == 0 { // the subject token is an id_token, or has no grant at this provider
		grant.Scopes = plan.Granted
	}
	return token.Contents{
		Client: x.Client, Grant: grant, Identity: x.subject.identity, Plan: plan, Resources: audience, AuthorizationDetails: details,
	}, nil
}

// grant returns the grant of the new token. It has all scopes of the subject's grant, because they determine whether it is
// pseudonymous. It ends with the subject's grant, so it has a session only if that must be live for the exchange.
func (x *exchange) grant(act json.RawMessage, audience []string, details json.RawMessage, end time.Time) storage.Grant {
	from, id := &x.subject.grant, seal.NewID()
	g := storage.Grant{
		ID: id, ClientID: x.Client.ClientID, UserKey: from.UserKey,
		Scopes: from.Scopes, Resources: audience, ACR: from.ACR, AMR: from.AMR, AuthTime: from.AuthTime, Locale: from.Locale,
		UserAgent: from.UserAgent, Delegation: x.delegation(act),
		AuthorizationDetails: x.cfg.Vault.SealDetails(details, id), CreatedAt: from.CreatedAt, ExpiresAt: end,
	}
	g.Customer = x.Client.Party(client.OnBehalfOf{})
	if x.narrowsOwn() {
		g.Customer, g.Subject = from.Customer, from.Subject
	}
	if x.subject.Type == IDToken {
		g.Customer, g.SessionID = from.Customer, from.SessionID
	}
	if !x.subject.identity.IsZero() {
		g.Identity = x.cfg.Vault.Seal(x.subject.identity, id)
		if g.UserKey == (storage.Hash{}) { // the user of a token of another issuer
			g.UserKey = x.cfg.Vault.UserKey(x.subject.identity.Subject)
		}
	}
	return g
}

// end returns the latest end of the new token: that of the presented tokens, or an earlier one.
func (x *exchange) end() time.Time {
	end := x.subject.ExpiresAt
	if x.actor != nil {
		end = earliest(end, x.actor.ExpiresAt)
	}
	for _, most := range []time.Duration{x.cfg.MaxLifetime, x.decision.Lifetime} {
		if most > 0 {
			end = earliest(end, x.Now.Add(most))
		}
	}
	return end
}
