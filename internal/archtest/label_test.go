package archtest_test

import (
	"go/ast"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A label is a short name for a rule in some document: a letter and a number, a section, a row of a table. Readers
// can follow it only if it resolves: inside the repository to a heading or an anchor, or to a public document. The rule
// "label" accepts two forms of internal references, in comments that are not godoc, and in documents:
//
//	docs/spec/idporten.md §12.4     a heading or anchor of that document
//	docs/threat-model.md A12, B1    anchors of the threat model
//
// and public references with their source: RFC 6749 §4.1.3, OIDC Core §3.1.2.1, FAPI 2.0 SP §5.3.
// Everything else that looks like a label is reported.

// targets holds what internal references can resolve to.
type targets struct {
	sections map[string]map[string]bool // by file below docs/spec, then by number or "Appendix A"
	threats  map[string]bool            // by identifier
	vectors  map[string]bool            // by identifier
}

var (
	heading = regexp.MustCompile(`(?m)^#{1,6} (\d+(?:\.\d+)*|Appendix [A-Z])\b`)
	anchor  = regexp.MustCompile(`<a id="([^"]+)"></a>`)
)

func loadTargets(root string) (targets, error) {
	t := targets{sections: map[string]map[string]bool{}, threats: map[string]bool{}, vectors: map[string]bool{}}
	files, err := filepath.Glob(filepath.Join(root, "docs", "spec", "*.md"))
	if err != nil {
		return t, err
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return t, err
		}
		sections := map[string]bool{}
		for _, m := range heading.FindAllStringSubmatch(string(text), -1) {
			sections[m[1]] = true
		}
		for _, m := range anchor.FindAllStringSubmatch(string(text), -1) {
			sections[m[1]] = true
			if vector.MatchString(strings.ToUpper(m[1])) {
				t.vectors[strings.ToUpper(m[1])] = true
			}
		}
		t.sections[filepath.Base(file)] = sections
	}
	text, err := os.ReadFile(filepath.Join(root, "docs", "threat-model.md"))
	if os.IsNotExist(err) {
		return t, nil
	}
	for _, m := range anchor.FindAllStringSubmatch(string(text), -1) {
		t.threats[strings.ToUpper(m[1])] = true
	}
	return t, err
}

var (
	number    = `(?:\d+(?:\.\d+)*|Appendix [A-Z])`
	more      = `(?:(?:,| and|, and| or|–) §?` + number + `)*`
	specRef   = regexp.MustCompile(`(?:docs/)?(?:spec/)?\b([a-z]+\.md) §(` + number + more + `)`)
	ownRef    = regexp.MustCompile(`§(` + number + more + `)`)
	threatRef = regexp.MustCompile(`docs/threat-model\.md ([A-KPQX]\d{1,2}(?:(?:,| and|, and) [A-KPQX]\d{1,2})*)`)
	numbers   = regexp.MustCompile(number)
	ids       = regexp.MustCompile(`[A-KPQX]\d{1,2}`)
	vector    = regexp.MustCompile(`\b(?:MV|MN|MT|MR|AX|PA)\d{1,2}\b`)

	// public is a reference with a public source.
	public = regexp.MustCompile(`(?:RFC ?\d{3,5}(?:bis)?|BCP \d+|FAPI 2\.0 [A-Z]\w*(?: [A-Z]\w+)*|JARM|(?:OIDC|OpenID Connect) [A-Z][\w-]*(?: [A-Z][\w-]*)*|` +
		`Fetch standard|(?:Core|Discovery|(?:RP-Initiated|Front-Channel|Back-Channel) Logout)|Form Post Response Mode|` +
		`EN \d+ \d+-\d+|SEC 1|FIPS [\d-]+)(?: 1\.0)?,? (?:§§?|[Ss]ections? |[Aa]ppendix |[Cc]hapters? )(?:[A-Z]\b)?(?:[\d.]*\d)?(?:(?:,| and|, and| to| or|–) ?(?:§|[Ss]ections? )?\d+(?:\.\d+)*)*`)
	exception = regexp.MustCompile(`\bC[01](?: and C1)? control`)

	labels = []*regexp.Regexp{
		regexp.MustCompile(`(?i)\b(?:idporten|id-porten|maskinporten-altinn|security|fapi-helseid|conformance)(?:'s)? (?:sections?|chapters?|rows?|decisions?) ?[A-Z]?[\d.]*`),
		regexp.MustCompile(`\b[Ss]ections? [A-Z]?\d+(?:\.\d+)*`),
		regexp.MustCompile(`\b[Cc]hapters? \d+(?:\.\d+)*`),
		regexp.MustCompile(`§§? ?` + number),
		regexp.MustCompile(`\b[Rr]ows? [A-Z]?\d+\w*`),
		regexp.MustCompile(`\b[Ss]eeds? 00\d`),
		regexp.MustCompile(`\b[A-KNQRTVX]\d{1,2}\b`),
	}

	// The same inside names of tests, which have underscores, and in the texts of their cases.
	nameLabel = regexp.MustCompile(`_[A-KNQRTVX]\d{1,2}(?:_|$)|_(?:section|row)\w*\d|_\d+_\d+|[a-z][A-K]\d{1,2}(?:[A-Z_]|$)`)
	caseLabel = regexp.MustCompile(`^(?:rows? )?[A-KNQRTVX]\d{1,2}[a-z]?(?:$|[ :,_])|\((?:rows? )?[A-KQX]\d{1,2}\)|\bsections? \d`)
	rfcInName = regexp.MustCompile(`RFC\d+(?:_\d+)*`)
)

// findLabels returns the labels of a text that do not resolve. The file is the one the text is in.
// In godoc no internal reference is allowed.
func (t targets) findLabels(file, text string, godoc bool) []string {
	if !strings.ContainsAny(text, "0123456789") { // every label has a number
		return nil
	}
	var found []string
	resolved := func(re *regexp.Regexp, ok func(m []string) bool) {
		text = re.ReplaceAllStringFunc(text, func(ref string) string {
			if godoc || !ok(re.FindStringSubmatch(ref)) {
				found = append(found, ref)
			}
			return " "
		})
	}
	text = exception.ReplaceAllString(text, " ")
	resolved(specRef, func(m []string) bool { return t.haveSections(m[1], m[2]) })
	resolved(threatRef, func(m []string) bool { return !slices.ContainsFunc(ids.FindAllString(m[1], -1), t.noThreat) })
	resolved(vector, func(m []string) bool { return t.vectors[m[0]] })
	text = public.ReplaceAllString(text, " ")
	switch {
	case path.Dir(file) == "docs/spec":
		resolved(ownRef, func(m []string) bool { return t.haveSections(path.Base(file), m[1]) })
	case file == "docs/threat-model.md":
		resolved(ids, func(m []string) bool { return t.threats[m[0]] })
	}
	for _, re := range labels {
		text = re.ReplaceAllStringFunc(text, func(label string) string {
			found = append(found, label)
			return " "
		})
	}
	return found
}

func (t targets) noThreat(id string) bool { return !t.threats[id] }

func (t targets) haveSections(file, list string) bool {
	for _, n := range numbers.FindAllString(list, -1) {
		if !t.sections[file][n] {
			return false
		}
	}
	return true
}

// goLabels reports the labels in the comments of a Go file, and in the names of tests and their cases.
func (c *checker) goLabels(f *ast.File, test bool) {
	godoc := map[*ast.CommentGroup]bool{}
	if !test && documented(c.dir) {
		godoc = exportedComments(f)
	}
	for _, group := range f.Comments {
		text := strings.Join(strings.Fields(group.Text()), " ")
		for _, label := range c.targets.findLabels(c.rel, text, godoc[group]) {
			c.report(group.Pos(), "label", "%q does not resolve", label)
		}
	}
	if test {
		c.testLabels(f)
	}
}

func (c *checker) testLabels(f *ast.File) {
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			name := rfcInName.ReplaceAllString(n.Name.Name, "")
			if n.Recv == nil && nameLabel.MatchString(name) {
				c.report(n.Pos(), "label", "in the name %s", n.Name.Name)
			}
		case *ast.BasicLit:
			if n.Kind != token.STRING || !strings.ContainsAny(n.Value, "0123456789") || len(n.Value) > 200 {
				return true
			}
			if text, err := strconv.Unquote(n.Value); err == nil {
				if label := caseLabel.FindString(public.ReplaceAllString(text, "")); label != "" {
					c.report(n.Pos(), "label", "%q in the text of a test", label)
				}
			}
		}
		return true
	})
}

// exportedComments returns the comments that go doc shows: of the package, of exported declarations, fields
// and methods.
func exportedComments(f *ast.File) map[*ast.CommentGroup]bool {
	shown := map[*ast.CommentGroup]bool{f.Doc: true}
	for _, decl := range f.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			if d.Name.IsExported() && exportedReceiver(d) {
				shown[d.Doc] = true
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				exportedSpec(shown, d, spec)
			}
		}
	}
	return shown
}

func exportedSpec(shown map[*ast.CommentGroup]bool, d *ast.GenDecl, spec ast.Spec) {
	switch s := spec.(type) {
	case *ast.ValueSpec:
		if exported(s.Names) {
			shown[d.Doc], shown[s.Doc], shown[s.Comment] = true, true, true
		}
	case *ast.TypeSpec:
		if !s.Name.IsExported() {
			return
		}
		shown[d.Doc], shown[s.Doc], shown[s.Comment] = true, true, true
		var list *ast.FieldList
		switch t := s.Type.(type) {
		case *ast.StructType:
			list = t.Fields
		case *ast.InterfaceType:
			list = t.Methods
		default:
			return
		}
		for _, field := range list.List {
			if exported(field.Names) || len(field.Names) == 0 {
				shown[field.Doc], shown[field.Comment] = true, true
			}
		}
	}
}

var (
	fence = regexp.MustCompile("(?ms)^```.*?^```")
	link  = regexp.MustCompile(`\]\([^)]*\)`)
	code  = regexp.MustCompile("`[^`\n]*`")
)

// markdownLabels reports the labels of a document.
func (c *checker) markdownLabels(text string) {
	blank := func(s string) string { return strings.Repeat("\n", strings.Count(s, "\n")) }
	text = fence.ReplaceAllStringFunc(text, blank)
	text = link.ReplaceAllString(text, "]")
	for i, line := range strings.Split(text, "\n") {
		line = anchor.ReplaceAllString(line, "")
		line = code.ReplaceAllStringFunc(line, func(s string) string {
			if name := strings.Trim(s, "`"); strings.HasPrefix(name, "Test") || strings.HasPrefix(name, "Fuzz") {
				return " "
			}
			return s
		})
		line = strings.NewReplacer("]", "", "[", "", "`", "").Replace(line)
		if strings.HasPrefix(line, "#") && path.Dir(c.rel) == "docs/spec" {
			continue
		}
		for _, label := range c.targets.findLabels(c.rel, line, false) {
			c.broken = append(c.broken, violation{c.rel, i + 1, "label", strconv.Quote(label) + " does not resolve"})
		}
	}
}
