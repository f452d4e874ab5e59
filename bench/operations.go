package main

import (
	"crypto"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// tokens is the response of a token endpoint.
type tokens struct {
	AccessToken  string `json:"access_token"`
	IDToken      string `json:"id_token"`
	RefreshToken string `json:"refresh_token"`
}

func readTokens(a *answer) (t tokens, err error) {
	if a.Status != http.StatusOK {
		return t, fmt.Errorf("status %d: %.400s", a.Status, a.Body)
	}
	if err := json.Unmarshal(a.Body, &t); err != nil {
		return t, err
	}
	if t.AccessToken == "" {
		return t, fmt.Errorf("no access token: %.400s", a.Body)
	}
	return t, nil
}

// signed returns the lengths of the texts that were signed for the response.
func (t tokens) signed() (lengths []int) {
	for _, token := range []string{t.AccessToken, t.IDToken} {
		if strings.Count(token, ".") == 2 {
			lengths = append(lengths, strings.LastIndexByte(token, '.'))
		}
	}
	return lengths
}

// Names of operations that other code refers to.
const (
	opLogin      = "login, new browser"
	opSSOLogin   = "login, SSO"
	opExchange   = "code exchange"
	opRefresh    = "refresh"
	opPrivateKey = "code exchange, private_key_jwt"
	opProof      = "DPoP proof"
	opLoginPage  = "authorize, to the login page"
	opFirstCode  = "first login, to the code"
	opSSOCode    = "SSO, to the code"
	opIntrospect = "introspection, opaque token"
	opUserInfo   = "userinfo, opaque token"
	opMetadata   = "discovery"
	opJWKS       = "JWKS"
)

// operation is one kind of work.
type operation struct {
	name string
	algs []string
	// prepare returns the i-th request, and makes what it needs.
	prepare func(p *party, i int) (call, error)
	// login follows the request as far as the code, and tokens as far as the tokens. Without them the request is the whole operation.
	login, tokens bool
	// check verifies the answer of a subject that is not silent.
	check func(a *answer, public crypto.PublicKey) error
	// opaque needs opaque access tokens, for subjects that issue one kind only.
	opaque bool
	// socket is set for operations that are measured over loopback HTTP too.
	socket bool
}

// signs reports whether the operation makes signatures.
func (o *operation) signs() bool {
	return o.prepare != nil && len(o.algs) > 1 || o.name == opPrivateKey
}

// count returns how many operations a pass has, of n of a code exchange: fewer where a signature takes a millisecond, and more where an
// operation takes microseconds.
func (o *operation) count(n int, alg string) int {
	switch {
	case alg == rs256:
		return max(n/10, 1)
	case o.signs():
		return n
	}
	return 4 * n
}

func operations() []operation {
	return []operation{
		{name: opLogin, algs: []string{es256, eddsa}, prepare: newBrowser, login: true, tokens: true, check: checkTokens},
		{name: opSSOLogin, algs: []string{es256, eddsa}, prepare: liveSession, login: true, tokens: true, check: checkTokens},
		{name: opExchange, algs: []string{es256, eddsa, rs256}, prepare: codeExchange(webClient), check: checkTokens, socket: true},
		{name: opRefresh, algs: []string{es256, eddsa}, prepare: refresh, check: checkRefreshed, socket: true},
		{name: opPrivateKey, algs: []string{es256}, prepare: codeExchange(keyClient), check: checkTokens},
		{name: opProof, algs: []string{es256, eddsa}},
		{name: opLoginPage, algs: []string{es256}, prepare: newBrowser, check: checkRedirect, socket: true},
		{name: opFirstCode, algs: []string{es256}, prepare: newBrowser, login: true, check: checkCode},
		{name: opSSOCode, algs: []string{es256}, prepare: liveSession, login: true, check: checkCode},
		{name: opIntrospect, algs: []string{es256}, prepare: introspection, check: checkActive, opaque: true, socket: true},
		{name: opUserInfo, algs: []string{es256}, prepare: userInfo, check: checkSubject, opaque: true, socket: true},
		{name: opMetadata, algs: []string{es256}, prepare: document(func(p paths) string { return p.metadata }), check: checkMetadata, socket: true},
		{name: opJWKS, algs: []string{es256}, prepare: document(func(p paths) string { return p.jwks }), check: checkJWKS, socket: true},
	}
}

func operationNamed(name string) (*operation, error) {
	for _, o := range operations() {
		if o.name == name {
			return &o, nil
		}
	}
	return nil, fmt.Errorf("no operation %q", name)
}

func newBrowser(p *party, _ int) (call, error) { return p.browse(webClient, p.srv.scopes, ""), nil }

// browsers is the number of live sessions that SSO uses in turn.
const browsers = 1000

func liveSession(p *party, i int) (call, error) {
	if len(p.cookies) < browsers {
		_, cookie, err := p.login(webClient, p.srv.scopes)
		if err != nil {
			return call{}, err
		}
		p.cookies = append(p.cookies, cookie)
	}
	return p.browse(webClient, p.srv.scopes, p.cookies[i%len(p.cookies)]), nil
}

func codeExchange(clientID string) func(*party, int) (call, error) {
	return func(p *party, _ int) (call, error) {
		first := p.browse(clientID, p.srv.scopes, "")
		var a answer
		code, _, err := p.follow(&first, &a)
		if err != nil {
			return call{}, err
		}
		return p.exchange(&first, code)
	}
}

func refresh(p *party, _ int) (call, error) {
	t, _, err := p.login(webClient, p.srv.scopes)
	if err != nil {
		return call{}, err
	}
	if t.RefreshToken == "" {
		return call{}, fmt.Errorf("no refresh token in the response to a login with the scopes %q", p.srv.scopes)
	}
	return p.authenticated(call{
		Method: http.MethodPost, Path: p.srv.paths.token, Client: webClient,
		Form: "grant_type=refresh_token&refresh_token=" + url.QueryEscape(t.RefreshToken),
	})
}

// opaqueToken returns one of as many tokens as there are browsers.
func opaqueToken(p *party, i int) (string, error) {
	if len(p.opaque) < browsers {
		t, _, err := p.login(opaqueClient, p.srv.opaqueScopes)
		if err != nil {
			return "", err
		}
		p.opaque = append(p.opaque, t.AccessToken)
	}
	return p.opaque[i%len(p.opaque)], nil
}

func introspection(p *party, i int) (call, error) {
	token, err := opaqueToken(p, i)
	if err != nil {
		return call{}, err
	}
	return p.authenticated(call{Method: http.MethodPost, Path: p.srv.paths.introspection, Client: opaqueClient, Form: "token=" + url.QueryEscape(token)})
}

func userInfo(p *party, i int) (call, error) {
	token, err := opaqueToken(p, i)
	return call{Method: http.MethodGet, Path: p.srv.paths.userInfo, Auth: "Bearer " + token}, err
}

func document(path func(paths) string) func(*party, int) (call, error) {
	return func(p *party, _ int) (call, error) { return call{Method: http.MethodGet, Path: path(p.srv.paths)}, nil }
}

func checkTokens(a *answer, public crypto.PublicKey) error {
	t, err := readTokens(a)
	if err != nil {
		return err
	}
	if len(t.signed()) != 2 || t.RefreshToken == "" {
		return fmt.Errorf("not two JWTs and a refresh token: %.600s", a.Body)
	}
	return checkIDToken(t.IDToken, a.Client, a.Nonce, public, time.Now())
}

// checkRefreshed verifies the response to a refresh, whose id_token is optional (OIDC Core §12.2).
func checkRefreshed(a *answer, public crypto.PublicKey) error {
	t, err := readTokens(a)
	if err != nil {
		return err
	}
	if t.RefreshToken == "" {
		return fmt.Errorf("no refresh token: %.600s", a.Body)
	}
	if t.IDToken != "" {
		return checkIDToken(t.IDToken, a.Client, "", public, time.Now())
	}
	_, err = readJWT(t.AccessToken, public)
	return err
}

func checkRedirect(a *answer, _ crypto.PublicKey) error {
	if !a.redirects() || strings.HasPrefix(a.Location, callback) {
		return fmt.Errorf("no redirect to a login page: status %d, %q", a.Status, a.Location)
	}
	return nil
}

func checkCode(a *answer, _ crypto.PublicKey) error {
	if !strings.HasPrefix(a.Location, callback) {
		return fmt.Errorf("no redirect to the client: status %d, %q", a.Status, a.Location)
	}
	_, err := codeOf(a.Location)
	return err
}

func checkActive(a *answer, _ crypto.PublicKey) error {
	var body struct {
		Active bool
		Sub    string
	}
	return checkBody(a, &body, func() bool { return body.Active && strings.HasPrefix(body.Sub, userPrefix) })
}

func checkSubject(a *answer, _ crypto.PublicKey) error {
	var body struct{ Sub string }
	return checkBody(a, &body, func() bool { return strings.HasPrefix(body.Sub, userPrefix) })
}

func checkMetadata(a *answer, _ crypto.PublicKey) error {
	var body struct{ Issuer string }
	return checkBody(a, &body, func() bool { return body.Issuer == issuer })
}

func checkJWKS(a *answer, _ crypto.PublicKey) error {
	var body struct{ Keys []map[string]any }
	return checkBody(a, &body, func() bool { return len(body.Keys) == 1 && body.Keys[0]["d"] == nil })
}

func checkBody(a *answer, body any, valid func() bool) error {
	if a.Status != http.StatusOK {
		return fmt.Errorf("status %d: %.400s", a.Status, a.Body)
	}
	if err := json.Unmarshal(a.Body, body); err != nil {
		return err
	}
	if !valid() {
		return fmt.Errorf("not the expected document: %.400s", a.Body)
	}
	return nil
}
