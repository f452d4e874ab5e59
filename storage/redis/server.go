package redis

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"

	goredis "github.com/redis/go-redis/v9"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/fields"
)

// minVersion is the first version whose server rejects a script as a whole: if memory is short, and on a replica. Valkey reports
// redis_version 7.2 for compatibility, beside its own version.
const minVersion = 7

// checkServers checks the server that has the keys, and in a cluster each one that may get them.
func (s *Store) checkServers(ctx context.Context, c Config) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	if cluster, ok := s.client.(*goredis.ClusterClient); ok {
		return cluster.ForEachMaster(ctx, func(ctx context.Context, node *goredis.Client) error { return s.checkServer(ctx, node, c) })
	}
	node, err := s.node(ctx)
	if err != nil {
		return err
	}
	return s.checkServer(ctx, node, c)
}

// checkServer checks one server. ForEachMaster runs it for several at once.
func (s *Store) checkServer(ctx context.Context, node *goredis.Client, c Config) error {
	info, err := serverInfo(ctx, node)
	if err != nil && isRefusal(err) {
		if c.AllowUncheckedServer {
			return nil
		}
		return &portner.FieldError{Field: "AllowUncheckedServer", Err: fmt.Errorf("must be set, because the server does not answer INFO; check before that its version is %d or later and its maxmemory-policy noeviction: %w", minVersion, err)}
	}
	if err != nil {
		return fault("INFO", err)
	}
	if err := checkInfo(info, c); err != nil {
		return err
	}
	if info["aof_enabled"] == "0" {
		s.logger.Warn("redis: appendonly is off: what was redeemed or revoked since the last snapshot is forgotten if the server stops", slog.String("server", node.Options().Addr))
	}
	return nil
}

// isRefusal reports whether the server answered that the client may not send the command, or has no such command.
func isRefusal(err error) bool {
	return goredis.HasErrorPrefix(err, "NOPERM") || goredis.HasErrorPrefix(err, "unknown command") || goredis.HasErrorPrefix(err, "ERR unknown command")
}

// serverInfo returns the fields of INFO.
func serverInfo(ctx context.Context, node *goredis.Client) (map[string]string, error) {
	reply, err := node.Info(ctx).Result()
	if err != nil {
		return nil, err
	}
	info := map[string]string{}
	for line := range strings.Lines(reply) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			info[name] = value
		}
	}
	return info, nil
}

// checkInfo checks the version, the role and the eviction policy.
func checkInfo(info map[string]string, c Config) error {
	var check fields.Checker
	known := func(name string) bool {
		check.Want(info[name] != "" || c.AllowUncheckedServer, "AllowUncheckedServer", "must be set, because INFO of the server has no "+name)
		return info[name] != ""
	}
	if version, _, _ := strings.Cut(info["redis_version"], "."); known("redis_version") {
		major, err := strconv.Atoi(version)
		check.Want(err == nil && major >= minVersion, "client", fmt.Sprintf("the version of the server must be %d or later, and is %s", minVersion, info["redis_version"]))
	}
	if known("role") {
		check.Want(info["role"] == "master", "client", "the server must be the primary, and is a "+info["role"])
	}
	if policy := info["maxmemory_policy"]; known("maxmemory_policy") {
		check.Want(policy == "noeviction" || c.AllowEviction, "AllowEviction", "must be set, because maxmemory-policy of the server is "+policy+": codes and assertions that it evicts can be used again. Set the policy to noeviction")
	}
	if err := check.Err(); err != nil {
		return fmt.Errorf("redis: %w", err)
	}
	return nil
}
