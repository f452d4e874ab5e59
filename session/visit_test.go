package session_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/seal"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
)

// finisher is the part of provider.Store that applies visits.
type finisher interface {
	FinishRequest(ctx context.Context, o storage.Outcome, now time.Time) error
}

// finish finishes a request that the session answered, as an authorization endpoint does, and updates s.
func finish(ctx context.Context, k *session.Keeper, s *storage.Session, login session.ClientLogin, now time.Time) error {
	v := k.Visit(s, login, now)
	id := seal.NewID()
	err := session.StoreOf(k).(finisher).FinishRequest(ctx, storage.Outcome{
		RequestID: id, RetainTo: now.Add(time.Minute), Visit: &v, Code: &storage.AuthorizationCode{
			Hash: storage.HashOf(id), ExpiresAt: now.Add(time.Minute),
			Grant: storage.Grant{ID: id, ClientID: login.ClientID, UserKey: s.UserKey, SessionID: s.ID, ExpiresAt: now.Add(time.Hour)},
		},
	}, now)
	if err == nil {
		v.Apply(s)
	}
	return err
}

// FinishRequest applies the visit of an outcome, which has a session.
func (s *store) FinishRequest(_ context.Context, o storage.Outcome, now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for hash, r := range s.live {
		if r.ID == o.Code.Grant.SessionID && now.Before(r.ExpiresAt) {
			r = clone(r)
			o.Visit.Apply(&r)
			s.live[hash] = r
			return nil
		}
	}
	return storage.ErrRevoked
}

// TestVisit: a visit has what the request of a client changes in the session, and writes nothing.
func TestVisit(t *testing.T) {
	t.Parallel()
	st := newStore()
	k, _ := testKeeper(t, st)
	b := &browser{T: t, keeper: k}
	s := b.login("kari", "high", "", epoch)
	st.before = func(verb string) error {
		t.Errorf("Visit calls %s", verb)
		return nil
	}
	now, until := epoch.Add(time.Minute), epoch.Add(time.Hour)
	before := *s
	require.Equal(t, storage.Visit{
		Session: s.Hash, At: now, Until: until,
		Client: storage.SessionClient{ClientID: "a", SID: k.SID(s, "a"), LoginAt: now, Open: true},
	}, k.Visit(s, session.ClientLogin{ClientID: "a", Open: true, Until: until}, now))
	require.Equal(t, before, *s)
	require.Zero(t, k.Visit(s, session.ClientLogin{ClientID: "a"}, now).Until)
	s.Clients = []storage.SessionClient{{ClientID: "a", SID: "as recorded"}}
	require.Equal(t, "as recorded", k.Visit(s, session.ClientLogin{ClientID: "a"}, now).Client.SID, "the sid of a client does not change")
}
