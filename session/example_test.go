package session_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/storage/memory"
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

// A browser logs in, returns with its cookie, and logs out.
func ExampleKeeper() {
	ctx, now := context.Background(), time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	vault, err1 := session.NewVault("https://login.example.no", portner.NewSecret())
	keeper, err2 := session.New(session.Config{Store: memory.New(), Vault: vault})
	if err := errors.Join(err1, err2); err != nil {
		fmt.Println(err)
		return
	}
	response := http.Header{} // of the response to the login form
	_, err := keeper.LogIn(ctx, response, nil, session.Authentication{
		Identity: session.Identity{Subject: "user-4711"}, ACR: "substantial", AMR: []string{"pwd"},
	}, "", now)
	cookie, _, _ := strings.Cut(response.Get("Set-Cookie"), ";")
	fmt.Println(err, response.Get("Set-Cookie") != "")

	request := http.Header{"Cookie": {cookie}} // of a later request
	current, _ := keeper.Current(ctx, request, http.Header{}, now.Add(time.Minute))
	user, _ := keeper.Identity(current, "")
	fmt.Println(user.Subject, current.Circles[0].ACR)

	_, err = keeper.End(ctx, http.Header{}, current, now.Add(2*time.Minute))
	current, _ = keeper.Current(ctx, request, http.Header{}, now.Add(3*time.Minute))
	fmt.Println(err, current)
	// Output:
	// <nil> true
	// user-4711 substantial
	// <nil> <nil>
}

// A page of the host greets the user of the browser, if the login has the level that the page needs.
func ExampleKeeper_User() {
	vault, err1 := session.NewVault("https://login.example.no", portner.NewSecret())
	keeper, err2 := session.New(session.Config{Store: memory.New(), Vault: vault})
	if err := errors.Join(err1, err2); err != nil {
		fmt.Println(err)
		return
	}
	needs := session.Request{Sufficient: func(acr string) bool { return acr == "high" }}
	account := func(w http.ResponseWriter, r *http.Request) {
		user, reason, err := keeper.User(r.Context(), r.Header, w.Header(), needs, time.Now())
		switch {
		case err != nil:
			http.Error(w, "Try again later.", http.StatusServiceUnavailable)
		case reason != "":
			fmt.Fprintln(w, "Log in:", reason)
		default:
			fmt.Fprintln(w, "Hello,", user.Subject)
		}
	}
	visit := func(cookie string) {
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/account", nil)
		r.Header.Set("Cookie", cookie)
		account(w, r)
		fmt.Print(w.Body)
	}

	visit("")
	for _, level := range []string{"substantial", "high"} {
		response := http.Header{}
		_, err := keeper.LogIn(context.Background(), response, nil, session.Authentication{
			Identity: session.Identity{Subject: "user-4711"}, ACR: level, AMR: []string{"pwd"},
		}, "", time.Now())
		if err != nil {
			fmt.Println(err)
			return
		}
		cookie, _, _ := strings.Cut(response.Get("Set-Cookie"), ";")
		visit(cookie)
	}
	// Output:
	// Log in: no_session
	// Log in: step_up
	// Hello, user-4711
}
