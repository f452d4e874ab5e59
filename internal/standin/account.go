package standin

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"slices"
	"strings"

	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
)

// Account holds the members of a user of a configuration that a login needs.
type Account struct {
	PID      string   `json:"pid,omitempty"` // synthetic
	Username string   `json:"username"`
	Password string   `json:"password"` // in clear; a real directory stores slow hashes
	ACR      string   `json:"acr,omitempty"`
	AMR      []string `json:"amr,omitempty"`
}

// Check records the problems of the members. levels are the values that ACR may have.
func (a Account) Check(p *Problems, at string, levels *acr.Levels) {
	p.Require(a.Username != "", at+".username")
	p.Require(a.Password != "", at+".password")
	if a.PID != "" {
		p.PID(at+".pid", a.PID)
	}
	if a.ACR != "" && !slices.Contains(levels.Values(), a.ACR) {
		p.Add(at+".acr", "%q is none of %s", a.ACR, strings.Join(levels.Values(), ", "))
	}
}

// Matches reports whether the account has this username and password. It compares the password in constant time.
func (a Account) Matches(username, password string) bool {
	given, want := sha256.Sum256([]byte(password)), sha256.Sum256([]byte(a.Password))
	return subtle.ConstantTimeCompare(given[:], want[:]) == 1 && username == a.Username
}

// Methods returns AMR, or TestID if there is none.
func (a Account) Methods() []string {
	if len(a.AMR) == 0 {
		return []string{"TestID"}
	}
	return a.AMR
}

// Find returns the first element of list for which match returns true.
func Find[T any](list []T, match func(T) bool) (found T, ok bool) {
	if i := slices.IndexFunc(list, match); i >= 0 {
		return list[i], true
	}
	return found, false
}

// NewTestLogin returns the test login of the users of a configuration, whom a hint names by number or username. login returns the login of
// the first user for which match returns true, and whether there is one.
func NewTestLogin(issuer, test string, login func(match func(pid, username string) bool) (session.Authentication, bool, error)) (*authorize.TestLogin, error) {
	find := func(match func(pid, username string) bool) (session.Authentication, error) {
		a, found, err := login(match)
		if err == nil && !found {
			err = fmt.Errorf("users: %w", storage.ErrNotFound)
		}
		return a, err
	}
	return authorize.NewTestLogin(authorize.TestLoginConfig{
		Issuer: issuer, TestIssuer: test,
		Identity: func(_ context.Context, pid norway.PID) (session.Identity, error) {
			a, err := find(func(number, _ string) bool { return number == pid.Reveal() })
			return a.Identity, err
		},
		Named: func(_ context.Context, name string) (session.Authentication, error) {
			return find(func(_, username string) bool { return username == name })
		},
	})
}
