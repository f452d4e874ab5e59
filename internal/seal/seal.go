// Package seal encrypts small values for browsers and stores, derives keyed hashes and tokens from secrets, and generates random
// tokens and identifiers.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"sync"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/storage"
)

// ErrOpen reports that a value was not sealed with one of the secrets for this purpose and associated data.
var ErrOpen = errors.New("seal: cannot open")

// Box seals values for one purpose with AES-256-GCM. The first secret seals, and every secret opens.
type Box struct{ aeads []cipher.AEAD }

// New derives a box for one purpose from the secrets. A box cannot open the values of a box for another purpose.
func New(purpose string, secrets ...portner.Secret) (*Box, error) {
	if len(secrets) == 0 {
		return nil, errors.New("seal: no secret")
	}
	b := &Box{}
	for i, s := range secrets {
		key, err := Derive(s, "seal:"+purpose)
		if err != nil {
			return nil, fmt.Errorf("seal: secret %d: %w", i, err)
		}
		block, err := aes.NewCipher(key)
		if err != nil {
			return nil, err
		}
		// A random nonce is safe for 2^32 values per secret.
		aead, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			return nil, err
		}
		b.aeads = append(b.aeads, aead)
	}
	return b, nil
}

// Derive derives an independent 32-byte key from a secret. It returns the error of Secret.Validate for a weak secret.
func Derive(s portner.Secret, purpose string) ([]byte, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	return hkdf.Key(sha256.New, s, nil, "portner v1 "+purpose, 32)
}

// Seal encrypts plaintext and binds it to aad.
func (b *Box) Seal(plaintext []byte, aad string) []byte {
	return b.aeads[0].Seal(nil, nil, plaintext, []byte(aad))
}

// Open reverses Seal.
func (b *Box) Open(sealed []byte, aad string) ([]byte, error) {
	for _, a := range b.aeads {
		if p, err := a.Open(nil, nil, sealed, []byte(aad)); err == nil {
			return p, nil
		}
	}
	return nil, ErrOpen
}

// SealString is Seal in unpadded base64url, for URLs, cookies and forms.
func (b *Box) SealString(plaintext []byte, aad string) string {
	return base64.RawURLEncoding.EncodeToString(b.Seal(plaintext, aad))
}

// OpenString reverses SealString.
func (b *Box) OpenString(sealed, aad string) ([]byte, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(sealed)
	// The decoder ignores line breaks. The length rejects texts that contain one.
	if err != nil || base64.RawURLEncoding.EncodedLen(len(raw)) != len(sealed) {
		return nil, ErrOpen
	}
	return b.Open(raw, aad)
}

// KeyedHash is HMAC-SHA-256 under a derived key. It is for values that could be found from a plain hash by trying all values.
type KeyedHash struct {
	key  []byte
	pool sync.Pool // of *keyedHash: a new HMAC allocates six times
}

type keyedHash struct {
	mac hash.Hash
	buf []byte
}

// NewKeyedHash derives a keyed hash for one purpose.
func NewKeyedHash(purpose string, secret portner.Secret) (*KeyedHash, error) {
	key, err := Derive(secret, "hash:"+purpose)
	if err != nil {
		return nil, err
	}
	return &KeyedHash{key: key}, nil
}

// Of returns the hash of a value.
func (k *KeyedHash) Of(value string) (h storage.Hash) {
	m, _ := k.pool.Get().(*keyedHash)
	if m == nil {
		m = &keyedHash{mac: hmac.New(sha256.New, k.key)}
	}
	m.buf = append(m.buf[:0], value...)
	m.mac.Reset()
	m.mac.Write(m.buf)
	clear(m.buf)
	m.buf = m.mac.Sum(m.buf[:0])
	copy(h[:], m.buf)
	k.pool.Put(m)
	return h
}

// Tokens derives tokens from other values, so that a retry returns the same token.
type Tokens struct{ hashes []*KeyedHash }

// NewTokens derives one key for each secret, for one purpose.
func NewTokens(purpose string, secrets ...portner.Secret) (*Tokens, error) {
	t := &Tokens{}
	for i, s := range secrets {
		h, err := NewKeyedHash("token:"+purpose, s)
		if err != nil {
			return nil, fmt.Errorf("seal: secret %d: %w", i, err)
		}
		t.hashes = append(t.hashes, h)
	}
	return t, nil
}

// Len returns the number of secrets.
func (t *Tokens) Len() int { return len(t.hashes) }

// Derive returns the token that derives from value under the secret with index i. It has the form of a NewToken value. Use index 0
// for new tokens, and every index to recognise a token that was derived before the secrets were rotated.
func (t *Tokens) Derive(i int, value string) string {
	h := t.hashes[i].Of(value)
	return base64.RawURLEncoding.EncodeToString(h[:])
}

// NewToken returns a bearer value of 256 random bits: 43 characters of unpadded base64url.
func NewToken() string {
	var b [32]byte
	rand.Read(b[:]) // it never returns an error
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// NewID returns a random identifier of 128 bits: 22 characters of unpadded base64url. It is not a secret.
func NewID() string {
	var b [16]byte
	rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// NewUUID returns a random UUID (RFC 9562 §5.4).
func NewUUID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// TokenShaped reports whether s has the form of a NewToken value. Call it before hashing a value from a request.
func TokenShaped(s string) bool {
	if len(s) != 43 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !('A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_') {
			return false
		}
	}
	return true
}
