// Package storagetest checks whether a store keeps its contract, which provider.Store states. Call it from a test of the
// store:
//
//	func TestStore(t *testing.T) {
//		storagetest.Run(t, func(t *testing.T) provider.Store { return openEmptyStore(t) })
//	}
//
// The optional interfaces of a store have functions of their own. Each case gets a new, empty store, and prints the rule
// that it checks if it fails. The cases use fixed instants in the future, so a store that decides by its own clock fails.
// Run the test with -race too.
//
// A full run makes about 900,000 calls of methods, nine tenths of them in races of up to 50 callers. It takes 15 s with package memory on
// two cores, and minutes with a database. A race fails if no caller returns for two minutes. A run with -short makes fewer than 6,000 calls,
// which take less than 30 s if one call takes 5 ms. Use -short during development, and a full run before the store is used.
package storagetest

import (
	"testing"

	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/provider"
)

// Run checks the thirteen methods of a store.
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
