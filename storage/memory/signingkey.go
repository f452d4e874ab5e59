package memory

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/portner-go/portner/storage"
)

// signingKeys are the signing keys of all sets. There are a few in a year, so they are in one slice and have no bound.
type signingKeys struct {
	mu   sync.Mutex
	list []storage.SigningKey // sorted by Set and Number
}

// SigningKeys implements keyset.Store.
func (s *Store) SigningKeys(ctx context.Context, set string) ([]storage.SigningKey, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.signing.mu.Lock()
	defer s.signing.mu.Unlock()
	var out []storage.SigningKey
	for _, k := range s.signing.list {
		if k.Set == set {
			k.Key = bytes.Clone(k.Key)
			out = append(out, k)
		}
	}
	return out, nil
}

// InsertSigningKey implements keyset.Store.
func (s *Store) InsertSigningKey(ctx context.Context, k storage.SigningKey) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	k.Set, k.KID, k.Alg, k.Key = strings.Clone(k.Set), strings.Clone(k.KID), strings.Clone(k.Alg), bytes.Clone(k.Key)
	k.CreatedAt, k.ActiveFrom = k.CreatedAt.UTC(), k.ActiveFrom.UTC()
	s.signing.mu.Lock()
	defer s.signing.mu.Unlock()
	taken := func(other storage.SigningKey) bool {
		return other.Set == k.Set && (other.Number == k.Number || other.KID == k.KID)
	}
	if slices.ContainsFunc(s.signing.list, taken) {
		return storage.ErrConflict
	}
	s.signing.list = append(s.signing.list, k)
	slices.SortFunc(s.signing.list, func(a, b storage.SigningKey) int {
		return cmp.Or(strings.Compare(a.Set, b.Set), cmp.Compare(a.Number, b.Number))
	})
	return nil
}

// DeleteSigningKey implements keyset.Store.
func (s *Store) DeleteSigningKey(ctx context.Context, set, kid string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.signing.mu.Lock()
	defer s.signing.mu.Unlock()
	for i := range s.signing.list {
		if k := &s.signing.list[i]; k.Set == set && k.KID == kid {
			k.Key = nil
		}
	}
	return nil
}
