package archtest_test

import (
	"go/ast"
	"go/token"
	"maps"
	"slices"
)

// docs reports exported names without a comment: functions, methods, types, constants and variables, and in packages that a host can
// import also struct fields and interface methods. Methods of types that are not exported need a comment too: it names the interface that
// they implement, also in programs. One comment can cover a group: for the names of one declaration in parentheses, and for fields that
// follow each other without a blank line.
func (c *checker) docs(f *ast.File) {
	for _, decl := range f.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			if d.Name.IsExported() && d.Doc == nil {
				c.report(d.Pos(), "doc", "%s has no comment", d.Name.Name)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				c.spec(d, spec)
			}
		}
	}
}

func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	e := d.Recv.List[0].Type
	for {
		switch t := e.(type) {
		case *ast.StarExpr:
			e = t.X
		case *ast.IndexExpr:
			e = t.X
		case *ast.IndexListExpr:
			e = t.X
		case *ast.Ident:
			return t.IsExported()
		default:
			return false
		}
	}
}

func (c *checker) spec(d *ast.GenDecl, spec ast.Spec) {
	switch s := spec.(type) {
	case *ast.ValueSpec:
		if exported(s.Names) && d.Doc == nil && s.Doc == nil && s.Comment == nil {
			c.report(s.Pos(), "doc", "%s has no comment", s.Names[0].Name)
		}
	case *ast.TypeSpec:
		if !s.Name.IsExported() {
			return
		}
		if s.Doc == nil && (d.Doc == nil || d.Lparen.IsValid()) {
			c.report(s.Pos(), "doc", "type %s has no comment", s.Name.Name)
		}
		if !documented(c.dir) {
			return
		}
		switch t := s.Type.(type) {
		case *ast.StructType:
			c.fields(s.Name.Name, t.Fields)
		case *ast.InterfaceType:
			c.fields(s.Name.Name, t.Methods)
		}
	}
}

func exported(names []*ast.Ident) bool {
	return slices.ContainsFunc(names, (*ast.Ident).IsExported)
}

func (c *checker) fields(typ string, list *ast.FieldList) {
	line := func(pos token.Pos) int { return c.fset.Position(pos).Line }
	grouped, end := false, 0 // whether a comment covers the block that ends at line end
	for _, f := range list.List {
		start := line(f.Pos())
		if f.Doc != nil {
			start = line(f.Doc.Pos())
		}
		if start > end+1 {
			grouped = false
		}
		grouped = grouped || f.Doc != nil
		if exported(f.Names) && !grouped && f.Comment == nil {
			c.report(f.Pos(), "doc", "%s.%s has no comment", typ, f.Names[0].Name)
		}
		end = line(f.End())
	}
}

// checkPackageDocs reports packages without a package comment.
func (c *checker) checkPackageDocs() {
	for _, dir := range slices.Sorted(maps.Keys(c.packageDoc)) {
		if !c.packageDoc[dir] {
			c.broken = append(c.broken, violation{dir, 0, "doc", "the package has no comment"})
		}
	}
}
