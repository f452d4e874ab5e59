package keyset

import (
	"context"
	"os"
	"time"

	"github.com/portner-go/portner/internal/seal"
)

// WithLink replaces os.Link and writes without waiting for the disk.
func (d Directory) WithLink(link func(oldName, newName string) error) Directory {
	d.link, d.sync = link, func(*os.File) error { return nil }
	return d
}

// TempPrefix begins the names of files that are being written.
const TempPrefix = tempPrefix

// KeysOf returns the keys of a set.
func KeysOf(s *Set) []Key {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keys
}

// ParseKeyFile parses the text of a file of a directory.
func ParseKeyFile(text []byte) (Key, error) {
	k, err := parseKeyFile(text)
	return k.key, err
}

// InsertSealed stores a record that is sealed as those of h are, with the KID of k.
func (h Shared) InsertSealed(ctx context.Context, number int64, k Key, created time.Time) error {
	derived, err := seal.NewKeys(h.Set, h.Secrets...)
	if err != nil {
		return err
	}
	keys := &sharedKeys{Shared: h, box: derived.Box("signing key")}
	return keys.insert(ctx, storedKey{number: number, key: k, created: created})
}
