package rar

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Question is what a person is asked before details are granted.
type Question struct {
	Choices  []Choice // of all types together; may be none
	Multiple bool     // more than one may be picked
	Required bool     // picking nobody ends the login

	parts []part // what each type asks, if more than one does
}

// part is what one type asks.
type part struct {
	ids                []string
	multiple, required bool
}

// check: one type's leave does not extend to another's choices.
func (p part) check(chosen []string) error {
	n := 0
	for _, id := range p.ids {
		if slices.Contains(chosen, id) {
			n++
		}
	}
	switch {
	case n == 0 && p.required:
		return ErrDenied
	case n > 1 && !p.multiple:
		return fmt.Errorf("%w: only one of a type may be chosen", ErrValue)
	}
	return nil
}

// Pick checks what a person picked: each ID is one of the choices and there once, and more than one only
// with Multiple, else ErrValue; somebody if Required, else ErrDenied. Of a question that Ask returned both
// hold for each type by itself, too. It returns them in the order of
// the choices.
func (q *Question) Pick(chosen []string) ([]string, error) {
	if len(chosen) == 0 && q.Required {
		return nil, ErrDenied
	}
	if len(chosen) > 1 && !q.Multiple {
		return nil, fmt.Errorf("%w: only one may be chosen", ErrValue)
	}
	for _, p := range q.parts {
		if err := p.check(chosen); err != nil {
			return nil, err
		}
	}
	var picked []string
	for _, c := range q.Choices {
		if slices.Contains(chosen, c.ID) {
			picked = append(picked, c.ID)
		}
	}
	if len(picked) != len(chosen) {
		return nil, fmt.Errorf("%w: not one of the choices", ErrValue)
	}
	return picked, nil
}

// Ask returns the question of the details' types, nil if they leave nothing to choose.
func (r *Registry) Ask(ctx context.Context, req Request, details []Detail) (*Question, error) {
	var q *Question
	err := r.each(details, func(t Type, own []Detail) error {
		if t.Choices == nil {
			return nil
		}
		choices, err := t.Choices(ctx, req, own)
		if err != nil {
			return err
		}
		if q == nil {
			q = &Question{}
		}
		p := part{multiple: t.Multiple != nil && t.Multiple(own), required: t.Required != nil && t.Required(own)}
		for _, c := range choices {
			p.ids = append(p.ids, c.ID)
		}
		q.parts = append(q.parts, p)
		q.Choices = append(q.Choices, choices...)
		// Somebody of each type: more than one in all, though perhaps one of each at most.
		q.Multiple = q.Multiple || p.multiple || len(q.parts) > 1
		q.Required = q.Required || p.required
		return nil
	})
	if err != nil {
		return nil, err
	}
	if q != nil && len(q.parts) == 1 {
		q.parts = nil
	}
	return q, q.distinct()
}

// distinct refuses choices that cannot be told apart: a mistake of a type's, or of two types'.
func (q *Question) distinct() error {
	if q == nil {
		return nil
	}
	seen := make(map[string]bool, len(q.Choices))
	for _, c := range q.Choices {
		if c.ID == "" || seen[c.ID] {
			return errors.New("rar: two choices have the same ID, or one has none")
		}
		seen[c.ID] = true
	}
	return nil
}
