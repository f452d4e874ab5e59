package rar

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"

	"github.com/portner-go/portner/internal/display"
)

// Text describes one detail to the user. Pages do not show it if it breaks the rules for a client_name, or if a line has more than
// 1000 characters: such a request is rejected with ErrValue.
type Text struct {
	Title string   // one line, such as the name of a resource
	Lines []string // further lines, such as the actions
}

// Shown is one requested detail as a page shows it. The page must escape all texts, and must also show the name and the
// organisation of the client.
type Shown struct {
	ID   string          // value of the checkbox on the consent page: "detail 1", …, which is never the name of a scope
	Type string          // value of the member "type"
	JSON json.RawMessage // the whole object, as requested
	Text                 // of Type.Describe; without it, Title is the type
}

// Offer holds what the details of a request offer to one user: what the pages show, and what the answers grant.
type Offer struct {
	// Selection holds the choices of the representation page. It is nil if no type of the details has choices.
	Selection *Selection
	// Represented are the details that the representation page shows with the choices. Selecting a choice approves them.
	Represented []Shown
	// Approvable are the details that the consent page shows. The user approves each of them.
	Approvable []Shown

	request Request
	parts   []offerPart
}

// offerPart is what one type offers.
type offerPart struct {
	t       Type
	details []Detail
	shown   []Shown  // nil if no page shows the details
	choices []string // IDs
}

// Offer loads what the details offer to the user of req, with one call of Choices and Describe for each type.
func (r *Registry) Offer(ctx context.Context, req Request, details []Detail) (*Offer, error) {
	req.loads = &loads{values: map[string]any{}}
	o := &Offer{request: req}
	err := r.each(details, func(t Type, own []Detail) error {
		p := offerPart{t: t, details: own}
		if t.Choices != nil {
			choices, err := t.Choices(ctx, req, own)
			if err != nil {
				return err
			}
			p.choices = o.addChoices(t, own, choices)
		}
		if !t.NoApproval && (t.Choices == nil || len(p.choices) > 0) {
			if err := p.describe(ctx, req); err != nil {
				return err
			}
		}
		o.parts = append(o.parts, p)
		return nil
	})
	if err != nil {
		return nil, err
	}
	o.number(details)
	if o.Selection == nil {
		return o, nil
	}
	if len(o.Selection.rules) == 1 {
		o.Selection.rules = nil
	}
	return o, o.Selection.checkIDs()
}

// addChoices adds the choices of one type to the selection and returns their IDs.
func (o *Offer) addChoices(t Type, details []Detail, choices []Choice) (ids []string) {
	if o.Selection == nil {
		o.Selection = &Selection{}
	}
	o.Selection.add(choices, rule{multiple: t.Multiple != nil && t.Multiple(details), required: t.Required != nil && t.Required(details)})
	for _, c := range choices {
		ids = append(ids, c.ID)
	}
	return ids
}

// describe sets the texts of the pages.
func (p *offerPart) describe(ctx context.Context, req Request) error {
	texts := make([]Text, len(p.details))
	if p.t.Describe != nil {
		var err error
		if texts, err = p.t.Describe(ctx, req, p.details); err != nil {
			return err
		}
		if len(texts) != len(p.details) {
			return errors.New("rar: Describe did not return one text for each detail")
		}
	}
	for i, d := range p.details {
		if !texts[i].showable() {
			return fmt.Errorf("%w: a text of a detail of type %s may not be shown", ErrValue, d.Type)
		}
		if texts[i].Title == "" {
			texts[i].Title = d.Type
		}
		p.shown = append(p.shown, Shown{Type: d.Type, JSON: d.JSON, Text: texts[i]})
	}
	return nil
}

// showable reports whether pages may show the texts. The user would approve what no page says clearly if one was left out.
func (t *Text) showable() bool {
	return !slices.ContainsFunc(append([]string{t.Title}, t.Lines...), func(text string) bool {
		return text != "" && display.Problem(text, maxLine, false) != ""
	})
}

// number gives each shown detail an ID by its place in the request, and sorts them into those of the two pages.
func (o *Offer) number(details []Detail) {
	next := map[string]int{}
	for i, d := range details {
		p := &o.parts[slices.IndexFunc(o.parts, func(p offerPart) bool { return p.t.Name == d.Type })]
		if p.shown == nil {
			continue
		}
		s := &p.shown[next[d.Type]]
		next[d.Type]++
		s.ID = "detail " + strconv.Itoa(i+1)
		if p.t.Choices != nil {
			o.Represented = append(o.Represented, *s)
		} else {
			o.Approvable = append(o.Approvable, *s)
		}
	}
}

// Grant returns the granted authorization_details as a JSON array, "[]" if no detail is granted. The argument selected holds the
// IDs of choices, and approved those of Approvable. Details that are neither selected, approved nor of a type with NoApproval are
// left out (RFC 9396 §7 lets the response differ from the request). It returns ErrDenied if the selection is not, or no longer,
// possible.
func (o *Offer) Grant(ctx context.Context, selected, approved []string) (json.RawMessage, error) {
	if o.Selection != nil {
		if _, err := o.Selection.Check(selected); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrDenied, err)
		}
	} else if len(selected) > 0 {
		return nil, fmt.Errorf("%w: no type has choices", ErrDenied)
	}
	granted := []json.RawMessage{}
	for _, p := range o.parts {
		details, own := p.answered(selected, approved)
		if len(details) == 0 {
			continue
		}
		g, err := p.t.Grant(ctx, o.request, details, own)
		if err != nil {
			return nil, err
		}
		granted = append(granted, g...)
	}
	return json.Marshal(granted)
}

// answered returns the details of the type that may be granted, and the selected choices of the type.
func (p *offerPart) answered(selected, approved []string) (details []Detail, own []string) {
	switch {
	case p.t.NoApproval:
		return p.details, nil
	case p.t.Choices != nil:
		for _, id := range p.choices {
			if slices.Contains(selected, id) {
				own = append(own, id)
			}
		}
		if len(own) == 0 {
			return nil, nil
		}
		return p.details, own
	}
	for i, d := range p.details {
		if slices.Contains(approved, p.shown[i].ID) {
			details = append(details, d)
		}
	}
	return details, nil
}

// loads holds the results of Once.
type loads struct {
	mu     sync.Mutex
	values map[string]any
}

// loaded is one result of Once.
type loaded[T any] struct {
	value T
	err   error
}

// Once returns the result of load, which is called once for each key in an HTTP request. Types call it for what Describe, Choices
// and Grant load from one register, so that they agree and the register is queried once. The key begins with the name of the type.
func Once[T any](r Request, key string, load func() (T, error)) (T, error) {
	if r.loads == nil {
		return load()
	}
	r.loads.mu.Lock()
	known, ok := r.loads.values[key].(loaded[T])
	r.loads.mu.Unlock()
	if ok {
		return known.value, known.err
	}
	v, err := load()
	r.loads.mu.Lock()
	defer r.loads.mu.Unlock()
	r.loads.values[key] = loaded[T]{v, err}
	return v, err
}
