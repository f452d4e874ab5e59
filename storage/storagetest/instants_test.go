package storagetest_test

import (
	"context"
	"testing"
	"time"

	"github.com/portner-go/portner/internal/slow"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/storage/storagetest"
)

// coarse is a store that changes one kind of instants when it reads them.
type coarse struct {
	*model
	what string
	to   func(time.Time) time.Time
}

func microseconds(t time.Time) time.Time { return t.Truncate(time.Microsecond) }

func since1970(t time.Time) time.Time {
	if t.IsZero() {
		return time.Unix(0, 0)
	}
	return t
}

func (s coarse) change(what string, t *time.Time) {
	if s.what == what {
		*t = s.to(*t)
	}
}

func (s coarse) Session(ctx context.Context, h storage.Hash, now time.Time) (storage.Session, error) {
	in, err := s.model.Session(ctx, h, now)
	s.change("StartedAt", &in.StartedAt)
	s.change("LastRequestAt", &in.LastRequestAt)
	for i := range in.Circles {
		s.change("AuthTime of circles", &in.Circles[i].AuthTime)
	}
	for i := range in.Clients {
		s.change("LoginAt", &in.Clients[i].LoginAt)
	}
	return in, err
}

func (s coarse) Code(ctx context.Context, h storage.Hash, now time.Time) (storage.AuthorizationCode, error) {
	c, err := s.model.Code(ctx, h, now)
	s.change("CreatedAt", &c.Grant.CreatedAt)
	s.change("AuthTime of grants", &c.Grant.AuthTime)
	return c, err
}

func (s coarse) AccessToken(ctx context.Context, h storage.Hash, now time.Time) (storage.AccessToken, storage.Grant, error) {
	a, g, err := s.model.AccessToken(ctx, h, now)
	s.change("IssuedAt", &a.IssuedAt)
	return a, g, err
}

func (s coarse) RefreshToken(ctx context.Context, h storage.Hash, now time.Time) (storage.RefreshToken, storage.Grant, error) {
	r, g, err := s.model.RefreshToken(ctx, h, now)
	s.change("ConsumedAt", &r.ConsumedAt)
	return r, g, err
}

func (s coarse) Consents(ctx context.Context, key storage.ConsentKey, now time.Time) ([]storage.Consent, error) {
	all, err := s.model.Consents(ctx, key, now)
	for i := range all {
		s.change("GrantedAt", &all[i].GrantedAt)
	}
	return all, err
}

func (s coarse) PushedRequest(ctx context.Context, h storage.Hash, now time.Time) (storage.PushedRequest, error) {
	p, err := s.model.PushedRequest(ctx, h, now)
	s.change("pushed requests", &p.ExpiresAt)
	return p, err
}

func (s coarse) Logins(ctx context.Context, userKey storage.Hash, now time.Time) ([]storage.Login, error) {
	all, err := s.model.Logins(ctx, userKey, now)
	for i := range all {
		s.change("logins", &all[i].At)
	}
	return all, err
}

// A store that loses digits of one kind of instants, or reads a zero instant as another one, is rejected.
func TestSuiteRejectsCoarseInstants(t *testing.T) {
	slow.WithoutRaceDetector(t)
	for what, name := range map[string]string{
		"StartedAt": "Values/instants", "LastRequestAt": "Values/instants", "AuthTime of circles": "Values/instants", "LoginAt": "Values/instants",
		"CreatedAt": "Values/instants", "AuthTime of grants": "Values/instants", "IssuedAt": "Values/instants", "ConsumedAt": "Values/instants",
		"GrantedAt": "Values/instants", "pushed requests": "PushedRequest/instants", "logins": "Logins/instants",
	} {
		open := func(to func(time.Time) time.Time) func() storagetest.FullStore {
			return func() storagetest.FullStore { return coarse{newModel(""), what, to} }
		}
		if v := storagetest.Judge(name, open(microseconds)); v != storagetest.Failed {
			t.Errorf("the verdict of case %q on microseconds of %s is %d, want %d", name, what, v, storagetest.Failed)
		}
		if name != "Values/instants" || what == "GrantedAt" || what == "ConsumedAt" {
			continue // never zero, or zero in every other case
		}
		if v := storagetest.Judge("Values/zero instants", open(since1970)); v != storagetest.Failed {
			t.Errorf("the verdict on a zero %s that is read as 1970 is %d, want %d", what, v, storagetest.Failed)
		}
	}
}
