package storagetest

import (
	"context"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/token"
)

// Verdict is the result of one case.
type Verdict int

const (
	Unknown Verdict = iota // there is no such case
	Passed
	Failed
)

// FullStore is a store with every optional interface.
type FullStore interface {
	provider.Store
	authorize.PushedRequestStore
	client.ReplayStore
	token.GrantStore
	HistoryStore
	keyset.Store
}

// Judge runs the case with this name against a new store. Unlike in go test, a case ends at its first failure.
func Judge(name string, newStore func() FullStore) Verdict {
	for _, cases := range storeCases() {
		if v := judge(name, cases, func() provider.Store { return newStore() }); v != Unknown {
			return v
		}
	}
	return max(
		judge(name, pushedCases(), func() authorize.PushedRequestStore { return newStore() }),
		judge(name, insertCases(), func() GrantStore { return newStore() }),
		judge(name, historyCases(), func() HistoryStore { return newStore() }),
		judge(name, signingKeyCases(), func() keyset.Store { return newStore() }),
		judge(name, replayCases(), func() client.ReplayStore { return newStore() }))
}

// JudgeNodes runs the case of RunNodes with this name.
func JudgeNodes(name string, newNodes func(n int) []Node) Verdict {
	return judge(name, nodeCases(), func() []Node { return newNodes(nodes) })
}

// judge returns Passed if three stores pass: a race does not show a defect in every run.
func judge[S any](name string, cases []testCase[S], newStore func() S) (v Verdict) {
	for _, c := range cases {
		for try := 0; c.name == name && try < 3 && v != Failed; try++ {
			v = verdictOf(c, newStore())
		}
	}
	return v
}

func verdictOf[S any](c testCase[S], s S) Verdict {
	r := &recorder{}
	done := make(chan struct{})
	go func() { // Goexit is how a case ends at a failure
		defer close(done)
		c.f(r, s)
	}()
	<-done
	if r.failed.Load() {
		return Failed
	}
	return Passed
}

// recorder is a testing.TB that only remembers the verdict. Cases use no other method of it.
type recorder struct {
	testing.TB
	failed atomic.Bool
}

func (r *recorder) Helper()                  {}
func (r *recorder) Errorf(string, ...any)    { r.FailNow() }
func (r *recorder) Fatalf(string, ...any)    { r.FailNow() }
func (r *recorder) FailNow()                 { r.failed.Store(true); runtime.Goexit() }
func (r *recorder) Failed() bool             { return r.failed.Load() }
func (r *recorder) patience() time.Duration  { return 2 * time.Second }
func (r *recorder) Context() context.Context { return bg }
