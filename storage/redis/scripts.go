package redis

import (
	"context"
	"crypto/rand"
	"embed"
	"fmt"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/portner-go/portner/session"
)

//go:embed lua/*.lua
var sources embed.FS

// script is one method of the store.
type script struct {
	name string
	*goredis.Script
	reads bool // it writes no record, and needs no number for a second transmission
	waits bool // what it ends must not come back: Config.WaitReplicas applies
}

// kind says what a script does.
type kind int

const (
	reads   kind = iota // no record; garbage only
	inserts             // records: not on a server that is full
	ends                // records end, and take no room: a server that is full executes it
	redeems             // records end and others are inserted
)

// callMemory is how long the reply of a script that cannot be executed twice is kept, in case the client sends it again. It is longer
// than the longest Config.Timeout.
const callMemory = 2 * maxTimeout

// newScript puts the shared files before a script. With the first line the server rejects a script as a whole before it starts: one that
// inserts if memory is short, each one on a replica, and each one with keys of several hash slots. A script that fails in the middle would
// leave behind what it has written.
func newScript(k kind, name string, shared ...string) *script {
	var b strings.Builder
	if k == reads || k == ends {
		b.WriteString("#!lua flags=allow-oom\n")
	} else {
		b.WriteString("#!lua\n")
	}
	fmt.Fprintf(&b, "local max_skew, call_memory = %d, %d -- milliseconds\n", session.MaxSkew.Milliseconds(), callMemory.Milliseconds())
	for _, file := range append(append([]string{"shared_keys"}, shared...), name) {
		text, err := sources.ReadFile("lua/" + file + ".lua")
		if err != nil {
			panic(err) // a name in this file
		}
		b.Write(text)
	}
	sc := &script{name: name, Script: goredis.NewScript(b.String()), reads: k == reads, waits: k == ends || k == redeems}
	allScripts = append(allScripts, sc)
	return sc
}

// allScripts are those of this package.
var allScripts []*script

const (
	calls    = "shared_calls"
	sessions = "shared_sessions"
	grants   = "shared_grants"
	tokens   = "shared_tokens"
)

var (
	sessionScript        = newScript(reads, "session", sessions)
	replaceSessionScript = newScript(redeems, "replace_session", calls, sessions)
	endSessionScript     = newScript(ends, "end_session", calls, sessions)

	consentsScript      = newScript(reads, "consents")
	finishRequestScript = newScript(inserts, "finish_request", sessions, grants)
	codeScript          = newScript(reads, "code", grants)
	consumeCodeScript   = newScript(ends, "consume_code", grants)
	redeemCodeScript    = newScript(redeems, "redeem_code", grants, tokens)
	insertGrantScript   = newScript(inserts, "insert_grant", sessions, grants, tokens)

	refreshTokenScript       = newScript(reads, "refresh_token", grants, tokens)
	rotateRefreshTokenScript = newScript(redeems, "rotate_refresh_token", grants, tokens)
	accessTokenScript        = newScript(reads, "access_token", grants)

	revokeGrantScript         = newScript(ends, "revoke_grant")
	revokeAuthorizationScript = newScript(ends, "revoke_authorization", calls)
	grantScript               = newScript(reads, "grant", grants)
	grantsScript              = newScript(reads, "grants", grants)

	pushRequestScript          = newScript(inserts, "push_request")
	pushedRequestScript        = newScript(reads, "pushed_request")
	consumePushedRequestScript = newScript(ends, "consume_pushed_request")
	consumeJTIScript           = newScript(redeems, "consume_jti")

	recordLoginScript = newScript(inserts, "record_login")
	loginsScript      = newScript(reads, "logins")

	signingKeysScript      = newScript(reads, "signing_keys")
	insertSigningKeyScript = newScript(inserts, "insert_signing_key")
	deleteSigningKeyScript = newScript(ends, "delete_signing_key")

	sweepGrantsScript   = newScript(reads, "sweep_grants")
	sweepSessionsScript = newScript(reads, "sweep_sessions")
	pingScript          = newScript(redeems, "ping") // with the replicas that a redemption needs
)

// run executes a script, in one round trip if the server knows it. From here on the script is executed as a whole or not at all, whatever
// happens to ctx. A client that receives no answer may send the script again: the number of the call tells the script that it was executed.
func (s *Store) run(ctx context.Context, sc *script, now time.Time, keys []string, args ...any) (any, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	call := ""
	if !sc.reads {
		call = rand.Text()
	}
	argv := make([]any, 0, 3+len(args))
	argv = append(append(argv, s.prefix, instant(now), call), args...)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.timeout)
	defer cancel()
	reply, err := s.send(ctx, sc, keys, argv)
	if err != nil {
		return nil, fault(sc.name, err)
	}
	return reply, nil
}

// send sends a script by its digest, and with its text if the server does not know it.
func (s *Store) send(ctx context.Context, sc *script, keys []string, argv []any) (any, error) {
	if sc.waits && s.waitReplicas > 0 {
		return s.sendAndWait(ctx, sc, keys, argv)
	}
	reply, err := s.client.EvalSha(ctx, sc.Hash(), keys, argv...).Result()
	if goredis.HasErrorPrefix(err, "NOSCRIPT") {
		reply, err = sc.Eval(ctx, s.client, keys, argv...).Result()
	}
	return reply, err
}

// verdict runs a script that replies with a verdict only.
func (s *Store) verdict(ctx context.Context, sc *script, now time.Time, keys []string, args ...any) error {
	reply, err := s.run(ctx, sc, now, keys, args...)
	if err != nil {
		return err
	}
	word, _ := reply.(string)
	return verdictOf(sc.name, word)
}

// values runs a script that replies with a verdict and values. The values are empty if the verdict is "not found".
func (s *Store) values(ctx context.Context, sc *script, now time.Time, keys []string, args ...any) (reply list, err error) {
	all, err := s.run(ctx, sc, now, keys, args...)
	if err != nil {
		return nil, err
	}
	reply, _ = all.([]any)
	return reply.after(1), verdictOf(sc.name, reply.text(0))
}
