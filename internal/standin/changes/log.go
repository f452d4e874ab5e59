package changes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/seal"
	"github.com/portner-go/portner/storage"
)

// Store keeps revisions. It is a keyset.Store: a revision is a record of a set that no key set has the name of, so that every store can
// keep it, sealed like a key, and of two nodes that make the same revision one succeeds.
type Store interface {
	SigningKeys(ctx context.Context, set string) ([]storage.SigningKey, error)
	InsertSigningKey(ctx context.Context, k storage.SigningKey) error
	DeleteSigningKey(ctx context.Context, set, kid string) error
}

// kind is the Alg of the records, which no signature has.
const kind = "changes"

// maxSize bounds a revision, in bytes.
const maxSize = 4 << 20

// ErrSize is returned for changes that are too large to be kept.
var ErrSize = errors.New("the changes have more than 4 MiB")

// Log keeps the revisions of changes in a store. The last one applies.
type Log struct {
	store Store
	set   string
	box   *seal.Box
}

// NewLog returns the log of the provider with an issuer. The first secret seals, and every one opens.
func NewLog(store Store, issuer string, secrets ...portner.Secret) (*Log, error) {
	keys, err := seal.NewKeys(issuer, secrets...)
	if err != nil {
		return nil, err
	}
	return &Log{store, issuer + " " + kind, keys.Box("configuration changes")}, nil
}

// Load returns the last revision and its number. Without revisions the number is 0.
func (l *Log) Load(ctx context.Context) (Changes, int64, error) {
	records, err := l.store.SigningKeys(ctx, l.set)
	if err != nil || len(records) == 0 {
		return nil, 0, err
	}
	last := records[len(records)-1] // they are sorted by number
	text, err := l.box.Open(last.Key, l.sealedWith(last.Number))
	if err != nil {
		return nil, 0, fmt.Errorf("revision %d of the changes: cannot be opened: it was sealed with none of the secrets", last.Number)
	}
	var c Changes
	if err := json.Unmarshal(text, &c); err != nil {
		return nil, 0, fmt.Errorf("revision %d of the changes: %w", last.Number, err)
	}
	for list, entries := range c {
		for key, entry := range entries {
			if string(entry) == "null" {
				c[list][key] = nil
			}
		}
	}
	return c, last.Number, nil
}

// Append makes the revision after one. It returns storage.ErrConflict if there is one already.
func (l *Log) Append(ctx context.Context, after int64, c Changes, now time.Time) error {
	text, err := json.Marshal(c)
	if err != nil {
		return err
	}
	if len(text) > maxSize {
		return ErrSize
	}
	err = l.store.InsertSigningKey(ctx, storage.SigningKey{
		Set: l.set, Number: after + 1, KID: seal.NewID(), Alg: kind, CreatedAt: now.UTC(), Key: l.box.Seal(text, l.sealedWith(after+1)),
	})
	if err == nil {
		l.forget(ctx, after)
	}
	return err
}

// Discard makes a revision without changes, also if the last one cannot be opened. It does nothing if there is no revision.
func (l *Log) Discard(ctx context.Context, now time.Time) error {
	records, err := l.store.SigningKeys(ctx, l.set)
	if err != nil || len(records) == 0 {
		return err
	}
	return l.Append(ctx, records[len(records)-1].Number, Changes{}, now)
}

// forget removes what the revisions before one hold. The numbers stay taken. An error is ignored: the next call removes them, too.
func (l *Log) forget(ctx context.Context, before int64) {
	records, err := l.store.SigningKeys(ctx, l.set)
	if err != nil {
		return
	}
	for _, r := range records {
		if r.Number < before && len(r.Key) > 0 {
			_ = l.store.DeleteSigningKey(ctx, l.set, r.KID)
		}
	}
}

func (l *Log) sealedWith(number int64) string { return fmt.Sprintf("%q %d", l.set, number) }
