package altinn

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/portner-go/portner/digdir/altinn"
	"github.com/portner-go/portner/internal/standin"
	"github.com/portner-go/portner/resource"
)

// Config is the configuration file. docs/altinn-config.schema.json describes it.
type Config struct {
	Schema   string           `json:"$schema,omitempty"`
	Settings standin.Settings `json:"settings,omitempty"`
	Issuer   string           `json:"issuer,omitempty"`
	// TestIssuer repeats the issuer if other machines reach the server; see standin.Sites.CheckTest.
	TestIssuer string `json:"test_issuer,omitempty"`

	Maskinporten providerEntry `json:"maskinporten,omitzero"`
	IDPorten     providerEntry `json:"idporten,omitzero"`
	Studio       providerEntry `json:"altinnstudio,omitzero"`

	Organisations []organisation `json:"organisations,omitempty"`
	Users         []user         `json:"users,omitempty"`

	Parties     []party      `json:"parties,omitempty"`
	Systems     []system     `json:"systems,omitempty"`
	SystemUsers []systemUser `json:"system_users,omitempty"`
	// IntrospectionIssuers are issuers whose tokens are active at the introspection endpoint, beside this server.
	IntrospectionIssuers []issuerEntry `json:"introspection_issuers,omitempty"`

	// APIKeys are accepted in the header field ApiKey. If empty, the server makes one at each start and prints it.
	APIKeys           []string `json:"api_keys,omitempty"`
	PartnerScopes     []string `json:"partner_scopes,omitempty"`
	DelegationSources []string `json:"delegation_sources,omitempty"`

	LegacyRegister *bool `json:"legacy_register,omitempty"` // the default is true, as at Altinn
	KeepJTI        bool  `json:"keep_jti,omitempty"`
	NegotiateJSON  bool  `json:"negotiate_json,omitempty"`

	standin.Signing
}

// providerEntry holds the issuers whose tokens are exchanged, and the lifetime of the new tokens.
type providerEntry struct {
	Issuers         []issuerEntry `json:"issuers,omitempty"`
	Lifetime        string        `json:"lifetime,omitempty"`         // fixed, copy or minimum; the default is that of Altinn
	LifetimeSeconds int           `json:"lifetime_seconds,omitempty"` // the default is 1800
}

type issuerEntry struct {
	Issuer  string `json:"issuer"`
	JWKSURI string `json:"jwks_uri,omitempty"` // the default is the path of the real service below the issuer
}

// organisation is a service owner: an organisation with a code at Altinn.
type organisation struct {
	Orgno string `json:"orgno"`
	Org   string `json:"org"`
	Name  string `json:"name,omitempty"`
}

// user is a person in the register of Altinn.
type user struct {
	PID       string `json:"pid"`
	UserID    int64  `json:"user_id"`
	Username  string `json:"username,omitempty"`
	PartyID   int64  `json:"party_id"`
	PartyUUID string `json:"party_uuid"`

	Represents []representation `json:"represents,omitempty"`
}

// Members implements standin.Configuration. Altinn has no clients.
func (c Config) Members() standin.Members {
	return standin.Members{Issuer: c.Issuer, TestIssuer: c.TestIssuer, Settings: c.Settings, Signing: c.Signing}
}

// ReadConfig reads a configuration file.
func ReadConfig(path string) (Config, error) {
	d, err := standin.ReadDocument(path)
	if err != nil {
		return Config{}, err
	}
	return ParseConfig(d)
}

// ParseConfig reads a configuration and reports every problem at once.
func ParseConfig(d standin.Document) (Config, error) { return parseConfig(d, nil) }

// parseConfig reads a configuration with changes.
func parseConfig(d standin.Document, merge standin.Merge) (Config, error) {
	return standin.ParseConfig(d, merge, (*Config).check)
}

func (c *Config) check() error {
	var p standin.Problems
	if c.Issuer != "" && (!isURL(c.Issuer) || !strings.HasSuffix(c.Issuer, "/")) {
		p.Add("issuer", "must be an http or https URL that ends with a slash")
	}
	c.Maskinporten.check("maskinporten", &p)
	c.IDPorten.check("idporten", &p)
	c.Studio.check("altinnstudio", &p)
	checkIssuers(c.IntrospectionIssuers, "introspection_issuers", &p)
	for i, s := range c.IntrospectionIssuers {
		if s.JWKSURI == "" {
			p.Add(fmt.Sprintf("introspection_issuers[%d].jwks_uri", i), "is required")
		}
	}
	for i, s := range c.Studio.Issuers {
		if s.JWKSURI == "" {
			p.Add(fmt.Sprintf("altinnstudio.issuers[%d].jwks_uri", i), "is required: the issuer is not a URL")
		}
	}
	var orgnos []string
	for i, o := range c.Organisations {
		at := fmt.Sprintf("organisations[%d]", i)
		p.Orgno(at+".orgno", o.Orgno)
		if o.Org == "" {
			p.Add(at+".org", "is required")
		}
		orgnos = append(orgnos, o.Orgno)
	}
	p.Unique("organisations", "orgno", orgnos)
	c.checkUsers(&p)
	c.checkRegister(&p)
	c.CheckSigning(&p, nil)
	if slices.Contains(c.APIKeys, "") {
		p.Add("api_keys", "must not hold an empty key")
	}
	if slices.Contains(c.PartnerScopes, "") {
		p.Add("partner_scopes", "must not hold an empty scope")
	}
	return p.Err()
}

func (c Config) checkUsers(p *standin.Problems) {
	for i, u := range c.Users {
		at := fmt.Sprintf("users[%d]", i)
		p.PID(at+".pid", u.PID)
		if u.UserID <= 0 || u.PartyID <= 0 || u.PartyUUID == "" {
			p.Add(at, "user_id, party_id and party_uuid are required")
		}
		if slices.IndexFunc(c.Users, func(e user) bool { return e.PID == u.PID }) != i {
			p.Add(at+".pid", "occurs twice")
		}
	}
}

var rules = map[string]altinn.Rule{"fixed": altinn.Fixed, "copy": altinn.Copy, "minimum": altinn.Minimum}

// maxLifetime is one day, in seconds.
const maxLifetime = 24 * 3600

func (e providerEntry) check(at string, p *standin.Problems) {
	if _, ok := rules[e.Lifetime]; !ok && e.Lifetime != "" {
		p.Add(at+".lifetime", "%q is none of fixed, copy and minimum", e.Lifetime)
	}
	if e.LifetimeSeconds < 0 || e.LifetimeSeconds > maxLifetime {
		p.Add(at+".lifetime_seconds", "must be from 0 (1800) to %d", maxLifetime)
	}
	checkIssuers(e.Issuers, at+".issuers", p)
}

func checkIssuers(issuers []issuerEntry, at string, p *standin.Problems) {
	for i, issuer := range issuers {
		path := fmt.Sprintf("%s[%d]", at, i)
		if issuer.Issuer == "" {
			p.Add(path+".issuer", "is required")
		}
		if issuer.JWKSURI != "" && !isURL(issuer.JWKSURI) {
			p.Add(path+".jwks_uri", "must be an http or https URL")
		}
	}
}

func isURL(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https")
}

// Platform returns the address that clients request as resource: https://tt02.altinn.no/, the platform with its slash, not the
// issuer below it (docs/spec/maskinporten.md MV1).
func Platform(issuer string) string {
	u, err := url.Parse(issuer)
	if err != nil {
		return issuer
	}
	return u.Scheme + "://" + u.Host + "/"
}

// provider returns the configuration of a provider. path is the default path of its keys below the issuer, and hc requests them.
func (e providerEntry) provider(own, path, rule string, hc *http.Client) altinn.Provider {
	p := altinn.Provider{Lifetime: altinn.Lifetime{
		Rule: rules[cmp.Or(e.Lifetime, rule)], Length: time.Duration(e.LifetimeSeconds) * time.Second,
	}}
	for _, i := range e.Issuers {
		uri := cmp.Or(i.JWKSURI, strings.TrimSuffix(i.Issuer, "/")+path)
		p.Issuers = append(p.Issuers, altinn.Issuer{Issuer: i.Issuer, Keys: resource.RemoteKeys{URI: uri, HTTP: hc}, Audience: []string{own, Platform(own)}})
	}
	return p
}

// with returns c with the entries of b that c does not have.
func (c Config) with(b Config) Config {
	if len(c.Maskinporten.Issuers) == 0 {
		c.Maskinporten.Issuers = b.Maskinporten.Issuers
	}
	if len(c.IDPorten.Issuers) == 0 {
		c.IDPorten.Issuers = b.IDPorten.Issuers
	}
	c.Organisations = standin.Merged(c.Organisations, b.Organisations, func(o organisation) string { return o.Orgno })
	c.Parties = standin.Merged(c.Parties, b.Parties, func(p party) string { return p.Orgno })
	c.Systems = standin.Merged(c.Systems, b.Systems, func(s system) string { return s.ID })
	for _, u := range b.Users {
		if !slices.ContainsFunc(c.Users, func(own user) bool { return own.PID == u.PID || own.UserID == u.UserID }) {
			c.Users = append(c.Users, u)
		}
	}
	if len(c.APIKeys) == 0 {
		c.APIKeys = []string{rand.Text()}
	}
	if c.DelegationSources == nil {
		c.DelegationSources = b.DelegationSources
	}
	return c
}
