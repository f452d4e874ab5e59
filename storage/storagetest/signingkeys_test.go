package storagetest_test

import (
	"bytes"
	"cmp"
	"context"
	"slices"

	"github.com/portner-go/portner/storage"
)

func (m *model) SigningKeys(ctx context.Context, set string) ([]storage.SigningKey, error) {
	unlock, err := m.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	var out []storage.SigningKey
	for _, k := range m.signing {
		if k.Set == set || m.is("signing keys of one set") {
			k.Key = bytes.Clone(k.Key)
			out = append(out, k)
		}
	}
	if !m.is("signing keys unordered") {
		slices.SortFunc(out, func(a, b storage.SigningKey) int { return cmp.Compare(a.Number, b.Number) })
	}
	return out, nil
}

func (m *model) InsertSigningKey(ctx context.Context, k storage.SigningKey) error {
	unlock, err := m.begin(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	k.Key = bytes.Clone(k.Key)
	i := slices.IndexFunc(m.signing, func(other storage.SigningKey) bool {
		return other.Set == k.Set && (other.Number == k.Number || other.KID == k.KID)
	})
	m.gap(ctx, "looks for a signing key, then writes")
	switch {
	case i < 0:
		m.signing = append(m.signing, k)
	case m.is("upserts signing keys"):
		m.signing[i] = k
	case len(m.signing[i].Key) == 0 && m.is("frees the number of a deleted key"):
		m.signing[i] = k
	default:
		return storage.ErrConflict
	}
	return nil
}

func (m *model) DeleteSigningKey(ctx context.Context, set, kid string) error {
	unlock, err := m.begin(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	for i, k := range m.signing {
		if k.Set == set && k.KID == kid {
			m.signing[i].Key = nil
		}
	}
	return nil
}
