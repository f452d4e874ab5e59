package main

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"strings"

	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/token"
)

// directory is the user directory of the example: the entries of the configuration. A real one holds
// slow password hashes; portner leaves that to the host.
type directory struct {
	entries   []user
	bySubject map[string]user
}

func newDirectory(entries []user) *directory {
	d := &directory{bySubject: map[string]user{}}
	for _, u := range entries {
		if u.Active == nil || *u.Active {
			d.entries = append(d.entries, u)
		}
		if _, ok := d.bySubject[subject(u)]; !ok {
			d.bySubject[subject(u)] = u
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

// check returns the user of a name and password.
func (d *directory) check(username, password string) (user, bool) {
	var found user
	ok := 0
	given := sha256.Sum256([]byte(password))
	for _, u := range d.entries {
		want := sha256.Sum256([]byte(u.Password))
		same := subtle.ConstantTimeCompare(given[:], want[:])
		if u.Username == username && same == 1 {
			found, ok = u, 1
		}
	}
	return found, ok == 1
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
func authentication(u user) authorize.Authentication {
	a := authorize.Authentication{ACR: u.ACR, AMR: u.AMR, Identity: session.Identity{Subject: subject(u)}}
	if a.ACR == "" {
		a.ACR = acr.Substantial
	}
	if len(a.AMR) == 0 {
		a.AMR = []string{"TestID"}
	}
	if u.PID != "" {
		a.PID, _ = norway.ParsePID(u.PID) // checked when the configuration was read
	}
	claim := func(name string) string { v, _ := u.Claims[name].(string); return v }
	if a.ACR == acr.SelfRegisteredEmail {
		a.Email = claim("email")
	}
	if strings.HasPrefix(a.ACR, "eidas-") {
		a.EIDASPersonIdentifier, a.GivenName, a.FamilyName, a.BirthDate = claim("eidas_person_identifier"), claim("given_name"), claim("family_name"), claim("birthdate")
	}
	return a
}

// User implements token.UserSource.
func (d *directory) User(_ context.Context, sub string) (token.User, error) {
	u, ok := d.bySubject[sub]
	if !ok {
		return token.User{}, fmt.Errorf("users: %w", storage.ErrNotFound)
	}
	return token.User{Disabled: u.Active != nil && !*u.Active, Claims: u.Claims}, nil
}
