package redis

import (
	"context"
	"errors"
	"fmt"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// writeSomething is a script that writes, also on a server that is full.
const writeSomething = "#!lua flags=allow-oom\nredis.call('SET', KEYS[1], '', 'PX', 60000)"

// sendAndWait sends a script and WAIT in one round trip and on one connection: WAIT counts the replicas that have what the connection wrote
// (servers since Redis 7.2). A script that finds that another connection has made the change writes nothing, so something is written
// after it: replicas that have that have the change, too.
func (s *Store) sendAndWait(ctx context.Context, sc *script, keys []string, argv []any) (any, error) {
	node, err := s.node(ctx)
	if err != nil {
		return nil, err
	}
	reply, confirmed, err := s.pipelined(ctx, node, func(p goredis.Pipeliner) *goredis.Cmd { return p.EvalSha(ctx, sc.Hash(), keys, argv...) })
	if goredis.HasErrorPrefix(err, "NOSCRIPT") {
		reply, confirmed, err = s.pipelined(ctx, node, func(p goredis.Pipeliner) *goredis.Cmd { return sc.Eval(ctx, p, keys, argv...) })
	}
	if cluster, ok := s.client.(*goredis.ClusterClient); ok && (goredis.HasErrorPrefix(err, "MOVED") || goredis.HasErrorPrefix(err, "READONLY")) {
		cluster.ReloadState(ctx) // the next call finds the primary
	}
	if err == nil && confirmed < int64(s.waitReplicas) {
		err = fmt.Errorf("%d of %d replicas (Config.WaitReplicas) have confirmed the change", confirmed, s.waitReplicas)
	}
	return reply, err
}

func (s *Store) pipelined(ctx context.Context, node *goredis.Client, send func(goredis.Pipeliner) *goredis.Cmd) (reply any, confirmed int64, err error) {
	p := node.Pipeline()
	cmd := send(p)
	written := p.Eval(ctx, writeSomething, []string{s.prefix + "ping"})
	wait := p.Do(ctx, "WAIT", s.waitReplicas, (s.timeout * 2 / 3).Milliseconds())
	_, _ = p.Exec(ctx) // each command has its error
	if reply, err = cmd.Result(); err != nil {
		return nil, 0, err
	}
	if err := written.Err(); err != nil && !errors.Is(err, goredis.Nil) {
		return nil, 0, err
	}
	confirmed, err = wait.Int64()
	return reply, confirmed, err
}

// Ping returns nil if the server would accept a record now, and Config.WaitReplicas replicas confirm it.
func (s *Store) Ping(ctx context.Context) error {
	return s.verdict(ctx, pingScript, time.Time{}, []string{s.prefix + "ping"})
}
