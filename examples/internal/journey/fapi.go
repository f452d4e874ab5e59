package journey

import (
	"cmp"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Client is a confidential client of a provider with FAPI 2.0: pushed requests, private_key_jwt and DPoP. One key signs assertions and
// proofs.
type Client struct {
	Issuer, ID string
	Key        crypto.Signer
	KeyID      string // the default is that of JWKS
	Algorithm  string // the default is ES256
	HTTP       *http.Client
}

// KeyID is the kid of the keys of clients.
const KeyID = "nokkel-1"

// NewKey returns a new key.
func NewKey() (*ecdsa.PrivateKey, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }

// JWKS returns the key set of a registration.
func JWKS(key *ecdsa.PrivateKey) (json.RawMessage, error) {
	return json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: KeyID, Algorithm: string(jose.ES256), Use: "sig"}}})
}

// Endpoints are the endpoints of a provider.
type Endpoints struct {
	Authorize  string `json:"authorization_endpoint"`
	Push       string `json:"pushed_authorization_request_endpoint"`
	Token      string `json:"token_endpoint"`
	UserInfo   string `json:"userinfo_endpoint"`
	EndSession string `json:"end_session_endpoint"`
	JWKS       string `json:"jwks_uri"`
}

// Discover reads the metadata of the provider.
func (c *Client) Discover(ctx context.Context) (e Endpoints, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.Issuer+"/.well-known/openid-configuration", nil)
	if err != nil {
		return e, err
	}
	res, err := c.HTTP.Do(req)
	if err != nil {
		return e, fmt.Errorf("%w: %w", ErrSilent, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	if err != nil || res.StatusCode != http.StatusOK {
		return e, fmt.Errorf("%w: metadata: %s", ErrSilent, res.Status)
	}
	return e, json.Unmarshal(body, &e)
}

// Sign returns a JWT that the client signs.
func (c *Client) Sign(typ string, embed bool, claims map[string]any) (string, error) {
	options := (&jose.SignerOptions{EmbedJWK: embed}).WithType(jose.ContentType(typ))
	var key any = c.Key
	if !embed {
		key = jose.JSONWebKey{Key: c.Key, KeyID: cmp.Or(c.KeyID, KeyID)}
	}
	algorithm := jose.SignatureAlgorithm(cmp.Or(c.Algorithm, string(jose.ES256)))
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, options)
	if err != nil {
		return "", fmt.Errorf("signing: %w", err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("signing: %w", err)
	}
	return signed.CompactSerialize()
}

// Assertion returns a client assertion (RFC 7523) with further claims.
func (c *Client) Assertion(more map[string]any) (string, error) {
	now := time.Now()
	claims := map[string]any{
		"iss": c.ID, "sub": c.ID, "aud": c.Issuer, "iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(30 * time.Second).Unix(), "jti": rand.Text(),
	}
	maps.Copy(claims, more)
	return c.Sign("client-authentication+jwt", false, claims)
}

// Proof returns a DPoP proof (RFC 9449 §4.2). The access token and the nonce may be "".
func (c *Client) Proof(method, to, token, nonce string) (string, error) {
	claims := map[string]any{"jti": rand.Text(), "htm": method, "htu": to, "iat": time.Now().Unix()}
	if token != "" {
		sum := sha256.Sum256([]byte(token))
		claims["ath"] = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	if nonce != "" {
		claims["nonce"] = nonce
	}
	return c.Sign("dpop+jwt", true, claims)
}

// authenticated returns the form with the authentication of the client.
func (c *Client) authenticated(form url.Values, more map[string]any) (url.Values, error) {
	assertion, err := c.Assertion(more)
	if err != nil {
		return nil, err
	}
	all := url.Values{
		"client_id": {c.ID}, "client_assertion": {assertion},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
	}
	maps.Copy(all, form)
	return all, nil
}

// Push pushes an authorization request and returns the request_uri. The call has the texts.
func (c *Client) Push(ctx context.Context, j *Journal, call Call, params url.Values) (string, error) {
	at, err := c.Discover(ctx)
	if err != nil {
		return "", err
	}
	if call.Form, err = c.authenticated(params, nil); err != nil {
		return "", err
	}
	call.To = at.Push
	r, err := j.Send(ctx, c.HTTP, call)
	if err != nil {
		return "", err
	}
	if r.Status != http.StatusCreated {
		return "", Said(r)
	}
	var pushed struct {
		RequestURI string `json:"request_uri"`
	}
	return pushed.RequestURI, json.Unmarshal(r.Body, &pushed)
}

// Tokens is a token response.
type Tokens struct {
	AccessToken   string `json:"access_token"`
	TokenType     string `json:"token_type"`
	IDToken       string `json:"id_token"`
	RefreshToken  string `json:"refresh_token"`
	Scope         string `json:"scope"`
	RejectedScope string `json:"rejected_scope"`
	RTExpiresIn   int64  `json:"rt_expires_in"`
	ExpiresIn     int64  `json:"expires_in"`
}

// Token requests tokens. The first request has no nonce; the response has one, and the second request uses it (RFC 9449 §8). more are
// claims of the assertion. The calls have the texts.
func (c *Client) Token(ctx context.Context, j *Journal, first, second Call, form url.Values, more map[string]any) (t Tokens, err error) {
	at, err := c.Discover(ctx)
	if err != nil {
		return t, err
	}
	var r Reply
	for i, call := range []Call{first, second} {
		if call.Form, err = c.authenticated(form, more); err != nil {
			return t, err
		}
		if call.Proof, err = c.Proof(http.MethodPost, at.Token, "", r.Nonce); err != nil {
			return t, err
		}
		call.To = at.Token
		if r, err = j.Send(ctx, c.HTTP, call); err != nil {
			return t, err
		}
		if r.Status == http.StatusOK {
			return t, json.Unmarshal(r.Body, &t)
		}
		if i == 0 && (r.Nonce == "" || r.Status != http.StatusBadRequest) {
			break
		}
	}
	return t, Said(r)
}

// Call calls an API with a token that is bound to the key of the client.
func (c *Client) Call(ctx context.Context, j *Journal, call Call, token string) (Reply, error) {
	var err error
	if call.Proof, err = c.Proof(http.MethodGet, call.To, token, ""); err != nil {
		return Reply{}, err
	}
	call.DPoP, call.Accept = token, "application/json"
	return j.Send(ctx, c.HTTP, call)
}
