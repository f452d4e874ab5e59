package redis_test

import (
	"context"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/storage/redis"
)

// keysOf returns the names of all keys of a server.
func keysOf(t testing.TB, c *goredis.Client) (all []string) {
	t.Helper()
	for it := c.Scan(t.Context(), 0, "*", 1000).Iterator(); it.Next(t.Context()); {
		all = append(all, it.Val())
	}
	return all
}

// TestKeys checks that every key has the prefix, is in the table of README.md, and is collected in time, or never.
func TestKeys(t *testing.T) {
	t.Parallel()
	own := server(t, map[string]string{"appendonly": "no"})
	c := connect(t, own.Addr)
	s, err := redis.New(t.Context(), c, redis.Config{Prefix: "{own}", Logger: quiet})
	require.NoError(t, err)
	everything(t, s, "a")
	// From the README: the kind, and when Redis collects the key.
	documented := map[string]string{}
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z-]+)[:`].*\\| ([^|]*) \\|$").FindAllStringSubmatch(string(readme), -1) {
		documented[m[1]] = m[2]
	}
	seen := map[string]bool{}
	for _, key := range keysOf(t, c) {
		rest, ok := strings.CutPrefix(key, "{own}:")
		require.True(t, ok, "key %q has no hash tag", key)
		kind, _, _ := strings.Cut(rest, ":")
		require.Contains(t, documented, kind, "the table of README.md")
		seen[kind] = true
		ttl := c.PTTL(t.Context(), key).Val()
		require.Equal(t, documented[kind] == "never", ttl < 0, "key %q is collected in %v", key, ttl)
	}
	require.ElementsMatch(t, slices.Collect(maps.Keys(documented)), slices.Collect(maps.Keys(seen)), "kinds of keys")
}

// TestCollected checks how long Redis keeps records: until the contract allows to forget them, and the tolerance for clocks.
func TestCollected(t *testing.T) {
	t.Parallel()
	s := open(t)
	c := connect(t, shared.Addr)
	in := everything(t, s, "a")
	prefix := s.Prefix() + ":"
	// The instants of the test are in the future: what counts is the time from the caller's now.
	for key, life := range map[string]time.Duration{
		"session:" + in.ID:        2 * time.Hour, // its login-only grant
		"session:session-ended a": time.Hour,
		"grant:grant-used a":      2 * time.Hour,
		"grant:grant-unused a":    30 * time.Minute,
		"grant:grant-machine a":   2 * time.Hour,
		"request:request-used a":  30 * time.Minute,
		"request:denied a":        time.Minute,
		"ended:" + user("a"):      time.Hour,
		"sessions:" + user("a"):   time.Hour,
		"authorization:" + redis.Owner(in.UserKey, "client-a"):                  2 * time.Hour,
		"authorization:" + redis.Owner(storage.HashOf("waiting a"), "client-a"): 30 * time.Minute,
		"consents:" + redis.Owner(in.UserKey, "client-a"):                       time.Hour,
		"grants:" + user("a"):                2 * time.Hour,
		"logins:" + user("a"):                time.Hour,
		"code:" + b64("code used a"):         30 * time.Minute,
		"code:" + b64("code unused a"):       30 * time.Minute,
		"cookie:" + b64("cookie a"):          time.Hour,
		"cookie:" + b64("cookie ended a"):    time.Hour,
		"access:" + b64("access first a"):    2 * time.Minute,
		"refresh:" + b64("refresh first a"):  2 * time.Hour, // rotated: until its grant expires
		"refresh:" + b64("refresh second a"): 10 * time.Minute,
		"jti:" + b64("jti a"):                time.Minute,
		"pushed:" + b64("urn a"):             time.Minute,
	} {
		ttl := c.PTTL(t.Context(), prefix+key).Val()
		require.InDelta(t, (life + session.MaxSkew).Seconds(), ttl.Seconds(), 50, key)
	}
}

func user(name string) string { return b64(name) }
func b64(value string) string { return redis.Name(storage.HashOf(value)) }

// TestRoundTrips checks that each method is one command.
func TestRoundTrips(t *testing.T) {
	t.Parallel()
	s := open(t)
	c := connect(t, shared.Addr)
	var commands []string
	c.AddHook(hook(func(ctx context.Context, cmd goredis.Cmder, next goredis.ProcessHook) error {
		commands = append(commands, cmd.Name())
		return next(ctx, cmd)
	}))
	counted, err := redis.New(t.Context(), c, redis.Config{Prefix: s.Prefix(), Logger: quiet})
	require.NoError(t, err)
	all := writes()
	for name, read := range map[string]func(ctx context.Context, name string) error{
		"Session": func(ctx context.Context, name string) error {
			_, err := counted.Session(ctx, newSession(name, name).Hash, epoch)
			return err
		},
		"Code": func(ctx context.Context, name string) error {
			_, err := counted.Code(ctx, storage.HashOf("code "+name), epoch)
			return err
		},
		"Consents": func(ctx context.Context, name string) error {
			_, err := counted.Consents(ctx, storage.ConsentKey{}, epoch)
			return err
		},
		"RefreshToken": func(ctx context.Context, name string) error {
			_, _, err := counted.RefreshToken(ctx, storage.HashOf("refresh "+name), epoch)
			return err
		},
		"AccessToken": func(ctx context.Context, name string) error {
			_, _, err := counted.AccessToken(ctx, storage.HashOf("access "+name), epoch)
			return err
		},
		"Grants": func(ctx context.Context, name string) error {
			_, err := counted.Grants(ctx, storage.GrantQuery{UserKey: storage.HashOf(name), Limit: 10}, epoch)
			return err
		},
		"one of Grants": func(ctx context.Context, name string) error {
			_, err := counted.Grants(ctx, storage.GrantQuery{UserKey: storage.HashOf(name), ID: "grant-of " + name}, epoch)
			return err
		},
		"PushedRequest": func(ctx context.Context, name string) error {
			_, err := counted.PushedRequest(ctx, storage.HashOf("urn "+name), epoch)
			return err
		},
		"Logins": func(ctx context.Context, name string) error {
			_, err := counted.Logins(ctx, storage.HashOf(name), epoch)
			return err
		},
		"SigningKeys": func(ctx context.Context, name string) error { _, err := counted.SigningKeys(ctx, name); return err },
		"Ping":        func(ctx context.Context, _ string) error { return counted.Ping(ctx) },
	} {
		all = append(all, write{"reading: " + name, func(t *testing.T, s *redis.Store, name string) {
			withSession(t, s, name)
			withCode(t, s, name)
			withPushed(t, s, name)
			require.NoError(t, s.InsertGrant(t.Context(), newIssuance(name, newCode("of "+name, ofUser(name))), epoch))
		}, only(func(ctx context.Context, _ *redis.Store, name string) error {
			return read(ctx, name)
		}), nil})
	}
	for _, w := range all {
		for _, when := range []string{" before", ""} { // the server knows the script the second time
			name := w.name + when
			if w.prepare != nil {
				w.prepare(t, s, name)
			}
			commands = nil
			_, err := w.call(t.Context(), counted, name)
			require.NoError(t, err, w.name)
		}
		require.Equal(t, []string{"evalsha"}, commands, w.name)
	}
}

// TestScripts checks that each script rejects another number of keys or arguments before it writes anything.
func TestScripts(t *testing.T) {
	t.Parallel()
	own := server(t, map[string]string{"appendonly": "no"})
	c := connect(t, own.Addr)
	shape := regexp.MustCompile(`arguments\((\d+), (\d+)\)`)
	for name, script := range redis.Scripts() {
		text, err := os.ReadFile("lua/" + name + ".lua")
		require.NoError(t, err)
		keys, args := 5, 16 // those of finish_request.lua without consents
		if m := shape.FindStringSubmatch(string(text)); m != nil {
			keys, _ = strconv.Atoi(m[1])
			args, _ = strconv.Atoi(m[2])
		} else {
			require.Equal(t, "finish_request", name)
		}
		for _, wrong := range [][2]int{{keys - 1, args}, {keys + 1, args}, {keys, args - 1}, {keys, args + 1}, {keys, 50}} {
			argv := []any{"{x}:", "10000000000000000000", "call"}
			for range wrong[1] {
				argv = append(argv, "0")
			}
			err := script.Run(t.Context(), c, slices.Repeat([]string{"{x}:1"}, max(0, wrong[0])), argv[:max(0, 3+wrong[1])]...).Err()
			require.ErrorContains(t, err, "wrong number of keys or arguments", "%s with %d keys and %d arguments", name, wrong[0], wrong[1])
		}
	}
	require.Empty(t, keysOf(t, c))
	require.Greater(t, len(redis.Scripts()), 25)
}

// TestGrantOfCode checks that a code is redeemed for its own grant, although everything else of the issuance fits.
func TestGrantOfCode(t *testing.T) {
	t.Parallel()
	s := open(t)
	own, other := newCode("own", ofUser("a")), newCode("other", ofUser("a"))
	require.NoError(t, s.FinishRequest(t.Context(), own, epoch))
	require.ErrorIs(t, s.RedeemCode(t.Context(), own.Code.Hash, newIssuance("x", other), epoch), storage.ErrConflict)
	require.NoError(t, s.RedeemCode(t.Context(), own.Code.Hash, newIssuance("x", own), epoch))
}

// TestOtherSuccessor checks that a retry has the successor of the token, and not another live token.
func TestOtherSuccessor(t *testing.T) {
	t.Parallel()
	s := open(t)
	a, b := newCode("a", ofUser("a")), newCode("b", ofUser("a"))
	first, second, other := newIssuance("first", a), newIssuance("second", a), newIssuance("other", b)
	require.NoError(t, s.InsertGrant(t.Context(), first, epoch))
	require.NoError(t, s.InsertGrant(t.Context(), other, epoch))
	require.NoError(t, s.RotateRefreshToken(t.Context(), first.Refresh.Hash, second, 0, epoch))
	retry := newIssuance("retry", a)
	retry.Refresh.Hash = other.Refresh.Hash
	require.ErrorIs(t, s.RotateRefreshToken(t.Context(), first.Refresh.Hash, retry, time.Minute, epoch), storage.ErrConsumed)
	retry.Refresh.Hash = second.Refresh.Hash
	require.NoError(t, s.RotateRefreshToken(t.Context(), first.Refresh.Hash, retry, time.Minute, epoch))
}

// TestRenewedIsKept checks that Redis keeps what was prolonged to its new end.
func TestRenewedIsKept(t *testing.T) {
	t.Parallel()
	s := open(t)
	c := connect(t, shared.Addr)
	in := newSession("a", "a")
	_, err := s.ReplaceSession(t.Context(), none, in, 0, epoch)
	require.NoError(t, err)
	o := newCode("a", ofUser("a"))
	first, again := newIssuance("first", o), newIssuance("again", o)
	require.NoError(t, s.InsertGrant(t.Context(), first, epoch))
	again.Refresh.Hash, again.Refresh.ExpiresAt = first.Refresh.Hash, epoch.Add(time.Hour)
	require.NoError(t, s.RotateRefreshToken(t.Context(), first.Refresh.Hash, again, 0, epoch))
	visiting := newCode("b", storage.Session{ID: in.ID, UserKey: in.UserKey})
	visiting.Visit = &storage.Visit{At: epoch, Until: epoch.Add(3 * time.Hour), Client: storage.SessionClient{ClientID: "client-b"}}
	require.NoError(t, s.FinishRequest(t.Context(), visiting, epoch))
	for key, life := range map[string]time.Duration{
		"refresh:" + b64("refresh first"): time.Hour, "session:" + in.ID: 3 * time.Hour, "cookie:" + b64("cookie a"): 3 * time.Hour, "sessions:" + user("a"): 3 * time.Hour,
	} {
		ttl := c.PTTL(t.Context(), s.Prefix()+":"+key).Val()
		require.InDelta(t, (life + session.MaxSkew).Seconds(), ttl.Seconds(), 50, key)
	}
	got, err := s.Session(t.Context(), in.Hash, epoch.Add(2*time.Hour))
	require.NoError(t, err)
	ended, err := s.ReplaceSession(t.Context(), none, newSession("next", "a"), 1, epoch.Add(2*time.Hour))
	require.NoError(t, err)
	require.Equal(t, []storage.Session{got}, ended, "a session that was prolonged counts")
}

// TestSessionOutlivesItsEnd checks that Redis keeps a session that has expired as long as a code or a login-only grant refers to it: without
// it they would be ended. The hash that a session had before it was rotated is free.
func TestSessionOutlivesItsEnd(t *testing.T) {
	t.Parallel()
	s := open(t)
	c := connect(t, shared.Addr)
	life := func(in storage.Session) time.Duration {
		return (c.PTTL(t.Context(), s.Prefix()+":session:"+in.ID).Val() - session.MaxSkew).Round(10 * time.Minute)
	}
	code, grant := newSession("code", "a"), newSession("grant", "a")
	for _, in := range []storage.Session{code, grant} {
		_, err := s.ReplaceSession(t.Context(), none, in, 0, epoch)
		require.NoError(t, err)
		require.Equal(t, time.Hour, life(in))
	}
	o := newCode("code", code)
	o.RetainTo = epoch.Add(90 * time.Minute)
	require.NoError(t, s.FinishRequest(t.Context(), o, epoch))
	require.Equal(t, 90*time.Minute, life(code))
	require.NoError(t, s.InsertGrant(t.Context(), newIssuance("grant", newCode("grant", grant)), epoch))
	require.Equal(t, 2*time.Hour, life(grant))

	rotated := code
	rotated.Hash = storage.HashOf("rotated")
	_, err := s.ReplaceSession(t.Context(), code.Hash, rotated, 0, epoch)
	require.NoError(t, err)
	require.Zero(t, c.Exists(t.Context(), s.Prefix()+":cookie:"+b64("cookie code")).Val())
}

// TestPrefix checks that stores with different prefixes share nothing.
func TestPrefix(t *testing.T) {
	t.Parallel()
	a, b := open(t), open(t)
	in := everything(t, a, "x")
	_, err := b.Session(t.Context(), in.Hash, epoch)
	require.ErrorIs(t, err, storage.ErrNotFound)
	everything(t, b, "x")
}

// TestLostAuthorization checks that a grant ends if the record of its authorization or session is lost: the store fails closed.
func TestLostAuthorization(t *testing.T) {
	t.Parallel()
	s := open(t)
	c := connect(t, shared.Addr)
	everything(t, s, "a")
	_, _, err := s.AccessToken(t.Context(), storage.HashOf("access second a"), epoch)
	require.NoError(t, err)
	keys, err := c.Keys(t.Context(), s.Prefix()+":session:session-a").Result()
	require.NoError(t, err)
	require.Len(t, keys, 1)
	require.NoError(t, c.Del(t.Context(), keys...).Err())
	_, _, err = s.AccessToken(t.Context(), storage.HashOf("access second a"), epoch)
	require.ErrorIs(t, err, storage.ErrRevoked)
	_, err = s.Code(t.Context(), storage.HashOf("code unused a"), epoch)
	require.NoError(t, err)
	keys, err = c.Keys(t.Context(), s.Prefix()+":authorization:"+user("a")+":*").Result()
	require.NoError(t, err)
	require.Len(t, keys, 1)
	require.NoError(t, c.Del(t.Context(), keys...).Err())
	_, err = s.Code(t.Context(), storage.HashOf("code unused a"), epoch)
	require.ErrorIs(t, err, storage.ErrConsumed)
}

// TestREADMEProgram checks that the program of README.md is the one that is compiled.
func TestREADMEProgram(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	program, err := os.ReadFile("internal/example/main.go")
	require.NoError(t, err)
	require.Contains(t, string(readme), "```go\n"+string(program)+"```\n")
}

// TestREADMEPermissions checks that the permissions of README.md suffice.
func TestREADMEPermissions(t *testing.T) {
	t.Parallel()
	own := server(t, map[string]string{"appendonly": "no"})
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	args := []any{"ACL", "SETUSER", "portner", "on", ">secret", "~{portner}:*", "-@all"}
	for _, m := range regexp.MustCompile(`\+[a-z|_]+`).FindAllString(string(readme), -1) {
		args = append(args, m)
	}
	require.NoError(t, connect(t, own.Addr).Do(t.Context(), args...).Err())
	c := connect(t, own.Addr, func(o *goredis.Options) { o.Username, o.Password = "portner", "secret" })
	s, err := redis.New(t.Context(), c, redis.Config{Logger: quiet})
	require.NoError(t, err)
	everything(t, s, "a")
	for _, w := range writes() {
		if w.prepare != nil {
			w.prepare(t, s, w.name)
		}
		_, err := w.call(t.Context(), s, w.name)
		require.NoError(t, err, w.name)
	}
	_, err = s.Grants(t.Context(), storage.GrantQuery{UserKey: storage.HashOf("a"), Limit: 10}, epoch)
	require.NoError(t, err)
	_, err = s.Sweep(t.Context(), epoch)
	require.NoError(t, err)
}

// TestClockAhead checks that Redis does not collect what a node with a clock ahead has used before the other nodes take it for expired.
func TestClockAhead(t *testing.T) {
	t.Parallel()
	s := open(t)
	c := connect(t, shared.Addr)
	ahead := time.Now().Add(time.Hour)
	expiresAt := ahead.Add(10 * time.Minute)
	require.NoError(t, s.ConsumeJTI(t.Context(), "client-a", storage.HashOf("jti of a clock ahead"), expiresAt, ahead))
	life := c.PTTL(t.Context(), s.Prefix()+":jti:"+redis.Name(storage.HashOf("jti of a clock ahead"))).Val()
	require.Greater(t, life, time.Hour, "the other nodes accept the assertion for 70 minutes")
	behind := time.Now().Add(-time.Hour)
	require.NoError(t, s.ConsumeJTI(t.Context(), "client-a", storage.HashOf("jti of a clock behind"), behind.Add(10*time.Minute), behind))
	life = c.PTTL(t.Context(), s.Prefix()+":jti:"+redis.Name(storage.HashOf("jti of a clock behind"))).Val()
	require.Greater(t, life, 9*time.Minute, "the node itself accepts the assertion for 10 minutes")
}
