package logout

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/fields"
	"github.com/portner-go/portner/internal/httpx"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/session"
)

// Config configures an Endpoint.
type Config struct {
	// Issuer is the issuer identifier of the provider, byte for byte as in its metadata. Required.
	Issuer string
	// URL is the end_session_endpoint of the metadata. Forms must come from its origin. Required.
	URL string
	// Sessions keeps the SSO sessions of browsers. Required.
	Sessions *session.Keeper
	// Clients finds registrations. Required.
	Clients client.Source
	// Keys verifies hints and signs logout tokens. Required.
	Keys *keyset.Set
	// Subject returns the sub of a user at a client. It is token.Endpoint.Subject, and called with pseudonymous set to false. Logout tokens
	// have the sub, and an id_token_hint without sid is compared with it, for a client whose logins in the session were all open
	// (storage.SessionClient.Open). Other clients would learn which pseudonym is the user's. Required.
	Subject func(c *client.Client, id *session.Identity, pseudonymous bool) (string, error)
	// Secrets encrypt the tokens of confirmation pages. The first one encrypts, every one decrypts. Every node needs the same.
	// Required.
	Secrets []portner.Secret

	// Pages holds the functions that render the pages. If a function is nil, a plain English page is sent.
	Pages Pages
	// Backchannel delivers logout tokens. If nil, clients are notified through the browser only.
	Backchannel Sender
	// WithoutConfirmation ends the session without a confirmation page if the request has no id_token_hint. Any site can then
	// log users out by a link.
	WithoutConfirmation bool
	// RequireSession answers a request of a browser without a session cookie with an error page. If false, the user is logged out
	// already: a valid id_token_hint leads back to the client, and other requests lead to the page after a logout.
	RequireSession bool
	// Environment must be the one that the registrations were validated against. The zero value is production. An http issuer sets
	// Environment.Test.
	Environment client.Environment
	// Locales are the languages of the pages, the fallback first. The default is nb, nn, en, se.
	Locales []string
	// AcceptLanguage makes the field Accept-Language of the browser choose the language of a page where neither the user nor ui_locales
	// did. If false, the field is ignored.
	AcceptLanguage bool

	// Now is the clock, read once for each request. If nil, it is time.Now.
	Now func() time.Time
	// Logger receives a line for each event. If nil, events are not logged.
	Logger *slog.Logger
	// OnEvent receives each event. It may be nil.
	OnEvent func(context.Context, portner.Event)
}

// Sender delivers logout tokens (OIDC Back-Channel Logout §2.5). NewSender returns one that uses HTTP.
type Sender interface {
	// Send makes one attempt and returns when ctx ends. It returns nil if the client accepted the token.
	Send(ctx context.Context, uri, logoutToken string) error
}

func (c Config) withDefaults() Config {
	if len(c.Locales) == 0 {
		c.Locales = httpx.DefaultLocales()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if u, err := url.Parse(c.Issuer); err == nil && u.Scheme == "http" {
		c.Environment.Test = true
	}
	c.Secrets, c.Locales = slices.Clone(c.Secrets), slices.Clone(c.Locales)
	return c
}

func (c *Config) check(p *fields.Checker) {
	p.SecureURL("Issuer", c.Issuer)
	p.BrowserURL("URL", c.URL, c.Issuer)
	p.Require(c.Sessions != nil, "Sessions")
	p.Made(c.Sessions, "Sessions", "session.New")
	p.RequireValue(c.Clients, "Clients")
	p.Require(c.Keys != nil, "Keys")
	p.Made(c.Keys, "Keys", "keyset.New")
	p.OptionalValue(c.Backchannel, "Backchannel")
	p.Require(c.Subject != nil, "Subject")
	p.Require(len(c.Secrets) > 0, "Secrets")
	for i, s := range c.Secrets {
		p.Secret(fmt.Sprintf("Secrets[%d]", i), s)
	}
	for i, l := range c.Locales {
		p.Require(l != "", fmt.Sprintf("Locales[%d]", i))
	}
}
