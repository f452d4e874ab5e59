package redis

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"

	goredis "github.com/redis/go-redis/v9"
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
		return fmt.Errorf("redis: the server does not answer INFO: check that its version is %d or later and that its maxmemory-policy is noeviction, and set Config.AllowUncheckedServer: %w", minVersion, err)
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

// isRefusal reports whether the server answered that the client may not send the command, or does not know it.
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
	var errs []error
	unknown := func(field string) {
		if !c.AllowUncheckedServer {
			errs = append(errs, fmt.Errorf("redis: INFO has no %s: check it, and set Config.AllowUncheckedServer", field))
		}
	}
	version, _, _ := strings.Cut(info["redis_version"], ".")
	switch major, err := strconv.Atoi(version); {
	case err != nil:
		unknown("redis_version")
	case major < minVersion:
		errs = append(errs, fmt.Errorf("redis: the version of the server is %s: version %d or later is needed", info["redis_version"], minVersion))
	}
	switch role := info["role"]; role {
	case "master":
	case "":
		unknown("role")
	default:
		errs = append(errs, fmt.Errorf("redis: the server is a %s: connect to the primary", role))
	}
	switch policy := info["maxmemory_policy"]; {
	case policy == "":
		unknown("maxmemory_policy")
	case policy != "noeviction" && !c.AllowEviction:
		errs = append(errs, fmt.Errorf("redis: maxmemory-policy of the server is %s: codes and assertions that it evicts could be used again; set noeviction (or Config.AllowEviction)", policy))
	}
	return errors.Join(errs...)
}
