// Package standintest holds what tests of the stand-ins share.
package standintest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/portner-go/portner/internal/standin"
)

// RequireReload starts a server with the configuration before, and reloads it. observe returns what a client sees, which differs with the
// configuration after. A file with a problem, and one with another issuer and another member about keys, change nothing.
func RequireReload[S standin.Server](t *testing.T, start func(t *testing.T, args ...string) S, observe func(S) any, before, after string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config.json")
	write := func(text string) { must(t, os.WriteFile(file, []byte(text), 0o600)) }
	write(before)
	s := start(t, "-config", file)
	seen := observe(s)
	write(after)
	must(t, s.Reload(t.Context()))
	changed := observe(s)
	if changed == seen {
		t.Errorf("the server has the configuration from before: %v", seen)
	}

	write(`{"isuer":"x"`)
	if s.Reload(t.Context()) == nil || observe(s) != changed {
		t.Error("a file with a problem is in force")
	}
	write(`{"issuer":"http://localhost:1/","test_issuer":"http://localhost:1/","key_certificates":true}`)
	err := s.Reload(t.Context())
	for _, member := range []string{"issuer", "test_issuer", "key_certificates"} {
		if want := "\n" + member + ": has changed: this needs a restart"; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error %v does not contain %q", err, want)
		}
	}
	if observe(s) != changed {
		t.Error("a change that needs a restart is in force")
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
