package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"
)

// What the relying party does with JWTs. It uses the standard library only, so that no subject verifies its own tokens.

const (
	es256 = "ES256"
	eddsa = "EdDSA"
	rs256 = "RS256"
)

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// newJWT signs a JWT with an ECDSA or Ed25519 key.
func newJWT(key crypto.Signer, header, claims map[string]any) (string, error) {
	h, err := json.Marshal(header)
	if err != nil {
		return "", err
	}
	c, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	input := encode(h) + "." + encode(c)
	var signature []byte
	switch key := key.(type) {
	case ed25519.PrivateKey:
		signature = ed25519.Sign(key, []byte(input))
	case *ecdsa.PrivateKey:
		digest := sha256.Sum256([]byte(input))
		r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
		if err != nil {
			return "", err
		}
		signature = append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...) // RFC 7518 §3.4
	default:
		return "", fmt.Errorf("no JWTs with %T", key)
	}
	return input + "." + encode(signature), nil
}

// jwk returns the public key as a JWK.
func jwk(key crypto.Signer) (map[string]any, error) {
	switch public := key.Public().(type) {
	case ed25519.PublicKey:
		return map[string]any{"kty": "OKP", "crv": "Ed25519", "x": encode(public)}, nil
	case *ecdsa.PublicKey:
		point, err := public.Bytes()
		if err != nil {
			return nil, err
		}
		return map[string]any{"kty": "EC", "crv": "P-256", "x": encode(point[1:33]), "y": encode(point[33:])}, nil
	}
	return nil, fmt.Errorf("no JWK of %T", key)
}

// readJWT verifies the signature of a JWT and returns its claims.
func readJWT(token string, public crypto.PublicKey) (map[string]any, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, fmt.Errorf("a JWT with %d parts", len(parts))
	}
	var decoded [3][]byte
	for i, part := range parts {
		var err error
		if decoded[i], err = base64.RawURLEncoding.DecodeString(part); err != nil {
			return nil, err
		}
	}
	var header struct{ Alg string }
	if err := json.Unmarshal(decoded[0], &header); err != nil {
		return nil, err
	}
	if !validSignature(header.Alg, public, []byte(token[:strings.LastIndexByte(token, '.')]), decoded[2]) {
		return nil, fmt.Errorf("alg %q: %w", header.Alg, errSignature)
	}
	var claims map[string]any
	err := json.Unmarshal(decoded[1], &claims)
	return claims, err
}

func validSignature(alg string, public crypto.PublicKey, input, signature []byte) bool {
	digest := sha256.Sum256(input)
	switch key := public.(type) {
	case ed25519.PublicKey:
		return alg == eddsa && ed25519.Verify(key, input, signature)
	case *rsa.PublicKey:
		return alg == rs256 && rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], signature) == nil
	case *ecdsa.PublicKey:
		return alg == es256 && len(signature) == 64 &&
			ecdsa.Verify(key, digest[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:]))
	}
	return false
}

// checkIDToken verifies an id_token as OIDC Core §3.1.3.7 requires.
func checkIDToken(token, clientID, nonce string, public crypto.PublicKey, now time.Time) error {
	claims, err := readJWT(token, public)
	if err != nil {
		return err
	}
	exp, _ := claims["exp"].(float64)
	sub, _ := claims["sub"].(string)
	switch {
	case claims["iss"] != issuer:
		return fmt.Errorf("iss is %v", claims["iss"])
	case !audience(claims["aud"], clientID):
		return fmt.Errorf("aud is %v", claims["aud"])
	case nonce != "" && claims["nonce"] != nonce:
		return fmt.Errorf("nonce is %v, not %s", claims["nonce"], nonce)
	case float64(now.Unix()) >= exp:
		return errors.New("exp is over")
	case !strings.HasPrefix(sub, userPrefix):
		return fmt.Errorf("sub is %q", sub)
	}
	return nil
}

func audience(claim any, want string) bool {
	if list, ok := claim.([]any); ok {
		return slices.Contains(list, any(want))
	}
	return claim == want
}
