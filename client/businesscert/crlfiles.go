package businesscert

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// lookEvery is how often the files are looked at, by the clock of the checks.
const lookEvery = time.Second

// CRLFiles is a Revocation that knows the revocation lists in some files (RFC 5280 chapter 5). Fetching
// the lists is somebody else's work; a timer with curl will do.
//
// A file holds lists in DER, or PEM blocks of type "X509 CRL". It is read again when it has changed.
// Replace it by renaming: a file that cannot be read leaves the lists it had before in force, until their
// nextUpdate, and Err says so.
type CRLFiles struct {
	paths []string
	now   atomic.Pointer[crlState] // what checks use

	mu     sync.Mutex // one reader of files at a time
	looked time.Time
	stamps []stamp
	lists  [][]*list // by path
}

// crlState is never changed once it is visible.
type crlState struct {
	lists []*list
	err   error
}

// stamp is how a change of a file shows.
type stamp struct {
	size     int64
	modified time.Time
}

// NewCRLFiles reads the files and reports all that is wrong with them at once.
func NewCRLFiles(paths ...string) (*CRLFiles, error) {
	if len(paths) == 0 {
		return nil, errors.New("businesscert: no files with revocation lists")
	}
	f := &CRLFiles{paths: slices.Clone(paths), stamps: make([]stamp, len(paths)), lists: make([][]*list, len(paths))}
	if err := f.Reload(); err != nil {
		return nil, err
	}
	return f, nil
}

// Reload reads all files now. An error leaves the lists of the files it is about as they were.
func (f *CRLFiles) Reload() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.read(true)
}

// Err is what was wrong with the files the last time they were looked at. Watch it: without new lists
// every certificate is refused in the end.
func (f *CRLFiles) Err() error { return f.now.Load().err }

// read reads the files that have changed, or all of them.
func (f *CRLFiles) read(all bool) error {
	var problems []error
	for i, path := range f.paths {
		info, err := os.Stat(path)
		if err != nil {
			problems = append(problems, fmt.Errorf("businesscert: revocation list: %w", err))
			continue
		}
		seen := stamp{info.Size(), info.ModTime()}
		if !all && seen == f.stamps[i] {
			continue
		}
		lists, err := readLists(path)
		if err != nil {
			problems = append(problems, fmt.Errorf("businesscert: revocation list %s: %w", path, err))
			continue // the stamp stays old, so the next look tries again
		}
		f.stamps[i], f.lists[i] = seen, lists
	}
	err := errors.Join(problems...)
	f.now.Store(&crlState{slices.Concat(f.lists...), err})
	return err
}

// look reads changed files once in a while. Who comes meanwhile uses what there is.
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

// Check implements Revocation. A certificate is good if a list of its issuer that is in force at now
// covers it and does not name it. A certificate on hold is revoked.
func (f *CRLFiles) Check(_ context.Context, leaf, issuer *x509.Certificate, now time.Time) error {
	f.look(now)
	known, outdated := false, false
	for _, l := range f.now.Load().lists {
		if !bytes.Equal(l.RawIssuer, issuer.RawSubject) || !l.covers(leaf) || !l.signedBy(issuer) {
			continue
		}
		switch {
		case now.Before(l.ThisUpdate) || !now.Before(l.NextUpdate):
			outdated = true
		case l.revoked[leaf.SerialNumber.String()]:
			return refuse(ErrRevoked, "on the issuer's list")
		default:
			known = true
		}
	}
	switch {
	case known:
		return nil
	case outdated:
		return refuse(ErrRevocationUnknown, "the issuer's list is not in force")
	}
	return refuse(ErrRevocationUnknown, "no list of the issuer")
}
