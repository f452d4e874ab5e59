package fields

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPlainHTTP(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]bool{
		"localhost": true, "127.0.0.1": true, "127.9.9.9": true, "::1": true,
		"": false, "idporten": false, "idporten.example.no": false, "localhost.example.no": false, "10.0.0.1": false, "0.0.0.0": false,
	} {
		require.Equal(t, want, PlainHTTP(host), host)
	}
}

// TestPlainHTTPIsForNamedHosts: what one configuration allows at its hosts is not allowed at others.
func TestPlainHTTPIsForNamedHosts(t *testing.T) {
	t.Parallel()
	InsecureAllowPlainHTTP("named.example")
	require.True(t, PlainHTTP("named.example"))
	for _, host := range []string{"", "example", "other.example", "a.named.example", "named.example.no", "named.example:80"} {
		require.False(t, PlainHTTP(host), host)
	}
}
