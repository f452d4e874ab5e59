package history

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"
)

// maxLines bounds the calls that an error prints.
const maxLines = 60

// Check returns nil if an order of the calls explains the results, and otherwise an error with a part of the history that none explains,
// one line for each call. The calls of each key are examined on their own, each for at most patience: a history that is not decided by
// then is an error, too.
func Check(ops []Op, patience time.Duration) error {
	byKey := map[string][]Op{}
	for _, o := range ops {
		if starts[o.kind()] == nil {
			return fmt.Errorf("history: a key of no known kind: %q", o.Key)
		}
		if o.Result == Unknown && o.reads() {
			continue
		}
		byKey[o.Key] = append(byKey[o.Key], o)
	}
	var errs []error
	for _, key := range slices.Sorted(maps.Keys(byKey)) {
		switch all := byKey[key]; decide(all, patience) {
		case porcupine.Unknown:
			errs = append(errs, fmt.Errorf("history: %s: %d calls are not decided after %v", key, len(all), patience))
		case porcupine.Illegal:
			errs = append(errs, errors.New(describe(key, smallest(all, patience))))
		}
		if len(errs) == 3 {
			break
		}
	}
	return errors.Join(errs...)
}

func decide(ops []Op, patience time.Duration) porcupine.CheckResult {
	if len(ops) == 0 {
		return porcupine.Ok
	}
	kind := ops[0].kind()
	model := porcupine.Model{
		Init: func() any { return starts[kind] },
		Step: func(s, in, _ any) (bool, any) {
			o := in.(*Op)
			want, next := s.(state).apply(o)
			return o.open() || explains(want, o.Result), next
		},
		Equal: func(a, b any) bool { return a.(state).equal(b.(state)) },
	}
	history := make([]porcupine.Operation, len(ops))
	for i := range ops {
		o := &ops[i]
		history[i] = porcupine.Operation{Input: o, Call: o.Start, Return: o.end()}
	}
	return porcupine.CheckOperationsTimeout(model, history, patience)
}

// running is the result of a call that has not returned at the end of a part of a history.
const running = "running when the last of the others returns"

// open reports whether nobody knows what the call did.
func (o *Op) open() bool { return o.Result == Unknown || o.Result == running }

// end is the last instant at which the call takes effect. One that is not known to have done so may take effect after all others, where
// nobody sees it.
func (o *Op) end() int64 {
	if o.open() {
		return math.MaxInt64
	}
	return o.End
}

func explains(want, got string) bool {
	for w := range strings.SplitSeq(want, "|") {
		if w == got {
			return true
		}
	}
	return false
}

// smallest returns a part of a history that no order explains: up to the first end of a call that none explains, and without calls that
// changed nothing and are not needed for the contradiction.
func smallest(ops []Op, patience time.Duration) []Op {
	wrong := func(ops []Op) bool { return decide(ops, patience) == porcupine.Illegal }
	sorted := slices.SortedFunc(slices.Values(ops), func(a, b Op) int { return cmp.Compare(a.end(), b.end()) })
	part := sorted
	for n := range sorted {
		if p := prefix(sorted, n+1); wrong(p) {
			part = p
			break
		}
	}
	for i := len(part) - 1; i >= 0; i-- {
		o := part[i]
		if !o.reads() && (strings.HasPrefix(o.Result, ok) || o.open()) {
			continue // it may have changed something
		}
		if p := slices.Delete(slices.Clone(part), i, i+1); wrong(p) {
			part = p
		}
	}
	return part
}

// prefix returns the first n calls of ops, which are sorted by their ends, and those that had begun when the last of them ended. Nobody
// knows the results of the latter.
func prefix(ops []Op, n int) []Op {
	p := slices.Clone(ops[:n])
	for _, o := range ops[n:] {
		if o.Start < p[n-1].End && !o.reads() {
			o.Result = running
			p = append(p, o)
		}
	}
	return p
}

func describe(key string, ops []Op) string {
	slices.SortStableFunc(ops, func(a, b Op) int { return cmp.Compare(a.Start, b.Start) })
	var b strings.Builder
	fmt.Fprintf(&b, "history: %s: no order of these %d calls explains their results:", key, len(ops))
	for i := range ops {
		if i == maxLines {
			fmt.Fprintf(&b, "\n\t and %d more", len(ops)-i)
			break
		}
		b.WriteString("\n\t" + ops[i].line(ops[0].Start))
	}
	return b.String()
}
