package main

import (
	"bytes"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestNotices: the licences of Go and of every module that is compiled into a program go with it; here, into this test.
func TestNotices(t *testing.T) {
	t.Parallel()
	program, err := os.Executable()
	require.NoError(t, err)
	binary, err := os.ReadFile(program)
	require.NoError(t, err)
	got, err := notices(t.Context(), binary)
	require.NoError(t, err)
	for _, want := range []string{"==== Go go1.", "The Go Authors", "==== github.com/lestrrat-go/jwx/v2 v", "MIT License", "==== golang.org/x/crypto/x509roots/fallback v"} {
		require.Contains(t, string(got), want)
	}
	require.NotContains(t, string(got), "==== "+own)

	folder := t.TempDir()
	require.ErrorContains(t, notice(new(bytes.Buffer), "example.com/bare v1.0.0", folder), "example.com/bare v1.0.0: no licence")
	require.ErrorContains(t, notice(new(bytes.Buffer), "example.com/none v1.0.0", ""), "is not in the module cache")
	require.NoError(t, os.WriteFile(folder+"/LICENSE.md", []byte("the terms\n"), 0o600))
	var out bytes.Buffer
	require.NoError(t, notice(&out, "example.com/terms v1.0.0", folder))
	require.Equal(t, "==== example.com/terms v1.0.0: LICENSE.md ====\n\nthe terms\n\n", out.String())
}
