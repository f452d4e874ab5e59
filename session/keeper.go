package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/audit"
	"github.com/portner-go/portner/internal/fields"
	"github.com/portner-go/portner/internal/httpx"
	"github.com/portner-go/portner/storage"
)

// DefaultMaxPerUser is the default of [Config.MaxPerUser].
const DefaultMaxPerUser = 50

// attempts is how often a change is tried if another request changed the record first.
const attempts = 3

// Config configures a Keeper.
type Config struct {
	// Store keeps the sessions. Required.
	Store Store
	// Vault encrypts identities. Required. Every part of a provider that reads sessions or grants uses the same secrets.
	Vault *Vault
	// Rules are the policy of sessions.
	Rules Rules
	// MaxPerUser is how many sessions of a user the store may keep. If there is one more, the oldest ends. The default is
	// DefaultMaxPerUser, and 1,000 is the largest value, because stores visit all sessions of a user.
	MaxPerUser int
	// OnEnded receives each session that a login ended: that of another user in the same browser, one that has reached Limits, and
	// the oldest beyond MaxPerUser.
	// LogIn calls it after the store has ended the session, with its own context and time. It must return at once. The method
	// NotifyEnded of a logout.Endpoint notifies the clients of the session. If nil, they are not notified.
	OnEnded func(ctx context.Context, ended storage.Session, now time.Time)
	// URL is the base URL of the provider for browsers. Its port and path are part of the name of the session cookie, so that
	// several providers on one host have a cookie each. With an https URL the cookie is Secure and its name begins with __Host-.
	// With an http URL, which is valid for loopback hosts only, the cookie is not Secure and its name lacks the prefix. If "", the
	// cookie is Secure and its name is DefaultCookieName.
	URL string
	// AllowCrossSiteCookie sets the cookie with SameSite=None instead of Lax. Browsers then send it with cross-site POST
	// requests too, so forms of other sites reach the endpoints with the session of the user. It requires an https URL.
	AllowCrossSiteCookie bool
	// Logger receives a line for each event. If nil, events are not logged.
	Logger *slog.Logger
	// OnEvent receives each event. It may be nil.
	OnEvent func(context.Context, portner.Event)
}

// Keeper starts, continues and ends the sessions of browsers: it reads and sets the session cookie, and changes the records of
// the store. It is safe for concurrent use and has no state besides its configuration.
type Keeper struct {
	rules      Rules
	store      Store
	vault      *Vault
	perUser    int
	name       string // of the cookie
	attributes string // of the cookie, after Path and Max-Age
	onEnded    func(ctx context.Context, ended storage.Session, now time.Time)
	log        audit.Log
}

// New returns a Keeper. It reports every problem of the configuration at once, by field name.
func New(cfg Config) (*Keeper, error) {
	if cfg.MaxPerUser == 0 {
		cfg.MaxPerUser = DefaultMaxPerUser
	}
	if cfg.OnEnded == nil {
		cfg.OnEnded = func(context.Context, storage.Session, time.Time) {}
	}
	var c fields.Checker
	c.RequireValue(cfg.Store, "Store")
	c.Require(cfg.Vault != nil, "Vault")
	c.Made(cfg.Vault, "Vault", "session.NewVault")
	c.Want(cfg.Rules.Limits.Max >= 0, "Rules.Limits.Max", "must not be negative")
	c.Want(cfg.Rules.Limits.Idle >= 0, "Rules.Limits.Idle", "must not be negative")
	c.Want(cfg.MaxPerUser > 0 && cfg.MaxPerUser <= 1000, "MaxPerUser", "must be from 1 to 1000, or 0 for the default")
	if cfg.URL != "" {
		c.SecureURL("URL", cfg.URL)
	}
	name, secure := httpx.CookieName(cfg.URL, cookieName)
	c.Want(secure || !cfg.AllowCrossSiteCookie, "AllowCrossSiteCookie", "requires an https URL") // SameSite=None is for Secure cookies only
	if err := c.Err(); err != nil {
		return nil, fmt.Errorf("session: %w", err)
	}
	return &Keeper{
		rules: cfg.Rules, store: cfg.Store, vault: cfg.Vault, perUser: cfg.MaxPerUser,
		name: name, attributes: cookieAttributes(secure, cfg.AllowCrossSiteCookie), onEnded: cfg.OnEnded,
		log: audit.Log{Endpoint: "session", Logger: cfg.Logger, OnEvent: cfg.OnEvent},
	}, nil
}

// CircleOf returns the name of the circle of a client: that of Rules.CircleOf of the configuration.
func (k *Keeper) CircleOf(clientID string, isolated bool) string {
	return k.rules.CircleOf(clientID, isolated)
}

// Decide returns the login of s that answers req, or nil and the reason to show a login page, by Rules.Decide of the configuration.
func (k *Keeper) Decide(s *storage.Session, req Request, now time.Time) (*storage.Circle, Reason) {
	return k.rules.Decide(s, req, now)
}

// Current returns the live session of the browser that sent a request header. It returns nil if the request has no session
// cookie, and if the cookie belongs to no live session: a browser cannot choose the identifier of a session. A session that has
// reached one of Limits is not live. If the request has two session cookies, Current uses neither and deletes the cookie in the
// response header. Errors of the store are wrapped.
func (k *Keeper) Current(ctx context.Context, request, response http.Header, now time.Time) (*storage.Session, error) {
	s, err := k.Presented(ctx, request, response, now)
	if err != nil || !k.IsActive(s, now) {
		return nil, err
	}
	return s, nil
}

// Presented returns the session that the cookie of a request header names, like Current, but also one that has reached Limits.
// Such a session proves no login, and no request continues it, but its clients may still hold login-only grants. It is for LogIn
// and End, which end it for all of them.
func (k *Keeper) Presented(ctx context.Context, request, response http.Header, now time.Time) (*storage.Session, error) {
	value, duplicate := k.readCookie(request)
	if duplicate {
		k.setCookie(response, "", 0)
		k.log.Emit(ctx, portner.Event{Name: portner.EventCookieDuplicate, Time: now, Reason: "cleared"})
	}
	if value == "" {
		return nil, nil
	}
	return k.stored(ctx, storage.HashOf(value), now)
}

// load returns an active session, or nil.
func (k *Keeper) load(ctx context.Context, hash storage.Hash, now time.Time) (*storage.Session, error) {
	s, err := k.stored(ctx, hash, now)
	if err != nil || !k.IsActive(s, now) {
		return nil, err
	}
	return s, nil
}

// IsActive reports whether a session that Presented returned is within Limits: the store keeps the record for longer. It is false
// for nil.
func (k *Keeper) IsActive(s *storage.Session, now time.Time) bool {
	return s != nil && k.rules.Limits.State(timesOf(s), now) == Active
}

// stored returns the session of a cookie as the store has it, or nil.
func (k *Keeper) stored(ctx context.Context, hash storage.Hash, now time.Time) (*storage.Session, error) {
	s, err := k.store.Session(ctx, hash, now)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("session: loading the session: %w", err)
	}
	return &s, nil
}

// Identity decrypts the identity that the last login for a circle proved. A client receives the identity of its own circle, like
// its level: another circle may have been proved by a weaker login of the same user. Identity returns an error if the user did not
// log in for the circle.
func (k *Keeper) Identity(s *storage.Session, circle string) (Identity, error) {
	c := findCircle(s, circle)
	if c == nil {
		return Identity{}, errNoCircle
	}
	return k.vault.openCircle(s.ID, c)
}

var errNoCircle = errors.New("session: the session has no login for this circle")

// User returns the identity of the user who is logged in, for a page of the host. It is the identity of the login in the browser's
// session that answers req (see Decide). If there is none, User returns the zero Identity and the reason, and the page must treat the
// browser as logged out. The zero Request accepts a login for the common circle at any level: a page that needs a level sets
// Sufficient.
func (k *Keeper) User(ctx context.Context, request, response http.Header, req Request, now time.Time) (Identity, Reason, error) {
	s, err := k.Current(ctx, request, response, now)
	if err != nil {
		return Identity{}, "", err
	}
	login, reason := k.Decide(s, req, now)
	if login == nil {
		return Identity{}, reason, nil
	}
	id, err := k.vault.openCircle(s.ID, login)
	return id, "", err
}

// SID returns the "sid" of a session for a client. It is the same at every login of the client in the session. Each client has
// another one, and without the secret of the Vault none can be computed.
func (k *Keeper) SID(s *storage.Session, clientID string) string {
	for i := range s.Clients {
		if s.Clients[i].ClientID == clientID {
			return s.Clients[i].SID
		}
	}
	return k.vault.sid(s.ID, clientID)
}

// ClientLogin is an authorization request of a client that a session answered.
type ClientLogin struct {
	ClientID string // of the client
	// Open reports that the client learns who the user is. After a login that is not open, storage.SessionClient.Open of the
	// client is false until the session ends, because the client has one sid for both kinds of logins.
	Open bool
	// Until is the end of the grant of the request if it is login-only, and zero otherwise. The store keeps the session until then,
	// so that a login or logout in the browser ends the grant although the session has reached Limits.
	Until time.Time
}

// CountRequest records that the browser sent a valid authorization request which the session did not answer: Limits.Idle counts from now.
// It changes nothing if the session has ended, or if another request has changed it in the meantime.
func (k *Keeper) CountRequest(ctx context.Context, s *storage.Session, now time.Time) error {
	_, err := k.store.ReplaceSession(ctx, s.Hash, afterRequest(s, now), 0, now)
	if err == nil || errors.Is(err, storage.ErrNotFound) || errors.Is(err, storage.ErrConflict) {
		return nil
	}
	return fmt.Errorf("session: recording an authorization request: %w", err)
}

// Visit returns what an authorization request that the session answered changes in the session: Limits.Idle counts from now, and logout
// will notify the client, whose SID is Client.SID of the result. The time of the login does not change. Visit writes nothing: the store
// applies the visit in the call that inserts the code (storage.Outcome), so that a logout finds both or rejects both. A host without
// FinishRequest calls Apply on a copy of s, and replaces the session by it.
func (k *Keeper) Visit(s *storage.Session, login ClientLogin, now time.Time) storage.Visit {
	return storage.Visit{
		Session: s.Hash, At: now, Until: login.Until,
		Client: storage.SessionClient{ClientID: login.ClientID, SID: k.SID(s, login.ClientID), LoginAt: now, Open: login.Open},
	}
}

// afterRequest returns the session as it is after an authorization request.
func afterRequest(s *storage.Session, now time.Time) storage.Session {
	next := *s
	if next.LastRequestAt.Before(now) { // a clock that runs behind must not shorten the session
		next.LastRequestAt = now
	}
	return next
}

// End ends the session and clears the cookie in the response header. The unused codes and login-only grants of the session end
// with it (see Store.EndSession). End returns the session as it was at that instant, with the clients to notify.
//
// If the session had ended before, the error wraps storage.ErrNotFound and the cookie is cleared. After any other error the
// user is still logged in and keeps the cookie.
func (k *Keeper) End(ctx context.Context, response http.Header, s *storage.Session, now time.Time) (storage.Session, error) {
	ended, err := k.store.EndSession(ctx, s.Hash, now)
	if err == nil || errors.Is(err, storage.ErrNotFound) {
		k.setCookie(response, "", 0)
	}
	if err != nil {
		return storage.Session{}, fmt.Errorf("session: ending the session: %w", err)
	}
	k.emitEnded(ctx, "logout", now)
	return ended, nil
}

func (k *Keeper) emitEnded(ctx context.Context, reason string, now time.Time) {
	k.log.Emit(ctx, portner.Event{Name: portner.EventSessionEnded, Time: now, Reason: reason})
}
