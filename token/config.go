package token

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/pseudonym"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
)

// The lifetimes of ID-porten (idporten section 20).
const (
	DefaultAccessTokenLifetime   = 120 * time.Second
	DefaultRefreshTokenLifetime  = 600 * time.Second
	DefaultAuthorizationLifetime = 7200 * time.Second
	DefaultIDTokenLifetime       = 120 * time.Second
	// MaxRotationGrace is the most Config.RotationGrace may be (security row D2, decision K3).
	MaxRotationGrace = 10 * time.Second
)

// Config configures an [Endpoint] and its sibling handlers.
type Config struct {
	// Issuer is the "iss" of every token: an https URL, byte for byte as in the metadata. Required.
	Issuer string
	// Store keeps codes, grants and tokens. nil: the grants of Grants are all there are, and the handlers
	// of userinfo, introspection and revocation do not exist.
	Store Store
	// Authenticator authenticates clients (a *client.Authenticator). Required with Store.
	Authenticator *client.Authenticator
	// Clients finds registrations again: of the client a token belongs to. Required.
	Clients client.Source
	// Scopes finds scope records and accesses. Required.
	Scopes scope.Source
	// Keys signs tokens. Required.
	Keys *keyset.Set
	// Pairwise makes the "sub" of each client. Required with Store.
	Pairwise *pseudonym.Pairwise
	// Vault opens Grant.Identity. It must know the secrets the authorization endpoint seals with.
	// Required with Store.
	Vault *session.Vault

	// Users finds users, which can be disabled and have claims. If nil, users are never disabled.
	Users UserSource
	// Consents finds remembered consents, so that a grant ends with the consent that was withdrawn: at
	// the next token, and in what userinfo and introspection say (security rows D4, D7). nil: a consent
	// holds as long as the grant.
	Consents ConsentSource
	// Origins reports whether a browser client has the origin, for CORS: (*client.Registry).HasOrigin is one. If nil, calls
	// from other origins are rejected.
	Origins func(ctx context.Context, origin string) (bool, error)

	// Claims add claims to documents, in this order.
	Claims []ClaimsFunc
	// ScopeClaims maps scopes to the claims of User.Claims that userinfo returns for them (OIDC Core §5.4). Pseudonymous
	// documents have none of them.
	ScopeClaims map[string][]string
	// UserInfoScope is the scope that an access token needs at the userinfo endpoint. If "", it is openid.
	UserInfoScope string
	// AccessTokenType is the header typ of self-contained access tokens. If it is "at+jwt", they have the claims amr, auth_time
	// and aud of RFC 9068; aud is Issuer if no resource was requested and no scope enforces an audience. If "", they have no
	// typ.
	AccessTokenType string
	// Lifetimes are the defaults for clients that name none. Scopes can only shorten them.
	Lifetimes Lifetimes
	// IDTokenOnRefresh adds an id_token to the answer of a refresh if openid was granted (idporten section
	// 8). The zero value leaves it out.
	IDTokenOnRefresh bool
	// RotationGrace is how long after its rotation a refresh token is refused without revoking the family,
	// as long as its successor is unused: for clients that lose answers. 0 is off, the most is
	// MaxRotationGrace. It never makes a second token live.
	RotationGrace time.Duration
	// Grants handle further grant types beside authorization_code and refresh_token.
	Grants []GrantHandler

	// Now is the clock; nil is time.Now. It is read once per request.
	Now func() time.Time
	// Logger gets one line per decision and fault; nil discards.
	Logger *slog.Logger
	// OnEvent gets the same decisions as values; nil: nobody listens. It runs before the answer is sent:
	// keep it quick.
	OnEvent func(context.Context, portner.Event)
}

// Lifetimes are how long things live; 0 is the default of each.
type Lifetimes struct {
	// AccessToken is for clients without access_token_lifetime. Default 120 s.
	AccessToken time.Duration
	// RefreshToken is the idle limit for clients without refresh_token_lifetime. Default 600 s.
	RefreshToken time.Duration
	// Authorization is the absolute limit of a grant that comes without one. Default 7200 s.
	Authorization time.Duration
	// IDToken is exp - iat of id_tokens. Default 120 s.
	IDToken time.Duration
}

// ConsentSource finds what a person said yes to.
type ConsentSource interface {
	// Consents returns the live consents of one person to one client.
	Consents(ctx context.Context, userKey storage.Hash, clientID string, now time.Time) ([]storage.Consent, error)
}

func (c *Config) setDefaults() {
	for _, d := range []struct {
		at   *time.Duration
		zero time.Duration
	}{
		{&c.Lifetimes.AccessToken, DefaultAccessTokenLifetime},
		{&c.Lifetimes.RefreshToken, DefaultRefreshTokenLifetime},
		{&c.Lifetimes.Authorization, DefaultAuthorizationLifetime},
		{&c.Lifetimes.IDToken, DefaultIDTokenLifetime},
	} {
		if *d.at == 0 {
			*d.at = d.zero
		}
	}
	if c.UserInfoScope == "" {
		c.UserInfoScope = scope.OpenID
	}
	if c.Now == nil {
		c.Now = time.Now
	}
}

// validate names every problem at once.
func (c *Config) validate() error {
	var errs []error
	missing := func(field string, absent bool) {
		if absent {
			errs = append(errs, fmt.Errorf("field %s is required", field))
		}
	}
	if u, err := url.Parse(c.Issuer); err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") || u.RawQuery != "" || u.Fragment != "" {
		errs = append(errs, errors.New("field Issuer must be an absolute URL without query and fragment"))
	}
	missing("Clients", c.Clients == nil)
	missing("Scopes", c.Scopes == nil)
	missing("Keys", c.Keys == nil)
	if c.Store == nil {
		missing("Store or Grants", len(c.Grants) == 0)
	} else {
		missing("Authenticator", c.Authenticator == nil)
		missing("Pairwise", c.Pairwise == nil)
		missing("Vault", c.Vault == nil)
	}
	for _, l := range []struct {
		field string
		d     time.Duration
	}{
		{"AccessToken", c.Lifetimes.AccessToken},
		{"RefreshToken", c.Lifetimes.RefreshToken},
		{"Authorization", c.Lifetimes.Authorization},
		{"IDToken", c.Lifetimes.IDToken},
	} {
		if l.d < time.Second || l.d%time.Second != 0 {
			errs = append(errs, fmt.Errorf("field Lifetimes.%s must be whole seconds, one or more", l.field))
		}
	}
	if c.RotationGrace < 0 || c.RotationGrace > MaxRotationGrace {
		errs = append(errs, fmt.Errorf("field RotationGrace must be between 0 and %s", MaxRotationGrace))
	}
	seen := map[string]bool{AuthorizationCode: true, RefreshToken: true}
	for i, g := range c.Grants {
		switch {
		case g.Type == "" || g.Handle == nil:
			errs = append(errs, fmt.Errorf("field Grants[%d] needs Type and Handle", i))
		case seen[g.Type]:
			errs = append(errs, fmt.Errorf("field Grants[%d]: %q is there already", i, g.Type))
		default:
			seen[g.Type] = true
		}
	}
	return errors.Join(errs...)
}
