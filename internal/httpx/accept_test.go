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

func TestAccepts(t *testing.T) {
	t.Parallel()
	const media = "application/token-introspection+jwt"
	for accept, want := range map[string]struct {
		weight int
		named  bool
	}{
		media:                                   {1000, true},
		"Application/Token-Introspection+JWT":   {1000, true},
		media + ";q=0.5":                        {500, true},
		media + "; q=0":                         {0, true},
		media + ";q=0, */*":                     {0, true},
		"*/*;q=0.1, " + media:                   {1000, true},
		"application/json, " + media + ";q=0.2": {200, true},
		"*/*":                                   {1000, false},
		"application/*;q=0.3, */*":              {300, false},
		"*/*, application/*;q=0":                {0, false},
		"application/json":                      {0, false},
		media + "x":                             {0, false},
		"text/html, " + media + ";q=x":          {0, true},
		"":                                      {0, false},
		strings.Repeat("a/b,", 1000) + media:    {0, false},
	} {
		weight, named := httpx.Accepts(http.Header{"Accept": {accept}}, media)
		require.Equal(t, want.weight, weight, "%.80s", accept)
		require.Equal(t, want.named, named, "%.80s", accept)
	}
	weight, named := httpx.Accepts(nil, media)
	require.Equal(t, 1000, weight)
	require.False(t, named)
}
