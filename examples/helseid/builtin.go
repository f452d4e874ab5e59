package main

import (
	"encoding/json"

	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/standin"
	"github.com/portner-go/portner/nhn/helseid"
)

// Organisations and clients of the walk-through. The organisations are public bodies; none of them has such a system.
const (
	hospital   = "991825827" // owns the journal system
	ward       = "987464291" // a child of the hospital
	supplier   = "974761076" // operates the laboratory system
	customer   = "910753614" // delegated to the supplier
	journalApp = "journalsystem"
	labSystem  = "labsystem"
	journalAPI = "journal-api"

	audienceJournal, scopeJournal = "nhn:journal", "nhn:journal/read"
	audienceSummary, scopeSummary = "nhn:kjernejournal", "nhn:kjernejournal/read"

	identityAll = "helseid://scopes/identity/all"
	scopeHPR    = "helseid://scopes/hpr/hpr_number"
	exchangeFor = "urn:ietf:params:oauth:grant-type:token-exchange"
)

// with returns c with the clients and APIs of the walk-through, and with its users if c has none.
func (c config) with(w *walk) config {
	keyed := func(id, name, orgno string, change func(*client.Client)) standin.ClientEntry {
		one := client.Client{
			ClientID: id, ClientName: name, OrganisationNo: orgno, TokenEndpointAuthMethod: client.PrivateKeyJWT, JWKS: w.jwks,
			DPoPBoundAccessTokens: true,
		}
		change(&one)
		return standin.ClientEntry{Client: one}
	}
	c.Clients = append(c.Clients,
		keyed(journalApp, "Journalsystemet", hospital, func(one *client.Client) {
			one.GrantTypes = []string{client.AuthorizationCode, client.RefreshToken}
			one.RedirectURIs, one.PostLogoutRedirectURIs = []string{w.base + "/callback"}, []string{w.base + "/"}
			one.Scopes = []string{"openid", "profile", "offline_access", identityAll, scopeHPR, scopeJournal}
		}),
		keyed(labSystem, "Laboratoriesystemet", supplier, func(one *client.Client) {
			one.GrantTypes, one.Scopes = []string{client.ClientCredentials}, []string{scopeJournal}
		}),
		keyed(journalAPI, "Journal-API-et", hospital, func(one *client.Client) {
			one.GrantTypes, one.Scopes = []string{exchangeFor}, []string{scopeSummary}
		}),
	)
	c.APIs = append(c.APIs,
		api{audienceJournal, []string{scopeJournal}, apiClaims()}, api{audienceSummary, []string{scopeSummary}, apiClaims()},
	)
	c.Organisations = append(c.Organisations,
		registration{ClientID: journalApp, Tenancy: helseid.SingleTenant, Children: []string{ward}},
		registration{ClientID: labSystem, Tenancy: helseid.MultiTenant, Parents: []string{customer}},
		registration{ClientID: journalAPI, Tenancy: helseid.SingleTenant, APIs: []string{audienceJournal}},
	)
	if len(c.Users) == 0 {
		c.Users = builtinUsers()
	}
	return c
}

// apiClaims are the claims of the access tokens of the APIs.
func apiClaims() []string {
	return []string{
		"helseid://claims/identity/pid", "helseid://claims/identity/security_level", "helseid://claims/hpr/hpr_number",
		"helseid://claims/client/client_name", "helseid://claims/client/client_tenancy", "helseid://claims/client/claims/orgnr_parent",
		"helseid://claims/client/claims/orgnr_child", "helseid://claims/client/claims/orgnr_supplier",
	}
}

// builtinUsers returns synthetic persons (month + 80) with synthetic numbers of health personnel: a doctor, a nurse whose login is on
// level 3, and a person who is no health personnel.
func builtinUsers() []user {
	doctor := json.RawMessage(`{"approvals":[{"profession":"LE","specialities":[]}]}`)
	return []user{
		{
			PID: "21879498012", Username: "kari", Password: "passord", GivenName: "Kari", FamilyName: "Testesen", HPRNumber: "565500001",
			HPRDetails: doctor, IDP: "idporten-oidc", AMR: []string{"BankID"}, Network: "helsenett",
		},
		{
			PID: "45840375084", Username: "ola", Password: "passord", GivenName: "Ola", MiddleName: "Test", FamilyName: "Prøvesen", HPRNumber: "565500002",
			SecurityLevel: "3", AssuranceLevel: "substantial", IDP: "idporten-oidc", AMR: []string{"Minid-OTC"},
		},
		{PID: "14838902562", Username: "liv", Password: "passord", GivenName: "Liv", FamilyName: "Lekmann", AMR: []string{"TestID"}},
	}
}
