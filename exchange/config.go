package exchange

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/resource"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/token"
)

// GrantType is the grant_type of a token exchange (RFC 8693 section 2.1).
const GrantType = "urn:ietf:params:oauth:grant-type:token-exchange"

// The token types that are understood (RFC 8693 section 3).
const (
	AccessToken = "urn:ietf:params:oauth:token-type:access_token"
	IDToken     = "urn:ietf:params:oauth:token-type:id_token"
	JWT         = "urn:ietf:params:oauth:token-type:jwt" // an access token of another issuer
)

// DefaultMaxActors is how many actors a chain of act may hold.
const DefaultMaxActors = 4

// mostActors is what every reader of tokens takes: the chain nests in the claims (security row E12).
const mostActors = 6

// Config configures a [Grant].
type Config struct {
	// Issuer is the provider's own, as in token.Config. Required.
	Issuer string
	// Store takes the grants that come of exchanges. Required.
	Store token.GrantStore
	// Vault seals them: one with the secrets of token.Config.Vault. Required.
	Vault *session.Vault
	// Scopes are those of token.Config. Required.
	Scopes scope.Source

	// Policy says who may exchange what for whom. nil: clients may narrow their own tokens.
	Policy Policy
	// Issuers are other issuers whose access tokens may be presented, by their exact iss. Needs Policy.
	Issuers map[string]Issuer
	// IDTokens lets clients present the id_tokens they got here. nil: they are refused. Needs Policy.
	IDTokens *IDTokens
	// MaxLifetime caps what comes of an exchange, beside the end of the tokens presented. 0 is no cap.
	MaxLifetime time.Duration
	// MaxActors is how long a chain of act may become. 0 is DefaultMaxActors; at most 6, since readers
	// limit how deep JSON nests.
	MaxActors int
}

// Issuer is another issuer whose tokens are accepted.
type Issuer struct {
	// Verifier checks its tokens; its Audience should name this provider. Required.
	Verifier *resource.Verifier
	// Person finds the person of a token here: their Subject must be the one the host's login gives. An error
	// that wraps storage.ErrNotFound says that there is none. nil: the issuer's tokens of persons are refused,
	// and those of machines accepted.
	Person func(ctx context.Context, t *resource.Token) (session.Identity, error)
}

// IDTokens says how id_tokens of this provider are read.
type IDTokens struct {
	// Keys verify them (a *keyset.Set). Required.
	Keys TokenVerifier
	// Person finds the person of an id_token, as Issuer.Person does. Required.
	Person func(ctx context.Context, l Login) (session.Identity, error)
}

// TokenVerifier checks the signature of a token this provider signed. *keyset.Set is one.
type TokenVerifier interface {
	Verify(token string, now time.Time) (payload []byte, typ string, err error) // see keyset.Set.Verify
}

// Login is what an id_token says.
type Login struct {
	ClientID string     // aud: who logged the person in
	Subject  string     // sub: as that client knows them
	PID      norway.PID // zero if the client may not know it
}

// Grant exchanges tokens. It is safe for concurrent use.
type Grant struct{ cfg Config }

// New reports all problems of the configuration at once.
func New(cfg Config) (*Grant, error) {
	if cfg.MaxActors == 0 {
		cfg.MaxActors = DefaultMaxActors
	}
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("exchange: %w", err)
	}
	issuers := map[string]Issuer{}
	for name, i := range cfg.Issuers {
		issuers[name] = i
	}
	cfg.Issuers = issuers
	return &Grant{cfg: cfg}, nil
}

func (c *Config) validate() error {
	var errs []error
	need := func(ok bool, rule string) {
		if !ok {
			errs = append(errs, errors.New(rule))
		}
	}
	need(c.Issuer != "", "field Issuer is required")
	need(c.Store != nil, "field Store is required")
	need(c.Vault != nil, "field Vault is required")
	need(c.Scopes != nil, "field Scopes is required")
	need(c.Policy != nil || len(c.Issuers) == 0 && c.IDTokens == nil, "fields Issuers and IDTokens need Policy")
	for name, i := range c.Issuers {
		need(name != "" && name != c.Issuer, "field Issuers has an entry without a name, or the provider itself")
		need(i.Verifier != nil, fmt.Sprintf("field Issuers[%q].Verifier is required", name))
	}
	if c.IDTokens != nil {
		need(c.IDTokens.Keys != nil, "field IDTokens.Keys is required")
		need(c.IDTokens.Person != nil, "field IDTokens.Person is required")
	}
	need(c.MaxLifetime >= 0, "field MaxLifetime must not be negative")
	need(c.MaxActors > 0 && c.MaxActors <= mostActors, fmt.Sprintf("field MaxActors must be from 1 to %d", mostActors))
	return errors.Join(errs...)
}

// Handler returns the grant handler, for token.Config.Grants.
func (g *Grant) Handler() token.GrantHandler {
	return token.GrantHandler{Type: GrantType, Handle: g.handle}
}
