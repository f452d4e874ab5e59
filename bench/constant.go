package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"io"
	"net/http"
	"runtime"
	"strings"
)

// null returns constants: its cost is that of the harness.
func null() subject {
	return subject{name: "null", silent: true, lacks: map[string]string{opProof: "is not HTTP"}, open: func(settings) (*server, error) {
		return constants(nil, nil), nil
	}}
}

// floor returns the constants of null, after the signatures, verifications and hashes that no provider can do without.
func floor() subject {
	return subject{name: "floor", silent: true, open: func(s settings) (*server, error) {
		c, err := newCrypto(s)
		if err != nil {
			return nil, err
		}
		srv := constants(c.token, c.hash)
		srv.check = c.verify
		return srv, nil
	}}
}

// constants returns a server that runs token before each response of the token endpoint, and hash once for each value of a request that a
// provider hashes. Both may be nil.
func constants(token func() error, hash func(n int)) *server {
	if token == nil {
		token = func() error { return nil }
	}
	if hash == nil {
		hash = func(int) {}
	}
	srv := &server{
		paths:  paths{"/authorize", "/token", "/userinfo", "/introspect", "/.well-known/openid-configuration", "/jwks.json"},
		scopes: "openid", opaqueScopes: "openid", plainScopes: "openid",
	}
	code := callback + "?code=" + strings.Repeat("c", 43) + "&state=" + state
	mux := http.NewServeMux()
	redirect := func(w http.ResponseWriter, location string) {
		w.Header()["Location"] = []string{location}
		w.WriteHeader(http.StatusSeeOther)
	}
	mux.HandleFunc("GET /authorize", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Cookie") != "" {
			hash(1) // of the session cookie
			redirect(w, code)
			return
		}
		redirect(w, "/login?request="+strings.Repeat("r", 300))
	})
	mux.HandleFunc("GET /login", func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Set-Cookie"] = []string{"session=" + strings.Repeat("s", 43) + "; Path=/; HttpOnly; Secure; SameSite=Lax"}
		hash(2) // of the session cookie and the code
		redirect(w, code)
	})
	document := func(w http.ResponseWriter, text string) {
		w.Header()["Content-Type"] = []string{"application/json"}
		w.Header()["Cache-Control"] = []string{"no-store"}
		_, _ = io.WriteString(w, text)
	}
	tokens := `{"access_token":"` + strings.Repeat("a", 700) + `","token_type":"Bearer","expires_in":3600,"id_token":"` + strings.Repeat("i", 700) +
		`","refresh_token":"` + strings.Repeat("r", 43) + `","scope":"openid"}`
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		hash(5) // of the client secret, the verifier, the code, the access token (at_hash) and the refresh token
		if err := token(); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		document(w, tokens)
	})
	mux.HandleFunc("POST /introspect", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		hash(2) // of the client secret and the token
		document(w, `{"active":true,"sub":"user-1","client_id":"opaque","scope":"openid"}`)
	})
	mux.HandleFunc("GET /userinfo", func(w http.ResponseWriter, _ *http.Request) {
		hash(1) // of the token
		document(w, `{"sub":"user-1"}`)
	})
	metadata := `{"issuer":"` + issuer + `","` + strings.Repeat("m", 1500) + `":1}`
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) { document(w, metadata) })
	mux.HandleFunc("GET /jwks.json", func(w http.ResponseWriter, _ *http.Request) { document(w, `{"keys":["`+strings.Repeat("k", 230)+`"]}`) })
	srv.Handler = mux
	return srv
}

// bare holds the cryptography of an operation.
type bare struct {
	key       crypto.Signer
	messages  [][]byte
	assertion func() error // verifies a client assertion; nil without
	verify    func() error // verifies a DPoP proof
}

// Lengths of the signed texts of a client assertion and of a DPoP proof, as package main makes them.
const (
	assertionLength = 300
	proofLength     = 420
)

func newCrypto(s settings) (*bare, error) {
	key, err := s.signer()
	if err != nil {
		return nil, err
	}
	b := &bare{key: key}
	for _, n := range s.Signed {
		b.messages = append(b.messages, make([]byte, n))
	}
	if b.verify, err = verification(key, proofLength); err != nil {
		return nil, err
	}
	if s.Op == opPrivateKey {
		client, err := s.clientSigner()
		if err != nil {
			return nil, err
		}
		if b.assertion, err = verification(client, assertionLength); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func (b *bare) token() error {
	if b.assertion != nil {
		if err := b.assertion(); err != nil {
			return err
		}
	}
	for _, m := range b.messages {
		if _, err := sign(b.key, m); err != nil {
			return err
		}
	}
	return nil
}

var hashed = make([]byte, 43) // as long as 32 bytes in base64url

func (b *bare) hash(n int) {
	for range n {
		sum := sha256.Sum256(hashed)
		runtime.KeepAlive(&sum) // so that the compiler does not remove the hash
	}
}

// sign signs with the standard library: ECDSA in ASN.1.
func sign(key crypto.Signer, message []byte) ([]byte, error) {
	if _, ok := key.(ed25519.PrivateKey); ok {
		return key.Sign(nil, message, crypto.Hash(0))
	}
	digest := sha256.Sum256(message)
	return key.Sign(rand.Reader, digest[:], crypto.SHA256)
}

var errSignature = errors.New("the signature is wrong")

// verification returns a function that verifies one signature of a text of n bytes.
func verification(key crypto.Signer, n int) (func() error, error) {
	message := make([]byte, n)
	signature, err := sign(key, message)
	if err != nil {
		return nil, err
	}
	public := key.Public()
	return func() error {
		if !verified(public, message, signature) {
			return errSignature
		}
		return nil
	}, nil
}

func verified(public crypto.PublicKey, message, signature []byte) bool {
	if key, ok := public.(ed25519.PublicKey); ok {
		return ed25519.Verify(key, message, signature)
	}
	digest := sha256.Sum256(message)
	switch key := public.(type) {
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(key, digest[:], signature)
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], signature) == nil
	}
	return false
}
