package businesscert

import (
	"context"
	"crypto/x509"
	"time"
)

// CheckCRL is Check against the lists in data, for the fuzz test: no file is written.
func CheckCRL(data []byte, leaf, issuer *x509.Certificate, now time.Time) (status, err error) {
	lists, err := parseLists(data)
	if err != nil {
		return nil, err
	}
	f := &CRLFiles{looked: now}
	f.now.Store(&crlState{lists: lists})
	return f.Check(context.Background(), leaf, issuer, now), nil
}
