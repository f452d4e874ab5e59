package maskinporten

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/audit"
	"github.com/portner-go/portner/internal/fields"
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

// grant handles urn:ietf:params:oauth:grant-type:jwt-bearer.
type grant struct {
	cfg        Config
	assertions *client.Authenticator
	log        audit.Log
}

// NewGrantHandler returns the grant handler of urn:ietf:params:oauth:grant-type:jwt-bearer, for a token endpoint with further grants.
// It reports every problem of the configuration at once, as FieldErrors.
//
// [Claims] adds the claims of its tokens. Put it into provider.Config.Claims or token.Config.Claims, after the claims of the profile.
func NewGrantHandler(cfg Config) (token.GrantHandler, error) {
	g, err := newGrant(cfg, func(*Config, *fields.Checker) {})
	if err != nil {
		return token.GrantHandler{}, err
	}
	return g.handler(), nil
}

// newGrant validates the configuration, with further checks of the caller.
func newGrant(cfg Config, further func(*Config, *fields.Checker)) (*grant, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("maskinporten: %w", err)
	}
	var f fields.Checker
	cfg.check(&f)
	further(&cfg, &f)
	if err := f.Err(); err != nil {
		return nil, fmt.Errorf("maskinporten: %w", err)
	}
	assertions, err := client.NewAuthenticator(client.Config{
		Issuer: cfg.Issuer, Clients: cfg.Clients, Replay: cfg.Replay, Certificates: cfg.Certificates,
	})
	if err != nil {
		return nil, fmt.Errorf("maskinporten: %w", err)
	}
	return &grant{cfg: cfg, assertions: assertions, log: audit.Log{Endpoint: "token", Logger: cfg.Logger, OnEvent: cfg.OnEvent}}, nil
}

// handler returns the grant handler. The assertion authenticates the client.
func (g *grant) handler() token.GrantHandler {
	return token.GrantHandler{Type: client.JWTBearer, Unauthenticated: true, Handle: g.handle}
}

// exchange is the state of one token request.
type exchange struct {
	*grant
	*token.Request
	client *client.Client // the client that iss names; authenticated after verify
}

// handle decides a token request.
func (g *grant) handle(ctx context.Context, r *token.Request, m *token.Minter) (*token.Response, error) {
	if r.CorrelationID == "" {
		r.CorrelationID = httpx.NewCorrelationID()
	}
	x := &exchange{grant: g, Request: r}
	res, err := x.issue(ctx, m)
	if rejected, ok := errors.AsType[*rejection](err); ok {
		return nil, x.protocolError(rejected)
	}
	return res, err
}

// issue decides in the order of docs/spec/maskinporten.md §1.5, except for the replay check: it consumes the assertion, so it
// is one step with the issuance, after every check that can fail (docs/threat-model.md E10).
func (x *exchange) issue(ctx context.Context, m *token.Minter) (*token.Response, error) {
	assertion := x.Form.Get("assertion")
	if err := checkHeader(assertion); err != nil {
		return nil, err
	}
	iss, err := unverifiedIssuer(assertion)
	if err != nil {
		return nil, err
	}
	if err := x.findClient(ctx, iss); err != nil {
		return nil, err
	}
	payload, err := x.verify(ctx, assertion)
	if err != nil {
		return nil, err
	}
	c, err := x.readClaims(ctx, payload)
	if err != nil {
		return nil, err
	}
	a, err := x.authorize(ctx, c)
	if err != nil {
		return nil, err
	}
	details, err := x.grantDetails(ctx, c, &a)
	if err != nil {
		return nil, err
	}
	in := x.contents(c, &a, details)
	if !x.cfg.Skyporten && c.pid.IsZero() { // a token that names a person has no sub: the person has not logged in
		in.Grant.Subject = m.MachineSubject(x.client)
	}
	return m.Mint(ctx, in, x.consume(c, assertion))
}

// machineTypes are the integration types of clients that may use the grant type without registering it.
var machineTypes = []string{"maskinporten", "krr", "eformidling"}

// findClient is steps 4 and 5: the client is registered, enabled, and may use the grant type.
func (x *exchange) findClient(ctx context.Context, iss string) error {
	c, err := client.Lookup(ctx, x.cfg.Clients, iss)
	disabled := errors.Is(err, client.ErrDisabled)
	switch {
	case err == nil, disabled:
	case errors.Is(err, storage.ErrNotFound):
		return rejectClient(mp100, portner.EventClientAuthFailed, "client_unknown")
	default:
		return err
	}
	x.client, x.Client = c, client.Authenticated{Client: c}
	switch {
	case disabled:
		return rejectClient(mp100, portner.EventClientAuthFailed, "client_disabled")
	case !slices.Contains(machineTypes, c.IntegrationType) && !c.HasGrant(client.JWTBearer):
		return rejectClient(mp100, portner.EventClientAuthFailed, "grant_type_not_registered")
	case c.OrganisationNo == "":
		return rejectClient(mp100, portner.EventBadRegistration, "client_organisation_missing")
	}
	return nil
}

// verify is steps 6 and 7: the key belongs to the client and has signed the assertion, and the JWT is one for this grant. It returns
// the payload.
func (x *exchange) verify(ctx context.Context, assertion string) ([]byte, error) {
	rules := client.AssertionRules{Purpose: client.ForGrant, Algorithms: algorithms, StrictKID: true}
	verified, err := x.assertions.VerifyAssertion(ctx, x.client, assertion, rules, x.Now)
	if len(verified.Ignored) > 0 {
		x.report(ctx, portner.EventAssertionHeader, verified.Ignored[0])
	}
	if err != nil {
		return nil, assertionRejection(err)
	}
	x.Client.AMR = verified.AMR
	return verified.Payload, nil
}

// grantDetails is step 16: it returns the authorization_details of the token.
func (x *exchange) grantDetails(ctx context.Context, c *claims, a *authorization) ([]byte, error) {
	if c.details == "" {
		return nil, nil
	}
	parsed, err := x.cfg.AuthorizationDetails.Parse([]byte(c.details))
	if err != nil {
		return nil, detailsRejection(err)
	}
	r := rar.Request{ClientID: x.client.ClientID, Organisation: a.Consumer, Supplier: a.Supplier, Now: x.Now}
	granted, err := x.cfg.AuthorizationDetails.Grant(ctx, r, parsed)
	if err != nil {
		return nil, detailsRejection(err)
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

// contents returns the contents of the token. The token is self-contained, even if a scope requires opaque tokens, and has an
// audience only if the assertion has the claim resource.
func (x *exchange) contents(c *claims, a *authorization, details []byte) token.Contents {
	in := token.Contents{
		Client: x.Client, Plan: a.plan, JTI: seal.NewToken(), Resources: c.resources, Identity: identityOf(c.pid), AuthorizationDetails: details,
		Grant: storage.Grant{
			ID: seal.NewID(), ClientID: x.client.ClientID, Scopes: a.plan.Granted, Resources: c.resources,
			Delegation: a.delegation, CreatedAt: x.Now,
		},
	}
	in.Plan.TokenType = scope.SelfContained
	if seconds := x.client.AccessTokenLifetime; seconds > 0 {
		in.Grant.ExpiresAt = x.Now.Add(time.Duration(seconds) * time.Second) // the grant ends with its only token
	}
	if x.cfg.Skyporten {
		in.Grant.Subject = norway.OrgIdentifier(a.Consumer).ID + ";" + c.scope
	}
	return in
}

// purpose separates the jti of this grant from that of other JWTs of the client.
const purpose = "jwt_bearer"

// consume returns the commit function of the issuance: it stores that the assertion has been used. The whole assertion takes
// the place of a missing jti.
func (x *exchange) consume(c *claims, assertion string) func(context.Context, *storage.Issuance) error {
	id := "jti\x00" + c.jti
	if c.jti == "" {
		id = "jwt\x00" + assertion
	}
	key := storage.HashOf(x.cfg.Issuer + "\x00" + x.client.ClientID + "\x00" + purpose + "\x00" + id)
	return func(ctx context.Context, _ *storage.Issuance) error {
		err := x.cfg.Replay.ConsumeJTI(ctx, x.client.ClientID, key, c.exp.Add(skew), x.Now)
		if errors.Is(err, storage.ErrConsumed) {
			return rejectClient(mp012, portner.EventAssertionReplay, "assertion_replay")
		}
		return err
	}
}

// report emits an event for something that is accepted.
func (x *exchange) report(ctx context.Context, name portner.EventName, reason string) {
	x.log.Emit(ctx, portner.Event{
		Name: name, Time: x.Now, CorrelationID: x.CorrelationID, ClientID: x.client.ClientID, Reason: reason,
	})
}
