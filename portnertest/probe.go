package portnertest

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"github.com/portner-go/portner/internal/jose"
)

// probed are the rules that the browser probes, in this order.
var probed = []Rule{
	StateUnchecked, NonceUnchecked, ACRUnchecked, SignatureUnchecked, AudienceUnchecked, IssuerUnchecked, ExpiryUnchecked,
}

// accepted says what an app that breaks a rule has accepted.
var accepted = map[Rule]string{
	StateUnchecked:     "an authorization response with another state than the request: the app must compare it with the one that it keeps for this browser",
	NonceUnchecked:     "an id_token with another nonce than the request",
	ACRUnchecked:       "an id_token whose acr is lower than every level of acr_values",
	SignatureUnchecked: "an id_token that the provider's key did not sign",
	AudienceUnchecked:  "an id_token whose aud is another client",
	IssuerUnchecked:    "an id_token whose iss is another issuer",
	ExpiryUnchecked:    "an id_token that expired an hour ago",
}

// outcome is a page of the tested app.
type outcome struct {
	status int
	url    *url.URL
	body   string
}

// result is a probe and the page that it led to. The page is nil if the app returned none.
type result struct {
	play *play
	page *outcome
}

// probes reports whether the login that begins with a request to the provider is the first one of an app, and remembers it.
func (p *Provider) probes(r *http.Request) bool {
	start := first(r)
	if p.cfg.Lenient || start == r || p.owns(start.URL) || start.Method != http.MethodGet && start.GetBody == nil {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	app := start.URL.Scheme + "://" + start.URL.Host + " " + r.URL.Query().Get("client_id")
	if p.probedApps[app] || len(p.faults) > 0 {
		return false
	}
	p.probedApps[app] = true
	return true
}

// probeAll plays a login for each probe.
func (p *Provider) probeAll(l Login, start *http.Request) (results []result) {
	l.Cancel, l.Decline = false, false
	for _, rule := range probed {
		if slices.Contains(p.cfg.Allow, rule) {
			continue
		}
		b := p.newBrowser(l, rule)
		r := start.Clone(start.Context())
		r.Header.Del("Cookie")
		r.Response = nil
		if start.GetBody != nil {
			body, err := start.GetBody()
			if err != nil {
				continue
			}
			r.Body = body
		}
		resp, err := (&http.Client{Transport: b, Jar: b.jar}).Do(r)
		page := read(resp, err)
		results = append(results, result{b.play, page})
	}
	return results
}

// read reads a page. It returns nil if there is none.
func read(resp *http.Response, err error) *outcome {
	if err != nil {
		return nil
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil
	}
	return &outcome{resp.StatusCode, resp.Request.URL, string(body)}
}

// judge reports the probes that led to the same page as the login that follows them.
func (p *Provider) judge(results []result, landing *outcome) {
	if len(results) == 0 || landing.status >= http.StatusBadRequest {
		return
	}
	anonymous := p.anonymous(landing.url)
	for _, r := range results {
		r.play.mu.Lock()
		applied, redeemed, clientID := r.play.applied, r.play.redeemed, r.play.clientID
		r.play.mu.Unlock()
		if applied && redeemed && loggedIn(r.page, landing, anonymous) {
			p.report(r.play.probe, clientID, "the app accepts %s", accepted[r.play.probe])
		}
	}
}

// anonymous returns the page that a browser without cookies gets. It follows no redirect, and sends no code a second time.
func (p *Provider) anonymous(u *url.URL) *outcome {
	return p.fetch(nil, u)
}

// fetch gets a page of the tested app with the cookies of a jar, which may be nil.
func (p *Provider) fetch(j http.CookieJar, u *url.URL) *outcome {
	at := *u
	if q := at.Query(); q.Has("code") || q.Has("state") {
		at.RawQuery = ""
	}
	c := http.Client{Transport: p.transport, Jar: j, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return read(c.Get(at.String()))
}

// loggedIn reports whether a page is that of a user who is logged in, as the page landing is, and anonymous is not.
func loggedIn(page, landing, anonymous *outcome) bool {
	if page == nil || page.status != landing.status || page.url.Host != landing.url.Host || page.url.Path != landing.url.Path {
		return false
	}
	like := similarity(page.body, landing.body)
	if anonymous == nil || anonymous.status != landing.status { // the page is for users only
		return like >= 1.0/3
	}
	return like > similarity(page.body, anonymous.body)
}

// similarity returns how many of the words of two texts are in both. Random values and times differ from page to page.
func similarity(a, b string) float64 {
	if a == b {
		return 1
	}
	words := map[string]int{}
	for i, text := range []string{a, b} {
		for _, w := range strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
			words[w] |= 1 << i
		}
	}
	both := 0
	for _, in := range words {
		if in == 3 {
			both++
		}
	}
	if len(words) == 0 {
		return 1
	}
	return float64(both) / float64(len(words))
}

// tamper changes the id_token of a token response for a probe.
func (p *Provider) tamper(c *call) {
	token := c.text("id_token")
	if token == "" || c.play.probe == StateUnchecked {
		return
	}
	claims, err := decode(token)
	if err != nil || !p.spoil(c.play, claims, c.now.Unix()) {
		return
	}
	changed, err := p.sign(token, claims, c.play.probe == SignatureUnchecked)
	if err != nil {
		return
	}
	c.json["id_token"] = changed
	p.remember(p.history.idTokens, changed)
	c.setBody(c.json)
	c.play.mu.Lock()
	c.play.applied = true
	c.play.mu.Unlock()
}

// spoil changes the claims of an id_token for a probe. It returns false if the request gives the app nothing to check.
func (p *Provider) spoil(pl *play, claims map[string]any, now int64) bool {
	switch pl.probe {
	case NonceUnchecked:
		nonce, _ := claims["nonce"].(string)
		claims["nonce"] = "portnertest-" + nonce
		return nonce != ""
	case ACRUnchecked:
		pl.mu.Lock()
		requested := p.system.levels.Known(strings.Fields(pl.acr))
		pl.mu.Unlock()
		for _, level := range p.system.levels.Values() {
			if len(requested) > 0 && !p.system.levels.Satisfies(level, requested) {
				claims["acr"] = level
				return true
			}
		}
		return false
	case AudienceUnchecked:
		claims["aud"] = "another-client"
	case IssuerUnchecked:
		claims["iss"] = "https://another.example.com"
	case ExpiryUnchecked:
		claims["iat"], claims["exp"] = now-3720, now-3600
	}
	return true
}

// decode returns the claims of a JWT. Numbers keep their text.
func decode(token string) (map[string]any, error) {
	parts := strings.Split(token, ".")
	payload, err := base64.RawURLEncoding.DecodeString(parts[min(1, len(parts)-1)])
	if err != nil {
		return nil, err
	}
	claims := map[string]any{}
	d := json.NewDecoder(strings.NewReader(string(payload)))
	d.UseNumber()
	return claims, d.Decode(&claims)
}

// sign signs claims with the header of another token, with the key of the provider or with a foreign key of the same kid.
func (p *Provider) sign(like string, claims map[string]any, foreign bool) (string, error) {
	header, err := jose.ParseHeader(like, maxToken)
	if err != nil {
		return "", err
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	if !foreign {
		return p.keys.Sign(header.Alg, header.Typ, payload, p.Now())
	}
	key, err := testKey(foreignKey)
	if err != nil {
		return "", err
	}
	signer, err := jose.NewSigner(jose.RS256, header.KID, key.Signer, nil)
	if err != nil {
		return "", err
	}
	return signer.Sign(header.Typ, payload)
}
