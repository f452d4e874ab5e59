package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"fmt"
	"sync/atomic"
)

// xaes is XAES-256-GCM (c2sp.org/XAES-256-GCM) under one key, with random nonces of 192 bits. The first half of a nonce, its
// prefix, derives a key; the second half is the nonce of AES-256-GCM under that key. AES-256-GCM alone has nonces of 96 bits and is
// safe for 2^32 values under a key, which the sealed requests of an unauthenticated endpoint reach within days.
//
// A derived key seals perPrefix values, so that its derivation costs nothing per value. Two values then have the same nonce with a
// probability of 2^-32 after 2^48 values, added up over every node with the same secret.
type xaes struct {
	block   cipher.Block
	mask    [aes.BlockSize]byte // the first subkey of AES-CMAC (NIST SP 800-38B)
	sealing atomic.Pointer[derived]
	// opening holds derived keys that opened a value. A value that does not open replaces none.
	opening [64]atomic.Pointer[derived]
}

const (
	prefixSize = 12
	perPrefix  = 1 << 16
	overhead   = prefixSize + 12 + 16 // both halves of the nonce, and the tag
)

type prefix [prefixSize]byte

// derived is the key of one prefix.
type derived struct {
	prefix prefix
	aead   cipher.AEAD
	used   atomic.Int64
}

func newXAES(key []byte) *xaes {
	x := &xaes{block: newAES(key)}
	block := x.block
	block.Encrypt(x.mask[:], x.mask[:])
	carry := x.mask[0] >> 7
	for i := range len(x.mask) - 1 {
		x.mask[i] = x.mask[i]<<1 | x.mask[i+1]>>7
	}
	x.mask[len(x.mask)-1] = x.mask[len(x.mask)-1]<<1 ^ carry*0b1000_0111
	x.nextPrefix()
	return x
}

// newAES returns AES with a key of 32 bytes, for which aes.NewCipher returns no error.
func newAES(key []byte) cipher.Block {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(fmt.Sprintf("seal: %v", err))
	}
	return block
}

// subkey returns the key of a prefix: the counter KDF of NIST SP 800-108r1 with AES-CMAC, the label "X" and the prefix as context.
func (x *xaes) subkey(p prefix) (key [32]byte) {
	for i := range 2 {
		block := key[i*aes.BlockSize:][:aes.BlockSize]
		block[1], block[2] = byte(i+1), 'X'
		copy(block[4:], p[:])
		for j := range block {
			block[j] ^= x.mask[j]
		}
		x.block.Encrypt(block, block)
	}
	return key
}

func (x *xaes) derive(p prefix) *derived {
	key := x.subkey(p)
	// The second half of the nonce is random, and not a counter: a copy of a virtual machine would repeat the values of a counter.
	aead, err := cipher.NewGCMWithRandomNonce(newAES(key[:]))
	if err != nil { // only of another cipher than AES
		panic(fmt.Sprintf("seal: %v", err))
	}
	return &derived{prefix: p, aead: aead}
}

// nextPrefix begins a new prefix. Callers at the same time may each begin one.
func (x *xaes) nextPrefix() *derived {
	var p prefix
	rand.Read(p[:]) // it never returns an error
	d := x.derive(p)
	x.sealing.Store(d)
	return d
}

// withData returns a buffer with room for n bytes, and the associated data as bytes, in one allocation.
func withData(n int, aad string) (buf, data []byte) {
	both := make([]byte, n+len(aad))
	copy(both[n:], aad)
	return both[:0:n], both[n:]
}

// seal returns the nonce, the ciphertext and the tag. It encrypts a copy of plaintext, which therefore can be on the stack of the caller.
func (x *xaes) seal(plaintext []byte, aad string) []byte {
	d := x.sealing.Load()
	if d.used.Add(1) > perPrefix {
		d = x.nextPrefix()
		d.used.Add(1)
	}
	buf, data := withData(len(plaintext)+overhead, aad)
	buf = append(append(buf, d.prefix[:]...), plaintext...)
	return d.aead.Seal(buf[:prefixSize], nil, buf[prefixSize:], data)
}

// slot returns the place of a prefix among the keys that opened a value.
func (x *xaes) slot(p prefix) *atomic.Pointer[derived] { return &x.opening[int(p[0])%len(x.opening)] }

// open reverses seal. It decrypts a copy of sealed.
func (x *xaes) open(sealed []byte, aad string) (plaintext []byte, ok bool) {
	if len(sealed) < overhead {
		return nil, false
	}
	p := prefix(sealed)
	slot := x.slot(p)
	buf, data := withData(len(sealed)-prefixSize, aad)
	buf = append(buf, sealed[prefixSize:]...)
	for _, d := range [...]*derived{x.sealing.Load(), slot.Load()} {
		if d != nil && d.prefix == p {
			plaintext, err := d.aead.Open(buf[:0], nil, buf, data)
			return plaintext, err == nil
		}
	}
	d := x.derive(p)
	plaintext, err := d.aead.Open(buf[:0], nil, buf, data)
	if err != nil {
		return nil, false
	}
	slot.Store(d)
	return plaintext, true
}
