package compat

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/exchange"
	"github.com/portner-go/portner/internal/httpx"
	"github.com/portner-go/portner/internal/jose"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/token"
)

const (
	exchangeGrant = exchange.GrantType
	passwordGrant = "password"
)

// grants returns the handlers of the grant types beside authorization_code and refresh_token.
func (is *issuer) grants() []token.GrantHandler {
	all := []token.GrantHandler{
		{Type: client.ClientCredentials, Handle: is.machine},
		{Type: client.JWTBearer, Handle: is.onBehalfOf},
		{Type: exchangeGrant, Handle: is.exchange},
	}
	if is.server.on[PasswordGrant] {
		all = append(all, token.GrantHandler{Type: passwordGrant, Handle: is.password})
	}
	return all
}

// insert returns the commit function of new grants.
func (is *issuer) insert(now time.Time) func(context.Context, *storage.Issuance) error {
	return func(ctx context.Context, i *storage.Issuance) error { return is.store.InsertGrant(ctx, i, now) }
}

// requestedScopes returns the scopes that a request names.
func requestedScopes(r *token.Request) ([]string, error) {
	text := r.Form.Get("scope")
	if text == "" {
		return nil, nil
	}
	names, err := scope.Parse(text)
	if err != nil {
		return nil, refuse(portner.InvalidScope, "The parameter scope is malformed.", "scope_malformed")
	}
	return names, nil
}

// machinePlan evaluates the scopes of a request for the client itself.
func (is *issuer) machinePlan(names []string, c *client.Client) (scope.Plan, error) {
	plan, err := scope.EvaluateMachine(names, c.ScopeClient(), is.scopes)
	if _, refused := errors.AsType[*scope.RefusedError](err); refused || err == nil && len(plan.Granted) == 0 {
		return plan, refuse(portner.InvalidScope, "The client may not use the scope, or has no scope of an API.", "scope_not_allowed")
	}
	return plan, err
}

// machine handles client_credentials (RFC 6749 §4.4). It differs from token.ClientCredentials in the sub and acr that a mapping may set.
func (is *issuer) machine(ctx context.Context, r *token.Request, m *token.Minter) (*token.Response, error) {
	c := r.Client.Client
	if c.Public() {
		return nil, refuse(portner.UnauthorizedClient, "The grant type is for clients that authenticate.", "public_client_not_allowed")
	}
	names, err := requestedScopes(r)
	if err != nil {
		return nil, err
	}
	plan, err := is.machinePlan(names, c)
	if err != nil {
		return nil, err
	}
	resources, err := is.resources(ctx, r, m)
	if err != nil {
		return nil, err
	}
	add := is.resolve(formOf(ctx), c.ClientID, nil)
	return m.Mint(ctx, token.Contents{
		Client: r.Client, Plan: plan, Resources: resources, Grant: storage.Grant{
			Scopes: plan.Granted, Resources: resources, Subject: cmp.Or(add.subject, m.MachineSubject(c)), ACR: add.acr, AMR: add.amr,
			ExpiresAt: r.Now.Add(is.expiry),
		},
	}, is.insert(r.Now))
}

// formOf returns the form of the request.
func formOf(ctx context.Context) map[string][]string {
	if r := requestOf(ctx); r != nil {
		return r.form
	}
	return nil
}

// resources returns the requested resources (RFC 8707 §2).
func (is *issuer) resources(ctx context.Context, r *token.Request, m *token.Minter) ([]string, error) {
	all := r.Form.All("resource")
	for _, res := range all {
		ok, err := m.IsAPI(ctx, res)
		if err != nil {
			return nil, err
		}
		if !ok || !client.IsResource(is.url, res) {
			return nil, refuse(portner.InvalidTarget, "A resource must be an absolute URI without fragment, and not the provider or a client.", "resource_malformed")
		}
	}
	return all, nil
}

// onBehalfOf handles urn:ietf:params:oauth:grant-type:jwt-bearer: a client exchanges an access token that it received for one of another API.
func (is *issuer) onBehalfOf(ctx context.Context, r *token.Request, m *token.Minter) (*token.Response, error) {
	return is.derive(ctx, r, m, "assertion")
}

// exchange handles the token exchange of RFC 8693 for an access token of any issuer of this process.
func (is *issuer) exchange(ctx context.Context, r *token.Request, m *token.Minter) (*token.Response, error) {
	f := r.Form
	switch typ := f.Get("subject_token_type"); {
	case typ != exchange.AccessToken && typ != exchange.JWT:
		return nil, refuse(portner.InvalidRequest, "The subject_token_type must be that of an access token or a JWT.", "subject_token_type_unsupported")
	case f.Has("actor_token"):
		return nil, refuse(portner.InvalidRequest, "The parameter actor_token is not supported.", "actor_token_unsupported")
	case f.Has("requested_token_type") && f.Get("requested_token_type") != exchange.AccessToken:
		return nil, refuse(portner.InvalidRequest, "The requested_token_type is not supported.", "requested_token_type_unsupported")
	}
	res, err := is.derive(ctx, r, m, "subject_token")
	if err == nil {
		res.IssuedTokenType = exchange.AccessToken
	}
	return res, err
}

// derive issues a token for the user or machine of a presented token.
func (is *issuer) derive(ctx context.Context, r *token.Request, m *token.Minter, parameter string) (*token.Response, error) {
	if r.Client.Public() {
		return nil, refuse(portner.UnauthorizedClient, "The grant type is for clients that authenticate.", "public_client_not_allowed")
	}
	from, err := is.presented(ctx, m, r.Client.Client, r.Form.Get(parameter), parameter, r.Now)
	if err != nil {
		return nil, err
	}
	names, err := is.derivedScopes(r, from)
	if err != nil {
		return nil, err
	}
	in := requestOf(ctx)
	in.derived, in.base = true, from.claims
	if in.audience, err = is.targets(r); err != nil {
		return nil, err
	}
	grant := storage.Grant{
		Scopes: names, ACR: from.grant.ACR, AMR: from.grant.AMR, AuthTime: from.grant.AuthTime, Locale: from.grant.Locale,
		Delegation: storage.Delegation{Subject: from.hash}, ExpiresAt: earlier(from.end, r.Now.Add(is.expiry)),
	}
	if from.identity.IsZero() {
		grant.Subject = from.subject
	}
	res, err := m.Mint(ctx, token.Contents{Client: r.Client, Identity: from.identity, Scopes: names, Grant: grant}, is.insert(r.Now))
	if errors.Is(err, storage.ErrRevoked) {
		return nil, unknownToken(parameter)
	}
	return res, err
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// derivedScopes returns the requested scopes, or those of the presented token that the client may have, or those of APIs that it may have. Mint
// checks them.
func (is *issuer) derivedScopes(r *token.Request, from *presented) ([]string, error) {
	names, err := requestedScopes(r)
	if err != nil || names != nil {
		return names, err
	}
	may := r.Client.RegisteredScopes()
	if names = slices.DeleteFunc(slices.Clone(from.scopes), func(s string) bool { return !slices.Contains(may, s) }); len(names) > 0 {
		return names, nil
	}
	plan, err := is.machinePlan(nil, r.Client.Client)
	return plan.Granted, err
}

// targets returns the requested audience: resource and audience, which must be those of the configuration. It returns nil for none.
func (is *issuer) targets(r *token.Request) ([]string, error) {
	var all []string
	for _, target := range slices.Concat(r.Form.All("resource"), r.Form.All("audience")) {
		if !is.server.on[AnyAudience] && !slices.Contains(is.server.plan.audiences, target) && !is.maps(target) {
			return nil, refuse(portner.InvalidTarget, "The audience is not one of the configuration.", "target_not_granted")
		}
		all = append(all, target)
	}
	return all, nil
}

// maps reports whether a mapping of the issuer has an audience.
func (is *issuer) maps(audience string) bool {
	return slices.ContainsFunc(is.mappings, func(m mapping) bool { return slices.Contains(texts(m.claims["aud"]), audience) })
}

// presented is a presented token that was verified.
type presented struct {
	identity session.Identity
	subject  string // of a machine
	grant    storage.Grant
	scopes   []string
	claims   map[string]any
	hash     storage.Hash // of a token of the same issuer
	end      time.Time
}

// isFor reports whether a client may present a token of its issuer: it received the token for itself, or as the API that the token is for.
func isFor(live *token.LiveToken, c *client.Client) bool {
	return live.Grant.ClientID == c.ClientID || slices.ContainsFunc(live.Token.Audience, func(aud string) bool {
		return aud == c.ClientID || slices.Contains(c.Resources, aud)
	})
}

// presented finds the record of an access token that a client presents, of any issuer of this process: its grant, client and user are checked, and
// it is live. One of the same issuer must be for the client.
func (is *issuer) presented(ctx context.Context, m *token.Minter, c *client.Client, text, parameter string, now time.Time) (*presented, error) {
	if text == "" {
		return nil, refuse(portner.InvalidRequest, "The parameter "+parameter+" is missing.", parameter+"_missing")
	}
	minter, of := m, is
	if iss := jose.Peek(text, httpx.MaxBody, "iss"); iss != "" && iss != is.url {
		if other := is.server.issuerOf(iss); other != nil {
			minter, of = other.provider.Token.Minter(), other
		}
	}
	live, err := minter.LookupSubjectToken(ctx, text, now)
	switch {
	case err == nil:
	case errors.Is(err, storage.ErrNotFound) && is.server.on[UnverifiedAssertion]:
		return unverified(text, parameter, now)
	case errors.Is(err, storage.ErrNotFound), errors.Is(err, storage.ErrRevoked):
		return nil, unknownToken(parameter)
	default:
		return nil, err
	}
	if of == is && !is.server.on[AnyAudience] && !isFor(live, c) {
		return nil, refuse(portner.InvalidGrant, "The "+parameter+" was not issued to the client, and is not for an API of the client.", parameter+"_not_for_client")
	}
	p := &presented{
		identity: live.Identity, subject: live.Grant.Subject, grant: live.Grant, scopes: live.Token.Scopes, claims: of.known.find(live.Grant.ID),
		end: earlier(live.Token.ExpiresAt, live.Grant.ExpiresAt),
	}
	if of == is {
		p.hash = live.Token.Hash
	}
	return p, nil
}

func unknownToken(parameter string) *portner.Error {
	return refuse(portner.InvalidGrant, "The "+parameter+" is not a live access token of an issuer of this server.", parameter+"_unknown")
}

// unverified reads a JWT whose signature is not verified, for the switch unverified-assertions. It needs a sub and must not have expired.
func unverified(text, parameter string, now time.Time) (*presented, error) {
	object, err := jose.PeekPayload(text, httpx.MaxBody)
	if err != nil {
		return nil, unknownToken(parameter)
	}
	sub, err := object.String("sub")
	exp, err2 := object.NumericDate("exp")
	end := time.Unix(exp, 0)
	if err != nil || err2 != nil || sub == "" || !now.Before(end) {
		return nil, unknownToken(parameter)
	}
	p := &presented{identity: session.Identity{Subject: sub, Attributes: map[string]string{attrUsername: sub}}, claims: map[string]any{}, end: end}
	p.grant.ACR, _ = object.OptionalString("acr")
	names, _ := object.OptionalString("scope")
	p.scopes, _ = scope.Parse(names)
	for _, name := range object.Names() {
		if _, reserved := refusedClaims[name]; reserved || slices.Contains(ownClaims, name) {
			continue
		}
		var value any
		if raw, ok := object.Raw(name); ok && json.Unmarshal([]byte(raw), &value) == nil {
			p.claims[name] = value
		}
	}
	return p, nil
}

// ownClaims are claims that a mapping may set and that the new token has for itself.
var ownClaims = []string{"sub", "aud", "acr", "amr", "client_id", "azp"}

// password handles the password grant (RFC 6749 §4.3), for the switch password-grant. The password is not compared: there are no users.
func (is *issuer) password(ctx context.Context, r *token.Request, m *token.Minter) (*token.Response, error) {
	name := r.Form.Get("username")
	if r.Client.Public() || !validUsername(name, r.Client.ClientID) || !r.Form.Has("password") {
		return nil, refuse(portner.InvalidGrant, "The username or password is missing or malformed.", "user_not_allowed")
	}
	names, err := requestedScopes(r)
	if err != nil {
		return nil, err
	}
	if names == nil {
		names = []string{scope.OpenID}
	}
	id := session.Identity{Subject: name, Attributes: map[string]string{attrUsername: name}}
	add := is.resolve(formOf(ctx), r.Client.ClientID, &id)
	id.Subject = cmp.Or(add.subject, name)
	return m.Mint(ctx, token.Contents{
		Client: r.Client, Identity: id, Scopes: names, IDToken: slices.Contains(names, scope.OpenID),
		Grant: storage.Grant{Scopes: names, ACR: add.acr, AMR: add.amr, AuthTime: r.Now, ExpiresAt: r.Now.Add(is.expiry)},
	}, is.insert(r.Now))
}
