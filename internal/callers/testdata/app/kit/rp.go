// Package kit holds three programs of other teams, which are tested with portnertest: a relying party, an API and a client of Maskinporten.
package kit

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// RelyingParty logs users in at ID-porten.
type RelyingParty struct {
	Issuer, ClientID, ClientSecret, URL string
	HTTP                                *http.Client

	mu       sync.Mutex
	started  map[string]login // by cookie
	sessions map[string]claims
}

type login struct{ state, nonce, verifier string }

type claims struct {
	Issuer   string `json:"iss"`
	Audience string `json:"aud"`
	Nonce    string `json:"nonce"`
	ACR      string `json:"acr"`
	SID      string `json:"sid"`
	PID      string `json:"pid"`
	Expiry   int64  `json:"exp"`
}

const level = "idporten-loa-high"

// Handler returns the pages of the relying party.
func (rp *RelyingParty) Handler() http.Handler {
	rp.started, rp.sessions = map[string]login{}, map[string]claims{}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /login", rp.login)
	mux.HandleFunc("GET /callback", rp.callback)
	mux.HandleFunc("GET /profile", rp.profile)
	mux.HandleFunc("GET /frontchannel", rp.frontchannel)
	return mux
}

func (rp *RelyingParty) login(w http.ResponseWriter, r *http.Request) {
	id, l := rand.Text(), login{rand.Text(), rand.Text(), rand.Text() + rand.Text()}
	rp.mu.Lock()
	rp.started[id] = l
	rp.mu.Unlock()
	challenge := sha256.Sum256([]byte(l.verifier))
	http.SetCookie(w, &http.Cookie{Name: "login", Value: id, HttpOnly: true})
	http.Redirect(w, r, rp.Issuer+"/authorize?"+url.Values{
		"response_type": {"code"}, "client_id": {rp.ClientID}, "redirect_uri": {rp.URL + "/callback"}, "scope": {"openid profile"},
		"acr_values": {level}, "state": {l.state}, "nonce": {l.nonce},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])}, "code_challenge_method": {"S256"},
	}.Encode(), http.StatusSeeOther)
}

func (rp *RelyingParty) callback(w http.ResponseWriter, r *http.Request) {
	cookie, err := r.Cookie("login")
	if err != nil {
		http.Error(w, "no login was started", http.StatusBadRequest)
		return
	}
	rp.mu.Lock()
	l := rp.started[cookie.Value]
	delete(rp.started, cookie.Value)
	rp.mu.Unlock()
	if l.state == "" || r.URL.Query().Get("state") != l.state {
		http.Error(w, "another state", http.StatusBadRequest)
		return
	}
	c, err := rp.redeem(r.URL.Query().Get("code"), l)
	if err != nil {
		http.Error(w, err.Error(), http.StatusForbidden)
		return
	}
	id := rand.Text()
	rp.mu.Lock()
	rp.sessions[id] = c
	rp.mu.Unlock()
	http.SetCookie(w, &http.Cookie{Name: "session", Value: id, HttpOnly: true})
	http.Redirect(w, r, "/profile", http.StatusSeeOther)
}

func (rp *RelyingParty) redeem(code string, l login) (c claims, err error) {
	form := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {rp.URL + "/callback"}, "code_verifier": {l.verifier}}
	r, err := http.NewRequest(http.MethodPost, rp.Issuer+"/token", strings.NewReader(form.Encode()))
	if err != nil {
		return c, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(rp.ClientID, rp.ClientSecret)
	var tokens struct {
		IDToken string `json:"id_token"`
	}
	if err := answer(rp.HTTP, r, &tokens); err != nil {
		return c, err
	}
	if c, err = rp.verify(tokens.IDToken); err != nil {
		return c, err
	}
	if c.Issuer != rp.Issuer || c.Audience != rp.ClientID || c.Nonce != l.nonce || c.ACR != level || time.Now().Unix() >= c.Expiry {
		return c, errors.New("the id_token is not for this login")
	}
	return c, nil
}

// verify verifies the signature of an id_token, RS256.
func (rp *RelyingParty) verify(token string) (c claims, err error) {
	r, err := http.NewRequest(http.MethodGet, rp.Issuer+"/jwks.json", nil)
	if err != nil {
		return c, err
	}
	var set struct {
		Keys []struct{ N, E string }
	}
	if err := answer(rp.HTTP, r, &set); err != nil {
		return c, err
	}
	parts := strings.Split(token, ".")
	if len(parts) != 3 || len(set.Keys) == 0 {
		return c, errors.New("the token endpoint returned no id_token")
	}
	b64 := base64.RawURLEncoding.DecodeString
	n, err1 := b64(set.Keys[0].N)
	e, err2 := b64(set.Keys[0].E)
	signature, err3 := b64(parts[2])
	payload, err4 := b64(parts[1])
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return c, err
	}
	key := &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if err := rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], signature); err != nil {
		return c, err
	}
	return c, json.Unmarshal(payload, &c)
}

func (rp *RelyingParty) profile(w http.ResponseWriter, r *http.Request) {
	cookie, err := r.Cookie("session")
	rp.mu.Lock()
	defer rp.mu.Unlock()
	if err != nil || rp.sessions[cookie.Value].SID == "" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	fmt.Fprint(w, rp.sessions[cookie.Value].PID)
}

// frontchannel ends the session that the provider names (OIDC Front-Channel Logout §2).
func (rp *RelyingParty) frontchannel(_ http.ResponseWriter, r *http.Request) {
	rp.mu.Lock()
	defer rp.mu.Unlock()
	for id, c := range rp.sessions {
		if c.SID != "" && c.SID == r.URL.Query().Get("sid") && r.URL.Query().Get("iss") == rp.Issuer {
			delete(rp.sessions, id)
		}
	}
}

// answer decodes the JSON of a response.
func answer(c *http.Client, r *http.Request, to any) error {
	resp, err := c.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", r.URL.Path, resp.Status)
	}
	return json.NewDecoder(resp.Body).Decode(to)
}
