package provider

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/fields"
	"github.com/portner-go/portner/internal/httpx"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/scope"
)

// withDefaults returns c with its defaults. It records the problems of fields that it merges.
func (c Config) withDefaults(p *problems) Config {
	if c.BrowserURL == "" {
		c.BrowserURL = c.Issuer
	}
	if strings.HasPrefix(c.Issuer, "http://") {
		c.Environment.Test = true
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Session.Circle == nil {
		c.Session.Circle = c.Profile.Circle
	}
	if c.Session.SingleUse == nil {
		c.Session.SingleUse = c.Profile.SingleUseLogin
	}
	c.Profile = c.Profile.withDefaults()
	c.Lifetimes = c.Profile.Lifetimes.with(c.Lifetimes)
	c.Secrets = slices.Clone(c.Secrets)
	var scopes fields.Checker
	if scopes.OptionalValue(c.Scopes, "Scopes"); scopes.Err() != nil {
		p.from(scopes.Err())
		c.Scopes = nil // mergeScopes calls it
	}
	c.Scopes = mergeScopes(c.Scopes, c.Profile.Scopes, p)
	return c
}

// mergeScopes returns a source with the scopes of the host and the standard scopes of the profile. A scope of the host takes the
// place of a standard scope with the same name, for good: if the host removes it later, the record of the profile, which may be less
// strict, does not come back.
func mergeScopes(host scope.Source, standard []scope.Scope, p *problems) scope.Source {
	own, err := scope.NewRegistry(standard, nil)
	if err != nil {
		for _, e := range portner.FieldErrors(err) {
			p.once("Profile.S"+strings.TrimPrefix(e.Field, "s"), e.Err) // "scopes[0].description"
		}
		own, _ = scope.NewRegistry(nil, nil)
	}
	switch {
	case host == nil:
		return own
	case len(standard) == 0:
		return host
	}
	m := mergedScopes{host, map[string]*scope.Scope{}}
	for s := range own.All() {
		if host.Scope(s.Name) == nil {
			m.profile[s.Name] = s
		}
	}
	return m
}

// mergedScopes finds scopes of the host first, then those of the profile.
type mergedScopes struct {
	host    scope.Source
	profile map[string]*scope.Scope
}

// Scope implements scope.Source.
func (m mergedScopes) Scope(name string) *scope.Scope {
	if s := m.host.Scope(name); s != nil {
		return s
	}
	return m.profile[name]
}

// Access implements scope.Source.
func (m mergedScopes) Access(name, organisation string) scope.AccessState {
	if m.host.Scope(name) != nil {
		return m.host.Access(name, organisation)
	}
	return ""
}

// problems collects the problems of a Config. Several packages can report a problem of one field, and report problems of values that
// New derives from an invalid field. problems records one problem of each field and none of derived values.
type problems struct {
	fields.Checker
	seen map[string]bool
}

// configFields maps field names in the configurations of other packages to field names in Config. The name of a derived value is "".
var configFields = map[string]string{
	"URL": "BrowserURL", "Rules.Limits.Max": "Session.Limits.Max", "Rules.Limits.Idle": "Session.Limits.Idle", "MaxPerUser": "MaxSessionsPerUser",
	"CodeLifetime": "Lifetimes.Code", "PushedRequestLifetime": "Lifetimes.PushedRequest", "PendingLifetime": "Lifetimes.Pending",
	"AuthorizationLifetime": "Lifetimes.Authorization",
	"Levels":                "Profile.Levels", "Locales": "Profile.Locales", "RequestURIPrefix": "Profile.RequestURIPrefix",
	"SubjectTypesSupported": "Profile.SubjectTypesSupported",
	"MachineSubject":        "Profile.MachineSubject",
	"AccessTokenType":       "Profile.AccessTokenType", "SubjectType": "Profile.SubjectType", "UserInfoScope": "Profile.UserInfoScope",
	"Vault": "", "Sessions": "", "Authenticator": "", "Pairwise": "", "Subject": "", "IDTokens": "", "TokenEndpoint": "", "Reserved": "",
	"AuthorizationEndpoint": "", "EndSessionEndpoint": "", "RevocationEndpoint": "", "IntrospectionEndpoint": "", "UserinfoEndpoint": "",
	"JWKSURI": "", "PushedAuthorizationRequestEndpoint": "",
}

// profileLists are the lists of a Profile whose elements packages validate.
var profileLists = []string{"DefaultACRValues", "PromptValues", "Locales", "RequiredParameters", "Claims", "ScopeClaims", "ClaimsSupported", "SubjectTypesSupported", "SigningAlgorithms"}

// configField returns the field of Config behind a field of a package's configuration, "" for a derived value.
func configField(field string) string {
	if name, ok := configFields[field]; ok {
		return name
	}
	list, _, _ := strings.Cut(field, "[")
	if slices.Contains(profileLists, list) {
		return "Profile." + field
	}
	return field
}

// from records the problems that the New function of a package reports.
func (p *problems) from(err error) {
	if err == nil {
		return
	}
	found := portner.FieldErrors(err)
	if len(found) == 0 {
		p.Add("Config", err)
	}
	for _, e := range found {
		p.once(configField(e.Field), e.Err)
	}
}

// once records the first problem of a field.
func (p *problems) once(field string, err error) {
	if field == "" || err == nil || p.seen[field] {
		return
	}
	p.markSeen(field)
	p.Add(field, err)
}

func (p *problems) require(ok bool, field string) {
	if !ok {
		p.once(field, portner.ErrRequired)
	}
}

// check records the problems that only New can find.
func (c *Config) check(p *problems) {
	c.checkRules(p)
	p.require(c.Issuer != "", "Issuer")
	if c.Issuer != "" {
		p.once("Issuer", checkIssuer(c.Issuer))
	}
	if c.BrowserURL != c.Issuer {
		p.once("BrowserURL", checkIssuer(c.BrowserURL))
	} else {
		p.markSeen("BrowserURL") // the default was reported as Issuer
	}
	p.require(!fields.IsNil(c.Store), "Store")
	p.require(c.hasKeys(), "Keys")
	p.require(!fields.IsNil(c.Clients), "Clients")
	c.checkSecrets(p)
	c.checkBinding(p)
	c.checkAlgorithms(p)
	c.Profile.check(p)
	c.Lifetimes.check(p, c.Profile.Lifetimes)
}

// checkBinding validates the fields for tokens that are bound to a key of the client.
func (c *Config) checkBinding(p *problems) {
	if c.MTLSURL != "" {
		if strings.HasPrefix(c.Issuer, "https://") && !strings.HasPrefix(c.MTLSURL, "https://") {
			p.once("MTLSURL", errors.New("must be https"))
		}
		p.once("MTLSURL", checkIssuer(c.MTLSURL))
		if pathOf(c.MTLSURL) != pathOf(c.Issuer) {
			p.once("MTLSURL", errors.New("must have the path of Issuer"))
		}
	} else {
		if c.TLSClientCAs != nil {
			p.once("TLSClientCAs", errors.New("needs MTLSURL: it may be equal to Issuer"))
		}
		if c.ClientCertificates != nil {
			p.once("ClientCertificates", errors.New("needs MTLSURL: it may be equal to Issuer"))
		}
	}
	if c.Profile.SenderConstrained && c.DPoP == nil && c.MTLSURL == "" {
		p.once("DPoP", errors.New("is required, or MTLSURL: the profile binds every access token"))
	}
	if c.Profile.DPoPNonce && (c.DPoP == nil || c.DPoP.Nonces == nil) {
		p.once("DPoP.Nonces", errors.New("is required by Profile.DPoPNonce"))
	}
}

// checkAlgorithms validates what is signed with the algorithms of the profile; the registrations are validated when they are found.
func (c *Config) checkAlgorithms(p *problems) {
	algs := c.Profile.SigningAlgorithms
	if algs == nil {
		return
	}
	if !c.signsOnly(algs) {
		p.once("Keys", errors.New("must sign with "+list(algs)+" only: the profile says so"))
	}
	if c.DPoP != nil && !subset(c.DPoP.SupportedAlgorithms(), algs) {
		p.once("DPoP.Algorithms", errors.New("must be a part of "+list(algs)+": the profile says so"))
	}
}

// hasKeys reports whether the key set has a key. The zero value of a keyset.Set has none.
func (c *Config) hasKeys() bool { return c.Keys != nil && len(c.Keys.States()) > 0 }

// signsOnly reports whether every key that signs, or will sign, is for one of the algorithms.
func (c *Config) signsOnly(algs []string) bool {
	if !c.hasKeys() {
		return true
	}
	now := c.Now()
	return !slices.ContainsFunc(c.Keys.States(), func(k keyset.KeyState) bool {
		phase := k.Phase(now)
		return phase != keyset.Retired && phase != keyset.Removed && !slices.Contains(algs, k.Alg)
	})
}

// checkSecrets validates the secrets. It rejects a secret with two purposes, because a leak of the one would reveal the other.
func (c *Config) checkSecrets(p *problems) {
	p.require(len(c.Secrets) > 0, "Secrets")
	for i, s := range c.Secrets {
		field := fmt.Sprintf("Secrets[%d]", i)
		p.once(field, s.Validate())
		if slices.ContainsFunc(c.Secrets[:i], func(other portner.Secret) bool { return bytes.Equal(other, s) }) {
			p.once(field, errors.New("must differ from the other secrets"))
		}
		if len(c.PairwiseKey) > 0 && bytes.Equal(c.PairwiseKey, s) {
			p.once("PairwiseKey", errors.New("must differ from Secrets"))
		}
	}
	p.require(len(c.PairwiseKey) > 0, "PairwiseKey")
	p.once("PairwiseKey", c.PairwiseKey.Validate())
}

func (pr *Profile) check(p *problems) {
	if pr.Name == "" && pr.SubjectType == "" {
		p.once("Profile", errors.New("is required: IDPorten(), OpenIDConnect() or a profile of your own"))
		// The problems of its fields follow from that.
		for _, field := range [...]string{"Profile.SubjectType", "Profile.SubjectTypesSupported", "Profile.Locales"} {
			p.markSeen(field)
		}
		return
	}
	p.require(pr.Name != "", "Profile.Name")
	p.require(pr.SubjectType != "", "Profile.SubjectType")
	if pr.SubjectType != "" && pr.SubjectType != client.Public && pr.SubjectType != client.Pairwise {
		p.once("Profile.SubjectType", errors.New("must be public or pairwise"))
	} else if pr.SubjectType != "" && !slices.Contains(pr.SubjectTypesSupported, pr.SubjectType) {
		p.once("Profile.SubjectTypesSupported", errors.New("must include SubjectType"))
	}
	p.require(len(pr.Locales) > 0, "Profile.Locales")
	pr.Paths.check(p)
	for i, f := range pr.Claims {
		p.require(f != nil, fmt.Sprintf("Profile.Claims[%d]", i))
	}
}

// check records paths that are malformed or repeated.
func (p *Paths) check(to *problems) {
	fields, seen := p.fields(), map[string]bool{pathOpenID: true, pathOAuth: true}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		path := *fields[name]
		u, err := url.Parse(path)
		switch {
		case err != nil || !strings.HasPrefix(path, "/") || u.EscapedPath() != path || !httpx.CleanPath(u):
			to.once("Profile.Paths."+name, errors.New("must be a path without empty segments, dot segments, escapes and query"))
		case seen[path]:
			to.once("Profile.Paths."+name, errors.New("must differ from the other paths"))
		}
		seen[path] = true
	}
}

// check records lifetimes that are missing in the profile or invalid in either place.
func (l Lifetimes) check(p *problems, profile Lifetimes) {
	for _, f := range [...]struct {
		name            string
		merged, profile time.Duration
	}{
		{"AccessToken", l.AccessToken, profile.AccessToken},
		{"IDToken", l.IDToken, profile.IDToken},
		{"RefreshToken", l.RefreshToken, profile.RefreshToken},
		{"Authorization", l.Authorization, profile.Authorization},
		{"Code", l.Code, profile.Code},
		{"PushedRequest", l.PushedRequest, profile.PushedRequest},
		{"Pending", l.Pending, profile.Pending},
	} {
		if !p.seen["Profile"] {
			p.require(f.profile != 0, "Profile.Lifetimes."+f.name)
		}
		if f.merged == 0 {
			p.markSeen("Lifetimes." + f.name) // the profile's field was reported
		} else if f.merged < time.Second || f.merged%time.Second != 0 {
			p.once("Lifetimes."+f.name, errors.New("must be a whole number of seconds, at least 1"))
		}
	}
}

func (p *problems) markSeen(field string) {
	if p.seen == nil {
		p.seen = map[string]bool{}
	}
	p.seen[field] = true
}

// checkIssuer validates an issuer: OIDC Discovery §3, no slash at its end, and a path that every router and proxy reads alike.
func checkIssuer(issuer string) error {
	u, err := url.Parse(issuer)
	switch {
	case err != nil || u.Host == "" || u.User != nil || strings.ContainsAny(issuer, "?#"):
		return errors.New("must be an absolute URL without user, query and fragment")
	case strings.HasSuffix(issuer, "/"):
		return errors.New("must not end in a slash")
	case u.Path != "" && (!httpx.CleanPath(u) || u.EscapedPath() != u.Path):
		return errors.New("must have a path without empty segments, dot segments and escapes")
	case u.Scheme == "https", u.Scheme == "http" && fields.PlainHTTP(u.Hostname()):
		return nil
	}
	return fields.ErrPlainHTTP
}
