package admin

import (
	"net/http"
	"slices"

	"github.com/portner-go/portner/internal/httpx"
)

// languageCookie is that of the login pages (authorize.LanguageCookie).
const languageCookie = httpx.LanguageCookie

// texts are the texts of the pages in one language.
type texts struct {
	Lang, LangName, LangLabel, SkipToMain     string
	Title, Lead, Back                         string
	Lists                                     map[string]string
	New, Edit, Save, Remove, Deactivate       string
	Saved, Removed, Inactive, Empty           string
	NotSaved                                  string
	Rest, RestHint, SecretHint, SecretNewHint string
	Shown, ShownHint                          string
	LinesHint, DefaultOption                  string
	Refusals, RefusalsLead, NoRefusals        string
	Received, Expected, Parameter, Client     string
	Property, Reference, Time                 string
	Fix, Register, AddedBelow, Why            string
	Keys, Phase, Algorithm                    string
	Sessions, SessionsLead, NoSessions        string
	Ends, End, Level, Clients                 string
	Authorizations, NoAuthorizations, Revoke  string
	Changed, Discard, DiscardHint             string
	Labels                                    map[string]string
}

// languages are the languages of the pages, the default first.
var languages = []string{"nb", "en"}

// textsOf returns the texts in the language of a request. Nynorsk and Northern Sami readers get bokmål.
func textsOf(r *http.Request) texts {
	lang := languages[0]
	if c, err := r.Cookie(languageCookie); err == nil && c.Value == "en" {
		lang = "en"
	}
	return allTexts[lang]
}

// label returns what a member is.
func (t texts) label(member string) string { return t.Labels[member] }

// listName returns the name of a list.
func (t texts) listName(member string) string { return t.Lists[member] }

// hasTexts reports whether every language has texts for a list and its fields.
func hasTexts(l List) bool {
	for _, t := range allTexts {
		missing := func(f Field) bool { return t.label(f.Member) == "" }
		if t.listName(l.Member) == "" || slices.ContainsFunc(l.Fields, missing) {
			return false
		}
	}
	return true
}

var allTexts = map[string]texts{
	"nb": {
		Lang: "nb", LangName: "Bokmål", LangLabel: "Språk", SkipToMain: "Hopp til innholdet",
		Title: "Administrasjon", Lead: "Endringer gjelder straks. De ligger i lageret, ikke i konfigurasjonsfilen.", Back: "Til oversikten",
		Lists: map[string]string{
			"clients": "Klienter", "scopes": "Scope", "scope_access": "Tilgang til scope", "users": "Brukere", "delegations": "Delegeringer",
			"system_users": "Systembrukere", "consents": "Samtykker", "organisations": "Organisasjoner", "apis": "API-er", "mandates": "Fullmakter",
			"parties": "Parter", "systems": "Systemer",
		},
		New: "Ny", Edit: "Endre", Save: "Lagre", Remove: "Fjern", Deactivate: "Deaktiver",
		Saved: "Lagret", Removed: "Fjernet", Inactive: "ikke aktiv", Empty: "Ingen ennå.", NotSaved: "Ikke lagret",
		Rest: "Andre egenskaper (JSON)", RestHint: "Alle egenskaper som ikke har et eget felt, med navnene fra konfigurasjonsfilen.",
		SecretHint: "La feltet stå tomt for å beholde verdien.", SecretNewHint: "La feltet stå tomt for å få en ny verdi, hvis klienten trenger en.",
		Shown: "Hemmeligheten vises bare denne ene gangen", ShownHint: "Kopier den nå.",
		LinesHint: "Én verdi på hver linje.", DefaultOption: "(standard)",
		Refusals: "Avviste forespørsler", RefusalsLead: "De siste tolv timene, nyeste først. Verdier som kan være hemmelige, vises ikke.", NoRefusals: "Ingen forespørsel er avvist.",
		Received: "Mottatt", Expected: "Forventet", Parameter: "Parameter", Client: "Klient", Property: "Egenskap", Reference: "Referanse", Time: "Tid",
		Fix: "Endre klienten", Register: "Registrer klienten", AddedBelow: "Verdien er lagt til nedenfor. Lagre for å godta den.", Why: "Hvorfor forespørselen ble avvist",
		Keys: "Signeringsnøkler", Phase: "Fase", Algorithm: "Algoritme",
		Sessions: "Innloggede økter", SessionsLead: "Øktene som denne prosessen har sett. De viser ikke hvem brukeren er.", NoSessions: "Ingen økter.",
		Ends: "Slutter", End: "Avslutt økten", Level: "Nivå", Clients: "Klienter",
		Authorizations: "Hva brukeren har godtatt", NoAuthorizations: "Brukeren har ikke godtatt noe.", Revoke: "Trekk tilbake",
		Changed: "endringer av konfigurasjonsfilen", Discard: "Forkast alle endringer", DiscardHint: "Da gjelder bare konfigurasjonsfilen.",
		Labels: map[string]string{
			"client_id": "Klient-ID", "client_name": "Navn", "client_orgno": "Organisasjonsnummer", "integration_type": "Integrasjonstype", "application_type": "Type applikasjon",
			"token_endpoint_auth_method": "Klientautentisering", "client_secret": "Klienthemmelighet", "redirect_uris": "Redirect-URI-er",
			"post_logout_redirect_uris": "Redirect-URI-er etter utlogging", "scopes": "Scope", "grant_types": "Grant types", "active": "Aktiv",
			"name": "Navn", "owner_orgno": "Eierens organisasjonsnummer", "description": "Beskrivelse", "allowed_integration_types": "Tillatte integrasjonstyper",
			"accessible_for_all": "Åpent for alle", "requires_user_consent": "Krever samtykke", "scope": "Scope", "consumer_orgno": "Konsumentens organisasjonsnummer", "state": "Status",
			"username": "Brukernavn", "password": "Passord", "pid": "Fødselsnummer (syntetisk)", "acr": "Nivå", "supplier_orgno": "Leverandørens organisasjonsnummer",
			"given_name": "Fornavn", "family_name": "Etternavn", "orgno": "Organisasjonsnummer", "org": "Kode for tjenesteeieren", "user_id": "Bruker-ID",
			"party_id": "Part-ID", "party_uuid": "Partens UUID", "id": "ID", "system_id": "System-ID", "vendor_orgno": "Leverandørens organisasjonsnummer",
			"customer_orgno": "Kundens organisasjonsnummer", "client_ids": "Klienter", "resources": "Ressurser", "from": "Hvem som gir samtykket", "to_orgno": "Mottakerens organisasjonsnummer",
			"valid_to": "Gjelder til", "claims": "Claims", "tenancy": "Tenancy", "children": "Underenheter", "parents": "Hovedenheter", "apis": "API-er", "hpr_number": "HPR-nummer",
		},
	},
	"en": {
		Lang: "en", LangName: "English", LangLabel: "Language", SkipToMain: "Skip to the content",
		Title: "Administration", Lead: "Changes apply at once. They are in the store, not in the configuration file.", Back: "To the overview",
		Lists: map[string]string{
			"clients": "Clients", "scopes": "Scopes", "scope_access": "Access to scopes", "users": "Users", "delegations": "Delegations",
			"system_users": "System users", "consents": "Consents", "organisations": "Organisations", "apis": "APIs", "mandates": "Mandates",
			"parties": "Parties", "systems": "Systems",
		},
		New: "New", Edit: "Edit", Save: "Save", Remove: "Remove", Deactivate: "Deactivate",
		Saved: "Saved", Removed: "Removed", Inactive: "not active", Empty: "None yet.", NotSaved: "Not saved",
		Rest: "Other properties (JSON)", RestHint: "Every property without a field of its own, with the names of the configuration file.",
		SecretHint: "Leave it empty to keep the value.", SecretNewHint: "Leave it empty for a new value, if the client needs one.",
		Shown: "The secret is shown this once", ShownHint: "Copy it now.",
		LinesHint: "One value on each line.", DefaultOption: "(default)",
		Refusals: "Rejected requests", RefusalsLead: "Of the last twelve hours, the newest first. Values that can be secret are not shown.", NoRefusals: "No request was rejected.",
		Received: "Received", Expected: "Expected", Parameter: "Parameter", Client: "Client", Property: "Property", Reference: "Reference", Time: "Time",
		Fix: "Change the client", Register: "Register the client", AddedBelow: "The value is added below. Save to accept it.", Why: "Why the request was rejected",
		Keys: "Signing keys", Phase: "Phase", Algorithm: "Algorithm",
		Sessions: "Sessions", SessionsLead: "The sessions that this process has seen. They do not show who the user is.", NoSessions: "No sessions.",
		Ends: "Ends", End: "End the session", Level: "Level", Clients: "Clients",
		Authorizations: "What the user authorized", NoAuthorizations: "The user authorized nothing.", Revoke: "Revoke",
		Changed: "changes of the configuration file", Discard: "Discard all changes", DiscardHint: "Then the configuration file applies alone.",
		Labels: map[string]string{
			"client_id": "Client ID", "client_name": "Name", "client_orgno": "Organisation number", "integration_type": "Integration type", "application_type": "Application type",
			"token_endpoint_auth_method": "Client authentication", "client_secret": "Client secret", "redirect_uris": "Redirect URIs",
			"post_logout_redirect_uris": "Redirect URIs after logout", "scopes": "Scopes", "grant_types": "Grant types", "active": "Active",
			"name": "Name", "owner_orgno": "Organisation number of the owner", "description": "Description", "allowed_integration_types": "Allowed integration types",
			"accessible_for_all": "Accessible for all", "requires_user_consent": "Requires consent", "scope": "Scope", "consumer_orgno": "Organisation number of the consumer", "state": "State",
			"username": "User name", "password": "Password", "pid": "National identity number (synthetic)", "acr": "Level", "supplier_orgno": "Organisation number of the supplier",
			"given_name": "Given name", "family_name": "Family name", "orgno": "Organisation number", "org": "Code of the service owner", "user_id": "User ID",
			"party_id": "Party ID", "party_uuid": "UUID of the party", "id": "ID", "system_id": "System ID", "vendor_orgno": "Organisation number of the vendor",
			"customer_orgno": "Organisation number of the customer", "client_ids": "Clients", "resources": "Resources", "from": "Giver of the consent", "to_orgno": "Organisation number of the receiver",
			"valid_to": "Valid to", "claims": "Claims", "tenancy": "Tenancy", "children": "Subunits", "parents": "Main units", "apis": "APIs", "hpr_number": "HPR number",
		},
	},
}
