package businesscert

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
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
// file, write a new one and rename it. If a file cannot be read, its former lists stay in force until their nextUpdate, and Err
// returns the error.
type CRLFiles struct {
	paths []string
	state atomic.Pointer[crlState] // the lists that Check uses

	mu     sync.Mutex // held while files are read
	looked time.Time
	stamps []stamp
	lists  [][]*list // by path
}

// crlState is immutable.
type crlState struct {
	lists []*list
	err   error
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
	f := &CRLFiles{paths: slices.Clone(paths), stamps: make([]stamp, len(paths)), lists: make([][]*list, len(paths))}
	if err := f.Reload(); err != nil {
		return nil, err
	}
	return f, nil
}

// Reload reads all files now. The files that it returns an error for keep their former lists.
func (f *CRLFiles) Reload() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.read(true)
}

// Err returns the error of the last attempt to read changed files. Monitor it: without new lists every certificate is rejected
// after nextUpdate.
func (f *CRLFiles) Err() error { return f.state.Load().err }

// read reads the files that have changed, or all of them.
func (f *CRLFiles) read(all bool) error {
	var problems fields.Checker
	for i, path := range f.paths {
		info, err := os.Stat(path)
		if err != nil {
			problems.Add(pathField(i), err)
			continue
		}
		seen := stamp{info.Size(), info.ModTime()}
		if !all && seen == f.stamps[i] {
			continue
		}
		lists, err := readLists(path)
		if err != nil {
			problems.Add(pathField(i), fmt.Errorf("%s: %w", path, err))
			continue // the stamp stays, so that the next look reads the file again
		}
		f.stamps[i], f.lists[i] = seen, lists
	}
	err := problems.Err()
	if err != nil {
		err = fmt.Errorf("businesscert: revocation lists: %w", err)
	}
	f.state.Store(&crlState{slices.Concat(f.lists...), err})
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

// Check implements Revocation. A certificate is valid if a list of its issuer that is in force at now covers it and does not
// contain it. A certificate on hold is revoked.
func (f *CRLFiles) Check(_ context.Context, leaf, issuer *x509.Certificate, now time.Time) error {
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
