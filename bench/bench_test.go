package main

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// crashing is portner in a process that ends at its fifth request: in the second run of most operations.
func crashing() subject {
	s := portnerSubject()
	s.name = "crashing"
	s.open = func(set settings) (*server, error) {
		srv, err := openPortner(set)
		if err != nil {
			return nil, err
		}
		var requests atomic.Int64
		inner := srv.Handler
		srv.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if requests.Add(1) == 5 {
				new(sync.Mutex).Unlock() // a fatal error, from which net/http does not recover
			}
			inner.ServeHTTP(w, r)
		})
		return srv, nil
	}
	return s
}

// TestMain makes the test binary a child where bench starts it as one.
func TestMain(m *testing.M) {
	more = append(more, crashing())
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
	const reason = ": crashing: the process ended: fatal error: sync: unlock of unlocked mutex"
	for _, where := range []string{"code exchange RS256", "refresh ES256", "loopback, code exchange", "heap", "two cores, refresh", "large store"} {
		if !strings.Contains(string(text), "\n- "+where+reason+".\n") {
			t.Errorf("the document does not say where crashing ended: %s\n%s", where, text)
		}
	}
	if strings.Contains(log.String(), "goroutine ") {
		t.Errorf("the log has the dump of a process:\n%s", &log)
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
	g, err := b.open("here", op, es256)
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

// TestOwnEnd verifies that the end of a process is an error, except for those of peers.
func TestOwnEnd(t *testing.T) {
	t.Parallel()
	s := crashing()
	b := &bench{log: io.Discard}
	if err := b.survive("here", &ended{s, "a reason"}); err != nil || len(b.lost) != 1 {
		t.Errorf("%v, %q", err, b.lost)
	}
	for _, name := range []string{ours, "floor"} {
		own, err := find(name)
		if err != nil {
			t.Fatal(err)
		}
		if b.survive("here", &ended{own, "a reason"}) == nil {
			t.Errorf("the end of the process of %s is no error", name)
		}
	}
	if err := b.survive("here", io.EOF); !errors.Is(err, io.EOF) || len(b.lost) != 1 {
		t.Errorf("%v, %q", err, b.lost)
	}
}

// TestStderr verifies that the reason is kept, and that a dump of goroutines is not forwarded.
func TestStderr(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][2]string{
		"a log\nfatal error: deadlock!\n\ngoroutine 1 [running]:\n": {"a log\n", "fatal error: deadlock!"},
		"panic: one\npanic: two\n":                                  {"", "panic: one"},
		"a panic: in a log":                                         {"a panic: in a log", ""},
	} {
		var out bytes.Buffer
		w := &stderr{out: &out}
		for i := range len(text) {
			if n, err := w.Write([]byte(text[i : i+1])); n != 1 || err != nil {
				t.Fatal(n, err)
			}
		}
		w.flush()
		if out.String() != want[0] || w.fatal != want[1] {
			t.Errorf("%q: %q and %q, not %q", text, &out, w.fatal, want)
		}
	}
}

// TestSecondRedemption redeems codes twice, one redemption after the other.
func TestSecondRedemption(t *testing.T) {
	t.Parallel()
	all, err := keys()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []subject{portnerSubject(), zitadel(), fositeSubject(), {name: luikyv}} {
		if s.open == nil {
			if s, err = find(s.name); err != nil {
				continue // not in this build
			}
		}
		c := child{subject: s}
		if _, err := c.open(settings{Op: opExchange, Alg: es256, Key: all[es256], ClientKey: all["client"]}); err != nil {
			t.Fatal(err)
		}
		calls, err := c.prepare(1)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []int{http.StatusOK, http.StatusBadRequest} {
			var a answer
			if err := c.party.via.do(&calls[0], &a); err != nil {
				t.Fatal(err)
			}
			if a.Status != want {
				t.Errorf("%s: status %d, not %d: %s", s.name, a.Status, want, a.Body)
			}
		}
	}
}

// TestNoVariant verifies that a run goes on without a subject whose program cannot be built, and says why.
func TestNoVariant(t *testing.T) {
	t.Chdir(t.TempDir())
	b := &bench{log: io.Discard}
	ran, err := b.runVariant(nil)
	if ran || err != nil {
		t.Fatal(ran, err)
	}
	if _, err := find(luikyv); err == nil {
		return // the variant does not build itself
	}
	if text := (&results{lost: b.lost}).markdown(); !strings.Contains(text, "\n- luikyv/go-oidc: not measured, because go: ") {
		t.Error(text)
	}
}

// TestReason verifies which line of the go command is the reason, and that it has no address.
func TestReason(t *testing.T) {
	t.Parallel()
	for out, want := range map[string]string{
		"": "",
		"go: downloading a v1.0.0\n# b\nc.go:1: d\n": "c.go:1: d",
		"a.go:9:2: missing go.sum entry; to add:\n":  "a.go:9:2: missing go.sum entry",
		"go: downloading a v1.0.0\nb.go:2:8: a@v1.0.0: reading https://proxy.example/a/@v/v1.0.0.zip: 403 Forbidden\n\tserver response: no\n": "b.go:2:8: a@v1.0.0: 403 Forbidden",
		"a@v1.0.0: Get \"http://proxy.example/a/@v/v1.0.0.mod\": refused.\n":                                                                  "a@v1.0.0: refused",
	} {
		if got := reasonOf(out); got != want {
			t.Errorf("%q: %q, not %q", out, got, want)
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
