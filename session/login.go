package session

import (
	"context"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/seal"
	"github.com/portner-go/portner/storage"
)

// LogIn records a login for a circle and returns the session. It sets the session cookie in the response header. current is
// the result of Presented for this browser, or nil.
//
//   - Without a current session, a new one starts.
//   - If the current session has reached Limits, or has another user, it ends for all its clients in the step that starts the new
//     one. Config.OnEnded receives it, and the sessions beyond Config.MaxPerUser.
//   - If the current session has the same user, it continues under a new cookie, and the old cookie is invalid from then on.
//     StartedAt does not change. The authentication of the circle is replaced, also by one of a lower level, because tokens
//     must state what the last login achieved. Other circles keep their level and their identity.
//
// The same login with an Authentication.Key that is repeated returns the session of the first call.
//
// If a parallel request ended or rotated the session, the login gets a new session, and the clients of the other one are not
// carried over. Errors of the store, such as storage.ErrFull, are wrapped.
func (k *Keeper) LogIn(ctx context.Context, response http.Header, current *storage.Session, a Authentication, circle string, now time.Time) (*storage.Session, error) {
	if a.Identity.Subject == "" {
		return nil, errors.New("session: Authentication.Identity.Subject is empty")
	}
	name := loginName(&a, circle)
	if a.Time.IsZero() || a.Time.After(now) {
		a.Time = now
	}
	a.AMR = slices.Clone(a.AMR)
	proved := storage.Circle{Name: circle, ACR: a.ACR, AMR: a.AMR, AuthTime: a.Time}
	x := &exchange{Keeper: k, login: a, name: name, circle: proved, now: now}
	s, value, err := x.logIn(ctx, current)
	if err != nil {
		return nil, err
	}
	var remember time.Duration
	if a.Remember {
		remember = s.StartedAt.Add(k.rules.Limits.max()).Sub(now)
	}
	k.setCookie(response, value, remember)
	for i := range x.ended {
		k.onEnded(ctx, x.ended[i], now)
	}
	return s, nil
}

// exchange is the state of one call of LogIn.
type exchange struct {
	*Keeper
	login  Authentication
	name   string // from which the cookie derives; "" for a random one
	circle storage.Circle
	now    time.Time
	ended  []storage.Session // by the login
	cause  string            // why the current session ended
}

func (x *exchange) logIn(ctx context.Context, current *storage.Session) (*storage.Session, string, error) {
	switch {
	case current == nil:
		return x.start(ctx, storage.Hash{})
	case !x.continues(current):
		s, value, err := x.start(ctx, current.Hash)
		if !errors.Is(err, storage.ErrNotFound) {
			return s, value, err
		}
	default:
		s, value, err := x.rotate(ctx, current)
		if !errors.Is(err, storage.ErrNotFound) {
			return s, value, err
		}
	}
	return x.start(ctx, storage.Hash{}) // current has ended meanwhile
}

// continues reports whether the login continues the session of the browser. It sets the cause if it does not.
func (x *exchange) continues(current *storage.Session) bool {
	switch state := x.rules.Limits.State(timesOf(current), x.now); {
	case !x.isSameUser(current):
		x.cause = "other_user"
	case state == Idle:
		x.cause = string(IdleReached)
	case state != Active:
		x.cause = string(MaxReached)
	}
	return x.cause == ""
}

// isSameUser reports whether the user of the login is the one of every circle. It compares subjects, because UserKeys change with
// the last secret. A session with an identity that cannot be decrypted belongs to another user.
func (x *exchange) isSameUser(s *storage.Session) bool {
	for i := range s.Circles {
		id, err := x.vault.openCircle(s.ID, &s.Circles[i])
		if err != nil || subtle.ConstantTimeCompare([]byte(id.Subject), []byte(x.login.Identity.Subject)) != 1 {
			return false
		}
	}
	return len(s.Circles) > 0
}

// sealed returns the circle of the login with the identity that it proved, for the session with the given ID.
func (x *exchange) sealed(sessionID string) storage.Circle {
	c := x.circle
	c.Identity = x.vault.sealCircle(x.login.Identity, sessionID, c.Name)
	return c
}

// newCookie returns the value of a cookie. It derives from the name of the login, or is random: without a key, and in the last
// attempt.
func (x *exchange) newCookie(attempt int) string {
	if x.name == "" || attempt == attempts-1 {
		return seal.NewToken()
	}
	return x.vault.cookies.Derive(0, x.name)
}

// loginName returns everything that a login with a key proves, and "" for a login without one. A login that proves something else
// under the same key must not get the session of the first.
func loginName(a *Authentication, circle string) string {
	if a.Key == "" {
		return ""
	}
	var room [512]byte // most names fit, so that only the result is allocated
	b := appendText(appendText(appendText(room[:0], a.Key), circle), a.ACR)
	b = binary.AppendUvarint(b, uint64(len(a.AMR)))
	for _, method := range a.AMR {
		b = appendText(b, method)
	}
	var at int64 // the zero time is that of the call, so it differs when the login is repeated
	if !a.Time.IsZero() {
		at = a.Time.UnixNano()
	}
	return string(a.Identity.appendTo(binary.AppendVarint(b, at)))
}

// start creates a session. The session old, which this login does not continue, ends in the same step.
func (x *exchange) start(ctx context.Context, old storage.Hash) (*storage.Session, string, error) {
	for attempt := range attempts {
		value := x.newCookie(attempt)
		s := &storage.Session{
			Hash: storage.HashOf(value), ID: seal.IDOf("session ID", value),
			UserKey:   x.vault.UserKey(x.login.Identity.Subject),
			StartedAt: x.now, LastRequestAt: x.now, ExpiresAt: x.now.Add(x.rules.Limits.max()),
		}
		s.Circles = []storage.Circle{x.sealed(s.ID)}
		ended, err := x.store.ReplaceSession(ctx, old, *s, x.perUser, x.now)
		if errors.Is(err, storage.ErrConflict) {
			if repeated, err := x.repeated(ctx, s.Hash); repeated != nil || err != nil {
				return repeated, value, err
			}
			continue
		}
		if err != nil {
			return nil, "", fmt.Errorf("session: creating the session: %w", err)
		}
		for i := range ended {
			reason := "too_many"
			if ended[i].Hash == old {
				reason = x.cause
			}
			x.emitEnded(ctx, reason, x.now)
		}
		x.ended = ended
		x.log.Emit(ctx, portner.Event{Name: portner.EventAuthenticated, Time: x.now, Reason: "login"})
		return s, value, nil
	}
	return nil, "", errors.New("session: random identifiers collide")
}

// repeated returns the session that the same login rotated before: it has the derived cookie, and the ID that it had before the
// login. It returns nil if there is none.
func (x *exchange) repeated(ctx context.Context, hash storage.Hash) (*storage.Session, error) {
	if x.name == "" {
		x.log.Emit(ctx, portner.Event{Name: portner.EventIDCollision, Time: x.now, Reason: "session"})
		return nil, nil
	}
	s, err := x.load(ctx, hash, x.now)
	if err != nil || s == nil || !x.isSameUser(s) {
		return nil, err
	}
	return s, nil
}

// rotate records the login in the session of the user, under a new cookie. It returns ErrNotFound if the session has ended.
func (x *exchange) rotate(ctx context.Context, s *storage.Session) (*storage.Session, string, error) {
	for attempt := range attempts {
		value := x.newCookie(attempt)
		next, reason := x.apply(s)
		next.Hash = storage.HashOf(value)
		_, err := x.store.ReplaceSession(ctx, s.Hash, *next, 0, x.now)
		if err == nil {
			next.Version++
			x.log.Emit(ctx, portner.Event{Name: portner.EventSessionRotated, Time: x.now, Reason: reason})
			return next, value, nil
		}
		if !errors.Is(err, storage.ErrConflict) {
			return nil, "", fmt.Errorf("session: rotating the session: %w", err)
		}
		if s, err = x.load(ctx, s.Hash, x.now); err != nil {
			return nil, "", err
		}
		if s == nil {
			return nil, "", storage.ErrNotFound
		}
	}
	return nil, "", fmt.Errorf("session: rotating the session: %w", storage.ErrConflict)
}

// apply returns the session with this login, and the kind of login for the log. StartedAt does not change: Limits.Max counts
// from the first authentication.
func (x *exchange) apply(s *storage.Session) (next *storage.Session, reason string) {
	n := afterRequest(s, x.now)
	n.Circles = slices.Clone(s.Circles)
	proved := x.sealed(n.ID)
	old := findCircle(&n, proved.Name)
	switch {
	case old == nil:
		n.Circles = append(n.Circles, proved)
		return &n, "further_circle"
	case old.ACR != proved.ACR:
		*old = proved
		return &n, "other_level"
	}
	*old = proved
	return &n, "reauthentication"
}
