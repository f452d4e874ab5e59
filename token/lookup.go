package token

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/pseudonym"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
)

// LiveToken is a live access token of this provider with its grant.
type LiveToken struct {
	Token    storage.AccessToken // Audience is the aud of the token
	Grant    storage.Grant       // of the token
	Client   *client.Client      // of the grant
	Identity session.Identity    // of the user; zero for machine grants
	// Subject is the sub of the user that Client can have received. It is "" if Client may not identify the user and the grant is not
	// pseudonymous, which is a grant with opaque tokens only, and for machine grants.
	Subject string
	// AuthorizationDetails are those of the token, opened; nil if it has none.
	AuthorizationDetails json.RawMessage
	// Pseudonymous reports whether the grant is pseudonymous.
	Pseudonymous bool
	// Exchanges is the number of token exchanges that led to the token.
	Exchanges int

	user       User
	consentEnd time.Time // of liveGrant
	issuer     string
}

// IsFor reports whether the token may be used at an API of this provider with these names: it has no audience, or an audience that is
// the issuer or one of the names (RFC 9068 §4). A token for other resource servers only must not be accepted.
func (t *LiveToken) IsFor(names ...string) bool {
	return isForProvider(t.Token.Audience, t.issuer) ||
		slices.ContainsFunc(t.Token.Audience, func(aud string) bool { return slices.Contains(names, aud) })
}

func isForProvider(audience []string, issuer string) bool {
	return len(audience) == 0 || slices.Contains(audience, issuer)
}

// Format writes "REDACTED" for every verb.
func (LiveToken) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("REDACTED")) }

// LogValue returns "REDACTED".
func (LiveToken) LogValue() slog.Value { return slog.StringValue("REDACTED") }

// LookupSubjectToken finds an access token that a client presents to exchange it (RFC 8693 §2.1), and checks its grant. The error wraps
// storage.ErrNotFound if the token is unknown or expired, and storage.ErrRevoked if its grant has ended. Other errors are faults.
//
// It does not check that the sender is the one that the token is bound to, which in an exchange can be another one: an API received the
// token with its proof. Mint rejects the request if the token is bound and the new one is not. An API that accepts access tokens calls
// [Minter.VerifyAccessToken].
func (m *Minter) LookupSubjectToken(ctx context.Context, token string, now time.Time) (*LiveToken, error) {
	return m.lookupText(ctx, token, now)
}

func (m *Minter) lookupText(ctx context.Context, token string, now time.Time) (*LiveToken, error) {
	if len(token) > maxToken {
		return nil, storage.ErrNotFound
	}
	return m.lookup(ctx, storage.HashOf(token), now)
}

// LookupIDToken finds the access token that was issued together with the id_token of this provider that has the given jti, and checks
// its grant, as LookupSubjectToken does. An id_token has no record of its own: it represents a login as long as this access token is live.
// The caller has verified the id_token.
func (m *Minter) LookupIDToken(ctx context.Context, jti string, now time.Time) (*LiveToken, error) {
	hash, ok := accessTokenOf(jti)
	if !ok {
		return nil, storage.ErrNotFound
	}
	return m.lookup(ctx, hash, now)
}

// lookup finds an access token by its hash and checks its grant.
func (m *Minter) lookup(ctx context.Context, hash storage.Hash, now time.Time) (*LiveToken, error) {
	access, grant, err := m.accessToken(ctx, hash, now)
	if err != nil {
		return nil, err
	}
	live, err := m.check(ctx, &grant, nil, now)
	if err != nil {
		return nil, err
	}
	t := &LiveToken{
		Token: access, Grant: grant, Client: live.client, Identity: live.identity, Exchanges: live.exchanges,
		user: live.user, consentEnd: live.consentEnd, issuer: m.cfg.Issuer,
	}
	t.Token.Audience = m.audience(access.Audience)
	if t.AuthorizationDetails, err = m.openDetails(access.AuthorizationDetails, grant.ID); err != nil {
		return nil, fmt.Errorf("token: grant %s: %w", grant.ID, err)
	}
	f, err := m.facts(live.client, &t.Grant, &t.Identity, live.user, now)
	if err != nil {
		return nil, err
	}
	t.Pseudonymous = f.pseudonymous
	if Protection(m.cfg.Scopes, &grant, access.Opaque) != pseudonym.Open {
		f.withhold()
	}
	if grant.Identity != nil {
		t.Subject = f.sub
	}
	m.remember(hash, t)
	return t, nil
}

// remember keeps a token for the rest of the request, so that Mint does not check its grant again.
func (m *Minter) remember(hash storage.Hash, t *LiveToken) {
	if m.now.IsZero() { // not of one request
		return
	}
	if m.lookedUp == nil {
		m.lookedUp = map[storage.Hash]*LiveToken{}
	}
	m.lookedUp[hash] = t
}
