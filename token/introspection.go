package token

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/httpx"
	"github.com/portner-go/portner/internal/seal"
	"github.com/portner-go/portner/pseudonym"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
)

// Introspection is the handler of the introspection endpoint (RFC 7662), ID-porten's tokeninfo (idporten
// section 10): POST, for clients that authenticate. It is not open to browsers.
func (e *Endpoint) Introspection() http.Handler { return e.stored(e.introspect) }

// inactive is every negative answer, byte for byte (security row H3).
var inactive = []byte(`{"active":false}`)

func (e *Endpoint) introspect(w http.ResponseWriter, r *http.Request) {
	x := e.begin(w, r, "introspection")
	defer x.rescue()
	req, ok := x.post(false)
	if !ok {
		return
	}
	doc, err := e.tell(r.Context(), x, req)
	switch {
	case err != nil:
		x.fail(err)
	case doc == nil:
		httpx.WriteJSON(w, http.StatusOK, inactive)
	default:
		defer doc.free()
		httpx.WriteJSON(w, http.StatusOK, doc.bytes())
	}
}

// tell answers what a token says; nil is inactive.
func (e *Endpoint) tell(ctx context.Context, x *exchange, r client.Request) (*document, error) {
	c, err := x.authenticate(r)
	if err != nil {
		return nil, err
	}
	if c.Public() {
		return nil, &portner.Error{Code: portner.InvalidClient, Description: "The client must authenticate."}
	}
	token := r.Form.Get("token")
	if token == "" {
		return nil, refuse(portner.InvalidRequest, "The parameter token is missing.", "token_missing")
	}
	if len(token) > maxToken {
		return nil, nil
	}
	q := introspection{Endpoint: e, x: x, caller: pseudonym.Resolver{
		ClientID: c.ClientID, Orgno: c.ClientOrgno, Authenticated: true,
		Introspects: slices.Contains(c.RegisteredScopes(), scope.Introspection),
	}}
	hash := storage.HashOf(token)
	access, grant, err := e.cfg.Store.AccessToken(ctx, hash, x.now)
	switch {
	case err == nil:
		return q.access(ctx, &access, &grant)
	case !gone(err):
		return nil, unavailable("reading the access token", err)
	case seal.TokenShaped(token):
		return q.refresh(ctx, hash)
	}
	return nil, nil
}

// introspection is one question about a token.
type introspection struct {
	*Endpoint
	x      *exchange
	caller pseudonym.Resolver
}

// accessAnswer is what an access token says: all its claims, and what idporten section 10.3 adds.
type accessAnswer struct {
	Active    bool   `json:"active"`
	TokenType string `json:"token_type"`
	ExpiresIn int64  `json:"expires_in"`
	accessToken
}

func (q *introspection) access(ctx context.Context, t *storage.AccessToken, g *storage.Grant) (*document, error) {
	scopes := q.tokenScopes(t.Scopes)
	if !pseudonym.MayIntrospect(q.caller, g.ClientID, scopes) {
		q.denied(g.ID)
		return nil, nil
	}
	if !q.x.now.Before(t.ExpiresAt) || !q.x.now.Before(g.ExpiresAt) {
		return nil, nil
	}
	c, ok, err := q.x.findClient(ctx, g.ClientID)
	if err != nil || !ok {
		return nil, err
	}
	id, stands, err := q.stands(ctx, g)
	if err != nil || !stands {
		return nil, err
	}
	return q.encode(c, t, g, q.about(c, t, g, &id))
}

// stands opens the person behind a grant and reports whether the grant still holds.
func (q *introspection) stands(ctx context.Context, g *storage.Grant) (session.Identity, bool, error) {
	id, err := q.minter.identity(g)
	if err != nil {
		return id, false, err
	}
	_, err = q.minter.standing(ctx, g, &id, q.x.now)
	if _, yes := takenBack(err); yes {
		return id, false, nil
	}
	return id, err == nil, err
}

// about is the person as this caller may know them: the API behind a pseudonymous or opaque token learns
// here, and nowhere else, who it is (idporten sections 10.3, 13.1). The whole grant's scopes decide, so
// that a narrower token tells no more (security row H4).
func (q *introspection) about(c *client.Client, t *storage.AccessToken, g *storage.Grant, id *session.Identity) person {
	p := q.minter.person(c, g, id)
	method := pseudonym.Decide(pseudonym.Request{
		Scope: p.pseudonymous, Opaque: t.Opaque,
		OpenID: slices.Contains(g.Scopes, scope.OpenID), Profile: slices.Contains(g.Scopes, scope.Profile),
	})
	p.pseudonymous = !pseudonym.MayReadPID(method, q.caller, g.ClientID, q.tokenScopes(g.Scopes))
	return p
}

func (q *introspection) encode(c *client.Client, t *storage.AccessToken, g *storage.Grant, p person) (*document, error) {
	var err error
	if p.details, err = q.minter.openDetails(t.AuthorizationDetails, g.ID); err != nil {
		return nil, fmt.Errorf("token: grant %s: %w", g.ID, err)
	}
	a := accessAnswer{
		Active: true, TokenType: "Bearer", ExpiresIn: t.ExpiresAt.Unix() - q.x.now.Unix(),
		accessToken: accessTokenClaims(q.cfg.Issuer, c, g, t, p),
	}
	if p.claims.IDPorten {
		a.ClientOrgno = c.ClientOrgno
	}
	doc, err := encode(&a)
	if err != nil {
		return nil, err
	}
	if err := p.checkLeak(doc.bytes()); err != nil {
		doc.free()
		return nil, err
	}
	return doc, nil
}

// tokenScopes are the scopes of a token that belong to somebody's API.
func (q *introspection) tokenScopes(names []string) []pseudonym.TokenScope {
	scopes := make([]pseudonym.TokenScope, 0, len(names))
	for _, name := range names {
		if scope.Reserved(name) {
			continue
		}
		var t pseudonym.TokenScope
		if s := q.cfg.Scopes.Scope(name); s != nil {
			t = pseudonym.TokenScope{OwnerOrgno: s.OwnerOrgno, Listed: s.EnforcedAudForIntrospection}
		}
		scopes = append(scopes, t)
	}
	return scopes
}

func (q *introspection) denied(grantID string) {
	q.x.event(portner.EventIntrospectionDenied, "not_entitled", grantID)
}

// refreshAnswer is what a refresh token says to the client that holds it.
type refreshAnswer struct {
	Active    bool   `json:"active"`
	Iss       string `json:"iss"`
	ClientID  string `json:"client_id"`
	Scope     string `json:"scope"`
	Exp       int64  `json:"exp"`
	ExpiresIn int64  `json:"expires_in"`
}

// refresh answers about a refresh token: for anyone but its own client it is inactive (security row H3).
func (q *introspection) refresh(ctx context.Context, hash storage.Hash) (*document, error) {
	t, g, err := q.cfg.Store.RefreshToken(ctx, hash, q.x.now)
	switch {
	case gone(err), errors.Is(err, storage.ErrConsumed):
		return nil, nil
	case err != nil:
		return nil, unavailable("reading the refresh token", err)
	}
	if !pseudonym.MayIntrospect(q.caller, g.ClientID, nil) { // no scope: nobody but the client itself
		q.denied(g.ID)
		return nil, nil
	}
	end := t.ExpiresAt
	if g.ExpiresAt.Before(end) {
		end = g.ExpiresAt
	}
	if !q.x.now.Before(end) {
		return nil, nil
	}
	if _, stands, err := q.stands(ctx, &g); err != nil || !stands {
		return nil, err
	}
	return encode(&refreshAnswer{
		Active: true, Iss: q.cfg.Issuer, ClientID: g.ClientID, Scope: strings.Join(g.Scopes, " "),
		Exp: end.Unix(), ExpiresIn: end.Unix() - q.x.now.Unix(),
	})
}
