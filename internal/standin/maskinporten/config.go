package maskinporten

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/standin"
	"github.com/portner-go/portner/scope"
)

// Config is the configuration file. docs/maskinporten-config.schema.json describes it.
type Config struct {
	standin.Common

	Organisations []organisation `json:"organisations,omitempty"`
	Delegations   []delegation   `json:"delegations,omitempty"`
	SystemUsers   []systemUser   `json:"system_users,omitempty"`
	Consents      []consent      `json:"consents,omitempty"`

	// Altinn is the base URL of an Altinn that knows further system users, with its slash.
	Altinn string `json:"altinn,omitempty"`

	Skyporten       bool `json:"skyporten,omitempty"`
	RequireJTI      bool `json:"require_jti,omitempty"`
	StrictIat       bool `json:"strict_iat,omitempty"`
	LegacyForbidden bool `json:"legacy_forbidden,omitempty"`
}

// organisation is the name of an organisation number.
type organisation struct {
	Orgno string `json:"orgno"`
	Name  string `json:"name"`
}

// delegation permits a supplier to use scopes of a consumer.
type delegation struct {
	Consumer string   `json:"consumer_orgno"`
	Supplier string   `json:"supplier_orgno"`
	Scopes   []string `json:"scopes"`
}

// delegated returns a function that reports whether a supplier may use a scope for a consumer of a delegation, which has access to it.
func (c *Config) delegated(scopes scope.Source) func(supplier, name string) bool {
	return func(supplier, name string) bool {
		s := scopes.Scope(name)
		return s != nil && s.DelegationSource != "" && slices.ContainsFunc(c.Delegations, func(d delegation) bool {
			return d.Supplier == supplier && slices.Contains(d.Scopes, name) && scopes.Access(name, d.Consumer) == scope.Approved
		})
	}
}

// systemUser is a system user of a customer, with its system.
type systemUser struct {
	ID          string   `json:"id"`
	System      string   `json:"system_id"`
	ClientIDs   []string `json:"client_ids"`
	Vendor      string   `json:"vendor_orgno"`
	Customer    string   `json:"customer_orgno"`
	ExternalRef string   `json:"external_ref,omitempty"` // the default is the number of the customer
}

// consent is a consent of a person or an organisation.
type consent struct {
	ID        string         `json:"id"`
	From      string         `json:"from"`
	To        string         `json:"to_orgno"`
	Consented time.Time      `json:"consented,omitzero"`
	ValidTo   time.Time      `json:"valid_to"`
	Rights    []consentRight `json:"consent_rights,omitempty"`
}

// consentRight is an element of consentRights in a token.
type consentRight struct {
	Action   []string          `json:"action"`
	Resource []consentResource `json:"resource"`
	Metadata map[string]string `json:"metadata,omitempty"`
}

type consentResource struct {
	Type  string `json:"type"`
	Value string `json:"value"`
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
	c, err := standin.ParseConfig(d, merge, (*Config).check)
	c.Certificates.Resolve(d.Path)
	return c, err
}

func (c *Config) check() error {
	var p standin.Problems
	for i, o := range c.Organisations {
		at := fmt.Sprintf("organisations[%d]", i)
		p.Orgno(at+".orgno", o.Orgno)
		if o.Name == "" {
			p.Add(at+".name", "is required")
		}
	}
	c.registered().CheckClients(&p, environment)
	c.CheckSigning(&p, c.Clients)
	c.checkAltinn(&p)
	if c.Altinn != "" {
		p.SecureURL("altinn", c.Altinn) // it receives tokens
		p.Want(strings.HasSuffix(c.Altinn, "/"), "altinn", "must end with a slash")
	}
	all := c.with(builtin())
	_, err := scope.NewRegistry(all.Scopes, all.ScopeAccess)
	p.Join("", err)
	return p.Err()
}

func (c Config) checkAltinn(p *standin.Problems) {
	for i, d := range c.Delegations {
		at := fmt.Sprintf("delegations[%d]", i)
		p.Orgno(at+".consumer_orgno", d.Consumer)
		p.Orgno(at+".supplier_orgno", d.Supplier)
		if d.Consumer == d.Supplier {
			p.Add(at+".supplier_orgno", "must not be the consumer")
		}
	}
	for i, s := range c.SystemUsers {
		at := fmt.Sprintf("system_users[%d]", i)
		p.Orgno(at+".vendor_orgno", s.Vendor)
		p.Orgno(at+".customer_orgno", s.Customer)
		if s.ID == "" {
			p.Add(at+".id", "is required")
		}
		if !strings.HasPrefix(s.System, s.Vendor+"_") {
			p.Add(at+".system_id", "must begin with the vendor's number and _")
		}
	}
	for i, o := range c.Consents {
		at := fmt.Sprintf("consents[%d]", i)
		p.Orgno(at+".to_orgno", o.To)
		if o.ID == "" || o.From == "" || o.ValidTo.IsZero() {
			p.Add(at, "id, from and valid_to are required")
		}
	}
}

// environment allows clients of organisations to authenticate with business certificates.
var environment = client.Environment{Test: true, BusinessCertificates: true}

// registered returns the common members with the defaults of registrations.
func (c Config) registered() standin.Common {
	common := c.Common
	common.Clients = slices.Clone(c.Clients)
	for i := range common.Clients {
		e := &common.Clients[i]
		e.IntegrationType = cmp.Or(e.IntegrationType, "maskinporten")
		e.TokenEndpointAuthMethod = cmp.Or(e.TokenEndpointAuthMethod, client.PrivateKeyJWT)
	}
	return common
}

// ClientRegistry returns the registrations.
func (c Config) ClientRegistry(now time.Time) (*client.Registry, error) {
	return c.registered().ClientRegistry(environment, now)
}

// with returns c with the entries of b that c does not have.
func (c Config) with(b Config) Config {
	c.Common = c.With(b.Common)
	c.Organisations = standin.Merged(c.Organisations, b.Organisations, func(o organisation) string { return o.Orgno })
	c.Delegations = standin.Merged(c.Delegations, b.Delegations, func(d delegation) string { return d.Consumer + " " + d.Supplier })
	c.SystemUsers = standin.Merged(c.SystemUsers, b.SystemUsers, func(s systemUser) string { return s.ID })
	c.Consents = standin.Merged(c.Consents, b.Consents, func(o consent) string { return o.ID })
	return c
}

// name returns the name of an organisation, or its number if the configuration has no name.
func (c Config) name(orgno string) string {
	for _, o := range c.Organisations {
		if o.Orgno == orgno {
			return o.Name
		}
	}
	return orgno
}

func encoded(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // v contains strings only
	}
	return b
}
