package keyset

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/portner-go/portner/internal/fields"
)

// Join returns the set of the keys of some sets. It has what they have at each instant: it signs with their active keys, and publishes and
// verifies with all that they publish. The default algorithm is that of the first set. A provider with several algorithms, whose keys are
// stored, joins one [Shared] or [Directory] for each. Run and Rotate of the joint set run and rotate each of them; Replace and Add return an
// error. It reports every problem at once: no set, a set that is nil or itself joint, and an algorithm that two sets have.
func Join(sets ...*Set) (*Set, error) {
	var c fields.Checker
	c.Require(len(sets) > 0, "sets")
	var algs []string
	for i, s := range sets {
		field := fmt.Sprintf("sets[%d]", i)
		switch {
		case s == nil:
			c.Require(false, field)
			continue
		case s.parts != nil:
			c.Add(field, errors.New("is a joint set"))
			continue
		}
		for _, alg := range s.keyAlgs() {
			if slices.Contains(algs, alg) {
				c.Add(field, fmt.Errorf("has a key for %s, as a set before it", alg))
			}
			algs = append(algs, alg)
		}
	}
	if err := c.Err(); err != nil {
		return nil, fmt.Errorf("keyset: %w", err)
	}
	return &Set{defaultAlg: sets[0].defaultAlg, parts: slices.Clone(sets)}, nil
}

var errJoint = errors.New("keyset: the keys of a joint set are those of its sets")

// keyAlgs returns the algorithms of all keys, once each.
func (s *Set) keyAlgs() []string {
	var algs []string
	for _, k := range s.States() {
		if !slices.Contains(algs, k.Alg) {
			algs = append(algs, k.Alg)
		}
	}
	return algs
}

// part returns the set of a joint set that signs with an algorithm. It is the first one if there is none, which returns an error.
func (s *Set) part(alg string, now time.Time) *Set {
	for _, p := range s.parts {
		if p.timeline().at(now).signers[alg] != nil {
			return p
		}
	}
	return s.parts[0]
}

// views returns the views of the parts of a joint set at an instant.
func (s *Set) views(now time.Time) []*view {
	all := make([]*view, len(s.parts))
	for i, p := range s.parts {
		all[i] = p.timeline().at(now)
	}
	return all
}

// jointView is the view of a joint set that was composed last. The views of the parts never change, so it is valid while they are the same.
type jointView struct {
	of []*view
	view
}

// view returns what the set publishes at an instant.
func (s *Set) view(now time.Time) *view {
	if s.parts == nil {
		return s.timeline().at(now)
	}
	of := s.views(now)
	if last := s.joint.Load(); last != nil && slices.Equal(last.of, of) {
		return &last.view
	}
	next := &jointView{of: of}
	for _, v := range of {
		next.algs = append(next.algs, v.algs...)
		next.published = append(next.published, v.published...)
		next.jwks = append(next.jwks, v.jwks...)
	}
	next.setJWKS()
	s.joint.Store(next)
	return &next.view
}

// jointStates returns the states of the keys of a joint set, in the order of its sets.
func (s *Set) jointStates() []KeyState {
	var all []KeyState
	for _, p := range s.parts {
		all = append(all, p.States()...)
	}
	return all
}

// eachPart calls f for all sets of a joint set at the same time, and returns their errors.
func (s *Set) eachPart(f func(*Set) error) error {
	errs := make([]error, len(s.parts))
	var wg sync.WaitGroup
	for i, p := range s.parts {
		wg.Go(func() { errs[i] = f(p) })
	}
	wg.Wait()
	return errors.Join(errs...)
}
