package ansattporten

import (
	"fmt"
	"slices"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/jose"
	"github.com/portner-go/portner/rar"
)

// Members of requested details (docs/spec/ansattporten.md §4.2).
const (
	memberResource = "resource"
	memberActions  = "actions"
	memberForm     = "organizationform"
	memberMultiple = "allow_multiple_organizations"
	memberDeleted  = "allow_deleted_organizations"
	memberRequired = "representation_is_required"
)

// optionMembers are the members that restrict the choice.
var optionMembers = []string{memberForm, memberMultiple, memberDeleted, memberRequired}

// options holds the members of a requested detail.
type options struct {
	resource string
	actions  []string
	form     string // enterprise or business; "" for both
	multiple bool
	deleted  bool
	required bool
}

// read reads the members of a detail.
func read(d rar.Detail) (options, error) {
	o, err := jose.ParseObject(d.JSON)
	if err != nil {
		return options{}, fmt.Errorf("%w: %w", rar.ErrMalformed, err)
	}
	var opt options
	if opt.resource, err = o.OptionalString(memberResource); err != nil {
		return options{}, invalid(memberResource)
	}
	if o.Has(memberActions) {
		if opt.actions, err = o.Strings(memberActions); err != nil || len(opt.actions) == 0 || slices.Contains(opt.actions, "") {
			return options{}, invalid(memberActions)
		}
	}
	if opt.form, err = o.OptionalString(memberForm); err != nil || !slices.Contains([]string{"", enterprise, business}, opt.form) || o.Has(memberForm) && opt.form == "" {
		return options{}, invalid(memberForm)
	}
	for name, into := range map[string]*bool{memberMultiple: &opt.multiple, memberDeleted: &opt.deleted, memberRequired: &opt.required} {
		if *into, err = flag(o, name); err != nil {
			return options{}, err
		}
	}
	return opt, nil
}

// flag reads a boolean, or one as a string: published samples have both.
func flag(o jose.Object, name string) (bool, error) {
	switch o.Kind(name) {
	case jose.Absent:
		return false, nil
	case jose.KindBool:
		return o.Bool(name)
	}
	switch s, _ := o.OptionalString(name); s {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, invalid(name)
}

func invalid(member string) error { return &portner.FieldError{Field: member, Err: rar.ErrValue} }

// readAll reads details that were validated before.
func readAll(details []rar.Detail) ([]options, error) {
	all := make([]options, len(details))
	for i := range details {
		var err error
		if all[i], err = read(details[i]); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// multiple reports whether every detail allows several organisations. One choice applies to all details.
func multiple(details []rar.Detail) bool {
	all, err := readAll(details)
	return err == nil && !slices.ContainsFunc(all, func(o options) bool { return !o.multiple })
}

// required reports whether any detail requires representation.
func required(details []rar.Detail) bool {
	all, err := readAll(details)
	return err != nil || anyRequired(all)
}

func anyRequired(all []options) bool {
	return slices.ContainsFunc(all, func(o options) bool { return o.required })
}
