package portnertest

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/portner-go/portner/internal/fields"
	"github.com/portner-go/portner/internal/jose"
	"github.com/portner-go/portner/storage"
)

// history is what earlier requests had. Provider.mu guards it.
type history struct {
	states, nonces map[string]string // by client and value: the code_challenge beside it
	verifiers      map[string][]string
	codes          map[storage.Hash]bool // used
	attempts       map[storage.Hash]bool // codes that were sent
	replaced       map[storage.Hash]bool // refresh tokens with a successor that the client received
	idTokens       map[storage.Hash]bool
	jtis           map[string]bool
}

func newHistory() history {
	return history{
		states: map[string]string{}, nonces: map[string]string{}, verifiers: map[string][]string{}, codes: map[storage.Hash]bool{}, attempts: map[storage.Hash]bool{},
		replaced: map[storage.Hash]bool{}, idTokens: map[storage.Hash]bool{}, jtis: map[string]bool{},
	}
}

// check reports the mistakes of a request of the tested app.
func (p *Provider) check(c *call) {
	if c.own || c.Endpoint == "" {
		return
	}
	p.checkURL(c)
	p.checkTokenKind(c)
	p.checkAssertion(c, c.raw.Get("client_assertion"))
	p.checkAssertion(c, c.raw.Get("assertion"))
	switch c.Endpoint {
	case "authorize", "par":
		if c.raw.Get("request_uri") == "" {
			p.checkAuthorization(c)
		}
	case "token":
		p.checkCode(c)
		p.checkRefresh(c)
	}
}

// checkURL reports secrets in the query.
func (p *Provider) checkURL(c *call) {
	for _, name := range []string{"client_secret", "client_assertion", "assertion", "code_verifier", "code", "refresh_token", "token"} {
		if c.query.Has(name) {
			p.report(SecretInURL, c.ClientID, "the URL of a request to the %s endpoint has %s, and URLs are logged: send it in the body", c.Endpoint, name)
		}
	}
	if c.query.Has("access_token") {
		p.report(TokenInURL, c.ClientID, "the URL of a request to the %s endpoint has access_token: send it in the field Authorization", c.Endpoint)
	}
}

// checkTokenKind reports an id_token that is used as an access token.
func (p *Provider) checkTokenKind(c *call) {
	for _, token := range []string{c.bearer, c.raw.Get("access_token")} {
		p.mu.Lock()
		isIDToken := p.history.idTokens[storage.HashOf(token)]
		p.mu.Unlock()
		if isIDToken {
			p.report(IDTokenAsAccessToken, c.ClientID, "the app sends an id_token to the %s endpoint: an id_token tells the app who logged in, and an API takes an access token", c.Endpoint)
		}
	}
}

// parameter returns a parameter of an authorization request, also of a request object.
func (c *call) parameter(name string) string {
	if v := jose.Peek(c.raw.Get("request"), maxToken, name); v != "" {
		return v
	}
	return c.raw.Get(name)
}

func (p *Provider) checkAuthorization(c *call) {
	challenge, state, nonce := c.parameter("code_challenge"), c.parameter("state"), c.parameter("nonce")
	if challenge == "" || c.parameter("code_challenge_method") != "S256" {
		p.report(PKCEMissing, c.ClientID, "the authorization request has no code_challenge with code_challenge_method=S256")
	}
	openID := strings.Contains(" "+c.parameter("scope")+" ", " openid ")
	switch {
	case state == "":
		p.report(StateMissing, c.ClientID, "the authorization request has no state: any site can log its visitors in as somebody else")
	case weak(state):
		p.report(StateShort, c.ClientID, "the state has %d characters, %d of them different: it needs 128 random bits, such as 22 characters of base64url", len(state), distinct(state))
	}
	if nonce == "" && openID {
		p.report(NonceMissing, c.ClientID, "the authorization request has no nonce: an id_token of another login cannot be told from that of this one")
	}
	p.mu.Lock()
	stateReused := seen(p.history.states, c.ClientID, state, challenge)
	nonceReused := seen(p.history.nonces, c.ClientID, nonce, challenge)
	p.mu.Unlock()
	if stateReused {
		p.report(StateReused, c.ClientID, "two authorization requests have the same state")
	}
	if nonceReused {
		p.report(NonceReused, c.ClientID, "two authorization requests have the same nonce")
	}
	p.checkRedirect(c)
}

// seen remembers a value. It reports whether another request had it; the same request again is no other one.
func seen(values map[string]string, clientID, value, challenge string) bool {
	key := clientID + " " + value
	before, known := values[key]
	values[key] = challenge
	return value != "" && known && before != challenge
}

func (p *Provider) checkRedirect(c *call) {
	u, err := url.Parse(c.parameter("redirect_uri"))
	if err == nil && u.Scheme == "http" && !fields.IsLoopback(u.Hostname()) {
		p.report(RedirectHTTP, c.ClientID, "the redirect_uri has http: the code passes in clear; only loopback may have http")
	}
}

// weak reports whether a value that must have 128 random bits cannot have them.
func weak(value string) bool { return len(value) < 22 || distinct(value) < 8 }

// distinct returns the number of different characters.
func distinct(s string) int {
	set := map[rune]bool{}
	for _, r := range s {
		set[r] = true
	}
	return len(set)
}

func (p *Provider) checkCode(c *call) {
	code, verifier := c.raw.Get("code"), c.raw.Get("code_verifier")
	if code == "" || c.raw.Get("grant_type") != "authorization_code" {
		return
	}
	p.mu.Lock()
	used := p.history.codes[storage.HashOf(code)]
	if c.Status == http.StatusOK && c.Fault != LostResponse && c.Fault != CutResponse {
		p.history.codes[storage.HashOf(code)] = true
	}
	before := p.history.verifiers[c.ClientID]
	again := p.history.attempts[storage.HashOf(code)] // after an answer without tokens
	p.history.attempts[storage.HashOf(code)] = true
	if !again && verifier != "" {
		p.history.verifiers[c.ClientID] = append(before, verifier)
	}
	p.mu.Unlock()
	if used {
		p.report(CodeReused, c.ClientID, "the app redeems a code a second time: the provider revokes the tokens of the first time")
		return
	}
	if verifier == "" || again {
		return // there is no challenge either, which is reported
	}
	if weak(verifier) {
		p.report(VerifierWeak, c.ClientID, "the code_verifier has %d different characters: it needs 256 random bits", distinct(verifier))
	}
	for _, b := range before {
		switch {
		case b == verifier:
			p.report(VerifierReused, c.ClientID, "two logins have the same code_verifier")
		case alike(b, verifier):
			p.report(VerifierWeak, c.ClientID, "more than half of the characters of two code_verifiers are the same: it needs 256 random bits")
		}
	}
}

// alike reports whether more than half of the characters are the same, which random values never are.
func alike(a, b string) bool {
	same := 0
	for i := range min(len(a), len(b)) {
		if a[i] == b[i] {
			same++
		}
	}
	return 2*same > max(len(a), len(b))
}

func (p *Provider) checkRefresh(c *call) {
	token := c.raw.Get("refresh_token")
	if token == "" || c.raw.Get("grant_type") != "refresh_token" {
		return
	}
	next := c.text("refresh_token")
	received := c.Fault != LostResponse && c.Fault != CutResponse
	p.mu.Lock()
	replaced := p.history.replaced[storage.HashOf(token)]
	if next != "" && next != token && received {
		p.history.replaced[storage.HashOf(token)] = true
	}
	p.mu.Unlock()
	if replaced {
		p.report(RefreshReused, c.ClientID, "the app sends a refresh token that has a successor: one of the two may be stolen, and the provider ends the grant")
	}
}

// checkAssertion reports the mistakes of a client assertion or a grant.
func (p *Provider) checkAssertion(c *call, assertion string) {
	if assertion == "" {
		return
	}
	claims, err := jose.PeekPayload(assertion, maxToken)
	if err != nil {
		return
	}
	if aud, err := claims.OneString("aud"); err != nil || aud != p.Issuer {
		p.report(AssertionAudience, c.ClientID, "aud of the assertion is not the issuer %s: another server could use the assertion here", p.Issuer)
	}
	iat, err1 := claims.NumericDate("iat")
	exp, err2 := claims.NumericDate("exp")
	if err1 == nil && err2 == nil && exp-iat > 120 {
		p.report(AssertionLifetime, c.ClientID, "the assertion is valid for %d s: at most 120 s are allowed", exp-iat)
	}
	jti, _ := claims.String("jti")
	if jti == "" {
		p.report(AssertionWithoutJTI, c.ClientID, "the assertion has no jti")
		return
	}
	p.mu.Lock()
	reused := p.history.jtis[c.ClientID+" "+jti]
	p.history.jtis[c.ClientID+" "+jti] = true
	p.mu.Unlock()
	if reused {
		p.report(AssertionReused, c.ClientID, "two assertions have the same jti: sign a new one for each request, also for a retry")
	}
}
