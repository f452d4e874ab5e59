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
func (e *Endpoint) tell(ctx context.Context, x *exchange, r client.Request) (*buffer, error) {
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
		ClientID: c.ClientID, Orgno: c.OrganisationNo, Authenticated: true,
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

func (q *introspection) access(ctx context.Context, t *storage.AccessToken, g *storage.Grant) (*buffer, error) {
	if !pseudonym.MayIntrospect(q.caller, g.ClientID, q.tokenScopes(t.Scopes)) {
		q.denied(g.ID)
		return nil, nil
	}
	if !q.x.now.Before(t.ExpiresAt) {
		return nil, nil
	}
	live, err := q.x.minter.check(ctx, g, nil, q.x.now)
	if _, is := ended(err); is {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	f, err := q.facts(t, g, &live)
	if err != nil {
		return nil, err
	}
	return q.encode(ctx, t, &f)
}

// facts returns what this caller may know. The API of a pseudonymous or opaque token receives the identity here only. The scopes
// of the whole grant decide, so that a token with fewer scopes does not disclose more.
func (q *introspection) facts(t *storage.AccessToken, g *storage.Grant, live *liveGrant) (facts, error) {
	f, err := q.x.minter.facts(live.client, g, &live.identity, live.user, q.x.now)
	if err != nil {
		return f, err
	}
	protection := Protection(q.cfg.Scopes, g, t.Opaque)
	f.pseudonymous = !pseudonym.MayReadPID(protection, q.caller, g.ClientID, q.tokenScopes(g.Scopes))
	f.clientAMR = t.ClientAMR
	if f.details, err = q.x.minter.openDetails(t.AuthorizationDetails, g.ID); err != nil {
		return f, fmt.Errorf("token: grant %s: %w", g.ID, err)
	}
	return f, nil
}

func (q *introspection) encode(ctx context.Context, t *storage.AccessToken, f *facts) (*buffer, error) {
	out, err := encode(&accessAnswer{
		Active: true, TokenType: "Bearer", ExpiresIn: t.ExpiresAt.Unix() - q.x.now.Unix(),
		accessToken: q.x.minter.accessTokenClaims(t, f),
	})
	if err != nil {
		return nil, err
	}
	if err := q.x.minter.addClaims(ctx, out, Introspection, f, t.Scopes); err != nil {
		out.free()
		return nil, err
	}
	return out, nil
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
func (q *introspection) refresh(ctx context.Context, hash storage.Hash) (*buffer, error) {
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
	if err := q.x.minter.CheckGrant(ctx, &g, q.x.now); err != nil {
		if _, is := ended(err); is {
			return nil, nil
		}
		return nil, err
	}
	return encode(&refreshAnswer{
		Active: true, Iss: q.cfg.Issuer, ClientID: g.ClientID, Scope: strings.Join(g.Scopes, " "),
		Exp: end.Unix(), ExpiresIn: end.Unix() - q.x.now.Unix(),
	})
}
