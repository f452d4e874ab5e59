package idporten

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/internal/standin"
	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/pseudonym"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/token"
)

// Directory holds the users of the configuration.
type Directory struct {
	Entries  []User            // enabled users
	Persons  map[string]Person // by subject
	subjects map[string]string // of persons, by national identity number
	// tests derives the subjects of test logins of persons that the directory does not have. It is nil without test logins.
	tests *pseudonym.Pairwise
}

// Person has one or more users. A person is disabled if all of them are.
type Person struct {
	Disabled bool
	claims   map[string]any
}

// NewDirectory returns the directory of the users. With testLogin it also has the persons that test logins name.
func NewDirectory(users []User, testLogin bool, state *standin.State) (*Directory, error) {
	d := &Directory{Persons: map[string]Person{}, subjects: map[string]string{}}
	for _, u := range users {
		disabled := u.Active != nil && !*u.Active
		if !disabled {
			d.Entries = append(d.Entries, u)
		}
		if u.PID != "" && d.subjects[u.PID] == "" {
			d.subjects[u.PID] = "user:" + u.Username
		}
		subject := d.Subject(u)
		if p, seen := d.Persons[subject]; !seen || p.Disabled {
			d.Persons[subject] = Person{disabled, u.Claims}
		}
	}
	var err error
	if testLogin {
		d.tests, err = pseudonym.NewPairwise(state.Derived("test logins"))
	}
	return d, err
}

// Subject returns the subject of the person behind a user. Clients with subject type public receive it, therefore it does not
// contain the national identity number.
func (d *Directory) Subject(u User) string {
	return cmp.Or(d.subjects[u.PID], "user:"+u.Username)
}

// subjectOf finds the subject of a person by number, for support staff with a machine token.
func (d *Directory) subjectOf(_ context.Context, pid norway.PID) (subject string, ok bool, err error) {
	subject, ok = d.subjects[pid.Reveal()]
	return subject, ok, nil
}

// contact returns the entry of a person in the contact register of the demo.
func (d *Directory) contact(pid norway.PID) Contact {
	claims := d.Persons[d.subjects[pid.Reveal()]].claims
	return Contact{Email: stringClaim(claims, "email"), Mobile: stringClaim(claims, "phone_number")}
}

func stringClaim(claims map[string]any, name string) string {
	value, _ := claims[name].(string)
	return value
}

// check returns the user with this username and password.
func (d *Directory) check(username, password string) (User, bool) {
	return standin.Find(d.Entries, func(u User) bool { return u.Matches(username, password) })
}

// Named returns the user of a button of the login page.
func (d *Directory) Named(username string) (User, bool) {
	return standin.Find(d.Entries, func(u User) bool { return u.Username == username })
}

// authentication returns the result of a login of the user.
func (d *Directory) authentication(u User) session.Authentication {
	a := session.Authentication{ACR: u.level(), AMR: u.Methods(), Identity: session.Identity{Subject: d.Subject(u)}}
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
func (u User) level() string { return cmp.Or(u.ACR, acr.Substantial) }

// User implements token.UserSource.
func (d *Directory) User(_ context.Context, subject string) (token.User, error) {
	p, ok := d.Persons[subject]
	switch {
	case ok:
		return token.User{Disabled: p.Disabled, Claims: p.claims}, nil
	case d.tests != nil && strings.HasPrefix(subject, "test:"):
		return token.User{}, nil
	}
	return token.User{}, fmt.Errorf("users: %w", storage.ErrNotFound)
}

// TestPerson returns the identity of a test login: the person of the directory with this number, or a person without claims.
func (d *Directory) TestPerson(_ context.Context, pid norway.PID) (session.Identity, error) {
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
	if d.Persons[subject].Disabled {
		return session.Identity{}, errors.New("users: disabled")
	}
	return session.Identity{Subject: subject, Identifiers: []pseudonym.Identifier{id}}, nil
}

// testUser returns the login of the user with this username, for test logins of users without a national identity number.
func (d *Directory) testUser(_ context.Context, username string) (session.Authentication, error) {
	u, ok := d.Named(username)
	if !ok {
		return session.Authentication{}, fmt.Errorf("users: %w", storage.ErrNotFound)
	}
	return d.authentication(u), nil
}
