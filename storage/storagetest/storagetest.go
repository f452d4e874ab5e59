// Package storagetest checks whether a store keeps its contract, which provider.Store states. Call it from a test of the
// store:
//
//	func TestStore(t *testing.T) {
//		storagetest.Run(t, func(t *testing.T) provider.Store { return openEmptyStore(t) })
//	}
//
// The optional interfaces of a store have functions of their own. A store whose data several nodes share has more: RunNodes for several
// handles on the same data, RunProcesses for several processes, and RunLostResponses if it has a server. Each case gets a new, empty
// store, and prints the rule that it checks if it fails. The cases use fixed instants in the future, so a store that decides by its own
// clock fails. Run the test with -race too.
//
// The environment variable PORTNER_STORAGETEST chooses the form of a run: short (also with -short), normal or full. Calls of methods:
//
//	                                     short    normal      full
//	Run and those for optional methods   5,900   221,000 1,050,000
//	RunNodes                             1,300    57,000   620,000
//	RunProcesses                           540     4,700    41,000
//	RunLostResponses                       830       890       910
//
// A short run of all takes about 8 s if a call takes 1 ms. A normal run takes 2 s for Run and 2 s for RunNodes with package memory on two
// cores, a full one 17 s and half a minute, and minutes with a database. Each broken store of the tests of this package fails in the normal
// form. Use the short form during development and in the tests of a database, which choose it in TestMain unless the variable is set, and
// the full one before a store is used. A race fails if no caller returns for two minutes.
package storagetest

import (
	"testing"

	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/provider"
)

// Run checks the twelve methods of a store.
func Run(t *testing.T, newStore func(t *testing.T) provider.Store) {
	for _, cases := range storeCases() {
		run(t, cases, newStore)
	}
}

// RunPushedRequests checks the methods for pushed authorization requests.
func RunPushedRequests(t *testing.T, newStore func(t *testing.T) authorize.PushedRequestStore) {
	run(t, pushedCases(), newStore)
}

// RunReplay checks that client assertions are accepted once.
func RunReplay(t *testing.T, newStore func(t *testing.T) client.ReplayStore) {
	run(t, replayCases(), newStore)
}

// testCase is a case and the rule that it checks.
type testCase[S any] struct {
	name string
	rule string
	f    func(t testing.TB, s S)
}

func run[S any](t *testing.T, cases []testCase[S], newStore func(t *testing.T) S) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			defer func() {
				if t.Failed() {
					t.Log("rule: " + c.rule)
				}
			}()
			c.f(t, newStore(t))
		})
	}
}

func storeCases() [][]testCase[provider.Store] {
	return [][]testCase[provider.Store]{
		sessionCases(), endSessionCases(), outcomeCases(), visitCases(), codeCases(), redeemCases(), consentCases(), refreshCases(),
		retryCases(), grantCases(), authorizationCases(), valueCases(), raceCases(), interruptionCases(), changeCases(), manyCases(), writerCases(), wholeCases(),
	}
}
