package client_test

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"testing"

	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/jose"
	"github.com/stretchr/testify/require"
)

func BenchmarkAuthenticate(b *testing.B) {
	registered := registrations(b)
	registered["ed"] = &client.Client{ClientID: "ed", TokenEndpointAuthMethod: client.PrivateKeyJWT, JWKS: jwks(jose.PublicKey{KID: "k1", Key: edKey().Public()})}
	a, _ := authenticator(b, func(cfg *client.Config) {
		cfg.Clients, cfg.Attempts, cfg.OnEvent, cfg.Replay = registered, nil, nil, forgetful{}
	})
	for name, c := range map[string]credentials{
		"client_secret_basic":   mechanisms[0].with("basic"),
		"client_secret_post":    mechanisms[1].with("post"),
		"none":                  mechanisms[3].with("spa"),
		"private_key_jwt_ES256": withAssertion("jwt", signJWT(p256Key(), goodHeader, goodClaims("jwt"))),
		"private_key_jwt_EdDSA": withAssertion("ed", signJWT(edKey(), object{"alg": "EdDSA", "kid": "k1"}, goodClaims("ed"))),
	} {
		c.RemoteAddr = "192.0.2.1:50000"
		b.Run(name, func(b *testing.B) {
			r := c.request()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := a.Authenticator.Authenticate(b.Context(), r, "token", now); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	digest := sha256.Sum256([]byte("x"))
	sig, err := ecdsa.SignASN1(rand.Reader, p256Key(), digest[:])
	require.NoError(b, err)
	b.Run("bare_ES256_verification", func(b *testing.B) {
		for b.Loop() {
			ecdsa.VerifyASN1(&p256Key().PublicKey, digest[:], sig)
		}
	})
}

// forgetful is a ReplayStore that accepts an assertion many times.
type forgetful struct{ failingReplay }

func BenchmarkRedirectURI(b *testing.B) {
	c := &client.Client{ApplicationType: client.Native, RedirectURIs: []string{callback, withArgs, "http://127.0.0.1/cb"}}
	b.Run("match", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			c.MatchRedirectURI(withArgs)
		}
	})
	b.Run("match_loopback", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			c.MatchRedirectURI("http://127.0.0.1:51004/cb")
		}
	})
	b.Run("check_at_use", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := c.CheckURI(withArgs, production); err != nil {
				b.Fatal(err)
			}
		}
	})
}
