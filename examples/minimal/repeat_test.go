package main

import (
	"net/http"
	"testing"

	"github.com/portner-go/portner/internal/optest"
)

// No path of the server leads to a redirect that repeats a POST (docs/threat-model.md A11).
func TestNoPathRepeatsAPost(t *testing.T) {
	t.Parallel()
	optest.RequireNoRepeat(t, &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, serve(t))
}
