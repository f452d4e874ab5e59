package ansattporten

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/rar"
)

// held returns the rights that the user still has at an organisation. It returns false if the user may not represent the organisation
// any more, or has lost every granted right there. Whether an organisation is offered at a login does not matter later: the user has
// chosen it.
func held(list []Reportee, orgno string, granted []string) ([]string, bool) {
	var now []string
	listed := false
	for _, p := range list {
		if p.Orgno == orgno && orgno != "" {
			listed = true
			now = append(now, p.Rights...)
		}
	}
	left := slices.DeleteFunc(slices.Clone(granted), func(right string) bool { return !slices.Contains(now, right) })
	return left, listed && (len(left) > 0 || len(granted) == 0)
}

// parties returns the granted parties with the rights that the user still has. of returns the organisation of a party and its rights.
func parties[P any](granted []P, list []Reportee, of func(*P) (norway.Identifier, *[]string)) []P {
	var left []P
	for _, p := range granted {
		id, rights := of(&p)
		orgno, _ := id.Number() // "" is no organisation
		var ok bool
		if *rights, ok = held(list, orgno, *rights); ok {
			left = append(left, p)
		}
	}
	return left
}

// left returns what remains of one granted detail: the members are those of D, changed by reduce, which returns false if nothing
// remains.
func left[D any](granted rar.Detail, reduce func(*D) (bool, error)) (json.RawMessage, error) {
	var d D
	if err := json.Unmarshal(granted.JSON, &d); err != nil {
		return nil, err
	}
	if ok, err := reduce(&d); !ok || err != nil {
		return nil, err
	}
	return json.Marshal(d)
}

// refreshEach calls left for each detail.
func refreshEach(granted []rar.Detail, left func(rar.Detail) (json.RawMessage, error)) ([]json.RawMessage, error) {
	var all []json.RawMessage
	for _, d := range granted {
		text, err := left(d)
		if err != nil {
			return nil, err
		}
		if text != nil {
			all = append(all, text)
		}
	}
	return all, nil
}

// refresh returns the granted details with the parties that the user may still represent, and with the rights that remain. The detail
// of a user who represents themselves has no right of another party to lose.
func (t altinnType) refresh(ctx context.Context, r rar.Request, granted []rar.Detail) ([]json.RawMessage, error) {
	names := make([]string, len(granted)) // "" for a user who represents themselves
	for i, d := range granted {
		var of struct {
			Resource string `json:"resource"`
		}
		if err := json.Unmarshal(d.JSON, &of); err != nil {
			return nil, err
		}
		names[i] = of.Resource
	}
	resources, err := t.remaining(ctx, pidOf(r), names)
	if err != nil {
		return nil, err
	}
	var all []json.RawMessage
	for i, d := range granted {
		text := d.JSON
		if names[i] != "" {
			if text, err = t.left(d, resources[names[i]].Reportees); err != nil {
				return nil, err
			}
		}
		if text != nil {
			all = append(all, text)
		}
	}
	return all, nil
}

// remaining loads the named resources that still exist. The source does not say which one of several does not, so they are then loaded
// one by one. A user without a national identity number has none.
func (t altinnType) remaining(ctx context.Context, pid norway.PID, names []string) (map[string]Resource, error) {
	names = slices.DeleteFunc(slices.Clone(names), func(name string) bool { return name == "" })
	if pid.IsZero() || len(names) == 0 {
		return nil, nil
	}
	found, err := t.load(ctx, pid, names)
	if !errors.Is(err, rar.ErrValue) {
		return found, err
	}
	left := map[string]Resource{}
	for _, name := range names {
		one, err := t.load(ctx, pid, []string{name})
		if err == nil {
			left[name] = one[name]
		} else if !errors.Is(err, rar.ErrValue) {
			return nil, err
		}
	}
	return left, nil
}

func leftOfService(d rar.Detail, list []Reportee) (json.RawMessage, error) {
	return left(d, func(s *service) (bool, error) {
		s.Reportees = parties(s.Reportees, list, func(p *reportee) (norway.Identifier, *[]string) {
			return norway.Identifier(p.identifier), &p.Rights
		})
		return len(s.Reportees) > 0, nil
	})
}

func leftOfResource(d rar.Detail, list []Reportee) (json.RawMessage, error) {
	return left(d, func(r *resource) (bool, error) {
		r.Parties = parties(r.Parties, list, func(p *authorizedParty) (norway.Identifier, *[]string) { return p.Orgno, &p.Actions })
		return len(r.Parties) > 0, nil
	})
}

// refresh returns the granted details with the organisations that the user still belongs to, and with the rights that remain.
func (t orgnoType) refresh(ctx context.Context, r rar.Request, granted []rar.Detail) ([]json.RawMessage, error) {
	list, err := t.source.Employers(ctx, r.Subject)
	if err != nil {
		return nil, err
	}
	return refreshEach(granted, func(d rar.Detail) (json.RawMessage, error) {
		return left(d, func(e *employment) (bool, error) {
			e.Parties = parties(e.Parties, list, func(p *employer) (norway.Identifier, *[]string) {
				return norway.Identifier(p.Orgno), &p.Rights
			})
			return len(e.Parties) > 0, nil
		})
	})
}

// refresh returns the granted mandates that the user still has, with the permissions that remain.
func (t fullmaktType) refresh(ctx context.Context, r rar.Request, granted []rar.Detail) ([]json.RawMessage, error) {
	pid := pidOf(r)
	if pid.IsZero() {
		return nil, rar.ErrNoMandate
	}
	return refreshEach(granted, func(d rar.Detail) (json.RawMessage, error) {
		return left(d, func(m *grantedMandate) (bool, error) {
			var roles []string
			for _, p := range m.Permissions {
				roles = append(roles, p.Role)
			}
			mandates, err := t.source.Mandates(ctx, pid, roles)
			if err != nil {
				return false, err
			}
			m.Permissions = slices.DeleteFunc(m.Permissions, func(p Permission) bool { return !permits(mandates, m.Authorizer.PID, p) })
			return len(m.Permissions) > 0, nil
		})
	})
}

// permits reports whether a mandate of the authorizer has the permission.
func permits(mandates []Mandate, authorizer string, p Permission) bool {
	return slices.ContainsFunc(mandates, func(m Mandate) bool {
		return !m.PID.IsZero() && m.PID.Reveal() == authorizer && slices.Contains(m.Permissions, p)
	})
}
