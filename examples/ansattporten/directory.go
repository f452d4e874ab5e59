package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/digdir/ansattporten"
	"github.com/portner-go/portner/examples/internal/standin"
	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/pseudonym"
	"github.com/portner-go/portner/rar"
	"github.com/portner-go/portner/session"
)

// directory is all the registers of the example: people, Altinn, employers, mandates.
type directory struct {
	users     []user
	resources map[string]string
}

// types are the authorization_details it can answer for.
func (d *directory) types() (*rar.Registry, error) {
	return rar.NewRegistry(ansattporten.ServiceType(d), ansattporten.ResourceType(d), ansattporten.OrgnoType(d), ansattporten.FullmaktType(d))
}

// check returns the user of a name and password. A real directory holds slow password hashes.
func (d *directory) check(username, password string) (user, bool) {
	for _, u := range d.users {
		if standin.PasswordMatches(password, u.Password) && u.Username == username {
			return u, true
		}
	}
	return user{}, false
}

// find returns the first user for whom is holds.
func (d *directory) find(is func(user) bool) (user, bool) {
	i := slices.IndexFunc(d.users, is)
	if i < 0 {
		return user{}, false
	}
	return d.users[i], true
}

// level is the level the login gives.
func (u user) level() string {
	if u.ACR == "" {
		return acr.AnsattportenSubstantial
	}
	return u.ACR
}

// authentication is what a login of the user tells the provider.
func (u user) authentication() session.Authentication {
	who := session.Identity{Subject: "user:" + u.Username, Attributes: map[string]string{"name": u.Name}}
	if id, err := pseudonym.NewIdentifier(session.TypePID, u.PID); err == nil {
		who.Identifiers = []pseudonym.Identifier{id}
	}
	a := session.Authentication{Identity: who, ACR: u.level(), AMR: u.AMR}
	if len(a.AMR) == 0 {
		a.AMR = []string{"TestID"}
	}
	return a
}

// Reportees implements ansattporten.ReporteeSource.
func (d *directory) Reportees(_ context.Context, pid norway.PID, resource string) (ansattporten.Resource, error) {
	name, known := d.resources[resource]
	if !known {
		return ansattporten.Resource{}, fmt.Errorf("%w: no such resource", rar.ErrValue)
	}
	found := ansattporten.Resource{Name: name}
	u, _ := d.find(func(u user) bool { return u.PID == pid.Reveal() })
	for _, p := range u.Reportees {
		if len(p.Resources) == 0 || slices.Contains(p.Resources, resource) {
			found.Reportees = append(found.Reportees, p.reportee())
		}
	}
	return found, nil
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
