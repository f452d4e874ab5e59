package bound

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzThumbprint: a thumbprint has one spelling, the one that encodes its 32 bytes.
func FuzzThumbprint(f *testing.F) {
	for _, s := range []string{
		"", "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I", "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4J", "0ZcOCORZNYy+DWpqq30jZyJGHTN0d2HglBV3uiguA4I",
		"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I=", strings.Repeat("A", 42), strings.Repeat("A", 44), strings.Repeat("A", 42) + "\n", strings.Repeat("\n", 43),
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		sum, err := base64.RawURLEncoding.DecodeString(value)
		want := err == nil && len(sum) == 32 && base64.RawURLEncoding.EncodeToString(sum) == value
		require.Equal(t, want, IsThumbprint(value), "%q", value)
	})
}
