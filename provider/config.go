package provider

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/client/businesscert"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/logout"
	"github.com/portner-go/portner/pseudonym"
	"github.com/portner-go/portner/rar"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/token"
)

// Config says everything a Provider needs to know. New reports all its problems at once.
type Config struct {
	// Issuer is the issuer identifier: an https URL without a trailing slash, query or fragment. Plain
	// http is accepted for loopback hosts only. Required.
	Issuer string
	// BrowserURL is the base of the two endpoints that people's browsers open, /authorize and /logout, and of
	// your pages, where it is not the issuer: ID-porten's issuer is https://idporten.no, its browser host
	// login.idporten.no (idporten section 1.1). No trailing slash. "": Issuer.
	BrowserURL string
	// Profile is the set of rules: IDPorten() or OpenIDConnect(). The zero value is IDPorten().
	Profile Profile

	// Store keeps sessions, codes and tokens. Required.
	Store Store
	// Environment says which URIs registrations may hold: the one they were validated against. An http
	// issuer implies Test.
	Environment client.Environment
	// Keys signs tokens. Required.
	Keys *keyset.Set
	// Clients finds registrations. Required.
	Clients client.Source
	// Origins reports whether a browser client has the origin, for CORS. Pass HasOrigin of a *client.Registry. If nil, calls
	// from other origins are rejected.
	Origins func(ctx context.Context, origin string) (bool, error)
	// Scopes finds scopes and who may use them. nil: the profile's standard scopes only.
	Scopes scope.Source
	// Page shows the host's pages. The provider serves it at the paths of Pages. If nil, the host mounts Authorize.Page there.
	Page authorize.PageFunc
	// Pages holds the paths of the host's pages. Zero fields are /login, /step-up, /consent and /representation.
	Pages authorize.Pages

	// Secrets seal what travels through browsers and rests in the store; 32 random bytes or more each.
	// The first seals, all of them open: put a new one in front to rotate. Required, the same on every node.
	Secrets []portner.Secret
	// PairwiseKey makes the subjects clients know people by; 32 random bytes or more. With another key
	// every subject changes: keep it for years. Required.
	PairwiseKey portner.Secret

	// PushedRequests keeps pushed authorization requests. nil: PAR is off.
	PushedRequests authorize.PushedRequestStore
	// History remembers logins for people to look at, with the browser each authorization was given in; see
	// package authorizations. nil: off.
	History authorize.HistoryStore
	// Replay remembers used client assertions. nil: private_key_jwt is off.
	Replay client.ReplayStore
	// Certificates verifies the business certificates that clients of an organisation may sign assertions
	// with (virksomhetssertifikat, idporten section 5.4). nil: assertions need a registered key.
	Certificates *businesscert.Verifier
	// Attempts slows down guessing of client secrets. nil: ten failures a minute for each pair of client
	// and r.RemoteAddr, counted in this process, then 429. Behind a proxy all callers have one address,
	// and a stranger's failures lock a client out: let a handler in front put the caller's address, as the
	// proxy tells it, into r.RemoteAddr.
	Attempts client.AttemptLimiter
	// AuthorizationDetails are the types of rich authorization requests (RFC 9396) clients may ask for. nil:
	// none.
	AuthorizationDetails *rar.Registry
	// Users finds users: whether they are enabled, and their claims. If nil, users are never disabled, and only claims from the
	// login are returned.
	Users token.UserSource
	// Claims adds the claims of the host to id_tokens, access tokens, introspection and userinfo, after those of the profile.
	// If nil, there are none.
	Claims token.ClaimsFunc

	// Session are the rules of the SSO session; the zero value is ID-porten's 120 and 30 minutes.
	Session session.Rules
	// MaxSessionsPerPerson ends a person's oldest session when there is one more. 0 is 50.
	MaxSessionsPerPerson int
	// Lifetimes are for clients that name none; zero fields are ID-porten's.
	Lifetimes Lifetimes
	// RotationGrace lets a client that did not receive the response repeat a refresh; see token.Config. 0 is off.
	RotationGrace time.Duration
	// GrantHandlers handle grant types beside authorization_code and refresh_token.
	GrantHandlers []token.GrantHandler

	// ErrorPage renders the page for errors that must not be sent to the client; see authorize.Config. If nil, a plain page is sent.
	ErrorPage func(p authorize.ErrorPage) portner.Reply
	// LogoutPages render the pages of logout. Plain pages take the place of nil functions.
	LogoutPages logout.Pages
	// Backchannel sends logout tokens. nil: back-channel logout is off.
	Backchannel logout.Sender
	// TestLogin is the headless login for tests (idporten section 3.8). nil: off.
	TestLogin *authorize.TestLogin

	// Now is the clock, read once per request. nil is time.Now.
	Now func() time.Time
	// Logger gets one line per decision and fault. nil discards.
	Logger *slog.Logger
	// OnEvent gets the same as values. nil: nobody listens.
	OnEvent func(context.Context, portner.Event)
}

// Lifetimes are how long things live; zero fields are ID-porten's.
type Lifetimes struct {
	token.Lifetimes
	// Code is how long a code can be redeemed. Default 60 s, at most 600 s.
	Code time.Duration
	// PushedRequest is how long a request_uri can be used. Default 120 s, at most 600 s.
	PushedRequest time.Duration
	// Pending is how long a person may take to log in and consent. Default 15 min, at most 1 h.
	Pending time.Duration
}

func (c Config) validate() error {
	var errs []error
	require := func(ok bool, problem string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf("Config."+problem, args...))
		}
	}
	if err := checkIssuer(c.Issuer); err != nil {
		errs = append(errs, err)
	}
	if c.BrowserURL != c.Issuer && checkIssuer(c.BrowserURL) != nil {
		errs = append(errs, errors.New("Config.BrowserURL must be an https URL without trailing slash, query and fragment"))
	}
	require(c.Store != nil, "Store is required")
	require(c.Keys != nil, "Keys is required")
	require(c.Clients != nil, "Clients is required")
	require(c.Profile.Levels != nil && c.Profile.Claims != nil, "Profile has no Levels or Claims: start from IDPorten() or OpenIDConnect()")
	require(len(c.Secrets) > 0, "Secrets is required: 32 random bytes, the same on every node")
	if _, err := pseudonym.NewPairwise(c.PairwiseKey); err != nil {
		errs = append(errs, fmt.Errorf("Config.PairwiseKey: %w", err))
	}
	return errors.Join(errs...)
}

// checkIssuer holds OpenID Connect Discovery section 3 (https, no query, no fragment) and ID-porten's rule
// of no trailing slash (idporten section 21, C3).
func checkIssuer(issuer string) error {
	u, err := url.Parse(issuer)
	switch {
	case err != nil || u.Host == "" || u.User != nil || strings.ContainsAny(issuer, "?#"):
		return errors.New("Config.Issuer must be an absolute URL without user, query and fragment")
	case strings.HasSuffix(issuer, "/"):
		return errors.New("Config.Issuer must not end in a slash")
	case u.Scheme == "https", u.Scheme == "http" && loopback(u.Hostname()):
		return nil
	}
	return errors.New("Config.Issuer must be https (http for localhost, 127.0.0.1 and ::1 only)")
}

func loopback(host string) bool {
	return host == "localhost" || host == "127.0.0.1" || host == "::1"
}
