package app_test

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"example.no/app"

	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/pkce"
	"github.com/portner-go/portner/scope"
)

// world is the application behind TLS, and a browser without cookies.
type world struct {
	t       *testing.T
	issuer  string
	keys    *keyset.Set
	secret  string
	browser *http.Client
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func start(t *testing.T) *world {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	t.Cleanup(server.Close)
	w := &world{t: t, issuer: "https://" + server.Listener.Addr().String(), secret: client.GenerateSecret()}
	key, err := keyset.Generate(keyset.ES256)
	check(t, err)
	w.keys, err = keyset.New(keyset.Config{Keys: []keyset.Key{key}})
	check(t, err)
	secret, err := client.NewSecret(w.secret, time.Time{})
	check(t, err)
	app1 := client.Client{
		ClientID: "public", RedirectURIs: []string{"https://public.example.no/cb"}, Secrets: []client.Secret{secret},
		Scopes: []string{"openid", "profile", scope.Introspection},
	}
	app2 := app1
	app2.ClientID, app2.RedirectURIs, app2.SubjectType = "pairwise", []string{"https://pairwise.example.no/cb"}, client.Pairwise
	clients, err := client.NewRegistry(client.Environment{}, app1, app2)
	check(t, err)
	server.Config.Handler, err = app.New(w.issuer, w.keys, clients)
	check(t, err)
	server.StartTLS()
	w.browser = server.Client()
	w.browser.Jar, err = cookiejar.New(nil)
	check(t, err)
	w.browser.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if strings.HasSuffix(r.URL.Host, ".example.no") {
			return http.ErrUseLastResponse
		}
		return nil
	}
	return w
}

// send sends a request and returns the response with its body.
func (w *world) send(r *http.Request) (*http.Response, string) {
	w.t.Helper()
	res, err := w.browser.Do(r)
	check(w.t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	check(w.t, err)
	return res, string(body)
}

func (w *world) post(path, clientID string, form url.Values) (*http.Response, map[string]any) {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, w.issuer+path, strings.NewReader(form.Encode()))
	check(w.t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(clientID, w.secret)
	res, body := w.send(r)
	return res, decode(w.t, []byte(body))
}

func decode(t *testing.T, text []byte) (m map[string]any) {
	t.Helper()
	check(t, json.Unmarshal(text, &m))
	return m
}

var field = regexp.MustCompile(`name="(request|csrf)" value="([^"]+)"`)

// login logs kari in and returns the token request for the code.
func (w *world) login(clientID string) url.Values {
	w.t.Helper()
	verifier, callback := pkce.NewVerifier(), "https://"+clientID+".example.no/cb"
	q := url.Values{
		"response_type": {"code"}, "client_id": {clientID}, "redirect_uri": {callback}, "scope": {"openid profile"}, "state": {"s"}, "nonce": {"n"},
		"code_challenge": {pkce.Challenge(verifier)}, "code_challenge_method": {"S256"}, "prompt": {"login"},
	}
	r, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, w.issuer+"/authorize?"+q.Encode(), nil)
	check(w.t, err)
	res, body := w.send(r)
	form := url.Values{"user": {"kari"}}
	for _, m := range field.FindAllStringSubmatch(body, -1) {
		form.Set(m[1], m[2])
	}
	r, err = http.NewRequestWithContext(w.t.Context(), http.MethodPost, res.Request.URL.String(), strings.NewReader(form.Encode()))
	check(w.t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", w.issuer)
	res, body = w.send(r)
	location, err := res.Location()
	if err != nil || !strings.HasPrefix(location.String(), callback+"?") {
		w.t.Fatalf("no redirect to the client: %d %s %s", res.StatusCode, location, body)
	}
	return url.Values{
		"grant_type": {"authorization_code"}, "code": {location.Query().Get("code")}, "redirect_uri": {callback}, "code_verifier": {verifier},
	}
}

// documents returns the four documents with claims about the user.
func (w *world) documents(clientID string) map[string]map[string]any {
	w.t.Helper()
	res, tokens := w.post("/token", clientID, w.login(clientID))
	if res.StatusCode != http.StatusOK || res.Header.Get("X-Route") != "/token" || res.Header.Get("Cache-Control") != "no-store" {
		w.t.Fatalf("token response: %d %v %v", res.StatusCode, res.Header, tokens)
	}
	accessToken := tokens["access_token"].(string)
	all := map[string]map[string]any{}
	_, err := w.keys.VerifyIDToken(tokens["id_token"].(string), time.Now())
	check(w.t, err)
	for _, name := range []string{"id_token", "access_token"} {
		payload, err := base64.RawURLEncoding.DecodeString(strings.Split(tokens[name].(string), ".")[1])
		check(w.t, err)
		all[name] = decode(w.t, payload)
	}
	_, all["introspection"] = w.post("/introspect", clientID, url.Values{"token": {accessToken}})
	r, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, w.issuer+"/userinfo", nil)
	check(w.t, err)
	r.Header.Set("Authorization", "Bearer "+accessToken)
	_, body := w.send(r)
	all["userinfo"] = decode(w.t, []byte(body))
	return all
}

// TestClaims: the claims of the application and the subject are equal in the four documents.
func TestClaims(t *testing.T) {
	w := start(t)
	for _, clientID := range []string{"public", "pairwise"} {
		all := w.documents(clientID)
		subject := all["id_token"]["sub"]
		if raw, err := base64.RawURLEncoding.DecodeString(subject.(string)); clientID == "public" && subject != "kari" ||
			clientID == "pairwise" && (err != nil || len(raw) != 32) {
			t.Errorf("%s: sub %v", clientID, subject)
		}
		for name, claims := range all {
			if !reflect.DeepEqual(claims["roles"], []any{"admin", "reader"}) || claims["tenant_id"] != "t1" || claims["sub"] != subject {
				t.Errorf("%s, %s: %v", clientID, name, claims)
			}
		}
	}
}

// TestTokenErrors: errors of the core become responses of the router's handler.
func TestTokenErrors(t *testing.T) {
	w := start(t)
	form := w.login("public")
	for _, want := range []string{"", "invalid_grant"} { // the second use of the code is rejected
		res, body := w.post("/token", "public", form)
		if code, _ := body["error"].(string); code != want || res.Header.Get("X-Route") != "/token" {
			t.Errorf("%d %v", res.StatusCode, body)
		}
	}
	form.Set("grant_type", "password")
	if res, body := w.post("/token", "public", form); res.StatusCode != http.StatusBadRequest || body["error"] != "unsupported_grant_type" {
		t.Errorf("%d %v", res.StatusCode, body)
	}
	w.secret = "Lb4cXu7NkR0mWy5zTv2H8qeAg1FdJs9P"
	if res, body := w.post("/token", "public", form); res.StatusCode != http.StatusUnauthorized || body["error"] != "invalid_client" {
		t.Errorf("%d %v", res.StatusCode, body)
	}
}
