package authorize_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/internal/fields"
)

// TestPlainHTTPIsForLoopback checks that only a provider whose issuer and pages are on loopback can have cookies that are not Secure.
func TestPlainHTTPIsForLoopback(t *testing.T) {
	t.Parallel()
	for url, want := range map[[2]string][]string{
		{"https://login.example.no", "https://login.example.no/authorize"}:      nil,
		{"https://login.example.no", "https://browser.example.no/authorize"}:    nil,
		{"http://localhost:8080", "http://localhost:8080/authorize"}:            nil,
		{"http://localhost:8080", "https://browser.example.no/authorize"}:       nil,
		{"https://login.example.no", "http://login.example.no/authorize"}:       {"URL"},
		{"https://login.example.no", "HTTP://browser.example.no/authorize"}:     {"URL"},
		{"https://login.example.no", "http://localhost:8080/authorize"}:         {"URL"},
		{"http://localhost:8080", "http://localhost.example.no:8080/authorize"}: {"URL"},
		{"http://login.example.no", "https://login.example.no/authorize"}:       {"Issuer"},
		{"http://login.example.no", ""}:                                         {"Issuer"},
	} {
		cfg := validConfig(t)
		cfg.Issuer, cfg.URL = url[0], url[1]
		_, err := authorize.New(cfg)
		if want == nil {
			require.NoError(t, err, url)
			continue
		}
		require.Equal(t, want, fields.Names(err), url)
	}
}
