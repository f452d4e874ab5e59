package portnertest

import (
	"bytes"
	"cmp"
	"crypto"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/jose"
)

// ClientKey returns the private key of clients and its kid. Every client with the method private_key_jwt has its public key, in addition to
// its own ones. The key is public: it is worth nothing outside a test.
func (p *Provider) ClientKey() (key crypto.Signer, kid string) {
	k, err := testKey(clientKey)
	if err != nil {
		p.t.Fatalf("portnertest: %v", err)
	}
	return k.Signer, k.KID
}

// assertion returns a client assertion, or a grant with further claims.
func (p *Provider) assertion(clientID string, further map[string]any) (string, error) {
	key, kid := p.ClientKey()
	signer, err := jose.NewSigner(jose.RS256, kid, key, nil)
	if err != nil {
		return "", err
	}
	now := p.Now().Unix()
	claims := map[string]any{"iss": clientID, "aud": p.Issuer, "iat": now, "exp": now + 60, "jti": rand.Text()}
	for name, value := range further {
		claims[name] = value
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	return signer.Sign("", payload)
}

// post sends a form to an endpoint as a client and returns the JSON of the answer.
func (p *Provider) post(c *client.Client, name string, form url.Values, key *Prover) (map[string]any, error) {
	header := http.Header{}
	switch c.AuthMethod() {
	case client.ClientSecretBasic:
		basic := url.QueryEscape(c.ClientID) + ":" + url.QueryEscape(p.clients.secretOf(c.ClientID))
		header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(basic)))
	case client.ClientSecretPost:
		form.Set("client_id", c.ClientID)
		form.Set("client_secret", p.clients.secretOf(c.ClientID))
	case client.PrivateKeyJWT:
		form.Set("client_id", c.ClientID)
		form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		assertion, err := p.assertion(c.ClientID, map[string]any{"sub": c.ClientID})
		if err != nil {
			return nil, err
		}
		form.Set("client_assertion", assertion)
	default:
		form.Set("client_id", c.ClientID)
	}
	answer, err := p.form(name, form, header, key)
	if nonce := (*nonceError)(nil); errors.As(err, &nonce) { // RFC 9449 §8: once more, with the nonce
		if c.AuthMethod() == client.PrivateKeyJWT {
			if form["client_assertion"], err = p.again(c.ClientID); err != nil {
				return nil, err
			}
		}
		return p.formWith(name, form, header, key, map[string]any{"nonce": nonce.nonce})
	}
	return answer, err
}

// again returns a new assertion for a second request.
func (p *Provider) again(clientID string) ([]string, error) {
	assertion, err := p.assertion(clientID, map[string]any{"sub": clientID})
	return []string{assertion}, err
}

// form sends a form to an endpoint.
func (p *Provider) form(name string, form url.Values, header http.Header, key *Prover) (map[string]any, error) {
	return p.formWith(name, form, header, key, nil)
}

func (p *Provider) formWith(name string, form url.Values, header http.Header, key *Prover, proof map[string]any) (map[string]any, error) {
	address := p.endpointURL(name)
	r, err := http.NewRequest(http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	for field, values := range header {
		r.Header[field] = values
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if key != nil {
		r.Header.Set("DPoP", key.Proof(http.MethodPost, address, "", p.Now(), proof))
	}
	body, err := p.send(r)
	if err != nil {
		return nil, err
	}
	answer := map[string]any{}
	return answer, json.Unmarshal(body, &answer)
}

// nonceError is the answer to a proof without the nonce of the provider.
type nonceError struct{ nonce string }

// Error implements error.
func (e *nonceError) Error() string { return "the proof needs a nonce" }

func (p *Provider) get(address string) ([]byte, error) {
	r, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	return p.send(r)
}

// send sends a request of this package and returns the body of a successful answer.
func (p *Provider) send(r *http.Request) ([]byte, error) {
	r.Header.Set(headerPlay, own)
	resp, err := p.HTTP.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if nonce := resp.Header.Get("DPoP-Nonce"); err == nil && nonce != "" && bytes.Contains(body, []byte("use_dpop_nonce")) {
		return nil, &nonceError{nonce}
	}
	if err == nil && resp.StatusCode >= http.StatusMultipleChoices {
		err = fmt.Errorf("%s: status %d: %s", r.URL.Path, resp.StatusCode, body)
	}
	return body, err
}

// endpointURL returns the URL of an endpoint in the metadata: of a name of Request.Endpoint, or of a member.
func (p *Provider) endpointURL(name string) string {
	members := map[string]string{
		"authorize": "authorization_endpoint", "par": "pushed_authorization_request_endpoint", "token": "token_endpoint",
		"userinfo": "userinfo_endpoint", "introspect": "introspection_endpoint", "revoke": "revocation_endpoint", "logout": "end_session_endpoint",
		"jwks": "jwks_uri",
	}
	p.mu.Lock()
	address := p.metadata[cmp.Or(members[name], name)]
	p.mu.Unlock()
	text, _ := address.(string)
	return text
}

// readMetadata reads the metadata document.
func (p *Provider) readMetadata(address string) error {
	body, err := p.get(address)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return json.Unmarshal(body, &p.metadata)
}

// logger returns a logger of the provider's refusals and faults, as output of the test.
func logger(t testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
}
