package main

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/portner-go/portner/digdir/altinn"
	"github.com/portner-go/portner/examples/internal/strictjson"
	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/resource"
)

// config is the file behind -config. docs/altinn-config.schema.json describes it.
type config struct {
	Schema string `json:"$schema,omitempty"`
	Issuer string `json:"issuer,omitempty"`

	Maskinporten providerEntry `json:"maskinporten,omitzero"`
	IDPorten     providerEntry `json:"idporten,omitzero"`
	Studio       providerEntry `json:"altinnstudio,omitzero"`

	Organisations []organisation `json:"organisations,omitempty"`
	Users         []user         `json:"users,omitempty"`

	PartnerScopes     []string `json:"partner_scopes,omitempty"`
	DelegationSources []string `json:"delegation_sources,omitempty"`

	LegacyRegister *bool `json:"legacy_register,omitempty"` // true if absent, as at Altinn
	KeepJTI        bool  `json:"keep_jti,omitempty"`
	NegotiateJSON  bool  `json:"negotiate_json,omitempty"`
}

// providerEntry says whose tokens are taken and how long Altinn's live that come of them.
type providerEntry struct {
	Issuers         []issuerEntry `json:"issuers,omitempty"`
	Lifetime        string        `json:"lifetime,omitempty"`         // fixed, copy or minimum; Altinn's own if absent
	LifetimeSeconds int           `json:"lifetime_seconds,omitempty"` // 1800 if absent
}

type issuerEntry struct {
	Issuer  string `json:"issuer"`
	JWKSURI string `json:"jwks_uri,omitempty"` // where the service has it, if absent
}

// organisation is one that has a code at Altinn: a service owner.
type organisation struct {
	Orgno string `json:"orgno"`
	Org   string `json:"org"`
	Name  string `json:"name,omitempty"`
}

// user is a person in Altinn's register.
type user struct {
	PID       string `json:"pid"`
	UserID    int64  `json:"user_id"`
	Username  string `json:"username,omitempty"`
	PartyID   int64  `json:"party_id"`
	PartyUUID string `json:"party_uuid"`
}

// readConfig reads a configuration file and reports everything that is wrong with it at once.
func readConfig(path string) (config, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return config{}, fmt.Errorf("-config: %w", err)
	}
	var c config
	if err = strictjson.Decode(data, &c); err == nil {
		err = c.check()
	}
	if err != nil {
		return config{}, fmt.Errorf("%s:\n%w", path, err)
	}
	return c, nil
}

// problems collects what is wrong, each with the path of the member.
type problems []error

func (p *problems) add(path, format string, args ...any) {
	*p = append(*p, fmt.Errorf("%s: %s", path, fmt.Sprintf(format, args...)))
}

func (c config) check() error {
	var p problems
	if c.Issuer != "" && (!isURL(c.Issuer) || !strings.HasSuffix(c.Issuer, "/")) {
		p.add("issuer", "must be an http or https URL that ends with a slash")
	}
	c.Maskinporten.check("maskinporten", &p)
	c.IDPorten.check("idporten", &p)
	c.Studio.check("altinnstudio", &p)
	for i, s := range c.Studio.Issuers {
		if s.JWKSURI == "" {
			p.add(fmt.Sprintf("altinnstudio.issuers[%d].jwks_uri", i), "is required: the issuer is no address")
		}
	}
	for i, o := range c.Organisations {
		at := fmt.Sprintf("organisations[%d]", i)
		if !norway.ValidOrgno(o.Orgno) {
			p.add(at+".orgno", "must be nine digits with the right check digit")
		}
		if o.Org == "" {
			p.add(at+".org", "is required")
		}
		if slices.IndexFunc(c.Organisations, func(e organisation) bool { return e.Orgno == o.Orgno }) != i {
			p.add(at+".orgno", "is there already")
		}
	}
	c.checkUsers(&p)
	if slices.Contains(c.PartnerScopes, "") {
		p.add("partner_scopes", "must not hold an empty scope")
	}
	return errors.Join(p...)
}

func (c config) checkUsers(p *problems) {
	for i, u := range c.Users {
		at := fmt.Sprintf("users[%d]", i)
		if _, err := norway.ParsePID(u.PID); err != nil {
			p.add(at+".pid", "is not a national identity number")
		}
		if u.UserID <= 0 || u.PartyID <= 0 || u.PartyUUID == "" {
			p.add(at, "user_id, party_id and party_uuid are required")
		}
		if slices.IndexFunc(c.Users, func(e user) bool { return e.PID == u.PID }) != i {
			p.add(at+".pid", "is there already")
		}
	}
}

var rules = map[string]altinn.Rule{"fixed": altinn.Fixed, "copy": altinn.Copy, "minimum": altinn.Minimum}

// maxLifetime is a day.
const maxLifetime = 24 * 3600

func (e providerEntry) check(at string, p *problems) {
	if _, ok := rules[e.Lifetime]; !ok && e.Lifetime != "" {
		p.add(at+".lifetime", "%q is none of fixed, copy and minimum", e.Lifetime)
	}
	if e.LifetimeSeconds < 0 || e.LifetimeSeconds > maxLifetime {
		p.add(at+".lifetime_seconds", "must be from 0 (1800) to %d", maxLifetime)
	}
	for i, issuer := range e.Issuers {
		path := fmt.Sprintf("%s.issuers[%d]", at, i)
		if issuer.Issuer == "" {
			p.add(path+".issuer", "is required")
		}
		if issuer.JWKSURI != "" && !isURL(issuer.JWKSURI) {
			p.add(path+".jwks_uri", "must be an http or https URL")
		}
	}
}

func isURL(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https")
}

// platform is the address that seed 002 names as resource: https://tt02.altinn.no/, the whole platform with
// its slash, and not the issuer below it.
func platform(issuer string) string {
	u, err := url.Parse(issuer)
	if err != nil {
		return issuer
	}
	return u.Scheme + "://" + u.Host + "/"
}

// provider turns an entry into what portner knows. path is where the service has its keys, below the issuer.
func (e providerEntry) provider(own, path, rule string) altinn.Provider {
	p := altinn.Provider{Lifetime: altinn.Lifetime{
		Rule: rules[cmp.Or(e.Lifetime, rule)], Length: time.Duration(e.LifetimeSeconds) * time.Second,
	}}
	for _, i := range e.Issuers {
		uri := cmp.Or(i.JWKSURI, strings.TrimSuffix(i.Issuer, "/")+path)
		p.Issuers = append(p.Issuers, altinn.Issuer{Issuer: i.Issuer, Keys: resource.RemoteKeys{URI: uri}, Audience: []string{own, platform(own)}})
	}
	return p
}

// with adds what is built in. What the configuration names itself is the configuration's.
func (c config) with(b config) config {
	if len(c.Maskinporten.Issuers) == 0 {
		c.Maskinporten.Issuers = b.Maskinporten.Issuers
	}
	if len(c.IDPorten.Issuers) == 0 {
		c.IDPorten.Issuers = b.IDPorten.Issuers
	}
	for _, o := range b.Organisations {
		if !slices.ContainsFunc(c.Organisations, func(own organisation) bool { return own.Orgno == o.Orgno }) {
			c.Organisations = append(c.Organisations, o)
		}
	}
	for _, u := range b.Users {
		if !slices.ContainsFunc(c.Users, func(own user) bool { return own.PID == u.PID || own.UserID == u.UserID }) {
			c.Users = append(c.Users, u)
		}
	}
	if c.DelegationSources == nil {
		c.DelegationSources = b.DelegationSources
	}
	return c
}
