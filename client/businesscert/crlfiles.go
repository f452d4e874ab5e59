package businesscert

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/fields"
)

// lookEvery is the time between two looks for changed files, by the clock of Check.
const lookEvery = time.Second

// CRLFiles is a Revocation that reads revocation lists from files (RFC 5280 §5). It does not download lists: the host runs a job
// that does, such as a timer with curl.
//
// A file holds one list in DER, or PEM blocks of type "X509 CRL". CRLFiles reads it again when it has changed. To replace a
// file, write a new one and rename it.
//
// The newest list of each issuer stays in force until its nextUpdate: an older list (thisUpdate, then the CRL number) does not
// replace it, nor does a list that the issuer did not sign, a malformed file or a missing one. Distribution points are http, so whoever
// answers the job can send any of these. Err returns them.
type CRLFiles struct {
	paths []string
	state atomic.Pointer[crlState]

	mu      sync.Mutex // held while files are read
	looked  time.Time
	files   []crlFile // by path
	current map[string]*list
}

// crlFile is what was read from a path.
type crlFile struct {
	stamp  stamp
	read   bool
	failed error // of the last attempt to read it
	// first are lists of the first read, and last those of the last one. The issuer of a list is known when Check is called for a
	// certificate of it. Until then nothing tells which list is genuine.
	first, last []*list
}

// crlState is what Check uses. It is immutable.
type crlState struct {
	lists   []*list             // the newest one of each issuer and scope, with a verified signature
	issuers []*x509.Certificate // of the certificates that were checked
	err     error
}

// stamp changes if a file is replaced.
type stamp struct {
	size     int64
	modified time.Time
}

// NewCRLFiles reads the files. It reports every problem at once, as portner.FieldErrors: "paths[0]" is the first file.
func NewCRLFiles(paths ...string) (*CRLFiles, error) {
	if len(paths) == 0 {
		return nil, fmt.Errorf("businesscert: %w", &portner.FieldError{Field: "paths", Err: portner.ErrRequired})
	}
	f := newCRLFiles(paths...)
	if err := f.Reload(); err != nil {
		return nil, err
	}
	return f, nil
}

func newCRLFiles(paths ...string) *CRLFiles {
	f := &CRLFiles{paths: slices.Clone(paths), files: make([]crlFile, len(paths)), current: map[string]*list{}}
	f.state.Store(&crlState{})
	return f
}

// Reload reads all files now. It returns the error that Err returns then.
func (f *CRLFiles) Reload() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.read(true)
}

// Err returns the error of the last attempt to read changed files, and of the lists in them that are not accepted. Monitor it:
// without new lists every certificate is rejected after nextUpdate. A list is verified once a certificate of its issuer is checked;
// if an issuer has a new key under its old name, Err returns its list until then.
func (f *CRLFiles) Err() error { return f.state.Load().err }

// read reads the files that have changed, or all of them. The caller holds the lock.
func (f *CRLFiles) read(all bool) error {
	for i, path := range f.paths {
		f.files[i].failed = f.files[i].load(path, all)
	}
	return f.settle(f.state.Load().issuers)
}

// load reads the file if it has changed, or always. After an error the next look reads it again.
func (c *crlFile) load(path string, always bool) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	seen := stamp{info.Size(), info.ModTime()}
	if !always && seen == c.stamp {
		return nil
	}
	lists, err := readLists(path)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if !c.read {
		c.first, c.read = slices.Clone(lists), true
	}
	c.stamp, c.last = seen, lists
	return nil
}

// settle accepts the lists whose issuer is known and publishes the result. The caller holds the lock.
func (f *CRLFiles) settle(issuers []*x509.Certificate) error {
	var problems fields.Checker
	for i := range f.files {
		c := &f.files[i]
		c.first = slices.DeleteFunc(c.first, func(l *list) bool { return !errors.Is(f.accept(l, issuers), errNotSigned) })
		problems.Add(pathField(i), c.failed)
		for _, l := range c.last {
			if err := f.accept(l, issuers); err != nil && !errors.Is(err, errUnknownIssuer) {
				problems.Add(pathField(i), fmt.Errorf("%s: %w", f.paths[i], err))
			}
		}
	}
	err := problems.Err()
	if err != nil {
		err = fmt.Errorf("businesscert: revocation lists: %w", err)
	}
	f.state.Store(&crlState{slices.Collect(maps.Values(f.current)), issuers, err})
	return err
}

// Reasons why a list is not in force.
var (
	errNotSigned     = errors.New("a list that its issuer did not sign")
	errUnknownIssuer = fmt.Errorf("%w: the issuer is not known yet", errNotSigned)
	errOlder         = errors.New("a list that is older than the one in force")
)

// accept puts a list into force. The caller holds the lock.
func (f *CRLFiles) accept(l *list, issuers []*x509.Certificate) error {
	err := errUnknownIssuer
	for _, issuer := range issuers {
		if !bytes.Equal(l.RawIssuer, issuer.RawSubject) {
			continue
		}
		if !l.signedBy(issuer) {
			err = errNotSigned
			continue
		}
		key := string(issuer.RawSubject) + string(issuer.RawSubjectPublicKeyInfo) + l.point
		if held := f.current[key]; held != nil && l.olderThan(held) {
			return errOlder
		}
		f.current[key] = l
		return nil
	}
	return err
}

func pathField(i int) string { return fmt.Sprintf("paths[%d]", i) }

// look reads changed files if the last look was long ago. Concurrent calls return at once.
func (f *CRLFiles) look(now time.Time) {
	if !f.mu.TryLock() {
		return
	}
	defer f.mu.Unlock()
	if now.Sub(f.looked).Abs() < lookEvery {
		return
	}
	f.looked = now
	_ = f.read(false) // kept for Err
}

// learn makes the issuer of a certificate known. Its own issuer or a trust anchor signed it.
func (f *CRLFiles) learn(issuer *x509.Certificate) {
	if f.state.Load().knows(issuer) {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if s := f.state.Load(); !s.knows(issuer) {
		_ = f.settle(append(slices.Clip(s.issuers), issuer)) // kept for Err
	}
}

func (s *crlState) knows(issuer *x509.Certificate) bool {
	return slices.ContainsFunc(s.issuers, issuer.Equal)
}

// Check implements Revocation. A certificate is valid if a list of its issuer that is in force at now covers it and does not
// contain it. A certificate on hold is revoked.
func (f *CRLFiles) Check(_ context.Context, leaf, issuer *x509.Certificate, now time.Time) error {
	f.learn(issuer)
	f.look(now)
	known, outdated := false, false
	for _, l := range f.state.Load().lists {
		if !bytes.Equal(l.RawIssuer, issuer.RawSubject) || !l.covers(leaf) || !l.signedBy(issuer) {
			continue
		}
		switch {
		case now.Before(l.ThisUpdate) || !now.Before(l.NextUpdate):
			outdated = true
		case l.revoked[leaf.SerialNumber.String()]:
			return reject(ErrRevoked, "in the list of the issuer")
		default:
			known = true
		}
	}
	switch {
	case known:
		return nil
	case outdated:
		return reject(ErrRevocationUnknown, "the list of the issuer is not in force")
	}
	return reject(ErrRevocationUnknown, "no list of the issuer")
}
