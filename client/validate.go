package client

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/portner-go/portner/internal/display"
	"github.com/portner-go/portner/internal/fields"
	"github.com/portner-go/portner/internal/jose"
	"github.com/portner-go/portner/internal/seal"
	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/scope"
)

// combination holds the rules of one integration_type (docs/spec/idporten.md §2.4).
type combination struct {
	machine      bool     // no users: web, private_key_jwt and jwt-bearer only
	grantKeys    bool     // the keys sign assertions for the jwt-bearer grant of Maskinporten
	organisation bool     // client_orgno is required
	scopes       []string // the only scopes such a client may have; nil allows every scope
}

// combinations holds the rules by integration_type. "" is a plain OpenID Connect client.
var combinations = map[string]combination{
	"":               {},
	"idporten":       {organisation: true, scopes: []string{"openid", "profile", scope.NoPID}},
	"api_klient":     {organisation: true},
	"ansattporten":   {organisation: true},
	"maskinporten":   {organisation: true, machine: true, grantKeys: true},
	"krr":            {organisation: true, machine: true, grantKeys: true, scopes: []string{"krr:global/kontaktinformasjon.read", "krr:global/digitalpost.read"}},
	"eformidling":    {grantKeys: true},
	"idporten_saml2": {},
}

// Allowed values by application type and kind of client.
var (
	confidentialMethods = []string{ClientSecretBasic, ClientSecretPost, PrivateKeyJWT}
	publicMethods       = []string{None}
	machineMethods      = []string{PrivateKeyJWT}
	certificateMethods  = []string{TLSClientAuth, SelfSignedTLSClientAuth}

	userGrants  = []string{AuthorizationCode, RefreshToken}
	plainGrants = []string{AuthorizationCode, RefreshToken, ClientCredentials}

	signatureAlgorithms = []string{jose.RS256, jose.PS256, jose.ES256, jose.EdDSA}
	registeredModes     = []string{"query", "form_post", "jwt", "query.jwt", "form_post.jwt"}
	promptValues        = []string{"login", "none", "consent", "select_account"}
)

// validation collects the problems of one registration.
type validation struct {
	*Client
	fields.Checker
	env Environment
}

// Validate reports every problem of the registration at once, as portner.FieldErrors by JSON member.
func (c *Client) Validate(env Environment) error {
	v := &validation{Client: c, env: env}
	v.checkIdentity()
	v.checkKind()
	v.checkCertificateNames()
	v.checkGrants()
	v.checkScopes()
	v.checkResources()
	v.checkURIs()
	v.checkLogoutURIs()
	v.checkSubject()
	v.checkPublic()
	v.checkLists()
	v.checkLifetimes()
	v.checkKeys()
	v.checkSecrets()
	v.checkOnBehalfOf()
	if env.Profile != nil {
		v.Join("", env.Profile(c))
	}
	return v.Err()
}

// uriError is the cause of the FieldError for a URI. It is ErrInvalidRedirectURI to errors.Is.
type uriError string

// Error returns the rule that the URI breaks.
func (e uriError) Error() string { return string(e) }

// Is reports whether target is ErrInvalidRedirectURI.
func (uriError) Is(target error) bool { return target == ErrInvalidRedirectURI }

// wantURI records the rule that a URI breaks, if any.
func (v *validation) wantURI(member, brokenRule string) {
	if brokenRule != "" {
		v.Add(member, uriError(brokenRule))
	}
}

// wantOneOf records a problem unless the list has value.
func (v *validation) wantOneOf(member, value string, allowed []string) {
	v.Want(slices.Contains(allowed, value), member, "must be "+orList(allowed))
}

func orList(values []string) string {
	values = slices.DeleteFunc(slices.Clone(values), func(s string) bool { return s == "" })
	if n := len(values); n > 1 {
		return strings.Join(values[:n-1], ", ") + " or " + values[n-1]
	}
	return strings.Join(values, "")
}

func (v *validation) checkIdentity() {
	v.Require(v.ClientID != "", "client_id")
	v.Want(v.ClientID == "" || validClientID(v.ClientID), "client_id", "must be at most 256 printable ASCII characters")
	// RFC 9700 §4.15: a client must not be able to choose an identifier that is taken for the subject of a user.
	v.Want(!seal.TokenShaped(v.ClientID), "client_id", "must not be 43 base64url characters, the form of a subject")
	v.Want(!combinations[v.IntegrationType].organisation || v.OrganisationNo != "", "client_orgno", "is required for this integration_type")
	v.checkOrganisation("client_orgno", v.OrganisationNo)
	v.checkOrganisation("supplier_orgno", v.SupplierOrgno)
	v.checkName("client_name", v.ClientName)
	v.checkLink("client_uri", v.ClientURI)
	v.checkLink("logo_uri", v.LogoURI)
}

func (v *validation) checkOrganisation(member, number string) {
	parsed, err := norway.ParseOrgno(number)
	v.Want(number == "" || err == nil && parsed.String() == number, member, "must be nine digits with the right check digit")
}

// maxName is the length limit of a name in characters: it has to fit on one line of a page.
const maxName = 200

// checkName checks a name that the pages show, with which a client could imitate another one.
func (v *validation) checkName(member, name string) {
	if name == "" {
		return
	}
	if rule := display.Problem(name, maxName, false); rule != "" {
		v.Add(member, errors.New(rule))
	}
}

// checkLink checks a URL that a page links to or shows. Other schemes than http and https could run code.
func (v *validation) checkLink(member, link string) {
	if link == "" {
		return
	}
	u, err := url.Parse(link)
	v.Want(err == nil && isHTTP(u.Scheme) && u.Hostname() != "" && u.User == nil && isPrintable(link) && len(link) <= maxURILength,
		member, "must be an http or https URL of at most 2048 bytes")
}

// checkSubject checks the members that decide which subject the client receives.
func (v *validation) checkSubject() {
	v.wantOneOf("subject_type", v.SubjectType, []string{"", Public, Pairwise})
	if v.SectorIdentifierURI == "" {
		return
	}
	u, err := url.Parse(v.SectorIdentifierURI)
	ok := err == nil && u.Scheme == "https" && u.User == nil && len(v.SectorIdentifierURI) <= maxURILength &&
		isPrintable(v.SectorIdentifierURI) && !strings.Contains(v.SectorIdentifierURI, "#") &&
		hostRule(u.Hostname(), strings.HasPrefix(u.Host, "[")) == ""
	v.Want(ok, "sector_identifier_uri", "must be an https URL with a host and without a fragment, of at most 2048 bytes")
}

// checkKind checks integration_type, application_type and token_endpoint_auth_method against each other
// (docs/spec/idporten.md §2.4).
func (v *validation) checkKind() {
	kind, known := combinations[v.IntegrationType]
	v.Want(known, "integration_type", "must be idporten, api_klient, ansattporten, maskinporten, krr, eformidling or idporten_saml2")
	v.wantOneOf("application_type", v.ApplicationKind(), []string{Web, Browser, Native})
	methods := confidentialMethods
	switch {
	case kind.machine:
		v.Want(v.ApplicationKind() == Web, "application_type", "must be web for integration_type "+v.IntegrationType)
		methods = machineMethods
	case v.ApplicationKind() == Native && v.env.NativeKeys && v.IntegrationType == "":
		methods = []string{PrivateKeyJWT, None}
	case v.ApplicationKind() != Web:
		methods = publicMethods // RFC 8252 §8.5: an application that is distributed to users cannot keep a secret
	case v.IntegrationType == "":
		methods = slices.Concat(confidentialMethods, certificateMethods)
	}
	if !slices.Contains(methods, v.AuthMethod()) {
		v.Add("token_endpoint_auth_method", fmt.Errorf("must be %s for a %s application of integration_type %q",
			orList(methods), v.ApplicationKind(), v.IntegrationType))
	}
}

// checkCertificateNames checks the members for tls_client_auth: exactly one name of the certificate (RFC 8705 §2.1.2).
func (v *validation) checkCertificateNames() {
	names := v.certificateNames()
	for i, n := range names {
		v.Add(n.member, n.broken())
		v.Want(v.AuthMethod() == TLSClientAuth, n.member, "is for "+TLSClientAuth)
		v.Want(i == 0, n.member, "must not be given together with "+names[0].member)
	}
	v.Want(v.AuthMethod() != TLSClientAuth || len(names) > 0, "tls_client_auth_subject_dn", "is required for tls_client_auth, or one of tls_client_auth_san_dns, "+
		"tls_client_auth_san_uri, tls_client_auth_san_ip and tls_client_auth_san_email")
}

func (v *validation) checkGrants() {
	if combinations[v.IntegrationType].machine {
		for i, g := range v.GrantTypes {
			v.Want(g == JWTBearer || g == jwtBearerShort, at("grant_types", i), "must be "+JWTBearer+" for this integration_type")
		}
		return
	}
	for i, g := range v.GrantTypes {
		if v.IntegrationType != "" {
			v.wantOneOf(at("grant_types", i), g, userGrants)
			continue
		}
		// RFC 6749 §4.5: the name of a further grant type is an absolute URI.
		u, err := url.Parse(g)
		extension := err == nil && u.IsAbs() && isPrintable(g)
		v.Want(extension || slices.Contains(plainGrants, g), at("grant_types", i), "must be "+orList(plainGrants)+", or the URI of an extension")
	}
	v.Want(!v.Public() || !slices.Contains(v.GrantTypes, ClientCredentials), "grant_types",
		"client_credentials is for confidential clients (RFC 6749 §4.4)")
}

func at(member string, i int) string { return fmt.Sprintf("%s[%d]", member, i) }

func (v *validation) checkScopes() {
	// The operator grants the right to introspect to clients of any integration type (docs/spec/idporten.md §12.4).
	allowed := combinations[v.IntegrationType].scopes
	for i, s := range v.Scopes {
		parsed, err := scope.Parse(s)
		v.Want(err == nil && len(parsed) == 1 && parsed[0] == s, at("scopes", i), "must be a scope (RFC 6749 §3.3)")
		v.Want(slices.Index(v.Scopes, s) == i, at("scopes", i), "is listed twice")
		if rule := v.retired(s); rule != "" {
			v.Want(false, at("scopes", i), rule)
			continue
		}
		v.Want(allowed == nil || introspects(s) || slices.Contains(allowed, s), at("scopes", i),
			"integration_type "+v.IntegrationType+" may only have "+orList(allowed))
	}
}

// retired returns why a scope that ID-porten retired may not be registered, "" for other scopes. No request with one would succeed.
func (v *validation) retired(name string) string {
	switch {
	case name == "eidas":
		return "eidas is retired: clients request an acr of eIDAS instead"
	case (name == scope.NoPID || name == scope.TokenInfo) && !v.env.NoPID:
		return name + " is retired, and accepted only if no_pid is switched on (Environment.NoPID)"
	}
	return ""
}

// logsIn reports whether the client sends users to the authorization endpoint. A resource server without scopes of its own does not.
func (c *Client) logsIn() bool {
	only := c.Introspects() && !slices.ContainsFunc(c.RegisteredScopes(), func(s string) bool { return !introspects(s) })
	return c.HasGrant(AuthorizationCode) && !only
}

// checkResources checks the members of a resource server.
func (v *validation) checkResources() {
	v.Want(!v.ResourceServer || !v.Public(), "resource_server", "is for clients that authenticate")
	v.Want(len(v.Resources) == 0 || v.ResourceServer, "resources", "is for clients with resource_server")
	v.Want(len(v.Resources) <= maxURIs, "resources", "must not be more than 50")
	issuer := "https:"
	if v.env.Test {
		issuer = "http://"
	}
	for i, r := range v.Resources {
		v.Want(IsResource(issuer, r), at("resources", i), "must be an absolute URI with a host, or a URN, without fragment and user information")
		v.Want(slices.Index(v.Resources, r) == i, at("resources", i), "is listed twice")
	}
}

func (v *validation) checkURIs() {
	v.Want(!v.logsIn() || len(v.RedirectURIs) > 0, "redirect_uris", "at least one is required")
	v.checkURIList("redirect_uris", v.RedirectURIs)
	v.checkURIList("post_logout_redirect_uris", v.PostLogoutRedirectURIs)
}

func (v *validation) checkURIList(member string, uris []string) {
	v.Want(len(uris) <= maxURIs, member, "must not be more than 50")
	for i, uri := range uris {
		v.wantURI(at(member, i), v.brokenRule(uri, v.env))
	}
}

func (v *validation) checkLogoutURIs() {
	if uri := v.FrontchannelLogoutURI; uri != "" {
		v.wantURI("frontchannel_logout_uri", v.frontchannelRule(uri))
	}
	if uri := v.BackchannelLogoutURI; uri != "" {
		v.wantURI("backchannel_logout_uri", v.backchannelRule(uri))
	}
}

// frontchannelRule returns the rule that a frontchannel_logout_uri breaks, or "". The logout page loads the URI in a frame,
// so it must have the origin of a redirect URI (OIDC Front-Channel Logout §2).
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

// backchannelRule returns the rule that a backchannel_logout_uri breaks, or "". The provider sends logout tokens to the URI;
// plain http is allowed on the local machine in test environments only.
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

// checkPublic checks the rules that public clients cannot opt out of (RFC 9700 §2.1.1, §4.14.2).
func (v *validation) checkPublic() {
	v.wantOneOf("code_challenge_method", v.CodeChallengeMethod, []string{"", "S256", "none"})
	v.Want(!v.Public() || v.CodeChallengeMethod != "none", "code_challenge_method", "none is for confidential clients")
	v.wantOneOf("refresh_token_usage", v.RefreshTokenUsage, []string{"", OneTime, Reuse})
	v.Want(!v.Public() || v.RefreshTokenUsage != Reuse, "refresh_token_usage", "public clients must rotate")
}

func (v *validation) checkLists() {
	for i, m := range v.ResponseModes {
		if m == "fragment" || m == "fragment.jwt" {
			v.Add(at("response_modes", i), errors.New("must not be "+m+": codes are not sent in fragments"))
			continue
		}
		v.wantOneOf(at("response_modes", i), m, registeredModes)
	}
	for i, p := range v.PromptValues {
		v.wantOneOf(at("prompt_values", i), p, promptValues)
	}
	algorithms := append([]string{""}, signatureAlgorithms...)
	v.wantOneOf("id_token_signed_response_alg", v.IDTokenSignedResponseAlg, algorithms)
	v.wantOneOf("access_token_signed_response_alg", v.AccessTokenSignedResponseAlg, algorithms)
	v.wantOneOf("authorization_signed_response_alg", v.AuthorizationSignedResponseAlg, algorithms)
	v.wantOneOf("introspection_signed_response_alg", v.IntrospectionSignedResponseAlg, algorithms)
	v.Want(v.IntrospectionSignedResponseAlg == "" || !v.Public(), "introspection_signed_response_alg", "is for clients that authenticate")
}

// allowed returns those of the algorithms that the environment allows.
func (v *validation) allowed(algorithms []string) []string {
	if len(v.env.SigningAlgorithms) == 0 {
		return algorithms
	}
	return slices.DeleteFunc(slices.Clone(algorithms), func(alg string) bool { return !slices.Contains(v.env.SigningAlgorithms, alg) })
}

func (v *validation) checkLifetimes() {
	const most = 1<<31 - 1 // 68 years
	for _, l := range [...]struct {
		member  string
		seconds int
	}{
		{"access_token_lifetime", v.AccessTokenLifetime},
		{"refresh_token_lifetime", v.RefreshTokenLifetime},
		{"authorization_lifetime", v.AuthorizationLifetime},
	} {
		v.Want(l.seconds >= 0 && l.seconds <= most, l.member, "must be at least 1 second, or 0 for the default")
	}
}

// checkKeys checks the registered keys: one to five public keys for the signature algorithms of assertions.
func (v *validation) checkKeys() {
	if len(v.JWKS) == 0 {
		certificate := v.env.BusinessCertificates && v.OrganisationNo != ""
		v.Want(v.AuthMethod() != PrivateKeyJWT || certificate, "jwks", "is required for private_key_jwt")
		v.Want(v.AuthMethod() != SelfSignedTLSClientAuth, "jwks", "is required for self_signed_tls_client_auth")
		v.Want(!v.RequireSignedRequestObject, "jwks", "is required for signed request objects")
		return
	}
	keys, err := jose.ParseJWKS(v.JWKS)
	if err != nil {
		v.Add("jwks", fmt.Errorf("must be a set of public signature keys: %w", err))
		return
	}
	v.Want(len(keys) > 0 && len(keys) <= maxKeys, "jwks", "must hold one to five keys")
	v.Want(v.AuthMethod() != SelfSignedTLSClientAuth || slices.ContainsFunc(keys, authenticates), "jwks",
		"must hold a signature key with x5c for self_signed_tls_client_auth")
	machine := combinations[v.IntegrationType].grantKeys
	allowed, purpose := assertionAlgorithms, ""
	if len(v.env.SigningAlgorithms) > 0 {
		allowed = v.env.SigningAlgorithms
	}
	if machine { // docs/spec/maskinporten.md §1.3: another key could never be used
		allowed, purpose = v.allowed(grantAlgorithms), " (integration_type "+v.IntegrationType+")"
	}
	for i, k := range keys {
		first := slices.IndexFunc(keys, func(other jose.PublicKey) bool { return other.KID == k.KID })
		v.Want(first == i || v.IntegrationType == "", at("jwks.keys", i)+".kid", "must be unique for integration_type "+v.IntegrationType) // docs/spec/idporten.md §2.6
		fits := slices.ContainsFunc(allowed, func(alg string) bool {
			return (k.Alg == "" || k.Alg == alg) && jose.Fits(alg, k.Key) == nil
		})
		v.Want(fits && k.Use != "enc", at("jwks.keys", i), "must be a signature key for "+orList(allowed)+purpose)
		v.Want(k.KID != "" || !machine, at("jwks.keys", i)+".kid", "is required: assertions name their key by kid"+purpose)
	}
}

func (v *validation) checkSecrets() {
	switch v.AuthMethod() {
	case ClientSecretBasic, ClientSecretPost:
		v.Want(len(v.Secrets) > 0, "client_secrets", "is required for "+v.AuthMethod())
		v.Want(len(v.Secrets) <= maxSecrets, "client_secrets", "must hold at most two secrets")
	default:
		v.Want(len(v.Secrets) == 0, "client_secrets", "is for client_secret_basic and client_secret_post")
	}
	for i, s := range v.Secrets {
		v.Want(s.Hash != [32]byte{}, at("client_secrets", i)+".sha256", "must be the hash of a secret")
	}
}

func (v *validation) checkOnBehalfOf() {
	seen := map[string]bool{}
	for i, o := range v.OnBehalfOf {
		p := at("onbehalfof", i)
		v.Want(o.Value != "" && len(o.Value) <= maxClientID && isPrintable(o.Value), p+".onbehalfof", "must be 1 to 256 printable ASCII characters")
		v.Want(!seen[o.Value], p+".onbehalfof", "is registered twice")
		seen[o.Value] = true
		v.checkName(p+".display_name", o.Name)
		v.checkOrganisation(p+".orgno", o.Orgno)
		v.checkLink(p+".url", o.URL)
		v.checkLink(p+".logo", o.Logo)
	}
}
