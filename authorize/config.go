package authorize

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/dpop"
	"github.com/portner-go/portner/internal/fields"
	"github.com/portner-go/portner/internal/httpx"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/rar"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/session"
)

// Defaults of Config.
const (
	DefaultCodeLifetime          = 60 * time.Second
	DefaultPendingLifetime       = 15 * time.Minute
	DefaultPushedRequestLifetime = 120 * time.Second
	DefaultAuthorizationLifetime = 7200 * time.Second
	// DefaultRequestURIPrefix is the prefix of RFC 9126 §2.2.
	DefaultRequestURIPrefix = "urn:ietf:params:oauth:request_uri:"
	// IDPortenRequestURIPrefix is the prefix of the request_uri values of ID-porten.
	IDPortenRequestURIPrefix = "urn:idporten:"
)

// historyLifetime is the default of Config.HistoryLifetime.
const historyLifetime = 180 * 24 * time.Hour

// Limits of the lifetimes in Config.
const (
	maxShortLifetime   = 600 * time.Second // of codes (RFC 6749 §4.1.2) and request_uri values (RFC 9126 §2.2)
	maxPendingLifetime = time.Hour
)

// Config configures an Endpoint.
type Config struct {
	// Issuer is the issuer identifier of the provider, byte for byte as in its metadata. Required.
	Issuer string
	// URL is the authorization_endpoint of the metadata. The pages are on its origin, and their forms must come from it. Its port and
	// its folder are part of the name of the cookie that identifies browsers, so that several providers on one host have a cookie each;
	// with an http URL, which is valid for loopback hosts and an http Issuer only, the cookie is not Secure. If "", it is Issuer + "/authorize".
	URL string
	// Clients finds registrations. Required.
	Clients client.Source
	// Scopes finds scopes and the access of clients to them. Required.
	Scopes scope.Source
	// Sessions keeps the SSO sessions of browsers. Required.
	Sessions *session.Keeper
	// Vault encrypts the identity of the user in grants. It must be the Vault of Sessions. Required.
	Vault *session.Vault
	// Store stores codes and consents. Required.
	Store Store
	// Pages holds the paths of the host's pages.
	Pages Pages
	// Reserved holds the paths of other endpoints on the origin of the pages. New rejects a page with one of them.
	Reserved []string
	// Secrets encrypt pending requests. The first one encrypts, every one decrypts. Every node needs the same. Required.
	Secrets []portner.Secret

	// History keeps the login history of users. If nil, none is kept. If it returns an error, the login succeeds, and the error is
	// logged.
	History HistoryStore
	// HistoryLifetime is how long a login remains in the history. The default is 180 days.
	HistoryLifetime time.Duration
	// KeepUserAgent stores the name of the browser with each grant, for lists of logins.
	KeepUserAgent bool
	// PushedRequests stores pushed authorization requests. If nil, Push and request_uri are rejected.
	PushedRequests PushedRequestStore
	// Authenticator authenticates the clients that push requests, and verifies request objects. If nil, request objects are
	// rejected. Required with PushedRequests.
	Authenticator *client.Authenticator
	// ClientCertificates returns the certificates of the TLS client of a pushed request. If nil, they are those of the TLS connection.
	ClientCertificates client.CertificateFunc
	// DPoP checks the DPoP proofs of pushed requests, and enables the parameter dpop_jkt: the code is bound to that key (RFC 9449 §10). If
	// nil, both are ignored, and the token endpoint must not have a policy either.
	DPoP *dpop.Policy
	// PushURL is the pushed_authorization_request_endpoint of the metadata: DPoP proofs are for it. If "", it is Issuer + "/par".
	PushURL string
	// PushAliasURL is the one among the mtls_endpoint_aliases (RFC 8705 §5). If "", there is none.
	PushAliasURL string
	// IDTokens verifies id_token_hint. If nil, requests with id_token_hint are rejected.
	IDTokens *keyset.Set
	// Subject returns the sub of a user at a client, for id_token_hint and the claim sub of the parameter claims. It is
	// token.Endpoint.Subject. Required with IDTokens.
	Subject func(c *client.Client, id *session.Identity, pseudonymous bool) (string, error)

	// Keys signs authorization responses (JARM). If nil, the response modes jwt, query.jwt and form_post.jwt are rejected.
	Keys *keyset.Set
	// SigningAlgorithms are the algorithms of signed authorization responses. If nil, every algorithm of Keys is allowed. A client
	// without authorization_signed_response_alg gets the first one that Keys.Algs returns.
	SigningAlgorithms []string

	// UserEnabled reports whether the user with a subject (session.Identity.Subject) is enabled. It is called for each request that a
	// session may answer; a disabled user has to log in. It is token.Minter.UserEnabled. If nil, every user is enabled.
	UserEnabled func(ctx context.Context, subject string) (bool, error)

	// AuthorizationDetails holds the types of authorization_details (RFC 9396). If nil, requests with the parameter are rejected.
	AuthorizationDetails *rar.Registry

	// Environment must be the one that the registrations were validated against. The zero value is production.
	Environment client.Environment
	// Levels are the acr values of the provider. If nil, acr_values are ignored and logins have no level.
	Levels *acr.Levels
	// DefaultACRValues apply to requests without acr_values. If nil, every level satisfies such a request.
	DefaultACRValues []string
	// RequireKnownACR rejects requests whose acr_values name no level of Levels. If false, such a request is one without acr_values
	// (OIDC Core §5.5.1.1).
	RequireKnownACR bool
	// PromptValues are the prompt values that clients without prompt_values in their registration may send. If nil, only "login"
	// is allowed.
	PromptValues []string
	// Locales are the languages of the pages, the fallback first. The default is nb, nn, en, se.
	Locales []string
	// AcceptLanguage makes the field Accept-Language of the browser choose the language of a page where neither the user nor ui_locales
	// did. If false, the field is ignored.
	AcceptLanguage bool
	// SIDForEveryClient adds the claim sid to the id_tokens of every client (OIDC Front-Channel Logout §3: the members
	// frontchannel_logout_session_supported and backchannel_logout_session_supported of the metadata promise it). If false, clients whose
	// registration requires it have one; see client.Client.TakesSID.
	SIDForEveryClient bool
	// RequiredParameters are parameters that every client must send: state, nonce, code_challenge, request (a signed request object)
	// and request_uri (a pushed request). Registrations may require more. Public clients always need state and
	// code_challenge.
	RequiredParameters []string
	// CustomerParameter is the parameter that names the customer of a supplier's client. If "", it is onbehalfof.
	CustomerParameter string
	// MergeRequestObject takes the parameters that the request object of a pushed request leaves out from those beside it (OIDC Core §6.1),
	// unless the client requires signed request objects. The typ of the object may then be client-authentication+jwt too. If false,
	// parameters beside a request object are ignored (RFC 9101 §6.3).
	MergeRequestObject bool
	// RequestURIAlone rejects requests that have parameters other than client_id beside the request_uri of a pushed request. If false,
	// these parameters are ignored (RFC 9126 §4).
	RequestURIAlone bool
	// RequireNBF rejects request objects without nbf, and those with more than an hour between nbf and exp (FAPI 2.0 Message Signing
	// §5.3.1). If false, nbf is optional.
	RequireNBF bool
	// ClaimsParameter enables the parameter claims (OIDC Core §5.5). If false, the parameter is ignored.
	ClaimsParameter bool

	// CodeLifetime is at most 600 s. The default is DefaultCodeLifetime.
	CodeLifetime time.Duration
	// PendingLifetime is how long the user may take to log in and consent, at most one hour. The default is DefaultPendingLifetime.
	PendingLifetime time.Duration
	// PushedRequestLifetime is from 5 s to 600 s (RFC 9126 §2.2). The default is DefaultPushedRequestLifetime.
	PushedRequestLifetime time.Duration
	// AuthorizationLifetime is the lifetime of grants to clients without authorization_lifetime. Scopes may shorten it. The
	// default is DefaultAuthorizationLifetime.
	AuthorizationLifetime time.Duration
	// RequestURIPrefix is the first part of request_uri values. The default is DefaultRequestURIPrefix.
	RequestURIPrefix string

	// ErrorPage renders the page for errors that must not be sent to the client. The header fields of the Reply replace those
	// of the endpoint, which forbid scripts, framing and caching. If its Status is 0, that of p is sent. If nil, a plain page
	// is sent.
	ErrorPage func(p ErrorPage) portner.Reply
	// TestLogin answers login_hint=testid:<pid>_<acr> without a page. If nil, such a hint is ignored. See NewTestLogin.
	TestLogin *TestLogin

	// Now is the clock, read once for each request. If nil, it is time.Now.
	Now func() time.Time
	// Logger receives a line for each event. If nil, events are not logged.
	Logger *slog.Logger
	// OnEvent receives each event. It may be nil.
	OnEvent func(context.Context, portner.Event)
}

// withDefaults returns a copy with every default, which shares no slice with the caller.
func (c Config) withDefaults() Config {
	if c.Levels == nil {
		c.Levels = new(acr.Levels)
	}
	if c.PromptValues == nil {
		c.PromptValues = []string{"login"}
	}
	if len(c.Locales) == 0 {
		c.Locales = httpx.DefaultLocales()
	}
	if c.RequestURIPrefix == "" {
		c.RequestURIPrefix = DefaultRequestURIPrefix
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	c.CustomerParameter = cmp.Or(c.CustomerParameter, "onbehalfof")
	c.URL = cmp.Or(c.URL, c.Issuer+"/authorize")
	c.PushURL = cmp.Or(c.PushURL, c.Issuer+"/par")
	_, path := c.base()
	c.Pages = c.Pages.withDefaults(path)
	for _, d := range c.lifetimes() {
		if *d.value == 0 {
			*d.value = d.fallback
		}
	}
	c.Secrets = slices.Clone(c.Secrets)
	c.DefaultACRValues = slices.Clone(c.DefaultACRValues)
	c.PromptValues = slices.Clone(c.PromptValues)
	c.Locales = slices.Clone(c.Locales)
	c.RequiredParameters = slices.Clone(c.RequiredParameters)
	c.SigningAlgorithms = slices.Clone(c.SigningAlgorithms)
	return c
}

// base returns the URL without the last segment of its path, as an origin and a path: the pages are below it.
func (c Config) base() (origin, path string) {
	u, err := url.Parse(c.URL)
	if err != nil || u.Host == "" {
		return "", ""
	}
	folder, _, _ := cutLast(u.EscapedPath(), "/")
	return u.Scheme + "://" + u.Host, strings.TrimRight(folder, "/") // an issuer that ends in a slash is reported as such
}

// lifetime is one lifetime of a Config, with its default and its limits.
type lifetime struct {
	field              string
	value              *time.Duration
	fallback, min, max time.Duration
}

func (c *Config) lifetimes() []lifetime {
	const unlimited = 1 << 62
	return []lifetime{
		{"CodeLifetime", &c.CodeLifetime, DefaultCodeLifetime, time.Second, maxShortLifetime},
		{"PendingLifetime", &c.PendingLifetime, DefaultPendingLifetime, time.Second, maxPendingLifetime},
		{"PushedRequestLifetime", &c.PushedRequestLifetime, DefaultPushedRequestLifetime, 5 * time.Second, maxShortLifetime},
		{"AuthorizationLifetime", &c.AuthorizationLifetime, DefaultAuthorizationLifetime, time.Second, unlimited},
		{"HistoryLifetime", &c.HistoryLifetime, historyLifetime, time.Second, unlimited},
	}
}

// check records every problem of a Config that has its defaults.
func (c *Config) check(p *fields.Checker) {
	p.RequireValue(c.Clients, "Clients")
	p.RequireValue(c.Scopes, "Scopes")
	p.Require(c.Sessions != nil, "Sessions")
	p.Made(c.Sessions, "Sessions", "session.New")
	p.Require(c.Vault != nil, "Vault")
	p.Made(c.Vault, "Vault", "session.NewVault")
	p.RequireValue(c.Store, "Store")
	p.SecureURL("Issuer", c.Issuer)
	if c.URL != c.Issuer+"/authorize" {
		p.BrowserURL("URL", c.URL, c.Issuer)
	}
	p.Require(c.Subject != nil || c.IDTokens == nil, "Subject")
	p.Require(c.IDTokens != nil || c.Subject == nil, "IDTokens")
	p.Require(c.Authenticator != nil || c.PushedRequests == nil, "Authenticator")
	p.Made(c.Authenticator, "Authenticator", "client.NewAuthenticator")
	p.OptionalValue(c.PushedRequests, "PushedRequests")
	p.OptionalValue(c.History, "History")
	p.Made(c.IDTokens, "IDTokens", "keyset.New")
	p.Made(c.Keys, "Keys", "keyset.New")
	if c.DPoP != nil {
		p.Join("DPoP", c.DPoP.Validate())
	}
	if c.PushURL != c.Issuer+"/par" {
		p.SecureURL("PushURL", c.PushURL)
	}
	if c.PushAliasURL != "" {
		p.SecureURL("PushAliasURL", c.PushAliasURL)
	}
	p.Want(strings.HasPrefix(c.RequestURIPrefix, "urn:") && strings.HasSuffix(c.RequestURIPrefix, ":"),
		"RequestURIPrefix", "must begin with urn: and end with a colon")
	for _, d := range c.lifetimes() {
		p.Want(*d.value >= d.min && *d.value <= d.max, d.field, fmt.Sprintf("must be between %v and %v", d.min, d.max))
	}
	c.checkTestLogin(p)
	c.checkPages(p)
	c.checkSecrets(p)
	c.checkValues(p)
}

func (c *Config) checkTestLogin(p *fields.Checker) {
	if c.TestLogin == nil {
		return
	}
	p.Want(c.TestLogin.issuer == c.Issuer, "TestLogin", "was made for another issuer")
	for _, name := range c.TestLogin.details {
		p.Want(c.AuthorizationDetails != nil && slices.Contains(c.AuthorizationDetails.Names(), name),
			"TestLogin", "approves details of a type that AuthorizationDetails does not contain")
	}
}

func (c *Config) checkPages(p *fields.Checker) {
	used := map[string]string{}
	for _, path := range c.Reserved {
		used[path] = "an endpoint"
	}
	for _, f := range [...]struct{ field, path string }{
		{"Login", c.Pages.Login}, {"StepUp", c.Pages.StepUp}, {"Consent", c.Pages.Consent}, {"Representation", c.Pages.Representation},
	} {
		field := "Pages." + f.field
		u, err := url.Parse(f.path)
		p.Want(err == nil && u.Scheme == "" && u.Host == "" && strings.HasPrefix(f.path, "/") && !strings.HasPrefix(f.path, "//") &&
			!strings.ContainsAny(f.path, "?#"), field, "must be a path that begins with a slash, without query and fragment")
		if other, taken := used[f.path]; taken {
			p.Want(false, field, "must differ from the path of "+other)
			continue
		}
		used[f.path] = field
	}
}

func (c *Config) checkSecrets(p *fields.Checker) {
	p.Require(len(c.Secrets) > 0, "Secrets")
	for i, s := range c.Secrets {
		p.Secret(fmt.Sprintf("Secrets[%d]", i), s)
	}
}

// requirable are the values of Config.RequiredParameters.
var requirable = []string{"state", "nonce", "code_challenge", "request", "request_uri"}

func (c *Config) checkValues(p *fields.Checker) {
	for i, v := range c.PromptValues {
		p.Want(slices.Contains(allPrompts, v), fmt.Sprintf("PromptValues[%d]", i), "must be none, login, consent or select_account")
	}
	for i, v := range c.DefaultACRValues {
		p.Want(c.Levels.AtLeast(v, v), fmt.Sprintf("DefaultACRValues[%d]", i), "must be one of Levels")
	}
	for i, v := range c.RequiredParameters {
		p.Want(slices.Contains(requirable, v), fmt.Sprintf("RequiredParameters[%d]", i), "must be one of "+strings.Join(requirable, ", "))
	}
	for i, v := range c.Locales {
		p.Require(v != "", fmt.Sprintf("Locales[%d]", i))
	}
	p.Want(!c.requires("request") || c.Authenticator != nil, "RequiredParameters", "includes request, which needs Authenticator")
	p.Want(!c.requires("request_uri") || c.PushedRequests != nil, "RequiredParameters", "includes request_uri, which needs PushedRequests")
}

// requires reports whether every client must send the parameter.
func (c *Config) requires(parameter string) bool {
	return slices.Contains(c.RequiredParameters, parameter)
}
