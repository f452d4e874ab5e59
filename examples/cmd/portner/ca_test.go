package main

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/portner-go/portner/client/businesscert"
	"github.com/stretchr/testify/require"
)

// The verifier reads the files of the program and rejects the invalid certificates for the expected reasons.
func TestCA(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "ca")
	require.NoError(t, ca(t, dir))
	roots := x509.NewCertPool()
	root, err := os.ReadFile(filepath.Join(dir, "root.pem"))
	require.NoError(t, err)
	require.True(t, roots.AppendCertsFromPEM(root))
	lists, err := businesscert.NewCRLFiles(filepath.Join(dir, "crl.pem"))
	require.NoError(t, err)
	v, err := businesscert.New(businesscert.Config{Roots: roots, Revocation: lists})
	require.NoError(t, err)

	for name, want := range map[string]struct {
		orgno, class string
		err          error
	}{
		"seid1":   {"991825827", businesscert.Business, nil},
		"seid2":   {"991825827", businesscert.QCForESeal, nil},
		"other":   {"910753614", businesscert.QCForESeal, nil},
		"expired": {"", "", businesscert.ErrExpired},
		"revoked": {"", "", businesscert.ErrRevoked},
	} {
		pair, err := tls.LoadX509KeyPair(filepath.Join(dir, name+".pem"), filepath.Join(dir, name+".key.pem")) // the key fits
		require.NoError(t, err, name)
		got, err := v.Verify(t.Context(), pair.Certificate, time.Now())
		require.ErrorIs(t, err, want.err, name)
		require.Equal(t, want.orgno, got.Orgno, name)
		require.Equal(t, want.class, got.Class, name)
		info, err := os.Stat(filepath.Join(dir, name+".key.pem"))
		require.NoError(t, err)
		require.Equal(t, fs.FileMode(0o600), info.Mode().Perm())
	}
	issuing, err := os.ReadFile(filepath.Join(dir, "issuing.pem"))
	require.NoError(t, err)
	intermediates := x509.NewCertPool()
	require.True(t, intermediates.AppendCertsFromPEM(issuing))
	completed, err := businesscert.New(businesscert.Config{Roots: roots, Intermediates: intermediates, Revocation: lists})
	require.NoError(t, err)
	for _, name := range []string{"seid1", "seid2"} { // the certificate alone
		pair, err := tls.LoadX509KeyPair(filepath.Join(dir, name+".pem"), filepath.Join(dir, name+".key.pem"))
		require.NoError(t, err, name)
		_, err = completed.Verify(t.Context(), pair.Certificate[:1], time.Now())
		require.NoError(t, err, name)
		_, err = v.Verify(t.Context(), pair.Certificate[:1], time.Now())
		require.ErrorIs(t, err, businesscert.ErrIncomplete, name)
	}

	require.ErrorIs(t, ca(t, dir), fs.ErrExist, "keys are never replaced")
	require.Error(t, ca(t))
	require.ErrorContains(t, ca(t, dir, "-orgno", "991825828"), "991825828")
}

func ca(t *testing.T, args ...string) error {
	t.Helper()
	return makeCA(t.Context(), args, io.Discard, io.Discard)
}
