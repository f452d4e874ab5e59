package redis

import (
	goredis "github.com/redis/go-redis/v9"

	"github.com/portner-go/portner/storage"
)

// Prefix returns Config.Prefix.
func (s *Store) Prefix() string { return s.prefix[:len(s.prefix)-1] }

// Name returns a hash as a part of a key.
func Name(h storage.Hash) string { return name(h) }

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
