package maskinporten

import (
	"crypto/rsa"
	"crypto/x509"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"time"

	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/standin"
	"github.com/portner-go/portner/scope"
)

// The built-in configuration.
const (
	DemoOrg      = "991825827"
	DemoCustomer = "910753614"
	DemoOwner    = "974761076"

	DemoClient      = "eksempel-maskin"
	DemoCertificate = "eksempel-sertifikat"
	DemoKID         = "eksempel"
	DemoScope       = "eksempel:data.read"
	DemoDelegated   = "eksempel:delegert.read"
	DemoAltinn      = "altinn:serviceowner"

	// DelegationSource is the delegation source of the scopes, as in Maskinporten's test environment.
	DelegationSource = "https://tt02.altinn.no/"
)

// The scopes of the contact register, and their owner.
const (
	registerOwner = "991825827"
	contacts      = "krr:global/kontaktinformasjon.read"
	digitalPost   = "krr:global/digitalpost.read"
)

// vendorScopes are the scopes with which a vendor registers its systems at Altinn and requests system users.
var vendorScopes = []string{
	"altinn:authentication/systemregister.write", "altinn:authentication/systemuser.request.write", "altinn:authentication/systemuser.request.read",
}

// demoKeyPEM is the private key of the built-in client. It is public: do not register it with another server.
//
//go:embed demo.key.pem
var demoKeyPEM []byte

// DemoKey returns the private key of the built-in client.
func DemoKey() *rsa.PrivateKey {
	block, _ := pem.Decode(demoKeyPEM)
	key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	if err != nil {
		panic(err) // the file is part of the program
	}
	return key
}

// DemoJWKS returns the public key for the registration.
func DemoJWKS() json.RawMessage {
	pub := DemoKey().PublicKey
	b64 := base64.RawURLEncoding.EncodeToString
	return encoded(map[string]any{"keys": []any{map[string]string{
		"kty": "RSA", "use": "sig", "alg": "RS256", "kid": DemoKID,
		"n": b64(pub.N.Bytes()), "e": b64(big.NewInt(int64(pub.E)).Bytes()),
	}}})
}

func builtin() Config {
	scopes := append([]string{DemoScope, DemoDelegated, DemoAltinn, scope.Authorizations, contacts, digitalPost}, vendorScopes...)
	c := Config{
		Organisations: []organisation{
			{DemoOrg, "Eksempelvirksomheten"}, {DemoCustomer, "Kunden"}, {DemoOwner, "API-tilbyderen"},
		},
		Common: standin.Common{
			Clients: []standin.ClientEntry{
				{Client: client.Client{ClientID: DemoClient, ClientName: "Eksempel med nøkkel", OrganisationNo: DemoOrg, Scopes: scopes, JWKS: DemoJWKS()}},
				{Client: client.Client{ClientID: DemoCertificate, ClientName: "Eksempel med virksomhetssertifikat", OrganisationNo: DemoOrg, Scopes: scopes}},
			},
			Scopes: append(scope.IDPortenScopes()[:1], []scope.Scope{ // for support staff at ID-porten's authorizations API
				{Name: DemoScope, OwnerOrgno: DemoOwner, Description: "Lese eksempeldata"},
				{Name: DemoDelegated, OwnerOrgno: DemoOwner, Description: "Lese eksempeldata for andre", DelegationSource: DelegationSource},
				{Name: contacts, OwnerOrgno: registerOwner, Description: "Kontaktinformasjon", AccessibleForAll: true},
				{Name: digitalPost, OwnerOrgno: registerOwner, Description: "Digital post", AccessibleForAll: true},
				{Name: DemoAltinn, OwnerOrgno: DemoOwner, Description: "Tjenesteeier i Altinn", AccessibleForAll: true, DelegationSource: DelegationSource},
			}...),
			ScopeAccess: []scope.Access{
				{Scope: DemoScope, ConsumerOrgno: DemoOrg, State: scope.Approved},
				{Scope: DemoDelegated, ConsumerOrgno: DemoOrg, State: scope.Approved},
				{Scope: DemoDelegated, ConsumerOrgno: DemoCustomer, State: scope.Approved},
			},
		},
		Delegations: []delegation{{DemoCustomer, DemoOrg, []string{DemoDelegated, DemoAltinn}}},
		SystemUsers: []systemUser{{
			ID: "a545feee-38a1-45f5-b5b8-4f4b3bd2a4e0", System: DemoOrg + "_eksempel", ClientIDs: []string{DemoClient, DemoCertificate},
			Vendor: DemoOrg, Customer: DemoCustomer,
		}},
		Consents: []consent{{
			ID: "1b2f6c3e-0d6a-4a55-9a4e-0d8c1c3a7d11", From: "urn:altinn:person:identifier-no:21879498012", To: DemoOrg,
			Consented: time.Date(2026, 1, 2, 9, 0, 0, 0, time.UTC), ValidTo: time.Date(2036, 1, 1, 0, 0, 0, 0, time.UTC),
			Rights: []consentRight{{
				Action: []string{"consent"}, Resource: []consentResource{{"urn:altinn:resource", "eksempel-inntekt"}},
			}},
		}},
	}
	for _, name := range vendorScopes {
		c.Scopes = append(c.Scopes, scope.Scope{Name: name, OwnerOrgno: DemoOwner, Description: "Systembrukere i Altinn", AccessibleForAll: true})
	}
	return c
}
