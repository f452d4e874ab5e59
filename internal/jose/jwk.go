package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
)

// ParseJWKS parses a set of public signature keys (RFC 7517 §5). It rejects the whole set if one key is private, symmetric, weak
// or of an unknown type. If there are several keys, each must have a kid, which need not be unique (RFC 7517 §4.5). The caller must limit
// the length of the text and the number of keys. Keys with "use":"enc" are returned, but verify no signature.
func ParseJWKS(raw []byte) ([]PublicKey, error) {
	o, err := ParseObject(raw)
	if err != nil {
		return nil, err
	}
	list, err := o.Objects("keys")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	keys := make([]PublicKey, 0, len(list))
	for i, jwk := range list {
		k, err := parseJWK(jwk)
		if err != nil {
			return nil, fmt.Errorf("key %d: %w", i, err)
		}
		if k.KID == "" && len(list) > 1 {
			return nil, fmt.Errorf("key %d: %w: no kid", i, ErrKey)
		}
		keys = append(keys, k)
	}
	return keys, nil
}

// secretMembers are the members of private and symmetric keys (RFC 7518 §6.2.2, §6.3.2 and §6.4).
var secretMembers = []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"}

func parseJWK(o Object) (k PublicKey, err error) {
	if k.Key, err = publicKey(o); err != nil {
		return k, err
	}
	if k.KID, err = o.OptionalString("kid"); err != nil || o.Has("kid") && !isKID(k.KID) {
		return k, fmt.Errorf("%w: kid must be 1 to %d of A-Z a-z 0-9 . _ -", ErrKey, maxKID)
	}
	if err = readUse(o, &k); err != nil {
		return k, err
	}
	if k.X5C, err = certificates(o); err != nil {
		return k, err
	}
	return k, matchesLeaf(k.X5C, k.Key)
}

// readUse reads use, key_ops and alg (RFC 7517 §4.2, §4.3 and §4.4).
func readUse(o Object, k *PublicKey) (err error) {
	if k.Use, err = o.OptionalString("use"); err != nil || o.Has("use") && k.Use != "sig" && k.Use != "enc" {
		return fmt.Errorf("%w: use must be sig", ErrKey)
	}
	if o.Has("key_ops") {
		ops, err := o.Strings("key_ops")
		if err != nil || k.Use != "enc" && !slices.Contains(ops, "verify") {
			return fmt.Errorf("%w: key_ops must contain verify", ErrKey)
		}
	}
	if k.Alg, err = o.OptionalString("alg"); err != nil {
		return fmt.Errorf("%w: alg must be a string", ErrKey)
	}
	if k.Use == "enc" || !o.Has("alg") {
		return nil
	}
	return Fits(k.Alg, k.Key)
}

// publicKey reads the members of the public key (RFC 7518 §6, RFC 8037 §2). It rejects private and symmetric keys.
func publicKey(o Object) (crypto.PublicKey, error) {
	for _, name := range secretMembers {
		if o.Has(name) {
			return nil, fmt.Errorf("%w: it is private or symmetric, and must be taken out of use", ErrKey)
		}
	}
	kty, err := o.String("kty")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	switch kty {
	case "RSA":
		return rsaKey(o)
	case "EC":
		return ecKey(o)
	case "OKP":
		return okpKey(o)
	}
	return nil, fmt.Errorf("%w: unknown kty", ErrKey)
}

func rsaKey(o Object) (crypto.PublicKey, error) {
	n, err := number(o, "n")
	if err != nil {
		return nil, err
	}
	e, err := number(o, "e")
	if err != nil {
		return nil, err
	}
	if bits := n.BitLen(); bits < MinRSABits || bits > MaxRSABits || n.Bit(0) == 0 {
		return nil, fmt.Errorf("%w: RSA modulus of %d bits; %d to %d are allowed", ErrKey, bits, MinRSABits, MaxRSABits)
	}
	if e.BitLen() < 2 || e.BitLen() > 31 || e.Bit(0) == 0 {
		return nil, fmt.Errorf("%w: RSA exponent", ErrKey)
	}
	return &rsa.PublicKey{N: n, E: int(e.Int64())}, nil
}

// number reads a Base64urlUInt (RFC 7518 §2): a positive integer in the fewest octets.
func number(o Object, name string) (*big.Int, error) {
	b, err := octets(o, name)
	if err != nil {
		return nil, err
	}
	if len(b) == 0 || b[0] == 0 {
		return nil, fmt.Errorf("%w: %s must not start with a zero octet", ErrKey, name)
	}
	return new(big.Int).SetBytes(b), nil
}

func octets(o Object, name string) ([]byte, error) {
	text, err := o.String(name)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	return decode(text)
}

var curves = map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521()}

func ecKey(o Object) (crypto.PublicKey, error) {
	crv, err := o.String("crv")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	curve, ok := curves[crv]
	if !ok {
		return nil, fmt.Errorf("%w: unknown curve", ErrKey)
	}
	size := (curve.Params().BitSize + 7) / 8
	point := append(make([]byte, 0, 1+2*size+2), 4) // uncompressed, and room for a coordinate that is too long
	for _, name := range [...]string{"x", "y"} {
		text, err := o.String(name)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrKey, err)
		}
		before := len(point)
		if point, err = appendDecoded(point, text); err != nil {
			return nil, err
		}
		if len(point)-before != size {
			return nil, fmt.Errorf("%w: coordinates of %s have %d octets", ErrKey, crv, size)
		}
	}
	key, err := ecdsa.ParseUncompressedPublicKey(curve, point)
	if err != nil {
		return nil, fmt.Errorf("%w: not a point of the curve", ErrKey)
	}
	return key, nil
}

func okpKey(o Object) (crypto.PublicKey, error) {
	if crv, err := o.String("crv"); err != nil || crv != "Ed25519" {
		return nil, fmt.Errorf("%w: unknown curve", ErrKey)
	}
	x, err := octets(o, "x")
	if err != nil {
		return nil, err
	}
	if len(x) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("%w: length of x", ErrKey)
	}
	return ed25519.PublicKey(x), nil
}

// matchesLeaf returns an error if there is a chain and its leaf certifies another key (RFC 7517 §4.7). It does not verify the
// chain.
func matchesLeaf(chain [][]byte, key crypto.PublicKey) error {
	if len(chain) == 0 {
		return nil
	}
	leaf, err := x509.ParseCertificate(chain[0])
	if err != nil {
		return fmt.Errorf("%w: x5c has no valid certificate", ErrKey)
	}
	if k, ok := key.(interface{ Equal(crypto.PublicKey) bool }); !ok || !k.Equal(leaf.PublicKey) {
		return fmt.Errorf("%w: x5c certifies another key", ErrKey)
	}
	return nil
}

// jwk has the members of a public key. Members of the thumbprint come first, in the order of RFC 7638 §3.3.
type jwk struct {
	Crv string   `json:"crv,omitempty"`
	E   string   `json:"e,omitempty"`
	Kty string   `json:"kty"`
	N   string   `json:"n,omitempty"`
	X   string   `json:"x,omitempty"`
	Y   string   `json:"y,omitempty"`
	Use string   `json:"use,omitempty"`
	KID string   `json:"kid,omitempty"`
	Alg string   `json:"alg,omitempty"`
	X5C [][]byte `json:"x5c,omitempty"`
}

func jwkOf(key crypto.PublicKey) (jwk, error) {
	switch key := key.(type) {
	case *rsa.PublicKey:
		e := big.NewInt(int64(key.E)).Bytes()
		return jwk{Kty: "RSA", N: base64url.EncodeToString(key.N.Bytes()), E: base64url.EncodeToString(e)}, nil
	case *ecdsa.PublicKey:
		point, err := key.Bytes()
		if err != nil {
			return jwk{}, fmt.Errorf("%w: %w", ErrKey, err)
		}
		half := (len(point) - 1) / 2 // after the octet 4, for an uncompressed point
		return jwk{
			Kty: "EC", Crv: key.Curve.Params().Name,
			X: base64url.EncodeToString(point[1 : 1+half]), Y: base64url.EncodeToString(point[1+half:]),
		}, nil
	case ed25519.PublicKey:
		return jwk{Kty: "OKP", Crv: "Ed25519", X: base64url.EncodeToString(key)}, nil
	}
	return jwk{}, fmt.Errorf("%w: %T", ErrKey, key)
}

// Thumbprint returns the SHA-256 thumbprint of a public key in base64url (RFC 7638).
func Thumbprint(key crypto.PublicKey) (string, error) {
	k, err := jwkOf(key)
	if err != nil {
		return "", err
	}
	return k.thumbprint(), nil
}

// thumbprint hashes the members of the key in the order of RFC 7638 §3.3. All are names or base64url, which JSON does not escape.
func (k jwk) thumbprint() string {
	var room [256]byte // a key that is not RSA fits
	text := room[:0]
	for _, m := range [...]struct{ name, value string }{{"crv", k.Crv}, {"e", k.E}, {"kty", k.Kty}, {"n", k.N}, {"x", k.X}, {"y", k.Y}} {
		if m.value != "" {
			text = append(append(append(append(append(text, `,"`...), m.name...), `":"`...), m.value...), '"')
		}
	}
	text[0] = '{'
	sum := sha256.Sum256(append(text, '}'))
	var out [43]byte
	base64url.Encode(out[:], sum[:])
	return string(out[:])
}

// MarshalJWK returns the JWK of a public signature key. It returns an error if the chain certifies another key.
func MarshalJWK(k PublicKey) ([]byte, error) {
	out, err := jwkOf(k.Key)
	if err != nil {
		return nil, err
	}
	if err := matchesLeaf(k.X5C, k.Key); err != nil {
		return nil, err
	}
	out.Use, out.KID, out.Alg, out.X5C = "sig", k.KID, k.Alg, k.X5C
	return json.Marshal(out)
}

// CertificateThumbprint returns the SHA-256 hash of a certificate in DER, in base64url: the value of x5t#S256 (RFC 7515 §4.1.8).
func CertificateThumbprint(der []byte) string {
	sum := sha256.Sum256(der)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
