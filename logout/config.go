package logout

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/session"
)

// Config configures an Endpoint.
type Config struct {
	// Issuer is the provider's issuer identifier, byte for byte as in its metadata. Required.
	Issuer string
	// URL is the address people's browsers use, end_session_endpoint of the metadata: its origin is
	// what forms must come from. Required.
	URL string
	// Sessions keeps the browsers' SSO sessions. Required.
	Sessions *session.Keeper
	// Clients finds registrations. Required.
	Clients client.Source
	// Keys verifies hints and signs logout tokens: the provider's *keyset.Set. Required.
	Keys Keys
	// Subject returns the "sub" of a person at a client, as the token endpoint makes it. Required.
	Subject func(c *client.Client, who session.Identity) string
	// Secrets seal the question whether to log out; 32 bytes or more each. The first one seals and all
	// of them open. Every node needs the same. Required.
	Secrets []portner.Secret

	// Pages are the host's pages. nil are plain built-in ones.
	Pages Pages
	// Backchannel delivers logout tokens. nil: clients are told through the browser only.
	Backchannel Sender
	// NoQuestion logs out without asking also when no hint proves that the client means this session,
	// as ID-porten does. Any site can then log people out (security decision K5).
	NoQuestion bool
	// Environment is what registrations were validated against. An http issuer implies Test.
	Environment client.Environment
	// Locales are the languages of the pages, the fallback first. nil: nb, nn, en, se.
	Locales []string

	// Now is the clock, read once for each request. nil is time.Now.
	Now func() time.Time
	// Logger gets a line for each event. nil discards.
	Logger *slog.Logger
	// OnEvent gets each event. nil: nobody listens.
	OnEvent func(context.Context, portner.Event)
}

// Keys verifies the provider's own tokens and signs new ones.
type Keys interface {
	// Verify checks the signature and returns the payload and the typ header. Expired claims are not
	// its business: an id_token_hint is usually expired.
	Verify(token string, now time.Time) (payload []byte, typ string, err error)
	// Sign returns the compact JWS of payload under the active key of alg ("" is the default).
	Sign(alg, typ string, payload []byte, now time.Time) (string, error)
}

// Sender delivers logout tokens (OpenID Connect Back-Channel Logout 1.0 section 2.5). NewSender makes
// one over HTTP.
type Sender interface {
	// Send makes one attempt and gives up when ctx does. nil means that the client accepted.
	Send(ctx context.Context, uri, logoutToken string) error
}

func (c Config) withDefaults() Config {
	if c.Pages == nil {
		c.Pages = plainPages{}
	}
	if len(c.Locales) == 0 {
		c.Locales = []string{"nb", "nn", "en", "se"}
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

func (c Config) check() error {
	var errs []error
	require := func(ok bool, problem string) {
		if !ok {
			errs = append(errs, fmt.Errorf("logout: Config.%s", problem))
		}
	}
	require(absolute(c.Issuer), "Issuer must be an http(s) URL without query and fragment")
	require(absolute(c.URL), "URL must be an http(s) URL without query and fragment")
	require(c.Sessions != nil, "Sessions is required")
	require(c.Clients != nil, "Clients is required")
	require(c.Keys != nil, "Keys is required")
	require(c.Subject != nil, "Subject is required")
	return errors.Join(errs...)
}

func absolute(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" &&
		u.User == nil && u.RawQuery == "" && !u.ForceQuery && u.Fragment == "" && raw[len(raw)-1] != '#'
}
