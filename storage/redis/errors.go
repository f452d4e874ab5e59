package redis

import (
	"context"
	"errors"
	"fmt"
	"strings"

	goredis "github.com/redis/go-redis/v9"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/storage"
)

// verdictOf returns the error of a verdict of a script.
func verdictOf(name, word string) error {
	switch word {
	case "ok":
		return nil
	case "not found":
		return storage.ErrNotFound
	case "consumed":
		return storage.ErrConsumed
	case "revoked":
		return storage.ErrRevoked
	case "conflict":
		return storage.ErrConflict
	case "full":
		return storage.ErrFull
	}
	return fmt.Errorf("redis: %s: unexpected reply", name)
}

// fault returns the error for a script that has no verdict. Errors of the server, the network and the pool wrap
// portner.ErrUnavailable: the server is down, slow, full, a replica, or rejects the client. An error within a script, or a key that
// something else has written, is not: trying again does not help.
func fault(name string, err error) error {
	var reply goredis.Error
	switch {
	case errors.As(err, &reply) && strings.HasPrefix(reply.Error(), "OOM "):
		return fmt.Errorf("redis: %s: %w: %w", name, storage.ErrFull, err)
	case errors.As(err, &reply) && strings.HasPrefix(reply.Error(), "ERR max number of clients"): // the only outage without a code of its own
		return fmt.Errorf("redis: %s: %w: %w", name, portner.ErrUnavailable, err)
	case errors.As(err, &reply) && (strings.HasPrefix(reply.Error(), "ERR ") || strings.HasPrefix(reply.Error(), "WRONGTYPE ")):
		return fmt.Errorf("redis: %s: %w", name, err)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("redis: %s: no answer within Config.Timeout: %w: %w", name, portner.ErrUnavailable, err)
	}
	return fmt.Errorf("redis: %s: %w: %w", name, portner.ErrUnavailable, err)
}

// errRecord reports a record that cannot be read.
func errRecord(what string, err error) error {
	return fmt.Errorf("redis: %s: %w", what, err)
}
