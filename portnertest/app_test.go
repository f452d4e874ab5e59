package portnertest_test

import (
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/portner-go/portner/internal/jose"
	"github.com/portner-go/portner/pkce"
	"github.com/portner-go/portner/portnertest"
)

// app is a relying party. It does what ID-porten requires, except for its mistakes.
type app struct {
	issuer   string
	http     *http.Client
	now      func() time.Time
	mistakes []string
	url      string

	mu       sync.Mutex
	pending  map[string]attempt // by cookie
	sessions map[string]user    // by cookie
}

type attempt struct{ state, nonce, verifier string }

type user struct{ name, sid, access, refresh, idToken string }

// newApp starts the app. Its login is at /login, and its page at /.
func newApp(t *testing.T, op *portnertest.Provider, mistakes ...string) *app {
	t.Helper()
	a := &app{issuer: op.Issuer, http: op.HTTP, now: op.Now, mistakes: mistakes, pending: map[string]attempt{}, sessions: map[string]user{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /login", a.login)
	mux.HandleFunc("GET /callback", a.callback)
	mux.HandleFunc("GET /{$}", a.home)
	mux.HandleFunc("GET /profile", a.profile)
	mux.HandleFunc("GET /refresh", a.refresh)
	mux.HandleFunc("GET /frontchannel", a.frontchannel)
	mux.HandleFunc("POST /backchannel", a.backchannel)
	mux.HandleFunc("GET /logout", a.logout)
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	a.url = srv.URL
	return a
}

func (a *app) makes(mistake string) bool { return slices.Contains(a.mistakes, mistake) }

func (a *app) login(w http.ResponseWriter, r *http.Request) {
	at := attempt{state: pkce.NewVerifier(), nonce: pkce.NewVerifier(), verifier: pkce.NewVerifier()}
	if a.makes("verifier") {
		a.mu.Lock()
		at.verifier = fmt.Sprintf("the-verifier-of-this-application-is-number-%04d", len(a.pending))
		a.mu.Unlock()
	}
	if a.makes("constant state") {
		at.state = "0123456789abcdefghijklmnop"
	}
	if a.makes("constant nonce") {
		at.nonce = "0123456789abcdefghijklmnop"
	}
	if a.makes("constant verifier") {
		at.verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk" // RFC 7636 appendix B
	}
	if a.makes("short state") {
		at.state = at.state[:8]
	}
	q := url.Values{
		"response_type": {"code"}, "client_id": {portnertest.ClientID}, "redirect_uri": {a.url + "/callback"}, "scope": {"openid profile"},
		"acr_values": {"idporten-loa-high"}, "state": {at.state}, "nonce": {at.nonce},
		"code_challenge": {pkce.Challenge(at.verifier)}, "code_challenge_method": {"S256"},
	}
	for mistake, params := range map[string][]string{"no pkce": {"code_challenge", "code_challenge_method"}, "no state": {"state"}, "no nonce": {"nonce"}} {
		for _, name := range params {
			if a.makes(mistake) {
				q.Del(name)
			}
		}
	}
	if a.makes("redirect http") {
		q.Set("redirect_uri", "http://app.example.com/callback")
	}
	id := pkce.NewVerifier()
	a.mu.Lock()
	a.pending[id] = at
	a.mu.Unlock()
	http.SetCookie(w, &http.Cookie{Name: "attempt", Value: id, Path: "/", HttpOnly: true})
	http.Redirect(w, r, a.issuer+"/authorize?"+q.Encode(), http.StatusSeeOther)
}

func (a *app) callback(w http.ResponseWriter, r *http.Request) {
	c, err := r.Cookie("attempt")
	if err != nil {
		http.Error(w, "no login", http.StatusBadRequest)
		return
	}
	a.mu.Lock()
	at := a.pending[c.Value]
	a.mu.Unlock()
	if r.URL.Query().Get("state") != at.state && !a.makes("state") && !a.makes("no state") {
		http.Error(w, "state", http.StatusBadRequest)
		return
	}
	form := url.Values{
		"grant_type": {"authorization_code"}, "code": {r.URL.Query().Get("code")}, "redirect_uri": {a.url + "/callback"}, "code_verifier": {at.verifier},
	}
	tokens, err := a.token(form)
	if err == nil && a.makes("code twice") {
		_, _ = a.token(form)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	u, err := a.verify(tokens, at)
	if err != nil {
		http.Error(w, err.Error(), http.StatusForbidden)
		return
	}
	id := pkce.NewVerifier()
	a.mu.Lock()
	a.sessions[id] = u
	a.mu.Unlock()
	http.SetCookie(w, &http.Cookie{Name: "session", Value: id, Path: "/", HttpOnly: true})
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// token calls the token endpoint.
func (a *app) token(form url.Values) (map[string]string, error) {
	address := a.issuer + "/token"
	if a.makes("secret in url") {
		address += "?client_secret=" + portnertest.ClientSecret
	}
	r, err := http.NewRequest(http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(portnertest.ClientID, portnertest.ClientSecret)
	return a.do(r)
}

func (a *app) do(r *http.Request) (map[string]string, error) {
	resp, err := a.http.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %d: %s: %w", resp.StatusCode, body, err)
	}
	all := map[string]any{}
	if err := json.Unmarshal(body, &all); err != nil {
		return nil, err
	}
	texts := map[string]string{}
	for name, v := range all {
		if s, ok := v.(string); ok {
			texts[name] = s
		}
	}
	return texts, nil
}

// verify verifies the id_token and loads the user.
func (a *app) verify(tokens map[string]string, at attempt) (user, error) {
	u := user{access: tokens["access_token"], refresh: tokens["refresh_token"], idToken: tokens["id_token"]}
	resp, err := a.http.Get(a.issuer + "/jwks.json")
	if err != nil {
		return u, err
	}
	defer resp.Body.Close()
	doc, err := io.ReadAll(resp.Body)
	if err != nil {
		return u, err
	}
	keys, err := jose.ParseJWKS(doc)
	if err != nil {
		return u, err
	}
	claims, err := jose.PeekPayload(u.idToken, 1<<16)
	if err != nil {
		return u, err
	}
	text := func(name string) string { s, _ := claims.String(name); return s }
	exp, _ := claims.NumericDate("exp")
	_, bad := jose.Verify(u.idToken, 1<<16, []string{"RS256"}, keys, jose.IDToken)
	for mistake, refuse := range map[string]bool{
		"signature": bad != nil, "nonce": text("nonce") != at.nonce, "acr": text("acr") != "idporten-loa-high", "audience": text("aud") != portnertest.ClientID,
		"issuer": text("iss") != a.issuer, "expiry": !a.now().Before(time.Unix(exp, 0)),
	} {
		if refuse && !a.makes(mistake) && (mistake != "nonce" || !a.makes("no nonce")) {
			return u, fmt.Errorf("the id_token has the wrong %s", mistake)
		}
	}
	u.name, u.sid = text("pid"), text("sid")
	if a.makes("nothing shown") {
		u.name = ""
	}
	return u, a.userinfo(u)
}

func (a *app) userinfo(u user) error {
	address, bearer := a.issuer+"/userinfo", u.access
	if a.makes("id_token as access token") {
		bearer = u.idToken
	}
	if a.makes("token in url") {
		address += "?access_token=" + u.access
	}
	r, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+bearer)
	_, err = a.do(r)
	if a.makes("id_token as access token") || a.makes("token in url") {
		return nil
	}
	return err
}

func (a *app) user(r *http.Request) (user, bool) {
	c, err := r.Cookie("session")
	if err != nil {
		return user{}, false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	u, ok := a.sessions[c.Value]
	return u, ok
}

func (a *app) home(w http.ResponseWriter, r *http.Request) {
	u, ok := a.user(r)
	if !ok {
		fmt.Fprintf(w, "Welcome. <a href=/login>Log in</a> %s", pkce.NewVerifier())
		return
	}
	fmt.Fprintf(w, "Logged in as %s %s", html.EscapeString(u.name), pkce.NewVerifier())
}

func (a *app) profile(w http.ResponseWriter, r *http.Request) {
	if u, ok := a.user(r); ok {
		fmt.Fprint(w, html.EscapeString(u.name))
		return
	}
	w.WriteHeader(http.StatusUnauthorized)
}

func (a *app) refresh(w http.ResponseWriter, r *http.Request) {
	u, _ := a.user(r)
	for range 2 {
		tokens, err := a.token(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {u.refresh}})
		if err != nil {
			fmt.Fprint(w, "refused")
			return
		}
		if !a.makes("refresh") {
			u.refresh = tokens["refresh_token"]
		}
	}
}

// end ends the sessions with a sid.
func (a *app) end(sid string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for id, u := range a.sessions {
		if sid != "" && u.sid == sid {
			delete(a.sessions, id)
		}
	}
}

func (a *app) frontchannel(_ http.ResponseWriter, r *http.Request) {
	if !a.makes("front-channel") {
		a.end(r.URL.Query().Get("sid"))
	}
}

func (a *app) backchannel(w http.ResponseWriter, r *http.Request) {
	claims, err := jose.PeekPayload(r.PostFormValue("logout_token"), 1<<16)
	if err != nil || a.makes("back-channel") {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	sid, _ := claims.String("sid")
	a.end(sid)
	if a.makes("back-channel status") {
		w.WriteHeader(http.StatusBadRequest)
	}
}

func (a *app) logout(w http.ResponseWriter, r *http.Request) {
	u, _ := a.user(r)
	a.end(u.sid)
	q := url.Values{"id_token_hint": {u.idToken}, "post_logout_redirect_uri": {a.url + "/"}}
	http.Redirect(w, r, a.issuer+"/logout?"+q.Encode(), http.StatusSeeOther)
}
