package maskinporten

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/portner-go/portner/client/businesscert"
	"github.com/portner-go/portner/internal/testpki"
)

// certificates returns the verifier of business certificates. It returns nil if no authority is trusted.
func (s *Server) certificates() (*businesscert.Verifier, error) {
	certs := s.Config.Certificates
	if dir := s.Options.TestCA; dir != "" {
		if err := MakeTestCA(dir, time.Now()); err != nil {
			return nil, fmt.Errorf("-testca: %w", err)
		}
		certs.Roots = append(slices.Clone(certs.Roots), filepath.Join(dir, "root.pem"))
		certs.Intermediates = append(slices.Clone(certs.Intermediates), filepath.Join(dir, "issuing.pem"))
		certs.CRLs = append(slices.Clone(certs.CRLs), filepath.Join(dir, "crl.pem"))
	}
	return certs.Verifier(s.Log)
}

// MakeTestCA creates the folder of portner ca if it does not exist.
func MakeTestCA(dir string, now time.Time) error {
	if _, err := os.Stat(filepath.Join(dir, "root.pem")); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	set, err := testpki.NewSet(testpki.Options{
		Orgno: DemoOrg, Name: "EKSEMPELVIRKSOMHETEN", OtherOrgno: DemoCustomer, OtherName: "KUNDEN", Now: now,
	})
	if err != nil {
		return err
	}
	return set.Write(dir)
}
