package redis

import (
	"context"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/portner-go/portner/storage"
)

// DocumentedTimeout is the default that Config promises, before init makes it longer.
var DocumentedTimeout = defaultTimeout

// A slow machine is no fault. What depends on the timeout calls Hurried.
func init() { defaultTimeout = maxTimeout }

// Prefix returns Config.Prefix.
func (s *Store) Prefix() string { return s.prefix[:len(s.prefix)-1] }

// Hurried calls f while the calls of s take at most 250 ms. A store that is opened with that timeout fails on a machine with other load.
func (s *Store) Hurried(f func()) {
	whole := s.timeout
	s.timeout = 250 * time.Millisecond
	defer func() { s.timeout = whole }()
	f()
}

// Name returns a hash as a part of a key.
func Name(h storage.Hash) string { return name(h) }

// Owner returns a user, a client and no customer as a part of a key.
func Owner(user storage.Hash, client string) string {
	return authorization(&storage.ConsentKey{UserKey: user, ClientID: client})
}

// Scripts returns all scripts by name.
func Scripts() map[string]*goredis.Script {
	all := map[string]*goredis.Script{}
	for _, sc := range allScripts {
		all[sc.name] = sc.Script
	}
	return all
}

var (
	Digits       = digits
	ParseInstant = parseInstant
	Fault        = fault
	CheckInfo    = checkInfo
)

// GrantFields returns the fields that issue writes for a grant without a session.
func GrantFields(g *storage.Grant) []any {
	return []any{
		"user", name(g.UserKey), "created", instant(g.CreatedAt), "stop", instant(g.ExpiresAt), "record", encodeGrant(g),
		"session", "", "authorization", "1:" + authorizationOf(g),
	}
}

// AccessRecord returns the encoding of an access token.
func AccessRecord(a *storage.AccessToken) []byte { return encodeAccess(a) }

// SweepOnce does what Run does about once a minute.
func (s *Store) SweepOnce(ctx context.Context, now time.Time) { s.sweepOnce(ctx, now) }
