package main

import (
	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/examples/internal/standin"
	"github.com/portner-go/portner/provider"
)

// config is the file behind -config. docs/idporten-config.schema.json describes it.
type config struct {
	standin.Common

	Profile string `json:"profile,omitempty"` // idporten (default) or openid
	Users   []user `json:"users,omitempty"`

	Session   sessionLimits `json:"session,omitzero"`
	Lifetimes lifetimes     `json:"lifetimes,omitzero"`

	// TestLogin answers login_hint=testid:<pid>_<acr> without a page.
	TestLogin bool `json:"test_login,omitempty"`
}

// environment: a client of an organisation may authenticate with a business certificate.
var environment = client.Environment{Test: true, BusinessCertificates: true}

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

// readConfig reads a configuration file and reports every problem at once. If demo is true, the scopes of the demo exist, too.
func readConfig(path string, demo bool) (config, error) {
	c, err := standin.ReadConfig(path, func(c *config) error { return c.check(demo) })
	standin.ResolvePaths(path, c.Certificates.Roots, c.Certificates.CRLs)
	return c, err
}

// rules are the rules of the configuration's profile.
func (c config) rules() provider.Profile {
	if c.Profile == "openid" {
		p := provider.OpenIDConnect()
		p.Levels = acr.IDPorten
		return p
	}
	return provider.IDPorten()
}

// with adds the demo. An entry of the configuration replaces one of the demo; its users replace all of the demo's.
func (c config) with(b config) config {
	c.Common = c.With(b.Common)
	if len(c.Users) == 0 {
		c.Users = b.Users
	}
	return c
}
