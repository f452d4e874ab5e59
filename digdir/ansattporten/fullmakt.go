package ansattporten

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/portner-go/portner/internal/jose"
	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/rar"
)

// Fullmakt is ID-porten's type for people who act for other people (idporten section 18.4, a pilot).
const Fullmakt = "idporten:fullmakt"

// memberRoles lists the roles of which one is enough.
const memberRoles = "permission_roles"

// maxRoles of one request.
const maxRoles = 50

// Mandates knows who may act for which other person.
type Mandates interface {
	// Mandates returns what others have authorized the person to do in any of the roles; none is no error.
	// It is asked several times during a login.
	Mandates(ctx context.Context, pid norway.PID, roles []string) ([]Mandate, error)
}

// Mandate is what one person authorized another to do.
type Mandate struct {
	// ID names the mandate in the page's form. It is the same each time, and no national identity number.
	ID string
	// Name and PID are the authorizer's.
	Name string
	PID  norway.PID
	// Permissions are what the mandate is good for. Those of other roles than asked for do not leave.
	Permissions []Permission
}

// Permission is one role at one owner.
type Permission struct {
	Owner string `json:"owner"` // who defines the role
	Role  string `json:"role"`  // as in permission_roles
}

// FullmaktType is idporten:fullmakt. Somebody without a mandate gets the provider's error page; whoever has
// one may still choose to act for nobody but themselves.
func FullmaktType(source Mandates) rar.Type {
	t := fullmaktType{source}
	return rar.Type{
		Name: Fullmakt, Members: []string{memberRoles}, Alone: true, Choices: t.choices, Grant: t.grant,
		Validate: func(d rar.Detail) error { _, err := rolesOf(d); return err },
	}
}

type fullmaktType struct{ source Mandates }

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

// ask returns the mandates for any role of any detail, with the permissions of those roles only.
func (t fullmaktType) ask(ctx context.Context, r rar.Request, details []rar.Detail) ([]Mandate, error) {
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
	known, err := t.source.Mandates(ctx, pid, slices.Clone(roles))
	if err != nil {
		return nil, err
	}
	var mandates []Mandate
	for _, m := range known {
		if m.PID.IsZero() || strings.Contains(m.ID, m.PID.Reveal()) || strings.Contains(m.ID, pid.Reveal()) {
			return nil, errors.New("ansattporten: a mandate without an authorizer's number, or named by it")
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

// choices name the authorizer and the roles, which tell two of the same name apart.
func (t fullmaktType) choices(ctx context.Context, r rar.Request, details []rar.Detail) ([]rar.Choice, error) {
	mandates, err := t.ask(ctx, r, details)
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

type mandated struct {
	Type           string       `json:"type"`
	Authorizer     named        `json:"authorizer"`
	Representative named        `json:"authorized_representative"`
	Permissions    []Permission `json:"permissions"`
}

type named struct {
	Name string `json:"name,omitempty"`
	PID  string `json:"pid"`
}

func (t fullmaktType) grant(ctx context.Context, r rar.Request, details []rar.Detail, chosen []string) ([]json.RawMessage, error) {
	mandates, err := t.ask(ctx, r, details)
	if err != nil {
		return nil, err
	}
	var granted []any
	for _, m := range mandates {
		if slices.Contains(chosen, m.ID) {
			granted = append(granted, mandated{
				Type: Fullmakt, Authorizer: named{m.Name, m.PID.Reveal()}, Representative: named{r.Name, pidOf(r).Reveal()}, Permissions: m.Permissions,
			})
		}
	}
	return encode(granted)
}
