package standin

import (
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"

	"github.com/portner-go/portner/client/businesscert"
)

// Certificates are the authorities whose business certificates are accepted (virksomhetssertifikat). Relative paths begin at
// the folder of the configuration file.
type Certificates struct {
	Roots []string `json:"roots,omitempty"`
	CRLs  []string `json:"crls,omitempty"`
}

// Verifier returns the verifier of business certificates. It returns nil if no authority is trusted.
func (c Certificates) Verifier(log *slog.Logger) (*businesscert.Verifier, error) {
	if len(c.Roots) == 0 {
		return nil, nil
	}
	pool := x509.NewCertPool()
	for _, file := range c.Roots {
		pem, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("business_certificates.roots: %w", err)
		}
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("business_certificates.roots: %s holds no certificate", file)
		}
	}
	cfg := businesscert.Config{Roots: pool, Revocation: businesscert.InsecureNoRevocation{}, Lenient: true}
	if len(c.CRLs) == 0 {
		log.Warn("no revocation list: business certificates are valid until they expire")
		return businesscert.New(cfg)
	}
	lists, err := businesscert.NewCRLFiles(c.CRLs...)
	if err != nil {
		return nil, fmt.Errorf("business_certificates.crls: %w", err)
	}
	cfg.Revocation = lists
	return businesscert.New(cfg)
}
