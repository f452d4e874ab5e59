package scope

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
)

// AccessState is an organisation's access to a scope.
type AccessState string

// The states of an access. Only an approved one gives anything.
const (
	Requested AccessState = "REQUESTED"
	Approved  AccessState = "APPROVED"
	Denied    AccessState = "DENIED"
)

// Source finds scopes and accesses. It is asked several times on every request and answers from
// memory. An implementation that returns a record it should not is an open door: the records are
// the policy.
type Source interface {
	// Scope returns the record, or nil. The caller does not change it.
	Scope(name string) *Scope
	// Access returns the access of an organisation to a scope, "" if there is none.
	Access(name, consumerOrgno string) AccessState
}

// Access is one entry of the access list: the owner of a scope lets an organisation use it.
type Access struct {
	Scope         string      `json:"scope"`          // name of a scope that has a record
	ConsumerOrgno string      `json:"consumer_orgno"` // nine digits
	State         AccessState `json:"state"`          // required
}

// Registry is a Source over fixed records. It is immutable and safe for concurrent use.
type Registry struct {
	scopes map[string]*Scope
	access map[accessKey]AccessState
}

type accessKey struct{ scope, orgno string }

// NewRegistry copies and checks all records and reports all problems at once, each naming the
// scope and the property. The built-in scopes openid, profile and idporten:token.introspection
// need no record; email, address, phone and offline_access do: see [StandardScopes].
func NewRegistry(scopes []Scope, access []Access) (*Registry, error) {
	r := &Registry{
		scopes: make(map[string]*Scope, len(scopes)),
		access: make(map[accessKey]AccessState, len(access)),
	}
	var errs []error
	for i := range scopes {
		s := complete(scopes[i])
		errs = append(errs, check(s))
		if _, ok := r.scopes[s.Name]; ok {
			errs = append(errs, fmt.Errorf("scope %q: name: given twice", s.Name))
		}
		r.scopes[s.Name] = s
	}
	for _, a := range access {
		errs = append(errs, r.add(a))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return r, nil
}

// add checks one access. What it says about itself must hold even if the scope is wrong.
func (r *Registry) add(a Access) error {
	p := &problems{scope: a.Scope}
	if r.scopes[a.Scope] == nil {
		p.add("access", "there is no such scope")
	}
	if !isOrgno(a.ConsumerOrgno) {
		p.add("access", "consumer_orgno must be nine digits")
	}
	if a.State != Requested && a.State != Approved && a.State != Denied {
		p.add("access", "state must be REQUESTED, APPROVED or DENIED")
	}
	key := accessKey{a.Scope, a.ConsumerOrgno}
	if _, ok := r.access[key]; ok {
		p.add("access", "organisation %s is given twice", a.ConsumerOrgno)
	}
	r.access[key] = a.State
	return errors.Join(p.errs...)
}

// complete copies a record, shares nothing with it, and fills what can be derived.
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

// Scope implements Source.
func (r *Registry) Scope(name string) *Scope { return r.scopes[name] }

// Access implements Source.
func (r *Registry) Access(name, consumerOrgno string) AccessState {
	return r.access[accessKey{name, consumerOrgno}]
}

// All returns the records in the order of their names, without the built-in ones.
func (r *Registry) All() iter.Seq[*Scope] {
	return func(yield func(*Scope) bool) {
		for _, name := range slices.Sorted(maps.Keys(r.scopes)) {
			if !yield(r.scopes[name]) {
				return
			}
		}
	}
}
