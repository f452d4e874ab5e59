package ansattporten

import (
	"fmt"
	"slices"

	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/rar"
)

// Self is the ID of the choice that is the person themselves, where a register lists them among those they
// may act for. It counts as representing nobody: it is no choice where representation is required.
const Self = "self"

// The values of organizationform.
const (
	enterprise = "enterprise" // main units
	business   = "business"   // sub-units
)

// Reportee is an organisation a person may act for, or the person themselves.
type Reportee struct {
	// Orgno is the organisation number, nine digits. "" is the person themselves.
	Orgno string
	// Name is the organisation's, as the person reads it and tokens tell it.
	Name string
	// UnitType is the form of organisation in the register of units: AS, ENK, … BEDR and AAFY are the
	// sub-units.
	UnitType string
	// Deleted organisations are offered to clients that ask for them only.
	Deleted bool
	// Rights are what the person may do there, such as Read.
	Rights []string
}

func (p Reportee) id() string {
	if p.Orgno == "" {
		return Self
	}
	return p.Orgno
}

func (p Reportee) choice(r rar.Request) rar.Choice {
	if p.Orgno == "" {
		return rar.Choice{ID: Self, Name: r.Name}
	}
	return rar.Choice{ID: p.Orgno, Name: p.Name, Hint: p.Orgno}
}

func (p Reportee) form() string {
	if p.UnitType == "BEDR" || p.UnitType == "AAFY" {
		return business
	}
	return enterprise
}

// offered are those of the reportees the options allow, each once. A number that is none is a fault of
// the register: nothing is granted on it.
func offered(all []Reportee, o options) ([]Reportee, error) {
	var parties []Reportee
	seen := map[string]bool{}
	for _, p := range all {
		orgno, err := norway.ParseOrgno(p.Orgno)
		switch {
		case p.Orgno != "" && (err != nil || orgno.String() != p.Orgno):
			return nil, fmt.Errorf("ansattporten: the register named an organisation without a valid number")
		case seen[p.id()], p.Orgno == "" && o.required, p.Deleted && !o.deleted,
			p.Orgno != "" && o.form != "" && o.form != p.form(), !mayAny(p, o.actions):
			continue
		}
		seen[p.id()] = true
		parties = append(parties, p)
	}
	return parties, nil
}

// mayAny reports whether the reportee's rights hold one of the actions; asking for none asks for any.
func mayAny(p Reportee, actions []string) bool {
	return len(actions) == 0 || slices.ContainsFunc(actions, func(a string) bool { return slices.Contains(p.Rights, a) })
}

// union are the choices of several lists, each once.
func union(r rar.Request, lists ...[]Reportee) []rar.Choice {
	var choices []rar.Choice
	seen := map[string]bool{}
	for _, list := range lists {
		for _, p := range list {
			if !seen[p.id()] {
				seen[p.id()] = true
				choices = append(choices, p.choice(r))
			}
		}
	}
	return choices
}

// chosenOf parts the chosen ones of a list into organisations and the person themselves.
func chosenOf(list []Reportee, chosen []string) (organisations []Reportee, self bool) {
	for _, p := range list {
		switch {
		case !slices.Contains(chosen, p.id()):
		case p.Orgno == "":
			self = true
		default:
			organisations = append(organisations, p)
		}
	}
	return organisations, self
}

// ofSelf is what is granted to somebody who represents themselves: an entry with only the type.
type ofSelf struct {
	Type string `json:"type"`
}

// identifier is an organisation in the capitalised form of most types.
type identifier struct {
	Authority string `json:"Authority"`
	ID        string `json:"ID"`
}

func identify(orgno string) identifier {
	i := norway.OrgIdentifier(orgno)
	return identifier{i.Authority, i.ID}
}

// list is never null on the wire.
func list(s []string) []string { return append([]string{}, s...) }
