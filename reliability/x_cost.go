package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"

	"github.com/portner-go/portner/storage"
)

// cost measures the code exchange and the refresh of a provider in this process beside the bare statements that change the same rows, and
// beside these with the ES256 signatures of the tokens, on the same connections and in turns. On Redis it measures the bare commands in
// scripts that check nothing, too: what any store pays that changes several keys at once.
func cost(t *trial) {
	bench := t.costBench()
	defer bench.s.store.close()
	n, passes := t.size(500, 10_000), t.size(2, 5)
	all := map[string][]float64{}
	for pass := 0; pass < passes || pass < 3*passes && !reached(all); pass++ {
		for name, v := range bench.pass(n) {
			all[name] = append(all[name], v)
		}
		if len(t.broken) > 0 {
			return
		}
	}
	t.count("callers", costCallers)
	t.count("passes", len(all["exchange"]))
	least := leastRatio[t.store]
	for _, name := range []string{"exchange", "refresh"} {
		trips, best := slices.Min(all[name+"_trips"]), slices.Max(all[name+"_to_signed"]) // the first script of a connection is sent as a whole
		t.count(name+"_round_trips", trips)
		t.count(name+"_per_second", int(median(all[name])))
		t.count(name+"_bare_per_second", int(median(all[name+"_bare"])))
		t.count(name+"_to_bare", median(all[name+"_to_bare"]))
		t.count(name+"_to_bare_with_signatures", median(all[name+"_to_signed"]))
		t.count(name+"_best", best)
		if scripted := all[name+"_to_scripted"]; scripted != nil {
			t.count(name+"_to_bare_scripts_with_signatures", median(scripted))
		}
		t.check(trips <= 2.01, "%s takes %.2f round trips", name, trips)
		t.check(best >= least, "%s has %.2f of the rate of the bare statements with the signatures, at least %.2f is the rule", name, best, least)
	}
}

const costCallers = 16

// leastRatio is the smallest rate of an operation in the best pass, as a part of that of the bare statements and signatures. The goal is 0.6.
// A Redis script costs the server about twice as much as the commands in it.
var leastRatio = map[string]float64{kindPostgres: 0.6, kindRedis: 0.3}

// reached reports whether the goal is reached. Other load on a machine only makes a ratio worse, so passes are added until then.
func reached(all map[string][]float64) bool {
	return slices.Max(all["exchange_to_signed"]) >= 0.6 && slices.Max(all["refresh_to_signed"]) >= 0.6
}

// median returns the middle value, the larger one of two.
func median(v []float64) float64 { return slices.Sorted(slices.Values(v))[len(v)/2] }

// pass does every operation n times, in turns, and returns the rates and their ratios.
func (b *costBench) pass(n int) map[string]float64 {
	codes, tokens := b.codes(n), b.families(n)
	if len(b.broken) > 0 {
		return nil
	}
	b.must(b.prepareBare(codes, tokens))
	type operation struct {
		name string
		do   func(i int) error
	}
	operations := []operation{
		{"exchange_bare", func(i int) error { return b.bare(true, codes[i].code, 0) }},
		{"exchange_signed", func(i int) error { return b.bare(true, codes[i].code, 2) }},
		{"exchange", func(i int) error { _, err := b.redeem(codes[i]); return err }},
		{"refresh_bare", func(i int) error { return b.bare(false, tokens[i], 0) }},
		{"refresh_signed", func(i int) error { return b.bare(false, tokens[i], 2) }},
		{"refresh", func(i int) error { _, err := b.token(refreshForm(tokens[i])); return err }},
	}
	if b.s.store.redis != nil {
		operations = append(operations,
			operation{"exchange_scripted", func(i int) error { return b.scripted(true, codes[i].code) }},
			operation{"refresh_scripted", func(i int) error { return b.scripted(false, tokens[i]) }})
	}
	const turns = 10
	out, spent := map[string]float64{}, map[string]time.Duration{}
	for turn := range turns {
		from, to := n*turn/turns, n*(turn+1)/turns
		for _, o := range operations {
			before, begin := b.statements.Load(), time.Now()
			b.workers(costCallers, func(w int, _ *source) {
				for i := from + w; i < to; i += costCallers {
					if err := o.do(i); err != nil {
						b.fail("%s: %v", o.name, err)
						return
					}
				}
			})
			spent[o.name] += time.Since(begin)
			out[o.name+"_trips"] += float64(b.statements.Load()-before) / float64(n)
		}
	}
	for name, d := range spent {
		out[name] = float64(n) / d.Seconds()
	}
	for _, name := range []string{"exchange", "refresh"} {
		for _, beside := range []string{"bare", "signed", "scripted"} {
			if rate, ok := out[name+"_"+beside]; ok {
				out[name+"_to_"+beside] = out[name] / rate
			}
		}
	}
	return out
}

// costBench is a provider in this process, and the connections of its store.
type costBench struct {
	*trial
	s          *serving
	handler    http.Handler
	key        *ecdsa.PrivateKey
	statements atomic.Int64
	serial     atomic.Int64
	access     []byte // what a record of an access token takes
	grant      []byte
}

// steady has the settings without which a server works in the background in some passes and not in others.
var steady = map[string]map[string]string{kindRedis: {"auto-aof-rewrite-percentage": "0"}}

func (t *trial) costBench() *costBench {
	b := &costBench{trial: t, access: make([]byte, 220), grant: make([]byte, 420)}
	back := t.backend(steady[t.store])
	var err error
	b.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	t.must(err)
	c := t.cluster(kindMemory+":", 1, nil) // for the configuration
	cfg := c.nodes[0].cfg
	cfg.Store = back.url
	store, err := open(t, opening{url: back.url, statement: func(time.Duration) { b.statements.Add(1) }})
	t.must(err)
	if store.redis != nil {
		store.redis.AddHook(counter{&b.statements})
	}
	b.s, err = newServingOn(t, cfg, store, slog.New(slog.DiscardHandler))
	t.must(err)
	b.handler = b.s.handler()
	return b
}

// counter counts the round trips of go-redis.
type counter struct{ n *atomic.Int64 }

// DialHook implements redis.Hook.
func (counter) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook implements redis.Hook.
func (c counter) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error { c.n.Add(1); return next(ctx, cmd) }
}

// ProcessPipelineHook implements redis.Hook.
func (c counter) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error { c.n.Add(1); return next(ctx, cmds) }
}

func (b *costBench) codes(n int) []authorization {
	all := make([]authorization, n)
	b.workers(16, func(w int, _ *source) {
		br := b.browser(fmt.Sprintf("cost-%d-%d", w, b.serial.Add(1)))
		for i := w; i < n; i += 16 {
			var err error
			if all[i], err = br.code(); err != nil {
				b.fail("a code: %v", err)
				return
			}
		}
	})
	return all
}

func (b *costBench) families(n int) []string {
	codes, all := b.codes(n), make([]string, n)
	b.workers(16, func(w int, _ *source) {
		for i := w; i < n; i += 16 {
			var err error
			if all[i], err = b.redeem(codes[i]); err != nil {
				b.fail("a family: %v", err)
				return
			}
		}
	})
	return all
}

func refreshForm(value string) url.Values {
	return url.Values{"grant_type": {"refresh_token"}, "refresh_token": {value}}
}

func (b *costBench) redeem(a authorization) (string, error) { return b.token(a.form()) }

// token posts a token request without a socket and returns the refresh token.
func (b *costBench) token(form url.Values) (string, error) {
	r := httptest.NewRequestWithContext(b, http.MethodPost, "/token", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(clientID, clientSecret)
	w := httptest.NewRecorder()
	b.handler.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		return "", fmt.Errorf("%d %s", w.Code, w.Body)
	}
	var answer struct {
		Refresh string `json:"refresh_token"`
	}
	return answer.Refresh, json.Unmarshal(w.Body.Bytes(), &answer)
}

// localBrowser is a browser without a socket.
type localBrowser struct {
	*costBench
	b *browser
}

func (b *costBench) browser(user string) *localBrowser {
	c := &cluster{trial: b.trial, issuer: b.s.cfg.Issuer, nodes: []*node{{base: b.s.cfg.Issuer}}, http: &http.Client{
		Transport: direct{b.handler}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	return &localBrowser{b, c.browser(user)}
}

func (l *localBrowser) code() (authorization, error) {
	a, last, err := l.b.authorize("openid email", true)
	if err != nil {
		err = fmt.Errorf("%w: %s", err, last)
	}
	return a, err
}

// direct calls a handler in place of a server.
type direct struct{ h http.Handler }

// RoundTrip implements http.RoundTripper.
func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	in := r.Clone(r.Context())
	in.RequestURI, in.RemoteAddr = r.URL.RequestURI(), "127.0.0.1:1"
	if in.Body == nil {
		in.Body = http.NoBody
	}
	d.h.ServeHTTP(w, in)
	return w.Result(), nil
}

// prepareBare makes the tables of the bare statements: like those of the store, with the same rows. On Redis it makes keys of the same kind.
func (b *costBench) prepareBare(codes []authorization, tokens []string) error {
	if b.s.store.redis != nil {
		return b.prepareBareRedis(codes, tokens)
	}
	_, err := b.s.store.pool.Exec(b, `
		drop schema if exists bare cascade;
		create schema bare;
		create table bare.grants (like portner.grants including all);
		create table bare.access_tokens (like portner.access_tokens including all);
		create table bare.refresh_tokens (like portner.refresh_tokens including all);
		insert into bare.grants select * from portner.grants;
		insert into bare.refresh_tokens select * from portner.refresh_tokens;`)
	return err
}

// bare runs the statements of one code exchange or one refresh: one that reads, and those that change the same rows in one round trip and
// one transaction. It makes the signatures of the tokens, too.
func (b *costBench) bare(exchange bool, value string, signatures int) error {
	if err := b.sign(signatures); err != nil {
		return err
	}
	h, next := storage.HashOf(value), key(21, uint64(b.serial.Add(1)))
	if b.s.store.redis != nil {
		return b.bareRedis(exchange, h, next)
	}
	query := "select * from bare.grants where code_hash = $1"
	if !exchange {
		query = "select * from bare.refresh_tokens r join bare.grants g on g.id = r.grant_id where r.hash = $1"
	}
	rows, err := b.s.store.pool.Query(b, query, h[:])
	if err != nil {
		return err
	}
	found := 0
	for rows.Next() {
		if _, err := rows.Values(); err != nil {
			return err
		}
		found++
	}
	if rows.Close(); rows.Err() != nil || found != 1 {
		return fmt.Errorf("%d rows: %w", found, rows.Err())
	}
	batch := &pgx.Batch{}
	id, later := hex.EncodeToString(next[:16]), time.Now().Add(time.Hour).UnixNano()
	if exchange {
		batch.Queue("update bare.grants set consumed_at = $2, redeemed_at = $2, issued_data = $3 where code_hash = $1", h[:], later, b.grant)
	} else {
		batch.Queue("update bare.refresh_tokens set consumed_at = $2, successor = $3, used = true where hash = $1", h[:], later, next[:])
	}
	batch.Queue("insert into bare.access_tokens (hash, grant_id, expires_at, inserted_at, remove_at, data) values ($1, $2, $3, 1, $3, $4)", next[:], id, later, b.access)
	batch.Queue("insert into bare.refresh_tokens (hash, grant_id, generation, expires_at, inserted_at, remove_at) values ($1, $2, 0, $3, 1, $3)", next[:], id, later)
	return b.s.store.pool.SendBatch(b, batch).Close()
}

func (b *costBench) sign(signatures int) error {
	for range signatures {
		digest := sha256.Sum256(b.grant)
		if _, err := b.key.Sign(rand.Reader, digest[:], crypto.SHA256); err != nil {
			return err
		}
	}
	return nil
}

// bareKeys are the keys of one operation on Redis.
type bareKeys struct{ old, access, refresh, grant string }

func bareKeysOf(exchange bool, h, next storage.Hash) bareKeys {
	name := func(kind string, h storage.Hash) string {
		return "{bare}:" + kind + ":" + base64.RawURLEncoding.EncodeToString(h[:])
	}
	k := bareKeys{old: name("refresh", h), access: name("access", next), refresh: name("refresh", next), grant: name("grant", h)}
	if exchange {
		k.old = name("code", h)
	}
	return k
}

// Keys of all operations on Redis: what a grant ends with, and the list of the grants of the user.
const bareSession, bareAuthorization, bareGrants = "{bare}:session", "{bare}:authorization", "{bare}:grants"

func (b *costBench) prepareBareRedis(codes []authorization, tokens []string) error {
	c, instant := b.s.store.redis, strconv.FormatInt(time.Now().UnixNano(), 10)
	_, err := c.Pipelined(b, func(p redis.Pipeliner) error {
		p.HSet(b, bareSession, "number", 1)
		p.Set(b, bareAuthorization, 1, time.Hour)
		for _, a := range codes {
			k := bareKeysOf(true, storage.HashOf(a.code), storage.Hash{})
			p.HSet(b, k.old, "stop", instant, "retained", instant, "grant", k.grant, "owner", k.grant, "session", "1:s", "authorization", "1:a", "record", b.grant)
			p.PExpire(b, k.old, time.Hour)
		}
		for _, value := range tokens {
			k := bareKeysOf(false, storage.HashOf(value), storage.Hash{})
			p.HSet(b, k.old, "grant", k.grant, "stop", instant, "generation", 1)
			p.PExpire(b, k.old, time.Hour)
			p.HSet(b, k.grant, "stop", instant, "created", instant, "user", k.old, "session", "1:s", "authorization", "1:a", "record", b.grant)
			p.PExpire(b, k.grant, time.Hour)
		}
		return nil
	})
	return err
}

// bareRedis runs the commands on the keys that the store reads and changes in one code exchange or one refresh, in two round trips.
func (b *costBench) bareRedis(exchange bool, h, next storage.Hash) error {
	c, k := b.s.store.redis, bareKeysOf(exchange, h, next)
	_, err := c.Pipelined(b, func(p redis.Pipeliner) error {
		p.HGetAll(b, k.old)
		if !exchange {
			p.HGetAll(b, k.grant)
		}
		p.HGet(b, bareSession, "number")
		p.Get(b, bareAuthorization)
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return err
	}
	stop := strconv.FormatInt(time.Now().UnixNano(), 10)
	_, err = c.TxPipelined(b, func(p redis.Pipeliner) error {
		p.HSet(b, k.old, "used", "1", "consumed", stop, "successor", k.refresh)
		p.PExpire(b, k.old, time.Hour)
		if exchange {
			p.HSet(b, k.grant, "user", "u", "created", stop, "stop", stop, "session", "", "authorization", "1:web", "record", b.grant)
			p.PExpire(b, k.grant, time.Hour)
			p.ZAdd(b, bareGrants, redis.Z{Member: stop + k.grant})
			p.PExpire(b, bareGrants, time.Hour)
			p.PExpire(b, bareAuthorization, time.Hour)
		}
		p.HSet(b, k.access, "grant", k.grant, "stop", stop, "call", stop, "record", b.access)
		p.PExpire(b, k.access, time.Hour)
		p.HSet(b, k.refresh, "grant", k.grant, "stop", stop, "generation", 1)
		p.PExpire(b, k.refresh, time.Hour)
		return nil
	})
	return err
}

// The commands of bareRedis as scripts.
var (
	bareRead = redis.NewScript(`#!lua
local old, grant = redis.call('HGETALL', KEYS[1]), {}
if ARGV[1] == '' then
  grant = redis.call('HGETALL', KEYS[4])
end
return { old, grant, redis.call('HGET', KEYS[5], 'number'), redis.call('GET', KEYS[6]) }`)
	bareWrite = redis.NewScript(`#!lua
local old, access, refresh, grant, _, authorization, grants = unpack(KEYS)
local exchange, stop, access_record, grant_record = unpack(ARGV)
redis.call('HSET', old, 'used', '1', 'consumed', stop, 'successor', refresh)
redis.call('PEXPIRE', old, 3600000)
if exchange == '1' then
  redis.call('HSET', grant, 'user', 'u', 'created', stop, 'stop', stop, 'session', '', 'authorization', '1:web', 'record', grant_record)
  redis.call('PEXPIRE', grant, 3600000)
  redis.call('ZADD', grants, 0, stop .. grant)
  redis.call('PEXPIRE', grants, 3600000)
  redis.call('PEXPIRE', authorization, 3600000)
end
redis.call('HSET', access, 'grant', grant, 'stop', stop, 'call', stop, 'record', access_record)
redis.call('PEXPIRE', access, 3600000)
redis.call('HSET', refresh, 'grant', grant, 'stop', stop, 'generation', 1)
redis.call('PEXPIRE', refresh, 3600000)
return 'ok'`)
)

// scripted runs the commands of bareRedis in two scripts, and makes the signatures of the tokens.
func (b *costBench) scripted(exchange bool, value string) error {
	if err := b.sign(2); err != nil {
		return err
	}
	k := bareKeysOf(exchange, storage.HashOf(value), key(22, uint64(b.serial.Add(1))))
	keys, flag := []string{k.old, k.access, k.refresh, k.grant, bareSession, bareAuthorization, bareGrants}, ""
	if exchange {
		flag = "1"
	}
	if err := bareRead.Run(b, b.s.store.redis, keys, flag).Err(); err != nil {
		return err
	}
	return bareWrite.Run(b, b.s.store.redis, keys, flag, time.Now().UnixNano(), b.access, b.grant).Err()
}
