package maskinporten

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"strings"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/client/businesscert"
	"github.com/portner-go/portner/rar"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/token"
)

// DefaultErrorURI is where Maskinporten explains its errors (maskinporten-altinn section 1.12).
const DefaultErrorURI = "https://maskinporten.no/errors/"

// Config configures a Server, or a grant.
type Config struct {
	// Issuer is the "iss" of every token and the only audience of an assertion, byte for byte. Maskinporten's
	// ends with a slash, Skyporten's does not. Required.
	Issuer string
	// Clients finds registrations. Required.
	Clients client.Source
	// Scopes finds scopes and who has access to them. Required.
	Scopes scope.Source
	// Replay remembers used assertions; it must be shared by all nodes. Required.
	Replay client.ReplayStore
	// Keys signs tokens and publishes the keys, RS256 by default (a *keyset.Set). Required by New; a grant
	// signs with the keys of its token endpoint.
	Keys Keys
	// Certificates verifies business certificates. nil: clients need registered keys.
	Certificates *businesscert.Verifier
	// Delegations are the sources that know which organisation acts for which, by the delegation_source
	// of scopes, compared byte for byte. A scope whose source is not here cannot be had with consumer_org.
	Delegations map[string]DelegationSource
	// Details are the authorization_details a client may ask for, such as SystemUserType and ConsentType.
	// nil: none.
	Details *rar.Registry

	// AccessTokenLifetime is for clients without access_token_lifetime. 0 is 120 s. Scopes may cap it. A
	// grant has the lifetimes of its token endpoint.
	AccessTokenLifetime time.Duration
	// Skyporten is the profile for cloud federation (maskinporten-altinn section 1.16): resource is
	// required, and tokens have a sub, "0192:<orgnr>;<scope>".
	Skyporten bool
	// ErrorURI is what comes before the number of an error (MP-110) in error_uri, which is where a client
	// reads the number. "" is DefaultErrorURI.
	ErrorURI string

	// RequireJTI refuses assertions without jti. Without it the assertion itself is remembered (Q24).
	RequireJTI bool
	// StrictIssuedAt refuses assertions whose iat is 10 s or more away from the clock, in either
	// direction. Without it only the future counts, and exp the past (Q4).
	StrictIssuedAt bool
	// AllowTokenEndpointAudience is a weakening: assertions may name the token endpoint as audience (Q3), as
	// clients with allow_token_endpoint_audience may without it. Each use is reported.
	AllowTokenEndpointAudience bool
	// AllowSlashMismatch is a weakening: the audience may have one slash more or less at its end than Issuer
	// (Q3). Each use is reported.
	AllowSlashMismatch bool
	// LegacyForbidden answers MP-250 and MP-251 with forbidden and status 403, as Maskinporten once did (Q5).
	LegacyForbidden bool

	// Now is the clock; nil is time.Now. It is read once per request. A grant has its token endpoint's.
	Now func() time.Time
	// Logger gets one line per decision and fault; nil discards.
	Logger *slog.Logger
	// OnEvent gets the same decisions as values; nil: nobody listens.
	OnEvent func(context.Context, portner.Event)
}

// Keys signs tokens and publishes the keys they verify with. *keyset.Set is one.
type Keys interface {
	token.Signer
	// JWKS returns the published keys as a JSON document with its strong entity tag.
	JWKS(now time.Time) (doc []byte, etag string)
}

// DelegationSource knows which organisations let others act for them, as Altinn does.
type DelegationSource interface {
	// Delegated reports whether consumer has delegated the scope to supplier, both organisation numbers.
	// It is asked each time, for each scope of a request. An error is a fault: no token is issued.
	Delegated(ctx context.Context, consumer, supplier, scope string) (bool, error)
}

// validate names every problem at once.
func (c *Config) validate() error {
	var errs []error
	missing := func(field string, absent bool) {
		if absent {
			errs = append(errs, fmt.Errorf("field %s is required", field))
		}
	}
	if u, err := url.Parse(c.Issuer); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.RawQuery != "" || u.Fragment != "" {
		errs = append(errs, errors.New("field Issuer must be an absolute URL without query and fragment"))
	}
	if u, err := url.Parse(c.ErrorURI); err != nil || !u.IsAbs() {
		errs = append(errs, errors.New("field ErrorURI must be an absolute URI"))
	}
	missing("Clients", c.Clients == nil)
	missing("Scopes", c.Scopes == nil)
	missing("Replay", c.Replay == nil)
	for name, source := range c.Delegations {
		missing(fmt.Sprintf("Delegations[%q]", name), source == nil)
	}
	return errors.Join(errs...)
}

// prepared is the configuration with its defaults, safe from later changes of maps.
func (c Config) prepared() (Config, error) {
	if c.ErrorURI == "" {
		c.ErrorURI = DefaultErrorURI
	}
	if err := c.validate(); err != nil {
		return c, err
	}
	c.Delegations = maps.Clone(c.Delegations)
	if c.Details == nil {
		none, err := rar.NewRegistry()
		if err != nil {
			return c, err
		}
		c.Details = none
	}
	return c, nil
}

// endpoint is the address of one of the service's endpoints.
func (c *Config) endpoint(name string) string {
	return strings.TrimSuffix(c.Issuer, "/") + "/" + name
}
