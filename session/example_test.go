package session_test

import (
	"fmt"
	"time"

	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
)

func ExampleLimits_State() {
	limits := session.Limits{Max: 120 * time.Minute, Idle: 30 * time.Minute}
	start := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	s := session.Times{StartedAt: start, LastRequestAt: start}
	fmt.Println(limits.State(s, start.Add(29*time.Minute)))
	fmt.Println(limits.State(s, start.Add(30*time.Minute)))
	fmt.Println(limits.State(s, start.Add(120*time.Minute)))
	// Output:
	// active
	// idle
	// expired
}

func ExampleRules_Decide() {
	now := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	s := &storage.Session{StartedAt: now, LastRequestAt: now, Circles: []storage.Circle{
		{Name: "", ACR: "idporten-loa-substantial", AuthTime: now},
	}}
	high := func(acr string) bool { return acr == "idporten-loa-high" }
	later := now.Add(5 * time.Minute)
	for _, req := range []session.Request{{At: later}, {At: later, Sufficient: high}, {At: later, Circle: "alone"}} {
		auth, reason := session.Rules{}.Decide(s, req, later)
		fmt.Printf("%t %q\n", auth != nil, reason)
	}
	// Output:
	// true ""
	// false "step_up"
	// false "other_circle"
}
