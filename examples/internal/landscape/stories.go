package landscape

import (
	"context"
	"net/http"
	"net/url"
	"slices"

	"github.com/portner-go/portner/examples/internal/journey"
)

// story is a sequence of requests from a login or a grant to an API.
type story struct {
	Name, Title, Text string
	// Expected reports that the last request is rejected.
	Expected bool
	// login is the login at the beginning; nil if there is none.
	login *login
	// play sends the requests. An error response ends the story.
	play func(context.Context, *walk, *tale) error
}

// allStories returns the stories of the page. Most exchange a token at Altinn and call its API.
func allStories(at addresses) []story {
	return append(slices.Concat(personStories(at), machineStories(at), otherStories(at)), healthStory())
}

func personStories(at addresses) []story {
	return []story{
		{
			Name: "person", Title: "En person til Altinn", Text: "En person logger inn for et API hos Altinn. Tjenesten veksler tokenet og kaller API-et.",
			login: &login{
				issuer: at.IDPorten, client: personClient, scope: scopeInstances, acr: "idporten-loa-substantial",
				title: "Be om innlogging", text: "Scopet er Altinns, og openid er ikke med: tjenesten ber om å bruke et API, ikke om et id_token.",
				tokens: "Tokenet fra ID-porten",
			},
			play: playPerson,
		},
	}
}

func otherStories(at addresses) []story {
	return []story{
		{
			Name: "ansatt", Title: "En ansatt for en virksomhet", Text: "En person logger inn i Ansattporten og velger hvilken virksomhet hun handler for.",
			login: &login{
				issuer: at.Ansattporten, client: employeeClient, scope: "openid",
				details: `[{"type":"ansattporten:altinn:service","resource":"urn:altinn:resource:2480:40"}]`,
				title:   "Be om innlogging", text: "authorization_details sier hvilken tjeneste i Altinn det gjelder. Personen velger blant virksomhetene hun kan bruke den for.",
				tokens: "Tokenet fra Ansattporten",
			},
			play: playEmployee,
		},
		{
			Name: "kontakt", Title: "Kontaktopplysninger", Text: "En person logger inn, og API-et svarer med det hun har oppgitt i kontaktregisteret.",
			login: &login{
				issuer: at.IDPorten, client: personClient, scope: "openid krr:user/kontaktinformasjon.read",
				title: "Be om innlogging", text: "Tjenesten sender nettleseren til ID-porten, som lar personen logge inn.",
				tokens: "Tokenet fra ID-porten",
			},
			play: playContacts,
		},
		{
			Name: "pavegne", Title: "På vegne av en person", Text: "En person logger inn i en tjeneste. Baksystemet veksler tokenet og kaller et annet API på vegne av personen.",
			login: &login{
				issuer: at.IDPorten, client: payClient, scope: "openid " + scopePay,
				title: "Be om innlogging", text: "Tjenesten sender nettleseren til ID-porten, som lar personen logge inn.",
				tokens: tokenOfLogin,
			},
			play: playOnBehalf,
		},
	}
}

func healthStory() story {
	return story{
		Name: "helse", Title: "Et system i helsesektoren", Text: "Systemet til en leverandør handler for en virksomhet. Tokenet er bundet til systemets nøkkel, og API-et krever bevis for nøkkelen.",
		play: playHealth,
	}
}

func playPerson(ctx context.Context, w *walk, j *tale) error {
	token, err := w.redeem(ctx, j, "Tjenesten viser hvem den er. Den får et access_token, og ikke noe id_token, for det ba den ikke om.")
	if err != nil {
		return err
	}
	return w.atAltinn(ctx, j, "id-porten", "Altinn sjekker signaturen og scopet, slår opp personen og gir et token som går ut samtidig med det første.", apiInstances, token)
}

func playContacts(ctx context.Context, w *walk, j *tale) error {
	token, err := w.redeem(ctx, j, "Tjenesten viser hvem den er, og får et token som gir tilgang til nettopp dette API-et.")
	if err != nil {
		return err
	}
	return w.use(ctx, j, "Kall API-et", "API-et sjekker signatur, utsteder og scope, og svarer om personen som logget inn.", w.at.KRR+"/rest/v1/person", token)
}

// Titles of tokens in the story of token exchange.
const (
	tokenOfLogin    = "Tokenet fra innloggingen"
	tokenForBackend = "Tokenet til baksystemet"
	tokenForPay     = "Tokenet til lønns-API-et"
)

// playOnBehalf exchanges the token of a login twice: the service names its backend in may_act, and the backend is named in act.
func playOnBehalf(ctx context.Context, w *walk, j *tale) error {
	original, err := w.redeem(ctx, j, "Tjenesten viser hvem den er, og får et token. Det er ikke til noe bestemt API.")
	if err != nil {
		return err
	}
	permitting, err := w.swap(ctx, j, payClient, original, journey.Call{
		Title: "Pek ut baksystemet", Token: tokenForBackend,
		Text: "Tjenesten veksler sitt eget token. I det nye sier may_act hvem som får handle for personen: baksystemet, som en leverandør driver.",
	}, nil)
	if err != nil {
		return err
	}
	acting, err := w.swap(ctx, j, backendClient, permitting, journey.Call{
		Title: "Veksle til et token for API-et", Token: tokenForPay,
		Text: "Baksystemet viser hvem det er, og veksler tokenet det fikk av tjenesten. pid er den samme, aud er API-et, og act er baksystemet.",
	}, url.Values{"audience": {w.at.payAPI()}})
	if err != nil {
		return err
	}
	if err := w.rejected(ctx, j, "Kall API-et med det første tokenet", "Forespørselen skal avvises: API-et godtar bare tokener som er til det selv.", w.at.payAPI(), original); err != nil {
		return err
	}
	return w.use(ctx, j, "Kall API-et med det nye tokenet", "API-et ser både hvem det gjelder og hvem som handler.", w.at.payAPI(), acting)
}

func playEmployee(ctx context.Context, w *walk, j *tale) error {
	_, err := w.redeem(ctx, j, "Hvem personen er, står i pid. Hvem hun handler for, står i authorization_details. Der, og bare der, skal et API lete.")
	return err
}

func machineStories(at addresses) []story {
	return []story{
		{
			Name: "maskin", Title: "En maskin til Altinn", Text: "En tjenesteeier signerer med virksomhetssertifikatet, veksler tokenet og kaller API-et. Ingen person er med.",
			play: machinePlay(certClient, "Forespørselen er et JWT som virksomheten signerer. Sertifikatet ligger i hodet og sier hvilken virksomhet det er.",
				object{"scope": scopeOwner, "resource": at.Altinn + "/"}, apiOwner),
		},
		{
			Name: "leverandor", Title: "En leverandør for en kunde", Text: "Kunden har delegert tilgangen i Altinn. Leverandøren bruker sitt eget system og kundens tilgang.",
			play: machinePlay(keyClient, "consumer_org er kunden. Maskinporten spør Altinn om kunden har delegert tilgangen, og nevner begge i tokenet.",
				object{"scope": scopeDelegated, "consumer_org": customerOrg}, apiInstances),
		},
		{
			Name: "nei", Title: "En leverandør uten delegering", Text: "Denne virksomheten har ikke delegert noe. Da får leverandøren heller ikke noe token.", Expected: true,
			play: machinePlay(keyClient, "Forespørselen er den samme, for en annen virksomhet. Maskinporten avviser den og sier hvorfor.",
				object{"scope": scopeDelegated, "consumer_org": strangerOrg}, apiInstances),
		},
		{
			Name: "systembruker", Title: "En systembruker", Text: "Kunden har gitt regnskapssystemet en systembruker med rettigheter i Altinn.",
			play: machinePlay(keyClient, "authorization_details sier hvilken kunde det gjelder. Tokenet sier hvilken systembruker det ble.", object{
				"scope": scopeDelegated,
				"authorization_details": []object{{
					"type": "urn:altinn:systemuser", "systemuser_org": object{"authority": "iso6523-actorid-upis", "ID": "0192:" + customerOrg},
				}},
			}, apiInstances),
		},
		{
			Name: "oppslag", Title: "Et oppslag i kontaktregisteret", Text: "En virksomhet slår opp to personer for å se hvem den kan varsle digitalt.",
			play: playLookup,
		},
	}
}

// playLookup looks persons up in the contact register.
func playLookup(ctx context.Context, w *walk, j *tale) error {
	token, err := w.sign(ctx, j, keyClient, "Scopet er registerets. Virksomheten har fått tilgang til det.", object{"scope": scopeRegister})
	if err != nil {
		return err
	}
	r, err := j.Send(ctx, w.http, journey.Call{
		Title: "Slå opp personene", Text: "Registeret svarer om hver av dem. Den som har reservert seg, kan ikke varsles digitalt.",
		To: w.at.KRR + "/rest/v1/personer", Bearer: token, JSON: `{"personidentifikatorer":["21879498012","45840375084"]}`,
	})
	if err == nil && r.Status != http.StatusOK {
		err = journey.Said(r)
	}
	return err
}

// machinePlay sends a grant, exchanges the token and calls an API.
func machinePlay(client, text string, claims object, api string) func(context.Context, *walk, *tale) error {
	return func(ctx context.Context, w *walk, j *tale) error {
		token, err := w.sign(ctx, j, client, text, claims)
		if err != nil {
			return err
		}
		return w.atAltinn(ctx, j, "maskinporten", "Altinn sjekker signaturen og utstederen, og legger til det den vet om virksomheten.", api, token)
	}
}
