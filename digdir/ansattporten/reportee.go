package ansattporten

import (
	"errors"
	"slices"

	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/rar"
)

// Self is the ID of the choice of a user who represents themselves. It is offered if the source lists the user as a reportee,
// and not if representation is required.
const Self = "self"

// Values of organizationform.
const (
	enterprise = "enterprise" // main units
	business   = "business"   // sub-units
)

// Reportee is an organisation that a user may represent, or the user.
type Reportee struct {
	// Orgno is the organisation number, nine digits. If "", the reportee is the user.
	Orgno string
	// Name is the name of the organisation, on the representation page and in tokens.
	Name string
	// UnitType is the form of organisation in the register of units, such as AS or ENK. BEDR and AAFY are sub-units.
	UnitType string
	// Deleted reports that the organisation was deleted. It is offered only if the client requests deleted organisations.
	Deleted bool
	// Rights are the user's rights at the organisation, such as Read.
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

// filter returns the reportees that the options allow, without duplicates. An invalid organisation number is a fault of the
// source.
func filter(all []Reportee, o options) ([]Reportee, error) {
	var parties []Reportee
	seen := map[string]bool{}
	for _, p := range all {
		orgno, err := norway.ParseOrgno(p.Orgno)
		switch {
		case p.Orgno != "" && (err != nil || orgno.String() != p.Orgno):
			return nil, errors.New("ansattporten: the source returned an invalid organisation number")
		case seen[p.id()], p.Orgno == "" && o.required, p.Deleted && !o.deleted,
			p.Orgno != "" && o.form != "" && o.form != p.form(), !mayAny(p, o.actions):
			continue
		}
		seen[p.id()] = true
		parties = append(parties, p)
	}
	return parties, nil
}

// mayAny reports whether the rights at the reportee include one of the actions. It returns true if there are no actions.
func mayAny(p Reportee, actions []string) bool {
	return len(actions) == 0 || slices.ContainsFunc(actions, func(a string) bool { return slices.Contains(p.Rights, a) })
}

// union returns the choices of several lists, without duplicates.
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

// pick returns the selected organisations of a list, and whether the user selected themselves.
func pick(list []Reportee, selected []string) (organisations []Reportee, self bool) {
	for _, p := range list {
		switch {
		case !slices.Contains(selected, p.id()):
		case p.Orgno == "":
			self = true
		default:
			organisations = append(organisations, p)
		}
	}
	return organisations, self
}

// typeOnly is the granted detail of a user who represents themselves.
type typeOnly struct {
	Type string `json:"type"`
}

// identifier is an organisation with the capitalised member names of most types.
type identifier struct {
	Authority string `json:"Authority"`
	ID        string `json:"ID"`
}

func identify(orgno string) identifier {
	i := norway.OrgIdentifier(orgno)
	return identifier{i.Authority, i.ID}
}

// notNil returns a copy of s that is encoded as an empty array if s is nil.
func notNil(s []string) []string { return append([]string{}, s...) }
