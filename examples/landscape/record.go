package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// step is a request of a story as the page shows it. Tokens, codes and secrets are shortened so that they are useless.
type step struct {
	Title, Text       string
	Request, Response string
	Status            int
	Tokens            []token
}

// token is a decoded JWT.
type token struct {
	Name           string
	Asked          bool // an assertion of the client
	Header, Claims []claim
}

// claim is a row of the table of a token.
type claim struct{ Name, Value, Hint string }

// reply is a response.
type reply struct {
	status int
	body   []byte
}

// call is a request with its description. A call with a form is a POST.
type call struct {
	title, text string
	to          string
	bearer      string
	basic       *url.Userinfo
	form        url.Values
	accept      string
	token       string // title of the JWT in the response
}

// send sends the request and appends the step to the journey, also if it fails.
func (j *journey) send(ctx context.Context, hc *http.Client, c call) (reply, error) {
	req, err := c.request(ctx)
	if err != nil {
		return reply{}, err
	}
	s := step{Title: c.title, Text: c.text, Request: c.shown()}
	if assertion := c.form.Get("assertion"); assertion != "" {
		asked := decode("Forespørselen virksomheten signerer", assertion)
		asked.Asked = true
		s.Tokens = append(s.Tokens, asked)
	}
	resp, err := hc.Do(req)
	if err != nil {
		j.Steps = append(j.Steps, s)
		return reply{}, fmt.Errorf("%w: %w", errSilent, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		j.Steps = append(j.Steps, s)
		return reply{}, fmt.Errorf("%w: %w", errSilent, err)
	}
	s.Status = resp.StatusCode
	s.Response = shownResponse(resp, body)
	if t := findToken(body); c.token != "" && t != "" {
		s.Tokens = append(s.Tokens, decode(c.token, t))
	}
	j.Steps = append(j.Steps, s)
	return reply{resp.StatusCode, body}, nil
}

func (c call) request(ctx context.Context) (*http.Request, error) {
	method, body := http.MethodGet, io.Reader(nil)
	if c.form != nil {
		method, body = http.MethodPost, strings.NewReader(c.form.Encode())
	}
	req, err := http.NewRequestWithContext(ctx, method, c.to, body)
	if err != nil {
		return nil, err
	}
	if c.form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if c.accept != "" {
		req.Header.Set("Accept", c.accept)
	}
	if c.bearer != "" {
		req.Header.Set("Authorization", "Bearer "+c.bearer)
	}
	if c.basic != nil {
		password, _ := c.basic.Password()
		req.SetBasicAuth(url.QueryEscape(c.basic.Username()), url.QueryEscape(password))
	}
	return req, nil
}

// shown returns the text of the request, with one parameter in each line and shortened credentials.
func (c call) shown() string {
	u, err := url.Parse(c.to)
	if err != nil {
		return c.to
	}
	var b strings.Builder
	method := http.MethodGet
	if c.form != nil {
		method = http.MethodPost
	}
	fmt.Fprintf(&b, "%s %s\nHost: %s\n", method, u.RequestURI(), u.Host)
	if c.accept != "" {
		fmt.Fprintf(&b, "Accept: %s\n", c.accept)
	}
	if c.bearer != "" {
		fmt.Fprintf(&b, "Authorization: Bearer %s\n", short(c.bearer))
	}
	if c.basic != nil {
		fmt.Fprintf(&b, "Authorization: Basic (%s og hemmelighet)\n", c.basic.Username())
	}
	if c.form != nil {
		fmt.Fprintf(&b, "Content-Type: application/x-www-form-urlencoded\n\n%s", parameters(c.form))
	}
	return strings.TrimSpace(b.String())
}

// secretParameters are shortened.
var secretParameters = []string{"assertion", "code", "code_verifier", "code_challenge", "state", "nonce", "client_secret", "subject_token"}

func parameters(v url.Values) string {
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(v)) {
		value := v.Get(name)
		if slices.Contains(secretParameters, name) {
			value = short(value)
		}
		lines = append(lines, name+"="+value)
	}
	return strings.Join(lines, "\n")
}

func shownResponse(resp *http.Response, body []byte) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d %s\n", resp.StatusCode, http.StatusText(resp.StatusCode))
	for _, name := range []string{"Content-Type", "WWW-Authenticate"} {
		if v := resp.Header.Get(name); v != "" {
			fmt.Fprintf(&b, "%s: %s\n", name, v)
		}
	}
	if text := pretty(body); text != "" {
		b.WriteString("\n" + text)
	}
	return strings.TrimSpace(b.String())
}

var (
	jwt    = regexp.MustCompile(`eyJ[\w-]+\.eyJ[\w-]+\.[\w-]+`)
	bearer = regexp.MustCompile(`("(?:refresh|access)_token": ")([\w.-]+)"`)
)

// pretty indents JSON and shortens tokens.
func pretty(body []byte) string {
	text := strings.TrimSpace(string(body))
	var indented bytes.Buffer
	if json.Indent(&indented, []byte(text), "", "  ") == nil {
		text = indented.String()
	}
	text = jwt.ReplaceAllStringFunc(text, short)
	return bearer.ReplaceAllStringFunc(text, func(m string) string {
		parts := bearer.FindStringSubmatch(m)
		return parts[1] + short(parts[2]) + `"`
	})
}

// short returns the first characters of a secret, which identify it on the page.
func short(secret string) string {
	const keep = 12
	if len(secret) <= keep+1 || strings.HasSuffix(secret, "…") {
		return secret
	}
	return secret[:keep] + "…"
}

// findToken returns the access token of a response: the member access_token, or the body as at Altinn.
func findToken(body []byte) string {
	var fields struct {
		AccessToken string `json:"access_token"`
	}
	if json.Unmarshal(body, &fields) == nil && fields.AccessToken != "" {
		return fields.AccessToken
	}
	return string(jwt.Find(body))
}

// decode decodes a JWT for display. It does not verify it.
func decode(name, jwt string) token {
	t := token{Name: name}
	parts := strings.Split(jwt, ".")
	if len(parts) == 3 {
		t.Header, t.Claims = table(parts[0]), table(parts[1])
	}
	return t
}

func table(part string) []claim {
	raw, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		return nil
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(raw, &members) != nil {
		return nil
	}
	var all []claim
	for _, name := range slices.Sorted(maps.Keys(members)) {
		all = append(all, describe(name, members[name]))
	}
	return all
}

// describe returns the row of a claim, with an explanation of times, certificates and known claims.
func describe(name string, raw json.RawMessage) claim {
	c := claim{Name: name, Value: string(raw), Hint: hints[name]}
	var text string
	var number int64
	switch {
	case name == "x5c":
		var chain []string
		_ = json.Unmarshal(raw, &chain)
		c.Value = fmt.Sprintf("%d sertifikater", len(chain))
	case json.Unmarshal(raw, &text) == nil:
		c.Value = text
	case raw[0] == '{' || raw[0] == '[' && bytes.Contains(raw, []byte("{")):
		c.Value = pretty(raw)
	case (name == "exp" || name == "iat" || name == "nbf") && json.Unmarshal(raw, &number) == nil:
		c.Hint = strings.TrimSpace(c.Hint + " " + time.Unix(number, 0).Format("15:04:05"))
	}
	return c
}
