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
	"sync"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/fields"
)

// DefaultEvery is how long a key of a Directory signs.
const DefaultEvery = 90 * 24 * time.Hour

const (
	// rotateInterval is how often Run calls Rotate.
	rotateInterval = time.Hour
	// minDirectoryLead leaves every node an interval to load a new key, and every client the max-age of the JWKS.
	minDirectoryLead = MinPublishLead + rotateInterval
	// maxKeyFile bounds the size of a key file: a 4096-bit RSA key and a certificate chain are smaller.
	maxKeyFile = 64 << 10
	// tempPrefix begins the names of files that are being written.
	tempPrefix = ".new-"
)

// Directory keeps the keys of a provider in files, one per key, and rotates them. Several nodes may share it if the file system
// supports hard links. Every file is written once, and removed when its key has expired.
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

// directory is the state behind a Set that comes from a Directory.
type directory struct {
	Directory
	rotating sync.Mutex // held while files are read and written
}

// Open returns the set of the keys in the directory. If there are no keys, it creates the first one, which signs at once. It
// reports every problem of the configuration and of the files at once.
func (d Directory) Open() (*Set, error) {
	d = d.withDefaults()
	dir := &directory{Directory: d}
	s := &Set{
		defaultAlg: d.Alg, directory: dir,
		// The lead of a stored key was decided when its file was written. A longer lead now must not make it invalid.
		rotation: Rotation{PublishLead: MinPublishLead, Keep: d.Keep},
	}
	var c fields.Checker
	c.Join("", d.check())
	if c.Err() == nil {
		c.Join("", s.openDirectory(d.Now()))
	}
	if err := c.Err(); err != nil {
		return nil, fmt.Errorf("keyset: %w", err)
	}
	return s, nil
}

func (d Directory) withDefaults() Directory {
	d.Every = cmp.Or(d.Every, DefaultEvery)
	d.PublishLead = cmp.Or(d.PublishLead, DefaultPublishLead)
	d.Keep = cmp.Or(d.Keep, DefaultKeep)
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.link == nil {
		d.link = os.Link
	}
	if d.sync == nil {
		d.sync = (*os.File).Sync
	}
	if d.Logger == nil {
		d.Logger = slog.New(slog.DiscardHandler)
	}
	return d
}

func (d Directory) check() error {
	var c fields.Checker
	c.Require(d.Path != "", "Path")
	if d.Path != "" {
		c.Add("Path", checkDirectory(d.Path))
	}
	c.Require(d.Alg != "", "Alg")
	c.Want(d.Alg == "" || slices.Contains(supported, d.Alg), "Alg", "must be one of "+strings.Join(supported, ", "))
	c.Want(d.PublishLead >= minDirectoryLead, "PublishLead", fmt.Sprintf("must be at least %v", minDirectoryLead))
	c.Want(d.Every >= d.PublishLead, "Every", "must not be less than PublishLead")
	c.Want(d.Keep >= 0, "Keep", "must not be negative")
	return c.Err()
}

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

// Rotate loads the keys that other nodes added, creates a successor if the newest key is due, and removes expired keys. It returns
// an error for a set that does not come from a Directory. If there is no key file, or a file is invalid or cannot be
// read or written, it returns an error and the keys of the set are unchanged. An expired file that cannot be deleted is an error too.
func (s *Set) Rotate(ctx context.Context, now time.Time) error {
	if s.directory == nil {
		return errors.New("keyset: the set does not come from a Directory")
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("keyset: rotating: %w", err)
	}
	if err := s.rotateDirectory(now); err != nil {
		return fmt.Errorf("keyset: rotating: %w", err)
	}
	return nil
}

// Run calls Rotate at once and then every hour until ctx is done, and logs its errors to Directory.Logger. It returns at once
// if the set does not come from a Directory.
func (s *Set) Run(ctx context.Context) {
	if s.directory == nil {
		return
	}
	ticker := time.NewTicker(rotateInterval)
	defer ticker.Stop()
	for ctx.Err() == nil {
		if err := s.Rotate(ctx, s.directory.Now()); err != nil && ctx.Err() == nil {
			s.directory.Logger.LogAttrs(ctx, slog.LevelError, "key rotation failed", slog.Any("error", err))
		}
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
	}
}

// openDirectory loads the keys, and creates the first one.
func (s *Set) openDirectory(now time.Time) error {
	d := s.directory
	d.rotating.Lock()
	defer d.rotating.Unlock()
	if err := os.MkdirAll(d.Path, 0o700); err != nil {
		return pathError(err)
	}
	files, err := d.load()
	if err == nil && len(files) == 0 {
		files, err = d.create(files, now)
	}
	if err != nil {
		return err
	}
	return s.use(files, now)
}

// rotateDirectory rotates the keys. It does not create a first key: a directory that became empty may be a volume that is no
// longer mounted.
func (s *Set) rotateDirectory(now time.Time) error {
	d := s.directory
	d.rotating.Lock()
	defer d.rotating.Unlock()
	files, err := d.load()
	if err == nil && len(files) == 0 {
		err = pathError(errors.New("has no key files"))
	}
	if err == nil && d.isDue(files[len(files)-1], now) {
		files, err = d.create(files, now)
	}
	if err != nil {
		return err
	}
	if err := s.use(files, now); err != nil {
		return err
	}
	return d.removeExpired(files, now)
}

// use makes the keys of the files those of the set.
func (s *Set) use(files []keyFile, now time.Time) error {
	var keys []Key
	for i, f := range files {
		life := s.directory.lifeOf(files, i, now)
		if life.Phase(now) == Removed {
			continue
		}
		f.key.Life = life
		keys = append(keys, f.key)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.replace(keys, s.prepared)
}

// keyFile is the content of a key file: a line of JSON, and the PEM text of the key. Retirement and removal derive from the
// file of the successor, so a file is never changed.
type keyFile struct {
	number int
	key    Key
	header keyFileHeader
}

// keyFileHeader is the first line of a key file.
type keyFileHeader struct {
	Version     int       `json:"version"`
	KID         string    `json:"kid"`
	Alg         string    `json:"alg"`
	Created     time.Time `json:"created"`
	PublishFrom time.Time `json:"publish_from,omitzero"` // zero for the first key of a directory
	ActiveFrom  time.Time `json:"active_from,omitzero"`
}

// activeFrom returns when the key began to sign, or when it was created if it signed from the start.
func (f keyFile) activeFrom() time.Time {
	if f.header.ActiveFrom.IsZero() {
		return f.header.Created
	}
	return f.header.ActiveFrom
}

// lifeOf derives the life of a key from its file and that of its successor.
func (d *directory) lifeOf(files []keyFile, i int, now time.Time) Life {
	life := Life{PublishFrom: files[i].header.PublishFrom, ActiveFrom: files[i].header.ActiveFrom}
	if i == 0 && life.ActiveFrom.After(now) { // the file of the predecessor was deleted: one key must sign
		life.PublishFrom, life.ActiveFrom = time.Time{}, time.Time{}
	}
	if i+1 < len(files) {
		life.RetireAt = files[i+1].activeFrom()
		life.RemoveAt = life.RetireAt.Add(d.Keep)
	}
	return life
}

// isDue reports whether the newest key needs a successor now.
func (d *directory) isDue(newest keyFile, now time.Time) bool {
	return !now.Before(newest.activeFrom().Add(d.Every - d.PublishLead))
}

// create writes the file of the next key and loads the directory again. The number of a file is claimed by linking it, so if
// several nodes create a successor at the same time, one file remains and every node uses it.
func (d *directory) create(files []keyFile, now time.Time) ([]keyFile, error) {
	key, err := Generate(d.Alg)
	if err != nil {
		return nil, err
	}
	f := keyFile{number: 1, key: key, header: keyFileHeader{Version: 1, KID: key.KID, Alg: key.Alg, Created: now.UTC()}}
	if len(files) > 0 {
		newest := files[len(files)-1]
		f.number = newest.number + 1
		f.header.PublishFrom, f.header.ActiveFrom = now.UTC(), now.Add(d.PublishLead).UTC()
		if planned := newest.activeFrom().Add(d.Every); planned.After(f.header.ActiveFrom) {
			f.header.ActiveFrom = planned.UTC()
		}
	}
	if err := d.write(f); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, pathError(err)
	}
	return d.load()
}

func pathError(err error) error { return &portner.FieldError{Field: "Path", Err: err} }

// write writes a complete key file under its name, or returns fs.ErrExist.
func (d *directory) write(f keyFile) error {
	text, err := f.marshal()
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
	if err := d.link(temp.Name(), filepath.Join(d.Path, fileName(f.number))); err != nil {
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

// removeExpired deletes the files of removed keys, and temporary files that a crash left behind.
func (d *directory) removeExpired(files []keyFile, now time.Time) error {
	var errs []error
	remove := func(name string) {
		if err := os.Remove(filepath.Join(d.Path, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	for i, f := range files {
		if d.lifeOf(files, i, now).Phase(now) == Removed {
			remove(fileName(f.number))
		}
	}
	entries, err := os.ReadDir(d.Path)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), tempPrefix) {
			continue
		}
		if info, err := e.Info(); err == nil && now.Sub(info.ModTime()) > rotateInterval {
			remove(e.Name())
		}
	}
	return errors.Join(errs...)
}

var keyFileName = regexp.MustCompile(`^([0-9]{4,9})\.pem$`)

func fileName(number int) string { return fmt.Sprintf("%04d.pem", number) }

// load reads every key file, in order. It reports every problem at once, with the name of the file as field. Names that begin
// with a dot are ignored.
func (d *directory) load() ([]keyFile, error) {
	entries, err := os.ReadDir(d.Path)
	if err != nil {
		return nil, pathError(err)
	}
	var c fields.Checker
	var files []keyFile
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		f, err := d.readFile(e)
		if errors.Is(err, fs.ErrNotExist) { // another node removed it
			continue
		}
		if err != nil {
			c.Add("Path/"+e.Name(), err)
			continue
		}
		files = append(files, f)
	}
	slices.SortFunc(files, func(a, b keyFile) int { return cmp.Compare(a.number, b.number) })
	for i, f := range files {
		c.Add("Path/"+fileName(f.number), f.checkOrder(files[:i]))
	}
	return files, c.Err()
}

// checkOrder validates the instants of a key against those of the keys before it.
func (f keyFile) checkOrder(before []keyFile) error {
	h := f.header
	if h.ActiveFrom.IsZero() != h.PublishFrom.IsZero() || !h.ActiveFrom.IsZero() && h.ActiveFrom.Sub(h.PublishFrom) < MinPublishLead {
		return fmt.Errorf("must be published for %v before it signs", MinPublishLead)
	}
	if len(before) == 0 {
		return nil
	}
	if previous := before[len(before)-1]; h.ActiveFrom.IsZero() || !previous.activeFrom().Before(h.ActiveFrom) {
		return fmt.Errorf("must begin to sign after %s", fileName(previous.number))
	}
	for _, other := range before {
		if other.header.KID == h.KID {
			return fmt.Errorf("has the same key as %s", fileName(other.number))
		}
	}
	return nil
}

// readFile reads and validates one key file.
func (d *directory) readFile(e fs.DirEntry) (keyFile, error) {
	parts := keyFileName.FindStringSubmatch(e.Name())
	if parts == nil || !e.Type().IsRegular() {
		return keyFile{}, errors.New("is not a key file")
	}
	number, err := strconv.Atoi(parts[1])
	if err != nil || fileName(number) != e.Name() {
		return keyFile{}, errors.New("is not a key file")
	}
	info, err := e.Info()
	if err != nil {
		return keyFile{}, err
	}
	if err := checkAccess(info, 0o077); err != nil {
		return keyFile{}, err
	}
	if info.Size() > maxKeyFile {
		return keyFile{}, fmt.Errorf("is larger than %d bytes", maxKeyFile)
	}
	text, err := os.ReadFile(filepath.Join(d.Path, e.Name()))
	if err != nil {
		return keyFile{}, err
	}
	f, err := parseKeyFile(text)
	f.number = number
	if err == nil && f.key.Alg != d.Alg {
		err = fmt.Errorf("has a key for %s, not for %s", f.key.Alg, d.Alg)
	}
	return f, err
}

func (f keyFile) marshal() ([]byte, error) {
	text, err := MarshalPEM(f.key)
	if err != nil {
		return nil, err
	}
	header, err := json.Marshal(f.header)
	if err != nil {
		return nil, err
	}
	return slices.Concat(header, []byte("\n"), text), nil
}

var errKeyFile = errors.New("is truncated or not a key file: want a line of JSON and the PEM text of a key")

// parseKeyFile parses the text of a key file. It drops the errors of parsers, which may quote the key.
func parseKeyFile(text []byte) (keyFile, error) {
	line, rest, ok := bytes.Cut(text, []byte("\n"))
	if !ok || !bytes.HasPrefix(rest, []byte("-----BEGIN ")) || !bytes.HasSuffix(rest, []byte("-----\n")) {
		return keyFile{}, errKeyFile
	}
	var f keyFile
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&f.header); err != nil || decoder.More() {
		return keyFile{}, errKeyFile
	}
	if f.header.Version != 1 {
		return keyFile{}, fmt.Errorf("has version %d, not 1", f.header.Version)
	}
	if f.header.KID == "" || f.header.Created.IsZero() {
		return keyFile{}, errKeyFile
	}
	key, rest, err := parsePEM(rest, f.header.Alg)
	if err != nil || len(bytes.TrimSpace(rest)) > 0 {
		return keyFile{}, errKeyFile
	}
	if key.KID != f.header.KID {
		return keyFile{}, errors.New("has a kid that is not the thumbprint of its key")
	}
	f.key = key
	return f, nil
}
