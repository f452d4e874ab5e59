package ansattporten

import (
	"context"
	"encoding/json"
	"regexp"
	"slices"

	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/pseudonym"
	"github.com/portner-go/portner/rar"
	"github.com/portner-go/portner/session"
)

// The types of Ansattporten.
const (
	// AltinnService is a service of Altinn 2: urn:altinn:resource:<code>:<edition>.
	AltinnService = "ansattporten:altinn:service"
	// AltinnResource is a resource of Altinn 3: urn:altinn:resource:<identifier>.
	AltinnResource = "ansattporten:altinn:resource"
)

// Altinn knows who may act for whom with a service or resource.
type Altinn interface {
	// Reportees returns what the resource is called and for whom the person may act with it; for nobody is
	// no error. An error that wraps rar.ErrValue says that there is no such resource, any other is a
	// fault. It is asked several times during a login.
	Reportees(ctx context.Context, pid norway.PID, resource string) (Resource, error)
}

// Resource is a service or resource, as one person may use it.
type Resource struct {
	Name      string     // what people call it
	Reportees []Reportee // for whom the person may act
}

var (
	serviceURN  = regexp.MustCompile(`^urn:altinn:resource:[0-9]{1,9}:[0-9]{1,9}$`)
	resourceURN = regexp.MustCompile(`^urn:altinn:resource:[a-z0-9_-]{1,200}$`)
)

// ServiceType is ansattporten:altinn:service.
func ServiceType(source Altinn) rar.Type {
	return altinnType{source, serviceURN, writeService}.of(AltinnService, append([]string{memberResource}, optionMembers...))
}

// ResourceType is ansattporten:altinn:resource.
func ResourceType(source Altinn) rar.Type {
	return altinnType{source, resourceURN, writeResource}.of(AltinnResource, append([]string{memberResource, memberActions}, optionMembers...))
}

// altinnType is what both types share: who may be chosen for a resource.
type altinnType struct {
	source Altinn
	urn    *regexp.Regexp
	write  func(o options, name string, parties []Reportee) any
}

func (t altinnType) of(name string, members []string) rar.Type {
	return rar.Type{
		Name: name, Members: members, Alone: true, Validate: t.validate, Choices: t.choices, Multiple: multiple, Required: required,
		Grant: func(ctx context.Context, r rar.Request, details []rar.Detail, chosen []string) ([]json.RawMessage, error) {
			return t.grant(ctx, name, r, details, chosen)
		},
	}
}

func (t altinnType) validate(d rar.Detail) error {
	o, err := read(d)
	if err == nil && !t.urn.MatchString(o.resource) {
		err = invalid(memberResource)
	}
	return err
}

// offer is one detail with those who may be represented for it.
type offer struct {
	options
	name    string
	parties []Reportee
}

// pidOf returns the national identity number of the user, or zero.
func pidOf(r rar.Request) norway.PID {
	id, _ := pseudonym.Find(r.Identifiers, session.TypePID)
	pid, _ := norway.ParsePID(id.Reveal()) // an invalid number is none
	return pid
}

// ask asks the register about each detail. Somebody without a national identity number may act for
// nobody.
func (t altinnType) ask(ctx context.Context, r rar.Request, details []rar.Detail) ([]offer, error) {
	all, err := readAll(details)
	pid := pidOf(r)
	if err != nil || pid.IsZero() {
		return nil, err
	}
	must := needed(all)
	offers := make([]offer, len(all))
	for i, o := range all {
		o.required = must // who may be represented for one detail is one question for all
		res, err := t.source.Reportees(ctx, pid, o.resource)
		if err != nil {
			return nil, err
		}
		parties, err := offered(res.Reportees, o)
		if err != nil {
			return nil, err
		}
		offers[i] = offer{o, res.Name, parties}
	}
	return offers, nil
}

// choices are the union of the details': the page asks once (maskinporten-altinn section 4.2).
func (t altinnType) choices(ctx context.Context, r rar.Request, details []rar.Detail) ([]rar.Choice, error) {
	offers, err := t.ask(ctx, r, details)
	var lists [][]Reportee
	for _, o := range offers {
		lists = append(lists, o.parties)
	}
	return union(r, lists...), err
}

// grant writes one detail for each resource at which somebody who was chosen may be represented.
func (t altinnType) grant(ctx context.Context, name string, r rar.Request, details []rar.Detail, chosen []string) ([]json.RawMessage, error) {
	if len(chosen) == 0 {
		return nil, nil
	}
	offers, err := t.ask(ctx, r, details)
	if err != nil {
		return nil, err
	}
	var granted []any
	self := false
	for _, o := range offers {
		organisations, alsoSelf := chosenOf(o.parties, chosen)
		self = self || alsoSelf
		if len(organisations) > 0 {
			granted = append(granted, t.write(o.options, o.name, organisations))
		}
	}
	if self {
		granted = append(granted, ofSelf{name})
	}
	return encode(granted)
}

// service is the answer for a service (maskinporten-altinn sections 4.3 and 6.6).
type service struct {
	Type         string     `json:"type"`
	Resource     string     `json:"resource"`
	ResourceName string     `json:"resource_name"`
	Reportees    []reportee `json:"reportees"`
}

type reportee struct {
	Rights []string `json:"Rights"`
	identifier
	Name string `json:"Name"`
}

func writeService(o options, name string, parties []Reportee) any {
	s := service{Type: AltinnService, Resource: o.resource, ResourceName: name}
	for _, p := range parties {
		s.Reportees = append(s.Reportees, reportee{list(p.Rights), identify(p.Orgno), p.Name})
	}
	return s
}

// resource is the answer for a resource. Its authority is not capitalised (Q17: as documented).
type resource struct {
	Type         string            `json:"type"`
	Resource     string            `json:"resource"`
	ResourceName string            `json:"resource_name"`
	Parties      []authorizedParty `json:"authorized_parties"`
}

type authorizedParty struct {
	Orgno    norway.Identifier `json:"orgno"`
	Resource string            `json:"resource"`
	Actions  []string          `json:"actions,omitempty"`
	Name     string            `json:"name"`
	UnitType string            `json:"unit_type"`
}

// writeResource tells of the actions that were asked for those the person may take.
func writeResource(o options, name string, parties []Reportee) any {
	res := resource{Type: AltinnResource, Resource: o.resource, ResourceName: name}
	for _, p := range parties {
		party := authorizedParty{Orgno: norway.OrgIdentifier(p.Orgno), Resource: o.resource, Name: p.Name, UnitType: p.UnitType}
		for _, a := range o.actions {
			if slices.Contains(p.Rights, a) && !slices.Contains(party.Actions, a) {
				party.Actions = append(party.Actions, a)
			}
		}
		res.Parties = append(res.Parties, party)
	}
	return res
}

func encode(granted []any) ([]json.RawMessage, error) {
	texts := make([]json.RawMessage, len(granted))
	for i := range granted {
		var err error
		if texts[i], err = json.Marshal(granted[i]); err != nil {
			return nil, err
		}
	}
	return texts, nil
}
