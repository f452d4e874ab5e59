package ansattporten

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/fields"
	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/pseudonym"
	"github.com/portner-go/portner/rar"
	"github.com/portner-go/portner/session"
)

// Types of authorization_details.
const (
	typeService  = "ansattporten:altinn:service"
	typeResource = "ansattporten:altinn:resource"
)

// ReporteeSource finds whom a user may represent, as Altinn does. Reportee is Altinn's word for a represented party.
type ReporteeSource interface {
	// Exist returns an error that wraps rar.ErrValue if one of the resources does not exist; every other error is a fault. It is called
	// for each authorization request with the parameter, of any browser, before the user has logged in: answer from memory or a cache.
	Exist(ctx context.Context, resources []string) error
	// Reportees returns for each resource, in their order, its name and whom the user may represent at it, which may be empty. An
	// error that wraps rar.ErrValue reports that there is no such resource; every other error is a fault. It is called once in an
	// HTTP request with every resource (at most rar.MaxDetails): of a user who has logged in, and at each refresh.
	Reportees(ctx context.Context, pid norway.PID, resources []string) ([]Resource, error)
}

// Resource is a service or resource of Altinn for one user.
type Resource struct {
	Name      string     // display name
	Reportees []Reportee // whom the user may represent
}

var (
	serviceURN  = regexp.MustCompile(`^urn:altinn:resource:[0-9]{1,9}:[0-9]{1,9}$`)
	resourceURN = regexp.MustCompile(`^urn:altinn:resource:[a-z0-9_-]{1,200}$`)
)

// ServiceType returns the type ansattporten:altinn:service, for services of Altinn 2. The member resource of a request is
// urn:altinn:resource:<code>:<edition>. rar.NewRegistry rejects the type if source is nil.
func ServiceType(source ReporteeSource) rar.Type {
	return altinnType{source, serviceURN, writeService, leftOfService}.rarType(typeService, append([]string{memberResource}, optionMembers...))
}

// ResourceType returns the type ansattporten:altinn:resource, for resources of Altinn 3. The member resource of a request is
// urn:altinn:resource:<identifier>. rar.NewRegistry rejects the type if source is nil.
func ResourceType(source ReporteeSource) rar.Type {
	return altinnType{source, resourceURN, writeResource, leftOfResource}.rarType(typeResource, append([]string{memberResource, memberActions}, optionMembers...))
}

// altinnType is the common part of both types.
type altinnType struct {
	source ReporteeSource
	urn    *regexp.Regexp
	write  func(o options, name string, parties []Reportee) any
	left   func(granted rar.Detail, list []Reportee) (json.RawMessage, error) // of a granted detail; nil if nothing is
}

func (t altinnType) rarType(name string, members []string) rar.Type {
	if fields.IsNil(t.source) {
		return rar.Type{Name: name}
	}
	return rar.Type{
		Name: name, Members: members, Alone: true, Validate: t.validate, Check: t.check,
		Describe: t.describe, Choices: t.choices, Multiple: multiple, Required: required,
		Grant: func(ctx context.Context, r rar.Request, details []rar.Detail, selected []string) ([]json.RawMessage, error) {
			return t.grant(ctx, name, r, details, selected)
		},
		Refresh: t.refresh,
	}
}

func (t altinnType) validate(d rar.Detail) error {
	o, err := read(d)
	if err == nil && !t.urn.MatchString(o.resource) {
		err = invalid(memberResource)
	}
	return err
}

// check reports whether the resources of the details exist.
func (t altinnType) check(ctx context.Context, _ rar.Request, details []rar.Detail) error {
	all, err := readAll(details)
	if err != nil {
		return err
	}
	if err = t.source.Exist(ctx, resourcesOf(all)); errors.Is(err, rar.ErrValue) {
		return &portner.FieldError{Field: "resource", Err: err}
	}
	return err
}

// resourcesOf returns each resource once.
func resourcesOf(all []options) []string {
	names := make([]string, len(all))
	for i, o := range all {
		names[i] = o.resource
	}
	return slices.Compact(slices.Sorted(slices.Values(names)))
}

// offer is a requested detail with the parties the user may represent for it.
type offer struct {
	options
	name    string
	parties []Reportee
}

// pidOf returns the national identity number of the user, or zero.
func pidOf(r rar.Request) norway.PID {
	id, _ := pseudonym.Find(r.Identifiers, session.TypePID)
	pid, _ := norway.ParsePID(id.Reveal()) // zero if the number is invalid
	return pid
}

// offers returns the offer for each detail, in their order. A user without a national identity number has none.
func (t altinnType) offers(ctx context.Context, r rar.Request, details []rar.Detail) ([]offer, error) {
	all, err := readAll(details)
	pid := pidOf(r)
	if err != nil || pid.IsZero() {
		return nil, err
	}
	resources, err := rar.Once(r, details[0].Type, func() (map[string]Resource, error) {
		return t.load(ctx, pid, resourcesOf(all))
	})
	if err != nil {
		return nil, err
	}
	representationRequired := anyRequired(all)
	offers := make([]offer, len(all))
	for i, o := range all {
		o.required = representationRequired // one choice applies to all details
		res := resources[o.resource]
		parties, err := filter(res.Reportees, o)
		if err != nil {
			return nil, err
		}
		offers[i] = offer{o, res.Name, parties}
	}
	return offers, nil
}

// load queries the register once for all resources.
func (t altinnType) load(ctx context.Context, pid norway.PID, names []string) (map[string]Resource, error) {
	names = slices.Compact(slices.Sorted(slices.Values(names)))
	found, err := t.source.Reportees(ctx, pid, slices.Clone(names))
	if err != nil {
		return nil, err
	}
	if len(found) != len(names) {
		return nil, errors.New("ansattporten: the source did not return one resource for each name")
	}
	resources := make(map[string]Resource, len(names))
	for i, name := range names {
		resources[name] = found[i]
	}
	return resources, nil
}

// describe returns the name of the resource and the actions. The rights of the user in the granted detail are those at the chosen
// organisation.
func (t altinnType) describe(ctx context.Context, r rar.Request, details []rar.Detail) ([]rar.Text, error) {
	offers, err := t.offers(ctx, r, details)
	if err != nil {
		return nil, err
	}
	words := wordsFor(r.Locale)
	texts := make([]rar.Text, len(details))
	for i, o := range offers {
		texts[i] = rar.Text{Title: cmp.Or(o.name, o.resource), Lines: []string{o.resource}}
		switch {
		case len(o.actions) > 0:
			texts[i].Lines = append(texts[i].Lines, words.actions+": "+strings.Join(o.actions, ", "))
		case details[i].Type == typeService: // writeService discloses them
			texts[i].Lines = append(texts[i].Lines, words.rights)
		}
	}
	return texts, nil
}

// choices returns the union of the parties of all details (docs/spec/ansattporten.md §4.2).
func (t altinnType) choices(ctx context.Context, r rar.Request, details []rar.Detail) ([]rar.Choice, error) {
	offers, err := t.offers(ctx, r, details)
	var lists [][]Reportee
	for _, o := range offers {
		lists = append(lists, o.parties)
	}
	return union(r, lists...), err
}

// grant returns one detail for each resource for which the user may represent a selected organisation, and one detail with only the
// type if the user selected themselves.
func (t altinnType) grant(ctx context.Context, name string, r rar.Request, details []rar.Detail, selected []string) ([]json.RawMessage, error) {
	if len(selected) == 0 {
		return nil, nil
	}
	offers, err := t.offers(ctx, r, details)
	if err != nil {
		return nil, err
	}
	var granted []any
	self := false
	for _, o := range offers {
		organisations, alsoSelf := pick(o.parties, selected)
		self = self || alsoSelf
		if len(organisations) > 0 {
			granted = append(granted, t.write(o.options, o.name, organisations))
		}
	}
	if self {
		granted = append(granted, typeOnly{name})
	}
	return encode(granted)
}

// service is the granted detail for a service (docs/spec/ansattporten.md §4.3).
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
	s := service{Type: typeService, Resource: o.resource, ResourceName: name}
	for _, p := range parties {
		s.Reportees = append(s.Reportees, reportee{notNil(p.Rights), identify(p.Orgno), p.Name})
	}
	return s
}

// resource is the granted detail for a resource. Unlike in the other types, authority is not capitalised.
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

// writeResource grants those of the requested actions that the user may take.
func writeResource(o options, name string, parties []Reportee) any {
	res := resource{Type: typeResource, Resource: o.resource, ResourceName: name}
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
