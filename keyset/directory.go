package keyset

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/fields"
	"github.com/portner-go/portner/storage"
)

const (
	// maxKeyFile bounds the size of a key file: a 4096-bit RSA key and a certificate chain are smaller.
	maxKeyFile = 64 << 10
	// tempPrefix begins the names of files that are being written.
	tempPrefix = ".new-"
	// tempAge is how long a temporary file is left alone: another node may be writing it.
	tempAge = time.Hour
)

// Directory keeps the keys of a provider in files, one per key, and rotates them. Several nodes may share it if the file system
// supports hard links. Every file is written once, and removed a day after its key has expired.
//
// To take a stolen key out of use, delete its file: the nodes drop the key at their next rotation, or when they are restarted. If
// it was the only file, restart them: Rotate returns an error for an empty directory and keeps the keys, and Open creates a new key.
type Directory struct {
	// Path is the directory. Required. It is created with mode 0700, and key files with mode 0600. They must belong to the user
	// of the process or to root.
	Path string
	// Alg is the algorithm of the keys. Required. A directory has keys of one algorithm.
	Alg string
	// Every is how long a key signs. The default is DefaultEvery; it must not be less than PublishLead.
	Every time.Duration
	// PublishLead is how long a key is published before it signs. The default is DefaultPublishLead. The minimum is 125
	// minutes: an hour until every node has loaded the key, and MinPublishLead.
	PublishLead time.Duration
	// Keep is how long a key is published after its last signature; see Rotation.Keep. The default is DefaultKeep.
	Keep time.Duration
	// Now is the clock of Open and Run. If nil, it is time.Now.
	Now func() time.Time
	// Logger receives the errors of Run. If nil, Run discards them.
	Logger *slog.Logger

	// Tests replace os.Link and (*os.File).Sync.
	link func(oldName, newName string) error
	sync func(*os.File) error
}

// Open returns the set of the keys in the directory. If there are no keys, it creates the first one, which signs at once. It
// reports every problem of the configuration and of the files at once.
func (d Directory) Open() (*Set, error) {
	if d.link == nil {
		d.link = os.Link
	}
	if d.sync == nil {
		d.sync = (*os.File).Sync
	}
	plan := schedule{alg: d.Alg, every: d.Every, lead: d.PublishLead, keep: d.Keep}.withDefaults()
	var c fields.Checker
	c.Require(d.Path != "", "Path")
	if d.Path != "" {
		c.Add("Path", checkDirectory(d.Path))
	}
	c.Join("", plan.check())
	if c.Err() == nil {
		if err := os.MkdirAll(d.Path, 0o700); err != nil {
			c.Add("Path", err)
		}
	}
	return open(context.Background(), &source{schedule: plan, keys: &directory{d}, clock: d.Now, logger: d.Logger}, &c)
}

// directory is the keyStore of a Directory.
type directory struct{ Directory }

// checkDirectory validates a directory, if it exists. Other users may list it, but not add files.
func checkDirectory(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !info.IsDir():
		return errors.New("is not a directory")
	}
	return checkAccess(info, 0o022)
}

// checkAccess rejects a file that another user than that of the process and root owns, because the owner can change its permissions,
// and a file with one of the forbidden permissions. Windows has neither.
func checkAccess(info fs.FileInfo, forbidden fs.FileMode) error {
	if owner, known := ownerOf(info); known && owner != 0 && owner != os.Geteuid() {
		return fmt.Errorf("belongs to user %d; it must belong to the user of the process, %d, or to root", owner, os.Geteuid())
	}
	if mode := info.Mode().Perm(); mode&forbidden != 0 && runtime.GOOS != "windows" {
		return fmt.Errorf("has mode %04o; it must be %04o", mode, mode&^forbidden)
	}
	return nil
}

// keyFileHeader is the first line of a key file. The PEM text of the key follows.
type keyFileHeader struct {
	Version     int       `json:"version"`
	KID         string    `json:"kid"`
	Alg         string    `json:"alg"`
	Created     time.Time `json:"created"`
	PublishFrom time.Time `json:"publish_from,omitzero"` // Created; absent in the first key of a directory
	ActiveFrom  time.Time `json:"active_from,omitzero"`
}

func pathError(err error) error { return &portner.FieldError{Field: "Path", Err: err} }

// insert writes the file of a key. Its number is claimed by linking the file, so if several nodes write the same number at the same
// time, one file remains.
func (d *directory) insert(_ context.Context, k storedKey) error {
	switch err := d.write(k); {
	case errors.Is(err, fs.ErrExist):
		return storage.ErrConflict
	case err != nil:
		return pathError(err)
	}
	return nil
}

// write writes a complete key file under its name, or returns fs.ErrExist.
func (d *directory) write(k storedKey) error {
	text, err := marshalKeyFile(k)
	if err != nil {
		return err
	}
	temp, err := os.CreateTemp(d.Path, tempPrefix) // mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(temp.Name()) }()
	_, err = temp.Write(text)
	if err == nil {
		err = d.sync(temp)
	}
	if err = errors.Join(err, temp.Close()); err != nil {
		return err
	}
	if err := d.link(temp.Name(), filepath.Join(d.Path, fileName(k.number))); err != nil {
		return err
	}
	return d.syncNames()
}

// syncNames makes the names in the directory durable. Windows cannot do it.
func (d *directory) syncNames() error {
	if runtime.GOOS == "windows" {
		return nil
	}
	dir, err := os.Open(d.Path)
	if err != nil {
		return err
	}
	return errors.Join(d.sync(dir), dir.Close())
}

// remove deletes the files of keys, and temporary files that a crash left behind.
func (d *directory) remove(_ context.Context, expired []storedKey, now time.Time) error {
	var errs []error
	remove := func(name string) {
		if err := os.Remove(filepath.Join(d.Path, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	for _, k := range expired {
		remove(fileName(k.number))
	}
	entries, err := os.ReadDir(d.Path)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), tempPrefix) {
			continue
		}
		if info, err := e.Info(); err == nil && now.Sub(info.ModTime()) > tempAge {
			remove(e.Name())
		}
	}
	return errors.Join(errs...)
}

func (d *directory) empty() error { return pathError(errors.New("has no key files")) }

var keyFileName = regexp.MustCompile(`^([0-9]{4,9})\.pem$`)

func fileName(number int64) string { return fmt.Sprintf("%04d.pem", number) }

// load reads every key file, in order. It reports every problem at once, with the name of the file as field. Names that begin
// with a dot are ignored.
func (d *directory) load(context.Context) ([]storedKey, error) {
	entries, err := os.ReadDir(d.Path)
	if err != nil {
		return nil, pathError(err)
	}
	var c fields.Checker
	var keys []storedKey
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		k, err := d.readFile(e)
		if errors.Is(err, fs.ErrNotExist) { // another node removed it
			continue
		}
		if err != nil {
			c.Add("Path/"+e.Name(), err)
			continue
		}
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b storedKey) int { return cmp.Compare(a.number, b.number) })
	for i := range keys {
		c.Add("Path/"+fileName(keys[i].number), checkOrder(keys[:i+1]))
	}
	return keys, c.Err()
}

// readFile reads and validates one key file.
func (d *directory) readFile(e fs.DirEntry) (storedKey, error) {
	parts := keyFileName.FindStringSubmatch(e.Name())
	if parts == nil || !e.Type().IsRegular() {
		return storedKey{}, errors.New("is not a key file")
	}
	number, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil || fileName(number) != e.Name() {
		return storedKey{}, errors.New("is not a key file")
	}
	info, err := e.Info()
	if err != nil {
		return storedKey{}, err
	}
	if err := checkAccess(info, 0o077); err != nil {
		return storedKey{}, err
	}
	if info.Size() > maxKeyFile {
		return storedKey{}, fmt.Errorf("is larger than %d bytes", maxKeyFile)
	}
	text, err := os.ReadFile(filepath.Join(d.Path, e.Name()))
	if err != nil {
		return storedKey{}, err
	}
	k, err := parseKeyFile(text)
	k.number = number
	if err == nil {
		err = checkAlg(k.key.Alg, d.Alg)
	}
	return k, err
}

func marshalKeyFile(k storedKey) ([]byte, error) {
	text, err := MarshalPEM(k.key)
	if err != nil {
		return nil, err
	}
	header, err := json.Marshal(keyFileHeader{
		Version: 1, KID: k.key.KID, Alg: k.key.Alg,
		Created: k.created.UTC(), PublishFrom: k.publishFrom().UTC(), ActiveFrom: k.activeFrom.UTC(),
	})
	if err != nil {
		return nil, err
	}
	return slices.Concat(header, []byte("\n"), text), nil
}

var errKeyFile = errors.New("is truncated or not a key file: want a line of JSON and the PEM text of a key")

// parseKeyFile parses the text of a key file. It drops the errors of parsers, which may quote the key.
func parseKeyFile(text []byte) (storedKey, error) {
	line, rest, ok := bytes.Cut(text, []byte("\n"))
	if !ok || !bytes.HasPrefix(rest, []byte("-----BEGIN ")) || !bytes.HasSuffix(rest, []byte("-----\n")) {
		return storedKey{}, errKeyFile
	}
	var h keyFileHeader
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&h); err != nil || decoder.More() {
		return storedKey{}, errKeyFile
	}
	if h.Version != 1 {
		return storedKey{}, fmt.Errorf("has version %d, not 1", h.Version)
	}
	if h.KID == "" || h.Created.IsZero() {
		return storedKey{}, errKeyFile
	}
	key, rest, err := parsePEM(rest, h.Alg)
	if err != nil || len(bytes.TrimSpace(rest)) > 0 {
		return storedKey{}, errKeyFile
	}
	if key.KID != h.KID {
		return storedKey{}, errors.New("has a kid that is not the thumbprint of its key")
	}
	k := storedKey{key: key, created: h.Created, activeFrom: h.ActiveFrom}
	if !h.PublishFrom.Equal(k.publishFrom()) {
		return storedKey{}, errors.New("is not published from when it was created")
	}
	return k, nil
}
