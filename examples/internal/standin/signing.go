package standin

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/portner-go/portner/keyset"
)

// Signing are the members about the keys of a server. The keys are new at each start.
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

// Keys returns a key set with one new key for each algorithm. Unless the members say otherwise, keys have a certificate if certificates
// is true.
func (s Signing) Keys(issuer string, clients []ClientEntry, certificates bool, now time.Time) (*keyset.Set, error) {
	if s.KeyCertificates != nil {
		certificates = *s.KeyCertificates
	}
	cfg := keyset.Config{IncludeX5C: certificates}
	for _, alg := range s.used(clients) {
		k, err := keyset.Generate(alg)
		if err == nil && certificates {
			k.X5C, err = selfSigned(k, issuer, now)
		}
		if err != nil {
			return nil, err
		}
		cfg.Keys = append(cfg.Keys, k)
	}
	cfg.DefaultAlg = cfg.Keys[0].Alg
	return keyset.New(cfg)
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
