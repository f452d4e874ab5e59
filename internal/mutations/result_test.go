package mutations

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"regexp"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// resultFile holds the results of the last run of each defect.
const resultFile = "RESULT.md"

// sum identifies a defect: a defect that was changed has no result.
func (d defect) sum() string {
	h := sha256.Sum256([]byte(d.file + "\x00" + d.old + "\x00" + d.new))
	return hex.EncodeToString(h[:4])
}

const survives = "**survives**"

// text returns what the table says about a result.
func (r result) text() string {
	switch {
	case !r.ran:
		return "not run"
	case r.by.pkg == "":
		return survives
	case len(r.by.tests) == 0:
		return "`" + r.by.pkg + "` the program ends"
	}
	return "`" + r.by.pkg + "` `" + r.by.tests[0] + "`"
}

// document returns the text of the file.
func (r *results) document() []byte {
	var head, body bytes.Buffer
	head.WriteString(`# Defects and the tests that notice them

Written by ` + "`make mutants`" + `. Each row is a defect of the table of this package, made on its own, and the first test that failed with it
and passes without it. A row that changed since it ran has no result.

| area | defects | killed | survive | not run |
|---|---|---|---|---|
`)
	body.WriteString("\n| area | defect | file | row | result |\n|---|---|---|---|---|\n")
	var total [4]int
	for _, a := range areas {
		var n [4]int
		for _, d := range a.defects {
			res := r.last[d.sum()]
			n[0]++
			switch {
			case !res.ran:
				n[3]++
			case res.open():
				n[2]++
			default:
				n[1]++
			}
			fmt.Fprintf(&body, "| %s | %s | `%s` | %s | %s |\n", a.name, d.breaks, d.file, d.sum(), res.text())
		}
		for i := range n {
			total[i] += n[i]
		}
		fmt.Fprintf(&head, "| %s | %d | %d | %d | %d |\n", a.name, n[0], n[1], n[2], n[3])
	}
	fmt.Fprintf(&head, "| all | %d | %d | %d | %d |\n", total[0], total[1], total[2], total[3])
	return append(head.Bytes(), body.Bytes()...)
}

var resultRow = regexp.MustCompile("(?m)^\\|.*\\| ([0-9a-f]{8}) \\| (?:`(\\S+)` (?:`(\\w+)`|the program ends)|(\\*\\*survives\\*\\*)|not run) \\|$")

// results are the last results of the defects, by their checksum.
type results struct {
	sync.Mutex
	last   map[string]result
	broken []string // package and name of each test that fails without a defect
}

// result is that of one defect.
type result struct {
	by  suite // zero if the defect survived; without a test if the program ended
	ran bool
}

// open reports whether the defect has to run.
func (r result) open() bool { return !r.ran || r.by.pkg == "" }

// set records a result and writes the file, so that a run that is interrupted keeps what it found.
func (r *results) set(t *testing.T, d defect, res result) {
	t.Helper()
	r.Lock()
	defer r.Unlock()
	r.last[d.sum()] = res
	r.write(t)
}

func (r *results) write(t *testing.T) {
	t.Helper()
	require.NoError(t, os.WriteFile(resultFile, r.document(), 0o600))
}

// verdict fails if too many defects survive, or if a test fails without a defect.
func (r *results) verdict(t *testing.T) {
	t.Helper()
	for _, name := range r.broken {
		t.Errorf("%s fails without a defect", name)
	}
	total, killed := 0, 0
	for a, d := range all() {
		res := r.last[d.sum()]
		switch {
		case !res.ran:
			continue
		case !res.open():
			killed++
		case a.strict:
			t.Errorf("%s: no test notices: %s", a.name, d.breaks)
		default:
			t.Logf("%s: no test notices: %s", a.name, d.breaks)
		}
		total++
	}
	require.GreaterOrEqual(t, killed*100, total*97, "%d of %d are noticed", killed, total)
}

// readResults returns the results of the file.
func readResults(t *testing.T) *results {
	t.Helper()
	text, err := os.ReadFile(resultFile)
	require.NoError(t, err)
	r := &results{last: map[string]result{}}
	for _, m := range resultRow.FindAllStringSubmatch(string(text), -1) {
		res := result{ran: m[2] != "" || m[4] != "", by: suite{pkg: m[2]}}
		if m[3] != "" {
			res.by.tests = []string{m[3]}
		}
		r.last[m[1]] = res
	}
	return r
}
