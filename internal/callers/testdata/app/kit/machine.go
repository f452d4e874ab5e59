package kit

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/portner-go/portner/resource"
)

// NewAPI returns an API for tokens of an issuer with the scope skatt:les.
func NewAPI(cfg resource.Config) (http.Handler, error) {
	api, err := resource.New(cfg)
	if err != nil {
		return nil, err
	}
	return api.Protect(resource.Rules{Scopes: []string{"skatt:les"}}, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})), nil
}

// Machine is a client of Maskinporten.
type Machine struct {
	Issuer, ClientID, KeyID string
	Key                     crypto.Signer
	HTTP                    *http.Client
}

// Token requests a token, and once more if the answer does not arrive: with another assertion, because each one is valid once.
func (m Machine) Token(scope string) (token string, err error) {
	for range 2 {
		if token, err = m.request(scope); err == nil {
			return token, nil
		}
	}
	return "", err
}

func (m Machine) request(scope string) (string, error) {
	assertion, err := m.assertion(scope)
	if err != nil {
		return "", err
	}
	form := url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {assertion}}
	r, err := http.NewRequest(http.MethodPost, m.Issuer+"token", strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	var tokens struct {
		AccessToken string `json:"access_token"`
	}
	err = answer(m.HTTP, r, &tokens)
	return tokens.AccessToken, err
}

func (m Machine) assertion(scope string) (string, error) {
	now := time.Now().Unix()
	header, err1 := json.Marshal(map[string]any{"alg": "RS256", "kid": m.KeyID})
	payload, err2 := json.Marshal(map[string]any{
		"iss": m.ClientID, "aud": m.Issuer, "scope": scope, "iat": now, "exp": now + 60, "jti": rand.Text(),
	})
	if err1 != nil || err2 != nil {
		return "", err1
	}
	b64 := base64.RawURLEncoding.EncodeToString
	signed := b64(header) + "." + b64(payload)
	sum := sha256.Sum256([]byte(signed))
	signature, err := m.Key.Sign(rand.Reader, sum[:], crypto.SHA256)
	return signed + "." + b64(signature), err
}
