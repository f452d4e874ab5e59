package httpx_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/httpx"
)

func TestAcceptsHTML(t *testing.T) {
	t.Parallel()
	for accept, want := range map[string]bool{
		"text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8": true,
		"text/html":        true,
		"Text/HTML; q=0.5": true,
		"application/json;q=0.5, text/html;q=0.6": true,
		"application/json, text/html":             true,
		"application/json, text/html;q=0.9":       false,
		"application/json":                        false,
		"*/*":                                     false,
		"text/*":                                  false,
		"text/html;q=0":                           false,
		"text/html;q=x":                           false,
		"text/htmlx, xtext/html":                  false,
		"":                                        false,
		strings.Repeat("a/b,", 1000) + "text/html": false,
	} {
		require.Equal(t, want, httpx.AcceptsHTML(http.Header{"Accept": {accept}}), "%.80s", accept)
	}
	require.False(t, httpx.AcceptsHTML(nil))
	require.True(t, httpx.AcceptsHTML(http.Header{"Accept": {"application/json;q=0.1", "text/html"}}))
}
