package client

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/portner-go/portner/internal/jose"
	"github.com/portner-go/portner/internal/seal"
	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/scope"
)

// PropertyError is one problem of a registration. It never quotes the value.
type PropertyError struct {
	ClientID string // "" if the registration has none
	Property string // the wire's name, with an index in a list: redirect_uris[2]
	Rule     string // what the value has to be, in words
	Err      error  // the cause, such as ErrInvalidRedirectURI; may be nil
}

// Error names the client, the property and the rule.
func (e *PropertyError) Error() string {
	return fmt.Sprintf("client %q: %s: %s", e.ClientID, e.Property, e.Rule)
}

// Unwrap returns the cause.
func (e *PropertyError) Unwrap() error { return e.Err }

// combination is one row of idporten section 2.4. A nil list allows everything.
type combination struct {
	machine bool     // no person: web, private_key_jwt and jwt-bearer only
	orgno   bool     // client_orgno is required
	scopes  []string // the only scopes such a client may have
}

// combinations by integration_type. "" is a plain OpenID Connect client. The last two are managed by
// the operator and have general rules only.
var combinations = map[string]combination{
	"":               {},
	"idporten":       {orgno: true, scopes: []string{"openid", "profile", "no_pid", "eidas"}},
	"api_klient":     {orgno: true},
	"ansattporten":   {orgno: true},
	"maskinporten":   {orgno: true, machine: true},
	"krr":            {orgno: true, machine: true, scopes: []string{"krr:global/kontaktinformasjon.read", "krr:global/digitalpost.read"}},
	"eformidling":    {},
	"idporten_saml2": {},
}

// What is allowed by application type and kind of client.
var (
	confidentialMethods = []string{ClientSecretBasic, ClientSecretPost, PrivateKeyJWT}
	publicMethods       = []string{None}
	machineMethods      = []string{PrivateKeyJWT}

	personGrants = []string{AuthorizationCode, RefreshToken}
	plainGrants  = []string{AuthorizationCode, RefreshToken, ClientCredentials}

	signatureAlgorithms = []string{"", jose.RS256, jose.PS256, jose.ES256, jose.EdDSA}
	promptValues        = []string{"login", "none", "consent", "select_account"}
)

// validation collects the problems of one registration.
type validation struct {
	*Client
	env      Environment
	problems []error
}

// Validate reports every problem of the registration at once, each a *PropertyError that names its
// property. Nil means that the registration may be used in this environment.
func (c *Client) Validate(env Environment) error {
	v := &validation{Client: c, env: env}
	v.checkIdentity()
	v.checkKind()
	v.checkGrants()
	v.checkScopes()
	v.checkURIs()
	v.checkLogoutURIs()
	v.checkPublic()
	v.checkLists()
	v.checkLifetimes()
	v.checkKeys()
	v.checkSecrets()
	v.checkOnBehalfOf()
	return errors.Join(v.problems...)
}

// want records a problem unless ok.
func (v *validation) want(ok bool, property, rule string) {
	if !ok {
		v.add(property, rule, nil)
	}
}

func (v *validation) add(property, rule string, err error) {
	v.problems = append(v.problems, &PropertyError{ClientID: v.ClientID, Property: property, Rule: rule, Err: err})
}

// oneOf records a problem unless value is on the list.
func (v *validation) oneOf(property, value string, allowed []string) {
	if !slices.Contains(allowed, value) {
		v.add(property, "must be "+orList(allowed), nil)
	}
}

func orList(values []string) string {
	values = slices.DeleteFunc(slices.Clone(values), func(s string) bool { return s == "" })
	if n := len(values); n > 1 {
		return strings.Join(values[:n-1], ", ") + " or " + values[n-1]
	}
	return strings.Join(values, "")
}

func (v *validation) checkIdentity() {
	v.want(v.ClientID != "", "client_id", "is required")
	v.want(len(v.ClientID) <= maxClientID && isPrintable(v.ClientID), "client_id", "must be at most 256 printable ASCII characters")
	// Subjects and client_ids never look alike, so that a client is never taken for a person (RFC 9700
	// section 4.15, security row D11).
	v.want(!seal.TokenShaped(v.ClientID), "client_id", "must not be 43 base64url characters, the form of a subject")
	v.want(!combinations[v.IntegrationType].orgno || v.OrganisationNo != "", "client_orgno", "is required for this integration_type")
	v.checkOrgno("client_orgno", v.OrganisationNo)
	v.checkOrgno("supplier_orgno", v.SupplierOrgno)
	v.checkName("client_name", v.ClientName)
	v.checkLink("client_uri", v.ClientURI)
	v.checkLink("logo_uri", v.LogoURI)
}

func (v *validation) checkOrgno(property, orgno string) {
	o, err := norway.ParseOrgno(orgno)
	v.want(orgno == "" || err == nil && o.String() == orgno, property, "must be nine digits with the right check digit")
}

// maxName is the longest name of a service, in characters: one line of a page.
const maxName = 200

// checkName takes what people read beside "Log in to": no control, bidirectional or invisible characters
// (Unicode's category C), no line breaks, so that no service passes for another (security row G14).
func (v *validation) checkName(property, name string) {
	hidden := func(r rune) bool { return unicode.Is(unicode.C, r) || r == '\u2028' || r == '\u2029' }
	v.want(utf8.ValidString(name) && strings.IndexFunc(name, hidden) < 0 && (name == "" || strings.TrimSpace(name) != ""),
		property, "must be text without control, bidirectional and invisible characters")
	v.want(utf8.RuneCountInString(name) <= maxName, property, "must be at most 200 characters")
}

// checkLink takes what a page may link to or show: never a scheme that runs code.
func (v *validation) checkLink(property, link string) {
	if link == "" {
		return
	}
	u, err := url.Parse(link)
	v.want(err == nil && isHTTP(u.Scheme) && u.Hostname() != "" && u.User == nil && isPrintable(link) && len(link) <= maxURILength,
		property, "must be an http or https URL of at most 2048 bytes")
}

// checkKind checks integration_type, application_type and token_endpoint_auth_method against each other
// (idporten section 2.4).
func (v *validation) checkKind() {
	kind, known := combinations[v.IntegrationType]
	v.want(known, "integration_type", "must be idporten, api_klient, ansattporten, maskinporten, krr, eformidling or idporten_saml2")
	v.oneOf("application_type", v.ApplicationKind(), []string{Web, Browser, Native})
	methods := confidentialMethods
	switch {
	case kind.machine:
		v.want(v.ApplicationKind() == Web, "application_type", "must be web for integration_type "+v.IntegrationType)
		methods = machineMethods
	case v.ApplicationKind() != Web:
		methods = publicMethods // what is shipped to everybody keeps no secret
	}
	if !slices.Contains(methods, v.AuthMethod()) {
		v.add("token_endpoint_auth_method", fmt.Sprintf("must be %s for a %s application of integration_type %q",
			orList(methods), v.ApplicationKind(), v.IntegrationType), nil)
	}
}

func (v *validation) checkGrants() {
	if combinations[v.IntegrationType].machine {
		for i, g := range v.GrantTypes {
			v.want(g == JWTBearer || g == jwtBearerShort, at("grant_types", i), "must be "+JWTBearer+" for this integration_type")
		}
		return
	}
	for i, g := range v.GrantTypes {
		if v.IntegrationType != "" {
			v.oneOf(at("grant_types", i), g, personGrants)
			continue
		}
		// A host may add grants of its own; those have absolute URIs for names (RFC 6749 section 4.5).
		u, err := url.Parse(g)
		extension := err == nil && u.IsAbs() && isPrintable(g)
		v.want(extension || slices.Contains(plainGrants, g), at("grant_types", i), "must be "+orList(plainGrants)+", or the URI of an extension")
	}
	v.want(!v.Public() || !slices.Contains(v.GrantTypes, ClientCredentials), "grant_types",
		"client_credentials is for confidential clients (RFC 6749 section 4.4)")
}

func at(property string, i int) string { return fmt.Sprintf("%s[%d]", property, i) }

func (v *validation) checkScopes() {
	// The right to introspect is the operator's to give, on any integration type (idporten section 12.4).
	allowed := combinations[v.IntegrationType].scopes
	for i, s := range v.Scopes {
		parsed, err := scope.Parse(s)
		v.want(err == nil && len(parsed) == 1 && parsed[0] == s, at("scopes", i), "must be a scope (RFC 6749 section 3.3)")
		v.want(slices.Index(v.Scopes, s) == i, at("scopes", i), "is listed twice")
		v.want(allowed == nil || s == scope.Introspection || slices.Contains(allowed, s), at("scopes", i),
			"integration_type "+v.IntegrationType+" may only have "+orList(allowed))
	}
}

// login reports whether the client sends people to the authorization endpoint. One whose only scope is
// introspection is a resource server.
func (c *Client) login() bool {
	resourceServer := len(c.Scopes) == 1 && c.Scopes[0] == scope.Introspection
	return c.HasGrant(AuthorizationCode) && !resourceServer
}

func (v *validation) checkURIs() {
	v.want(!v.login() || len(v.RedirectURIs) > 0, "redirect_uris", "at least one is required")
	v.checkURIList("redirect_uris", v.RedirectURIs)
	v.checkURIList("post_logout_redirect_uris", v.PostLogoutRedirectURIs)
}

func (v *validation) checkURIList(property string, uris []string) {
	v.want(len(uris) <= maxURIs, property, "must not be more than 50")
	for i, uri := range uris {
		if rule := v.brokenRule(uri, v.env); rule != "" {
			v.add(at(property, i), rule, ErrInvalidRedirectURI)
		}
	}
}

func (v *validation) checkLogoutURIs() {
	if uri := v.FrontchannelLogoutURI; uri != "" {
		if rule := v.frontchannelRule(uri); rule != "" {
			v.add("frontchannel_logout_uri", rule, ErrInvalidRedirectURI)
		}
	}
	if uri := v.BackchannelLogoutURI; uri != "" {
		if rule := v.backchannelRule(uri); rule != "" {
			v.add("backchannel_logout_uri", rule, ErrInvalidRedirectURI)
		}
	}
}

// frontchannelRule: the page frames this URI, so it must be one the registration has shown to be the
// client's (idporten section 2.2).
func (v *validation) frontchannelRule(raw string) string {
	if rule := v.brokenRule(raw, v.env); rule != "" {
		return rule
	}
	origin, ok := originOf(raw)
	if !ok {
		return "must be http or https"
	}
	_, query, _ := strings.Cut(raw, "?")
	if rule := queryRule(query, frontchannelParams); rule != "" {
		return rule
	}
	same := slices.ContainsFunc(v.RedirectURIs, func(uri string) bool {
		o, ok := originOf(uri)
		return ok && o == origin
	})
	if !same && v.ApplicationKind() != Native {
		return "must have the scheme, host and port of a redirect_uri"
	}
	return ""
}

// backchannelRule: the provider itself calls this URI. https keeps the logout token private; plain http
// is for a test on one machine.
func (v *validation) backchannelRule(raw string) string {
	if rule := v.brokenRule(raw, v.env); rule != "" {
		return rule
	}
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "https" && !(v.env.Test && u.Scheme == "http" && isLocal(u.Hostname())) {
		return "must be https"
	}
	same := slices.ContainsFunc(v.RedirectURIs, func(uri string) bool {
		r, err := url.Parse(uri)
		return err == nil && isHTTP(r.Scheme) && strings.EqualFold(r.Hostname(), u.Hostname())
	})
	if !same {
		return "must have the host of a redirect_uri"
	}
	return ""
}

// checkPublic: what a client without credentials may not opt out of (idporten sections 2.3, 3.7, 16).
func (v *validation) checkPublic() {
	v.oneOf("code_challenge_method", v.CodeChallengeMethod, []string{"", "S256", "none"})
	v.want(!v.Public() || v.CodeChallengeMethod != "none", "code_challenge_method", "none is for confidential clients")
	v.oneOf("refresh_token_usage", v.RefreshTokenUsage, []string{"", OneTime, Reuse})
	v.want(!v.Public() || v.RefreshTokenUsage != Reuse, "refresh_token_usage", "public clients must rotate")
}

func (v *validation) checkLists() {
	for i, m := range v.ResponseModes {
		v.oneOf(at("response_modes", i), m, allModes)
	}
	for i, p := range v.PromptValues {
		v.oneOf(at("prompt_values", i), p, promptValues)
	}
	v.oneOf("id_token_signed_response_alg", v.IDTokenSignedResponseAlg, signatureAlgorithms)
	v.oneOf("access_token_signed_response_alg", v.AccessTokenSignedResponseAlg, signatureAlgorithms)
}

func (v *validation) checkLifetimes() {
	const most = 1<<31 - 1 // 68 years: more is a mistake and would overflow a time.Duration one day
	for _, l := range [...]struct {
		property string
		seconds  int
	}{
		{"access_token_lifetime", v.AccessTokenLifetime},
		{"refresh_token_lifetime", v.RefreshTokenLifetime},
		{"authorization_lifetime", v.AuthorizationLifetime},
	} {
		v.want(l.seconds >= 0 && l.seconds <= most, l.property, "must be at least 1 second")
	}
}

// checkKeys: five signature keys at most, each fit for an algorithm of ours (idporten section 2.6, C21).
func (v *validation) checkKeys() {
	if len(v.JWKS) == 0 {
		certificate := v.env.BusinessCertificates && v.OrganisationNo != ""
		v.want(v.AuthMethod() != PrivateKeyJWT || certificate, "jwks", "is required for private_key_jwt")
		v.want(!v.RequireSignedRequestObject, "jwks", "is required for signed request objects")
		return
	}
	keys, err := jose.ParseJWKS(v.JWKS)
	if err != nil {
		v.add("jwks", "must be a set of public signature keys: "+err.Error(), err)
		return
	}
	v.want(len(keys) > 0 && len(keys) <= maxKeys, "jwks", "must hold one to five keys")
	for i, k := range keys {
		fits := slices.ContainsFunc(assertionAlgorithms, func(alg string) bool {
			return (k.Alg == "" || k.Alg == alg) && jose.Fits(alg, k.Key) == nil
		})
		v.want(fits && k.Use != "enc", at("jwks.keys", i), "must be a signature key for "+orList(assertionAlgorithms))
	}
}

func (v *validation) checkSecrets() {
	switch v.AuthMethod() {
	case ClientSecretBasic, ClientSecretPost:
		v.want(len(v.Secrets) > 0, "client_secret", "is required for "+v.AuthMethod())
		v.want(len(v.Secrets) <= maxSecrets, "client_secret", "at most two are live at a time")
	default: // deleted when the method changes (idporten section 2.2)
		v.want(len(v.Secrets) == 0, "client_secret", "is for client_secret_basic and client_secret_post")
	}
}

func (v *validation) checkOnBehalfOf() {
	seen := map[string]bool{}
	for i, o := range v.OnBehalfOf {
		p := at("onbehalfof", i)
		v.want(o.Value != "" && len(o.Value) <= maxClientID && isPrintable(o.Value), p+".onbehalfof", "must be 1 to 256 printable ASCII characters")
		v.want(!seen[o.Value], p+".onbehalfof", "is registered twice")
		seen[o.Value] = true
		v.checkName(p+".display_name", o.Name)
		v.checkOrgno(p+".orgno", o.Orgno)
		v.checkLink(p+".url", o.URL)
		v.checkLink(p+".logo", o.Logo)
	}
}
