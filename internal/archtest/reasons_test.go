package archtest_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestLogReasons compares docs/log-reasons.md with the reasons of rejections and events in the code: literals that become a
// field, a variable, a parameter, a result or a constant named reason, cause or outcome.
func TestLogReasons(t *testing.T) {
	t.Parallel()
	code, err := reasons("../..")
	require.NoError(t, err)
	require.Greater(t, len(code), 100, "too few reasons found")
	text, err := os.ReadFile("../../docs/log-reasons.md")
	require.NoError(t, err)
	documented := map[string]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\| ([^|]+) \\| [^|]+ \\|$").FindAllStringSubmatch(string(text), -1) {
		require.NotContains(t, documented, m[1], "listed twice")
		documented[m[1]] = m[2]
	}
	for reason, dirs := range code {
		require.Regexp(t, `^[a-z][a-z0-9]*(_[a-z0-9]+)*$`, reason, "in %v", dirs)
		require.Equal(t, strings.Join(dirs, ", "), documented[reason], "packages of the reason %s in docs/log-reasons.md", reason)
	}
	for reason := range documented {
		require.Contains(t, code, reason, "docs/log-reasons.md lists a reason that is not in the code")
	}
}

// TestReasonsAreFound verifies that each form of a reason is found, and nothing else.
func TestReasonsAreFound(t *testing.T) {
	t.Parallel()
	found, err := reasons("testdata")
	require.NoError(t, err)
	require.Equal(t, []string{
		"of_argument", "of_constant", "of_element", "of_field", "of_function", "of_position", "of_result", "of_variable",
	}, slices.Sorted(maps.Keys(found)))
}

// reasons returns the directories of each reason.
func reasons(root string) (map[string][]string, error) {
	packages := map[string][]*ast.File{}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel := filepath.ToSlash(strings.TrimPrefix(name, root+string(filepath.Separator)))
		if d.IsDir() && name != root && (d.Name() == "testdata" || rel == "examples" || rel == "internal/standin" || rel == "internal/optest" || strings.HasPrefix(rel, "storage/") || strings.HasPrefix(d.Name(), ".")) {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		dir := filepath.ToSlash(filepath.Dir(rel))
		packages[dir] = append(packages[dir], f)
		return err
	})
	found := map[string][]string{}
	for _, dir := range slices.Sorted(maps.Keys(packages)) {
		c := &reasonCollector{at: map[string]int{}, fields: map[string]int{}, found: map[string]bool{}}
		for _, f := range packages[dir] {
			ast.Inspect(f, c.declared)
		}
		for _, f := range packages[dir] {
			ast.Inspect(f, c.used)
		}
		for reason := range c.found {
			found[reason] = append(found[reason], dir)
		}
	}
	return found, err
}

type reasonCollector struct {
	at     map[string]int // index of the parameter named reason, by name of the function
	fields map[string]int // index of the field named reason, by name of the struct
	found  map[string]bool
}

var reasonName = regexp.MustCompile(`(?i)^(?:reasons?|cause|outcome)$|^reason[A-Z]|Reason$`)

func (c *reasonCollector) add(e ast.Expr) {
	if lit, ok := e.(*ast.BasicLit); ok && lit.Kind == token.STRING {
		if text, err := strconv.Unquote(lit.Value); err == nil && text != "" {
			c.found[text] = true
		}
	}
}

// index returns the position of the name in a list of fields or parameters, -1 if it is not there.
func index(list *ast.FieldList) int {
	i := 0
	for _, f := range list.List {
		for _, n := range f.Names {
			if reasonName.MatchString(n.Name) {
				return i
			}
			i++
		}
		if len(f.Names) == 0 {
			i++
		}
	}
	return -1
}

func (c *reasonCollector) declared(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.FuncDecl:
		if i := index(n.Type.Params); i >= 0 {
			c.at[n.Name.Name] = i
		}
	case *ast.TypeSpec:
		if s, ok := n.Type.(*ast.StructType); ok {
			if i := index(s.Fields); i >= 0 {
				c.fields[n.Name.Name] = i
			}
		}
	}
	return true
}

func (c *reasonCollector) used(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.FuncDecl:
		c.returned(n)
	case *ast.CallExpr:
		if i, ok := c.at[name(n.Fun)]; ok && i < len(n.Args) {
			c.add(n.Args[i])
		}
	case *ast.KeyValueExpr:
		if reasonName.MatchString(name(n.Key)) {
			c.add(n.Value)
		}
	case *ast.CompositeLit:
		c.literal(n)
	case *ast.AssignStmt:
		for i, left := range n.Lhs {
			if i < len(n.Rhs) && reasonName.MatchString(name(left)) {
				c.add(n.Rhs[i])
			}
		}
	case *ast.ValueSpec:
		for i, v := range n.Values {
			if reasonName.MatchString(n.Names[i].Name) || n.Type != nil && strings.HasSuffix(name(n.Type), "Reason") {
				c.add(v)
			}
		}
	}
	return true
}

// returned adds the reasons that a function returns: its name, or that of a result, is reason.
func (c *reasonCollector) returned(f *ast.FuncDecl) {
	i := -1
	if f.Type.Results != nil {
		i = index(f.Type.Results)
	}
	if reasonName.MatchString(f.Name.Name) && i < 0 {
		i = 0
	}
	if i < 0 || f.Body == nil {
		return
	}
	ast.Inspect(f.Body, func(n ast.Node) bool {
		if r, ok := n.(*ast.ReturnStmt); ok && i < len(r.Results) {
			c.add(r.Results[i])
		}
		return true
	})
}

// literal adds the reason of a struct literal without keys, and of the elements of a literal of such structs.
func (c *reasonCollector) literal(n *ast.CompositeLit) {
	typ := name(n.Type)
	switch t := n.Type.(type) {
	case *ast.MapType:
		typ = name(t.Value)
	case *ast.ArrayType:
		typ = name(t.Elt)
		if s, ok := t.Elt.(*ast.StructType); ok {
			c.elements(n, index(s.Fields))
		}
	}
	i, ok := c.fields[typ]
	if !ok {
		return
	}
	if i < len(n.Elts) {
		c.add(n.Elts[i])
	}
	c.elements(n, i)
}

func (c *reasonCollector) elements(n *ast.CompositeLit, i int) {
	for _, e := range n.Elts {
		if kv, ok := e.(*ast.KeyValueExpr); ok {
			e = kv.Value
		}
		if inner, ok := e.(*ast.CompositeLit); ok && inner.Type == nil && i >= 0 && i < len(inner.Elts) {
			c.add(inner.Elts[i])
		}
	}
}

// name returns the last name of an expression, "" if it has none.
func name(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	case *ast.StarExpr:
		return name(e.X)
	case *ast.UnaryExpr:
		return name(e.X)
	}
	return ""
}
