package maskinporten

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/audit"
	"github.com/portner-go/portner/internal/httpx"
	"github.com/portner-go/portner/internal/seal"
	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/pseudonym"
	"github.com/portner-go/portner/rar"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/token"
)

// grant is the JWT bearer grant.
type grant struct {
	cfg  Config
	keys *client.Authenticator // verifies the keys of assertions
	log  audit.Log
}

// NewGrant returns the grant urn:ietf:params:oauth:grant-type:jwt-bearer for a token endpoint that has other
// grants too. It reports all problems of the configuration at once.
//
// [Claims] adds the claims of its tokens. Put it into token.Config.Claims.
func NewGrant(cfg Config) (token.GrantHandler, error) {
	cfg, err := cfg.prepared()
	if err != nil {
		return token.GrantHandler{}, fmt.Errorf("maskinporten: %w", err)
	}
	g, err := newGrant(cfg)
	if err != nil {
		return token.GrantHandler{}, err
	}
	return g.handler(), nil
}

func newGrant(cfg Config) (*grant, error) {
	keys, err := client.NewAuthenticator(client.Config{
		Issuer: cfg.Issuer, Clients: cfg.Clients, Replay: cfg.Replay, Certificates: cfg.Certificates,
	})
	if err != nil {
		return nil, fmt.Errorf("maskinporten: %w", err)
	}
	return &grant{cfg: cfg, keys: keys, log: audit.Log{Endpoint: "token", Logger: cfg.Logger, OnEvent: cfg.OnEvent}}, nil
}

// handler returns the grant handler. The assertion authenticates the client.
func (g *grant) handler() token.GrantHandler {
	return token.GrantHandler{Type: client.JWTBearer, Unauthenticated: true, Handle: g.serve}
}

// request is one request on its way through the grant.
type request struct {
	*token.Request
	now    time.Time
	client *client.Client // who claims to have signed the assertion, and from step 7 on has
}

// serve handles a token request.
func (g *grant) serve(ctx context.Context, r *token.Request, m *token.Minter) (*token.Response, error) {
	if r.CorrelationID == "" {
		r.CorrelationID = httpx.NewCorrelationID()
	}
	res, err := g.handle(ctx, &request{Request: r, now: r.Now}, m)
	if refused, ok := errors.AsType[*refusal](err); ok {
		return nil, g.answer(refused, r.CorrelationID)
	}
	return res, err
}

// handle decides in the order of maskinporten-altinn section 1.5. The replay check is the exception: it
// consumes the assertion, so it comes after everything that can refuse it, and is one step with the
// decision to issue (security row E10).
func (g *grant) handle(ctx context.Context, x *request, m *token.Minter) (*token.Response, error) {
	assertion := x.Form.Get("assertion")
	if _, err := readHeader(assertion); err != nil {
		return nil, err
	}
	iss, err := sender(assertion)
	if err != nil {
		return nil, err
	}
	if err := g.find(ctx, x, iss); err != nil {
		return nil, err
	}
	payload, err := g.verify(ctx, x, assertion)
	if err != nil {
		return nil, err
	}
	c, err := g.readClaims(ctx, x, payload)
	if err != nil {
		return nil, err
	}
	a, err := g.authorize(ctx, x, c)
	if err != nil {
		return nil, err
	}
	details, err := g.resolveDetails(ctx, x, c, &a)
	if err != nil {
		return nil, err
	}
	return m.Mint(ctx, g.contents(x, c, &a, details), g.consume(x, c, assertion))
}

// machines are the integration types of clients that may use the grant without registering it.
var machines = []string{"maskinporten", "krr", "eformidling"}

// find takes steps 4 and 5: the client is known, active, and may use this grant.
func (g *grant) find(ctx context.Context, x *request, iss string) error {
	c, err := client.Lookup(ctx, g.cfg.Clients, iss)
	disabled := errors.Is(err, client.ErrDisabled)
	switch {
	case err == nil, disabled:
	case errors.Is(err, storage.ErrNotFound):
		return failed(mp100, portner.EventClientAuthFailed, "unknown_client")
	default:
		return err
	}
	x.client, x.Client = c, client.Authenticated{Client: c}
	switch {
	case disabled:
		return failed(mp100, portner.EventClientAuthFailed, "client_disabled")
	case !slices.Contains(machines, c.IntegrationType) && !c.HasGrant(client.JWTBearer):
		return failed(mp100, portner.EventClientAuthFailed, "grant_type_not_registered")
	case c.OrganisationNo == "":
		return failed(mp100, portner.EventBadRegistration, "client_orgno")
	}
	return nil
}

// verify takes steps 6 and 7: the key is the client's, and signed this.
func (g *grant) verify(ctx context.Context, x *request, assertion string) ([]byte, error) {
	rules := client.AssertionRules{Algorithms: algorithms, RequireKID: true}
	verified, err := g.keys.VerifyAssertion(ctx, x.client, assertion, rules, x.now)
	if len(verified.Ignored) > 0 {
		g.report(ctx, x, portner.EventAssertionHeader, verified.Ignored[0])
	}
	if err != nil {
		return nil, keyRefusal(err)
	}
	x.Client.AMR = verified.AMR
	return verified.Payload, nil
}

// resolveDetails takes step 16.
func (g *grant) resolveDetails(ctx context.Context, x *request, c *claims, a *authorization) ([]byte, error) {
	if c.details == "" {
		return nil, nil
	}
	parsed, err := g.cfg.Details.Parse([]byte(c.details))
	if err != nil {
		return nil, detailsRefusal(err)
	}
	r := rar.Request{ClientID: x.client.ClientID, Orgno: x.client.OrganisationNo, Supplier: x.client.SupplierOrgno, Now: x.now}
	if a.delegation.Source != "" {
		r.Orgno, r.Supplier = a.consumer, a.supplier
	}
	granted, err := g.cfg.Details.Grant(ctx, r, parsed, nil)
	if err != nil {
		return nil, detailsRefusal(err)
	}
	return granted, nil
}

// identityOf returns the identity with a national identity number, or the zero identity.
func identityOf(pid norway.PID) session.Identity {
	id, err := pseudonym.NewIdentifier(session.TypePID, pid.Reveal())
	if err != nil {
		return session.Identity{}
	}
	return session.Identity{Identifiers: []pseudonym.Identifier{id}}
}

// contents is the token of section 1.7: always self-contained (Q20), with an audience only if one was asked
// for (Q1).
func (g *grant) contents(x *request, c *claims, a *authorization, details []byte) token.Contents {
	in := token.Contents{
		Client: x.Client, Plan: a.plan, JTI: seal.NewToken(), Resources: c.resources, Identity: identityOf(c.pid), AuthorizationDetails: details,
		Grant: storage.Grant{
			ID: seal.NewID(), ClientID: x.client.ClientID, Scopes: a.plan.Granted, Resources: c.resources,
			Delegation: a.delegation, CreatedAt: x.now,
		},
	}
	in.Plan.TokenType = scope.SelfContained
	if seconds := x.client.AccessTokenLifetime; seconds > 0 {
		in.Grant.ExpiresAt = x.now.Add(time.Duration(seconds) * time.Second) // there is no authorization beyond the token
	}
	if g.cfg.Skyporten {
		in.Subject = norway.OrgIdentifier(cmp.Or(a.delegation.Consumer, x.client.OrganisationNo)).ID + ";" + c.scope
	}
	return in
}

// purpose keeps the jti of a grant apart from that of other JWTs the client signs for us.
const purpose = "jwt_bearer"

// consume is the state change of the grant, and the replay check: the assertion has been used. One without
// jti is known by itself (Q24).
func (g *grant) consume(x *request, c *claims, assertion string) func(context.Context, *storage.Issue) error {
	id := "jti\x00" + c.jti
	if c.jti == "" {
		id = "jwt\x00" + assertion
	}
	key := storage.HashOf(g.cfg.Issuer + "\x00" + x.client.ClientID + "\x00" + purpose + "\x00" + id)
	return func(ctx context.Context, _ *storage.Issue) error {
		err := g.cfg.Replay.ConsumeJTI(ctx, key, c.exp.Add(skew), x.now)
		if errors.Is(err, storage.ErrConsumed) {
			return failed(mp012, portner.EventAssertionReplay, "assertion_replay")
		}
		return err
	}
}

// report tells of something that refuses nothing.
func (g *grant) report(ctx context.Context, x *request, name portner.EventName, reason string) {
	g.log.Emit(ctx, portner.Event{
		Name: name, Time: x.now, CorrelationID: x.CorrelationID, ClientID: x.client.ClientID, Reason: reason,
	})
}
