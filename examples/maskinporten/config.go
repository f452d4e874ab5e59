package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/examples/internal/strictjson"
	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/scope"
)

// config is the file behind -config. docs/maskinporten-config.schema.json describes it.
type config struct {
	Schema string `json:"$schema,omitempty"`
	Issuer string `json:"issuer,omitempty"`

	Organisations []organisation `json:"organisations,omitempty"`
	Clients       []clientEntry  `json:"clients,omitempty"`
	Scopes        []scope.Scope  `json:"scopes,omitempty"`
	ScopeAccess   []scope.Access `json:"scope_access,omitempty"`
	Delegations   []delegation   `json:"delegations,omitempty"`
	SystemUsers   []systemUser   `json:"system_users,omitempty"`
	Consents      []consent      `json:"consents,omitempty"`

	Certificates certificates `json:"business_certificates,omitzero"`

	Skyporten       bool `json:"skyporten,omitempty"`
	RequireJTI      bool `json:"require_jti,omitempty"`
	StrictIat       bool `json:"strict_iat,omitempty"`
	LegacyForbidden bool `json:"legacy_forbidden,omitempty"`
}

// certificates are the authorities whose business certificates are good. Files are looked for beside the
// configuration.
type certificates struct {
	Roots []string `json:"roots,omitempty"`
	CRLs  []string `json:"crls,omitempty"`
}

// organisation is one that others in the file may name.
type organisation struct {
	Orgno string `json:"orgno"`
	Name  string `json:"name"`
}

// clientEntry is a registration with the wire property a client.Client does not hold as it is.
type clientEntry struct {
	client.Client
	Active *bool `json:"active,omitempty"`
}

// delegation is what an organisation lets another do for it.
type delegation struct {
	Consumer string   `json:"consumer_orgno"`
	Supplier string   `json:"supplier_orgno"`
	Scopes   []string `json:"scopes"`
}

// systemUser is a system user of a customer, with the system it points at.
type systemUser struct {
	ID          string   `json:"id"`
	System      string   `json:"system_id"`
	ClientIDs   []string `json:"client_ids"`
	Vendor      string   `json:"vendor_orgno"`
	Customer    string   `json:"customer_orgno"`
	ExternalRef string   `json:"external_ref,omitempty"` // the customer's number if absent
}

// consent is what a person or an organisation agreed to.
type consent struct {
	ID        string         `json:"id"`
	From      string         `json:"from"`
	To        string         `json:"to_orgno"`
	Consented time.Time      `json:"consented,omitzero"`
	ValidTo   time.Time      `json:"valid_to"`
	Rights    []consentRight `json:"consent_rights,omitempty"`
}

// consentRight is one element of consentRights, as the token has it.
type consentRight struct {
	Action   []string          `json:"action"`
	Resource []consentResource `json:"resource"`
	Metadata map[string]string `json:"metadata,omitempty"`
}

type consentResource struct {
	Type  string `json:"type"`
	Value string `json:"value"`
}

// scopeMembers are what a scope.Scope reads beside its fields.
var scopeMembers = []string{
	"active", "description#nn", "description#en", "description#se", "long_description#nn", "long_description#en", "long_description#se",
}

// readConfig reads a configuration file and reports everything that is wrong with it at once.
func readConfig(path string) (config, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return config{}, fmt.Errorf("-config: %w", err)
	}
	var c config
	err = strictjson.Decode(data, &c, strictjson.Also{Type: reflect.TypeFor[scope.Scope](), Members: scopeMembers})
	if err == nil {
		err = c.check()
	}
	if err != nil {
		return config{}, fmt.Errorf("%s:\n%w", path, err)
	}
	for _, files := range [][]string{c.Certificates.Roots, c.Certificates.CRLs} {
		for i, f := range files {
			if !filepath.IsAbs(f) {
				files[i] = filepath.Join(filepath.Dir(path), f)
			}
		}
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
	for i, o := range c.Organisations {
		at := fmt.Sprintf("organisations[%d]", i)
		p.orgno(at+".orgno", o.Orgno)
		if o.Name == "" {
			p.add(at+".name", "is required")
		}
	}
	c.checkClients(&p)
	c.checkAltinn(&p)
	if _, err := scope.NewRegistry(c.with(builtin()).Scopes, c.with(builtin()).ScopeAccess); err != nil {
		p = append(p, err)
	}
	return errors.Join(p...)
}

func (p *problems) orgno(path, orgno string) {
	if !norway.ValidOrgno(orgno) {
		p.add(path, "must be nine digits with the right check digit")
	}
}

func (c config) checkClients(p *problems) {
	for i, e := range c.Clients {
		at := fmt.Sprintf("clients[%d]", i)
		for _, err := range split(e.registration(time.Time{}).Validate(environment)) {
			if pe, ok := errors.AsType[*client.PropertyError](err); ok {
				p.add(at+"."+pe.Property, "%s", pe.Rule)
			}
		}
		if slices.IndexFunc(c.Clients, func(o clientEntry) bool { return o.ClientID == e.ClientID }) != i {
			p.add(at+".client_id", "%q is there already", e.ClientID)
		}
	}
}

// split returns the parts of a joined error.
func split(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return nil
}

func (c config) checkAltinn(p *problems) {
	for i, d := range c.Delegations {
		at := fmt.Sprintf("delegations[%d]", i)
		p.orgno(at+".consumer_orgno", d.Consumer)
		p.orgno(at+".supplier_orgno", d.Supplier)
		if d.Consumer == d.Supplier {
			p.add(at+".supplier_orgno", "is the consumer's")
		}
	}
	for i, s := range c.SystemUsers {
		at := fmt.Sprintf("system_users[%d]", i)
		p.orgno(at+".vendor_orgno", s.Vendor)
		p.orgno(at+".customer_orgno", s.Customer)
		if s.ID == "" {
			p.add(at+".id", "is required")
		}
		if !strings.HasPrefix(s.System, s.Vendor+"_") {
			p.add(at+".system_id", "must begin with the vendor's number and _")
		}
	}
	for i, o := range c.Consents {
		at := fmt.Sprintf("consents[%d]", i)
		p.orgno(at+".to_orgno", o.To)
		if o.ID == "" || o.From == "" || o.ValidTo.IsZero() {
			p.add(at, "id, from and valid_to are required")
		}
	}
}

// environment: keys are optional where a business certificate does.
var environment = client.Environment{Test: true, BusinessCertificates: true}

// registration turns an entry into what portner knows.
func (e clientEntry) registration(now time.Time) *client.Client {
	c := e.Client
	c.Inactive = e.Active != nil && !*e.Active
	if len(c.JWKS) > 0 {
		c.KeysUploadedAt = now
	}
	if c.IntegrationType == "" {
		c.IntegrationType = "maskinporten"
	}
	if c.TokenEndpointAuthMethod == "" {
		c.TokenEndpointAuthMethod = client.PrivateKeyJWT
	}
	return &c
}

// with adds what is built in. What the configuration names itself is the configuration's.
func (c config) with(b config) config {
	c.Organisations = merged(c.Organisations, b.Organisations, func(o organisation) string { return o.Orgno })
	c.Clients = merged(c.Clients, b.Clients, func(e clientEntry) string { return e.ClientID })
	c.Scopes = merged(c.Scopes, b.Scopes, func(s scope.Scope) string {
		if s.Name == "" {
			return s.Prefix + ":" + s.Subscope
		}
		return s.Name
	})
	c.ScopeAccess = merged(c.ScopeAccess, b.ScopeAccess, func(a scope.Access) string { return a.Scope + " " + a.ConsumerOrgno })
	c.Delegations = append(slices.Clone(c.Delegations), b.Delegations...)
	c.SystemUsers = merged(c.SystemUsers, b.SystemUsers, func(s systemUser) string { return s.ID })
	c.Consents = merged(c.Consents, b.Consents, func(o consent) string { return o.ID })
	return c
}

// merged are one's own entries and those of others that have another key.
func merged[T any](own, others []T, key func(T) string) []T {
	all := slices.Clone(own)
	for _, o := range others {
		if !slices.ContainsFunc(own, func(e T) bool { return key(e) == key(o) }) {
			all = append(all, o)
		}
	}
	return all
}

// name is an organisation's, or its number.
func (c config) name(orgno string) string {
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
		panic(err) // structs of strings
	}
	return b
}
