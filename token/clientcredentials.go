package token

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/storage"
)

// ClientCredentials returns the grant handler of client_credentials (RFC 6749 §4.4), for Config.GrantHandlers. A confidential client
// that registers the grant type receives an access token for itself. The response has no refresh token and no id_token, and the sub
// of the token is that of Config.MachineSubject.
//
// The parameter scope names scopes of the registration. Without it, the token has every registered scope of an API. Scopes that concern a
// user or need a consent or a login are rejected. The parameter resource becomes the audience (RFC 8707).
// If store is nil, New rejects the handler.
func ClientCredentials(store GrantStore) GrantHandler {
	g := GrantHandler{Type: client.ClientCredentials}
	if store != nil { // New reports a missing Handle
		g.Handle = func(ctx context.Context, r *Request, m *Minter) (*Response, error) {
			return machineToken(ctx, r, m, store)
		}
	}
	return g
}

// machineToken handles grant_type=client_credentials.
func machineToken(ctx context.Context, r *Request, m *Minter, store GrantStore) (*Response, error) {
	c := r.Client.Client
	if c.Public() {
		return nil, refuse(portner.UnauthorizedClient, "The grant type is for clients that authenticate.", "public_client_not_allowed")
	}
	plan, err := machinePlan(r, m.cfg.Scopes)
	if err != nil {
		return nil, err
	}
	audience, err := m.requestedAPIs(ctx, r.Form.All("resource"))
	if err != nil {
		return nil, err
	}
	in := Contents{Client: r.Client, Plan: plan, Resources: audience, Grant: storage.Grant{
		Scopes: plan.Granted, Resources: audience, Subject: m.MachineSubject(c),
		ExpiresAt: scope.Expiry(r.Now, m.lifetimes(c).AccessToken, plan.AccessTokenMaxAge, time.Time{}), // it ends with its only token
	}}
	return m.Mint(ctx, in, func(ctx context.Context, i *storage.Issuance) error {
		return store.InsertGrant(ctx, i, r.Now)
	})
}

// requestedAPIs returns the resources of a request (RFC 8707 §2), none of which is the provider or a client.
func (m *Minter) requestedAPIs(ctx context.Context, resources []string) ([]string, error) {
	malformed := refuse(portner.InvalidTarget, "At most five resources may be requested, each an absolute URI without fragment, and not the provider or a client.", "resource_malformed")
	if len(resources) > maxResources {
		return nil, malformed
	}
	var apis []string
	for _, res := range resources {
		ok, err := m.IsAPI(ctx, res)
		switch {
		case err != nil:
			return nil, err
		case !ok, !client.IsResource(m.cfg.Issuer, res):
			return nil, malformed
		case !slices.Contains(apis, res):
			apis = append(apis, res)
		}
	}
	return apis, nil
}

// machinePlan evaluates the scopes of a request without a user.
func machinePlan(r *Request, scopes scope.Source) (scope.Plan, error) {
	var names []string
	if text := r.Form.Get("scope"); text != "" {
		var err error
		if names, err = scope.Parse(text); err != nil {
			return scope.Plan{}, refuse(portner.InvalidScope, "The parameter scope is malformed.", "scope_malformed")
		}
	}
	plan, err := scope.EvaluateMachine(names, r.Client.ScopeClient(), scopes)
	if e, refused := errors.AsType[*scope.RefusedError](err); refused {
		if e.Refusals[0].Reason == scope.UserRequired {
			return plan, refuse(portner.InvalidScope, "A scope is for tokens of users only.", "user_required")
		}
		return plan, refuse(portner.InvalidScope, "A scope may not be used by the client.", "scope_not_allowed")
	}
	if err == nil && len(plan.Granted) == 0 {
		err = refuse(portner.InvalidScope, "The client has no scope that it may use without a user.", "scope_missing")
	}
	return plan, err
}

// MachineSubject returns the sub of an access token without a user for a client, as Config.MachineSubject says; "" for none. Grant
// handlers set Contents.Grant.Subject to it.
func (m *Minter) MachineSubject(c *client.Client) string {
	if m.cfg.MachineSubject == subjectClientID {
		return c.ClientID
	}
	return ""
}

// subjectClientID is the value of Config.MachineSubject for RFC 9068 §2.2.
const subjectClientID = "client_id"
