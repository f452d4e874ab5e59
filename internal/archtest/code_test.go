package archtest_test

import (
	"go/ast"
	"go/token"
	"slices"
	"strings"
)

// code reports uses of names that are not allowed in any package.
func (c *checker) code(f *ast.File) {
	c.names = localNames(f)
	clock := c.clockDefaults(f)
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			c.selector(n, clock[n])
		case *ast.CallExpr:
			c.call(n)
		}
		return true
	})
}

// watched holds the packages whose names code examines.
var watched = map[string]string{"time": "time", "log/slog": "slog", "net/http": "http", "html/template": "template", jwx + "/jwa": "jwa", jwx + "/jws": "jws"}

// localNames maps the names under which a file imports the watched packages to the names used here.
func localNames(f *ast.File) map[string]string {
	names := map[string]string{}
	for _, spec := range f.Imports {
		imported, _ := importPath(spec)
		if name, ok := watched[imported]; ok && spec.Name != nil {
			names[spec.Name.Name] = name
		} else if ok {
			names[name] = name
		}
	}
	return names
}

// is reports whether e is pkg.name with one of the names.
func (c *checker) is(e ast.Expr, pkg string, names ...string) bool {
	s, ok := e.(*ast.SelectorExpr)
	if !ok || !slices.Contains(names, s.Sel.Name) {
		return false
	}
	x, ok := s.X.(*ast.Ident)
	return ok && c.names[x.Name] == pkg
}

func (c *checker) selector(s *ast.SelectorExpr, isDefault bool) {
	if x, ok := s.X.(*ast.Ident); ok && jwxNames[c.names[x.Name]] != nil && !slices.Contains(jwxNames[c.names[x.Name]], s.Sel.Name) {
		c.report(s.Pos(), "jwx", "%s.%s: jwx is not maintained, only jws.Verifier is used; SECURITY.md", c.names[x.Name], s.Sel.Name)
	}
	switch library := !program(c.dir); {
	case s.Sel.Name == "FormValue":
		c.report(s.Pos(), "form", "FormValue mixes query and body, hides repeated parameters and drops errors: use internal/httpx")
	case c.is(s, "http", "StatusFound", "StatusMovedPermanently", "StatusTemporaryRedirect", "StatusPermanentRedirect"):
		c.report(s.Pos(), "redirect", "%s may repeat a POST with credentials in it: redirect with 303", s.Sel.Name)
	case library && c.is(s, "time", "Now", "Since", "Until") && !isDefault:
		c.report(s.Pos(), "clock", "time.%s: one clock decides, pass now down", s.Sel.Name)
	case library && c.is(s, "slog", "Default", "SetDefault", "Debug", "DebugContext", "Info", "InfoContext",
		"Warn", "WarnContext", "Error", "ErrorContext", "Log", "LogAttrs", "With"):
		c.report(s.Pos(), "logging", "slog.%s uses the program's logger: a Config has its own", s.Sel.Name)
	}
}

// subtree reports whether a pattern of http.ServeMux ends in a slash. The mux redirects the path without the slash.
func subtree(pattern string) bool {
	method, _, found := strings.Cut(pattern, " ")
	return strings.HasSuffix(pattern, "/") && (!found || method != "GET")
}

func (c *checker) call(call *ast.CallExpr) {
	if s, ok := call.Fun.(*ast.SelectorExpr); ok && (s.Sel.Name == "Handle" || s.Sel.Name == "HandleFunc") && len(call.Args) == 2 {
		if pattern, ok := call.Args[0].(*ast.BasicLit); ok && subtree(strings.Trim(pattern.Value, "\"`")) {
			c.report(call.Pos(), "mux", "a ServeMux with the pattern %s redirects with 307, which repeats a POST: use Provider.Handler, {$} or a wildcard", pattern.Value)
		}
	}
	if c.is(call.Fun, "template", "HTML", "HTMLAttr", "JS", "JSStr", "CSS", "URL", "Srcset") && len(call.Args) == 1 {
		if _, literal := call.Args[0].(*ast.BasicLit); !literal {
			c.report(call.Pos(), "template", "a conversion switches escaping off")
		}
	}
	// The status can also be a number.
	if s, ok := call.Fun.(*ast.SelectorExpr); ok && (s.Sel.Name == "WriteHeader" || s.Sel.Name == "Redirect") {
		for _, arg := range call.Args {
			if lit, ok := arg.(*ast.BasicLit); ok && lit.Kind == token.INT && slices.Contains([]string{"301", "302", "307", "308"}, lit.Value) {
				c.report(lit.Pos(), "redirect", "%s may repeat a POST with credentials in it: redirect with 303", lit.Value)
			}
		}
	}
}

// clockDefaults returns the uses of time.Now that are the default of a clock: the value assigned to something named now or
// Now, and the call in a function named now.
func (c *checker) clockDefaults(f *ast.File) map[*ast.SelectorExpr]bool {
	found := map[*ast.SelectorExpr]bool{}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			for i, value := range n.Rhs {
				if c.is(value, "time", "Now") && i < len(n.Lhs) && named(n.Lhs[i], "now", "Now") {
					found[value.(*ast.SelectorExpr)] = true
				}
			}
		case *ast.FuncDecl:
			if n.Name.Name == "now" && n.Body != nil {
				ast.Inspect(n.Body, func(n ast.Node) bool {
					if s, ok := n.(*ast.SelectorExpr); ok && c.is(s, "time", "Now") {
						found[s] = true
					}
					return true
				})
			}
		}
		return true
	})
	return found
}

func named(e ast.Expr, names ...string) bool {
	switch e := e.(type) {
	case *ast.Ident:
		return slices.Contains(names, e.Name)
	case *ast.SelectorExpr:
		return slices.Contains(names, e.Sel.Name)
	}
	return false
}
