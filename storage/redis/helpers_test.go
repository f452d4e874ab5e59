package redis_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/storage/redis"
)

var (
	quiet = slog.New(slog.DiscardHandler)
	epoch = time.Date(2031, time.March, 4, 12, 30, 15, 123456789, time.UTC)
	none  storage.Hash
)

func newSession(name, user string) storage.Session {
	return storage.Session{
		Hash: storage.HashOf("cookie " + name), ID: "session-" + name, Version: 1, UserKey: storage.HashOf(user),
		StartedAt: epoch, LastRequestAt: epoch, ExpiresAt: epoch.Add(time.Hour),
		Circles: []storage.Circle{{Identity: []byte("sealed identity"), ACR: "idporten-loa-substantial", AuthTime: epoch}},
		Clients: []storage.SessionClient{{ClientID: "client-a", SID: "sid-a", LoginAt: epoch, Open: true}},
	}
}

// newCode returns a code in a session, which may be the zero Session.
func newCode(name string, in storage.Session) storage.Outcome {
	return storage.Outcome{RequestID: "request-" + name, RetainTo: epoch.Add(30 * time.Minute), Code: &storage.AuthorizationCode{
		Hash: storage.HashOf("code " + name), RedirectURI: "https://client.example.no/cb", ExpiresAt: epoch.Add(time.Minute),
		Grant: storage.Grant{
			ID: "grant-" + name, ClientID: "client-a", UserKey: in.UserKey, SessionID: in.ID, LoginOnly: in.ID != "", Identity: []byte("sealed identity"),
			Scopes: []string{"openid", "profile"}, CreatedAt: epoch, ExpiresAt: epoch.Add(2 * time.Hour),
		},
	}}
}

// newIssuance returns the issuance of a redemption or rotation in the grant of a code.
func newIssuance(name string, o storage.Outcome) *storage.Issuance {
	g := o.Code.Grant
	return &storage.Issuance{
		Grant:   g,
		Access:  storage.AccessToken{Hash: storage.HashOf("access " + name), GrantID: g.ID, JTI: "jti-" + name, Scopes: g.Scopes, IssuedAt: epoch, ExpiresAt: epoch.Add(2 * time.Minute)},
		Refresh: &storage.RefreshToken{Hash: storage.HashOf("refresh " + name), GrantID: g.ID, ExpiresAt: epoch.Add(10 * time.Minute)},
	}
}

func newPushed(name, client, source string) storage.PushedRequest {
	return storage.PushedRequest{Hash: storage.HashOf("urn " + name), ClientID: client, Source: source, Params: []byte("scope=openid"), ExpiresAt: epoch.Add(time.Minute)}
}

func newLogin(name, user string) storage.Login {
	return storage.Login{ID: "grant-" + name, UserKey: storage.HashOf(user), ClientID: "client-a", Service: "Tjeneste", At: epoch, ExpiresAt: epoch.Add(time.Hour)}
}

// everything inserts a record of each kind, among them ended ones, and returns the session.
func everything(t testing.TB, s *redis.Store, name string) storage.Session {
	t.Helper()
	ctx := t.Context()
	in, ended := newSession(name, name), newSession("ended "+name, name)
	for _, one := range []storage.Session{in, ended} {
		_, err := s.ReplaceSession(ctx, none, one, 0, epoch)
		require.NoError(t, err)
	}
	_, err := s.EndSession(ctx, ended.Hash, epoch)
	require.NoError(t, err)
	used, unused := newCode("used "+name, in), newCode("unused "+name, storage.Session{UserKey: in.UserKey})
	used.Consents = storage.ConsentKey{UserKey: in.UserKey, ClientID: "client-a"}
	used.Granted = []storage.Consent{{Scope: "openid", GrantedAt: epoch, ExpiresAt: epoch.Add(time.Hour)}}
	waiting := newCode("waiting "+name, storage.Session{UserKey: storage.HashOf("waiting " + name)})
	for _, o := range []storage.Outcome{used, unused, waiting, {RequestID: "denied " + name, RetainTo: epoch.Add(time.Minute)}} {
		require.NoError(t, s.FinishRequest(ctx, o, epoch))
	}
	first, second, machine := newIssuance("first "+name, used), newIssuance("second "+name, used), newIssuance("machine "+name, newCode("machine "+name, storage.Session{}))
	require.NoError(t, s.RedeemCode(ctx, used.Code.Hash, first, epoch))
	require.NoError(t, s.RotateRefreshToken(ctx, first.Refresh.Hash, second, 0, epoch))
	require.NoError(t, s.InsertGrant(ctx, machine, epoch))
	require.NoError(t, s.PushRequest(ctx, newPushed(name, "client-a", "client-a 192.0.2.1"), epoch))
	require.NoError(t, s.ConsumeJTI(ctx, "client-a", storage.HashOf("jti "+name), epoch.Add(time.Minute), epoch))
	require.NoError(t, s.RecordLogin(ctx, newLogin(name, name), epoch))
	require.NoError(t, s.InsertSigningKey(ctx, storage.SigningKey{Set: name, Number: 1, KID: "kid", Alg: "ES256", Key: []byte("sealed"), CreatedAt: epoch}))
	require.NoError(t, s.Ping(ctx))
	return in
}

// hook is a goredis.Hook of a function for commands, which calls next or not.
type hook func(ctx context.Context, cmd goredis.Cmder, next goredis.ProcessHook) error

func (h hook) DialHook(next goredis.DialHook) goredis.DialHook { return next }
func (h hook) ProcessHook(next goredis.ProcessHook) goredis.ProcessHook {
	return func(ctx context.Context, cmd goredis.Cmder) error { return h(ctx, cmd, next) }
}

func (h hook) ProcessPipelineHook(next goredis.ProcessPipelineHook) goredis.ProcessPipelineHook {
	return next
}

// proxy is between a client and a server.
type proxy struct {
	net.Listener
	server string
	lose   atomic.Int32 // replies of the server that it swallows: it closes the connection instead
	lost   atomic.Int32
	wg     sync.WaitGroup
}

func newProxy(t testing.TB, server string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &proxy{Listener: l, server: server}
	p.wg.Go(func() {
		for {
			down, err := l.Accept()
			if err != nil {
				return
			}
			p.wg.Go(func() { p.serve(down) })
		}
	})
	t.Cleanup(func() { _ = l.Close() })
	return p
}

func (p *proxy) serve(down net.Conn) {
	defer down.Close()
	up, err := net.Dial("tcp", p.server)
	if err != nil {
		return
	}
	defer up.Close()
	p.wg.Go(func() { _, _ = io.Copy(up, down); _ = up.Close() })
	b := make([]byte, 64<<10)
	for {
		n, err := up.Read(b)
		if err != nil {
			return
		}
		if p.lose.Load() > 0 { // the server has executed what it replies to
			p.lose.Add(-1)
			p.lost.Add(1)
			return
		}
		if _, err = down.Write(b[:n]); err != nil {
			return
		}
	}
}

// parallel calls f for 0 to n-1 at the same time and waits.
func parallel(n int, f func(i int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { f(i) })
	}
	wg.Wait()
}
