package landscape

import (
	"path/filepath"

	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/examples/internal/demo"
	"github.com/portner-go/portner/examples/internal/programs"
	"github.com/portner-go/portner/exchange"
)

// object is a JSON object of a configuration file or a grant.
type object = map[string]any

// Organisations of the stories.
const (
	vendorOrg   = "991825827" // vendor of the systems, owner of the clients, and a service owner
	customerOrg = "910753614" // delegated to the vendor
	strangerOrg = "987464291" // delegated nothing
	altinnOrg   = "974761076" // owner of the scopes
)

// personSecret is the secret of the clients of ID-porten and Ansattporten. It is new at each start.
var personSecret = client.GenerateSecret()

// Clients and scopes of the stories.
const (
	personClient   = "regnskapssystemet"
	employeeClient = "ansattsystemet"
	payClient      = "lonnssiden"     // users log in to it
	backendClient  = "lonnsmotoren"   // the backend of payClient, run by the vendor
	certClient     = "tjenesteeieren" // signs with the business certificate
	keyClient      = "regnskap"       // signs with a registered key
	healthClient   = "labsystemet"    // of the vendor, at HelseID; proves its key

	scopeInstances = "altinn:instances.meta"
	scopeOwner     = "altinn:serviceowner"
	scopeDelegated = "altinn:instances.read"
	scopePay       = "lonn:lonnsslipp.read"
	scopeJournal   = "nhn:journal/read"
	scopeRegister  = "krr:global/kontaktinformasjon.read"

	// Paths of the API.
	apiInstances, apiOwner = "/api/instanser", "/api/tjenesteeier"

	// delegationSource is the delegation source of the scopes, as in the test environment.
	delegationSource = "https://tt02.altinn.no/"
)

// servers lists the programs in the order of their start.
var servers = []string{"idporten", "ansattporten", "maskinporten", "altinn", "helseid", "krr"}

// configure writes the configuration files and returns the servers in the order of their start.
func (l *landscape) configure() ([]part, error) {
	files := map[string]object{
		"idporten": idportenConfig(l.at), "ansattporten": ansattportenConfig(l.at), "maskinporten": maskinportenConfig(l.at, l.machine, l.testCA()),
		"altinn": altinnConfig(l.at), "helseid": helseidConfig(l.machine), "krr": krrConfig(l.at),
	}
	paths := map[string]string{}
	for name, content := range files {
		path, err := l.write(name, content)
		if err != nil {
			return nil, err
		}
		paths[name] = path
	}
	parts := l.describe()
	for i := range parts {
		p := &parts[i]
		p.args = append([]string{"-addr", listenAt(p.at), "-config", paths[p.name]}, p.args...)
		if !p.command.Stateless {
			p.admin = l.at.administration(p.at)
		}
	}
	return parts, nil
}

// describe returns the servers without their addresses and configurations.
func (l *landscape) describe() []part {
	at := l.at
	return []part{
		{
			name: "idporten", command: programs.IDPorten().Command(), about: "users log in", at: at.IDPorten,
			args: []string{"-demo", "-machine-issuer", at.Maskinporten},
		},
		{
			name: "ansattporten", command: programs.Ansattporten().Command(), about: "users log in for an organisation", at: at.Ansattporten,
			args: []string{"-demo"},
		},
		{
			name: "maskinporten", command: programs.Maskinporten().Command(), about: "machines get tokens", at: at.Maskinporten,
		},
		{
			name: "altinn", command: programs.Altinn().Command(), about: "tokens are exchanged; APIs", at: at.Altinn,
		},
		{
			name: "helseid", command: programs.HelseID().Command(), about: "health: tokens that are bound to a key", at: at.HelseID,
		},
		{
			name: "krr", command: programs.KRR().Command(), about: "the contact register", at: at.KRR,
		},
	}
}

// altinnIssuer returns the iss of Altinn's tokens.
func (at addresses) altinnIssuer() string { return at.Altinn + "/authentication/api/v1/openid/" }

// payAPI returns the URL of the salary API of the page. It is the aud of its tokens.
func (at addresses) payAPI() string { return at.Page + "/api/lonn" }

// journalAPI returns the URL of the health API of the page.
func (at addresses) journalAPI() string { return at.Page + "/api/journal" }

// helseidConfig returns the configuration of HelseID: a system of the vendor that acts for the customer, an API, and the users of the other
// servers.
func helseidConfig(m *machine) object {
	return object{
		"clients": []object{{
			"client_id": healthClient, "client_name": "Labsystemet", "client_orgno": vendorOrg, "token_endpoint_auth_method": client.PrivateKeyJWT,
			"grant_types": []string{client.ClientCredentials}, "scopes": []string{scopeJournal}, "jwks": m.healthJWKS,
		}},
		"apis": []object{{"name": audienceJournal, "scopes": []string{scopeJournal}, "claims": []string{
			claimParent, "helseid://claims/client/claims/orgnr_supplier", "helseid://claims/client/client_tenancy",
		}}},
		"organisations": []object{{"client_id": healthClient, "tenancy": "multi-tenant", "parents": []string{customerOrg}}},
		"users": []object{
			{"pid": "21879498012", "username": "kari", "password": "passord", "given_name": "Kari", "family_name": "Testesen", "hpr_number": "565500001"},
			{"pid": "45840375084", "username": "ola", "password": "passord", "given_name": "Ola", "family_name": "Prøvesen", "security_level": "3"},
		},
	}
}

// krrConfig returns the configuration of the contact register. Its persons are the built-in ones.
func krrConfig(at addresses) object {
	return object{"idporten": []object{{"issuer": at.IDPorten}}, "maskinporten": []object{{"issuer": at.Maskinporten}}}
}

// altinnConfig returns the configuration of Altinn.
func altinnConfig(at addresses) object {
	return object{
		"idporten":      object{"issuers": []object{{"issuer": at.IDPorten}}},
		"maskinporten":  object{"issuers": []object{{"issuer": at.Maskinporten}}},
		"organisations": []object{{"orgno": vendorOrg, "org": "digdir", "name": "Tjenesteeieren"}},
		"systems": []object{{
			"system_id": vendorOrg + "_regnskap", "vendor_orgno": vendorOrg, "name": "Regnskapssystemet", "client_ids": []string{keyClient},
			"resources": []string{"eksempel-mva"},
		}},
		"system_users": []object{{
			"id": "5f0a4cbd-2c24-4f3b-9d0e-6c1f1d8a4a11", "system_id": vendorOrg + "_regnskap", "customer_orgno": customerOrg,
		}},
	}
}

func idportenConfig(at addresses) object {
	return object{
		"old_level_names": true,
		"clients": []object{{
			"client_id": personClient, "client_secret": personSecret, "client_name": "Regnskapssystemet", "client_orgno": vendorOrg,
			"integration_type": "api_klient", "redirect_uris": []string{at.Page + "/callback"},
			"scopes": []string{"openid", "profile", scopeInstances, demo.ContactScope},
		}, {
			"client_id": payClient, "client_secret": personSecret, "client_name": "Lønnssiden", "client_orgno": customerOrg,
			"redirect_uris": []string{at.Page + "/callback"}, "grant_types": []string{"authorization_code", exchange.GrantType},
			"scopes": []string{"openid", scopePay},
		}, {
			"client_id": backendClient, "client_secret": personSecret, "client_name": "Lønnsmotoren", "client_orgno": vendorOrg,
			"grant_types": []string{exchange.GrantType}, "scopes": []string{scopePay},
		}},
		"scopes": []object{
			{"name": scopeInstances, "owner_orgno": altinnOrg, "description": "Se oversikten over skjemaene dine i Altinn"},
			{"name": scopePay, "owner_orgno": customerOrg, "accessible_for_all": true, "description": "Se lønnsslippene dine"},
		},
		"token_exchange": object{
			"actor_organisation": "organisasjonsnummer",
			"rules": []object{
				{"client": payClient, "subject_client": payClient, "may_act": object{"client_id": backendClient, "orgno": vendorOrg}},
				{"client": backendClient, "subject_client": payClient, "audience": []string{at.payAPI()}},
			},
		},
		"scope_access": []object{
			{"scope": scopeInstances, "consumer_orgno": vendorOrg, "state": "APPROVED"},
			{"scope": demo.ContactScope, "consumer_orgno": vendorOrg, "state": "APPROVED"},
		},
	}
}

func ansattportenConfig(at addresses) object {
	return object{"clients": []object{{
		"client_id": employeeClient, "client_secret": personSecret, "client_name": "Ansattsystemet", "client_orgno": vendorOrg,
		"integration_type": "ansattporten", "redirect_uris": []string{at.Page + "/callback"}, "scopes": []string{"openid", "profile"},
	}}}
}

func maskinportenConfig(at addresses, m *machine, ca string) object {
	scopeOf := func(name, description string) object {
		return object{"name": name, "owner_orgno": altinnOrg, "description": description, "delegation_source": delegationSource}
	}
	access := func(scope, orgno string) object {
		return object{"scope": scope, "consumer_orgno": orgno, "state": "APPROVED"}
	}
	return object{
		"organisations": []object{{"orgno": vendorOrg, "name": "Regnskapssystemet"}, {"orgno": customerOrg, "name": "Kunden"}},
		"clients": []object{
			{"client_id": certClient, "client_name": "Tjenesteeieren", "client_orgno": vendorOrg, "scopes": []string{scopeOwner}},
			{"client_id": keyClient, "client_name": "Regnskapssystemet", "client_orgno": vendorOrg, "scopes": []string{scopeDelegated, scopeRegister}, "jwks": m.jwks()},
		},
		"scopes": []object{scopeOf(scopeOwner, "Tjenesteeier i Altinn"), scopeOf(scopeDelegated, "Lese skjemaer i Altinn"), scopeOf(scopeRegister, "Slå opp i kontaktregisteret")},
		"scope_access": []object{
			access(scopeOwner, vendorOrg), access(scopeDelegated, vendorOrg), access(scopeDelegated, customerOrg), access(scopeDelegated, strangerOrg),
			access(scopeRegister, vendorOrg),
		},
		"delegations": []object{{"consumer_orgno": customerOrg, "supplier_orgno": vendorOrg, "scopes": []string{scopeDelegated}}},
		"altinn":      at.Altinn + "/", // looks system users up there
		"business_certificates": object{
			"roots": []string{filepath.Join(ca, "root.pem")}, "crls": []string{filepath.Join(ca, "crl.pem")},
		},
	}
}
