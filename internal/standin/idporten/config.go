package idporten

import (
	"cmp"
	"strings"

	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/standin"
	"github.com/portner-go/portner/provider"
)

// Config is the configuration file. docs/idporten-config.schema.json describes it.
type Config struct {
	standin.Common

	Profile string `json:"profile,omitempty"` // one of profiles
	Users   []User `json:"users,omitempty"`

	Session   sessionLimits `json:"session,omitzero"`
	Lifetimes lifetimes     `json:"lifetimes,omitzero"`

	// DPoP changes the rules for DPoP proofs, which every profile accepts.
	DPoP dpopRules `json:"dpop,omitzero"`
	// MTLS is the listener for clients with TLS certificates.
	MTLS MTLS `json:"mtls,omitzero"`

	// TokenExchange enables token exchange (RFC 8693). If nil, the grant type is unknown.
	TokenExchange *tokenExchange `json:"token_exchange,omitempty"`

	// ConfirmLogout asks the user before a logout without id_token_hint. The default is that of the profile.
	ConfirmLogout *bool `json:"confirm_logout,omitempty"`
	// OldLevelNames accepts Level3 and Level4 as acr values. The default is true with the demo.
	OldLevelNames *bool `json:"old_level_names,omitempty"`
	// NoPID accepts the retired scopes no_pid and tokeninfo.
	NoPID bool `json:"no_pid,omitempty"`
	// AccessTokenType is the header typ of JWT access tokens: at+jwt or none. The default is that of the profile.
	AccessTokenType string `json:"access_token_type,omitempty"`

	// TestLogin answers login_hint=testid:<pid>_<acr> and login_hint=testid:<username> without a page.
	TestLogin bool `json:"test_login,omitempty"`
}

// Environment allows clients of organisations to authenticate with business certificates, unless the profile has rules of its own.
func (c Config) Environment() client.Environment {
	env := client.Environment{Test: true, BusinessCertificates: true, NoPID: c.NoPID}
	if c.fapi() {
		pr := c.profile()
		env.BusinessCertificates, env.SigningAlgorithms, env.Profile = false, pr.SigningAlgorithms, pr.CheckClient
	}
	return env
}

// levels returns the acr values.
func (c Config) levels() *acr.Levels {
	if c.OldLevelNames != nil && *c.OldLevelNames {
		return acr.IDPortenWithOldNames
	}
	return acr.IDPorten
}

// User is one login of a person. Two entries may have the same pid, such as MinID and BankID of one person.
type User struct {
	standin.Account                // the default of acr is idporten-loa-substantial
	Claims          map[string]any `json:"claims,omitempty"` // standard claims (OIDC Core §5.1)
	Active          *bool          `json:"active,omitempty"` // the default is true
}

type sessionLimits struct {
	Max  int `json:"max,omitempty"`  // seconds from the first authentication
	Idle int `json:"idle,omitempty"` // seconds between two authorization requests
}

// lifetimes are in seconds. If 0, the lifetime is that of the profile.
type lifetimes struct {
	AccessToken   int `json:"access_token,omitempty"`
	RefreshToken  int `json:"refresh_token,omitempty"`
	Authorization int `json:"authorization,omitempty"`
	IDToken       int `json:"id_token,omitempty"`
	Code          int `json:"code,omitempty"`
	PushedRequest int `json:"pushed_request,omitempty"`
}

// ReadConfig reads a configuration file.
func ReadConfig(path string, demo bool) (Config, error) {
	d, err := standin.ReadDocument(path)
	if err != nil {
		return Config{}, err
	}
	return ParseConfig(d, demo)
}

// ParseConfig reads a configuration and reports every problem at once. If demo is true, the scopes of the demo exist, too.
func ParseConfig(d standin.Document, demo bool) (Config, error) { return parseConfig(d, nil, demo) }

// parseConfig reads a configuration with changes.
func parseConfig(d standin.Document, merge standin.Merge, demo bool) (Config, error) {
	c, err := standin.ParseConfig(d, merge, func(c *Config) error { return c.check(demo) })
	c.Certificates.Resolve(d.Path)
	c.MTLS.resolve(d.Path)
	return c, err
}

// profiles are the values of the member profile.
var profiles = map[string]func() provider.Profile{
	"idporten": provider.IDPorten, "openid": provider.OpenIDConnect, "fapi2": provider.FAPI2, "fapi2-message-signing": provider.FAPI2MessageSigning,
}

// fapi reports whether the profile is one of FAPI 2.0.
func (c Config) fapi() bool { return strings.HasPrefix(c.Profile, "fapi2") }

// openid reports whether the profile is a plain OpenID provider or one of FAPI 2.0, and not ID-porten.
func (c Config) openid() bool { return c.Profile == "openid" || c.fapi() }

// profile returns the profile of the provider.
func (c Config) profile() provider.Profile {
	p := profiles[cmp.Or(c.Profile, "idporten")]()
	p.DPoPNonce = c.DPoP.Nonce
	if c.ConfirmLogout != nil {
		p.ConfirmLogout = *c.ConfirmLogout
	}
	p.Levels = c.levels()
	if c.AccessTokenType == typeAccessToken {
		p.AccessTokenType = typeAccessToken
	}
	p.UntypedAccessTokens = c.AccessTokenType == typeNone
	return p
}

// Values of access_token_type.
const typeAccessToken, typeNone = "at+jwt", "none"

// with returns c with the entries of the demo. An entry of c replaces the one of the demo; users of c replace all users of the demo.
func (c Config) with(b Config, d *standin.Administration) Config {
	c.Common = c.With(b.Common)
	c.Users = standin.WithUsers(d, c.Users, b.Users, func(u User) string { return u.Username })
	if c.OldLevelNames == nil {
		c.OldLevelNames = b.OldLevelNames
	}
	return c
}
