package exchange

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/seal"
	"github.com/portner-go/portner/rar"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/token"
)

// exchanging is one token request.
type exchanging struct {
	*token.Request
	cfg     *Config
	minter  *token.Minter
	subject *party
	actor   *party // nil: the client itself acts, or nobody
	asked   asked
	verdict Decision
}

// handle handles a token request.
func (g *Grant) handle(ctx context.Context, r *token.Request, m *token.Minter) (*token.Response, error) {
	x := &exchanging{Request: r, cfg: &g.cfg, minter: m}
	if err := x.present(ctx); err != nil {
		return nil, err
	}
	act, err := x.chain()
	if err != nil {
		return nil, err
	}
	if err := x.decide(ctx); err != nil {
		return nil, err
	}
	if x.silent() {
		act = x.subject.grant.Delegation.Actor
	}
	c, err := x.contents(ctx, act)
	if err != nil {
		return nil, err
	}
	res, err := m.Mint(ctx, c, func(ctx context.Context, issue *storage.Issue) error {
		return g.cfg.Store.InsertGrant(ctx, issue, r.Now)
	})
	if errors.Is(err, storage.ErrRevoked) { // the user of an id_token or of a token of another issuer
		return nil, subjectRole.badToken("person")
	} else if err != nil {
		return nil, err
	}
	res.IssuedTokenType = AccessToken
	return res, nil
}

// present reads the form and verifies the tokens in it (RFC 8693 section 2.1).
func (x *exchanging) present(ctx context.Context) error {
	f := x.Form
	switch {
	case f.Get("requested_token_type") != "" && f.Get("requested_token_type") != AccessToken:
		return malformed("The requested_token_type is not supported.", "requested_token_type")
	case !f.Has("subject_token"), !f.Has("subject_token_type"):
		return malformed("The parameters subject_token and subject_token_type are required.", "subject_token_missing")
	case f.Has("actor_token") != f.Has("actor_token_type"):
		return malformed("The parameters actor_token and actor_token_type belong together.", "actor_token_type")
	}
	var err error
	if x.asked, err = readAsked(f, x.cfg.Issuer); err != nil {
		return err
	}
	if x.subject, err = x.read(ctx, presentation{subjectRole, f.Get("subject_token"), f.Get("subject_token_type")}); err != nil {
		return err
	}
	if x.subject.exchanges >= token.MaxExchanges {
		return subjectRole.badToken("exchanged_too_often")
	}
	if f.Has("actor_token") {
		x.actor, err = x.read(ctx, presentation{actorRole, f.Get("actor_token"), f.Get("actor_token_type")})
	}
	return err
}

// self reports that a client narrows a token of its own.
func (x *exchanging) self() bool {
	return x.subject.own && x.actor == nil && x.subject.ClientID == x.Client.ClientID
}

// silent reports that nobody new acts.
func (x *exchanging) silent() bool { return x.self() || x.verdict.Impersonate }

// decide asks the policy. Without one a client can narrow its own tokens; a client that nobody
// authenticated can never do more.
func (x *exchanging) decide(ctx context.Context) error {
	if x.Client.Public() && !x.self() {
		return refuse(portner.UnauthorizedClient, "The client may only exchange its own tokens.", "public_client")
	}
	if x.cfg.Policy == nil {
		if !x.self() {
			return subjectRole.badToken("no_policy")
		}
		return nil
	}
	r := &Request{
		Client: x.Client, Subject: x.subject.Token, Own: x.self(), Named: len(x.subject.grant.Delegation.MayAct) > 0 && !x.self(),
		Scopes: x.asked.scopes, Audience: x.asked.audience, Now: x.Now,
	}
	if x.actor != nil {
		r.Actor = &x.actor.Token
	}
	verdict, err := x.cfg.Policy(ctx, r)
	if errors.Is(err, ErrRefused) {
		return subjectRole.badToken("policy")
	} else if err != nil {
		if _, ok := errors.AsType[*portner.Error](err); ok {
			return err
		}
		return fmt.Errorf("exchange: asking the policy: %w", err)
	}
	x.verdict = verdict
	return nil
}

// contents is the new token, before it is made.
func (x *exchanging) contents(ctx context.Context, act json.RawMessage) (none token.Contents, err error) {
	plan, err := x.plan()
	if err != nil {
		return none, err
	}
	audience, err := x.audience(ctx)
	if err != nil {
		return none, err
	}
	details, err := x.details()
	if err != nil {
		return none, err
	}
	end := x.end()
	if end.Unix() <= x.Now.Unix() { // the leeway that a verifier allows is no life
		return none, subjectRole.badToken("expired")
	}
	grant := x.grant(act, audience, details, end)
	grant.Pseudonymous = plan.Pseudonymous
	if len(grant.Scopes) == 0 { // of a token that is not ours only what is granted here counts
		grant.Scopes = plan.Granted
	}
	return token.Contents{
		Client: x.Client, Grant: grant, Identity: x.subject.identity, Plan: plan, Resources: audience, AuthorizationDetails: details,
	}, nil
}

// grant is the grant of the new token. It keeps all scopes of the subject's, for on them depends how
// private the person is (security row H4). It is in no session of its own: whatever ends the subject's grant
// ends it.
func (x *exchanging) grant(act json.RawMessage, audience []string, details json.RawMessage, end time.Time) storage.Grant {
	from, id := &x.subject.grant, seal.NewID()
	g := storage.Grant{
		ID: id, ClientID: x.Client.ClientID, UserKey: from.UserKey,
		Scopes: from.Scopes, Resources: audience, ACR: from.ACR, AMR: from.AMR, AuthTime: from.AuthTime, Locale: from.Locale,
		UserAgent: from.UserAgent, Delegation: x.delegation(act),
		AuthorizationDetails: x.cfg.Vault.SealDetails(details, id), CreatedAt: from.CreatedAt, ExpiresAt: end,
	}
	if x.self() {
		g.OnBehalfOf = from.OnBehalfOf
	}
	if !x.subject.identity.IsZero() {
		g.UserKey, g.Identity = x.cfg.Vault.UserKey(x.subject.identity.Subject), x.cfg.Vault.Seal(x.subject.identity, id)
	}
	return g
}

// details are the subject's authorization_details, or those of them the request names (RFC 9396 section 6).
func (x *exchanging) details() (json.RawMessage, error) {
	if !x.Form.Has("authorization_details") {
		return x.subject.details, nil
	}
	if x.subject.pseudonymous || x.subject.opaque { // a guess would be answered (security row H3)
		return nil, refuse(portner.InvalidAuthorizationDetails, "The authorization_details were not granted.", "details_hidden")
	}
	narrowed, err := rar.Narrow([]byte(x.Form.Get("authorization_details")), x.subject.details)
	switch {
	case errors.Is(err, rar.ErrMalformed):
		return nil, refuse(portner.InvalidAuthorizationDetails, "The parameter authorization_details is malformed.", "details_malformed")
	case errors.Is(err, rar.ErrNotGranted):
		return nil, refuse(portner.InvalidAuthorizationDetails, "The authorization_details were not granted.", "details_escalation")
	}
	return narrowed, err
}

// end is when the new token ends at the latest: with the tokens that were presented, or earlier.
func (x *exchanging) end() time.Time {
	end := x.subject.ExpiresAt
	if x.actor != nil {
		end = earliest(end, x.actor.ExpiresAt)
	}
	for _, most := range []time.Duration{x.cfg.MaxLifetime, x.verdict.Lifetime} {
		if most > 0 {
			end = earliest(end, x.Now.Add(most))
		}
	}
	return end
}
