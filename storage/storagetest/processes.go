package storagetest

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/portner-go/portner/internal/history"
	"github.com/portner-go/portner/storage"
)

// RunProcesses checks that a store is one store for several processes, which use the same codes, refresh tokens, sessions, pushed requests
// and assertions at the same time. NewBackend makes an empty backend and returns what open needs to find it: the path of a file, the
// address of a server and a schema.
//
// It starts the binary of the test again, with an environment variable that makes RunProcesses call open and take part instead of
// newBackend: the test that calls it does nothing else.
func RunProcesses(t *testing.T, newBackend func(t *testing.T) string, open func(t *testing.T, backend string) Node) {
	if c, ok := childOf(t); ok {
		c.serve(open(t, c.Backend), os.Stdin, os.Stdout)
		return
	}
	backend := newBackend(t)
	p := startChildren(t, backend, open(t, backend))
	t.Run("Processes/races", func(t *testing.T) {
		explain(t, "of all callers of all processes that use one record exactly one gets nil")
		for round := range size(15, 100, 500) {
			p.race(t, round)
			if t.Failed() {
				t.FailNow()
			}
		}
	})
	t.Run("Processes/histories", func(t *testing.T) {
		explain(t, "one order of the calls of all processes explains the results: the store is linearizable")
		for i := range size(2, 10, 100) {
			p.history(t, i)
		}
	})
}

// explain prints the rule if the test fails.
func explain(t *testing.T, rule string) {
	t.Cleanup(func() {
		if t.Failed() {
			t.Log("rule: " + rule)
		}
	})
}

const (
	processes    = 2
	callersOfOne = 4 // callers of one process in a race
	childVar     = "PORTNER_STORAGETEST_CHILD"
	answerMark   = "storagetest answer: " // begins a line of an answer, because the test of a child prints lines, too
)

// childProcess is what a child knows of its part.
type childProcess struct {
	Test    string
	Backend string
	Process int
}

// childOf returns the part of this process, if it is one that this test has started.
func childOf(t *testing.T) (c childProcess, ok bool) {
	if text := os.Getenv(childVar); text != "" {
		if err := json.Unmarshal([]byte(text), &c); err != nil {
			t.Fatalf("%s: %v", childVar, err)
		}
	}
	return c, c.Test == t.Name()
}

// order asks a child for a race, or for a batch of calls.
type order struct {
	Kind  string
	Name  string
	Batch *history.Batch `json:",omitempty"`
}

// answer is the result of an order.
type answer struct {
	Won   []string     // the callers that got nil
	Wrong []string     // errors that no caller may get
	Ops   []history.Op // of a batch
}

func (c childProcess) serve(n Node, orders io.Reader, answers io.Writer) {
	for in := json.NewDecoder(orders); ; {
		var o order
		if in.Decode(&o) != nil {
			return // the parent has ended
		}
		a := c.answer(n, o)
		text, err := json.Marshal(a)
		if err != nil {
			panic(err)
		}
		fmt.Fprintf(answers, "\n%s%s\n", answerMark, text)
	}
}

func (c childProcess) answer(n Node, o order) (a answer) {
	if o.Batch != nil {
		o.Batch.Process = c.Process
		a.Ops = history.Run(bg, *o.Batch, history.Handle{Store: n.Store, PushedRequests: n.PushedRequests, Replay: n.Replay})
		return a
	}
	kind := contests[o.Kind]
	var mu sync.Mutex
	var callers sync.WaitGroup
	for i := range callersOfOne {
		callers.Go(func() {
			name := fmt.Sprintf("%s by %d.%d", o.Name, c.Process, i)
			err := kind.use(n, o.Name, name)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				a.Won = append(a.Won, name)
			case !kind.lost(err):
				a.Wrong = append(a.Wrong, err.Error())
			}
		})
	}
	callers.Wait()
	return a
}

// contest is a race for one record.
type contest struct {
	prepare func(t testing.TB, n Node, name string)
	use     func(n Node, name, caller string) error
	lost    func(err error) bool
	// after examines the records that the callers tried to insert.
	after func(t testing.TB, n Node, caller string, won bool)
}

func isConsumed(err error) bool { return errors.Is(err, storage.ErrConsumed) }

// wantTokens checks that the tokens of a caller exist if it won.
func wantTokens(t testing.TB, n Node, caller string, won bool) {
	t.Helper()
	want := storage.ErrNotFound
	if won {
		want = nil
	}
	issuanceState(t, n.Store, newIssuance(caller, newCode("")), epoch, want, "of one of many processes")
}

var contests = map[string]contest{
	"code": {
		func(t testing.TB, n Node, name string) {
			must(t, createCode(n, bg, newCode(name), epoch), "creating a code")
		},
		func(n Node, name, caller string) error {
			return n.RedeemCode(bg, newCode(name).Hash, newIssuance(caller, newCode(name)), epoch)
		},
		isConsumed, wantTokens,
	},
	"refresh token": {
		func(t testing.TB, n Node, name string) { redeemed(t, n, newCode(name), name) },
		func(n Node, name, caller string) error {
			return n.RotateRefreshToken(bg, storage.HashOf("refresh "+name), successor(caller, newCode(name), 1), 0, epoch)
		},
		isConsumed, wantTokens,
	},
	"session": {
		func(t testing.TB, n Node, name string) { createSession(t, n, newSession(name, name)) },
		func(n Node, name, caller string) error {
			next := newSession(name, name)
			next.Hash = storage.HashOf(caller)
			return replace(bg, n, newSession(name, name).Hash, next, epoch)
		},
		func(err error) bool {
			return errors.Is(err, storage.ErrConflict) || errors.Is(err, storage.ErrNotFound)
		},
		func(t testing.TB, n Node, caller string, won bool) {
			if _, err := n.Session(bg, storage.HashOf(caller), epoch); (err == nil) != won {
				t.Errorf("the session as a caller rotated it: %v, and the caller won: %v", err, won)
			}
		},
	},
	"pushed request": {
		func(t testing.TB, n Node, name string) { push(t, n.PushedRequests, name) },
		func(n Node, name, _ string) error {
			return n.PushedRequests.ConsumePushedRequest(bg, newPushed(name).Hash, epoch)
		},
		func(err error) bool { return isConsumed(err) || errors.Is(err, storage.ErrNotFound) },
		func(testing.TB, Node, string, bool) {},
	},
	"jti": {
		func(testing.TB, Node, string) {},
		func(n Node, name, _ string) error {
			return n.Replay.ConsumeJTI(bg, "client-a", storage.HashOf(name), epoch.Add(time.Minute), epoch)
		},
		isConsumed, func(testing.TB, Node, string, bool) {},
	},
}

// children are the processes that a test has started, and its own node.
type children struct {
	Node
	all []*child
}

type child struct {
	orders  io.WriteCloser
	answers chan answer
	ended   chan struct{} // closed with the output
	output  strings.Builder
}

func startChildren(t *testing.T, backend string, own Node) *children {
	t.Helper()
	exe, err := os.Executable()
	must(t, err, "finding the binary of the test")
	var pattern []string
	for name := range strings.SplitSeq(t.Name(), "/") {
		pattern = append(pattern, "^"+regexp.QuoteMeta(name)+"$")
	}
	p := &children{Node: own}
	for i := range processes {
		part, err := json.Marshal(childProcess{t.Name(), backend, i})
		must(t, err, "describing a child")
		ctx, cancel := context.WithCancel(bg)
		cmd := exec.CommandContext(ctx, exe, "-test.run="+strings.Join(pattern, "/"))
		cmd.Env = append(os.Environ(), childVar+"="+string(part))
		c := &child{answers: make(chan answer, 1), ended: make(chan struct{})}
		c.orders, err = cmd.StdinPipe()
		must(t, err, "starting a child")
		out, err := cmd.StdoutPipe()
		must(t, err, "starting a child")
		cmd.Stderr = cmd.Stdout
		must(t, cmd.Start(), "starting a child")
		go c.read(out)
		t.Cleanup(func() {
			_ = c.orders.Close()
			select {
			case <-c.ended:
			case <-time.After(patience(t)):
				t.Error("a child does not end")
			}
			cancel()
			_ = cmd.Wait()
		})
		p.all = append(p.all, c)
	}
	return p
}

// read passes the answers on, and keeps what else the child prints.
func (c *child) read(out io.Reader) {
	defer close(c.ended)
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n')
		if text, ok := strings.CutPrefix(line, answerMark); ok {
			var a answer
			if json.Unmarshal([]byte(text), &a) == nil {
				c.answers <- a
			}
		} else if c.output.Len() < 10_000 {
			c.output.WriteString(line)
		}
		if err != nil {
			return
		}
	}
}

// ask gives an order to all children at the same time and returns their answers together.
func (p *children) ask(t testing.TB, o order) (all answer) {
	t.Helper()
	text, err := json.Marshal(o)
	must(t, err, "writing an order")
	for _, c := range p.all {
		_, err := c.orders.Write(append(text, '\n'))
		must(t, err, "giving an order to a child")
	}
	for _, c := range p.all {
		select {
		case a := <-c.answers:
			all.Won, all.Wrong, all.Ops = append(all.Won, a.Won...), append(all.Wrong, a.Wrong...), append(all.Ops, a.Ops...)
		case <-c.ended:
			t.Fatalf("a child has ended:\n%s", c.output.String())
		case <-time.After(patience(t)):
			t.Fatal("a child does not answer")
		}
	}
	return all
}

// race lets all callers of all children use one record.
func (p *children) race(t testing.TB, round int) {
	t.Helper()
	kinds := []string{"code", "refresh token", "session"}
	if p.PushedRequests != nil {
		kinds = append(kinds, "pushed request")
	}
	if p.Replay != nil {
		kinds = append(kinds, "jti")
	}
	kind, name := kinds[round%len(kinds)], numbered("round", round)
	c := contests[kind]
	c.prepare(t, p.Node, name)
	a := p.ask(t, order{Kind: kind, Name: name})
	if len(a.Won) != 1 || len(a.Wrong) > 0 {
		t.Fatalf("round %d: %d of %d callers in %d processes used one %s, want exactly 1; wrong verdicts: %q", round, len(a.Won), processes*callersOfOne, processes, kind, a.Wrong)
	}
	c.after(t, p.Node, a.Won[0], true)
	for _, loser := range []string{fmt.Sprintf("%s by 0.0", name), fmt.Sprintf("%s by 1.0", name)} {
		if loser != a.Won[0] {
			c.after(t, p.Node, loser, false)
		}
	}
}

// history lets all children make calls for the same keys.
func (p *children) history(t testing.TB, i int) {
	t.Helper()
	a := p.ask(t, order{Batch: &history.Batch{Space: numbered("process", i), Seed: uint64(i), Processes: processes, Callers: 3, Steps: size(30, 60, 60)}})
	if err := history.Check(a.Ops, patienceOfHistories); err != nil {
		t.Fatalf("batch %d: %v", i, err)
	}
}
