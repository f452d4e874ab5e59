//go:build unix

package main

import (
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/examples/internal/demo"
	"github.com/portner-go/portner/scope"
)

// object is a JSON object of the configuration file.
type object = map[string]any

// secret is that of the clients of the demo. It is new at each start, because a secret in the source would be public.
var secret = client.GenerateSecret()

const (
	apiClient  = "demo-api"
	serviceOrg = "991825827"
	dataOrg    = "974761076"
	readIncome = "demo:inntekt.read"
)

// services returns the relying parties of the demo.
func services() []demo.ServiceConfig {
	login := demo.Story{Name: "login", Title: "Logg inn", Text: "Vanlig innlogging med openid og profile.", Scopes: []string{"openid", "profile"}}
	sharing := demo.Story{Name: "deling", Title: "Del opplysninger", Text: "Et samtykke, og et API som svarer.", Scopes: []string{"openid", "profile", readIncome}, API: "/inntekt"}
	return []demo.ServiceConfig{
		{Name: "Min tjeneste", Class: "first", ClientID: "min-tjeneste", Stories: []demo.Story{login, sharing}, Text: "Tre tjenere deler en database. Klikk mens de dør, én etter én."},
		{Name: "Annen tjeneste", Class: "second", ClientID: "annen-tjeneste", Stories: []demo.Story{login}, Text: "Er du innlogget et annet sted, kommer du rett inn her (SSO)."},
	}
}

// configuration returns the configuration file of every node.
func configuration(first, second string, opt options) object {
	service := func(id, name, base string, scopes ...string) object {
		return object{
			"client_id": id, "client_name": name, "client_secret": secret, "client_orgno": serviceOrg, "integration_type": "api_klient",
			"grant_types": []string{"authorization_code", "refresh_token"}, "redirect_uris": []string{base + "/callback"},
			"post_logout_redirect_uris": []string{base + "/loggedout"}, "frontchannel_logout_uri": base + "/frontchannel",
			"frontchannel_logout_session_required": true, "scopes": append([]string{"openid", "profile"}, scopes...),
		}
	}
	return object{
		"clients": append([]object{
			service("min-tjeneste", "Min tjeneste", first, readIncome), service("annen-tjeneste", "Annen tjeneste", second),
			{"client_id": apiClient, "client_name": "Datatilbyder", "client_secret": secret, "client_orgno": dataOrg, "integration_type": "api_klient", "scopes": []string{scope.Introspection}},
		}, opt.more...),
		"scopes": []object{{
			"name": readIncome, "owner_orgno": dataOrg, "requires_user_consent": true, "authorization_max_lifetime": 3600, "description": "Se inntekten din",
		}},
		"scope_access": []object{{"scope": readIncome, "consumer_orgno": serviceOrg, "state": "APPROVED"}},
		"users": append([]object{
			{"pid": "21879498012", "username": "kari", "password": "passord", "acr": "idporten-loa-high", "amr": []string{"BankID"}},
			{"pid": "45840375084", "username": "ola", "password": "passord"},
		}, opt.users...),
	}
}
