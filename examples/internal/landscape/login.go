package landscape

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"strings"

	"github.com/portner-go/portner/examples/internal/journey"
)

// login holds the parameters of an authorization request.
type login struct {
	issuer      string
	client      string
	scope, acr  string
	details     string // authorization_details
	title, text string
	tokens      string // title of the token response
}

// begin returns the authorization request of a journey, with new values for state, nonce and PKCE.
func (j *tale) begin(at addresses) (to, state string) {
	j.login = *j.Story.login
	l := j.login
	state, j.nonce, j.verifier = rand.Text(), rand.Text(), rand.Text()+rand.Text()
	sum := sha256.Sum256([]byte(j.verifier))
	q := url.Values{
		"response_type": {"code"}, "client_id": {l.client}, "redirect_uri": {at.Page + "/callback"}, "scope": {l.scope},
		"state": {state}, "nonce": {j.nonce}, "code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}
	if l.acr != "" {
		q.Set("acr_values", l.acr)
	}
	if l.details != "" {
		q.Set("authorization_details", l.details)
	}
	if !strings.Contains(" "+l.scope+" ", " openid ") {
		q.Del("nonce") // only an id_token contains it
	}
	u, _ := url.Parse(l.issuer)
	j.Steps = append(j.Steps, journey.Step{
		Title: l.title, Text: l.text,
		Request: "GET /authorize\n?" + strings.ReplaceAll(journey.Parameters(q), "\n", "\n&") + "\nHost: " + u.Host,
	})
	return l.issuer + "/authorize?" + q.Encode(), state
}

// returned records the authorization response.
func (j *tale) returned(q url.Values) {
	s := &j.Steps[len(j.Steps)-1]
	s.Status = 303
	s.Response = "303 See Other\nLocation: /callback\n?" + strings.ReplaceAll(journey.Parameters(q), "\n", "\n&")
	j.code = q.Get("code")
}
