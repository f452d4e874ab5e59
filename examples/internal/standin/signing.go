package standin

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/portner-go/portner/keyset"
)

// Signing are the members about the keys of a server.
type Signing struct {
	// Algorithms are those of the keys. The first one signs tokens whose client registered none. If empty, there is a key for RS256 and
	// for each algorithm that a client registered.
	Algorithms []string `json:"signing_algorithms,omitempty"`
	// KeyCertificates adds a self-signed certificate to each key: as x5c of the JWKS and of the header of every token.
	KeyCertificates *bool `json:"key_certificates,omitempty"`
}

var algorithms = []string{keyset.RS256, keyset.PS256, keyset.ES256, keyset.EdDSA}

// CheckSigning records the problems of the members, and clients whose algorithm has no key.
func (s Signing) CheckSigning(p *Problems, clients []ClientEntry) {
	for i, alg := range s.Algorithms {
		at := fmt.Sprintf("signing_algorithms[%d]", i)
		if !slices.Contains(algorithms, alg) {
			p.Add(at, "%q is none of %s", alg, strings.Join(algorithms, ", "))
		} else if slices.Index(s.Algorithms, alg) != i {
			p.Add(at, "%q occurs twice", alg)
		}
	}
	for i, c := range clients {
		for member, alg := range map[string]string{
			"id_token_signed_response_alg": c.IDTokenSignedResponseAlg, "access_token_signed_response_alg": c.AccessTokenSignedResponseAlg,
		} {
			if alg != "" && len(s.Algorithms) > 0 && !slices.Contains(s.Algorithms, alg) {
				p.Add(fmt.Sprintf("clients[%d].%s", i, member), "must be one of signing_algorithms")
			}
		}
	}
}

// Keeps records the members that a running server cannot change.
func (s Signing) Keeps(p *Problems, old Signing) {
	NeedsRestart(p, !slices.Equal(s.Algorithms, old.Algorithms), "signing_algorithms")
	NeedsRestart(p, !reflect.DeepEqual(s.KeyCertificates, old.KeyCertificates), "key_certificates")
}

// Keys are the signing keys of a server.
type Keys struct {
	Set *keyset.Set

	issuer       string
	certificates bool
	mu           sync.Mutex
	all          []keyset.Key
}

// Keys returns one new key for each algorithm. Unless the members say otherwise, keys have a certificate if certificates is true.
func (s Signing) Keys(_ context.Context, _ *State, issuer string, clients []ClientEntry, certificates bool, now time.Time) (*Keys, error) {
	if s.KeyCertificates != nil {
		certificates = *s.KeyCertificates
	}
	k := &Keys{issuer: issuer, certificates: certificates}
	algs := s.used(clients)
	if err := k.generate(algs, now); err != nil {
		return nil, err
	}
	var err error
	k.Set, err = keyset.New(keyset.Config{Keys: k.all, DefaultAlg: algs[0], IncludeX5C: certificates})
	return k, err
}

// Ready reports whether a key signs.
func (k *Keys) Ready() bool { return len(k.Set.Algs(time.Now())) > 0 }

// Extend makes keys for the algorithms of further clients. Every other key stays.
func (k *Keys) Extend(s Signing, clients []ClientEntry, now time.Time) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	before := len(k.all)
	if err := k.generate(s.used(clients), now); err != nil || len(k.all) == before {
		return err
	}
	return k.Set.Replace(k.all)
}

// generate makes the keys of algorithms that have none.
func (k *Keys) generate(algs []string, now time.Time) error {
	for _, alg := range algs {
		if slices.ContainsFunc(k.all, func(have keyset.Key) bool { return have.Alg == alg }) {
			continue
		}
		made, err := keyset.Generate(alg)
		if err == nil && k.certificates {
			made.X5C, err = selfSigned(made, k.issuer, now)
		}
		if err != nil {
			return err
		}
		k.all = append(k.all, made)
	}
	return nil
}

// used returns the algorithms of the keys, the default first.
func (s Signing) used(clients []ClientEntry) []string {
	if len(s.Algorithms) > 0 {
		return s.Algorithms
	}
	used := []string{keyset.RS256} // which every OpenID provider supports (OIDC Discovery §3)
	for _, c := range clients {
		for _, alg := range [...]string{c.IDTokenSignedResponseAlg, c.AccessTokenSignedResponseAlg} {
			if alg != "" && !slices.Contains(used, alg) {
				used = append(used, alg)
			}
		}
	}
	return used
}

// selfSigned returns a certificate of a key, as in the headers of ID-porten's test environments.
func selfSigned(k keyset.Key, issuer string, now time.Time) ([][]byte, error) {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: "portner test", OrganizationalUnit: []string{issuer}},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(1, 0, 0), KeyUsage: x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, k.Signer.Public(), k.Signer)
	if err != nil {
		return nil, fmt.Errorf("a certificate for the key of %s: %w", k.Alg, err)
	}
	return [][]byte{der}, nil
}
