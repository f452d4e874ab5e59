package ansattporten

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/portner-go/portner/internal/fields"
	"github.com/portner-go/portner/internal/jose"
	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/rar"
)

// typeFullmakt is the type for users who act for other persons.
const typeFullmakt = "idporten:fullmakt"

// memberRoles is the member with the requested roles. A mandate needs one of them.
const memberRoles = "permission_roles"

// maxRoles is the largest number of roles in one detail.
const maxRoles = 50

// MandateSource finds the mandates of users.
type MandateSource interface {
	// Mandates returns the mandates of the user with any of the roles, which may be none. It is called once in an HTTP request of a
	// user who has logged in, and at each refresh.
	Mandates(ctx context.Context, pid norway.PID, roles []string) ([]Mandate, error)
}

// Mandate is the authority of a user to act for another person, the authorizer.
type Mandate struct {
	// ID names the mandate in the form of the representation page. It must be stable and must not hold a national identity
	// number.
	ID string
	// Name is the name of the authorizer.
	Name string
	// PID is the national identity number of the authorizer.
	PID norway.PID
	// Permissions are the permissions of the mandate. Tokens have those with a requested role only.
	Permissions []Permission
}

// Permission is one role of an owner.
type Permission struct {
	Owner string `json:"owner"` // the organisation that defines the role
	Role  string `json:"role"`  // as in permission_roles
}

// FullmaktType returns the type idporten:fullmakt, for users who act for other persons under a mandate (docs.digdir.no: ID-porten,
// fullmakt). A user without a mandate gets an error page. A user with one may select none, and then acts for no other person.
// rar.NewRegistry rejects the type if source is nil.
func FullmaktType(source MandateSource) rar.Type {
	if fields.IsNil(source) {
		return rar.Type{Name: typeFullmakt}
	}
	t := fullmaktType{source}
	return rar.Type{
		Name: typeFullmakt, Members: []string{memberRoles}, Alone: true,
		Describe: describeRoles, Choices: t.choices, Grant: t.grant, Refresh: t.refresh,
		Validate: func(d rar.Detail) error { _, err := rolesOf(d); return err },
	}
}

type fullmaktType struct{ source MandateSource }

func rolesOf(d rar.Detail) ([]string, error) {
	o, err := jose.ParseObject(d.JSON)
	if err != nil {
		return nil, err
	}
	roles, err := o.Strings(memberRoles)
	if err != nil || len(roles) == 0 || len(roles) > maxRoles || slices.Contains(roles, "") {
		return nil, invalid(memberRoles)
	}
	return roles, nil
}

// mandates loads the mandates with a role of any detail. Their permissions are those with such a role.
func (t fullmaktType) mandates(ctx context.Context, r rar.Request, details []rar.Detail) ([]Mandate, error) {
	var roles []string
	for _, d := range details {
		more, err := rolesOf(d)
		if err != nil {
			return nil, err
		}
		roles = append(roles, more...)
	}
	pid := pidOf(r)
	if pid.IsZero() {
		return nil, rar.ErrNoMandate
	}
	known, err := rar.Once(r, typeFullmakt, func() ([]Mandate, error) { return t.source.Mandates(ctx, pid, slices.Clone(roles)) })
	if err != nil {
		return nil, err
	}
	var mandates []Mandate
	for _, m := range known {
		if m.PID.IsZero() || strings.Contains(m.ID, m.PID.Reveal()) || strings.Contains(m.ID, pid.Reveal()) {
			return nil, errors.New("ansattporten: a mandate has no PID, or its ID holds a national identity number")
		}
		m.Permissions = slices.DeleteFunc(slices.Clone(m.Permissions), func(p Permission) bool { return !slices.Contains(roles, p.Role) })
		if len(m.Permissions) > 0 {
			mandates = append(mandates, m)
		}
	}
	if len(mandates) == 0 {
		return nil, rar.ErrNoMandate
	}
	return mandates, nil
}

// describeRoles returns the requested roles. The choices show which of them a mandate has.
func describeRoles(_ context.Context, r rar.Request, details []rar.Detail) ([]rar.Text, error) {
	w := wordsFor(r.Locale)
	texts := make([]rar.Text, len(details))
	for i, d := range details {
		roles, err := rolesOf(d)
		if err != nil {
			return nil, err
		}
		texts[i] = rar.Text{Title: w.mandate, Lines: []string{w.roles + ": " + strings.Join(roles, ", ")}}
	}
	return texts, nil
}

// choices returns the mandates with the roles as a hint, which distinguishes authorizers of equal name.
func (t fullmaktType) choices(ctx context.Context, r rar.Request, details []rar.Detail) ([]rar.Choice, error) {
	mandates, err := t.mandates(ctx, r, details)
	var choices []rar.Choice
	for _, m := range mandates {
		var roles []string
		for _, p := range m.Permissions {
			roles = append(roles, p.Role)
		}
		choices = append(choices, rar.Choice{ID: m.ID, Name: m.Name, Hint: strings.Join(roles, ", ")})
	}
	return choices, err
}

// grantedMandate is the granted detail.
type grantedMandate struct {
	Type           string       `json:"type"`
	Authorizer     named        `json:"authorizer"`
	Representative named        `json:"authorized_representative"`
	Permissions    []Permission `json:"permissions"`
}

type named struct {
	Name string `json:"name,omitempty"`
	PID  string `json:"pid"`
}

func (t fullmaktType) grant(ctx context.Context, r rar.Request, details []rar.Detail, selected []string) ([]json.RawMessage, error) {
	mandates, err := t.mandates(ctx, r, details)
	if err != nil {
		return nil, err
	}
	var granted []any
	for _, m := range mandates {
		if slices.Contains(selected, m.ID) {
			granted = append(granted, grantedMandate{
				Type: typeFullmakt, Authorizer: named{m.Name, m.PID.Reveal()}, Representative: named{r.Name, pidOf(r).Reveal()}, Permissions: m.Permissions,
			})
		}
	}
	return encode(granted)
}
