package keyset_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/keyset"
)

// FuzzParsePEM: a key that is parsed is equal after MarshalPEM, and no error has a text of the file.
func FuzzParsePEM(f *testing.F) {
	text, err := os.ReadFile("testdata/rsa2048.pem")
	require.NoError(f, err)
	f.Add(text)
	for _, alg := range []string{keyset.ES256, keyset.EdDSA} {
		k, err := keyset.Generate(alg)
		require.NoError(f, err)
		text, err := keyset.MarshalPEM(k)
		require.NoError(f, err)
		f.Add(text)
		f.Add(append(text, text...))
		f.Add(text[:len(text)/2])
	}
	for _, text := range []string{"", "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		k, err := keyset.ParsePEM(data, "")
		if err != nil {
			require.Nil(t, k.Signer)
			return
		}
		again, err := keyset.MarshalPEM(k)
		require.NoError(t, err)
		other, err := keyset.ParsePEM(again, "")
		require.NoError(t, err)
		require.Equal(t, k, other)
	})
}

// FuzzKeyFile: the text of a key file that is accepted has a whole key with its thumbprint. The error of another one has no text of it.
func FuzzKeyFile(f *testing.F) {
	dir := keyset.Directory{Path: f.TempDir(), Alg: keyset.ES256}
	_, err := dir.Open()
	require.NoError(f, err)
	files, err := os.ReadDir(dir.Path)
	require.NoError(f, err)
	for _, file := range files {
		text, err := os.ReadFile(filepath.Join(dir.Path, file.Name()))
		require.NoError(f, err)
		f.Add(text)
		f.Add(bytes.Replace(text, []byte("ES256"), []byte("RS256"), 1))
		f.Add(append(text, text...))
		f.Add(text[:len(text)-2])
	}
	for _, text := range []string{"", "{}", "{}\n-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n", "{\"version\":2}\n-----BEGIN -----\n"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		k, err := keyset.ParseKeyFile(text)
		if err != nil {
			require.Nil(t, k.Signer)
			require.Less(t, len(err.Error()), 100)
			return
		}
		again, err := keyset.MarshalPEM(k)
		require.NoError(t, err)
		other, err := keyset.ParsePEM(again, k.Alg)
		require.NoError(t, err)
		require.Equal(t, k.KID, other.KID)
	})
}
