package ansattporten

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/digdir/ansattporten"
	"github.com/portner-go/portner/internal/standin"
	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/pseudonym"
	"github.com/portner-go/portner/rar"
	"github.com/portner-go/portner/session"
)

// directory holds the users of the configuration, and answers for the registers that Ansattporten queries: Altinn, employers and
// mandates.
type directory struct {
	users     []user
	resources map[string]string
}

// types returns the supported types of authorization_details.
func (d *directory) types() (*rar.Registry, error) {
	return rar.NewRegistry(ansattporten.ServiceType(d), ansattporten.ResourceType(d), ansattporten.OrgnoType(d), ansattporten.FullmaktType(d))
}

// find returns the first user for which match returns true.
func (d *directory) find(match func(user) bool) (user, bool) { return standin.Find(d.users, match) }

// level returns the level of the login.
func (u user) level() string { return cmp.Or(u.ACR, acr.AnsattportenSubstantial) }

// authentication returns the result of a login of the user.
func (u user) authentication() session.Authentication {
	a := session.Authentication{
		Identity: session.Identity{Subject: "user:" + u.Username, Attributes: map[string]string{"name": u.Name}},
		ACR:      u.level(), AMR: u.Methods(),
	}
	if id, err := pseudonym.NewIdentifier(session.TypePID, u.PID); err == nil {
		a.Identity.Identifiers = []pseudonym.Identifier{id}
	}
	return a
}

// Exist implements ansattporten.ReporteeSource.
func (d *directory) Exist(_ context.Context, resources []string) error {
	for _, resource := range resources {
		if _, known := d.resources[resource]; !known {
			return fmt.Errorf("%w: unknown resource", rar.ErrValue)
		}
	}
	return nil
}

// Reportees implements ansattporten.ReporteeSource.
func (d *directory) Reportees(_ context.Context, pid norway.PID, resources []string) ([]ansattporten.Resource, error) {
	u, _ := d.find(func(u user) bool { return u.PID == pid.Reveal() })
	all := make([]ansattporten.Resource, len(resources))
	for i, resource := range resources {
		name, known := d.resources[resource]
		if !known {
			return nil, fmt.Errorf("%w: unknown resource", rar.ErrValue)
		}
		all[i].Name = name
		for _, p := range u.Reportees {
			if len(p.Resources) == 0 || slices.Contains(p.Resources, resource) {
				all[i].Reportees = append(all[i].Reportees, p.reportee())
			}
		}
	}
	return all, nil
}

// Employers implements ansattporten.EmployerSource.
func (d *directory) Employers(_ context.Context, subject string) ([]ansattporten.Reportee, error) {
	u, _ := d.find(func(u user) bool { return "user:"+u.Username == subject })
	var all []ansattporten.Reportee
	for _, p := range u.Employers {
		all = append(all, p.reportee())
	}
	return all, nil
}

func (p party) reportee() ansattporten.Reportee {
	return ansattporten.Reportee{Orgno: p.Orgno, Name: p.Name, UnitType: p.UnitType, Deleted: p.Deleted, Rights: p.Rights}
}

// Mandates implements ansattporten.MandateSource.
func (d *directory) Mandates(_ context.Context, pid norway.PID, _ []string) ([]ansattporten.Mandate, error) {
	u, _ := d.find(func(u user) bool { return u.PID == pid.Reveal() })
	var all []ansattporten.Mandate
	for i, m := range u.Mandates {
		from, err := norway.ParsePID(m.PID)
		if err != nil {
			return nil, fmt.Errorf("mandates[%d]: %w", i, err)
		}
		mandate := ansattporten.Mandate{ID: "mandate-" + strconv.Itoa(i), Name: m.Name, PID: from}
		for _, role := range m.Roles {
			mandate.Permissions = append(mandate.Permissions, ansattporten.Permission{Owner: m.Owner, Role: role})
		}
		all = append(all, mandate)
	}
	return all, nil
}
