package portnertest_test

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/portner-go/portner/portnertest"
	"github.com/portner-go/portner/resource"
	"github.com/portner-go/portner/scope"
)

// t stands for the argument of a test in the examples. TestExamples runs them.
var t *testing.T

// TestExamples: the examples are tests that pass. It is not parallel, because they share t.
func TestExamples(test *testing.T) {
	for name, example := range map[string]func(){
		"login": Example, "relying party": Example_relyingParty, "API": Example_api, "bound tokens": ExampleProver, "Maskinporten": ExampleNewMaskinporten,
		"logout": ExampleProvider_EndSession,
	} {
		test.Run(name, func(test *testing.T) {
			t = test
			example()
		})
	}
}

// A login without an app: t is the *testing.T of the test.
func Example() {
	op := portnertest.New(t, portnertest.Config{})
	tokens := op.LogIn(t, portnertest.Login{User: "kari", ACR: "idporten-loa-high"})
	if tokens.Claims["pid"] != "21879498012" {
		t.Fatal(tokens.Claims)
	}
}

// A relying party: the browser opens its login, and the provider logs kari in. If the app does not compare state or nonce, or accepts an
// id_token that it must reject, the test fails with the name of the rule.
func Example_relyingParty() {
	op := portnertest.New(t, portnertest.Config{FrontchannelLogoutPath: "/frontchannel"})
	app := newApp(t, op) // with op.Issuer, portnertest.ClientID, portnertest.ClientSecret and op.HTTP
	resp, err := op.Browser(t, portnertest.Login{User: "kari"}).Get(app.url + "/login")
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatal(resp, err)
	}
	resp.Body.Close()
}

// An API with package resource: tokens without a login, one that is valid, and some that the API must reject.
func Example_api() {
	op := portnertest.New(t, portnertest.Config{})
	verifier, err := resource.New(resource.Config{
		Issuer: op.Issuer, URL: "https://api.example.com", Keys: resource.RemoteKeys{URI: op.Issuer + "/jwks.json", HTTP: op.HTTP}, Now: op.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	api := verifier.Protect(resource.Rules{Scopes: []string{"skatt:les"}}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, resource.FromContext(r.Context()).ACR)
	}))
	for fault, want := range map[portnertest.Fault]int{
		portnertest.NoFault: 200, portnertest.ExpiredToken: 401, portnertest.ForeignKey: 401, portnertest.ForeignAudience: 401,
	} {
		r := httptest.NewRequest(http.MethodGet, "/tax", nil)
		r.Header.Set("Authorization", "Bearer "+op.MintToken(t, portnertest.Token{Scopes: []string{"skatt:les"}, Fault: fault}))
		w := httptest.NewRecorder()
		api.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%v: status %d, want %d", fault, w.Code, want)
		}
	}
}

// A request to an API with a token that is bound to a key (DPoP).
func ExampleProver() {
	op := portnertest.NewHelseID(t, portnertest.Config{Scopes: []scope.Scope{{Name: "nhn:sample/read"}}})
	key := portnertest.NewProver()
	token := op.MintToken(t, portnertest.Token{Scopes: []string{"nhn:sample/read"}, DPoP: key})
	r := httptest.NewRequest(http.MethodGet, "https://api.example.com/tax", nil)
	r.Header.Set("Authorization", "DPoP "+token)
	r.Header.Set("DPoP", key.Proof(r.Method, r.URL.String(), token, op.Now(), nil))
}

// A client of Maskinporten whose first request has no response. The second one needs another assertion, because each is accepted once.
func ExampleNewMaskinporten() {
	mp := portnertest.NewMaskinporten(t, portnertest.Config{Scopes: []scope.Scope{{Name: "skatt:les"}}})
	mp.Fail("token", 1, portnertest.LostResponse)
	key, kid := mp.ClientKey()
	request := func() (*http.Response, error) {
		return mp.HTTP.PostForm(mp.Issuer+"token", url.Values{
			"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"},
			"assertion": {sign(key, map[string]any{"alg": "RS256", "kid": kid}, map[string]any{
				"iss": portnertest.ClientID, "aud": mp.Issuer, "scope": "skatt:les", "iat": mp.Now().Unix(), "exp": mp.Now().Unix() + 60, "jti": rand.Text(),
			})},
		})
	}
	if resp, err := request(); err == nil {
		resp.Body.Close()
		t.Fatal("the first request has a response")
	}
	resp, err := request()
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var tokens struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&tokens); err != nil || tokens.AccessToken == "" {
		t.Fatal(resp.Status, err)
	}
}

// A logout handler: the user logs out in another window, and the provider calls the app before EndSession returns.
func ExampleProvider_EndSession() {
	op := portnertest.New(t, portnertest.Config{BackchannelLogoutPath: "/backchannel"})
	app := newApp(t, op)
	browser := op.Browser(t, portnertest.Login{User: "kari"})
	resp, err := browser.Get(app.url + "/login")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	op.EndSession(t, "kari")
	op.Advance(31 * time.Minute)
	resp, err = browser.Get(app.url + "/profile")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized {
		t.Fatal(resp.Status)
	}
}

// sign returns a JWT with a signature of an RSA key (RS256).
func sign(key crypto.Signer, header, claims map[string]any) string {
	b64 := base64.RawURLEncoding.EncodeToString
	var parts [2]string
	for i, part := range []map[string]any{header, claims} {
		text, err := json.Marshal(part)
		if err != nil {
			panic(err)
		}
		parts[i] = b64(text)
	}
	signed := parts[0] + "." + parts[1]
	hash := sha256.Sum256([]byte(signed))
	signature, err := key.Sign(rand.Reader, hash[:], crypto.SHA256)
	if err != nil {
		panic(err)
	}
	return signed + "." + b64(signature)
}
