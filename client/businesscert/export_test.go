package businesscert

import (
	"context"
	"crypto/x509"
	"time"
)

// CheckCRL is Check with the lists in data, without a file, for the fuzz test.
func CheckCRL(data []byte, leaf, issuer *x509.Certificate, now time.Time) (status, err error) {
	lists, err := parseLists(data)
	if err != nil {
		return nil, err
	}
	f := newCRLFiles("data")
	f.looked, f.files[0].last = now, lists
	return f.Check(context.Background(), leaf, issuer, now), nil
}
