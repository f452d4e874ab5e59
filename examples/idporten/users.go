package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/examples/internal/demo"
	"github.com/portner-go/portner/internal/standin"
	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/pseudonym"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/token"
)

// directory holds the users of the configuration.
type directory struct {
	entries  []user            // enabled users
	persons  map[string]person // by subject
	subjects map[string]string // of persons, by national identity number
	// tests derives the subjects of test logins of persons that the directory does not have. It is nil without test logins.
	tests *pseudonym.Pairwise
}

// person has one or more users. A person is disabled if all of them are.
type person struct {
	disabled bool
	claims   map[string]any
}

func newDirectory(users []user, testLogin bool, state *standin.State) (*directory, error) {
	d := &directory{persons: map[string]person{}, subjects: map[string]string{}}
	for _, u := range users {
		disabled := u.Active != nil && !*u.Active
		if !disabled {
			d.entries = append(d.entries, u)
		}
		if u.PID != "" && d.subjects[u.PID] == "" {
			d.subjects[u.PID] = "user:" + u.Username
		}
		subject := d.subject(u)
		if p, seen := d.persons[subject]; !seen || p.disabled {
			d.persons[subject] = person{disabled, u.Claims}
		}
	}
	var err error
	if testLogin {
		d.tests, err = pseudonym.NewPairwise(state.Derived("test logins"))
	}
	return d, err
}

// subject returns the subject of the person behind a user. Clients with subject type public receive it, therefore it does not
// contain the national identity number.
func (d *directory) subject(u user) string {
	return cmp.Or(d.subjects[u.PID], "user:"+u.Username)
}

// subjectOf finds the subject of a person by number, for support staff with a machine token.
func (d *directory) subjectOf(_ context.Context, pid norway.PID) (subject string, ok bool, err error) {
	subject, ok = d.subjects[pid.Reveal()]
	return subject, ok, nil
}

// contact returns the entry of a person in the contact register of the demo.
func (d *directory) contact(pid norway.PID) demo.Contact {
	claims := d.persons[d.subjects[pid.Reveal()]].claims
	return demo.Contact{Email: stringClaim(claims, "email"), Mobile: stringClaim(claims, "phone_number")}
}

func stringClaim(claims map[string]any, name string) string {
	value, _ := claims[name].(string)
	return value
}

// check returns the user with this username and password.
func (d *directory) check(username, password string) (user, bool) {
	return standin.Find(d.entries, func(u user) bool { return u.Matches(username, password) })
}

// named returns the user of a button of the login page.
func (d *directory) named(username string) (user, bool) {
	return standin.Find(d.entries, func(u user) bool { return u.Username == username })
}

// authentication returns the result of a login of the user.
func (d *directory) authentication(u user) session.Authentication {
	a := session.Authentication{ACR: u.level(), AMR: u.Methods(), Identity: session.Identity{Subject: d.subject(u)}}
	add := func(typ, value string) {
		if id, err := pseudonym.NewIdentifier(typ, value); err == nil {
			a.Identity.Identifiers = append(a.Identity.Identifiers, id)
		}
	}
	if strings.HasPrefix(a.ACR, "eidas-") {
		// Pairwise subjects derive from the first identifier: at these levels the eIDAS one, also for a user with a pid.
		add(session.TypeEIDAS, stringClaim(u.Claims, "eidas_person_identifier"))
		a.Identity.Attributes = map[string]string{}
		for _, name := range []string{"given_name", "family_name", "birthdate"} {
			a.Identity.Attributes[name] = stringClaim(u.Claims, name)
		}
	}
	add(session.TypePID, u.PID)
	if a.ACR == acr.SelfRegisteredEmail {
		add(session.TypeEmail, stringClaim(u.Claims, "email"))
	}
	return a
}

// level returns the level of the login.
func (u user) level() string { return cmp.Or(u.ACR, acr.Substantial) }

// User implements token.UserSource.
func (d *directory) User(_ context.Context, subject string) (token.User, error) {
	p, ok := d.persons[subject]
	switch {
	case ok:
		return token.User{Disabled: p.disabled, Claims: p.claims}, nil
	case d.tests != nil && strings.HasPrefix(subject, "test:"):
		return token.User{}, nil
	}
	return token.User{}, fmt.Errorf("users: %w", storage.ErrNotFound)
}

// testPerson returns the identity of a test login: the person of the directory with this number, or a person without claims.
func (d *directory) testPerson(_ context.Context, pid norway.PID) (session.Identity, error) {
	id, err := pseudonym.NewIdentifier(session.TypePID, pid.Reveal())
	if err != nil {
		return session.Identity{}, err
	}
	subject, ok := d.subjects[pid.Reveal()]
	if !ok {
		if subject, err = d.tests.Subject(pseudonym.Open, "test", id); err != nil {
			return session.Identity{}, err
		}
		subject = "test:" + subject
	}
	if d.persons[subject].disabled {
		return session.Identity{}, errors.New("users: disabled")
	}
	return session.Identity{Subject: subject, Identifiers: []pseudonym.Identifier{id}}, nil
}

// testUser returns the login of the user with this username, for test logins of users without a national identity number.
func (d *directory) testUser(_ context.Context, username string) (session.Authentication, error) {
	u, ok := d.named(username)
	if !ok {
		return session.Authentication{}, fmt.Errorf("users: %w", storage.ErrNotFound)
	}
	return d.authentication(u), nil
}
