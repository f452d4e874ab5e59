package helseid

import (
	"encoding/json"

	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/standin"
	"github.com/portner-go/portner/nhn/helseid"
)

// Organisations and clients of the walk-through. The organisations are public bodies; none of them has such a system.
const (
	Hospital   = "991825827" // owns the journal system
	Ward       = "987464291" // a child of the hospital
	Supplier   = "974761076" // operates the laboratory system
	Customer   = "910753614" // delegated to the supplier
	JournalApp = "journalsystem"
	LabSystem  = "labsystem"
	JournalAPI = "journal-api"

	AudienceJournal, ScopeJournal = "nhn:journal", "nhn:journal/read"
	audienceSummary, ScopeSummary = "nhn:kjernejournal", "nhn:kjernejournal/read"

	IdentityAll = "helseid://scopes/identity/all"
	ScopeHPR    = "helseid://scopes/hpr/hpr_number"
	ExchangeFor = "urn:ietf:params:oauth:grant-type:token-exchange"
)

// with returns c with the clients and APIs of the walk-through at base, and with its users if c has none.
func (c Config) with(base string, jwks json.RawMessage, d *standin.Administration) Config {
	keyed := func(id, name, orgno string, change func(*client.Client)) standin.ClientEntry {
		one := client.Client{
			ClientID: id, ClientName: name, OrganisationNo: orgno, TokenEndpointAuthMethod: client.PrivateKeyJWT, JWKS: jwks,
			DPoPBoundAccessTokens: true,
		}
		change(&one)
		return standin.ClientEntry{Client: one}
	}
	c.Common = c.With(standin.Common{Clients: []standin.ClientEntry{
		keyed(JournalApp, "Journalsystemet", Hospital, func(one *client.Client) {
			one.GrantTypes = []string{client.AuthorizationCode, client.RefreshToken}
			one.RedirectURIs, one.PostLogoutRedirectURIs = []string{base + "/callback"}, []string{base + "/"}
			one.Scopes = []string{"openid", "profile", "offline_access", IdentityAll, ScopeHPR, ScopeJournal}
		}),
		keyed(LabSystem, "Laboratoriesystemet", Supplier, func(one *client.Client) {
			one.GrantTypes, one.Scopes = []string{client.ClientCredentials}, []string{ScopeJournal}
		}),
		keyed(JournalAPI, "Journal-API-et", Hospital, func(one *client.Client) {
			one.GrantTypes, one.Scopes = []string{ExchangeFor}, []string{ScopeSummary}
		}),
	}})
	c.APIs = standin.Merged(c.APIs, []api{
		{AudienceJournal, []string{ScopeJournal}, APIClaims()}, {audienceSummary, []string{ScopeSummary}, APIClaims()},
	}, func(a api) string { return a.Name })
	c.Organisations = standin.Merged(c.Organisations, []registration{
		{ClientID: JournalApp, Tenancy: helseid.SingleTenant, Children: []string{Ward}},
		{ClientID: LabSystem, Tenancy: helseid.MultiTenant, Parents: []string{Customer}},
		{ClientID: JournalAPI, Tenancy: helseid.SingleTenant, APIs: []string{AudienceJournal}},
	}, func(r registration) string { return r.ClientID })
	c.Users = standin.WithUsers(d, c.Users, builtinUsers(), func(u user) string { return u.Username })
	return c
}

// APIClaims are the claims of the access tokens of the APIs.
func APIClaims() []string {
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
