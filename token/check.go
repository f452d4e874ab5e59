package token

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
)

// MaxExchanges is the largest number of token exchanges that led to a token (RFC 8693), also those of actor tokens. CheckGrant loads one
// grant for each of them, and one more for each actor token.
const MaxExchanges = 8

// CheckGrant returns nil if tokens of the grant may be used at now: the grant has not expired, its client and its user are enabled, the
// client still acts for the customer of the grant, no scope requires pseudonyms that did not when the grant was made, every scope that
// requires consent has one, and the same is true of the grants of the tokens that were exchanged for it and of the actor tokens. CheckGrant
// does not check whether g is revoked, because the method of the store that returned g reports that. The error wraps storage.ErrRevoked if
// the tokens may not be used; other errors are faults.
func (m *Minter) CheckGrant(ctx context.Context, g *storage.Grant, now time.Time) error {
	_, err := m.check(ctx, g, nil, now)
	return err
}

// liveGrant is what the check of a grant loaded.
type liveGrant struct {
	client    *client.Client
	identity  session.Identity // of the user; zero for machine grants
	user      User
	exchanges int // that led to the grant
	// consentEnd is the first end of the consents that the grant rests on; zero if it rests on none. No token lives longer.
	consentEnd time.Time
}

// endedError reports why the tokens of a grant may not be used any more.
type endedError struct{ reason string }

// Error returns the reason.
func (e *endedError) Error() string { return "token: grant has ended: " + e.reason }

// Unwrap returns storage.ErrRevoked.
func (e *endedError) Unwrap() error { return storage.ErrRevoked }

var (
	errGrantExpired     = &endedError{"grant_expired"}
	errClientDisabled   = &endedError{"client_disabled"}
	errCustomerRemoved  = &endedError{"customer_removed"}
	errUserDisabled     = &endedError{"user_disabled"}
	errConsentWithdrawn = &endedError{"consent_withdrawn"}
	errParentEnded      = &endedError{"exchanged_token_ended"}
	errActorEnded       = &endedError{"actor_token_ended"}
	errDetailsWithdrawn = &endedError{"details_withdrawn"}
	errPseudonymNeeded  = &endedError{"pseudonym_required"}
)

// ended returns the log reason of an endedError.
func ended(err error) (reason string, ok bool) {
	if e, is := errors.AsType[*endedError](err); is {
		return e.reason, true
	}
	return "", false
}

// check decides whether tokens of a grant may be used. Every endpoint calls it, so that a change of a user,
// client or consent takes effect at the next request. c is the client of the grant; check loads it if it is nil.
func (m *Minter) check(ctx context.Context, g *storage.Grant, c *client.Client, now time.Time) (live liveGrant, err error) {
	if !g.ExpiresAt.IsZero() && !now.Before(g.ExpiresAt) {
		return live, errGrantExpired
	}
	if live.client, err = m.client(ctx, g, c); err != nil {
		return live, err
	}
	if g.Identity != nil && !g.Pseudonymous && m.pseudonymous(g) {
		// A scope requires pseudonyms now. The client knows the user, and would learn which pseudonym is the user's.
		return live, errPseudonymNeeded
	}
	if live.identity, err = m.identity(g); err != nil {
		return live, err
	}
	if live.user, err = m.user(ctx, g, &live.identity); err != nil {
		return live, err
	}
	return live, m.checkParents(ctx, g, &live, now)
}

// client returns the enabled client of a grant. If a user granted it, the client must still act for the customer of the grant, and both
// must still be of the same organisations. client loads c if it is nil. The client of a customer's refused grant is returned with the
// error.
func (m *Minter) client(ctx context.Context, g *storage.Grant, c *client.Client) (*client.Client, error) {
	if c == nil {
		var err error
		if c, err = client.Lookup(ctx, m.cfg.Clients, g.ClientID); errors.Is(err, storage.ErrNotFound) {
			return nil, errClientDisabled
		} else if err != nil {
			return nil, err
		}
	}
	if g.UserKey == (storage.Hash{}) {
		return c, nil
	}
	if _, ok := c.CustomerOf(g.Customer); !ok {
		return c, errCustomerRemoved
	}
	return c, nil
}

// identity opens the user of a grant; zero for machine grants.
func (m *Minter) identity(g *storage.Grant) (session.Identity, error) {
	if g.Identity == nil {
		return session.Identity{}, nil
	}
	id, err := m.cfg.Vault.Open(g.Identity, g.ID)
	if err != nil {
		return session.Identity{}, fmt.Errorf("token: grant %s: %w", g.ID, err)
	}
	return id, nil
}

// user loads the enabled user of a grant. A grant from a token exchange has the user of the token that was exchanged.
func (m *Minter) user(ctx context.Context, g *storage.Grant, id *session.Identity) (User, error) {
	if m.cfg.Users == nil || id.Subject == "" {
		return User{}, nil
	}
	if t := m.lookedUp[g.Delegation.Subject]; t != nil && t.Identity.Subject == id.Subject {
		return t.user, nil
	}
	return m.enabledUser(ctx, id.Subject)
}

// enabledUser loads a user. It returns errUserDisabled if the user is disabled or unknown.
func (m *Minter) enabledUser(ctx context.Context, subject string) (User, error) {
	u, err := m.cfg.Users.User(ctx, subject)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return User{}, errUserDisabled
	case err != nil:
		return User{}, unavailable("loading the user", err)
	case u.Disabled:
		return User{}, errUserDisabled
	}
	return u, nil
}

// UserEnabled reports whether Config.Users has an enabled user with a subject (session.Identity.Subject), as it must for every use of a
// token. If Users is nil, every user is enabled.
func (m *Minter) UserEnabled(ctx context.Context, subject string) (bool, error) {
	if m.cfg.Users == nil {
		return true, nil
	}
	_, err := m.enabledUser(ctx, subject)
	if errors.Is(err, errUserDisabled) {
		return false, nil
	}
	return err == nil, err
}

// checkParents follows a grant through the tokens that were exchanged for it to the grant of the login. All of them, and the actor tokens
// that were presented with them, must be live. The consents are those of the login, and for scopes that an exchange added those of its
// grant. It sets live.exchanges and live.consentEnd.
func (m *Minter) checkParents(ctx context.Context, g *storage.Grant, live *liveGrant, now time.Time) error {
	for d := &g.Delegation; d.Subject != (storage.Hash{}) || d.ActorToken != (storage.Hash{}); d = &g.Delegation {
		if live.exchanges++; live.exchanges > MaxExchanges {
			return errParentEnded
		}
		if err := m.checkActorToken(ctx, d.ActorToken, live, now); err != nil {
			return err
		}
		if d.Subject == (storage.Hash{}) { // the subject token is of another issuer
			break
		}
		if t := m.lookedUp[d.Subject]; t != nil { // checked in this request
			live.add(t.Exchanges, t.consentEnd)
			return m.checkConsents(ctx, g, addedScopes(g, &t.Grant), live, now)
		}
		_, parent, err := m.accessToken(ctx, d.Subject, now)
		if err == nil {
			_, err = m.client(ctx, &parent, nil)
		}
		if gone(err) {
			return errParentEnded
		} else if err != nil {
			return err
		}
		if err := m.checkConsents(ctx, g, addedScopes(g, &parent), live, now); err != nil {
			return err
		}
		g = &parent
	}
	return m.checkConsents(ctx, g, g.Scopes, live, now)
}

// checkActorToken checks that an actor token may still be used, by the rules for its own use. The hash is zero if there is none.
func (m *Minter) checkActorToken(ctx context.Context, hash storage.Hash, live *liveGrant, now time.Time) error {
	if hash == (storage.Hash{}) {
		return nil
	}
	if t := m.lookedUp[hash]; t != nil { // checked in this request
		live.add(t.Exchanges, t.consentEnd)
		return nil
	}
	_, g, err := m.accessToken(ctx, hash, now)
	if err == nil {
		var actor liveGrant
		actor, err = m.check(ctx, &g, nil, now)
		live.add(actor.exchanges, actor.consentEnd)
	}
	if gone(err) || err == nil && live.exchanges > MaxExchanges {
		return errActorEnded
	}
	return err
}

// add adds what the check of a token that was presented in an exchange loaded.
func (l *liveGrant) add(exchanges int, consentEnd time.Time) {
	l.exchanges += exchanges
	if !consentEnd.IsZero() && (l.consentEnd.IsZero() || consentEnd.Before(l.consentEnd)) {
		l.consentEnd = consentEnd
	}
}

// addedScopes returns the scopes of a grant that the grant of the exchanged token does not have. The policy of an exchange may add scopes
// to an id_token.
func addedScopes(g, parent *storage.Grant) (added []string) {
	for _, name := range g.Scopes {
		if !slices.Contains(parent.Scopes, name) {
			added = append(added, name)
		}
	}
	return added
}

// accessToken reads a live access token and its live grant.
func (m *Minter) accessToken(ctx context.Context, hash storage.Hash, now time.Time) (storage.AccessToken, storage.Grant, error) {
	if m.cfg.Store == nil {
		return storage.AccessToken{}, storage.Grant{}, storage.ErrNotFound
	}
	t, g, err := m.cfg.Store.AccessToken(ctx, hash, now)
	switch {
	case gone(err):
		return t, g, err
	case err != nil:
		return t, g, unavailable("reading the access token", err)
	case !now.Before(t.ExpiresAt), !now.Before(g.ExpiresAt):
		return t, g, storage.ErrNotFound
	}
	return t, g, nil
}

// checkConsents checks that each of some scopes of a grant that requires consent has one that is as old as the grant. It adds the first
// end of these consents to live. A consent that was given after the grant was made is for later grants: the user withdrew the one that
// the grant rested on, or gave it for another text.
func (m *Minter) checkConsents(ctx context.Context, g *storage.Grant, scopes []string, live *liveGrant, now time.Time) error {
	if m.cfg.Store == nil || !slices.ContainsFunc(scopes, m.requiresConsent) { // without a store no user gives consent
		return nil
	}
	stored, err := m.cfg.Store.Consents(ctx, storage.ConsentKey{UserKey: g.UserKey, ClientID: g.ClientID, Customer: g.Customer}, now)
	if err != nil {
		return unavailable("reading consents", err)
	}
	for _, name := range scopes {
		if !m.requiresConsent(name) {
			continue
		}
		until := m.consentEnd(stored, name, g.CreatedAt, now)
		if until.IsZero() {
			return errConsentWithdrawn
		}
		live.add(0, until)
	}
	return nil
}

// consentEnd returns the end of the consent to a scope that was given at the instant since or before, zero if there is none that is
// valid at now.
func (m *Minter) consentEnd(stored []storage.Consent, name string, since, now time.Time) (end time.Time) {
	for _, c := range stored {
		if c.GrantedAt.After(since) {
			continue
		}
		if (scope.Consent{Scope: c.Scope, Version: c.Version, ExpiresAt: c.ExpiresAt}).Covers(m.cfg.Scopes.Scope(name), now) && c.ExpiresAt.After(end) {
			end = c.ExpiresAt
		}
	}
	return end
}

func (m *Minter) requiresConsent(name string) bool {
	s := m.cfg.Scopes.Scope(name)
	return s != nil && s.RequiresUserConsent
}

// IsAPI reports whether an access token may be requested for this audience; see [client.IsAPI].
func (m *Minter) IsAPI(ctx context.Context, audience string) (bool, error) {
	return client.IsAPI(ctx, m.cfg.Clients, m.cfg.Issuer, audience)
}
