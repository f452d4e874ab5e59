package main

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
	demoOrg      = "991825827"
	demoCustomer = "910753614"
	demoOwner    = "974761076"

	demoClient      = "eksempel-maskin"
	demoCertificate = "eksempel-sertifikat"
	demoKID         = "eksempel"
	demoScope       = "eksempel:data.read"
	demoDelegated   = "eksempel:delegert.read"
	demoAltinn      = "altinn:serviceowner"

	// delegationSource is the delegation source of the scopes, as in Maskinporten's test environment.
	delegationSource = "https://tt02.altinn.no/"
)

// demoKeyPEM is the private key of the built-in client. It is public: do not register it with another server.
//
//go:embed demo.key.pem
var demoKeyPEM []byte

func demoKey() *rsa.PrivateKey {
	block, _ := pem.Decode(demoKeyPEM)
	key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	if err != nil {
		panic(err) // the file is part of the program
	}
	return key
}

// demoJWKS returns the public key for the registration.
func demoJWKS() json.RawMessage {
	pub := demoKey().PublicKey
	b64 := base64.RawURLEncoding.EncodeToString
	return encoded(map[string]any{"keys": []any{map[string]string{
		"kty": "RSA", "use": "sig", "alg": "RS256", "kid": demoKID,
		"n": b64(pub.N.Bytes()), "e": b64(big.NewInt(int64(pub.E)).Bytes()),
	}}})
}

func builtin() config {
	scopes := []string{demoScope, demoDelegated, demoAltinn, scope.Authorizations}
	return config{
		Organisations: []organisation{
			{demoOrg, "Eksempelvirksomheten"}, {demoCustomer, "Kunden"}, {demoOwner, "API-tilbyderen"},
		},
		Common: standin.Common{
			Clients: []standin.ClientEntry{
				{Client: client.Client{ClientID: demoClient, ClientName: "Eksempel med nøkkel", OrganisationNo: demoOrg, Scopes: scopes, JWKS: demoJWKS()}},
				{Client: client.Client{ClientID: demoCertificate, ClientName: "Eksempel med virksomhetssertifikat", OrganisationNo: demoOrg, Scopes: scopes}},
			},
			Scopes: append(scope.IDPortenScopes()[:1], []scope.Scope{ // for support staff at ID-porten's authorizations API
				{Name: demoScope, OwnerOrgno: demoOwner, Description: "Lese eksempeldata"},
				{Name: demoDelegated, OwnerOrgno: demoOwner, Description: "Lese eksempeldata for andre", DelegationSource: delegationSource},
				{Name: demoAltinn, OwnerOrgno: demoOwner, Description: "Tjenesteeier i Altinn", AccessibleForAll: true, DelegationSource: delegationSource},
			}...),
			ScopeAccess: []scope.Access{
				{Scope: demoScope, ConsumerOrgno: demoOrg, State: scope.Approved},
				{Scope: demoDelegated, ConsumerOrgno: demoOrg, State: scope.Approved},
				{Scope: demoDelegated, ConsumerOrgno: demoCustomer, State: scope.Approved},
			},
		},
		Delegations: []delegation{{demoCustomer, demoOrg, []string{demoDelegated, demoAltinn}}},
		SystemUsers: []systemUser{{
			ID: "a545feee-38a1-45f5-b5b8-4f4b3bd2a4e0", System: demoOrg + "_eksempel", ClientIDs: []string{demoClient, demoCertificate},
			Vendor: demoOrg, Customer: demoCustomer,
		}},
		Consents: []consent{{
			ID: "1b2f6c3e-0d6a-4a55-9a4e-0d8c1c3a7d11", From: "urn:altinn:person:identifier-no:21879498012", To: demoOrg,
			Consented: time.Date(2026, 1, 2, 9, 0, 0, 0, time.UTC), ValidTo: time.Date(2036, 1, 1, 0, 0, 0, 0, time.UTC),
			Rights: []consentRight{{
				Action: []string{"consent"}, Resource: []consentResource{{"urn:altinn:resource", "eksempel-inntekt"}},
			}},
		}},
	}
}
