// Package seal encrypts small values for browsers and stores, derives keyed hashes and tokens from secrets, and generates random
// tokens and identifiers.
package seal

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"slices"
	"sync"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/storage"
)

// ErrOpen reports that a value was not sealed with one of the secrets for this purpose and associated data.
var ErrOpen = errors.New("seal: cannot open")

// Keys derives the keys of one issuer from the secrets of its provider. What one issuer sealed or derived does not open or match at
// another one with the same secrets.
type Keys struct {
	issuer  string
	secrets []portner.Secret
}

// NewKeys returns the keys of an issuer. The first secret seals, and every secret opens. It returns the error of Secret.Validate for
// a weak secret.
func NewKeys(issuer string, secrets ...portner.Secret) (*Keys, error) {
	if issuer == "" {
		return nil, errors.New("seal: no issuer")
	}
	if len(secrets) == 0 {
		return nil, errors.New("seal: no secret")
	}
	for i, s := range secrets {
		if err := s.Validate(); err != nil {
			return nil, fmt.Errorf("seal: secret %d: %w", i, err)
		}
	}
	return &Keys{issuer: issuer, secrets: slices.Clone(secrets)}, nil
}

// derive returns an independent 32-byte key for each secret. The purpose is a constant without a NUL, so that it ends where the issuer
// begins.
func (k *Keys) derive(purpose string) [][]byte {
	keys := make([][]byte, len(k.secrets))
	for i, s := range k.secrets {
		key, err := hkdf.Key(sha256.New, s, nil, "portner v2 "+purpose+"\x00"+k.issuer, 32)
		if err != nil { // only of a secret that Validate rejects, or of a longer key
			panic(fmt.Sprintf("seal: deriving a key: %v", err))
		}
		keys[i] = key
	}
	return keys
}

// Box seals values for one purpose with XAES-256-GCM. The first secret seals, and every secret opens.
type Box struct{ keys []*xaes }

// Box returns the box for one purpose. It cannot open the values of a box for another purpose.
func (k *Keys) Box(purpose string) *Box {
	b := &Box{}
	for _, key := range k.derive("seal:" + purpose) {
		b.keys = append(b.keys, newXAES(key))
	}
	return b
}

// Seal encrypts plaintext and binds it to aad.
func (b *Box) Seal(plaintext []byte, aad string) []byte {
	return b.keys[0].seal(plaintext, aad)
}

// Open reverses Seal.
func (b *Box) Open(sealed []byte, aad string) ([]byte, error) {
	for _, key := range b.keys {
		if plaintext, ok := key.open(sealed, aad); ok {
			return plaintext, nil
		}
	}
	return nil, ErrOpen
}

// room is space on the stack for the text of a sealed value: most fit.
type room [1024]byte

// SealString is Seal in unpadded base64url, for URLs, cookies and forms.
func (b *Box) SealString(plaintext []byte, aad string) string { return b.SealURL("", plaintext, aad) }

// SealURL returns base followed by the text of SealString.
func (b *Box) SealURL(base string, plaintext []byte, aad string) string {
	var text room
	return string(base64.RawURLEncoding.AppendEncode(append(text[:0], base...), b.Seal(plaintext, aad)))
}

// strict accepts one text of each value, except for line breaks, which the decoder ignores.
var strict = base64.RawURLEncoding.Strict()

// OpenString reverses SealString.
func (b *Box) OpenString(sealed, aad string) ([]byte, error) {
	var value room
	raw, err := strict.AppendDecode(value[:0], []byte(sealed))
	if err != nil || strict.EncodedLen(len(raw)) != len(sealed) { // the length rejects texts with line breaks
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

// KeyedHash returns the keyed hash for one purpose. It derives from the last secret, because what is found by a hash is lost when
// the hash changes: secrets can be rotated without a change as long as the last one stays.
func (k *Keys) KeyedHash(purpose string) *KeyedHash {
	keys := k.derive("hash:" + purpose)
	return &KeyedHash{key: keys[len(keys)-1]}
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

// Tokens returns the tokens of one purpose, with one key for each secret.
func (k *Keys) Tokens(purpose string) *Tokens {
	t := &Tokens{}
	for _, key := range k.derive("token:" + purpose) {
		t.hashes = append(t.hashes, &KeyedHash{key: key})
	}
	return t
}

// Len returns the number of secrets.
func (t *Tokens) Len() int { return len(t.hashes) }

// Derive returns the token that derives from value under the secret with index i. It has the form of a NewToken value. Use index 0
// for new tokens, and every index to recognise a token that was derived before the secrets were rotated.
func (t *Tokens) Derive(i int, value string) string {
	return Text(t.hashes[i].Of(value))
}

// NewToken returns a bearer value of 256 random bits: 43 characters of unpadded base64url.
func NewToken() string {
	var b [32]byte
	rand.Read(b[:]) // it never returns an error
	return Text(b)
}

// Text returns 32 bytes as 43 characters of unpadded base64url.
func Text(b [32]byte) string {
	var text [43]byte // on the stack, so that only the result is allocated
	base64.RawURLEncoding.Encode(text[:], b[:])
	return string(text[:])
}

// IDText returns 16 bytes as 22 characters of unpadded base64url.
func IDText(b [16]byte) string {
	var text [22]byte
	base64.RawURLEncoding.Encode(text[:], b[:])
	return string(text[:])
}

// NewID returns a random identifier of 128 bits: 22 characters of unpadded base64url. It is not a secret.
func NewID() string {
	var b [16]byte
	rand.Read(b[:])
	return IDText(b)
}

// IDOf returns an identifier that derives from a bearer value, in the form of a NewID value: a retry with the same value has the same
// identifier. The value cannot be computed from it. kind separates the identifiers of different records.
func IDOf(kind, value string) string {
	var room [64]byte // a kind and a token fit, so the text does not allocate
	h := sha256.Sum256(append(append(append(room[:0], kind...), 0), value...))
	return IDText([16]byte(h[:]))
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
