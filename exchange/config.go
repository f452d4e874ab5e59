package exchange

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/portner-go/portner/internal/fields"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/resource"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/token"
)

// GrantType is the grant_type of a token exchange (RFC 8693 §2.1).
const GrantType = "urn:ietf:params:oauth:grant-type:token-exchange"

// The accepted token types (RFC 8693 §3).
const (
	AccessToken = "urn:ietf:params:oauth:token-type:access_token"
	IDToken     = "urn:ietf:params:oauth:token-type:id_token"
	JWT         = "urn:ietf:params:oauth:token-type:jwt" // an access token of another issuer
)

// DefaultMaxActors is the default of Config.MaxActors.
const DefaultMaxActors = 4

// maxMaxActors is the largest MaxActors. Each actor is nested in the previous one, and parsers limit the depth of JSON.
const maxMaxActors = 6

// Config configures [New].
type Config struct {
	// Issuer is the issuer of token.Config. Required.
	Issuer string
	// Store inserts the grants of new tokens. Required.
	Store token.GrantStore
	// Vault has the secrets of token.Config.Vault. Required.
	Vault *session.Vault
	// Scopes is that of token.Config. Required.
	Scopes scope.Source

	// Policy decides which exchanges are allowed. If nil, clients can only narrow their own tokens.
	Policy Policy
	// Issuers holds other issuers whose access tokens are accepted. The key is the value of iss, byte for byte. It requires
	// Policy.
	Issuers map[string]Issuer
	// IDTokens are the keys of this provider, which verify its id_tokens. An id_token is accepted from the client that it was issued to,
	// as long as the access token that was issued with it is live, and as subject token only as long as the session of the login is. It
	// requires Policy. If nil, id_tokens are rejected.
	IDTokens *keyset.Set
	// MaxLifetime bounds the lifetime of new tokens. Zero is no bound.
	MaxLifetime time.Duration
	// ActorOrganisation is the name of a member of act and may_act that holds the organisation number of the actor, such as
	// "organisasjonsnummer" (docs.digdir.no: eoppslag_sbb_oauth2_tokens). If "", there is no such member, and a may_act with it matches
	// no actor.
	ActorOrganisation string
	// MaxActors is the largest number of actors in act, at most 6. The default is [DefaultMaxActors].
	MaxActors int
}

// Issuer is another issuer whose access tokens are accepted.
type Issuer struct {
	// Verifier verifies its tokens. This provider should be one of its audiences. Required.
	Verifier *resource.Verifier
	// User finds the user of a token. The Subject of the identity must be the one that the host sets at login. An error that
	// wraps storage.ErrNotFound reports that there is no such user. If nil, only tokens of machines are accepted.
	User func(ctx context.Context, t *resource.Token) (session.Identity, error)
}

// New returns the grant handler of token exchange, for token.Config.GrantHandlers. It reports every problem of the configuration at once, as
// portner.FieldErrors.
func New(cfg Config) (token.GrantHandler, error) {
	if cfg.MaxActors == 0 {
		cfg.MaxActors = DefaultMaxActors
	}
	if err := cfg.validate(); err != nil {
		return token.GrantHandler{}, fmt.Errorf("exchange: %w", err)
	}
	cfg.Issuers = maps.Clone(cfg.Issuers)
	return token.GrantHandler{Type: GrantType, Handle: cfg.handle}, nil
}

// validate reports every invalid field.
func (c *Config) validate() error {
	var f fields.Checker
	f.URL("Issuer", c.Issuer)
	f.RequireValue(c.Store, "Store")
	f.Require(c.Vault != nil, "Vault")
	f.Made(c.Vault, "Vault", "session.NewVault")
	f.RequireValue(c.Scopes, "Scopes")
	f.Made(c.IDTokens, "IDTokens", "keyset.New")
	f.Want(c.Policy != nil || len(c.Issuers) == 0 && c.IDTokens == nil, "Policy", "is required with Issuers or IDTokens")
	for _, name := range slices.Sorted(maps.Keys(c.Issuers)) {
		field := fmt.Sprintf("Issuers[%q]", name)
		f.Want(name != "" && name != c.Issuer, field, "must be the name of another issuer")
		f.Require(c.Issuers[name].Verifier != nil, field+".Verifier")
		f.Made(c.Issuers[name].Verifier, field+".Verifier", "resource.New")
	}
	f.Want(c.ActorOrganisation == "" || validMember(c.ActorOrganisation), "ActorOrganisation", "must be letters, digits and _, and not a registered claim")
	f.Want(c.MaxLifetime >= 0, "MaxLifetime", "must not be negative")
	f.Want(c.MaxActors > 0 && c.MaxActors <= maxMaxActors, "MaxActors", fmt.Sprintf("must be from 1 to %d", maxMaxActors))
	return f.Err()
}

// validMember reports whether a name may be that of a member of act beside the registered ones.
func validMember(name string) bool {
	switch name {
	case "sub", "iss", "client_id", "act", "may_act", "aud", "exp", "nbf", "iat", "jti", "pid":
		return false
	}
	return !strings.ContainsFunc(name, func(r rune) bool {
		return r != '_' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9')
	})
}
