package canary

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"strings"

	"github.com/portner-go/portner/norway"
)

// Document collects the values in the JSON or PEM text of a configuration, a file of secrets or a body: private keys, secrets, tokens and
// identity numbers. A text of another kind has none.
func (r *Recorder) Document(text []byte) {
	r.pem(string(text))
	var doc any
	if json.Unmarshal(text, &doc) == nil {
		r.walk("", doc)
	}
}

// walk collects the values in a JSON value, which is the member name of an object, or in an array that is.
func (r *Recorder) walk(name string, v any) {
	switch v := v.(type) {
	case map[string]any:
		if kty, _ := v["kty"].(string); kty != "" {
			r.jwk(kty, v)
		}
		for name, member := range v {
			r.walk(name, member)
		}
	case []any:
		for _, one := range v {
			r.walk(name, one)
		}
	case string:
		if kind, known := members[name]; known {
			r.Keep(kind, v)
			if kind == IDToken {
				r.claims(v)
			}
		}
		r.numbers(v)
		r.pem(v)
	}
}

// privateMembers are the members of private keys (RFC 7518 §6.2.2 and §6.3.2, RFC 8037 §2).
var privateMembers = []string{"d", "p", "q", "dp", "dq", "qi", "oth"}

// jwk collects the private members of a JWK.
func (r *Recorder) jwk(kty string, key map[string]any) {
	names := privateMembers
	if kty == "oct" {
		names = []string{"k"}
	}
	for _, name := range names {
		text, _ := key[name].(string)
		r.Keep(Key, text)
		if raw, err := base64.RawURLEncoding.DecodeString(text); err == nil {
			r.Keep(Key, string(raw))
			r.Keep(Key, new(big.Int).SetBytes(raw).String())
		}
	}
}

// pem collects the private keys of PEM text. The text has their numbers in base64.
func (r *Recorder) pem(text string) {
	if !strings.Contains(text, "KEY-----") {
		return
	}
	for rest := []byte(text); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return
		}
		if strings.Contains(block.Type, "PUBLIC") {
			continue
		}
		if key, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
			r.PrivateKey(key)
		} else if key, err := x509.ParseECPrivateKey(block.Bytes); err == nil {
			r.PrivateKey(key)
		} else if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
			r.PrivateKey(key)
		}
	}
}

// PrivateKey adds the numbers of an *rsa.PrivateKey, *ecdsa.PrivateKey or ed25519.PrivateKey, in binary and in decimal, in which package
// fmt prints them. A key of another type has none.
func (r *Recorder) PrivateKey(key any) {
	switch key := key.(type) {
	case *ecdsa.PrivateKey:
		if d, err := key.Bytes(); err == nil {
			r.number(new(big.Int).SetBytes(d), len(d))
		}
	case *rsa.PrivateKey:
		for _, n := range append([]*big.Int{key.D, key.Precomputed.Dp, key.Precomputed.Dq, key.Precomputed.Qinv}, key.Primes...) {
			if n != nil {
				r.number(n, (n.BitLen()+7)/8)
			}
		}
	case ed25519.PrivateKey:
		r.Keep(Key, string(key.Seed()))
	}
}

// number adds a number of a key, in binary of a length and in decimal.
func (r *Recorder) number(n *big.Int, length int) {
	r.Keep(Key, string(n.FillBytes(make([]byte, length))))
	r.Keep(Key, n.String())
}

// numbers collects the identity numbers in a text.
func (r *Recorder) numbers(text string) {
	for from := 0; from < len(text); from++ {
		to := from
		for to < len(text) && text[to] >= '0' && text[to] <= '9' {
			to++
		}
		if to-from == 11 {
			if _, err := norway.ParsePID(text[from:to]); err == nil {
				r.Keep(IdentityNumber, text[from:to])
			}
		}
		from = to
	}
}
