package token

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
)

// MaxExchanges is how many token exchanges may lie between a login and a token: so many grants are looked
// at when one of their tokens is.
const MaxExchanges = 8

// Presented is a live access token of this provider and what stands behind it, for grant types to which
// one is presented.
type Presented struct {
	Token    storage.AccessToken // as it was stored; its Audience is the "aud" it tells
	Grant    storage.Grant       // what it dies with
	Client   *client.Client      // whose token it is
	Identity session.Identity    // Grant.Identity, opened; zero for machines
	Subject  string              // the person as the token's client knows them (sub); "" for machines
	// AuthorizationDetails are those of the token, in clear; nil if it has none.
	AuthorizationDetails json.RawMessage
	// Pseudonymous is as the grant was given or as its scopes stand today, whichever is stricter.
	Pseudonymous bool
	// Exchanges is how many token exchanges led to the token.
	Exchanges int
}

// Presented finds an access token by its text, and asks all that introspection asks: an unknown or expired
// token is ErrNotFound, one whose grant, client, person or consent is gone ErrRevoked. Other errors are faults.
func (m *Minter) Presented(ctx context.Context, token string, now time.Time) (*Presented, error) {
	if m.cfg.Store == nil || len(token) > maxToken {
		return nil, storage.ErrNotFound
	}
	t, err := m.live(ctx, storage.HashOf(token), now)
	if err != nil {
		return nil, err
	}
	p := &Presented{Token: t.access, Grant: t.grant, Client: t.client, Pseudonymous: m.pseudonymous(&t.grant)}
	if p.Identity, err = m.identity(&p.Grant); err != nil {
		return nil, err
	}
	if _, err = m.user(ctx, &p.Identity); err == nil {
		p.Exchanges, err = m.origin(ctx, &p.Grant, now)
	}
	if reason, yes := takenBack(err); yes {
		return nil, fmt.Errorf("token: %s: %w", reason, storage.ErrRevoked)
	} else if err != nil {
		return nil, err
	}
	if p.AuthorizationDetails, err = m.openDetails(p.Token.AuthorizationDetails, p.Grant.ID); err != nil {
		return nil, fmt.Errorf("token: grant %s: %w", p.Grant.ID, err)
	}
	who := m.person(t.client, &p.Grant, &p.Identity)
	p.Subject = who.sub
	if len(p.Token.Audience) == 0 {
		p.Token.Audience = slices.Clone(who.claims.Audience)
	}
	return p, nil
}

// Standing asks of a grant that is not stored yet what is asked of every live one: that the person is there
// and not disabled, and said yes where a yes is needed. If not, the error wraps ErrRevoked; others are faults.
// Grant types need it that take somebody else's word for who the person is.
func (m *Minter) Standing(ctx context.Context, g *storage.Grant, id *session.Identity, now time.Time) error {
	_, err := m.standing(ctx, g, id, now)
	if reason, yes := takenBack(err); yes {
		return fmt.Errorf("token: %s: %w", reason, storage.ErrRevoked)
	}
	return err
}

// IsClient reports whether a client has this client_id, in use or not. No access token is for a client (security
// row D10).
func (m *Minter) IsClient(ctx context.Context, id string) (bool, error) {
	_, err := m.cfg.Clients.Client(ctx, id)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return false, nil
	case err != nil:
		return false, unavailable("reading a client", err)
	}
	return true, nil
}

// liveToken is an access token as it was found.
type liveToken struct {
	access storage.AccessToken
	grant  storage.Grant
	client *client.Client
}

// live reads an access token that has not ended and whose client may still have tokens.
func (m *Minter) live(ctx context.Context, hash storage.Hash, now time.Time) (liveToken, error) {
	var t liveToken
	var err error
	t.access, t.grant, err = m.cfg.Store.AccessToken(ctx, hash, now)
	switch {
	case gone(err):
		return t, err
	case err != nil:
		return t, unavailable("reading the access token", err)
	case !now.Before(t.access.ExpiresAt), !now.Before(t.grant.ExpiresAt):
		return t, storage.ErrNotFound
	}
	t.client, err = m.cfg.Clients.Client(ctx, t.grant.ClientID)
	switch {
	case errors.Is(err, storage.ErrNotFound), err == nil && t.client.Inactive:
		return t, storage.ErrRevoked
	case err != nil:
		return t, unavailable("reading the client", err)
	}
	return t, nil
}

// errSubjectGone: a token that was exchanged for this one has ended.
var errSubjectGone = errors.New("token: the exchanged token has ended")

// origin follows a grant over the tokens that were exchanged for it to the grant a person gave, and asks
// whether all of them still hold: whoever revokes one ends what came of it. Consents are those of the first:
// nobody was asked again. It tells how many exchanges there were.
func (m *Minter) origin(ctx context.Context, g *storage.Grant, now time.Time) (exchanges int, err error) {
	for ; g.Delegation.Subject != (storage.Hash{}); exchanges++ {
		if exchanges == MaxExchanges {
			return exchanges, errSubjectGone
		}
		subject, err := m.live(ctx, g.Delegation.Subject, now)
		if gone(err) {
			return exchanges, errSubjectGone
		} else if err != nil {
			return exchanges, err
		}
		g = &subject.grant
	}
	return exchanges, m.consent(ctx, g, now)
}
