package redis_test

import (
	"context"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/storage/redis"
)

// write is a method that changes records, prepared for one name.
type write struct {
	name    string
	prepare func(t *testing.T, s *redis.Store, name string)
	call    func(ctx context.Context, s *redis.Store, name string) (ended []storage.Session, err error)
	after   func(t *testing.T, s *redis.Store, name string, ended []storage.Session)
}

// only makes the call of a method that returns an error only.
func only(f func(ctx context.Context, s *redis.Store, name string) error) func(context.Context, *redis.Store, string) ([]storage.Session, error) {
	return func(ctx context.Context, s *redis.Store, name string) ([]storage.Session, error) {
		return nil, f(ctx, s, name)
	}
}

// hasEnded checks that the sessions that ended are returned, because their clients are told.
func hasEnded(names ...string) func(t *testing.T, s *redis.Store, name string, ended []storage.Session) {
	return func(t *testing.T, _ *redis.Store, name string, ended []storage.Session) {
		require.Len(t, ended, len(names))
		for i := range names {
			require.Equal(t, newSession(names[i]+name, name).ID, ended[i].ID)
			require.Equal(t, "sid-a", ended[i].Clients[0].SID)
		}
	}
}

func withSession(t *testing.T, s *redis.Store, name string) {
	t.Helper()
	_, err := s.ReplaceSession(t.Context(), none, newSession(name, name), 0, epoch)
	require.NoError(t, err)
}

func ofUser(name string) storage.Session { return storage.Session{UserKey: storage.HashOf(name)} }

func withCode(t *testing.T, s *redis.Store, name string) {
	t.Helper()
	require.NoError(t, s.FinishRequest(t.Context(), newCode(name, ofUser(name)), epoch))
}

func withGrant(t *testing.T, s *redis.Store, name string) {
	t.Helper()
	require.NoError(t, s.InsertGrant(t.Context(), newIssuance(name, newCode(name, ofUser(name))), epoch))
}

func withPushed(t *testing.T, s *redis.Store, name string) {
	t.Helper()
	require.NoError(t, s.PushRequest(t.Context(), newPushed(name, "client-a", "client-a"), epoch))
}

func writes() []write {
	return []write{
		{"ReplaceSession inserts", nil, func(ctx context.Context, s *redis.Store, name string) ([]storage.Session, error) {
			return s.ReplaceSession(ctx, none, newSession(name, name), 0, epoch)
		}, nil},
		{"ReplaceSession replaces", withSession, func(ctx context.Context, s *redis.Store, name string) ([]storage.Session, error) {
			in := newSession(name, name)
			return s.ReplaceSession(ctx, in.Hash, in, 0, epoch)
		}, func(t *testing.T, s *redis.Store, name string, _ []storage.Session) {
			got, err := s.Session(t.Context(), newSession(name, name).Hash, epoch)
			require.NoError(t, err)
			require.EqualValues(t, 2, got.Version)
		}},
		{"ReplaceSession switches", withSession, func(ctx context.Context, s *redis.Store, name string) ([]storage.Session, error) {
			return s.ReplaceSession(ctx, newSession(name, name).Hash, newSession("next "+name, "other"), 0, epoch)
		}, hasEnded("")},
		{"ReplaceSession with a limit", withSession, func(ctx context.Context, s *redis.Store, name string) ([]storage.Session, error) {
			return s.ReplaceSession(ctx, none, newSession("next "+name, name), 1, epoch)
		}, hasEnded("")},
		{"EndSession", withSession, func(ctx context.Context, s *redis.Store, name string) ([]storage.Session, error) {
			in, err := s.EndSession(ctx, newSession(name, name).Hash, epoch)
			return []storage.Session{in}, err
		}, hasEnded("")},
		{"FinishRequest", nil, only(func(ctx context.Context, s *redis.Store, name string) error {
			return s.FinishRequest(ctx, newCode(name, ofUser(name)), epoch)
		}), nil},
		{"RedeemCode", withCode, only(func(ctx context.Context, s *redis.Store, name string) error {
			o := newCode(name, ofUser(name))
			return s.RedeemCode(ctx, o.Code.Hash, newIssuance(name, o), epoch)
		}), nil},
		{"RedeemCode without an issuance", withCode, only(func(ctx context.Context, s *redis.Store, name string) error {
			return s.RedeemCode(ctx, newCode(name, ofUser(name)).Code.Hash, nil, epoch)
		}), nil},
		{"InsertGrant", nil, only(func(ctx context.Context, s *redis.Store, name string) error {
			return s.InsertGrant(ctx, newIssuance(name, newCode(name, ofUser(name))), epoch)
		}), nil},
		{"RotateRefreshToken", withGrant, only(func(ctx context.Context, s *redis.Store, name string) error {
			o := newCode(name, ofUser(name))
			return s.RotateRefreshToken(ctx, newIssuance(name, o).Refresh.Hash, newIssuance("next "+name, o), 0, epoch)
		}), nil},
		{"RotateRefreshToken renews", withGrant, only(func(ctx context.Context, s *redis.Store, name string) error {
			o := newCode(name, ofUser(name))
			first, again := newIssuance(name, o), newIssuance("again "+name, o)
			again.Refresh.Hash = first.Refresh.Hash
			return s.RotateRefreshToken(ctx, first.Refresh.Hash, again, 0, epoch)
		}), nil},
		{"RotateRefreshToken without a successor", withGrant, only(func(ctx context.Context, s *redis.Store, name string) error {
			o := newCode(name, ofUser(name))
			last := newIssuance("last "+name, o)
			last.Refresh = nil
			return s.RotateRefreshToken(ctx, newIssuance(name, o).Refresh.Hash, last, 0, epoch)
		}), nil},
		{"Revoke a grant", withGrant, only(func(ctx context.Context, s *redis.Store, name string) error {
			return s.Revoke(ctx, storage.Revocation{GrantID: "grant-" + name}, epoch)
		}), nil},
		{"Revoke an authorization", withGrant, only(func(ctx context.Context, s *redis.Store, name string) error {
			return s.Revoke(ctx, storage.Revocation{Authorization: storage.ConsentKey{UserKey: storage.HashOf(name), ClientID: "client-a"}}, epoch)
		}), nil},
		{"PushRequest", nil, only(func(ctx context.Context, s *redis.Store, name string) error {
			return s.PushRequest(ctx, newPushed(name, "client-a", "client-a"), epoch)
		}), nil},
		{"ConsumePushedRequest", withPushed, only(func(ctx context.Context, s *redis.Store, name string) error {
			return s.ConsumePushedRequest(ctx, newPushed(name, "client-a", "client-a").Hash, epoch)
		}), nil},
		{"ConsumeJTI", nil, only(func(ctx context.Context, s *redis.Store, name string) error {
			return s.ConsumeJTI(ctx, "client-a", storage.HashOf(name), epoch.Add(time.Minute), epoch)
		}), nil},
		{"RecordLogin", nil, only(func(ctx context.Context, s *redis.Store, name string) error {
			return s.RecordLogin(ctx, newLogin(name, name), epoch)
		}), func(t *testing.T, s *redis.Store, name string, _ []storage.Session) {
			all, err := s.Logins(t.Context(), storage.HashOf(name), epoch)
			require.NoError(t, err)
			require.Len(t, all, 1)
		}},
		{"InsertSigningKey", nil, only(func(ctx context.Context, s *redis.Store, name string) error {
			return s.InsertSigningKey(ctx, storage.SigningKey{Set: name, Number: 1, KID: "kid", Alg: "ES256", Key: []byte("sealed"), CreatedAt: epoch})
		}), nil},
		{"DeleteSigningKey", nil, only(func(ctx context.Context, s *redis.Store, name string) error {
			return s.DeleteSigningKey(ctx, name, "kid")
		}), nil},
	}
}

// TestRevocationSentAgain checks that a revocation that the client sends again ends no grant that the user gave meanwhile.
func TestRevocationSentAgain(t *testing.T) {
	t.Parallel()
	s := open(t)
	c := connect(t, shared.Addr)
	of := redis.Owner(storage.HashOf("a"), "client-a")
	send := func(call string) {
		keys := []string{s.Prefix() + ":authorization:" + of, s.Prefix() + ":consents:" + of}
		err := redis.Scripts()["revoke_authorization"].Run(t.Context(), c, keys, s.Prefix()+":", redis.Digits(epoch.UnixNano()), call).Err()
		require.NoError(t, err)
	}
	state := func(name string) error {
		_, _, err := s.AccessToken(t.Context(), storage.HashOf("access "+name), epoch)
		return err
	}
	insert := func(name string) {
		require.NoError(t, s.InsertGrant(t.Context(), newIssuance(name, newCode(name, ofUser("a"))), epoch))
	}
	insert("before")
	send("first")
	require.ErrorIs(t, state("before"), storage.ErrRevoked)
	insert("meanwhile")
	send("first")
	require.NoError(t, state("meanwhile"))
	require.ErrorIs(t, state("before"), storage.ErrRevoked)
	send("second")
	require.ErrorIs(t, state("meanwhile"), storage.ErrRevoked)
}

// TestLostReply loses the reply of each script. go-redis sends the script again; its verdict must be the one of the first transmission, not
// that the code was redeemed before.
func TestLostReply(t *testing.T) {
	t.Parallel()
	installed(t, shared.err)
	for _, w := range writes() {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			s, p := open(t), newProxy(t, shared.Addr)
			far := connect(t, p.Addr().String(), func(o *goredis.Options) { o.PoolSize, o.MinRetryBackoff, o.MaxRetryBackoff = 1, -1, -1 })
			behind, err := redis.New(t.Context(), far, redis.Config{Prefix: s.Prefix(), Logger: quiet})
			require.NoError(t, err)
			for _, name := range []string{"known to the server", "once"} {
				if w.prepare != nil {
					w.prepare(t, s, name)
				}
				if name == "once" {
					p.lose.Store(1)
				}
				ended, err := w.call(t.Context(), behind, name)
				require.NoError(t, err)
				if w.after != nil {
					w.after(t, s, name, ended)
				}
			}
			require.EqualValues(t, 1, p.lost.Load(), "replies that were lost")
			_, err = w.call(t.Context(), s, "once") // another call, with a number of its own
			switch w.name {
			case "RedeemCode", "RedeemCode without an issuance", "ConsumePushedRequest", "ConsumeJTI":
				require.ErrorIs(t, err, storage.ErrConsumed)
			case "EndSession":
				require.ErrorIs(t, err, storage.ErrNotFound)
			}
		})
	}
}
