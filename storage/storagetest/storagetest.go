// Package storagetest tells whether a store keeps the contract of package storage. Call it
// from a test of your store:
//
//	func TestStore(t *testing.T) {
//		storagetest.Run(t, func(t *testing.T) storagetest.Store { return openEmptyStore(t) })
//	}
//
// A store that leaves optional parts out runs [RunCore] and the parts it has. Each case gets a
// fresh, empty store and prints the rule it guards when it fails. The clock stands at a fixed
// instant in the future; a store that looks at its own clock for anything but collecting
// garbage fails. Run it with -race too. It needs the standard library only.
package storagetest

import (
	"testing"

	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/token"
)

// Core is what a provider with code, refresh and single sign-on needs of a store.
type Core interface {
	session.Store
	authorize.Store
	token.Store
}

// Store is Core and the optional parts: pushed requests, consent, client assertions.
type Store interface {
	Core
	authorize.PushedRequestStore
	authorize.ConsentStore
	client.ReplayStore
}

// Run checks a whole store.
func Run(t *testing.T, newStore func(t *testing.T) Store) {
	RunCore(t, func(t *testing.T) Core { return newStore(t) })
	RunPushedRequests(t, func(t *testing.T) authorize.PushedRequestStore { return newStore(t) })
	RunConsents(t, func(t *testing.T) authorize.ConsentStore { return newStore(t) })
	RunReplay(t, func(t *testing.T) client.ReplayStore { return newStore(t) })
}

// RunCore checks sessions, codes, grants and tokens.
func RunCore(t *testing.T, newStore func(t *testing.T) Core) {
	for _, cases := range coreCases() {
		run(t, cases, newStore)
	}
}

// RunPushedRequests checks pushed authorization requests.
func RunPushedRequests(t *testing.T, newStore func(t *testing.T) authorize.PushedRequestStore) {
	run(t, pushedCases(), newStore)
}

// RunConsents checks remembered consent.
func RunConsents(t *testing.T, newStore func(t *testing.T) authorize.ConsentStore) {
	run(t, consentCases(), newStore)
}

// RunReplay checks the memory for used assertions.
func RunReplay(t *testing.T, newStore func(t *testing.T) client.ReplayStore) {
	run(t, replayCases(), newStore)
}

// testCase is one case and the rule it guards.
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

func coreCases() [][]testCase[Core] {
	return [][]testCase[Core]{
		sessionCases(), endSessionCases(), codeCases(), redeemCases(), valueCases(),
		refreshCases(), grantCases(), raceCases(), interruptionCases(),
	}
}
