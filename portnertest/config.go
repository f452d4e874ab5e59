package portnertest

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/digdir/ansattporten"
	"github.com/portner-go/portner/internal/fields"
	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/token"
)

// The client that every provider has, unless Config.Clients has one with this client_id. It may use every scope, and every redirect URI on
// loopback. The secret is public: it is worth nothing outside a test.
const (
	ClientID     = "app"
	ClientSecret = "q8H2vTz5yWm0RkN7uXc4LbP9sJdF1gAe"
)

// Organisation is the organisation number of the client "app", and the owner of the scopes of tests.
const Organisation = "991825827"

// Config configures a provider. The zero value has the client "app" and the users "kari" and "ola". A function that starts a provider fails the
// test if the Config is invalid, with the names of the fields.
type Config struct {
	// File is a configuration file of the stand-in of the service (docs/idporten-config.md and the others). It takes the place of Profile, Clients,
	// the logout paths, Scopes, Delegations, Users and Claims. A client with a redirect URI on loopback accepts it at every port, and its logout
	// URIs follow. Users have the level of their entry. Issuer and listener are those of the test.
	File string
	// Profile is that of the provider of New. The zero value is provider.IDPorten(). The other services have profiles of their
	// own, and reject one.
	Profile provider.Profile
	// Clients are registrations. One without redirect URIs accepts every redirect URI on loopback, because a tested app often learns its
	// address after it has the issuer.
	Clients []client.Client
	// FrontchannelLogoutPath and BackchannelLogoutPath are the paths of the logout handlers of the tested app, such as "/logout/frontchannel". They
	// apply to clients without redirect URIs, at the origin of the redirect URI that the app uses. If both are "", ending a session is
	// reported as a mistake.
	FrontchannelLogoutPath, BackchannelLogoutPath string
	// Scopes are scopes that exist, in addition to those that LogIn and MintToken name. Every client may use them.
	Scopes []scope.Scope
	// Delegations are those of NewMaskinporten. The other services reject the field.
	Delegations []Delegation
	// Users are the users by name. If nil, they are kari and ola, two synthetic persons.
	Users map[string]User
	// Claims adds claims to tokens, introspection and userinfo.
	Claims token.ClaimsFunc

	// Start is the time of the clock until the first Advance. The default is the time of New, or a fixed instant with a Seed.
	Start time.Time
	// Seed makes everything that the provider issues the same in each run, for golden tests: the issuer is the same, the random numbers of
	// the process come from the seed (testing/cryptotest), and the connections have no TLS, because a handshake takes random numbers in no
	// certain order. Such a test cannot be parallel. The tested app needs the clock of [Provider.Now]. 0 is no seed.
	Seed uint64

	// Lenient turns off the strict checks and the probes: mistakes of the tested app are not reported.
	Lenient bool
	// Allow lists rules that are not reported.
	Allow []Rule
}

// Delegation permits a supplier to request tokens of Maskinporten for a consumer, with every scope.
type Delegation struct {
	Consumer, Supplier string // organisation numbers
}

// User is a user of the provider. The zero value is a user without a national identity number.
type User struct {
	PID      string         // synthetic national identity number
	ACR      string         // the highest level of the user; if "", the user reaches every level
	AMR      []string       // methods of the login; the default is TestID
	Claims   map[string]any // standard claims (OIDC Core §5.1)
	Disabled bool           // the user can no longer log in, and tokens of the user are not active
	// Represents are the organisations that the user may represent at Ansattporten. Users of the zero value of Config.Users have none.
	Represents []ansattporten.Reportee

	password string // in a file
}

// check returns every problem of the fields that no other package checks. A field that has no effect at the service is one of them.
func (c *Config) check(service string) error {
	var f fields.Checker
	add := func(field, problem string) { f.Add(field, errors.New(problem)) }
	for _, rule := range c.Allow {
		if sources[rule] == "" {
			f.Add("Allow", fmt.Errorf("there is no rule %q", rule))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Users)) {
		if _, err := norway.ParsePID(c.Users[name].PID); c.Users[name].PID != "" && err != nil {
			add("Users["+name+"].PID", "must be a national identity number")
		}
	}
	c.checkLists(&f)
	f.Want(service == "idporten" || !c.hasProfile(), "Profile", "applies to New only")
	f.Want(service == "maskinporten" || len(c.Delegations) == 0, "Delegations", "applies to NewMaskinporten only")
	for field, path := range map[string]string{"FrontchannelLogoutPath": c.FrontchannelLogoutPath, "BackchannelLogoutPath": c.BackchannelLogoutPath} {
		f.Want(path == "" || service != "maskinporten" && service != "altinn", field, "has no effect at a service without logins")
		if path != "" && !strings.HasPrefix(path, "/") {
			add(field, "must be a path that begins with a slash")
		}
	}
	if c.File != "" {
		for field, set := range map[string]bool{
			"Profile": c.hasProfile(), "Clients": c.Clients != nil, "FrontchannelLogoutPath": c.FrontchannelLogoutPath != "", "Scopes": c.Scopes != nil,
			"BackchannelLogoutPath": c.BackchannelLogoutPath != "", "Delegations": c.Delegations != nil, "Users": c.Users != nil, "Claims": c.Claims != nil,
		} {
			if set {
				add(field, "is that of File")
			}
		}
	}
	return f.Err()
}

// checkLists reports entries that are malformed or that another entry hides.
func (c *Config) checkLists(f *fields.Checker) {
	names := map[string]bool{}
	for i, s := range c.Scopes {
		f.Want(isScope(s.Name), fmt.Sprintf("Scopes[%d].Name", i), "must be a scope (RFC 6749 §3.3)")
		f.Want(!names[s.Name], fmt.Sprintf("Scopes[%d].Name", i), "is that of an earlier entry")
		names[s.Name] = true
	}
	clients := map[string]bool{}
	for i := range c.Clients {
		f.Want(!clients[c.Clients[i].ClientID], fmt.Sprintf("Clients[%d].ClientID", i), "is that of an earlier entry")
		clients[c.Clients[i].ClientID] = true
	}
	for i, d := range c.Delegations {
		for field, orgno := range map[string]string{"Consumer": d.Consumer, "Supplier": d.Supplier} {
			_, err := norway.ParseOrgno(orgno)
			f.Want(err == nil, fmt.Sprintf("Delegations[%d].%s", i, field), "must be an organisation number")
		}
	}
}

// checkLevels reports levels of users that the service does not have.
func (p *Provider) checkLevels() error {
	var f fields.Checker
	for _, name := range slices.Sorted(maps.Keys(p.cfg.Users)) {
		if err := p.checkLevel(p.cfg.Users[name].ACR); err != nil && p.cfg.File == "" {
			f.Add("Config: Users["+name+"].ACR", err)
		}
	}
	return f.Err()
}

// checkLevel returns an error for a level that the service does not have.
func (p *Provider) checkLevel(level string) error {
	known := p.system.levels.Values()
	if level == "" || slices.Contains(known, level) {
		return nil
	}
	if len(known) == 0 {
		return errors.New("the service has no levels")
	}
	return fmt.Errorf("%q is none of %s", level, strings.Join(known, ", "))
}

// checkLogin returns the problem of a login, with its field.
func (p *Provider) checkLogin(l Login) error {
	if !p.system.login {
		return errNoLogin
	}
	if _, known := p.cfg.Users[l.user()]; !known {
		return invalid("User", "there is no user %q", l.user())
	}
	if err := p.checkLevel(l.ACR); err != nil {
		return invalid("ACR", "%w", err)
	}
	return checkScopes(l.Scopes)
}

// checkScopes returns the problem of the scopes of a login or a token.
func checkScopes(names []string) error {
	for i, name := range names {
		if !isScope(name) {
			return invalid(fmt.Sprintf("Scopes[%d]", i), "must be a scope (RFC 6749 §3.3)")
		}
	}
	return nil
}

// isScope reports whether a text is one scope.
func isScope(name string) bool {
	parsed, err := scope.Parse(name)
	return err == nil && len(parsed) == 1 && parsed[0] == name
}

// errNoLogin is the error of Maskinporten and Altinn, which have no users who log in.
var errNoLogin = errors.New("this service has no login")

// hasProfile reports whether Profile is not the zero value.
func (c *Config) hasProfile() bool { return !reflect.ValueOf(c.Profile).IsZero() }

// users returns the users of the zero value of Config.
func users() map[string]User {
	return map[string]User{
		"kari": {PID: "21879498012", Claims: map[string]any{"name": "Kari Testesen", "given_name": "Kari", "family_name": "Testesen", "email": "kari@example.no"}},
		"ola":  {PID: "45840375084", Claims: map[string]any{"name": "Ola Prøvesen", "given_name": "Ola", "family_name": "Prøvesen", "email": "ola@example.no"}},
	}
}

// Login is a login of a user at a client. The zero value logs in kari, at the level that the request requires, and consents.
type Login struct {
	User     string   // the default is kari
	ClientID string   // of LogIn; the default is app
	ACR      string   // the level that the user reaches; the default is the one that the request requires
	Scopes   []string // the scopes of LogIn, in addition to openid and profile
	Cancel   bool     // the user cancels at the first page
	// Decline declines the consents that a page requests.
	Decline bool
	// Represent is the choice on a page of representation, by its identifier. The default is the first one.
	Represent string
	// Parameters are further parameters of the authorization request of LogIn.
	Parameters map[string]string
}
