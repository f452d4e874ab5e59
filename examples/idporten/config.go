package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/examples/internal/strictjson"
	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/scope"
)

// config is the file behind -config. docs/idporten-config.schema.json describes it.
type config struct {
	Schema  string `json:"$schema,omitempty"`
	Issuer  string `json:"issuer,omitempty"`
	Profile string `json:"profile,omitempty"` // idporten (default) or openid

	Clients     []clientEntry  `json:"clients,omitempty"`
	Scopes      []scope.Scope  `json:"scopes,omitempty"`
	ScopeAccess []scope.Access `json:"scope_access,omitempty"`
	Users       []user         `json:"users,omitempty"`

	Session   sessionLimits `json:"session,omitzero"`
	Lifetimes lifetimes     `json:"lifetimes,omitzero"`

	// TestLogin answers login_hint=testid:<pid>_<acr> without a page.
	TestLogin bool `json:"test_login,omitempty"`
}

// clientEntry is a registration with the two wire properties a client.Client does not hold as they are.
type clientEntry struct {
	client.Client
	ClientSecret string `json:"client_secret,omitempty"`
	Active       *bool  `json:"active,omitempty"`
}

// user is one login. Two entries may share a pid: MinID and BankID of one person.
type user struct {
	PID      string         `json:"pid,omitempty"`
	Username string         `json:"username"`
	Password string         `json:"password"`
	ACR      string         `json:"acr,omitempty"` // the level this login gives; substantial if absent
	AMR      []string       `json:"amr,omitempty"`
	Claims   map[string]any `json:"claims,omitempty"` // OpenID Connect standard claims
	Active   *bool          `json:"active,omitempty"`
}

type sessionLimits struct {
	Max  int `json:"max,omitempty"`  // seconds from the first authentication
	Idle int `json:"idle,omitempty"` // seconds between two authorization requests
}

// lifetimes are in seconds; 0 is ID-porten's.
type lifetimes struct {
	AccessToken   int `json:"access_token,omitempty"`
	RefreshToken  int `json:"refresh_token,omitempty"`
	Authorization int `json:"authorization,omitempty"`
	IDToken       int `json:"id_token,omitempty"`
	Code          int `json:"code,omitempty"`
	PushedRequest int `json:"pushed_request,omitempty"`
}

// readConfig reads a configuration file. Unknown members are errors that name their path.
func readConfig(path string) (config, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return config{}, err
	}
	var c config
	if err := strictjson.Decode(data, &c); err != nil {
		return config{}, fmt.Errorf("%s:\n%w", path, err)
	}
	if err := c.check(); err != nil {
		return config{}, fmt.Errorf("%s:\n%w", path, err)
	}
	return c, nil
}

// check reports what no package of portner will look at.
func (c config) check() error {
	var errs []error
	if !slices.Contains([]string{"", "idporten", "openid"}, c.Profile) {
		errs = append(errs, fmt.Errorf("profile: %q is neither idporten nor openid", c.Profile))
	}
	seen := map[string]bool{}
	for i, u := range c.Users {
		at := fmt.Sprintf("users[%d]", i)
		if u.Username == "" {
			errs = append(errs, errors.New(at+".username is required"))
		}
		if seen[u.Username] {
			errs = append(errs, fmt.Errorf("%s.username: %q is there already", at, u.Username))
		}
		seen[u.Username] = true
		if u.Password == "" {
			errs = append(errs, errors.New(at+".password is required"))
		}
		if u.PID != "" {
			if _, err := norway.ParsePID(u.PID); err != nil {
				errs = append(errs, fmt.Errorf("%s.pid: %w", at, err))
			}
		}
		if u.ACR != "" && !acr.IDPorten.Known(u.ACR) {
			errs = append(errs, fmt.Errorf("%s.acr: %q is not a known level", at, u.ACR))
		}
	}
	for name, n := range map[string]int{
		"session.max": c.Session.Max, "session.idle": c.Session.Idle, "lifetimes.access_token": c.Lifetimes.AccessToken,
		"lifetimes.refresh_token": c.Lifetimes.RefreshToken, "lifetimes.authorization": c.Lifetimes.Authorization,
		"lifetimes.id_token": c.Lifetimes.IDToken, "lifetimes.code": c.Lifetimes.Code, "lifetimes.pushed_request": c.Lifetimes.PushedRequest,
	} {
		if n < 0 {
			errs = append(errs, fmt.Errorf("%s: seconds, not %d", name, n))
		}
	}
	return errors.Join(errs...)
}

// registrations turns the entries into a registry. Secrets in a configuration file were chosen by
// people; a real provider would issue them.
func registrations(entries []clientEntry, now time.Time) (*client.Registry, error) {
	clients := make([]client.Client, 0, len(entries))
	var errs []error
	for i, e := range entries {
		c := e.Client
		c.Inactive = e.Active != nil && !*e.Active
		if e.ClientSecret != "" {
			s, err := client.InsecureSecret(e.ClientSecret, now.Add(360*24*time.Hour))
			if err != nil {
				errs = append(errs, fmt.Errorf("clients[%d].client_secret: %w", i, err))
				continue
			}
			c.Secrets = []client.Secret{s}
		}
		if len(c.JWKS) > 0 {
			c.KeysUploadedAt = now
		}
		clients = append(clients, c)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return client.NewRegistry(client.Environment{Test: true}, clients...)
}

// seconds turns a number of seconds into a duration.
func seconds(n int) time.Duration { return time.Duration(n) * time.Second }
