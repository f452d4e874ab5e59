package authorize

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/httpx"
	"github.com/portner-go/portner/rar"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/session"
)

// The defaults of Config.
const (
	// DefaultCodeLifetime is how long a code may be redeemed (security section 0.6).
	DefaultCodeLifetime = 60 * time.Second
	// DefaultPendingLifetime is how long a person may take to log in and consent.
	DefaultPendingLifetime = 15 * time.Minute
	// DefaultPushedRequestLifetime is ID-porten's lifetime of a request_uri (idporten section 4.1).
	DefaultPushedRequestLifetime = 120 * time.Second
	// DefaultAuthorizationLifetime is the absolute end of a grant (idporten section 2.3).
	DefaultAuthorizationLifetime = 7200 * time.Second
	// DefaultHistoryLifetime is how long people can look back at their logins.
	DefaultHistoryLifetime = 180 * 24 * time.Hour
	// DefaultRequestURIPrefix is the prefix RFC 9126 section 2.2 recommends.
	DefaultRequestURIPrefix = "urn:ietf:params:oauth:request_uri:"
	// IDPortenRequestURIPrefix is the prefix ID-porten's request_uri values have.
	IDPortenRequestURIPrefix = "urn:idporten:"
)

// maxShortLife is the cap of codes and request_uri values (security section 0.6).
const maxShortLife = 600 * time.Second

// Config configures an Endpoint. Zero fields mean ID-porten's rules.
type Config struct {
	// Issuer is the provider's issuer identifier, byte for byte as in its metadata. Required.
	Issuer string
	// URL is the address people's browsers use, authorization_endpoint of the metadata: its origin is what
	// forms must come from. "" is Issuer + "/authorize".
	URL string
	// Clients finds registrations. Required.
	Clients client.Source
	// Scopes finds scopes and accesses. Required.
	Scopes scope.Source
	// Sessions keeps the browsers' SSO sessions. Required.
	Sessions *session.Keeper
	// Vault seals the person into grants; the one Sessions was made with. Required.
	Vault *session.Vault
	// Store keeps the codes. Required.
	Store Store
	// Pages are the host's login and consent pages. Required.
	Pages Pages
	// Secrets seal the requests that wait for a person; 32 bytes or more each. The first one seals and
	// all of them open. Every node needs the same. Required.
	Secrets []portner.Secret

	// Consents remembers consents. nil: nothing is remembered, consent is asked for each time.
	Consents ConsentStore
	// History remembers logins for people to look at. nil: nothing is remembered. A store that fails here
	// does not stop a login.
	History HistoryStore
	// HistoryLifetime is how long a login is remembered. 0 is DefaultHistoryLifetime.
	HistoryLifetime time.Duration
	// KeepUserAgent keeps the name of the browser with what was granted in it, for people to recognise
	// (idporten section 17.1).
	KeepUserAgent bool
	// PushedRequests keeps pushed authorization requests. nil: PAR is not offered.
	PushedRequests PushedRequestStore
	// Authenticator authenticates clients that push requests, and verifies who signed a request object (a
	// *client.Authenticator). nil: neither is offered.
	Authenticator *client.Authenticator
	// IDTokens verifies an id_token_hint: the provider's *keyset.Set. nil: a request with an
	// id_token_hint is refused, for a hint that is not checked is a check left out.
	IDTokens TokenVerifier
	// Subject returns the "sub" of a person at a client, as the token endpoint makes it. It is what an
	// id_token_hint is compared with. nil: as IDTokens nil.
	Subject func(c *client.Client, who session.Identity) string

	// AuthorizationDetails are the types of authorization_details (RFC 9396) that may be asked for. nil:
	// none, and a request with the parameter is refused.
	AuthorizationDetails *rar.Registry

	// Environment says which redirect URIs may be used. The zero value is production.
	Environment client.Environment
	// Levels are the acr values the provider knows. nil is acr.IDPorten.
	Levels *acr.Levels
	// DefaultACRValues stand in for acr_values in a request without. nil: idporten-loa-substantial if
	// Levels is nil, otherwise any level will do.
	DefaultACRValues []string
	// PromptValues are the prompt values of clients that do not name their own. nil: only "login".
	PromptValues []string
	// Locales are the languages of the provider's pages, the fallback first. nil: nb, nn, en, se.
	Locales []string
	// RequireState refuses requests without state from every client. Public clients and clients with
	// RequireState always need one.
	RequireState bool
	// RequireNonce refuses requests without nonce from every client.
	RequireNonce bool
	// RequirePKCE refuses requests without PKCE from every client, whatever its registration says.
	RequirePKCE bool
	// AllowNoPID understands the retired no_pid scope (idporten section 13.1, method 3).
	AllowNoPID bool

	// CodeLifetime is at most 600 s. 0 is DefaultCodeLifetime.
	CodeLifetime time.Duration
	// PendingLifetime is at most one hour. 0 is DefaultPendingLifetime.
	PendingLifetime time.Duration
	// PushedRequestLifetime is at most 600 s. 0 is DefaultPushedRequestLifetime.
	PushedRequestLifetime time.Duration
	// AuthorizationLifetime holds for clients that do not name their own; scopes may lower both.
	// 0 is DefaultAuthorizationLifetime.
	AuthorizationLifetime time.Duration
	// RequestURIPrefix begins the request_uri values PAR gives out. "" is DefaultRequestURIPrefix.
	RequestURIPrefix string

	// ErrorPage renders the errors that must not be redirected. nil is a plain built-in page. Headers
	// are set already; it writes the status and the body.
	ErrorPage func(w http.ResponseWriter, r *http.Request, p ErrorPage)
	// TestLogin answers login_hint=testid:<pid>_<acr> without any page (idporten section 3.8). nil:
	// such a hint is ignored. Only NewTestLogin makes one, and only for a test issuer.
	TestLogin *TestLogin

	// Now is the clock, read once for each request. nil is time.Now.
	Now func() time.Time
	// Logger gets a line for each event. nil discards.
	Logger *slog.Logger
	// OnEvent gets each event. nil: nobody listens.
	OnEvent func(context.Context, portner.Event)
}

// TokenVerifier verifies tokens the provider signed itself.
type TokenVerifier interface {
	// Verify checks the signature and returns the payload and the typ header. Expired claims are not
	// its business: an id_token_hint may be expired.
	Verify(token string, now time.Time) (payload []byte, typ string, err error)
}

// withDefaults returns a copy with every default filled in and no slice shared with the caller.
func (c Config) withDefaults() Config {
	if c.Levels == nil {
		c.Levels = acr.IDPorten
		if c.DefaultACRValues == nil {
			c.DefaultACRValues = []string{acr.Substantial}
		}
	}
	if c.PromptValues == nil {
		c.PromptValues = []string{"login"}
	}
	if len(c.Locales) == 0 {
		c.Locales = []string{"nb", "nn", "en", "se"}
	}
	if c.RequestURIPrefix == "" {
		c.RequestURIPrefix = DefaultRequestURIPrefix
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	for _, d := range []struct {
		field    *time.Duration
		fallback time.Duration
	}{
		{&c.CodeLifetime, DefaultCodeLifetime},
		{&c.PendingLifetime, DefaultPendingLifetime},
		{&c.PushedRequestLifetime, DefaultPushedRequestLifetime},
		{&c.AuthorizationLifetime, DefaultAuthorizationLifetime},
		{&c.HistoryLifetime, DefaultHistoryLifetime},
	} {
		if *d.field == 0 {
			*d.field = d.fallback
		}
	}
	c.Secrets = slices.Clone(c.Secrets)
	c.DefaultACRValues = slices.Clone(c.DefaultACRValues)
	c.PromptValues = slices.Clone(c.PromptValues)
	c.Locales = slices.Clone(c.Locales)
	return c
}

// asksPeople reports whether there are authorization_details a person chooses for.
func (c Config) asksPeople() bool {
	return c.AuthorizationDetails != nil && c.AuthorizationDetails.Interactive()
}

// check reports every problem of a Config that has its defaults.
func (c Config) check() error {
	var errs []error
	require := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf("authorize: "+format, args...))
		}
	}
	require(c.Clients != nil, "Config.Clients is required")
	require(c.Scopes != nil, "Config.Scopes is required")
	require(c.Sessions != nil, "Config.Sessions is required")
	require(c.Vault != nil, "Config.Vault is required")
	require(c.Store != nil, "Config.Store is required")
	require(c.Pages != nil, "Config.Pages is required")
	if p, ok := c.Pages.(PageURLs); ok {
		require(strings.HasPrefix(p.Login, "/") && strings.HasPrefix(p.Consent, "/"),
			"Config.Pages: both URLs must be paths that begin with a slash")
		require(strings.HasPrefix(p.Representation, "/") || p.Representation == "" && !c.asksPeople(),
			"Config.Pages: Representation must be a path that begins with a slash: a type of AuthorizationDetails lets people choose")
	}
	u, err := url.Parse(c.Issuer)
	require(err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" &&
		!strings.ContainsAny(c.Issuer, "?#"), "Config.Issuer must be an http(s) URL without query and fragment")
	require(c.URL == "" || httpx.Origin(c.URL) != "" && !strings.ContainsAny(c.URL, "?#"), "Config.URL must be an http(s) URL without query and fragment")
	require((c.IDTokens == nil) == (c.Subject == nil), "Config.IDTokens and Config.Subject belong together")
	require(c.PushedRequests == nil || c.Authenticator != nil, "Config.PushedRequests needs Config.Authenticator")
	require(strings.HasPrefix(c.RequestURIPrefix, "urn:") && strings.HasSuffix(c.RequestURIPrefix, ":"),
		"Config.RequestURIPrefix must begin with urn: and end with a colon")
	for _, d := range []struct {
		name       string
		value, top time.Duration
	}{
		{"CodeLifetime", c.CodeLifetime, maxShortLife},
		{"PendingLifetime", c.PendingLifetime, time.Hour},
		{"PushedRequestLifetime", c.PushedRequestLifetime, maxShortLife},
		{"AuthorizationLifetime", c.AuthorizationLifetime, 1 << 62},
	} {
		require(d.value >= time.Second && d.value <= d.top, "Config.%s must be between 1s and %v", d.name, d.top)
	}
	for _, v := range c.PromptValues {
		require(slices.Contains(allPrompts, v), "Config.PromptValues: %q is not a prompt value", v)
	}
	for _, v := range c.DefaultACRValues {
		require(c.Levels.AtLeast(v, v), "Config.DefaultACRValues: %q is not in Config.Levels", v)
	}
	if c.TestLogin != nil {
		require(c.TestLogin.issuer == c.Issuer, "Config.TestLogin was made for another issuer")
	}
	return errors.Join(errs...)
}
