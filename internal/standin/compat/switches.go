package compat

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
)

// Switch is one check that mock-oauth2-server does not make and that a test environment may do without.
type Switch string

// The switches.
const (
	AnyIssuer           Switch = "any-issuer"
	AnyClient           Switch = "any-client"
	AnySecret           Switch = "any-secret"
	AnyRedirectURI      Switch = "any-redirect-uri"
	AnyScope            Switch = "any-scope"
	AnyAudience         Switch = "any-audience"
	AnyOrigin           Switch = "any-origin"
	ClientAudience      Switch = "client-audience"
	MissingVerifier     Switch = "missing-verifier"
	UnverifiedAssertion Switch = "unverified-assertions"
	PasswordGrant       Switch = "password-grant"
)

// effects says what each switch does.
var effects = map[Switch]string{
	AnyIssuer:           "an issuer that is not configured exists from the first request to its path",
	AnyClient:           "a client that is not configured is registered at its first request, with the first secret that it sends",
	AnySecret:           "every client secret is accepted, and either method of sending one",
	AnyRedirectURI:      "a redirect URI or post-logout redirect URI is registered by the first request that names it",
	AnyScope:            "every scope exists, and every client may request it",
	AnyAudience:         "a token of any client and audience may be exchanged, and for every audience",
	AnyOrigin:           "scripts of every origin may call the endpoints",
	ClientAudience:      "an access token may have a client as its audience, which can take it for an id_token",
	MissingVerifier:     "confidential clients may log users in without PKCE; a challenge that is sent is verified",
	UnverifiedAssertion: "the signatures of client assertions, assertions and subject tokens are not verified",
	PasswordGrant:       "a client receives tokens for every user name, with any password",
}

// SwitchNames returns the names of the switches in order.
func SwitchNames() []string {
	names := make([]string, 0, len(effects))
	for s := range effects {
		names = append(names, string(s))
	}
	slices.Sort(names)
	return names
}

// Switches are the switches that are on. The zero value is strict.
type Switches map[Switch]bool

// ParseSwitches returns the switches of lists of names, each separated by commas. It rejects unknown names.
func ParseSwitches(lists ...string) (Switches, error) {
	on := Switches{}
	var problems []error
	for _, list := range lists {
		for name := range strings.SplitSeq(list, ",") {
			name = strings.TrimSpace(name)
			switch {
			case name == "":
			case effects[Switch(name)] == "":
				problems = append(problems, fmt.Errorf("%q is no switch: the switches are %s", name, strings.Join(SwitchNames(), ", ")))
			default:
				on[Switch(name)] = true
			}
		}
	}
	return on, errors.Join(problems...)
}

// warn logs each switch that is on.
func (s Switches) warn(log *slog.Logger) {
	for _, name := range SwitchNames() {
		if s[Switch(name)] {
			log.Warn("lenient: a check of real providers is off", "switch", name, "effect", effects[Switch(name)])
		}
	}
}
