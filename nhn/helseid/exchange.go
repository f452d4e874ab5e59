package helseid

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/seal"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/token"
)

const (
	grantExchange = "urn:ietf:params:oauth:grant-type:token-exchange"
	typeAccess    = "urn:ietf:params:oauth:token-type:access_token"
)

// TokenExchange returns the grant handler of token exchange (RFC 8693, utviklerportal.nhn.no: Token exchange): an API that received an
// access token obtains one for another API. Unlike package exchange it issues scopes that the subject token does not have: those that the
// API registered. User and organisation are those of the subject token, the key is that of the API, and act names the API.
//
// The API authenticates and proves its own key. That of the subject token cannot be proved again by the API; see docs/spec/helseid.md.
func (s *Service) TokenExchange(store token.GrantStore) token.GrantHandler {
	g := token.GrantHandler{Type: grantExchange}
	if store != nil { // New reports a missing Handle
		g.Handle = func(ctx context.Context, r *token.Request, m *token.Minter) (*token.Response, error) {
			return (&exchange{Service: s, Request: r, minter: m, store: store}).handle(ctx)
		}
	}
	return g
}

// exchange is the state of one exchange.
type exchange struct {
	*Service
	*token.Request
	minter  *token.Minter
	store   token.GrantStore
	subject *token.LiveToken
}

func (x *exchange) handle(ctx context.Context) (*token.Response, error) {
	scopes, err := x.readForm()
	if err != nil {
		return nil, err
	}
	if err := x.findSubject(ctx); err != nil {
		return nil, err
	}
	details, first, err := x.organisations(ctx)
	if err != nil {
		return nil, err
	}
	act, err := x.actor(first)
	if err != nil {
		return nil, err
	}
	g := &x.subject.Grant
	res, err := x.minter.Mint(ctx, token.Contents{
		Client: x.Client, Identity: x.subject.Identity, Scopes: scopes, Resources: x.Form.All("resource"), AuthorizationDetails: details,
		Grant: storage.Grant{
			ID: seal.NewID(), Scopes: scopes, Resources: x.Form.All("resource"), ACR: g.ACR, AMR: g.AMR, AuthTime: g.AuthTime, SID: g.SID, Locale: g.Locale,
			Delegation: storage.Delegation{Actor: act, Subject: x.subject.Token.Hash}, CreatedAt: x.Now, ExpiresAt: x.end(),
		},
	}, func(ctx context.Context, i *storage.Issuance) error { return x.store.InsertGrant(ctx, i, x.Now) })
	if errors.Is(err, storage.ErrRevoked) {
		return nil, refuse(portner.InvalidRequest, "The subject_token is not valid.", "subject_token_invalid")
	} else if err != nil {
		return nil, err
	}
	res.IssuedTokenType = typeAccess
	return res, nil
}

// readForm reads the form and returns the requested scopes.
func (x *exchange) readForm() ([]string, error) {
	f := x.Form
	switch {
	case !f.Has("subject_token") || f.Get("subject_token_type") != typeAccess:
		return nil, refuse(portner.InvalidRequest, "The parameters subject_token and subject_token_type, an access token, are required.", "subject_token_missing")
	case f.Has("requested_token_type") && f.Get("requested_token_type") != typeAccess:
		return nil, refuse(portner.InvalidRequest, "The requested_token_type is not supported.", "requested_token_type_unsupported")
	case f.Has("actor_token"):
		return nil, refuse(portner.InvalidRequest, "The parameter actor_token is not supported: the actor is the client.", "actor_token_unsupported")
	}
	scopes, err := scope.Parse(f.Get("scope"))
	if err != nil || slices.ContainsFunc(scopes, func(name string) bool { return x.audienceOf(name) == "" }) {
		return nil, refuse(portner.InvalidScope, "The parameter scope must name scopes of APIs.", "scope_not_allowed")
	}
	return scopes, nil
}

// findSubject finds the subject token, which must be for an API of the client.
func (x *exchange) findSubject(ctx context.Context) error {
	var err error
	x.subject, err = x.minter.LookupSubjectToken(ctx, x.Form.Get("subject_token"), x.Now)
	if errors.Is(err, storage.ErrNotFound) || errors.Is(err, storage.ErrRevoked) {
		return refuse(portner.InvalidRequest, "The subject_token is not valid.", "subject_token_invalid")
	} else if err != nil {
		return err
	}
	if x.subject.Pseudonymous || x.subject.Token.Opaque { // by a scope of the host: the new token would have the claims that its client must not read
		return refuse(portner.InvalidRequest, "The subject_token does not identify the user.", "subject_token_invalid")
	}
	reg, err := x.registration(ctx, x.Client.ClientID)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(x.subject.Token.Audience, func(aud string) bool { return slices.Contains(reg.APIs, aud) }) {
		return refuse(portner.InvalidRequest, "The subject_token is not for an API of the client.", "subject_token_audience")
	}
	if x.subject.Exchanges >= token.MaxExchanges {
		return refuse(portner.InvalidRequest, "The subject_token is the result of too many exchanges.", "subject_token_invalid")
	}
	return nil
}

// organisations returns the details of the new token, which name the organisation of the subject token, and the parent organisation of
// the client.
func (x *exchange) organisations(ctx context.Context) (details json.RawMessage, parent string, err error) {
	details = x.subject.AuthorizationDetails
	own, err := x.registration(ctx, x.Client.ClientID)
	if err != nil {
		return nil, "", err
	}
	if own.Tenancy == SingleTenant {
		parent = x.Client.OrganisationNo
	}
	of, err := split(details)
	if err != nil {
		return nil, "", err
	}
	n := named{}
	if text := of[typeOrganisation]; text != nil {
		if n, err = readOrganisation(text); err != nil || n.parent != "" {
			return details, parent, err
		}
	}
	reg, err := x.registration(ctx, x.subject.Client.ClientID)
	if err != nil || reg.Tenancy != SingleTenant || len(x.subject.Grant.Delegation.Actor) > 0 {
		return details, parent, err
	}
	n.parent = x.subject.Client.OrganisationNo
	text, err := writeOrganisation(n)
	if err != nil {
		return nil, "", err
	}
	sent, err := json.Marshal([]json.RawMessage{text})
	if err != nil {
		return nil, "", err
	}
	details, err = replaced(details, sent)
	return details, parent, err
}

// actor returns the claim act: the client with its parent organisation, and the earlier actors nested in it (RFC 8693 §4.1).
func (x *exchange) actor(parent string) (json.RawMessage, error) {
	return json.Marshal(struct {
		ClientID string          `json:"client_id"`
		Parent   string          `json:"orgnr_parent,omitempty"`
		Act      json.RawMessage `json:"act,omitempty"`
	}{x.Client.ClientID, parent, x.subject.Grant.Delegation.Actor})
}

// end returns the end of the new token: that of the subject token at the latest.
func (x *exchange) end() time.Time {
	end := x.subject.Token.ExpiresAt
	if x.subject.Grant.ExpiresAt.Before(end) {
		end = x.subject.Grant.ExpiresAt
	}
	return end
}
