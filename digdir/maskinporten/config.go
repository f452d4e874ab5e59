package maskinporten

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/client/businesscert"
	"github.com/portner-go/portner/internal/fields"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/rar"
	"github.com/portner-go/portner/scope"
)

// DefaultErrorURI is the default of Config.ErrorURI (docs.digdir.no: Maskinporten, error codes).
const DefaultErrorURI = "https://maskinporten.no/errors/"

// Config configures [New] and [NewGrantHandler].
type Config struct {
	// Issuer is the iss of every token and the required aud of assertions, byte for byte. Maskinporten's ends with a
	// slash, Skyporten's does not. Required.
	Issuer string
	// Clients finds registrations. Required.
	Clients client.Source
	// Scopes finds scopes and the access of organisations to them. Required.
	Scopes scope.Source
	// Replay stores used assertions. All nodes must share it. Required.
	Replay client.ReplayStore
	// Keys signs tokens. Its public keys are published. Required by New; NewGrantHandler does not use it.
	Keys *keyset.Set
	// Certificates verifies business certificates. If nil, clients need registered keys.
	Certificates *businesscert.Verifier
	// Delegations holds the sources of delegations by the delegation_source of scopes, compared byte for byte. Requests
	// with consumer_org are rejected for scopes whose source is not in the map.
	Delegations map[string]DelegationSource
	// AuthorizationDetails holds the types of authorization_details, such as [SystemUserType] and [ConsentType]. If nil, requests with
	// authorization_details are rejected.
	AuthorizationDetails *rar.Registry

	// AccessTokenLifetime applies to clients without access_token_lifetime. Scopes can shorten it. The default is 120 s.
	// NewGrantHandler does not use it: the token endpoint has its own.
	AccessTokenLifetime time.Duration
	// Skyporten is the profile for cloud federation (docs.digdir.no: Skyporten): resource is required, and tokens have a
	// sub, "0192:<organisation number>;<scope>".
	Skyporten bool
	// ErrorURI is the prefix of error_uri, which ends with the number of the error, such as MP-110. The default is
	// [DefaultErrorURI].
	ErrorURI string

	// RequireJTI rejects assertions without jti. Without it, the whole assertion takes the place of jti in the replay check.
	RequireJTI bool
	// StrictIssuedAt rejects assertions whose iat is 10 s or more before or after now. Without it, iat may be at most 10 s
	// after now, and any time before it: exp limits the age of the assertion.
	StrictIssuedAt bool
	// AllowTokenEndpointAudience accepts the URL of the token endpoint as aud of an assertion, for every client. The
	// registration member allow_token_endpoint_audience does so for one client. An assertion for another server could then
	// be accepted here; each use is reported as EventLegacyAudience.
	AllowTokenEndpointAudience bool
	// AllowSlashMismatch accepts an aud that differs from Issuer by a slash at the end. Each use is reported as
	// EventLegacyAudience.
	AllowSlashMismatch bool
	// LegacyForbidden responds to MP-250 and MP-251 with error "forbidden" and status 403, as earlier versions of
	// Maskinporten did.
	LegacyForbidden bool

	// Now is the clock. It is read once per request. If nil, time.Now. NewGrantHandler does not use it.
	Now func() time.Time
	// Logger receives one line per decision and fault. If nil, they are discarded.
	Logger *slog.Logger
	// OnEvent receives the same decisions as values. It may be nil.
	OnEvent func(context.Context, portner.Event)
}

// DelegationSource holds delegations between organisations, as Altinn does.
type DelegationSource interface {
	// Delegated reports whether consumer has delegated the scope to supplier. Both are organisation numbers. It is called
	// once for each scope of each request. An error is a fault: no token is issued.
	Delegated(ctx context.Context, consumer, supplier, scope string) (bool, error)
}

// check reports every invalid field that the grant uses.
func (c *Config) check(f *fields.Checker) {
	f.URL("Issuer", c.Issuer)
	if u, err := url.Parse(c.ErrorURI); err != nil || !u.IsAbs() {
		f.Want(false, "ErrorURI", "must be an absolute URI")
	}
	f.RequireValue(c.Clients, "Clients")
	f.RequireValue(c.Scopes, "Scopes")
	f.RequireValue(c.Replay, "Replay")
	f.Made(c.Certificates, "Certificates", "businesscert.New")
	for _, name := range slices.Sorted(maps.Keys(c.Delegations)) {
		f.RequireValue(c.Delegations[name], fmt.Sprintf("Delegations[%q]", name))
	}
}

// checkServer reports the invalid fields that only New uses.
func (c *Config) checkServer(f *fields.Checker) {
	f.Require(c.Keys != nil, "Keys")
	f.Made(c.Keys, "Keys", "keyset.New")
	f.Want(c.AccessTokenLifetime >= 0 && c.AccessTokenLifetime%time.Second == 0, "AccessTokenLifetime", "must be whole seconds and not negative")
}

// withDefaults returns the configuration with its defaults. It does not share maps with c.
func (c Config) withDefaults() (Config, error) {
	c.ErrorURI = cmp.Or(c.ErrorURI, DefaultErrorURI)
	c.Delegations = maps.Clone(c.Delegations)
	if c.AuthorizationDetails != nil {
		return c, nil
	}
	var err error
	c.AuthorizationDetails, err = rar.NewRegistry()
	return c, err
}

// endpoint returns the URL of an endpoint.
func (c *Config) endpoint(name string) string {
	return strings.TrimSuffix(c.Issuer, "/") + "/" + name
}
