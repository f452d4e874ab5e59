package standin

import (
	"crypto/sha256"
	"crypto/subtle"
	"slices"
	"strings"

	"github.com/portner-go/portner/acr"
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
