package main

import (
	"testing"

	"github.com/portner-go/portner/internal/optest"
	"github.com/portner-go/portner/internal/standin"
)

// No path of the server leads to a redirect that repeats a POST (docs/threat-model.md A11).
func TestNoPathRepeatsAPost(t *testing.T) {
	t.Parallel()
	s := start(t)
	optest.RequireNoRepeat(t, standin.TLS{}.Outgoing(), s.Issuer, "//mine", "/authorizations", "//authorizations/x", "//language")
}
