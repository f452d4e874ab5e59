package client_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/httpx"
	"github.com/portner-go/portner/internal/jose"
	"github.com/portner-go/portner/storage"
	"github.com/stretchr/testify/require"
)

const (
	issuer        = "https://login.example.no"
	tokenEndpoint = issuer + "/token"
	secretText    = "s3cr3t-8c2f6d0e4b1a9f7c5d3e-%+&:/ ~"
	assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

//go:embed testdata/rsa2048.pem
var rsaPEM []byte

// Keys of all tests.
var (
	rsaKey = sync.OnceValue(func() *rsa.PrivateKey {
		block, _ := pem.Decode(rsaPEM)
		key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
		if err != nil {
			panic(err)
		}
		return key
	})
	p256Key = sync.OnceValue(func() *ecdsa.PrivateKey { return newEC(elliptic.P256()) })
	p384Key = sync.OnceValue(func() *ecdsa.PrivateKey { return newEC(elliptic.P384()) })
	edKey   = sync.OnceValue(func() ed25519.PrivateKey {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			panic(err)
		}
		return key
	})
)

func newEC(curve elliptic.Curve) *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
}

// jwks returns a JWK set.
func jwks(keys ...jose.PublicKey) json.RawMessage {
	list := make([]json.RawMessage, len(keys))
	for i, k := range keys {
		raw, err := jose.MarshalJWK(k)
		if err != nil {
			panic(err)
		}
		list[i] = raw
	}
	raw, err := json.Marshal(map[string]any{"keys": list})
	if err != nil {
		panic(err)
	}
	return raw
}

func p256JWKS() json.RawMessage { return jwks(jose.PublicKey{KID: "k1", Key: p256Key().Public()}) }

type object = map[string]any

// signJWT returns a compact JWS with any header and claims, valid or not.
func signJWT(key any, header object, claims any) string {
	head, err := json.Marshal(header)
	if err != nil {
		panic(err)
	}
	body, ok := claims.(string)
	if !ok {
		raw, err := json.Marshal(claims)
		if err != nil {
			panic(err)
		}
		body = string(raw)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	signed := b64(head) + "." + b64([]byte(body))
	alg, _ := header["alg"].(string)
	return signed + "." + b64(signature(key, alg, []byte(signed)))
}

var hashes = map[string]crypto.Hash{"256": crypto.SHA256, "384": crypto.SHA384, "512": crypto.SHA512}

// signature signs with any key. alg selects the hash and the padding.
func signature(key any, alg string, message []byte) []byte {
	hash := crypto.SHA256
	if len(alg) == 5 && hashes[alg[2:]] != 0 {
		hash = hashes[alg[2:]]
	}
	h := hash.New()
	h.Write(message)
	digest := h.Sum(nil)
	var sig []byte
	var err error
	switch key := key.(type) {
	case *rsa.PrivateKey:
		if strings.HasPrefix(strings.ToUpper(alg), "PS") {
			sig, err = rsa.SignPSS(rand.Reader, key, hash, digest, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
		} else {
			sig, err = rsa.SignPKCS1v15(rand.Reader, key, hash, digest)
		}
	case *ecdsa.PrivateKey:
		var r, s *big.Int
		r, s, err = ecdsa.Sign(rand.Reader, key, digest)
		size := (key.Params().BitSize + 7) / 8
		sig = append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...)
	case ed25519.PrivateKey:
		sig = ed25519.Sign(key, message)
	case []byte: // HMAC, for confusion attacks
		m := hmac.New(sha256.New, key)
		m.Write(message)
		sig = m.Sum(nil)
	case nil:
		sig = []byte("x")
	}
	if err != nil {
		panic(err)
	}
	return sig
}

// source is a Source over a map.
type source map[string]*client.Client

func (s source) Client(_ context.Context, id string) (*client.Client, error) {
	if c, ok := s[id]; ok {
		return c, nil
	}
	return nil, storage.ErrNotFound
}

// replay is a correct ReplayStore.
type replay struct {
	mu   sync.Mutex
	seen map[storage.Hash]time.Time
}

func (r *replay) ConsumeJTI(_ context.Context, _ string, key storage.Hash, expiresAt, _ time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.seen == nil {
		r.seen = map[storage.Hash]time.Time{}
	}
	if _, ok := r.seen[key]; ok {
		return storage.ErrConsumed
	}
	r.seen[key] = expiresAt
	return nil
}

func secret(t testing.TB, text string, expiresAt time.Time) client.Secret {
	t.Helper()
	s, err := client.NewSecret(text, expiresAt)
	require.NoError(t, err)
	return s
}

// registrations returns one client for each method, and clients that must be rejected.
func registrations(t testing.TB) source {
	t.Helper()
	secrets := []client.Secret{secret(t, secretText, now.Add(time.Hour))}
	s := source{}
	for _, c := range []*client.Client{
		{ClientID: "basic", TokenEndpointAuthMethod: client.ClientSecretBasic, Secrets: secrets},
		{ClientID: "post", TokenEndpointAuthMethod: client.ClientSecretPost, Secrets: secrets},
		{ClientID: "jwt", TokenEndpointAuthMethod: client.PrivateKeyJWT, JWKS: p256JWKS()},
		{ClientID: "spa", ApplicationType: client.Browser},
		{ClientID: "off", TokenEndpointAuthMethod: client.ClientSecretBasic, Secrets: secrets, Disabled: true},
		{ClientID: "odd id:%+&", TokenEndpointAuthMethod: client.ClientSecretBasic, Secrets: secrets},
	} {
		s[c.ClientID] = c
	}
	return s
}

// recorder collects events.
type recorder struct {
	mu     sync.Mutex
	events []portner.Event
}

func (r *recorder) on(_ context.Context, e portner.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
}

func (r *recorder) last(t testing.TB) portner.Event {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	require.NotEmpty(t, r.events)
	return r.events[len(r.events)-1]
}

// unlimited is an AttemptLimiter without a limit.
type unlimited struct{}

func (unlimited) Wait(context.Context, string, string, time.Time) time.Duration { return 0 }
func (unlimited) Failed(context.Context, string, string, time.Time)             {}

// credentials are what a request of a test authenticates with.
type credentials struct {
	Authorization       []string
	ClientID            string
	ClientSecret        string
	ClientAssertionType string
	ClientAssertion     string
	RemoteAddr          string
	CorrelationID       string
}

// request writes the credentials into a request without the limits of ParseForm. A parameter without a value is left out.
func (c credentials) request() client.Request {
	form := httpx.Form{}
	for name, value := range map[string]string{
		"client_id": c.ClientID, "client_secret": c.ClientSecret,
		"client_assertion_type": c.ClientAssertionType, "client_assertion": c.ClientAssertion,
	} {
		if value != "" {
			form = form.With(name, value)
		}
	}
	r := client.Request{Method: http.MethodPost, Form: client.Form(form), Header: http.Header{}, RemoteAddr: c.RemoteAddr, CorrelationID: c.CorrelationID}
	if c.Authorization != nil {
		r.Header["Authorization"] = c.Authorization
	}
	return r
}

// testAuthenticator is an Authenticator that takes credentials of a test.
type testAuthenticator struct{ *client.Authenticator }

func (a testAuthenticator) Authenticate(ctx context.Context, c credentials, now time.Time) (client.Authenticated, error) {
	return a.Authenticator.Authenticate(ctx, c.request(), "token", now)
}

func authenticator(t testing.TB, change func(*client.Config)) (testAuthenticator, *recorder) {
	t.Helper()
	rec := &recorder{}
	cfg := client.Config{
		Issuer: issuer, TokenEndpoint: tokenEndpoint, Clients: registrations(t), Replay: &replay{},
		Attempts: unlimited{}, OnEvent: rec.on,
	}
	if change != nil {
		change(&cfg)
	}
	a, err := client.NewAuthenticator(cfg)
	require.NoError(t, err)
	return testAuthenticator{a}, rec
}
