package scope

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/portner-go/portner/internal/fields"
)

// AccessState is an organisation's access to a scope.
type AccessState string

// States of an access. Only Approved permits use.
const (
	Requested AccessState = "REQUESTED"
	Approved  AccessState = "APPROVED"
	Denied    AccessState = "DENIED"
)

// Source finds scope records. Its methods are called several times for every request and have no context and no error, so they
// must read from memory. The caller does not validate the records: what they permit is granted. [NewRegistry] validates records.
type Source interface {
	// Scope returns the record of a scope, nil for an unknown name. The caller does not change it.
	Scope(name string) *Scope
	// Access returns the access of an organisation to a scope, "" if there is none.
	Access(name, organisation string) AccessState
}

// Access is the decision of a scope's owner whether an organisation may use the scope.
type Access struct {
	Scope         string      `json:"scope"`          // name of a scope with a record
	ConsumerOrgno string      `json:"consumer_orgno"` // nine digits
	State         AccessState `json:"state"`          // required
}

// Registry is a Source over fixed records. It is immutable and safe for concurrent use.
type Registry struct {
	scopes map[string]*Scope
	access map[accessKey]AccessState
}

type accessKey struct{ scope, organisation string }

// NewRegistry validates and copies all records. It reports every problem at once, as a portner.FieldError with the path of the
// property, such as "scopes[2].at_max_age" or "scope_access[0].state". The built-in scopes openid, profile and
// idporten:token.introspection need no record; email, address, phone and offline_access do: see [StandardScopes].
func NewRegistry(scopes []Scope, access []Access) (*Registry, error) {
	r := &Registry{
		scopes: make(map[string]*Scope, len(scopes)),
		access: make(map[accessKey]AccessState, len(access)),
	}
	var problems fields.Checker
	for i := range scopes {
		s := complete(scopes[i])
		p := &record{Scope: s, path: fmt.Sprintf("scopes[%d]", i), problems: &problems}
		p.validate()
		p.want(r.scopes[s.Name] == nil, "name", "is repeated")
		r.scopes[s.Name] = s
	}
	for i, a := range access {
		r.add(a, fmt.Sprintf("scope_access[%d]", i), &problems)
	}
	if err := problems.Err(); err != nil {
		return nil, fmt.Errorf("scope: %w", err)
	}
	return r, nil
}

// add validates one access.
func (r *Registry) add(a Access, path string, problems *fields.Checker) {
	want := func(ok bool, property, rule string) {
		problems.Want(ok, path+"."+property, fmt.Sprintf("scope %q: %s", a.Scope, rule))
	}
	key := accessKey{a.Scope, a.ConsumerOrgno}
	_, repeated := r.access[key]
	want(r.scopes[a.Scope] != nil, "scope", "has no record")
	want(isOrgno(a.ConsumerOrgno), "consumer_orgno", "must be nine digits")
	want(!repeated, "consumer_orgno", "is repeated for this scope")
	want(a.State == Requested || a.State == Approved || a.State == Denied, "state", "must be REQUESTED, APPROVED or DENIED")
	r.access[key] = a.State
}

// complete returns a deep copy of a record and sets the members that follow from others.
func complete(s Scope) *Scope {
	if s.Name == "" && s.Prefix != "" {
		s.Name = s.Prefix + ":" + s.Subscope
	}
	if prefix, subscope, ok := strings.Cut(s.Name, ":"); ok && s.Prefix == "" && s.Subscope == "" {
		s.Prefix, s.Subscope = prefix, subscope
	}
	if s.TokenType == "" {
		s.TokenType = SelfContained
	}
	if s.Visibility == "" {
		s.Visibility = VisibilityPublic
	}
	s.Descriptions = maps.Clone(s.Descriptions)
	s.LongDescriptions = maps.Clone(s.LongDescriptions)
	s.AllowedIntegrationTypes = slices.Clone(s.AllowedIntegrationTypes)
	s.EnforcedAudForIntrospection = slices.Clone(s.EnforcedAudForIntrospection)
	return &s
}

// Scope returns the record of a scope, nil for an unknown name.
func (r *Registry) Scope(name string) *Scope { return r.scopes[name] }

// Access returns the access of an organisation to a scope, "" if there is none.
func (r *Registry) Access(name, organisation string) AccessState {
	return r.access[accessKey{name, organisation}]
}

// All returns the records in the order of their names, without built-in ones.
func (r *Registry) All() iter.Seq[*Scope] {
	return func(yield func(*Scope) bool) {
		for _, name := range slices.Sorted(maps.Keys(r.scopes)) {
			if !yield(r.scopes[name]) {
				return
			}
		}
	}
}
