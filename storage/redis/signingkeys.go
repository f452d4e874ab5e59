package redis

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/portner-go/portner/storage"
)

// SigningKeys implements keyset.Store.
func (s *Store) SigningKeys(ctx context.Context, set string) ([]storage.SigningKey, error) {
	reply, err := s.run(ctx, signingKeysScript, time.Time{}, []string{s.key("keys", hashed(set))})
	if err != nil {
		return nil, err
	}
	var out []storage.SigningKey
	sealed := map[string]string{}
	all, _ := reply.([]any)
	for i := 0; i+1 < len(all); i += 2 {
		field, value := list(all).text(i), list(all).text(i+1)
		if number, ok := strings.CutPrefix(field, "key:"); ok {
			sealed[number] = value
		}
		if number, ok := strings.CutPrefix(field, "record:"); ok {
			k, err := decodeSigningKey(number, value)
			if err != nil {
				return nil, err
			}
			k.Set = set
			out = append(out, k)
		}
	}
	for i := range out {
		if key := sealed[strconv.FormatInt(out[i].Number, 10)]; key != "" {
			out[i].Key = []byte(key)
		}
	}
	slices.SortFunc(out, func(a, b storage.SigningKey) int { return cmp.Compare(a.Number, b.Number) })
	return out, nil
}

func decodeSigningKey(number, texts string) (storage.SigningKey, error) {
	var p parser
	k := storage.SigningKey{Number: p.int64(number), KID: p.text(&texts), Alg: p.text(&texts)}
	k.CreatedAt, k.ActiveFrom = p.instant(p.text(&texts)), p.instant(p.text(&texts))
	if p.err != nil {
		return storage.SigningKey{}, errRecord("signing key", p.err)
	}
	return k, nil
}

// InsertSigningKey implements keyset.Store.
func (s *Store) InsertSigningKey(ctx context.Context, k storage.SigningKey) error {
	texts := text(k.KID) + text(k.Alg) + text(instant(k.CreatedAt)) + text(instant(k.ActiveFrom))
	return s.verdict(ctx, insertSigningKeyScript, time.Time{}, []string{s.key("keys", hashed(k.Set))}, k.KID, k.Number, texts, k.Key)
}

// DeleteSigningKey implements keyset.Store.
func (s *Store) DeleteSigningKey(ctx context.Context, set, kid string) error {
	return s.verdict(ctx, deleteSigningKeyScript, time.Time{}, []string{s.key("keys", hashed(set))}, kid)
}
