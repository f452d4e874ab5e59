package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestMain makes the test binary a child where bench starts it as one.
func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// TestRun measures every section in its shortest form, with every answer verified, and writes the document.
func TestRun(t *testing.T) {
	t.Parallel()
	docs := t.TempDir()
	file := filepath.Join(docs, "performance.md")
	if err := os.WriteFile(file, []byte("before\n"+beginBlock+"old\n"+endBlock+"after\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	b := &bench{n: 1, blocks: 1, entries: 10, log: &log}
	if err := b.run(sections, docs); err != nil {
		t.Fatalf("%v\n%s", err, &log)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"before\n" + beginBlock, "\n" + endBlock + "after\n", "reached", "| code exchange | EdDSA |"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the document has no %q:\n%s", want, text)
		}
	}
	if strings.Contains(string(text), "old\n") || strings.Contains(string(text), "NaN") {
		t.Errorf("%s", text)
	}
	plot, err := os.ReadFile(filepath.Join(docs, "performance.svg"))
	if err != nil || !bytes.Contains(plot, []byte("</svg>")) {
		t.Errorf("%v\n%s", err, plot)
	}
}

// TestVerify verifies that wrong answers are errors.
func TestVerify(t *testing.T) {
	t.Parallel()
	all, err := keys()
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{n: 1, blocks: 1, keys: all, log: os.Stderr}
	op, err := operationNamed(opExchange)
	if err != nil {
		t.Fatal(err)
	}
	g, err := b.open(op, es256)
	if err != nil {
		t.Fatal(err)
	}
	defer g.close()
	other, err := parseKey(all["client"])
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range g.processes {
		r, err := p.run(op, 1, 1, g.public)
		if err != nil {
			t.Fatal(err)
		}
		if p.subject.silent {
			continue
		}
		for name, change := range map[string]func(a answer) answer{
			"another nonce":  func(a answer) answer { a.Nonce = "other"; return a },
			"another client": func(a answer) answer { a.Client = "other"; return a },
			"a status":       func(a answer) answer { a.Status = 400; return a },
			"no tokens":      func(a answer) answer { a.Body = []byte("{}"); return a },
		} {
			a := change(r.Answers[0])
			if p.verify(op, &a, g.public) == nil {
				t.Errorf("%s: %s is no error", p.subject.name, name)
			}
		}
		if p.verify(op, &r.Answers[0], other.Public()) == nil {
			t.Errorf("%s: a signature of another key is no error", p.subject.name)
		}
	}
}

// TestQuantile compares quantiles with values computed by hand.
func TestQuantile(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		samples []float64
		share   float64
		want    float64
	}{
		{[]float64{3}, 0.5, 3},
		{[]float64{4, 1, 3, 2}, 0.5, 2.5},
		{[]float64{5, 1, 3, 2, 4}, 0.25, 2},
		{[]float64{5, 1, 3, 2, 4}, 1, 5},
	} {
		if got := quantile(c.samples, c.share); got != c.want {
			t.Errorf("quantile(%v, %v) = %v, not %v", c.samples, c.share, got, c.want)
		}
	}
}
