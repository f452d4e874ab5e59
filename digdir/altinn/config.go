package altinn

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/resource"
)

// Path is where tokens are exchanged; the name of the provider follows.
const Path = "/authentication/api/v1/exchange/"

// DefaultLength is how long Altinn's own tokens live.
const DefaultLength = 30 * time.Minute

// PartnerScopes are the scopes of others that open Altinn to a token of ID-porten, beside all that begin with
// "altinn:" (maskinporten-altinn section 3.5).
func PartnerScopes() []string {
	return []string{"skatteetaten:formueinntekt/skattemelding", "skatteetaten:mvameldinginnsending", "skatteetaten:mvameldingvalidering"}
}

// Config configures a [Server].
type Config struct {
	// Issuer is the iss of the tokens, with its slash at the end, and where the metadata is: "https://
	// platform.tt02.altinn.no/authentication/api/v1/openid/". Required.
	Issuer string
	// Keys sign the tokens (a *keyset.Set). Required.
	Keys Keys

	// Maskinporten, IDPorten and Studio are whose tokens are taken under the provider names maskinporten,
	// id-porten and altinnstudio. One without issuers refuses every token. At least one is required.
	Maskinporten, IDPorten, Studio Provider
	// Organisations knows the codes of service owners. nil: no token tells one (urn:altinn:org).
	Organisations Organisations
	// Users is the register of persons. Required with IDPorten.
	Users Users
	// PartnerScopes open the provider id-porten beside those that begin with "altinn:". nil: PartnerScopes();
	// empty: none.
	PartnerScopes []string

	// AllowLegacyRegister takes organisations coded 9908 too, as Altinn does; Maskinporten's are 0192 (Q18).
	AllowLegacyRegister bool
	// KeepJTI leaves the jti of the token that was exchanged in the new one, as Altinn does; else it is
	// fresh (Q13): two tokens then share one, so nobody may take it for unique.
	KeepJTI bool
	// NegotiateJSON answers those who accept application/json and not text/plain with the token as a JSON
	// string, in quotes. Otherwise the token stands bare whatever they accept.
	NegotiateJSON bool

	// Now is the clock; nil is time.Now. It is read once per request.
	Now func() time.Time
	// Logger gets one line per decision and fault; nil discards.
	Logger *slog.Logger
	// OnEvent gets the same decisions as values; nil: nobody listens.
	OnEvent func(context.Context, portner.Event)
}

// Keys sign and publish. *keyset.Set is one.
type Keys interface {
	Sign(alg, typ string, payload []byte, now time.Time) (string, error) // see keyset.Set.Sign
	JWKS(now time.Time) (doc []byte, etag string)                        // see keyset.Set.JWKS
	Algs(now time.Time) []string                                         // see keyset.Set.Algs
}

// Provider is a kind of token that can be exchanged.
type Provider struct {
	// Issuers are trusted, each by its exact name and its own keys.
	Issuers []Issuer
	// Lifetime of the tokens made of theirs. The zero value caps at the end of the exchanged token.
	Lifetime Lifetime
}

// Issuer is one whose tokens are trusted.
type Issuer struct {
	// Issuer is compared byte for byte with iss. Required.
	Issuer string
	// Keys are the issuer's (resource.RemoteKeys or resource.StaticKeys). Required.
	Keys resource.Keys
	// Algorithms it may sign with; nil: those of resource.Config.
	Algorithms []string
	// Audience are the names of this service. A token that is restricted to another audience is refused, and
	// one without aud is taken.
	Audience []string
}

// Lifetime says how long a token lives. The zero value is Minimum of DefaultLength.
type Lifetime struct {
	Rule   Rule          // which of the two ends counts
	Length time.Duration // from now; 0 is DefaultLength
}

// Rule is how a lifetime comes about.
type Rule int

// The rules.
const (
	Minimum Rule = iota // the earlier of Length from now and the end of the exchanged token (Q15)
	Fixed               // Length from now: 120 seconds of Maskinporten's become half an hour
	Copy                // the end of the exchanged token
)

// Organisations knows the codes of service owners.
type Organisations interface {
	// Code returns the code of an organisation, such as "digdir" for 991825827. "" and an error that wraps
	// storage.ErrNotFound say that it has none; any other refuses the exchange.
	Code(ctx context.Context, orgno string) (string, error)
}

// Users is the register of persons.
type Users interface {
	// User returns a person. An error that wraps storage.ErrNotFound says that they are not known; every
	// error refuses the exchange.
	User(ctx context.Context, pid norway.PID) (User, error)
}

// User is a person in the register.
type User struct {
	ID        int64  // user id, more than 0
	Username  string // may be ""
	PartyID   int64  // as party, more than 0
	PartyUUID string // as party, a UUID
}

// validate names every problem at once.
func (c *Config) validate() error {
	var errs []error
	need := func(ok bool, rule string) {
		if !ok {
			errs = append(errs, errors.New(rule))
		}
	}
	u, err := url.Parse(c.Issuer)
	need(err == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http") && u.RawQuery == "" && u.Fragment == "" && u.User == nil,
		"field Issuer must be an absolute URL without query and fragment")
	need(err == nil && strings.HasSuffix(c.Issuer, "/") && !strings.ContainsAny(c.Issuer, "{}"), "field Issuer must end with a slash")
	need(c.Keys != nil, "field Keys is required")
	need(c.Users != nil || len(c.IDPorten.Issuers) == 0, "field Users is required with IDPorten")
	need(len(c.Maskinporten.Issuers)+len(c.IDPorten.Issuers)+len(c.Studio.Issuers) > 0, "field Maskinporten, IDPorten or Studio needs an issuer")
	need(!slices.Contains(c.PartnerScopes, ""), "field PartnerScopes must not hold an empty scope")
	for _, p := range []struct {
		field string
		*Provider
	}{{"Maskinporten", &c.Maskinporten}, {"IDPorten", &c.IDPorten}, {"Studio", &c.Studio}} {
		l := p.Lifetime
		need(l.Rule >= Minimum && l.Rule <= Copy, "field "+p.field+".Lifetime.Rule is none of Minimum, Fixed and Copy")
		need(l.Length >= 0 && l.Length%time.Second == 0, "field "+p.field+".Lifetime.Length must be whole seconds")
		for i, issuer := range p.Issuers {
			need(issuer.Keys != nil, fmt.Sprintf("field %s.Issuers[%d].Keys is required", p.field, i))
		}
	}
	return errors.Join(errs...)
}

// verifier verifies the tokens of one provider; nil if nobody is trusted.
func (c *Config) verifier(p *Provider) (*resource.Verifier, error) {
	var all []*resource.Verifier
	for _, i := range p.Issuers {
		v, err := resource.New(resource.Config{
			Issuer: i.Issuer, Keys: i.Keys, URL: c.Issuer, Algorithms: i.Algorithms, Audience: i.Audience,
			// Maskinporten needs no scope here, and ID-porten's tokens without one are answered 403.
			AllowNoScope: true, AllowLegacyRegister: c.AllowLegacyRegister, Now: c.Now,
		})
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	if len(all) == 0 {
		return nil, nil
	}
	return resource.Any(all...)
}
