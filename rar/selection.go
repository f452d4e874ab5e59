package rar

import (
	"errors"
	"fmt"
	"slices"

	"github.com/portner-go/portner/internal/display"
)

// Selection holds what the user selects on the representation page before details are granted.
type Selection struct {
	Choices  []Choice // of all types; may be empty
	Multiple bool     // more than one may be selected
	Required bool     // at least one must be selected

	rules []rule // of each type, if several types have choices
}

// rule is what one type requires of its own choices.
type rule struct {
	ids                []string
	multiple, required bool
}

// check applies the rule to the choices of its type. It ignores the choices of other types.
func (r rule) check(selected []string) error {
	n := 0
	for _, id := range r.ids {
		if slices.Contains(selected, id) {
			n++
		}
	}
	switch {
	case n == 0 && r.required:
		return ErrDenied
	case n > 1 && !r.multiple:
		return fmt.Errorf("%w: only one choice of a type may be selected", ErrValue)
	}
	return nil
}

// Check validates the IDs that the user selected, and returns them in the order of the choices. It returns ErrDenied if there are
// none and Required is set, and ErrValue if an ID is not one of the choices or is repeated, or if there are several and Multiple is
// not set. If several types have choices, the Required and Multiple of each type also apply to its own choices.
func (s *Selection) Check(selected []string) ([]string, error) {
	if len(selected) == 0 && s.Required {
		return nil, ErrDenied
	}
	if len(selected) > 1 && !s.Multiple {
		return nil, fmt.Errorf("%w: only one choice may be selected", ErrValue)
	}
	for _, r := range s.rules {
		if err := r.check(selected); err != nil {
			return nil, err
		}
	}
	var ordered []string
	for _, c := range s.Choices {
		if slices.Contains(selected, c.ID) {
			ordered = append(ordered, c.ID)
		}
	}
	if len(ordered) != len(selected) {
		return nil, fmt.Errorf("%w: not one of the choices", ErrValue)
	}
	return ordered, nil
}

// Length limits in characters.
const (
	maxText = 255  // of the name and the hint of a choice
	maxLine = 1000 // of a line that describes a detail
)

// makeShowable replaces a name that a page must not show by the ID, and leaves out such a hint. Names come from registers, whose
// owners may choose them; the user still recognises the number of an organisation, and can select the others.
func (c *Choice) makeShowable() {
	if display.Problem(c.Name, maxText, false) != "" {
		c.Name = c.ID
	}
	if display.Problem(c.Hint, maxText, false) != "" {
		c.Hint = ""
	}
}

// add adds the choices of one type. With several types, one choice of each may be selected.
func (s *Selection) add(choices []Choice, r rule) {
	for _, c := range choices {
		r.ids = append(r.ids, c.ID)
		c.makeShowable()
		s.Choices = append(s.Choices, c)
	}
	s.rules = append(s.rules, r)
	s.Multiple = s.Multiple || r.multiple || len(s.rules) > 1
	s.Required = s.Required || r.required
}

// checkIDs returns an error if two choices have the same ID, or one has none, or one that the page must show and cannot: that is a
// fault of a type.
func (s *Selection) checkIDs() error {
	seen := make(map[string]bool, len(s.Choices))
	for _, c := range s.Choices {
		if c.ID == "" || seen[c.ID] {
			return errors.New("rar: two choices have the same ID, or one has no ID")
		}
		if c.Name == c.ID && display.Problem(c.ID, maxText, false) != "" {
			return errors.New("rar: a choice has no name that a page may show")
		}
		seen[c.ID] = true
	}
	return nil
}
