package token

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/commit"
	"github.com/portner-go/portner/internal/seal"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
)

// Minter makes the tokens of grants, and checks grants and tokens. A grant handler receives one for its request.
// [Endpoint.Minter] returns one for other uses, which is safe for concurrent use.
type Minter struct {
	cfg      *Config
	now      time.Time                   // of the request; zero if the Minter is not of one request
	sender   sender                      // of the request; zero if the Minter is not of one request
	lookedUp map[storage.Hash]*LiveToken // by LookupSubjectToken in this request
	// unverified reports that the grant handler found the client itself, perhaps among registrations that Config.Clients does not have.
	unverified bool
}

// Contents describes the tokens that Mint issues.
type Contents struct {
	// Client is the client that receives the tokens. Required.
	Client client.Authenticated
	// Grant is the grant of the tokens. Mint sets ID, ClientID, Scopes, UserKey, Identity, CreatedAt and ExpiresAt if they
	// are zero; UserKey and Identity only if Identity below has a Subject. Grant.Subject is the sub of a token without a user: see
	// [Minter.MachineSubject].
	Grant storage.Grant
	// Identity is the user of the grant, or zero for machine grants. If Grant.Identity is set, Identity is its decrypted value.
	Identity session.Identity
	// Scopes are the scopes of the access token. Mint evaluates them for the client, unless Plan is set.
	Scopes []string
	// Plan is the evaluation of the scopes by scope.Narrow, if the grant handler called it. Plan.Granted then replaces Scopes. If
	// Plan.Granted is nil, Mint evaluates Scopes.
	Plan scope.Plan
	// Resources are the audiences of the access token, a subset of Grant.Resources (RFC 8707 §2.2).
	Resources []string
	// AuthorizationDetails are the authorization_details of the access token, decrypted: those of Grant.AuthorizationDetails, or
	// some of them.
	AuthorizationDetails json.RawMessage
	// RejectedScopes are scopes that Config.Adjust removed from Plan.Granted, for the response. Mint sets none.
	RejectedScopes []string
	// JTI is the identifier of the access token. If "", Mint makes one.
	JTI string
	// Refresh adds a refresh token.
	Refresh bool
	// IDToken adds an id_token.
	IDToken bool
	// Nonce is the claim nonce of the id_token, "" for none.
	Nonce string
}

// issuance is what one token request issues.
type issuance struct {
	Contents
	user       User
	rotated    rotation
	consentEnd time.Time // of liveGrant
	// confirmation is what the access token is bound to.
	confirmation storage.Confirmation
}

// rotation is the refresh token that replaces the presented one. The zero value makes a new family.
type rotation struct {
	value      string // its text; "" for a new random token
	generation int
	from       time.Time // start of its idle lifetime
}

// commitTimeout is the largest duration of a commit. A commit goes on if the peer disconnects.
const commitTimeout = 5 * time.Second

// maxCollisions is how many times Mint makes identifiers anew that exist already.
const maxCollisions = 3

// Mint makes and signs the tokens of c, calls commit to store them, and returns the token response. It is for grant handlers.
//
// Before that it checks the grant as CheckGrant does. If the grant has ended, Mint returns a *portner.Error with invalid_grant that
// wraps storage.ErrRevoked.
//
// commit must consume the code, assertion or token of the request and insert the issuance, in one step. If commit returns
// storage.ErrConflict, a random identifier exists already: Mint makes new tokens and calls commit again, at most three times in all.
// If commit returns another error, Mint returns no tokens and an error that wraps it. The context of commit is not cancelled when the
// peer disconnects; it ends after 5 s.
func (m *Minter) Mint(ctx context.Context, c Contents, commit func(context.Context, *storage.Issuance) error) (*Response, error) {
	in := issuance{Contents: c}
	now := m.instant()
	if err := m.complete(&in, now); err != nil {
		return nil, err
	}
	known := in.Client.Client
	if m.unverified {
		known = nil // check finds it
	}
	live, err := m.check(ctx, &in.Grant, known, now)
	if reason, is := ended(err); is {
		return nil, &portner.Error{
			Code: portner.InvalidGrant, Description: "The grant has ended.",
			Err: errors.Join(&cause{Event: portner.EventRefused, Reason: reason, GrantID: in.Grant.ID}, err),
		}
	} else if err != nil {
		return nil, err
	}
	in.user, in.consentEnd = live.user, live.consentEnd
	return m.issue(ctx, &in, now, commit)
}

// instant returns the time of the request, or the time now.
func (m *Minter) instant() time.Time {
	if m.now.IsZero() {
		return m.cfg.Now()
	}
	return m.now
}

// complete sets the fields of Contents that the grant handler left zero.
func (m *Minter) complete(in *issuance, now time.Time) error {
	if in.Client.Client == nil {
		return errors.New("token: Contents.Client is required")
	}
	g := &in.Grant
	if g.ID == "" {
		g.ID = seal.NewID()
	}
	if g.ClientID == "" {
		g.ClientID = in.Client.ClientID
	}
	if len(g.Scopes) == 0 {
		g.Scopes = in.Scopes
	}
	if g.CreatedAt.IsZero() {
		g.CreatedAt = now
	}
	if g.Identity == nil && in.Identity.Subject != "" {
		if m.cfg.Vault == nil {
			return errors.New("token: Contents.Identity requires Config.Vault")
		}
		g.UserKey, g.Identity = m.cfg.Vault.UserKey(in.Identity.Subject), m.cfg.Vault.Seal(in.Identity, g.ID)
	}
	if g.Customer == "" && g.UserKey != (storage.Hash{}) {
		g.Customer = in.Client.Party(client.OnBehalfOf{})
	}
	if in.Plan.Granted != nil {
		g.Pseudonymous = g.Pseudonymous || in.Plan.Pseudonymous
		return nil
	}
	var err error
	in.Plan, err = m.narrow(in.Scopes, g, in.Client.Client)
	if errors.Is(err, scope.ErrNotGranted) || errors.Is(err, scope.ErrNothingLeft) {
		return refuse(portner.InvalidScope, "A scope may not be used by the client.", "scope_not_allowed")
	}
	g.Pseudonymous = g.Pseudonymous || in.Plan.Pseudonymous
	return err
}

// issue makes the tokens and commits them.
func (m *Minter) issue(ctx context.Context, in *issuance, now time.Time, commit func(context.Context, *storage.Issuance) error) (*Response, error) {
	if err := m.admit(in.Client.Client); err != nil {
		return nil, err
	}
	in.confirmation = m.confirmation(in.Client.Client)
	if in.confirmation == (storage.Confirmation{}) && m.exchangesBound() {
		return nil, m.cfg.unconstrained()
	}
	if in.Refresh && in.rotated.value == "" && in.Client.Public() { // RFC 9449 §5, RFC 8705 §4
		in.Grant.Confirmation = in.confirmation
	}
	if err := m.adjust(ctx, in); err != nil {
		return nil, err
	}
	for range maxCollisions {
		record, res, err := m.prepare(ctx, in, now)
		if err != nil {
			return nil, err
		}
		if err := ctx.Err(); err != nil {
			return nil, unavailable("the peer disconnected", err)
		}
		if err := m.consume(ctx, in.Client.Client); err != nil {
			return nil, err
		}
		err = runToEnd(ctx, func(ctx context.Context) error { return commit(ctx, record) })
		if err == nil {
			return res, nil
		}
		if !errors.Is(err, storage.ErrConflict) {
			return nil, unavailable("committing", err)
		}
	}
	return nil, fmt.Errorf("token: %w: %w", portner.ErrUnavailable, errCollision)
}

// errCollision reports that new random identifiers existed already, several times in a row.
var errCollision = errors.New("random identifiers collide")

// runToEnd runs one state change to its end, even if the peer disconnects.
func runToEnd(ctx context.Context, change func(context.Context) error) error {
	commitCtx := commit.New(ctx, commitTimeout)
	defer commitCtx.Cancel()
	return change(commitCtx)
}

// prepare makes and signs the tokens. It stores nothing.
func (m *Minter) prepare(ctx context.Context, in *issuance, now time.Time) (*storage.Issuance, *Response, error) {
	grant, lives := &in.Grant, m.lifetimes(in.Client.Client)
	if grant.ExpiresAt.IsZero() {
		grant.ExpiresAt = now.Add(lives.Authorization)
	}
	if !in.consentEnd.IsZero() && in.consentEnd.Before(grant.ExpiresAt) {
		grant.ExpiresAt = in.consentEnd // no token is promised longer than the consent it rests on
	}
	if grant.ExpiresAt.Unix() <= now.Unix() { // less than a second is left, and claims have whole seconds
		return nil, nil, invalidGrant(portner.EventRefused, "grant_expired", "")
	}
	f, err := m.facts(in.Client.Client, grant, &in.Identity, in.user, now)
	if err != nil {
		return nil, nil, err
	}
	f.details, f.clientAMR, f.confirmation = in.AuthorizationDetails, in.Client.AMR, in.confirmation
	record := &storage.Issuance{Grant: *grant}
	res := &Response{
		TokenType: tokenType(in.confirmation), Scope: strings.Join(in.Plan.Granted, " "), GrantID: grant.ID,
		RejectedScope:        strings.Join(in.RejectedScopes, " "),
		AuthorizationDetails: m.clientDetails(&f, in.Plan.TokenType == scope.Opaque),
	}
	if err := m.mintAccessToken(ctx, in, &f, lives.AccessToken, record, res); err != nil {
		return nil, nil, err
	}
	if in.IDToken {
		if res.IDToken, err = m.mintIDToken(ctx, in, &f, record.Access.Hash); err != nil {
			return nil, nil, err
		}
	}
	if in.Refresh {
		mintRefreshToken(in, lives.RefreshToken, now, record, res)
		if m.cfg.Form.RTExpiresIn {
			res.RTExpiresIn, res.RefreshTokenExpiresIn = res.RefreshTokenExpiresIn, 0
		}
	}
	return record, res, nil
}

// mintAccessToken adds the access token, opaque or self-contained.
func (m *Minter) mintAccessToken(ctx context.Context, in *issuance, f *facts, lifetime time.Duration, record *storage.Issuance, res *Response) error {
	// Claims have whole seconds: the record expires at the same instant as the claim.
	end := time.Unix(scope.Expiry(f.now, lifetime, in.Plan.AccessTokenMaxAge, in.Grant.ExpiresAt).Unix(), 0).UTC()
	t := &record.Access
	*t = storage.AccessToken{
		GrantID: in.Grant.ID, JTI: in.JTI, Opaque: in.Plan.TokenType == scope.Opaque,
		Scopes: in.Plan.Granted, Audience: joinAudiences(in.Resources, in.Plan.Audience), ClientAMR: f.clientAMR,
		AuthorizationDetails: m.sealDetails(f.details, in.Grant.ID), Confirmation: in.confirmation, IssuedAt: f.now, ExpiresAt: end,
	}
	if t.JTI == "" {
		t.JTI = seal.NewID()
	}
	if err := m.defaultAudience(ctx, in, t); err != nil {
		return err
	}
	if err := m.checkAudience(ctx, t.Audience); err != nil {
		return err
	}
	res.ExpiresIn = end.Unix() - f.now.Unix()
	if t.Opaque {
		res.AccessToken = seal.NewToken()
	} else {
		claims := m.accessTokenClaims(t, f)
		claims.ScopeArray = m.cfg.Form.ScopeArray
		out := newObject()
		claims.write(out) // through encode they would escape to the heap
		var err error
		if res.AccessToken, err = m.sign(ctx, AccessToken, out, f, t.Scopes); err != nil {
			return err
		}
	}
	t.Hash = storage.HashOf(res.AccessToken)
	return nil
}

// defaultAudience sets the audience of Config.DefaultAudience, unless the request or a scope has named one.
func (m *Minter) defaultAudience(ctx context.Context, in *issuance, t *storage.AccessToken) error {
	if m.cfg.DefaultAudience == nil || len(t.Audience) > 0 {
		return nil
	}
	c := in.Contents // a copy: the function must not see the one of the caller
	audience, err := m.cfg.DefaultAudience(ctx, &c)
	if err != nil && portner.IsFault(err) {
		return unavailable("finding the default audience", err)
	}
	t.Audience = slices.Clone(audience)
	return err
}

// checkAudience rejects a client as audience of an access token, wherever it comes from: a grant handler, an exchanged token of another
// issuer, a scope, or a grant that is older than the client. The issuer is the default audience of RFC 9068 tokens.
func (m *Minter) checkAudience(ctx context.Context, audience []string) error {
	for _, aud := range audience {
		if aud == m.cfg.Issuer {
			continue
		}
		ok, err := m.IsAPI(ctx, aud)
		if err == nil && !ok {
			err = refuse(portner.InvalidTarget, "An audience of the access token is not a resource server.", "audience_not_api")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// mintIDToken returns the id_token that is issued with the access token that has the hash.
func (m *Minter) mintIDToken(ctx context.Context, in *issuance, f *facts, access storage.Hash) (string, error) {
	if f.sub == "" {
		return "", fmt.Errorf("token: cannot issue an id_token: grant %s has no subject", in.Grant.ID)
	}
	claims := m.idTokenClaims(in, f, access)
	out := newObject()
	claims.write(out)
	return m.sign(ctx, IDToken, out, f, in.Plan.Granted)
}

// mintRefreshToken adds the refresh token. Its idle lifetime starts anew; the expiry of the grant stays.
func mintRefreshToken(in *issuance, idle time.Duration, now time.Time, record *storage.Issuance, res *Response) {
	res.RefreshToken = in.rotated.value
	from := in.rotated.from
	if res.RefreshToken == "" {
		res.RefreshToken, from = seal.NewToken(), now
	}
	end := scope.Expiry(from, idle, 0, in.Grant.ExpiresAt)
	res.RefreshTokenExpiresIn = end.Unix() - now.Unix()
	record.Refresh = &storage.RefreshToken{
		Hash: storage.HashOf(res.RefreshToken), GrantID: in.Grant.ID, Generation: in.rotated.generation, ExpiresAt: end,
	}
}

func (m *Minter) lifetimes(c *client.Client) client.Lifetimes {
	d := &m.cfg.Lifetimes
	return c.Lifetimes(client.Lifetimes{AccessToken: d.AccessToken, RefreshToken: d.RefreshToken, Authorization: d.Authorization})
}

// sign adds the claims of the functions to the object that out begins, signs the result, and frees out.
func (m *Minter) sign(ctx context.Context, k Kind, out *buffer, f *facts, scopes []string) (string, error) {
	if err := out.finish(); err != nil {
		return "", err
	}
	defer out.free()
	if err := m.addClaims(ctx, out, k, f, scopes); err != nil {
		return "", err
	}
	alg, typ := f.client.IDTokenSignedResponseAlg, ""
	if k == AccessToken {
		if !m.cfg.UntypedAccessTokens {
			typ = m.cfg.AccessTokenType
		}
		if f.client.AccessTokenSignedResponseAlg != "" {
			alg = f.client.AccessTokenSignedResponseAlg
		}
	}
	token, err := m.cfg.Keys.Sign(alg, typ, out.bytes(), f.now)
	if err != nil {
		return "", unavailable("signing", err)
	}
	return token, nil
}
