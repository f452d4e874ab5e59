package archtest_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const module = "github.com/portner-go/portner"

// violation is one violation of a rule.
type violation struct {
	file string // relative to the root, with slashes
	line int
	rule string // layer, unplaced, third-party, seal, mux, jwx, testing, clock, form, redirect, template, math/rand, logging, doc, label
	text string
}

func (v violation) String() string {
	return fmt.Sprintf("%s:%d: %s: %s", v.file, v.line, v.rule, v.text)
}

// check returns the violations below root, and the number of files it read.
func check(root string) (broken []violation, files int, err error) {
	c := checker{root: root, fset: token.NewFileSet(), table: layers(), packageDoc: map[string]bool{}}
	if c.targets, err = loadTargets(root); err != nil {
		return nil, 0, err
	}
	err = filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && name != root && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".")) {
			return fs.SkipDir
		}
		switch {
		case d.IsDir():
			return nil
		case strings.HasSuffix(name, ".go"):
			files++
			return c.file(name)
		case strings.HasSuffix(name, ".md"):
			files++
			return c.markdown(name)
		}
		return nil
	})
	c.checkPackageDocs()
	return c.broken, files, err
}

type checker struct {
	root       string
	fset       *token.FileSet
	table      map[string]rule
	broken     []violation
	packageDoc map[string]bool // reports whether each documented package has a comment
	targets    targets

	dir, rel string            // of the current file
	names    map[string]string // of the watched packages, as the current file imports them
}

func (c *checker) report(pos token.Pos, rule, format string, args ...any) {
	c.broken = append(c.broken, violation{c.rel, c.fset.Position(pos).Line, rule, fmt.Sprintf(format, args...)})
}

// read reads a file and makes it the current one.
func (c *checker) read(name string) ([]byte, error) {
	rel, err := filepath.Rel(c.root, name)
	if err != nil {
		return nil, err
	}
	c.rel = filepath.ToSlash(rel)
	c.dir = path.Dir(c.rel)
	return os.ReadFile(name)
}

func (c *checker) markdown(name string) error {
	text, err := c.read(name)
	if err == nil {
		c.mergeMarkers(string(text))
		c.markdownLabels(string(text))
	}
	return err
}

// mergeMarkers reports the first line that git left in an unfinished merge. In Go files it is a syntax error.
func (c *checker) mergeMarkers(text string) {
	for i, line := range strings.Split(text, "\n") {
		if strings.HasPrefix(line, "<<<<<<< ") || line == "=======" || strings.HasPrefix(line, ">>>>>>> ") {
			c.broken = append(c.broken, violation{c.rel, i + 1, "merge", "an unfinished merge"})
			return
		}
	}
}

func (c *checker) file(name string) error {
	src, err := c.read(name)
	if err != nil {
		return err
	}
	f, err := parser.ParseFile(c.fset, name, src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	test := strings.HasSuffix(name, "_test.go")
	c.goLabels(f, test)
	if test {
		c.testImports(f)
		return nil
	}
	c.imports(f)
	c.code(f)
	c.docs(f)
	if f.Name.Name != "main" {
		c.packageDoc[c.dir] = c.packageDoc[c.dir] || f.Doc != nil
	}
	return nil
}

// under reports whether dir is root or below it.
func under(dir, root string) bool { return dir == root || strings.HasPrefix(dir, root+"/") }

func unbound(dir string) bool {
	return slices.ContainsFunc(unlayered, func(root string) bool { return under(dir, root) })
}

func concat(lists ...[]string) []string { return slices.Concat(lists...) }

// importPath returns the path of an import, and the directory if it is in this module.
func importPath(spec *ast.ImportSpec) (imported, own string) {
	imported, _ = strconv.Unquote(spec.Path.Value) // the parser has checked it
	if imported == module {
		return imported, "."
	}
	own, ok := strings.CutPrefix(imported, module+"/")
	if !ok {
		return imported, ""
	}
	return imported, own
}

// thirdParty reports whether an import is outside the standard library, whose paths have no dot in the first element.
func thirdParty(imported string) bool {
	first, _, _ := strings.Cut(imported, "/")
	return strings.Contains(first, ".")
}

func allowed(imported string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return under(imported, p) })
}

func (c *checker) imports(f *ast.File) {
	row, placed := c.table[c.dir]
	if !placed && !unbound(c.dir) {
		c.report(f.Package, "unplaced", "package %s is not in the table of layers", c.dir)
		return
	}
	for _, spec := range f.Imports {
		imported, own := importPath(spec)
		switch {
		case imported == "math/rand" || imported == "math/rand/v2":
			c.report(spec.Pos(), "math/rand", "guessable numbers: use crypto/rand or internal/seal")
		case imported == "log" && !program(c.dir):
			c.report(spec.Pos(), "logging", "package log: a Config has a Logger")
		case under(imported, "github.com/stretchr/testify"):
			c.report(spec.Pos(), "third-party", "%s outside a test", imported)
		case placed && slices.Contains(ciphers, imported) && !slices.Contains(c.ciphersOf(), imported):
			c.report(spec.Pos(), "seal", "%s: derive keys and seal values with internal/seal, which binds them to the issuer", imported)
		case placed && !row.testing && (under(imported, "testing") || imported == "net/http/httptest"):
			c.report(spec.Pos(), "testing", "%s outside a test ends up in the programs of users", imported)
		case !placed:
		case own != "" && !slices.Contains(row.own, own):
			c.report(spec.Pos(), "layer", "%s must not import %s", c.dir, own)
		case own == "" && thirdParty(imported) && !allowed(imported, row.third):
			c.report(spec.Pos(), "third-party", "%s must not import %s", c.dir, imported)
		}
	}
}

// ciphers are the packages that internal/seal uses to derive keys and to seal values.
var ciphers = []string{"crypto/aes", "crypto/cipher", "crypto/hkdf", "crypto/hmac", "crypto/pbkdf2"}

// ciphersOf returns those of ciphers that the current package may import.
func (c *checker) ciphersOf() []string {
	switch c.dir {
	case "internal/seal":
		return ciphers
	case "pseudonym": // a subject derives from a key that the host gives, and from nothing else
		return []string{"crypto/hmac"}
	}
	return nil
}

func (c *checker) testImports(f *ast.File) {
	if unbound(c.dir) {
		return
	}
	for _, spec := range f.Imports {
		imported, own := importPath(spec)
		if own == "" && thirdParty(imported) && !allowed(imported, concat(c.table[c.dir].third, testThird[""], testThird[c.dir])) {
			c.report(spec.Pos(), "third-party", "tests of %s must not import %s", c.dir, imported)
		}
	}
}
