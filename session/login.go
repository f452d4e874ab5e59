package session

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/seal"
	"github.com/portner-go/portner/storage"
)

// LogIn records that a person has just logged in, for the given circle of trust, and returns
// the session, whose cookie it sets in response, the header of the response. current is what Current gave for this browser, or nil.
//
// Without a current session a new one starts. If it is the same person's, the login is a step-up, a
// re-authentication or a login to a further circle: the session goes on under a new identifier, the
// old one is dead from the same instant (security row G7), and the 120 minutes keep their start. The
// circle's authentication is replaced as a whole, even by one of a lower level: the tokens then say
// what this login achieved, and an earlier high level never vouches for it (security row G11). If the
// session is another person's, it ends, for all its clients, before the new one exists (security row
// G12).
//
// If the session ended or was rotated by a parallel request meanwhile, the person did log in all the
// same and gets a new session; what was in the lost one is not carried over. ErrFull is the store's.
func (k *Keeper) LogIn(ctx context.Context, response http.Header, current *storage.Session, a Authentication, circle string, now time.Time) (*storage.Session, error) {
	if a.Subject == "" {
		return nil, errors.New("session: an authentication without a subject")
	}
	if a.Time.IsZero() || a.Time.After(now) {
		a.Time = now
	}
	a.AMR = slices.Clone(a.AMR)
	l := login{k, a, storage.Circle{Name: circle, ACR: a.ACR, AMR: a.AMR, AuthTime: a.Time}, now}
	s, value, err := l.record(ctx, current)
	if err != nil {
		return nil, err
	}
	k.setCookie(response, value)
	return s, nil
}

// login is one call of LogIn.
type login struct {
	*Keeper
	who    Authentication
	circle storage.Circle
	now    time.Time
}

func (l login) record(ctx context.Context, current *storage.Session) (*storage.Session, string, error) {
	if current != nil && !l.samePerson(current) {
		if err := l.drop(ctx, current); err != nil {
			return nil, "", err
		}
		current = nil
	}
	if current != nil {
		s, value, err := l.rotate(ctx, current)
		if !errors.Is(err, storage.ErrNotFound) {
			return s, value, err
		}
	}
	return l.start(ctx)
}

// samePerson compares subjects and not UserKeys, which change with the oldest secret. A session whose
// identity no longer opens is nobody's, and goes.
func (l login) samePerson(s *storage.Session) bool {
	id, err := l.Identity(s)
	return err == nil && subtle.ConstantTimeCompare([]byte(id.Subject), []byte(l.who.Subject)) == 1
}

// drop ends the session of the person who used the browser before.
func (l login) drop(ctx context.Context, s *storage.Session) error {
	_, err := l.store.EndSession(ctx, s.Hash, l.now)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return nil
	case err != nil:
		return fmt.Errorf("session: ending another person's session: %w", err)
	}
	l.emitEnded(ctx, "other_person", l.now)
	return nil
}

// start creates a session for the person.
func (l login) start(ctx context.Context) (*storage.Session, string, error) {
	for range attempts {
		value, hash := newCookieValue()
		s := &storage.Session{
			Hash: hash, ID: seal.NewID(),
			UserKey:   l.vault.UserKey(l.who.Subject),
			StartedAt: l.now, LastRequestAt: l.now, ExpiresAt: l.rules.Limits.ExpiresAt(l.now, l.now),
			Circles: []storage.Circle{l.circle},
		}
		s.Identity = l.vault.Seal(l.who.Identity, s.ID)
		ended, err := l.store.CreateSession(ctx, *s, l.perPerson, l.now)
		if errors.Is(err, storage.ErrConflict) {
			l.log.Emit(ctx, portner.Event{Name: portner.EventIDCollision, Time: l.now, Reason: "session"})
			continue
		}
		if err != nil {
			return nil, "", fmt.Errorf("session: starting a session: %w", err)
		}
		for range ended {
			l.emitEnded(ctx, "too_many", l.now)
		}
		l.log.Emit(ctx, portner.Event{Name: portner.EventAuthenticated, Time: l.now, Reason: "login"})
		return s, value, nil
	}
	return nil, "", errors.New("session: no free identifier")
}

// rotate records the login in the person's session, under a new identifier. ErrNotFound says that
// the session is gone.
func (l login) rotate(ctx context.Context, s *storage.Session) (*storage.Session, string, error) {
	for range attempts {
		value, hash := newCookieValue()
		next, reason := l.apply(s)
		next.Hash = hash
		err := l.store.ReplaceSession(ctx, s.Hash, *next, l.now)
		if err == nil {
			next.Version++
			l.log.Emit(ctx, portner.Event{Name: portner.EventSessionRotated, Time: l.now, Reason: reason})
			return next, value, nil
		}
		if !errors.Is(err, storage.ErrConflict) {
			return nil, "", fmt.Errorf("session: rotating the session: %w", err)
		}
		if s, err = l.load(ctx, s.Hash, l.now); err != nil {
			return nil, "", err
		}
		if s == nil {
			return nil, "", storage.ErrNotFound
		}
	}
	return nil, "", fmt.Errorf("session: rotating the session: %w", storage.ErrConflict)
}

// apply returns the session with this login in it, and a word for what kind of login it was. The
// start is kept: 120 minutes count from the first authentication (idporten section 14.3).
func (l login) apply(s *storage.Session) (next *storage.Session, reason string) {
	n := *s
	if n.LastRequestAt.Before(l.now) {
		n.LastRequestAt = l.now
	}
	n.ExpiresAt = l.rules.Limits.ExpiresAt(n.StartedAt, n.LastRequestAt)
	n.Identity = l.vault.Seal(l.who.Identity, n.ID)
	n.Circles = slices.Clone(s.Circles)
	old := inCircle(&n, l.circle.Name)
	switch {
	case old == nil:
		n.Circles = append(n.Circles, l.circle)
		return &n, "further_circle"
	case old.ACR != l.circle.ACR:
		*old = l.circle
		return &n, "other_level"
	}
	*old = l.circle
	return &n, "reauthentication"
}
