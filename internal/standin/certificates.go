package standin

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/portner-go/portner/client/businesscert"
)

// Certificates are the authorities whose business certificates are accepted (virksomhetssertifikat). Relative paths begin at
// the folder of the configuration file.
type Certificates struct {
	Roots         []string `json:"roots,omitempty"`
	Intermediates []string `json:"intermediates,omitempty"` // for clients that leave them out of x5c
	CRLs          []string `json:"crls,omitempty"`
}

// Resolve makes the paths relative to the folder of the configuration file.
func (c Certificates) Resolve(configFile string) {
	for _, files := range [][]string{c.Roots, c.Intermediates, c.CRLs} {
		for i, f := range files {
			if !filepath.IsAbs(f) {
				files[i] = filepath.Join(filepath.Dir(configFile), f)
			}
		}
	}
}

// Verifier returns the verifier of business certificates. It returns nil if no authority is trusted.
func (c Certificates) Verifier(log *slog.Logger) (*businesscert.Verifier, error) {
	if len(c.Roots) == 0 {
		if len(c.Intermediates)+len(c.CRLs) > 0 {
			return nil, errors.New("business_certificates.roots: is required beside intermediates and crls")
		}
		return nil, nil
	}
	roots, err := readPool("roots", c.Roots)
	if err != nil {
		return nil, err
	}
	intermediates, err := readPool("intermediates", c.Intermediates)
	if err != nil {
		return nil, err
	}
	cfg := businesscert.Config{Roots: roots, Intermediates: intermediates, Revocation: businesscert.InsecureNoRevocation{}, Lenient: true}
	if len(c.CRLs) == 0 {
		log.Warn("no revocation list: business certificates are valid until they expire")
		return businesscert.New(cfg)
	}
	lists, err := businesscert.NewCRLFiles(c.CRLs...)
	if err != nil {
		return nil, fmt.Errorf("business_certificates.crls: %w", err)
	}
	cfg.Revocation = &loggedLists{CRLFiles: lists, log: log}
	return businesscert.New(cfg)
}

// readPool reads the certificates of PEM files. It returns nil if there are no files.
func readPool(member string, files []string) (*x509.CertPool, error) {
	if len(files) == 0 {
		return nil, nil
	}
	pool := x509.NewCertPool()
	for _, file := range files {
		pem, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("business_certificates.%s: %w", member, err)
		}
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("business_certificates.%s: %s holds no certificate", member, file)
		}
	}
	return pool, nil
}

// loggedLists logs why lists are not accepted, once for each reason.
type loggedLists struct {
	*businesscert.CRLFiles
	log *slog.Logger

	mu   sync.Mutex
	last string // the reason that was logged last; "" if all lists are accepted
}

// Check implements businesscert.Revocation.
func (l *loggedLists) Check(ctx context.Context, leaf, issuer *x509.Certificate, now time.Time) error {
	err := l.CRLFiles.Check(ctx, leaf, issuer, now)
	var reason string
	if problem := l.Err(); problem != nil {
		reason = problem.Error()
	}
	l.mu.Lock()
	changed := reason != l.last
	l.last = reason
	l.mu.Unlock()
	switch {
	case changed && reason != "":
		l.log.ErrorContext(ctx, "revocation lists are not accepted", "member", "business_certificates.crls", "error", reason)
	case changed:
		l.log.InfoContext(ctx, "revocation lists are accepted again")
	}
	return err
}
