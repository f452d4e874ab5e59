package kit

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/portner-go/portner/portnertest"
	"github.com/portner-go/portner/scope"
)

// A token of a user who is logged in.
func TestToken(t *testing.T) {
	op := portnertest.New(t, portnertest.Config{})
	tokens := op.LogIn(t, portnertest.Login{User: "kari", ACR: "idporten-loa-high"})
	if tokens.Claims["pid"] != "21879498012" || tokens.AccessToken == "" {
		t.Fatal(tokens.Claims)
	}
}

// A relying party: the app starts the login, the browser answers the pages of the provider.
func TestRelyingParty(t *testing.T) {
	op := portnertest.New(t, portnertest.Config{FrontchannelLogoutPath: "/frontchannel"})
	app := newApp(t, op)
	resp, err := op.Browser(t, portnertest.Login{User: "kari"}).Get(app.URL + "/login")
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatal(resp, err)
	}
}

// An API: tokens without a login, good and bad.
func TestAPI(t *testing.T) {
	op := portnertest.New(t, portnertest.Config{})
	api := newAPI(t, op)
	for fault, want := range map[portnertest.Fault]int{portnertest.NoFault: 200, portnertest.ExpiredToken: 401, portnertest.ForeignKey: 401} {
		r := httptest.NewRequest("GET", "/tax", nil)
		r.Header.Set("Authorization", "Bearer "+op.MintToken(t, portnertest.Token{Scopes: []string{"skatt:les"}, Fault: fault}))
		w := httptest.NewRecorder()
		if api.ServeHTTP(w, r); w.Code != want {
			t.Errorf("fault %v: %d, want %d", fault, w.Code, want)
		}
	}
}

// A client of Maskinporten: it retries after a lost response with a new assertion.
func TestMachineClient(t *testing.T) {
	mp := portnertest.NewMaskinporten(t, portnertest.Config{Scopes: []scope.Scope{{Name: "skatt:les"}}})
	mp.Fail("token", 1, portnertest.LostResponse)
	if token, err := newMachine(mp).Token("skatt:les"); err != nil || token == "" {
		t.Fatal(token, err)
	}
}

// A logout handler: the provider ends the session, the app forgets the user. So does time.
func TestLogout(t *testing.T) {
	op := portnertest.New(t, portnertest.Config{FrontchannelLogoutPath: "/frontchannel"})
	app := newApp(t, op)
	browser := op.Browser(t, portnertest.Login{User: "kari"})
	if _, err := browser.Get(app.URL + "/login"); err != nil {
		t.Fatal(err)
	}
	op.EndSession(t, "kari")
	op.Advance(31 * time.Minute)
	if resp, err := browser.Get(app.URL + "/profile"); err != nil || resp.StatusCode != http.StatusUnauthorized {
		t.Fatal(resp, err)
	}
}
