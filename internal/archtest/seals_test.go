package archtest_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// sealed is one value that is sealed or derived under the secrets of a provider.
type sealed struct {
	file, constructor, purpose string
	// proved names the test that a value of another issuer with the same secrets is refused: a subtest of provider
	// TestValuesOfAnotherIssuer if the value is sealed for a browser or a store, and session TestVaultOfAnotherIssuer for what the
	// Vault returns. Values that are only compared with what is derived again are covered by internal/seal alone.
	proved string
}

const (
	byProvider = "provider/issuers_test.go"
	byVault    = "session/issuer_test.go"
	bySeal     = "internal/seal/derived_test.go"
	byNonces   = "dpop/nonce_test.go"
)

// Every value under the secrets of a provider is in this list, and bound to an issuer: internal/seal is the only package that derives
// keys (rule "seal"), its constructors are methods of seal.Keys, and seal.NewKeys receives the issuer of the configuration.
func TestSealedValues(t *testing.T) {
	t.Parallel()
	want := []sealed{
		{"authorize/endpoint.go", "Box", "authorize posted", byProvider},
		{"authorize/endpoint.go", "Box", "authorize pushed", byProvider},
		{"authorize/endpoint.go", "Box", "authorize waiting", byProvider},
		{"authorize/endpoint.go", "Tokens", "authorization code", bySeal},
		{"authorize/endpoint.go", "Tokens", "authorize csrf", bySeal},
		{"dpop/nonce.go", "Tokens", "DPoP nonce", "dpop/nonce_test.go"},
		{"internal/standin/changes/log.go", "Box", "configuration changes", "internal/standin/changes/changes_test.go"},
		{"keyset/shared.go", "Box", "signing key", "keyset/shared_test.go"},
		{"logout/endpoint.go", "Box", "logout", byProvider},
		{"session/vault.go", "Box", "authorization details", byVault},
		{"session/vault.go", "Box", "grant position", byVault},
		{"session/vault.go", "Box", "identity", byProvider},
		{"session/vault.go", "KeyedHash", "grant handle", byVault},
		{"session/vault.go", "KeyedHash", "sid", byVault},
		{"session/vault.go", "KeyedHash", "user", byVault},
		{"session/vault.go", "Tokens", "refresh token", byVault},
		{"session/vault.go", "Tokens", "session cookie", byVault},
	}
	found, issuers := sealedValues(t, "../..")
	for i := range found {
		if j := slices.IndexFunc(want, func(w sealed) bool { w.proved = ""; return w == found[i] }); j >= 0 {
			found[i].proved = want[j].proved
		}
	}
	require.Equal(t, want, found)
	require.Equal(t, map[string]string{
		"authorize/endpoint.go": "cfg.Issuer", "dpop/nonce.go": "server", "internal/standin/changes/log.go": "issuer", "keyset/shared.go": "h.Set", "logout/endpoint.go": "cfg.Issuer",
		"session/vault.go": "issuer",
	}, issuers)
	for _, w := range want {
		test, err := os.ReadFile("../../" + w.proved)
		require.NoError(t, err)
		if w.proved != bySeal {
			require.Contains(t, string(test), strconv.Quote(w.purpose), "%s has no subtest of that name", w.proved)
		}
	}
}

// sealedValues returns the calls of the constructors of seal.Keys, and the first argument of each seal.NewKeys by file.
func sealedValues(t *testing.T, root string) (found []sealed, issuers map[string]string) {
	t.Helper()
	issuers = map[string]string{}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && name != root && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".")) {
			return cmpSkip(err)
		}
		rel, _ := filepath.Rel(root, name)
		if d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") || under(filepath.ToSlash(rel), "internal/seal") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil || !slices.ContainsFunc(f.Imports, func(s *ast.ImportSpec) bool { _, own := importPath(s); return own == "internal/seal" }) {
			return err
		}
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) == 0 {
				return true
			}
			s, ok := call.Fun.(*ast.SelectorExpr)
			switch {
			case !ok:
			case s.Sel.Name == "NewKeys":
				issuers[filepath.ToSlash(rel)] = text(call.Args[0])
			case slices.Contains([]string{"Box", "Tokens", "KeyedHash"}, s.Sel.Name):
				found = append(found, sealed{file: filepath.ToSlash(rel), constructor: s.Sel.Name, purpose: text(call.Args[0])})
			}
			return true
		})
		return nil
	})
	require.NoError(t, err)
	slices.SortFunc(found, func(a, b sealed) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	return found, issuers
}

func cmpSkip(err error) error {
	if err != nil {
		return err
	}
	return fs.SkipDir
}

// text returns a name, a selector or the value of a string as text.
func text(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		s, _ := strconv.Unquote(e.Value) // the parser has checked it
		return s
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return text(e.X) + "." + e.Sel.Name
	}
	return fmt.Sprintf("%T", e)
}
