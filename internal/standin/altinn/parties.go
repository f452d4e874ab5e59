package altinn

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/standin"
	"github.com/portner-go/portner/internal/standin/systemuser"
	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/storage"
)

// party is an organisation in the register of parties.
type party struct {
	Orgno     string `json:"orgno"`
	Name      string `json:"name"`
	PartyID   int64  `json:"party_id"`
	PartyUUID string `json:"party_uuid"`
	UnitType  string `json:"unit_type,omitempty"`
	Parent    string `json:"parent_orgno,omitempty"` // the main unit, for a subunit

	Represents []representation `json:"represents,omitempty"`
}

// representation is an organisation that a user or another organisation may represent.
type representation struct {
	Orgno         string   `json:"orgno"`
	AccessManager bool     `json:"access_manager,omitempty"` // may approve requests for system users
	Resources     []string `json:"resources,omitempty"`
	Roles         []string `json:"roles,omitempty"`
}

// system is a system of the register.
type system struct {
	ID             string   `json:"system_id"`
	Vendor         string   `json:"vendor_orgno"`
	Name           string   `json:"name"`
	Description    string   `json:"description,omitempty"`
	ClientIDs      []string `json:"client_ids,omitempty"`
	Resources      []string `json:"resources,omitempty"`
	AccessPackages []string `json:"access_packages,omitempty"`
	RedirectURLs   []string `json:"redirect_urls,omitempty"`
}

// systemUser is a system user of a customer.
type systemUser struct {
	ID          string `json:"id"`
	System      string `json:"system_id"`
	Customer    string `json:"customer_orgno"`
	ExternalRef string `json:"external_ref,omitempty"` // the default is the number of the customer
}

// checkRegister records the problems of parties, systems and system users.
func (c Config) checkRegister(p *standin.Problems) {
	all := c.with(builtin(Options{}))
	var orgnos []string
	for i, o := range c.Parties {
		at := fmt.Sprintf("parties[%d]", i)
		p.Orgno(at+".orgno", o.Orgno)
		if o.Name == "" || o.PartyID <= 0 || o.PartyUUID == "" {
			p.Add(at, "name, party_id and party_uuid are required")
		}
		if o.Parent != "" && (all.party(o.Parent) == nil || all.party(o.Parent).Parent != "") {
			p.Add(at+".parent_orgno", "must be a main unit of parties")
		}
		all.checkRepresents(at, o.Represents, p)
		orgnos = append(orgnos, o.Orgno)
	}
	p.Unique("parties", "orgno", orgnos)
	for i, u := range c.Users {
		all.checkRepresents(fmt.Sprintf("users[%d]", i), u.Represents, p)
	}
	ids := map[int64]string{}
	for _, o := range all.Parties {
		ids[o.PartyID] += " " + o.Orgno
	}
	for i, o := range c.Parties {
		if strings.Count(ids[o.PartyID], " ") > 1 {
			p.Add(fmt.Sprintf("parties[%d].party_id", i), "is that of another party")
		}
	}
	c.checkSystems(p)
	for i, u := range c.SystemUsers {
		at := fmt.Sprintf("system_users[%d]", i)
		p.Orgno(at+".customer_orgno", u.Customer)
		if u.ID == "" {
			p.Add(at+".id", "is required")
		}
		if !slices.ContainsFunc(all.Systems, func(s system) bool { return s.ID == u.System }) {
			p.Add(at+".system_id", "is no system of systems")
		}
	}
}

// members are the members of a system in the configuration, by those of the register.
var members = map[string]string{
	"id": "system_id", "vendor.ID": "vendor_orgno", "name": "name", "clientId": "client_ids", "rights": "resources", "accessPackages": "access_packages",
	"allowedRedirectUrls": "redirect_urls",
}

func (c Config) checkSystems(p *standin.Problems) {
	var ids []string
	clients := map[string]bool{}
	for i, s := range c.systems() {
		at := fmt.Sprintf("systems[%d].", i)
		for _, e := range portner.FieldErrors(s.Validate()) {
			p.Add(at+members[e.Field], "%w", e.Err)
		}
		for _, id := range s.ClientID {
			if clients[id] {
				p.Add(at+"client_ids", "%q is a client of another system", id)
			}
			clients[id] = true
		}
		ids = append(ids, s.ID)
	}
	p.Unique("systems", "system_id", ids)
}

func (c Config) checkRepresents(at string, list []representation, p *standin.Problems) {
	for i, r := range list {
		if c.party(r.Orgno) == nil {
			p.Add(fmt.Sprintf("%s.represents[%d].orgno", at, i), "is no organisation of parties")
		}
	}
}

// party returns an organisation, nil if there is none.
func (c Config) party(orgno string) *party {
	i := slices.IndexFunc(c.Parties, func(p party) bool { return p.Orgno == orgno })
	if i < 0 {
		return nil
	}
	return &c.Parties[i]
}

// systems returns the systems in the form of the register.
func (c Config) systems() []systemuser.System {
	var all []systemuser.System
	for _, s := range c.Systems {
		out := systemuser.System{
			ID: s.ID, Vendor: systemuser.Vendor{ID: norway.OrgIdentifier(s.Vendor).ID}, Name: texts(s.Name), Description: texts(s.Description), ClientID: s.ClientIDs,
			IsVisible: true, AllowedRedirectURLs: s.RedirectURLs,
		}
		for _, r := range s.Resources {
			out.Rights = append(out.Rights, systemuser.Right{Resource: []systemuser.Resource{{ID: "urn:altinn:resource", Value: r}}})
		}
		for _, urn := range s.AccessPackages {
			out.AccessPackages = append(out.AccessPackages, systemuser.AccessPackage{URN: urn})
		}
		all = append(all, out)
	}
	return all
}

func texts(text string) map[string]string {
	return map[string]string{"nb": text, "nn": text, "en": text}
}

// systemUsers returns the system users in the form of the register.
func (c Config) systemUsers() []systemuser.User {
	var all []systemuser.User
	for _, u := range c.SystemUsers {
		i := slices.IndexFunc(c.Systems, func(s system) bool { return s.ID == u.System })
		if i < 0 {
			continue // check rejected it
		}
		ref, vendor := u.ExternalRef, c.Systems[i].Vendor
		if ref == "" {
			ref = u.Customer
		}
		out := systemuser.User{
			ID: u.ID, IntegrationTitle: c.Systems[i].Name, SystemID: u.System, ProductName: u.System, ReporteeOrgNo: u.Customer, SupplierOrgno: vendor,
			ExternalRef: ref, UserType: "standard", Created: time.Unix(0, 0).UTC(),
		}
		if p := c.party(vendor); p != nil {
			out.SupplierName = p.Name
		}
		all = append(all, out)
	}
	return all
}

// Organisation implements systemuser.Parties.
func (r registers) Organisation(_ context.Context, orgno string) (systemuser.Party, error) {
	return found(r.cfg.party(orgno))
}

// Party implements systemuser.Parties.
func (r registers) Party(_ context.Context, id int64) (systemuser.Party, error) {
	i := slices.IndexFunc(r.cfg.Parties, func(p party) bool { return p.PartyID == id })
	if i < 0 {
		return found(nil)
	}
	return found(&r.cfg.Parties[i])
}

func found(p *party) (systemuser.Party, error) {
	if p == nil {
		return systemuser.Party{}, storage.ErrNotFound
	}
	return systemuser.Party{ID: p.PartyID, Orgno: p.Orgno, Name: p.Name}, nil
}

// Manages implements systemuser.Parties.
func (r registers) Manages(_ context.Context, userID int64, orgno string) (bool, error) {
	return slices.ContainsFunc(r.cfg.managers(orgno), func(u user) bool { return u.UserID == userID }), nil
}

// managers returns the access managers of an organisation.
func (c Config) managers(orgno string) []user {
	var all []user
	for _, u := range c.Users {
		if slices.ContainsFunc(u.Represents, func(r representation) bool { return r.Orgno == orgno && r.AccessManager }) {
			all = append(all, u)
		}
	}
	return all
}

// Authorized implements systemuser.Parties.
func (r registers) Authorized(_ context.Context, s systemuser.Subject) ([]systemuser.AuthorizedParty, error) {
	for _, u := range r.cfg.Users {
		if named := u.subjects(); slices.Contains(named, s) {
			pid := u.PID
			person := systemuser.AuthorizedParty{PartyUUID: u.PartyUUID, Name: u.Username, PersonID: &pid, PartyID: u.PartyID, Type: "Person"}
			return append([]systemuser.AuthorizedParty{person}, r.cfg.represented(u.Represents)...), nil
		}
	}
	for _, p := range r.cfg.Parties {
		if named := p.subjects(); slices.Contains(named, s) {
			return r.cfg.represented(p.Represents), nil
		}
	}
	return nil, storage.ErrNotFound
}

// subjects returns the names of a user.
func (u user) subjects() []systemuser.Subject {
	return []systemuser.Subject{
		{Type: systemuser.SubjectUser, Value: strconv.FormatInt(u.UserID, 10)},
		{Type: "urn:altinn:partyid", Value: strconv.FormatInt(u.PartyID, 10)},
		{Type: "urn:altinn:person:identifier-no", Value: u.PID},
		{Type: "urn:altinn:person:uuid", Value: u.PartyUUID},
	}
}

// subjects returns the names of an organisation.
func (p party) subjects() []systemuser.Subject {
	return []systemuser.Subject{
		{Type: "urn:altinn:partyid", Value: strconv.FormatInt(p.PartyID, 10)},
		{Type: "urn:altinn:organization:identifier-no", Value: p.Orgno},
		{Type: "urn:altinn:organization:uuid", Value: p.PartyUUID},
	}
}

// represented returns the organisations of a list, each subunit below its main unit.
func (c Config) represented(list []representation) []systemuser.AuthorizedParty {
	var all []systemuser.AuthorizedParty
	main := func(p *party) *systemuser.AuthorizedParty { // of an organisation that is no subunit
		i := slices.IndexFunc(all, func(a systemuser.AuthorizedParty) bool { return a.PartyID == p.PartyID })
		if i < 0 {
			all = append(all, p.authorized())
			i = len(all) - 1
			all[i].OnlyHierarchy = true
		}
		return &all[i]
	}
	for _, r := range list {
		p := c.party(r.Orgno)
		if p == nil {
			continue // check rejected it
		}
		if p.Parent == "" {
			a := main(p)
			a.OnlyHierarchy, a.Resources, a.Roles = false, r.Resources, r.Roles
			continue
		}
		sub, of := p.authorized(), main(c.party(p.Parent))
		sub.Resources, sub.Roles = r.Resources, r.Roles
		of.Subunits = append(of.Subunits, sub)
	}
	return all
}

func (p *party) authorized() systemuser.AuthorizedParty {
	orgno := p.Orgno
	a := systemuser.AuthorizedParty{PartyUUID: p.PartyUUID, Name: p.Name, OrganizationNumber: &orgno, PartyID: p.PartyID, Type: "Organization"}
	if p.UnitType != "" {
		unit := p.UnitType
		a.UnitType = &unit
	}
	return a
}
