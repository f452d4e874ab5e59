package main

import (
	"bytes"
	"testing"

	"github.com/portner-go/portner/internal/standin/maskinporten"
	"github.com/portner-go/portner/internal/standin/standintest"
)

// TestReload: there are no tokens for a scope that a reloaded configuration disables.
func TestReload(t *testing.T) {
	t.Parallel()
	standintest.RequireReload(t, start, func(s *maskinporten.Server) any {
		var out, errs bytes.Buffer
		return run(t.Context(), []string{"-print-token", "-issuer", s.Issuer}, &out, &errs)
	}, `{}`, `{"scopes":[{"name":"`+maskinporten.DemoScope+`","owner_orgno":"991825827","active":false}]}`)
}
