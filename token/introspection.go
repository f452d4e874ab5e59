package token

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/seal"
	"github.com/portner-go/portner/pseudonym"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/storage"
)

// inactive is the response for every token that is not active or that the caller may not introspect.
var inactive = []byte(`{"active":false}`)

// Introspect decides an introspection request (RFC 7662). The client must authenticate; public clients are rejected. The response is signed if
// the field Accept names application/token-introspection+jwt, or if the client is registered with introspection_signed_response_alg (RFC
// 9701). Introspect requires Config.Store.
func (e *Endpoint) Introspect(ctx context.Context, r client.Request) (*Claims, error) {
	x := e.begin(nameIntrospection, r)
	out, err := x.introspect(ctx)
	if err != nil {
		return nil, x.reject(ctx, err)
	}
	if out == nil {
		return &Claims{JSON: bytes.Clone(inactive)}, nil
	}
	defer out.free()
	if x.signed {
		return &Claims{Active: x.active, JWT: string(out.bytes())}, nil
	}
	return &Claims{Active: true, JSON: bytes.Clone(out.bytes())}, nil
}

// introspect returns the response, or nil if the token is not active and the response is not signed.
func (x *exchange) introspect(ctx context.Context) (out *buffer, err error) {
	defer x.rescue(&err)
	out, err = x.introspectToken(ctx)
	if err != nil || !x.signed {
		return out, err
	}
	x.active = out != nil
	return x.signIntrospection(out)
}

// introspectToken returns the claims of an active token, or nil if the token is not active.
func (x *exchange) introspectToken(ctx context.Context) (out *buffer, err error) {
	if err := x.requireMethod("POST"); err != nil {
		return nil, err
	}
	c, err := x.authenticate(ctx)
	if err != nil {
		return nil, err
	}
	if c.Public() {
		return nil, &portner.Error{Code: portner.InvalidClient, Description: "The client must authenticate."}
	}
	if x.signed, err = x.signsIntrospection(c.Client); err != nil {
		return nil, err
	}
	token := x.request.Form.Get("token")
	if token == "" {
		return nil, refuse(portner.InvalidRequest, "The parameter token is missing.", "token_missing")
	}
	if len(token) > maxToken {
		return nil, nil
	}
	q := introspection{exchange: x, caller: pseudonym.Resolver{
		ClientID: c.ClientID, Orgno: c.OrganisationNo, Authenticated: true, Introspects: c.Introspects(), Resources: c.Resources,
	}}
	hash := storage.HashOf(token)
	access, grant, err := x.minter.accessToken(ctx, hash, x.now)
	switch {
	case err == nil:
		return q.accessToken(ctx, &access, &grant)
	case gone(err) && seal.TokenShaped(token):
		return q.refreshToken(ctx, hash)
	case gone(err):
		return nil, nil
	}
	return nil, err
}

// introspection is the introspection of one token.
type introspection struct {
	*exchange
	caller pseudonym.Resolver
}

// accessResponse holds the claims of an access token and the members of RFC 7662 §2.2.
type accessResponse struct {
	TokenType string
	ExpiresIn int64
	accessToken
}

func (r *accessResponse) write(b *buffer) {
	writeActive(b)
	b.text("token_type", r.TokenType)
	b.number("expires_in", r.ExpiresIn)
	r.accessToken.write(b)
}

// writeActive writes the member active of a live token.
func writeActive(b *buffer) {
	b.name("active")
	b.buf = append(b.buf, "true"...)
}

func (q *introspection) accessToken(ctx context.Context, t *storage.AccessToken, g *storage.Grant) (*buffer, error) {
	about := pseudonym.Token{ClientID: g.ClientID, Audience: t.Audience, Scopes: q.tokenScopes(t.Scopes)}
	if !pseudonym.MayIntrospect(q.caller, about) {
		q.denied(ctx, g.ID)
		return nil, nil
	}
	live, err := q.minter.check(ctx, g, nil, q.now)
	if _, is := ended(err); is {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	about.Granted, about.Organisations = q.tokenScopes(g.Scopes), organisations(live.client, g)
	about.Exchanged = live.exchanges > 0 || g.Delegation.Actor != nil
	f, err := q.facts(t, g, &live, &about)
	if err != nil {
		return nil, err
	}
	visible := *t
	if visible.Scopes = q.visible(t.Scopes, &about); len(visible.Scopes) < len(t.Scopes) && t.Opaque {
		f.details = nil // they may be for the APIs of others
	}
	return q.encode(ctx, &visible, &f)
}

// organisations returns the numbers of the organisations that the client of a grant acts for or belongs to.
func organisations(c *client.Client, g *storage.Grant) []string {
	all := []string{c.OrganisationNo, c.SupplierOrgno, g.Delegation.Consumer, g.Delegation.Supplier}
	if customer, ok := c.CustomerOf(g.Customer); ok && customer.Orgno != "" {
		all = append(all, customer.Orgno)
	}
	return all
}

// visible returns the scopes of a token that the caller may see. Reserved scopes belong to no API.
func (q *introspection) visible(scopes []string, about *pseudonym.Token) []string {
	if q.caller.ClientID == about.ClientID {
		return scopes
	}
	return slices.DeleteFunc(slices.Clone(scopes), func(name string) bool {
		return !scope.Reserved(name) && !pseudonym.MaySeeScope(q.caller, *about, q.tokenScope(name))
	})
}

// facts returns the facts that the caller may receive. A resource server receives the identity of the user of a pseudonymous or
// opaque token from introspection only.
func (q *introspection) facts(t *storage.AccessToken, g *storage.Grant, live *liveGrant, about *pseudonym.Token) (facts, error) {
	f, err := q.minter.facts(live.client, g, &live.identity, live.user, q.now)
	if err != nil {
		return f, err
	}
	if q.mayIdentify(t, g, about) {
		f.pseudonymous = false // sub is that of the token
	} else {
		f.withhold()
	}
	f.clientAMR, f.confirmation = t.ClientAMR, t.Confirmation
	if f.details, err = q.minter.openDetails(t.AuthorizationDetails, g.ID); err != nil {
		return f, fmt.Errorf("token: grant %s: %w", g.ID, err)
	}
	return f, nil
}

// mayIdentify reports whether the caller may learn the identity of the user: by the scopes of the token and of the grant, so that a token
// with fewer scopes does not disclose more. A self-contained token that is not pseudonymous identifies the user itself.
func (q *introspection) mayIdentify(t *storage.AccessToken, g *storage.Grant, about *pseudonym.Token) bool {
	protection := Protection(q.cfg.Scopes, g, t.Opaque)
	return protection == pseudonym.Open && !t.Opaque || pseudonym.MayReadPID(protection, q.caller, *about)
}

func (q *introspection) encode(ctx context.Context, t *storage.AccessToken, f *facts) (*buffer, error) {
	out, err := encode(&accessResponse{
		TokenType: tokenType(t.Confirmation), ExpiresIn: t.ExpiresAt.Unix() - q.now.Unix(),
		accessToken: q.minter.accessTokenClaims(t, f),
	})
	if err != nil {
		return nil, err
	}
	if err := q.minter.addClaims(ctx, out, Introspection, f, t.Scopes); err != nil {
		out.free()
		return nil, err
	}
	return out, nil
}

// tokenScopes returns the records of the scopes that belong to an API.
func (q *introspection) tokenScopes(names []string) []pseudonym.TokenScope {
	scopes := make([]pseudonym.TokenScope, 0, len(names))
	for _, name := range names {
		if !scope.Reserved(name) {
			scopes = append(scopes, q.tokenScope(name))
		}
	}
	return scopes
}

func (q *introspection) tokenScope(name string) pseudonym.TokenScope {
	s := q.cfg.Scopes.Scope(name)
	if s == nil {
		return pseudonym.TokenScope{}
	}
	return pseudonym.TokenScope{
		OwnerOrgno: s.OwnerOrgno, Listed: s.EnforcedAudForIntrospection,
		Opaque: s.TokenType == scope.Opaque, Pseudonymous: s.RequiresPseudonymousTokens,
	}
}

func (q *introspection) denied(ctx context.Context, grantID string) {
	q.event(ctx, portner.EventIntrospectionDenied, "caller_not_entitled", grantID)
}

// refreshResponse holds the claims of a refresh token.
type refreshResponse struct {
	Iss       string
	ClientID  string
	Scopes    []string
	Exp       int64
	ExpiresIn int64
}

func (r *refreshResponse) write(b *buffer) {
	writeActive(b)
	b.text("iss", r.Iss)
	b.text("client_id", r.ClientID)
	b.text("scope", strings.Join(r.Scopes, " "))
	b.number("exp", r.Exp)
	b.number("expires_in", r.ExpiresIn)
}

// refreshToken returns the claims of a refresh token to its client. For other clients it is inactive.
func (q *introspection) refreshToken(ctx context.Context, hash storage.Hash) (*buffer, error) {
	t, g, err := q.cfg.Store.RefreshToken(ctx, hash, q.now)
	switch {
	case gone(err), errors.Is(err, storage.ErrConsumed):
		return nil, nil
	case err != nil:
		return nil, unavailable("reading the refresh token", err)
	}
	if q.caller.ClientID != g.ClientID {
		q.denied(ctx, g.ID)
		return nil, nil
	}
	end := t.ExpiresAt
	if g.ExpiresAt.Before(end) {
		end = g.ExpiresAt
	}
	if !q.now.Before(end) {
		return nil, nil
	}
	if err := q.minter.CheckGrant(ctx, &g, q.now); err != nil {
		if _, is := ended(err); is {
			return nil, nil
		}
		return nil, err
	}
	return encode(&refreshResponse{
		Iss: q.cfg.Issuer, ClientID: g.ClientID, Scopes: g.Scopes,
		Exp: end.Unix(), ExpiresIn: end.Unix() - q.now.Unix(),
	})
}
