package archtest_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestServersHaveTimeouts checks that every http.Server of a program bounds the time of a request, and that none is the default one,
// which waits for a request without end.
func TestServersHaveTimeouts(t *testing.T) {
	t.Parallel()
	servers, unbounded := 0, []string{}
	require.NoError(t, filepath.WalkDir("../..", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && name != "../.." && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".")) {
			return cmpSkip(err)
		}
		if d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch bounded, is := server(n); {
			case is && !bounded:
				unbounded = append(unbounded, name)
				fallthrough
			case is:
				servers++
			}
			return true
		})
		return nil
	}))
	require.Empty(t, unbounded)
	require.Greater(t, servers, 2, "the servers of the examples")
	for text, want := range map[string]bool{
		"http.Server{}": false, "http.Server{ReadTimeout: 1}": false, "http.Server{ReadHeaderTimeout: 1}": false,
		`http.ListenAndServe("", nil)`: false, "http.Server{ReadHeaderTimeout: 1, ReadTimeout: 1}": true,
	} {
		n, err := parser.ParseExpr(text)
		require.NoError(t, err)
		bounded, is := server(n)
		require.True(t, is, text)
		require.Equal(t, want, bounded, text)
	}
}

// server reports whether a node makes an HTTP server, and whether it has both timeouts of a request.
func server(n ast.Node) (bounded, is bool) {
	switch n := n.(type) {
	case *ast.CallExpr:
		return false, ofHTTP(n.Fun, "ListenAndServe", "ListenAndServeTLS", "Serve", "ServeTLS")
	case *ast.CompositeLit:
		names := map[string]bool{}
		for _, e := range n.Elts {
			if field, ok := e.(*ast.KeyValueExpr); ok {
				if key, ok := field.Key.(*ast.Ident); ok {
					names[key.Name] = true
				}
			}
		}
		return names["ReadHeaderTimeout"] && names["ReadTimeout"], ofHTTP(n.Type, "Server")
	}
	return false, false
}

// ofHTTP reports whether an expression is one of the names of package http.
func ofHTTP(e ast.Expr, names ...string) bool {
	s, ok := e.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	pkg, ok := s.X.(*ast.Ident)
	for _, name := range names {
		if ok && pkg.Name == "http" && s.Sel.Name == name {
			return true
		}
	}
	return false
}
