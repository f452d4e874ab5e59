// Package callers_test measures the programs below internal/callers: how many lines a host writes, and how many names of this
// module it must learn for them.
package callers_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/portner-go/portner"

// program is a parsed file.
type program struct {
	fset *token.FileSet
	file *ast.File
}

func parse(t *testing.T, name string) program {
	t.Helper()
	p := program{fset: token.NewFileSet()}
	var err error
	p.file, err = parser.ParseFile(p.fset, filepath.FromSlash(name), nil, parser.SkipObjectResolution)
	require.NoError(t, err)
	return p
}

// lines returns the number of lines of the file.
func (p program) lines() int { return p.fset.File(p.file.Pos()).LineCount() }

// function returns the number of lines of functions, without their comments.
func (p program) function(t *testing.T, names ...string) (lines int) {
	t.Helper()
	for _, name := range names {
		found := 0
		for _, d := range p.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Name.Name == name {
				found = p.fset.Position(f.End()).Line - p.fset.Position(f.Pos()).Line + 1
			}
		}
		require.NotZero(t, found, name)
		lines += found
	}
	return lines
}

// vocabulary returns the number of packages of this module that the file imports, and of different names package.Name in it.
func (p program) vocabulary() (packages, names int) {
	own := map[string]bool{}
	for _, spec := range p.file.Imports {
		imported, _ := strconv.Unquote(spec.Path.Value)
		if imported == module || strings.HasPrefix(imported, module+"/") {
			own[imported[strings.LastIndex(imported, "/")+1:]] = true
		}
	}
	seen := map[string]bool{}
	ast.Inspect(p.file, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := s.X.(*ast.Ident); ok && own[x.Name] {
				seen[x.Name+"."+s.Sel.Name] = true
			}
		}
		return true
	})
	return len(own), len(seen)
}

// TestCost holds the programs to their size. A change of the API that makes a host write more, or learn more names, fails here.
func TestCost(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		file            string
		functions       string // "" is the whole file
		lines           int
		packages, names int
	}{
		{"policies/pkce.go", "acceptChallenge redeem", 10, 1, 1},
		{"policies/acr.go", "sufficient", 8, 1, 2},
		{"policies/session.go", "loggedIn", 6, 1, 3},
		{"policies/norway.go", "testUser", 11, 1, 3},
		{"policies/scope.go", "decideScopes", 15, 1, 9},
		{"policies/pseudonym.go", "claimsFor", 16, 2, 6},
		{"embed/main.go", "", 96, 9, 23},
		{"embed/main.go", "claims", 10, 9, 23},
		{"cores/cores.go", "tokenEndpoint", 12, 5, 10},
		{"cores/cores.go", "introspection", 12, 5, 10},
		{"cores/cores.go", "pushedRequest", 12, 5, 10},
		{"cores/cores.go", "authorization", 12, 5, 10},
		{"cores/cores.go", "tokenHandler", 12, 5, 10},
		{"profile/profile.go", "", 59, 6, 14},
		{"resource/resource.go", "protect", 14, 3, 11},
		{"resource/resource.go", "allowed", 7, 3, 11},
		{"grant/grant.go", "", 47, 4, 13},
		{"store/store.go", "FinishRequest RotateRefreshToken", 45, 2, 6},
		{"testdata/app/kit/kit_test.go", "TestToken", 7, 2, 14},
		{"testdata/app/kit/kit_test.go", "TestRelyingParty", 8, 2, 14},
		{"testdata/app/kit/kit_test.go", "TestAPI", 12, 2, 14},
		{"testdata/app/kit/kit_test.go", "TestMachineClient", 7, 2, 14},
		{"testdata/app/kit/kit_test.go", "TestLogout", 13, 2, 14},
	} {
		p := parse(t, tt.file)
		lines := p.lines()
		if tt.functions != "" {
			lines = p.function(t, strings.Fields(tt.functions)...)
		}
		packages, names := p.vocabulary()
		t.Logf("%-22s %-34s %3d lines, %d packages, %2d names", tt.file, tt.functions, lines, packages, names)
		require.LessOrEqual(t, lines, tt.lines, "lines of %s %s", tt.file, tt.functions)
		require.LessOrEqual(t, packages, tt.packages, "packages of %s", tt.file)
		require.LessOrEqual(t, names, tt.names, "names of %s", tt.file)
	}
}
