package httpx_test

import (
	"net/url"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/httpx"
)

// TestEveryByteInAValue: each byte, alone and between letters, is decoded as by net/url or rejected.
func TestEveryByteInAValue(t *testing.T) {
	t.Parallel()
	for c := range 256 {
		for _, value := range []string{string([]byte{byte(c)}), string([]byte{'a', byte(c), 'b'})} {
			if c == '&' {
				continue // ends the value
			}
			f, err := httpx.Parse("name=" + value)
			want, urlErr := url.QueryUnescape(value)
			if urlErr != nil || c == ';' || c < 0x20 || c == 0x7f || !utf8.ValidString(want) {
				require.Error(t, err, "%q", value)
				continue
			}
			require.NoError(t, err, "%q", value)
			require.Equal(t, want, f.Get("name"), "%q", value)
		}
	}
}
