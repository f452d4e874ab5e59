package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/examples/internal/demo"
	"github.com/portner-go/portner/examples/internal/standin"
	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/pseudonym"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/token"
)

// directory is the user directory of the example: the entries of the configuration. A real one holds
// slow password hashes; portner leaves that to the host.
type directory struct {
	entries   []user            // those who may log in
	bySubject map[string]person // everybody
	anyPID    bool              // a test login may be anyone
}

// person is behind one or more entries, and disabled if all of them are.
type person struct {
	disabled bool
	claims   map[string]any
}

func newDirectory(entries []user, anyPID bool) *directory {
	d := &directory{bySubject: map[string]person{}, anyPID: anyPID}
	for _, u := range entries {
		disabled := u.Active != nil && !*u.Active
		if !disabled {
			d.entries = append(d.entries, u)
		}
		if p, seen := d.bySubject[subject(u)]; !seen || p.disabled {
			d.bySubject[subject(u)] = person{disabled, u.Claims}
		}
	}
	return d
}

// subject is one for each person, whatever they log in with.
func subject(u user) string {
	if u.PID != "" {
		return "pid:" + u.PID
	}
	return "user:" + u.Username
}

// contact is what the contact register of the demo knows of a person.
func (d *directory) contact(pid norway.PID) demo.Contact {
	claim := func(name string) string {
		value, _ := d.bySubject["pid:"+pid.Reveal()].claims[name].(string)
		return value
	}
	return demo.Contact{Email: claim("email"), Mobile: claim("phone_number")}
}

// check returns the user of a name and password.
func (d *directory) check(username, password string) (user, bool) {
	var found user
	ok := false
	for _, u := range d.entries {
		if standin.PasswordMatches(password, u.Password) && u.Username == username {
			found, ok = u, true
		}
	}
	return found, ok
}

// named returns the user behind a one-click button.
func (d *directory) named(username string) (user, bool) {
	for _, u := range d.entries {
		if u.Username == username {
			return u, true
		}
	}
	return user{}, false
}

// authentication is what a login of the user tells the provider.
func authentication(u user) session.Authentication {
	a := session.Authentication{ACR: u.ACR, AMR: u.AMR, Identity: session.Identity{Subject: subject(u)}}
	if a.ACR == "" {
		a.ACR = acr.Substantial
	}
	if len(a.AMR) == 0 {
		a.AMR = []string{"TestID"}
	}
	claim := func(name string) string { v, _ := u.Claims[name].(string); return v }
	add := func(typ, value string) {
		if id, err := pseudonym.NewIdentifier(typ, value); err == nil {
			a.Identity.Identifiers = append(a.Identity.Identifiers, id)
		}
	}
	if strings.HasPrefix(a.ACR, "eidas-") { // first: subjects derive from it, also for a user with a national identity number
		add(session.TypeEIDAS, claim("eidas_person_identifier"))
		a.Identity.Attributes = map[string]string{
			"given_name": claim("given_name"), "family_name": claim("family_name"), "birthdate": claim("birthdate"),
		}
	}
	add(session.TypePID, u.PID)
	if a.ACR == acr.SelfRegisteredEmail {
		add(session.TypeEmail, claim("email"))
	}
	return a
}

// User implements token.UserSource.
func (d *directory) User(_ context.Context, sub string) (token.User, error) {
	p, ok := d.bySubject[sub]
	switch {
	case ok:
		return token.User{Disabled: p.disabled, Claims: p.claims}, nil
	case d.anyPID && strings.HasPrefix(sub, "pid:"):
		return token.User{}, nil
	}
	return token.User{}, fmt.Errorf("users: %w", storage.ErrNotFound)
}

// testPerson is who a headless test login is: the person of the directory with that number, or one that
// exists only there.
func (d *directory) testPerson(_ context.Context, pid norway.PID) (session.Identity, error) {
	sub := "pid:" + pid.Reveal()
	if d.bySubject[sub].disabled {
		return session.Identity{}, errors.New("users: disabled")
	}
	id, err := pseudonym.NewIdentifier(session.TypePID, pid.Reveal())
	return session.Identity{Subject: sub, Identifiers: []pseudonym.Identifier{id}}, err
}
