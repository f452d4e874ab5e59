package altinn

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/fields"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/resource"
)

// ExchangePath is the path of the exchange. The name of the provider follows: maskinporten, id-porten or altinnstudio.
const ExchangePath = "/authentication/api/v1/exchange/"

// DefaultLength is the default of Lifetime.Length, as at Altinn.
const DefaultLength = 30 * time.Minute

// PartnerScopes returns the scopes of other organisations that Altinn accepts in a token of ID-porten, beside those that begin
// with "altinn:".
func PartnerScopes() []string {
	return []string{"skatteetaten:formueinntekt/skattemelding", "skatteetaten:mvameldinginnsending", "skatteetaten:mvameldingvalidering"}
}

// Config configures a [Server].
type Config struct {
	// Issuer is the iss of new tokens and the prefix of the metadata's URL. It ends with a slash:
	// "https://platform.tt02.altinn.no/authentication/api/v1/openid/". Required.
	Issuer string
	// Keys sign the new tokens. Required.
	Keys *keyset.Set

	// Maskinporten, IDPorten and Studio are the providers maskinporten, id-porten and altinnstudio. At least one must have
	// an issuer. A provider without issuers rejects every token.
	Maskinporten, IDPorten, Studio Provider
	// Organisations finds the codes of service owners. If nil, new tokens have no urn:altinn:org.
	Organisations OrganisationSource
	// Users finds users. Required with IDPorten.
	Users UserSource
	// PartnerScopes are accepted scopes of the provider id-porten beside those that begin with "altinn:". If nil,
	// PartnerScopes(); if empty, none.
	PartnerScopes []string

	// RefreshLength is the lifetime of tokens of [RefreshPath], which renews the tokens of the server any number of times: the holder of one
	// has access until Keys are replaced. Altinn's is DefaultLength. If zero, the path is unknown.
	RefreshLength time.Duration
	// Introspection serves [IntrospectionPath], to callers with a token of the server. If nil, the path is unknown.
	Introspection *Introspection

	// AllowLegacyRegister accepts organisations of the register 9908, as Altinn does. Maskinporten issues 0192.
	AllowLegacyRegister bool
	// KeepJTI copies the jti of the exchanged token, as Altinn does: then jti is not unique. Without it, jti is a new UUID.
	KeepJTI bool
	// NegotiateJSON responds with the token as a JSON string to requests that accept application/json and not text/plain.
	// Without it, the response is always the bare token.
	NegotiateJSON bool

	// Now is the clock. It is read once per request. If nil, time.Now.
	Now func() time.Time
	// Logger receives one line per decision and fault. If nil, they are discarded.
	Logger *slog.Logger
	// OnEvent receives the same decisions as values. It may be nil.
	OnEvent func(context.Context, portner.Event)
}

// Provider configures the exchange of one kind of tokens.
type Provider struct {
	// Issuers are the trusted issuers.
	Issuers []Issuer
	// Lifetime is the lifetime of new tokens. With the zero value they do not outlive the exchanged token.
	Lifetime Lifetime
}

// Issuer is a trusted issuer.
type Issuer struct {
	// Issuer is compared byte for byte with iss. Required.
	Issuer string
	// Keys are the public keys of the issuer. Required.
	Keys resource.Keys
	// Algorithms are the accepted signature algorithms. If empty, those of resource.Config.
	Algorithms []string
	// Audience holds accepted audiences beside Config.Issuer. A token without aud is accepted.
	Audience []string
}

// Lifetime determines the lifetime of new tokens. The zero value is Minimum with DefaultLength.
type Lifetime struct {
	Rule   Rule          // the end of the new token
	Length time.Duration // the default is DefaultLength
}

// Rule determines the end of a new token.
type Rule int

// Values of Rule.
const (
	Minimum Rule = iota // the earlier of Length from now and the end of the exchanged token
	Fixed               // Length from now, as at Altinn for maskinporten: a new token of 30 minutes for one of 120 s
	Copy                // the end of the exchanged token, as at Altinn for id-porten
)

// OrganisationSource finds the codes of service owners.
type OrganisationSource interface {
	// Code returns the code of an organisation, such as "digdir" for 991825827. "", or an error that wraps
	// storage.ErrNotFound, reports that it has none; every other error is a fault.
	Code(ctx context.Context, orgno string) (string, error)
}

// UserSource finds users.
type UserSource interface {
	// User returns the user with a national identity number. An error that wraps storage.ErrNotFound reports that there is
	// none; every other error is a fault.
	User(ctx context.Context, pid norway.PID) (User, error)
}

// User is a user of Altinn.
type User struct {
	ID        int64  // positive
	Username  string // may be ""
	PartyID   int64  // positive
	PartyUUID string // not empty
}

// validate reports every invalid field.
func (c *Config) validate(f *fields.Checker) {
	f.URL("Issuer", c.Issuer)
	f.Want(c.Issuer == "" || strings.HasSuffix(c.Issuer, "/") && !strings.ContainsAny(c.Issuer, "{}"), "Issuer", "must end with a slash and hold no braces")
	f.Require(c.Keys != nil, "Keys")
	f.Made(c.Keys, "Keys", "keyset.New")
	f.OptionalValue(c.Organisations, "Organisations")
	f.OptionalValue(c.Users, "Users")
	f.Want(c.Users != nil || len(c.IDPorten.Issuers) == 0, "Users", "is required with IDPorten")
	f.Want(len(c.Maskinporten.Issuers)+len(c.IDPorten.Issuers)+len(c.Studio.Issuers) > 0, "Maskinporten", "must have an issuer, or IDPorten or Studio must")
	f.Want(c.RefreshLength >= 0 && c.RefreshLength%time.Second == 0, "RefreshLength", "must be whole seconds and not negative")
	for i, s := range c.PartnerScopes {
		f.Require(s != "", fmt.Sprintf("PartnerScopes[%d]", i))
	}
}

// verifier returns the verifier of a provider's tokens, nil without issuers. It reports the invalid fields of the provider.
func (p *Provider) verifier(c *Config, field string, f *fields.Checker) *resource.Verifier {
	l := p.Lifetime
	f.Want(l.Rule >= Minimum && l.Rule <= Copy, field+".Lifetime.Rule", "must be Minimum, Fixed or Copy")
	f.Want(l.Length >= 0 && l.Length%time.Second == 0, field+".Lifetime.Length", "must be whole seconds and not negative")
	var all []*resource.Verifier
	for n, i := range p.Issuers {
		v, err := resource.New(resource.Config{
			Issuer: i.Issuer, Keys: i.Keys, URL: c.Issuer, Algorithms: i.Algorithms, Audience: i.Audience,
			// Maskinporten tokens need no scope here. ID-porten tokens without one are answered with 403.
			AllowNoScope: true, AllowLegacyRegister: c.AllowLegacyRegister, Now: c.Now,
		})
		for _, e := range portner.FieldErrors(err) {
			if e.Field != "URL" { // reported as Issuer
				f.Add(fmt.Sprintf("%s.Issuers[%d].%s", field, n, e.Field), e.Err)
			}
		}
		all = append(all, v)
	}
	if len(all) == 0 || slices.Contains(all, nil) {
		return nil
	}
	v, err := resource.Any(all...)
	f.Add(field+".Issuers", err)
	return v
}
