package main

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/portner-go/portner/client/businesscert"
	"github.com/portner-go/portner/internal/testpki"
)

// certificates is the verifier of business certificates, nil if nobody is trusted.
func (s *server) certificates() (*businesscert.Verifier, error) {
	roots, crls := s.cfg.Certificates.Roots, s.cfg.Certificates.CRLs
	if dir := s.opt.testCA; dir != "" {
		if err := makeTestCA(dir, time.Now()); err != nil {
			return nil, fmt.Errorf("-testca: %w", err)
		}
		roots, crls = append(roots, filepath.Join(dir, "root.pem")), append(crls, filepath.Join(dir, "crl.pem"))
	}
	if len(roots) == 0 {
		return nil, nil
	}
	pool := x509.NewCertPool()
	for _, file := range roots {
		pem, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("business_certificates.roots: %w", err)
		}
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("business_certificates.roots: %s holds no certificate", file)
		}
	}
	cfg := businesscert.Config{Roots: pool, Revocation: businesscert.InsecureNoRevocation{}, Lenient: true}
	if len(crls) == 0 {
		s.log.Warn("no crls: business certificates are good until they expire")
		return businesscert.New(cfg)
	}
	lists, err := businesscert.NewCRLFiles(crls...)
	if err != nil {
		return nil, fmt.Errorf("business_certificates.crls: %w", err)
	}
	cfg.Revocation = lists
	return businesscert.New(cfg)
}

// makeTestCA makes what examples/maskinporten/testca makes, if it is not there.
func makeTestCA(dir string, now time.Time) error {
	if _, err := os.Stat(filepath.Join(dir, "root.pem")); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	set, err := testpki.NewSet(testpki.Options{
		Orgno: demoOrg, Name: "EKSEMPELVIRKSOMHETEN", OtherOrgno: demoCustomer, OtherName: "KUNDEN", Now: now,
	})
	if err != nil {
		return err
	}
	return set.Write(dir)
}

func pathOf(rawURL string) string {
	u, err := url.Parse(rawURL)
	if err != nil {
		return rawURL
	}
	return u.Path
}
