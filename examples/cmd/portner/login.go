package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"

	"golang.org/x/net/html"

	"github.com/portner-go/portner/client"
)

// run plays the code flow and returns the access token.
func (l *login) run(ctx context.Context) (string, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return "", err
	}
	l.http.Jar = jar
	var at struct {
		Authorize string `json:"authorization_endpoint"`
		Token     string `json:"token_endpoint"`
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, l.issuer+"/.well-known/openid-configuration", nil)
	if err != nil {
		return "", fmt.Errorf("-issuer: %w", err)
	}
	status, body, err := ask(l.http, r)
	if err != nil {
		return "", err
	}
	if status != http.StatusOK || json.Unmarshal(body, &at) != nil {
		return "", fmt.Errorf("%s has no metadata: status %d", l.issuer, status)
	}
	verifier := rand.Text() + rand.Text()
	sum := sha256.Sum256([]byte(verifier))
	redirect := l.client.RedirectURIs[0]
	q := url.Values{
		"response_type": {"code"}, "client_id": {l.client.ClientID}, "redirect_uri": {redirect}, "scope": {l.scope}, "state": {rand.Text()}, "nonce": {rand.Text()},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}
	for name, value := range map[string]string{"acr_values": l.acr, "resource": l.resource} {
		if value != "" {
			q.Set(name, value)
		}
	}
	answer, err := l.browse(ctx, at.Authorize+"?"+q.Encode(), redirect)
	if err != nil {
		return "", err
	}
	return l.redeem(ctx, at.Token, url.Values{
		"grant_type": {client.AuthorizationCode}, "code": {answer.Get("code")}, "redirect_uri": {redirect}, "code_verifier": {verifier},
	})
}

// redeem exchanges the code for tokens.
func (l *login) redeem(ctx context.Context, endpoint string, form url.Values) (string, error) {
	basic := false
	switch l.client.AuthMethod() {
	case client.None:
		form.Set("client_id", l.client.ClientID)
	case client.ClientSecretPost:
		form.Set("client_id", l.client.ClientID)
		form.Set("client_secret", l.client.ClientSecret)
	case client.ClientSecretBasic:
		basic = true
	default:
		return "", fmt.Errorf("-client: %s authenticates with %s, for which this command has no key: choose a client with a secret", l.client.ClientID, l.client.AuthMethod())
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if basic {
		r.SetBasicAuth(url.QueryEscape(l.client.ClientID), url.QueryEscape(l.client.ClientSecret))
	}
	status, body, err := ask(l.http, r)
	if err != nil {
		return "", err
	}
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal(body, &answer); err != nil || status != http.StatusOK {
		return "", fmt.Errorf("%d: %s", status, body)
	}
	return answer.AccessToken, nil
}

// browse follows redirects and answers pages until the browser is sent to the client. It returns the parameters of the answer.
func (l *login) browse(ctx context.Context, address, redirect string) (url.Values, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	loggedIn := false
	for range 20 {
		if err != nil {
			return nil, err
		}
		resp, failed := l.http.Do(r)
		if failed != nil {
			return nil, failed
		}
		next, failed := resp.Location()
		if failed == nil {
			_ = resp.Body.Close()
			if strings.HasPrefix(next.String(), redirect) {
				return answered(next.Query())
			}
			r, err = http.NewRequestWithContext(ctx, http.MethodGet, next.String(), nil)
			continue
		}
		root, failed := html.Parse(resp.Body)
		_ = resp.Body.Close()
		if failed != nil {
			return nil, failed
		}
		if loggedIn && byID(root, "login-form") != nil {
			return nil, fmt.Errorf("the user %s cannot log in: %s", l.username, text(byID(root, "main")))
		}
		loggedIn = loggedIn || byID(root, "login-form") != nil
		r, err = l.answer(ctx, resp, root)
	}
	return nil, errors.New("the server shows pages without end")
}

func answered(q url.Values) (url.Values, error) {
	if q.Get("error") != "" {
		return nil, fmt.Errorf("%s: %s", q.Get("error"), q.Get("error_description"))
	}
	return q, nil
}

// answer returns the request that answers a page: a login, a consent, or the choice of the first party.
func (l *login) answer(ctx context.Context, resp *http.Response, root *html.Node) (*http.Request, error) {
	var form *html.Node
	set := url.Values{}
	if form = byID(root, "login-form"); form != nil {
		set = url.Values{"username": {l.username}, "password": {l.password}, "action": {"login"}}
	} else if form = byID(root, "consent-form"); form != nil {
		set.Set("action", "approve")
	} else if form = byID(root, "representation-form"); form != nil {
		set.Set("action", "continue")
	} else {
		return nil, fmt.Errorf("%s: %s", resp.Status, text(byID(root, "main")))
	}
	values := url.Values{}
	for n := range form.Descendants() {
		if n.Type != html.ElementNode || n.Data != "input" || attribute(n, "type") == "radio" && values.Has(attribute(n, "name")) {
			continue
		}
		values.Add(attribute(n, "name"), attribute(n, "value"))
	}
	for name, v := range set {
		values[name] = v
	}
	target, err := resp.Request.URL.Parse(attribute(form, "action"))
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), strings.NewReader(values.Encode()))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", target.Scheme+"://"+target.Host)
	return r, nil
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// byID returns an element, or nil if there is none.
func byID(root *html.Node, id string) *html.Node {
	for n := range root.Descendants() {
		if n.Type == html.ElementNode && attribute(n, "id") == id {
			return n
		}
	}
	return nil
}

func text(n *html.Node) string {
	if n == nil {
		return ""
	}
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}
