package rar

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// Redeem returns what is left of granted details when a code is redeemed, as Refresh does. Details of types without the function
// Refresh stay: they were granted a moment ago.
func (r *Registry) Redeem(ctx context.Context, req Request, granted json.RawMessage) (json.RawMessage, error) {
	return r.evaluate(ctx, req, granted, true)
}

// Refresh returns what is left of granted details when a refresh token is used. The argument granted is an array as Grant returns
// it, or nil. Details of types without the function Refresh, and of types that the provider does not support any more, are left out.
// Refresh returns ErrDenied if nothing is left because rights have ended.
func (r *Registry) Refresh(ctx context.Context, req Request, granted json.RawMessage) (json.RawMessage, error) {
	return r.evaluate(ctx, req, granted, false)
}

// evaluate calls the functions Refresh. A type without one keeps its details if keep is set.
func (r *Registry) evaluate(ctx context.Context, req Request, granted json.RawMessage, keep bool) (json.RawMessage, error) {
	if len(granted) == 0 {
		return granted, nil
	}
	details, err := splitGranted(granted)
	if err != nil || len(details) == 0 {
		return granted, err
	}
	left, lost := []json.RawMessage{}, false
	for _, own := range byType(details) {
		t, known := r.types[own[0].Type]
		texts, err := t.refresh(ctx, req, own, keep)
		if err != nil {
			return nil, err
		}
		left, lost = append(left, texts...), lost || !known || t.Refresh != nil
	}
	if len(left) == 0 && lost {
		return nil, ErrDenied
	}
	return json.Marshal(left)
}

// splitGranted parses an array as Grant returns it.
func splitGranted(granted json.RawMessage) ([]Detail, error) {
	var texts []json.RawMessage
	if err := json.Unmarshal(granted, &texts); err != nil {
		return nil, fmt.Errorf("rar: parsing the granted details: %w", err)
	}
	details := make([]Detail, len(texts))
	for i, text := range texts {
		var of struct{ Type string }
		if err := json.Unmarshal(text, &of); err != nil {
			return nil, fmt.Errorf("rar: parsing a granted detail: %w", err)
		}
		details[i] = Detail{Type: of.Type, JSON: text}
	}
	return details, nil
}

// byType returns the details of each type, in the order of their first detail.
func byType(details []Detail) (groups [][]Detail) {
	for _, d := range details {
		i := slices.IndexFunc(groups, func(g []Detail) bool { return g[0].Type == d.Type })
		if i < 0 {
			i, groups = len(groups), append(groups, nil)
		}
		groups[i] = append(groups[i], d)
	}
	return groups
}

// refresh returns what is left of the granted details of a type. The zero Type is one that the provider does not support any more.
func (t Type) refresh(ctx context.Context, req Request, own []Detail, keep bool) (left []json.RawMessage, err error) {
	switch {
	case t.Refresh != nil:
		left, err = t.Refresh(ctx, req, own)
	case keep && t.Name != "":
		for _, d := range own {
			left = append(left, d.JSON)
		}
	}
	if errors.Is(err, ErrDenied) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	for _, text := range left {
		if !slices.ContainsFunc(own, func(d Detail) bool { return within(text, d.JSON) }) {
			return nil, fmt.Errorf("rar: the function Refresh of %s returned a detail that is not part of a granted one", t.Name)
		}
	}
	return left, nil
}

// within reports whether a detail is a granted one from which only elements of arrays were removed.
func within(text, granted json.RawMessage) bool {
	var a, b any
	return decode(text, &a) == nil && decode(granted, &b) == nil && part(a, b)
}

// decode decodes JSON. Numbers keep their text.
func decode(text json.RawMessage, v any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return d.Decode(v)
}

// part reports whether a is b, or b without some elements of arrays. An array that becomes empty, and an absent member, are not part
// of a detail: both may mean that there is no limit.
func part(a, b any) bool {
	switch b := b.(type) {
	case map[string]any:
		a, ok := a.(map[string]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for name, of := range b {
			if v, ok := a[name]; !ok || !part(v, of) {
				return false
			}
		}
		return true
	case []any:
		a, ok := a.([]any)
		if !ok || len(a) == 0 && len(b) > 0 {
			return false
		}
		return !slices.ContainsFunc(a, func(v any) bool {
			return !slices.ContainsFunc(b, func(of any) bool { return part(v, of) })
		})
	}
	return a == b
}
