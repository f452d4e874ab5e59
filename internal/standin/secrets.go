package standin

import (
	"cmp"
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/standin/strictjson"
	"github.com/portner-go/portner/keyset"
)

// State is what a server keeps beyond a request: its store, and the secrets without which the store cannot be read.
type State struct {
	Store Store
	// Secrets seal what the store and browsers keep; the first one seals.
	Secrets []portner.Secret
	// PairwiseKey derives the sub of users.
	PairwiseKey portner.Secret
	// Lasting reports whether the store lasts longer than the process.
	Lasting bool
	// Now is the clock. If nil, time.Now.
	Now func() time.Time

	newKey func(alg string) (keyset.Key, error) // if nil, keyset.Generate
	meter  *Meter                               // nil without -metrics
}

func (s *State) now() time.Time {
	if s.Now == nil {
		return time.Now()
	}
	return s.Now()
}

// OpenState opens the state of a server, with its clock.
func (f Flags) OpenState(ctx context.Context, log *slog.Logger) (*State, error) {
	f.Store = cmp.Or(f.Store, "memory") // parsed flags have a value
	m, err := f.MetricsFlags.meter()
	if err != nil {
		return nil, err
	}
	if m != nil {
		f.onSweep = m.OnSweep
	}
	s, err := f.StateFlags.Open(ctx, log)
	if err != nil {
		return nil, err
	}
	if s.Now, s.newKey, s.meter = f.Now, f.NewKey, m; m != nil {
		s.Store = m.Store(s.Store)
	}
	return s, nil
}

// Derived returns a secret for one more purpose that must last as long as PairwiseKey.
func (s *State) Derived(purpose string) portner.Secret {
	key, err := hkdf.Key(sha256.New, s.PairwiseKey, nil, "portner examples: "+purpose, 32)
	if err != nil {
		panic(err) // of a wrong length only
	}
	return key
}

// Open reads the secrets, or makes them, and opens the store.
func (f StateFlags) Open(ctx context.Context, log *slog.Logger) (*State, error) {
	open, file, err := f.resolve()
	if err != nil {
		return nil, err
	}
	s := &State{Lasting: f.Store != "memory"}
	if f.Secrets == "" && file != "" {
		f.Secrets = file + ".secrets"
	}
	if f.Secrets == "" {
		s.Secrets, s.PairwiseKey = []portner.Secret{portner.NewSecret()}, portner.NewSecret()
	} else if err := s.readSecrets(f.Secrets, file, log); err != nil {
		return nil, fmt.Errorf("-secrets: %w", err)
	}
	if s.Store, err = open(ctx, log); err != nil {
		return nil, fmt.Errorf("-store: %w", err)
	}
	return s, nil
}

// secretsFile is the file of -secrets. Secrets are base64 (RFC 4648 §4), such as from openssl rand -base64 32.
type secretsFile struct {
	Secrets     []string `json:"secrets"`
	PairwiseKey string   `json:"pairwise_key"`
}

// readSecrets reads the secrets of a file, and makes it if there is none. database is the file of SQLite, or "": one with records is
// unreadable without the secrets with which they were made.
func (s *State) readSecrets(path, database string, log *slog.Logger) error {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if info, err := os.Stat(database); database != "" && err == nil && info.Size() > 0 {
			return fmt.Errorf("%s does not exist, and %s cannot be read without it: restore it from a backup, or delete %s to begin with an empty store; if the secrets are in another file, add -secrets FILE", path, database, database)
		}
		made, failed := makeSecrets(path)
		if failed != nil {
			return failed
		}
		if made {
			log.Info("new secrets: keep the file with the store; every node needs the same", "file", path)
		}
		text, err = os.ReadFile(path)
	}
	if err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
		return fmt.Errorf("%s has mode %04o, and other users must not read it: chmod 600 %s", path, mode, path)
	}
	if err := s.parseSecrets(text); err != nil {
		return fmt.Errorf("%s:\n%w", path, err)
	}
	return nil
}

func (s *State) parseSecrets(text []byte) error {
	var file secretsFile
	if err := strictjson.Decode(text, &file); err != nil {
		return err
	}
	var p Problems
	secret := func(at, text string) portner.Secret {
		value, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			p.Add(at, "must be base64, such as from openssl rand -base64 32")
			return nil
		}
		p.Secret(at, value)
		return value
	}
	p.Require(len(file.Secrets) > 0, "secrets")
	for i, text := range file.Secrets {
		s.Secrets = append(s.Secrets, secret(fmt.Sprintf("secrets[%d]", i), text))
	}
	s.PairwiseKey = secret("pairwise_key", file.PairwiseKey)
	return p.Err()
}

// makeSecrets writes a new file. If another process writes it at the same time, one of the two remains, and made is false for the other.
func makeSecrets(path string) (made bool, err error) {
	if err := checkFile(path); err != nil {
		return false, err
	}
	text, err := json.Marshal(secretsFile{
		Secrets:     []string{base64.StdEncoding.EncodeToString(portner.NewSecret())},
		PairwiseKey: base64.StdEncoding.EncodeToString(portner.NewSecret()),
	})
	if err != nil {
		return false, err
	}
	temp, err := os.CreateTemp(filepath.Dir(path), ".new-") // mode 0600
	if err != nil {
		return false, err
	}
	defer func() { _ = os.Remove(temp.Name()) }()
	_, err = temp.Write(append(text, '\n'))
	if err = errors.Join(err, temp.Sync(), temp.Close()); err != nil {
		return false, err
	}
	err = os.Link(temp.Name(), path)
	if errors.Is(err, fs.ErrExist) {
		return false, nil
	}
	return err == nil, err
}
