package landscape

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/portner-go/portner/examples/internal/journey"
	"github.com/portner-go/portner/internal/testpki"
)

// machine holds the keys and certificates with which an organisation signs grants.
type machine struct {
	set *testpki.Set
	key *rsa.PrivateKey

	health     *ecdsa.PrivateKey // of the client of HelseID
	healthJWKS json.RawMessage
}

// newMachine generates a test authority and the business certificate of the vendor.
func newMachine(now time.Time) (*machine, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	set, err := testpki.NewSet(testpki.Options{
		Orgno: vendorOrg, Name: "REGNSKAPSSYSTEMET AS", OtherOrgno: customerOrg, OtherName: "KUNDEN AS", Now: now,
		NewKey: func() (crypto.Signer, error) { return key, nil },
	})
	if err != nil {
		return nil, err
	}
	health, err := journey.NewKey()
	if err != nil {
		return nil, err
	}
	jwks, err := journey.JWKS(health)
	return &machine{set, key, health, jwks}, err
}

// keyID is the kid of the registered key.
const keyID = "landskap-1"

// jwks returns the key set of the registration.
func (m *machine) jwks() any {
	return jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: m.key.Public(), KeyID: keyID, Algorithm: string(jose.RS256), Use: "sig"}}}
}

// grant returns an assertion signed with the business certificate or the registered key.
func (m *machine) grant(clientID, audience string, now time.Time, claims object) (string, error) {
	all := object{"aud": audience, "iss": clientID, "iat": now.Unix(), "exp": now.Add(2 * time.Minute).Unix(), "jti": rand.Text()}
	maps.Copy(all, claims)
	payload, err := json.Marshal(all)
	if err != nil {
		return "", err
	}
	header := (&jose.SignerOptions{}).WithHeader("x5c", m.chain())
	if clientID == keyClient {
		header = (&jose.SignerOptions{}).WithHeader("kid", keyID)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: m.key}, header)
	if err != nil {
		return "", fmt.Errorf("signing a grant: %w", err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("signing a grant: %w", err)
	}
	return signed.CompactSerialize()
}

// chain is x5c: standard base64, leaf first (RFC 7515 §4.1.6).
func (m *machine) chain() []string {
	var chain []string
	for _, c := range m.set.Chain(testpki.NameSEID2) {
		chain = append(chain, base64.StdEncoding.EncodeToString(c.Raw))
	}
	return chain
}
