package token

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/seal"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
)

// Minter makes the tokens of grants. It is safe for concurrent use.
type Minter struct{ cfg *Config }

// Issuance is what a grant type decided to issue. Nothing has been consumed or stored for it yet.
type Issuance struct {
	// Client gets the tokens.
	Client client.Authenticated
	// Grant is the authorization they belong to, under an ID of its own. Its ExpiresAt bounds every token;
	// zero is the client's or the default authorization lifetime from now.
	Grant storage.Grant
	// Identity is Grant.Identity, opened; zero for machine grants, whose tokens have no sub.
	Identity session.Identity
	// Subject is the sub of machine tokens, where receivers cannot do without one; "" for none.
	Subject string
	// Plan is the evaluation of the access token's scopes: Granted are its scopes, and TokenType,
	// Audience and AccessTokenMaxAge hold.
	Plan scope.Plan
	// Resources are the access token's audiences, of Grant.Resources (RFC 8707 section 2.2).
	Resources []string
	// AuthorizationDetails are those of the tokens, in clear: what Grant.AuthorizationDetails holds, or
	// some of it. nil: none.
	AuthorizationDetails json.RawMessage

	// IDToken adds an id_token.
	IDToken bool
	// Nonce is that of the authorization request, "" for none.
	Nonce string
	// Refresh says which refresh token goes with it; nil is none.
	Refresh *Refresh
}

// Refresh is the refresh token of an [Issuance].
type Refresh struct {
	// Value is renewed in place (refresh_token_usage REUSE); "" is a new one.
	Value string
	// Generation is the new token's place in its family.
	Generation int
}

// commitTimeout bounds a commit that a disconnected client no longer waits for (security row J5).
const commitTimeout = 5 * time.Second

// maxCollisions is how often an identifier that exists already is drawn again (security row J2).
const maxCollisions = 3

// Issue prepares, then commits: it makes and signs all tokens and then calls commit once, which is the
// store verb that consumes what was presented and inserts the issue. If commit fails the tokens are
// thrown away and its error comes back, wrapped: storage verdicts are found with errors.Is, a
// *portner.Error is the answer, anything else is a fault of the store. commit runs to its end even if the peer has gone.
func (m *Minter) Issue(ctx context.Context, in *Issuance, now time.Time, commit func(context.Context, *storage.Issue) error) (*Response, error) {
	for range maxCollisions {
		issue, res, err := m.prepare(in, now)
		if err != nil {
			return nil, err
		}
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("token: the peer has gone: %w: %w", portner.ErrUnavailable, err)
		}
		err = Commit(ctx, func(ctx context.Context) error { return commit(ctx, issue) })
		if err == nil {
			return res, nil
		}
		if !errors.Is(err, storage.ErrConflict) {
			return nil, unavailable("committing", err)
		}
	}
	return nil, fmt.Errorf("token: %w: %w", portner.ErrUnavailable, errCollision)
}

// errCollision says that random identifiers existed already, again and again: the store or the random
// source is broken.
var errCollision = errors.New("random identifiers collide")

// Commit runs one state change to its end, whether or not the peer still waits: a code is consumed with
// all that was issued for it, or not at all (security row J5).
func Commit(ctx context.Context, change func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
	defer cancel()
	return change(ctx)
}

// prepare makes everything and stores nothing.
func (m *Minter) prepare(in *Issuance, now time.Time) (*storage.Issue, *Response, error) {
	grant, lives := &in.Grant, m.lifetimes(in.Client.Client)
	if grant.ExpiresAt.IsZero() {
		grant.ExpiresAt = now.Add(lives.Authorization)
	}
	if grant.ExpiresAt.Unix() <= now.Unix() {
		return nil, nil, errAuthorizationEnded
	}
	p := m.person(in.Client.Client, grant, &in.Identity)
	p.details = in.AuthorizationDetails
	if p.claims.Machine {
		p.sub = in.Subject
	}
	issue := &storage.Issue{Grant: *grant}
	res := &Response{
		TokenType: "Bearer", Scope: strings.Join(in.Plan.Granted, " "), GrantID: grant.ID,
		AuthorizationDetails: p.toldClient(grant, in.Plan.TokenType == scope.Opaque),
	}
	if err := m.accessToken(in, p, lives.AccessToken, now, issue, res); err != nil {
		return nil, nil, err
	}
	if in.IDToken {
		idToken, err := m.idToken(in, p, now)
		if err != nil {
			return nil, nil, err
		}
		res.IDToken = idToken
	}
	if in.Refresh != nil {
		refreshToken(in, lives.RefreshToken, now, issue, res)
	}
	return issue, res, nil
}

// person is who the tokens speak of, and what may be said.
type person struct {
	claims       Claims
	sub          string
	id           *session.Identity
	details      json.RawMessage // what they granted
	pseudonymous bool
}

func (m *Minter) person(c *client.Client, g *storage.Grant, id *session.Identity) person {
	p := person{claims: m.cfg.Claims(c), id: id, pseudonymous: m.pseudonymous(g)}
	// A person somebody only named, with no grant of theirs, has not logged in (maskinporten-altinn section 2).
	if g.Identity != nil && !p.claims.Machine {
		p.sub, _ = m.cfg.Pairwise.Subject(c.ClientID, id.PairwiseIdentifier()) // "" for the zero identity
	}
	return p
}

// accessToken adds the access token of either kind (idporten section 7.1).
func (m *Minter) accessToken(in *Issuance, p person, lifetime time.Duration, now time.Time, issue *storage.Issue, res *Response) error {
	// Tokens tell time in whole seconds: the record ends with the claim (idporten section 7.5).
	end := time.Unix(scope.Expiry(now, lifetime, in.Plan.AccessTokenMaxAge, in.Grant.ExpiresAt).Unix(), 0).UTC()
	issue.Access = storage.AccessToken{
		GrantID: in.Grant.ID, JTI: p.newJTI(), Opaque: in.Plan.TokenType == scope.Opaque,
		Scopes: in.Plan.Granted, Audience: audience(in.Resources, in.Plan.Audience), ClientAMR: in.Client.AMR,
		AuthorizationDetails: m.sealDetails(p.details, in.Grant.ID), IssuedAt: now, ExpiresAt: end,
	}
	res.ExpiresIn = end.Unix() - now.Unix()
	if issue.Access.Opaque {
		res.AccessToken = seal.NewToken()
	} else {
		claims := accessTokenClaims(m.cfg.Issuer, in.Client.Client, &in.Grant, &issue.Access, p)
		token, err := m.sign(accessTokenAlg(in.Client.Client), p.claims.AccessTokenType, &claims, p, now)
		if err != nil {
			return err
		}
		res.AccessToken = token
	}
	issue.Access.Hash = storage.HashOf(res.AccessToken)
	return nil
}

// newJTI is 128 random bits, or as long as Maskinporten's.
func (p *person) newJTI() string {
	if p.claims.Machine {
		return seal.NewToken()
	}
	return seal.NewID()
}

func (m *Minter) idToken(in *Issuance, p person, now time.Time) (string, error) {
	if p.sub == "" {
		return "", fmt.Errorf("token: grant %s: an id_token speaks of a person, and there is none", in.Grant.ID)
	}
	claims := idTokenClaims(m.cfg.Issuer, in, p, seal.NewID(), now, m.cfg.Lifetimes.IDToken)
	return m.sign(in.Client.IDTokenSignedResponseAlg, "", &claims, p, now)
}

// refreshToken adds the refresh token. Its idle time starts anew; the grant's end stays.
func refreshToken(in *Issuance, idle time.Duration, now time.Time, issue *storage.Issue, res *Response) {
	res.RefreshToken = in.Refresh.Value
	if res.RefreshToken == "" {
		res.RefreshToken = seal.NewToken()
	}
	end := scope.Expiry(now, idle, 0, in.Grant.ExpiresAt)
	res.RefreshTokenExpiresIn = end.Unix() - now.Unix()
	issue.Refresh = &storage.RefreshToken{
		Hash: storage.HashOf(res.RefreshToken), GrantID: in.Grant.ID, Generation: in.Refresh.Generation,
		ExpiresAt: end,
	}
}

func (m *Minter) lifetimes(c *client.Client) client.Lifetimes {
	d := &m.cfg.Lifetimes
	return c.Lifetimes(client.Lifetimes{AccessToken: d.AccessToken, RefreshToken: d.RefreshToken, Authorization: d.Authorization})
}

// sign signs claims, unless they would tell who a pseudonymous person is.
func (m *Minter) sign(alg, typ string, claims any, p person, now time.Time) (string, error) {
	doc, err := encode(claims)
	if err != nil {
		return "", err
	}
	defer doc.free()
	if err := p.checkLeak(doc.bytes()); err != nil {
		return "", err
	}
	token, err := m.cfg.Keys.Sign(alg, typ, doc.bytes(), now)
	if err != nil {
		return "", fmt.Errorf("token: signing: %w: %w", portner.ErrUnavailable, err)
	}
	return token, nil
}

func accessTokenAlg(c *client.Client) string {
	if c.AccessTokenSignedResponseAlg != "" {
		return c.AccessTokenSignedResponseAlg
	}
	return c.IDTokenSignedResponseAlg
}

// errAuthorizationEnded: less than a second is left, which no token can tell.
var errAuthorizationEnded = invalidGrant(portner.EventRefused, "authorization_ended", "")
