package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/audit"
	"github.com/portner-go/portner/internal/seal"
	"github.com/portner-go/portner/storage"
)

// DefaultMaxPerPerson is how many live sessions one person may have (security row J3).
const DefaultMaxPerPerson = 50

// attempts is how often a change is tried again after somebody else changed the record first.
const attempts = 3

// Config configures a Keeper.
type Config struct {
	// Store keeps the sessions. Required.
	Store Store
	// Vault hides persons from the store. Required; the same for everything that reads sessions.
	Vault *Vault
	// Rules are the policy; the zero Rules are ID-porten's.
	Rules Rules
	// MaxPerPerson is how many live sessions a person may have; the oldest ends when there is one
	// more. 0 is DefaultMaxPerPerson.
	MaxPerPerson int
	// CookieName begins with __Host-. "" is DefaultCookieName.
	CookieName string
	// AllowCrossSiteCookie sends the cookie with SameSite=None instead of Lax: cross-site POSTs then
	// carry it, and forms of other sites reach the endpoints as the person.
	AllowCrossSiteCookie bool
	// Logger gets a line for each event. nil discards.
	Logger *slog.Logger
	// OnEvent gets each event. nil: nobody listens.
	OnEvent func(context.Context, portner.Event)
}

// Keeper holds the sessions of browsers: it reads and sets the cookie and changes the record behind
// it. It is safe for concurrent use and keeps no state of its own.
type Keeper struct {
	rules        Rules
	store        Store
	vault        *Vault
	perPerson    int
	name         string
	sameSiteNone bool
	log          audit.Log
}

// New reports all problems of the configuration at once.
func New(cfg Config) (*Keeper, error) {
	var errs []error
	if cfg.Store == nil {
		errs = append(errs, errors.New("session: Config.Store is required"))
	}
	if cfg.Vault == nil {
		errs = append(errs, errors.New("session: Config.Vault is required"))
	}
	if cfg.MaxPerPerson < 0 {
		errs = append(errs, errors.New("session: Config.MaxPerPerson is negative"))
	}
	if cfg.MaxPerPerson == 0 {
		cfg.MaxPerPerson = DefaultMaxPerPerson
	}
	if cfg.CookieName == "" {
		cfg.CookieName = DefaultCookieName
	}
	if !strings.HasPrefix(cfg.CookieName, hostPrefix) || (&http.Cookie{Name: cfg.CookieName}).Valid() != nil {
		errs = append(errs, fmt.Errorf("session: Config.CookieName must be a cookie name that begins with %s", hostPrefix))
	}
	if cfg.Rules.Limits.Max < 0 || cfg.Rules.Limits.Idle < 0 {
		errs = append(errs, errors.New("session: Config.Rules.Limits has a negative timer"))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return &Keeper{
		rules: cfg.Rules, store: cfg.Store, vault: cfg.Vault, perPerson: cfg.MaxPerPerson,
		name: cfg.CookieName, sameSiteNone: cfg.AllowCrossSiteCookie,
		log: audit.Log{Endpoint: "session", Logger: cfg.Logger, OnEvent: cfg.OnEvent},
	}, nil
}

// CircleOf is Rules.CircleOf of the configuration.
func (k *Keeper) CircleOf(clientID string, isolated bool) string {
	return k.rules.CircleOf(clientID, isolated)
}

// Decide is Rules.Decide of the configuration.
func (k *Keeper) Decide(s *storage.Session, req Request, now time.Time) (*storage.Circle, Verdict) {
	return k.rules.Decide(s, req, now)
}

// Current returns the live session of the browser that sent a request with the header request. It returns nil if there is no
// session cookie, or if its session is unknown or has timed out. Two session cookies count as none; Current then
// clears them in response, the header of the response. An error is a fault of the store.
func (k *Keeper) Current(ctx context.Context, request, response http.Header, now time.Time) (*storage.Session, error) {
	value, duplicate := k.readCookie(request)
	if duplicate {
		k.setCookie(response, "")
		k.log.Emit(ctx, portner.Event{Name: portner.EventCookieDuplicate, Time: now, Reason: "cleared"})
	}
	if value == "" {
		return nil, nil
	}
	return k.load(ctx, storage.HashOf(value), now)
}

// load reads a session and holds it against the timers, whatever the store thinks of its expiry.
func (k *Keeper) load(ctx context.Context, hash storage.Hash, now time.Time) (*storage.Session, error) {
	s, err := k.store.Session(ctx, hash, now)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("session: reading the session: %w", err)
	}
	if k.rules.Limits.State(&s, now) != Active {
		return nil, nil
	}
	return &s, nil
}

// Identity opens the person of a session.
func (k *Keeper) Identity(s *storage.Session) (Identity, error) {
	return k.vault.Open(s.Identity, s.ID)
}

// SID is what the client knows the session by: stable for the two, unguessable, and telling other
// clients nothing.
func (k *Keeper) SID(s *storage.Session, clientID string) string {
	for i := range s.Clients {
		if s.Clients[i].ClientID == clientID {
			return s.Clients[i].SID
		}
	}
	return k.vault.sid(s.ID, clientID)
}

// Touch records that the session answered an authorization request of the client: idleness counts
// from now, and the client will be told of the logout. It returns SID(s, clientID) and brings s up
// to date. auth_time never moves here. An error that wraps storage.ErrNotFound says that the session
// ended meanwhile: send nothing, the person must log in.
//
// Call it after the code is stored and before it is sent. A logout then either finds the code and
// removes it, or comes before Touch, which fails, and the code stays unsent.
func (k *Keeper) Touch(ctx context.Context, s *storage.Session, clientID string, now time.Time) (sid string, err error) {
	for range attempts {
		next := *s
		if next.LastRequestAt.Before(now) { // a clock that jumped back takes no time away
			next.LastRequestAt = now
		}
		next.ExpiresAt = k.rules.Limits.ExpiresAt(next.StartedAt, next.LastRequestAt)
		sid = k.SID(s, clientID)
		next.Clients = withClient(s.Clients, storage.SessionClient{ClientID: clientID, SID: sid, LoginAt: now})
		err = k.store.ReplaceSession(ctx, s.Hash, next, now)
		if err == nil {
			next.Version++
			*s = next
			return sid, nil
		}
		if !errors.Is(err, storage.ErrConflict) {
			break
		}
		fresh, lerr := k.load(ctx, s.Hash, now)
		if lerr != nil {
			return "", lerr
		}
		if fresh == nil {
			err = storage.ErrNotFound
			break
		}
		*s = *fresh
	}
	return "", fmt.Errorf("session: recording a visit: %w", err)
}

// withClient returns the clients with one more, unless it is there. The given slice stays as it is.
func withClient(clients []storage.SessionClient, c storage.SessionClient) []storage.SessionClient {
	for i := range clients {
		if clients[i].ClientID == c.ClientID {
			return clients
		}
	}
	return append(clients[:len(clients):len(clients)], c)
}

// End ends the session on every node and clears the cookie. With the session go its unused codes and
// the grants of pure logins (see Store.EndSession). It returns the session as it was at that instant,
// with every client to tell, or an error that wraps storage.ErrNotFound if it was gone already; the
// cookie is then cleared too. After any other error the person is NOT logged out and keeps the cookie.
func (k *Keeper) End(ctx context.Context, response http.Header, s *storage.Session, now time.Time) (storage.Session, error) {
	ended, err := k.store.EndSession(ctx, s.Hash, now)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return storage.Session{}, fmt.Errorf("session: ending the session: %w", err)
	}
	k.setCookie(response, "")
	if err != nil {
		return storage.Session{}, fmt.Errorf("session: ending the session: %w", err)
	}
	k.emitEnded(ctx, "logout", now)
	return ended, nil
}

func (k *Keeper) emitEnded(ctx context.Context, reason string, now time.Time) {
	k.log.Emit(ctx, portner.Event{Name: portner.EventSessionEnded, Time: now, Reason: reason})
}

// newCookieValue returns a cookie value and the key it is stored under.
func newCookieValue() (string, storage.Hash) {
	value := seal.NewToken()
	return value, storage.HashOf(value)
}
