package mutations

import (
	"context"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// root is the directory of the module.
const root = "../.."

// TestMutants makes each defect of the table on its own and verifies that a test fails twice which passes without it. It writes
// RESULT.md. It takes long: it runs only if PORTNER_MUTANTS is "all", "open" for the defects without a result and those that
// survived, "types" to see that all of them compile, or a regular expression for area, rule and file. A test that fails without a
// defect is an error at the end: a defect that no other test notices has no result then.
func TestMutants(t *testing.T) {
	selected := os.Getenv("PORTNER_MUTANTS")
	if selected == "" {
		t.Skip("PORTNER_MUTANTS is not set")
	}
	r := readResults(t)
	var todo []*task
	for a, d := range all() {
		last := r.last[d.sum()]
		if selected == "all" || selected == "types" || selected == "open" && last.open() ||
			regexp.MustCompile(selected).MatchString(a.name+": "+d.breaks+" "+d.file) {
			todo = append(todo, newTask(d, last))
		}
	}
	checkTypes(t, todo)
	if t.Failed() || selected == "types" {
		return
	}
	r.write(t)
	for len(todo) > 0 {
		todo = r.round(t, todo)
	}
	r.verdict(t)
}

func grouped(todo []*task, by func(*task) string) map[string][]*task {
	groups := map[string][]*task{}
	for _, x := range todo {
		groups[by(x)] = append(groups[by(x)], x)
	}
	return groups
}

// task is a defect whose tests run.
type task struct {
	defect
	suites []suite // that have not run
	by     suite   // the test that failed
	unsure bool    // a test that might have noticed it fails without a defect
}

// newTask returns the task of a defect. The test that failed in the last run is the first to run.
func newTask(d defect, last result) *task {
	x := &task{defect: d, suites: d.suites()}
	if len(last.by.tests) == 1 && !slices.ContainsFunc(x.suites[:1], func(s suite) bool { return s.pkg == last.by.pkg && len(s.tests) == 1 }) {
		x.suites = append([]suite{last.by}, x.suites...)
	}
	return x
}

// suites returns the tests of the defect, with the names of their packages.
func (d defect) suites() []suite {
	list := slices.Clone(d.by)
	if len(list) == 0 {
		list = then()
	}
	for i := range list {
		if list[i].pkg == "" {
			list[i].pkg = d.directory()
		}
	}
	return list
}

// directory returns the directory of the package of the file. That of migrations and scripts is a directory above.
func (d defect) directory() string {
	dir := path.Dir(d.file)
	if !d.isGo() {
		dir = path.Dir(dir)
	}
	return dir
}

func (d defect) isGo() bool { return path.Ext(d.file) == ".go" }

// round runs the next tests of each task, package by package, and returns the tasks that are not at their end.
func (r *results) round(t *testing.T, todo []*task) (rest []*task) {
	t.Helper()
	for pkg, list := range grouped(todo, func(x *task) string { return x.suites[0].pkg }) {
		shared, outside := many(t, list)
		dir := t.TempDir()
		binary := filepath.Join(dir, "tests")
		if err := shared.build(t.Context(), pkg, binary); err != nil {
			t.Errorf("%v", err)
			continue
		}
		b := baseline(t, pkg, binary, list)
		for _, name := range b.fails {
			r.broken = append(r.broken, pkg+" "+name)
		}
		var group sync.WaitGroup
		free := make(chan struct{}, 2)
		for _, x := range list {
			group.Add(1)
			free <- struct{}{}
			go func() {
				defer func() { <-free; group.Done() }()
				own := b
				if outside[x.sum()] {
					own.binary = filepath.Join(dir, x.sum())
					if err := one(t, x.defect).build(t.Context(), pkg, own.binary); err != nil {
						t.Errorf("%s: %v", x.breaks, err)
						x.suites = nil
						return
					}
					defer os.Remove(own.binary)
				}
				x.step(t.Context(), own)
				if x.by.pkg != "" || len(x.suites) == 0 {
					res := result{by: x.by, ran: x.by.pkg != "" || !x.unsure}
					r.set(t, x.defect, res)
					t.Logf("%s: %s", x.breaks, res.text())
				}
			}()
		}
		group.Wait()
		require.NoError(t, os.RemoveAll(dir))
		for _, x := range list {
			if x.by.pkg == "" && len(x.suites) > 0 {
				rest = append(rest, x)
			}
		}
	}
	return rest
}

// tested is the test program of a package, with what its tests do without a defect.
type tested struct {
	pkg, binary string
	fails       []string // tests that fail without a defect: they notice nothing. everyTest if the program ends otherwise
	slow        []string // tests that run after the others
}

// everyTest stands for the tests of a program that fails as a whole, or that ended before each had run.
const everyTest = "(every test)"

var (
	outcome  = regexp.MustCompile(`(?m)^--- (PASS|FAIL): (\w+) \((\d+\.\d+)s\)`)
	panicked = regexp.MustCompile(`(?m)^panic: `)
)

// baseline runs the tests of the tasks without a defect.
func baseline(t *testing.T, pkg, binary string, list []*task) tested {
	t.Helper()
	b := tested{pkg: pkg, binary: binary}
	names := []string{}
	for _, x := range list {
		if len(x.suites[0].tests) == 0 {
			names = nil
			break
		}
		names = append(names, x.suites[0].tests...)
	}
	out, err := run(t.Context(), binary, pkg, "", "-test.v", suite{tests: names}.flag())
	for _, m := range outcome.FindAllStringSubmatch(out, -1) {
		if seconds, _ := strconv.ParseFloat(m[3], 64); seconds > 0.3 {
			b.slow = append(b.slow, m[2])
		}
		if m[1] == "FAIL" {
			b.fails = append(b.fails, m[2])
		}
	}
	if err != nil && (len(b.fails) == 0 || panicked.MatchString(out)) {
		b.fails = append(b.fails, everyTest)
		t.Logf("%s: the program ends without a defect: %s", pkg, out[max(0, len(out)-4000):])
	}
	if len(b.fails) > 0 {
		t.Logf("%s: without a defect %v fail", pkg, b.fails)
	}
	return b
}

// flag returns the argument for the tests of a suite.
func (s suite) flag() string {
	if len(s.tests) == 0 {
		return "-test.run=."
	}
	return "-test.run=^(" + strings.Join(s.tests, "|") + ")$"
}

// step runs the next tests of a task: the fast ones first.
func (x *task) step(ctx context.Context, b tested) {
	s := x.suites[0]
	x.suites = x.suites[1:]
	x.unsure = x.unsure || len(b.fails) > 0
	if slices.Contains(b.fails, everyTest) {
		return
	}
	skip := slices.Clone(b.fails)
	parts := []suite{s}
	if len(s.tests) == 0 && len(b.slow) > 0 {
		parts = []suite{s, {tests: b.slow}}
	}
	for i, part := range parts {
		skipped := skip
		if i == 0 && len(parts) > 1 {
			skipped = append(slices.Clone(skip), b.slow...)
		}
		if by, failed := x.failing(ctx, b, part, skipped); failed {
			x.by = suite{pkg: b.pkg, tests: by}
			return
		}
	}
}

// failing returns the first test that fails with the defect, and fails again on its own.
func (x *task) failing(ctx context.Context, b tested, s suite, skip []string) ([]string, bool) {
	for range 3 {
		flags := []string{"-test.failfast", s.flag()}
		if len(skip) > 0 {
			flags = append(flags, "-test.skip=^("+strings.Join(skip, "|")+")$")
		}
		out, err := run(ctx, b.binary, b.pkg, x.sum(), flags...)
		if err == nil {
			return nil, false
		}
		m := failedTest.FindStringSubmatch(out)
		if m == nil {
			return nil, true // the program ended
		}
		if _, err := run(ctx, b.binary, b.pkg, x.sum(), suite{tests: m[1:]}.flag()); err != nil {
			return m[1:], true
		}
		skip = append(slices.Clone(skip), m[1])
	}
	return nil, false
}

var failedTest = regexp.MustCompile(`(?m)^--- FAIL: (\w+)`)
