package redis_test

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	goredis "github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/explore"
	"github.com/portner-go/portner/internal/slow"
	"github.com/portner-go/portner/storage/redis"
)

const (
	codesAndLogout   = "codes and logout"
	refreshTokens    = "refresh tokens"
	sessions         = "sessions"
	pushedAndReplays = "pushed requests and assertions"
	signingKeys      = "signing keys"
	directGrants     = "grants without a code"
	consents         = "consents"
)

// guards are conditions and changes of the scripts: a text that occurs once in a file, and the text that takes its place. Some calls of a
// scenario of package explore show that it is missing; those with sentTwice when the client sends each script a second time.
// TestOtherSuccessor is about the successor of a retry, and TestRevocationSentAgain about a revocation that is sent a second time.
var guards = []struct {
	name, file, text, with, scenario, calls string
	sentTwice                               bool
}{
	{"a code is used once", "shared_grants", "if c.used ~= '' or session", "if session", codesAndLogout, "FinishRequest login, BurnCode", false},
	{"a code ends with its session", "shared_grants", "c.used ~= '' or session_ended(c.session) or", "c.used ~= '' or", codesAndLogout, "FinishRequest login, EndSession", false},
	{"a code ends with its authorization", "shared_grants", "session_ended(c.session) or authorization_ended(c.authorization)", "session_ended(c.session)", codesAndLogout, "FinishRequest login, RevokeAuthorization", false},
	{"a code expires", "shared_grants", "if now >= c.stop then", "if false then", sessions, "RedeemCode login", false},
	{"a grant that was revoked is not live", "shared_grants", "if g.revoked ~= '' or session", "if session", refreshTokens, "Revoke", false},
	{"a login ends with its session", "shared_grants", "g.revoked ~= '' or session_ended(g.session) or", "g.revoked ~= '' or", refreshTokens, "EndSession", false},
	{"a grant ends with its authorization", "shared_grants", "session_ended(g.session) or authorization_ended(g.authorization)", "session_ended(g.session)", codesAndLogout, "FinishRequest data, RedeemCode data, RevokeAuthorization", false},
	{"a grant expires", "shared_grants", "if not g or now >= g.stop then", "if not g then", refreshTokens, "RotateRefreshToken r0 -> r1", false},
	{"an access token expires", "access_token", "or now >= a.stop", "", codesAndLogout, "FinishRequest data, RedeemCode data", false},
	{"the idle lifetime", "shared_tokens", "if not t or (t.consumed == '' and now >= t.stop) then", "if not t then", refreshTokens, "RotateRefreshToken r0 -> r1", false},
	{"a refresh token is rotated once", "shared_tokens", "or (t.consumed ~= '' and 'consumed' or nil)", "or nil", refreshTokens, "RotateRefreshToken r0", false},
	{"a retry is made in the grace", "rotate_refresh_token", "or t.consumed <= since", "", refreshTokens, "RotateRefreshToken r0 -> r1", false},
	{"a retry finds its successor unused", "rotate_refresh_token", "n.used == '' and not", "not", refreshTokens, "RotateRefreshToken r0 -> r1, RotateRefreshToken r1 -> r1", false},
	{"a renewal uses the token", "rotate_refresh_token", "'used', '1', 'generation'", "'generation'", refreshTokens, "RotateRefreshToken r0 -> r1, RotateRefreshToken r1 -> r1", false},
	{"a used code is no equal outcome", "finish_request", "if hash ~= '' and code_verdict(load(code, code_fields)) then", "if false then", codesAndLogout, "FinishRequest login, BurnCode", false},
	{"a code needs a session that has not ended", "finish_request", "if not admits(s, user) then", "if s and not admits(s, user) then", codesAndLogout, "EndSession, FinishRequest login", false},
	{"a code needs a session that has not expired", "shared_sessions", "s.user == user and now < s.stop", "s.user == user", sessions, "FinishRequest data", false},
	{"a session that has expired is not found", "shared_sessions", "s.hash == hash and now < s.stop", "s.hash == hash", sessions, "Sweep", false},
	{"a session ends", "shared_sessions", "redis.call('DEL', name)\n", "", sessions, "EndSession S", false},
	{"a replacement compares versions", "replace_session", "old.version ~= version or", "", sessions, "ReplaceSession S -> S", false},
	{"a switch ends the old session", "replace_session", "end_session(old)\n", "", sessions, "ReplaceSession S -> N", false},
	{"the session limit", "replace_session", "if limit >= 1 and redis.call('HLEN', sessions) > limit then", "if false then", sessions, "ReplaceSession none", false},
	{"a pushed request is used once", "consume_pushed_request", "if p.used ~= '' then", "if false then", pushedAndReplays, "PushRequest, ConsumePushedRequest", false},
	{"a pushed request expires", "consume_pushed_request", "or now >= p.stop", "", pushedAndReplays, "PushRequest, ConsumePushedRequest", false},
	{"a pushed request that was used is not found", "pushed_request", "or p.used ~= ''", "", pushedAndReplays, "PushRequest, ConsumePushedRequest", false},
	{"an assertion is used once", "consume_jti", "before == call and 'ok' or 'consumed'", "'ok'", pushedAndReplays, "ConsumeJTI j", false},
	{"a number has one key", "insert_signing_key", "if before or redis.call('HEXISTS', keys, 'record:' .. number) == 1 then", "if before then", signingKeys, "InsertSigningKey", false},
	{"a key has one number", "insert_signing_key", "if before or redis", "if redis", signingKeys, "InsertSigningKey", false},
	{"a deleted key has no private key", "delete_signing_key", "redis.call('HDEL', keys, 'key:' .. before:match('^(.-):'))", "", signingKeys, "InsertSigningKey a, DeleteSigningKey a", false},
	{"a revocation ends the grant", "revoke_grant", "redis.call('HSET', grant, 'revoked', '1')", "", refreshTokens, "Revoke", false},
	{"a revocation consumes the code", "revoke_grant", "redis.call('HSET', key('code', hash), 'used', call)", "", codesAndLogout, "FinishRequest login, Revoke login", false},
	{"an authorization is revoked", "revoke_authorization", "redis.call('DEL', authorization, consents)", "redis.call('DEL', consents)", codesAndLogout, "FinishRequest login, RevokeAuthorization", false},
	{"a grant needs a session that has not ended", "insert_grant", "if not admits(s, i.user) then", "if s and not admits(s, i.user) then", directGrants, "EndSession, InsertGrant", false},
	{"a visit changes the version", "finish_request", "redis.call('HINCRBY', session, 'version', 1)", "", sessions, "FinishRequest data", false},
	{"a consent that is renewed keeps its instant", "finish_request", "if renews and now < old:sub(21, 40) then", "if false then", consents, "Consent", false},
	{"a consent that has expired is not renewed", "finish_request", "if renews and now < old:sub(21, 40) then", "if renews then", consents, "Consent", false},
	{"a consent for another version is a new one", "finish_request", "old and old:sub(41) == version", "old", consents, "Consent", false},
	{"a consent ends at the later instant", "finish_request", "if not renews or till > old:sub(21, 40) then", "if true then", consents, "Consent", false},
	{"a declined consent ends", "finish_request", "redis.call('HDEL', consents, ARGV[i])", "", consents, "Consent, Decline", false},
	{"a consent ends with its authorization", "revoke_authorization", "redis.call('DEL', authorization, consents)", "redis.call('DEL', authorization)", consents, "Consent, RevokeAuthorization", false},

	{"a code that is burned, sent again", "consume_code", "if c and c.used == call then", "if false then", codesAndLogout, "FinishRequest login, BurnCode", true},
	{"a code that is redeemed, sent again", "redeem_code", "if resent(access) then", "if false then", codesAndLogout, "FinishRequest login, RedeemCode login", true},
	{"a rotation, sent again", "rotate_refresh_token", "if resent(access) then", "if false then", refreshTokens, "RotateRefreshToken r0", true},
	{"a logout, sent again", "end_session", "if before then", "if false then", codesAndLogout, "EndSession", true},
	{"a replacement, sent again", "replace_session", "if before then", "if false then", sessions, "ReplaceSession S -> S", true},
	{"a push, sent again", "push_request", "redis.call('HGET', pushed, 'call') == call and 'ok' or 'conflict'", "'conflict'", pushedAndReplays, "PushRequest", true},
	{"a consumption, sent again", "consume_pushed_request", "if p and p.used == call then", "if false then", pushedAndReplays, "PushRequest, ConsumePushedRequest", true},
	{"an assertion, sent again", "consume_jti", "before == call and 'ok' or 'consumed'", "'consumed'", pushedAndReplays, "ConsumeJTI j", true},
	{"a signing key, sent again", "insert_signing_key", "if before == number .. ':' .. call then", "if false then", signingKeys, "InsertSigningKey a", true},
}

// changed is a hook that changes one file of the scripts.
type changed struct {
	text, with string // of the file
	sentTwice  bool

	mu      sync.Mutex
	digests map[string]string // of the changed scripts, by those of the scripts
}

func digest(text string) string {
	sum := sha1.Sum([]byte(text))
	return hex.EncodeToString(sum[:])
}

type noScript struct{}

func (noScript) Error() string { return "NOSCRIPT unknown" }
func (noScript) RedisError()   {}

func (c *changed) process(ctx context.Context, cmd goredis.Cmder, next goredis.ProcessHook) error {
	c.mu.Lock()
	switch args := cmd.Args(); cmd.Name() {
	case "evalsha":
		known := c.digests[args[1].(string)]
		if known == "" { // the store sends the text
			c.mu.Unlock()
			cmd.SetErr(noScript{})
			return noScript{}
		}
		args[1] = known
	case "eval":
		text := strings.Replace(args[1].(string), c.text, c.with, 1)
		c.digests[digest(args[1].(string))] = digest(text)
		args[1] = text
	}
	c.mu.Unlock()
	err := next(ctx, cmd)
	if err == nil && c.sentTwice && strings.HasPrefix(cmd.Name(), "eval") {
		err = next(ctx, cmd)
	}
	return err
}

// openChanged returns a store whose scripts have another text in the place of a file.
func openChanged(t *testing.T, text, with string, sentTwice bool) *redis.Store {
	t.Helper()
	c := &changed{text: text, with: with, sentTwice: sentTwice, digests: map[string]string{}}
	client := connect(t, shared.Addr)
	client.AddHook(hook(c.process))
	s, err := redis.New(t.Context(), client, redis.Config{Prefix: prefix(), Logger: quiet})
	require.NoError(t, err)
	return s
}

// TestDroppedGuards verifies that without any single guard there are calls whose verdicts are wrong.
func TestDroppedGuards(t *testing.T) {
	t.Parallel()
	slow.Test(t)
	installed(t, shared.err)
	for _, g := range guards {
		t.Run(g.name, func(t *testing.T) {
			calls := strings.Split(g.calls, ", ")
			if g.sentTwice {
				require.Empty(t, explore.FindIn(openChanged(t, "", "", true), 2, g.scenario, calls...), "with the guard")
			}
			content, err := os.ReadFile(filepath.Join("lua", g.file+".lua"))
			require.NoError(t, err)
			text := string(content)
			require.Equal(t, 1, strings.Count(text, g.text))
			s := openChanged(t, text, strings.Replace(text, g.text, g.with, 1), g.sentTwice)
			found := explore.FindIn(s, explore.FullDepth+1, g.scenario, calls...)
			t.Log(found)
			require.NotEmpty(t, found)
		})
	}
}
