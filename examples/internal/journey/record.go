// Package journey records requests and responses for pages that show them: every step of a story, with the tokens decoded and the
// credentials shortened.
package journey

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
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

// Step is a request of a story as the page shows it. Tokens, codes and secrets are shortened so that they are useless.
type Step struct {
	Title, Text       string
	Request, Response string
	Status            int
	Tokens            []Token
}

// Token is a decoded JWT.
type Token struct {
	Name           string
	Asked          bool // an assertion of the client
	Header, Claims []Claim
}

// Claim is a row of the table of a token.
type Claim struct{ Name, Value, Hint string }

// Reply is a response.
type Reply struct {
	Status int
	Body   []byte
	Nonce  string // DPoP-Nonce
}

// Call is a request with its description. A call with a form or JSON is a POST.
type Call struct {
	Title, Text string
	To          string
	Bearer      string // an access token
	DPoP        string // an access token that is bound to the key of Proof
	Proof       string // a DPoP proof
	Basic       *url.Userinfo
	Form        url.Values
	JSON        string
	Accept      string
	Token       string // title of the JWT in the response
}

// Journal holds the steps of a story.
type Journal struct{ Steps []Step }

// ErrSilent reports that a server did not answer.
var ErrSilent = errors.New("no answer")

// Send sends the request and appends the step, also if it fails.
func (j *Journal) Send(ctx context.Context, hc *http.Client, c Call) (Reply, error) {
	req, err := c.request(ctx)
	if err != nil {
		return Reply{}, err
	}
	s := Step{Title: c.Title, Text: c.Text, Request: c.Shown()}
	for _, signed := range []struct{ name, jwt string }{
		{"Forespørselen virksomheten signerer", c.Form.Get("assertion")},
		{"Det klienten viser hvem den er med", c.Form.Get("client_assertion")},
		{"Forespørselen klienten signerer", c.Form.Get("request")},
		{"Beviset for nøkkelen", c.Proof},
	} {
		if signed.jwt != "" {
			asked := decode(signed.name, signed.jwt)
			asked.Asked = true
			s.Tokens = append(s.Tokens, asked)
		}
	}
	resp, err := hc.Do(req)
	if err != nil {
		j.Steps = append(j.Steps, s)
		return Reply{}, fmt.Errorf("%w: %w", ErrSilent, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		j.Steps = append(j.Steps, s)
		return Reply{}, fmt.Errorf("%w: %w", ErrSilent, err)
	}
	s.Status = resp.StatusCode
	s.Response = shownResponse(resp, body)
	if t := FindToken(body); c.Token != "" && t != "" {
		s.Tokens = append(s.Tokens, decode(c.Token, t))
	}
	j.Steps = append(j.Steps, s)
	return Reply{resp.StatusCode, body, resp.Header.Get("DPoP-Nonce")}, nil
}

func (c Call) request(ctx context.Context) (*http.Request, error) {
	body := io.Reader(nil)
	switch {
	case c.Form != nil:
		body = strings.NewReader(c.Form.Encode())
	case c.JSON != "":
		body = strings.NewReader(c.JSON)
	}
	method, kind := c.kind()
	req, err := http.NewRequestWithContext(ctx, method, c.To, body)
	if err != nil {
		return nil, err
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	if c.Accept != "" {
		req.Header.Set("Accept", c.Accept)
	}
	if c.Bearer != "" {
		req.Header.Set("Authorization", "Bearer "+c.Bearer)
	}
	if c.DPoP != "" {
		req.Header.Set("Authorization", "DPoP "+c.DPoP)
	}
	if c.Proof != "" {
		req.Header.Set("DPoP", c.Proof)
	}
	if c.Basic != nil {
		password, _ := c.Basic.Password()
		req.SetBasicAuth(url.QueryEscape(c.Basic.Username()), url.QueryEscape(password))
	}
	return req, nil
}

// kind returns the method, and the media type of the body.
func (c Call) kind() (method, mediaType string) {
	switch {
	case c.Form != nil:
		return http.MethodPost, "application/x-www-form-urlencoded"
	case c.JSON != "":
		return http.MethodPost, "application/json"
	}
	return http.MethodGet, ""
}

// Shown returns the text of the request, with one parameter in each line and shortened credentials.
func (c Call) Shown() string {
	u, err := url.Parse(c.To)
	if err != nil {
		return c.To
	}
	var b strings.Builder
	method, kind := c.kind()
	fmt.Fprintf(&b, "%s %s\nHost: %s\n", method, u.RequestURI(), u.Host)
	if c.Accept != "" {
		fmt.Fprintf(&b, "Accept: %s\n", c.Accept)
	}
	if c.Bearer != "" {
		fmt.Fprintf(&b, "Authorization: Bearer %s\n", short(c.Bearer))
	}
	if c.DPoP != "" {
		fmt.Fprintf(&b, "Authorization: DPoP %s\n", short(c.DPoP))
	}
	if c.Proof != "" {
		fmt.Fprintf(&b, "DPoP: %s\n", short(c.Proof))
	}
	if c.Basic != nil {
		fmt.Fprintf(&b, "Authorization: Basic (%s og hemmelighet)\n", c.Basic.Username())
	}
	if kind != "" {
		fmt.Fprintf(&b, "Content-Type: %s\n\n%s", kind, Parameters(c.Form)+c.JSON)
	}
	return strings.TrimSpace(b.String())
}

// secretParameters are shortened.
var secretParameters = []string{
	"assertion", "code", "code_verifier", "code_challenge", "state", "nonce", "client_secret", "subject_token", "client_assertion", "request", "request_uri", "refresh_token",
}

// Parameters returns the parameters in the order of their names, one in each line, with shortened secrets.
func Parameters(v url.Values) string {
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
	for _, name := range []string{"Content-Type", "WWW-Authenticate", "DPoP-Nonce"} {
		if v := resp.Header.Get(name); v != "" {
			fmt.Fprintf(&b, "%s: %s\n", name, v)
		}
	}
	if text := Pretty(body); text != "" {
		b.WriteString("\n" + text)
	}
	return strings.TrimSpace(b.String())
}

var (
	jwt    = regexp.MustCompile(`eyJ[\w-]+\.eyJ[\w-]+\.[\w-]+`)
	bearer = regexp.MustCompile(`("(?:refresh|access)_token": ")([\w.-]+)"`)
)

// Pretty indents JSON and shortens tokens.
func Pretty(body []byte) string {
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

// FindToken returns the access token of a response: the member access_token, or the body as at Altinn.
func FindToken(body []byte) string {
	var fields struct {
		AccessToken string `json:"access_token"`
	}
	if json.Unmarshal(body, &fields) == nil && fields.AccessToken != "" {
		return fields.AccessToken
	}
	return string(jwt.Find(body))
}

// decode decodes a JWT for display. It does not verify it.
func decode(name, jwt string) Token {
	t := Token{Name: name}
	parts := strings.Split(jwt, ".")
	if len(parts) == 3 {
		t.Header, t.Claims = table(parts[0]), table(parts[1])
	}
	return t
}

func table(part string) []Claim {
	raw, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		return nil
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(raw, &members) != nil {
		return nil
	}
	var all []Claim
	for _, name := range slices.Sorted(maps.Keys(members)) {
		c := describe(name, members[name])
		if name == "sub" && bytes.Equal(members["iss"], members["sub"]) {
			c.Hint = "systemet selv" // RFC 7523 §3: the assertion of a client
		}
		all = append(all, c)
	}
	return all
}

// describe returns the row of a Claim, with an explanation of times, certificates and known claims.
func describe(name string, raw json.RawMessage) Claim {
	c := Claim{Name: name, Value: string(raw), Hint: hints[name]}
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
		c.Value = Pretty(raw)
	case (name == "exp" || name == "iat" || name == "nbf") && json.Unmarshal(raw, &number) == nil:
		c.Hint = strings.TrimSpace(c.Hint + " " + time.Unix(number, 0).Format("15:04:05"))
	}
	return c
}

// Refusal is an error response.
type Refusal struct{ Text string }

// Error implements error.
func (r Refusal) Error() string { return "refused: " + r.Text }

// Said returns the error of a response.
func Said(r Reply) error {
	var e struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	_ = json.Unmarshal(r.Body, &e)
	switch {
	case e.Error != "":
		return Refusal{e.Error + ": " + e.Description}
	case len(r.Body) > 0:
		return Refusal{Pretty(r.Body)}
	}
	return Refusal{http.StatusText(r.Status)}
}
