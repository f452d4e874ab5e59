package helseidwalk

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"

	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/examples/internal/journey"
	"github.com/portner-go/portner/internal/standin/helseid"
)

// story is a sequence of requests of a client.
type story struct {
	Name, Title, Text string
	login             bool
	// play sends the requests. An error response ends the story.
	play func(context.Context, *walk, *tale) error
}

// stories returns the stories of the page.
func stories() []story {
	return []story{
		{
			Name: "person", Title: "Helsepersonell logger inn", Text: "Journalsystemet sender forespørselen på forhånd, personen logger inn, og tokenet bindes til systemets nøkkel.",
			login: true, play: playPerson,
		},
		{
			Name: "maskin", Title: "Et system henter et token", Text: "Et system handler for en virksomhet som har delegert til leverandøren. Ingen person er med.",
			play: playMachine,
		},
		{
			Name: "nei", Title: "En virksomhet som ikke har delegert", Text: "Samme system, en annen virksomhet. HelseID sier nei, og hvorfor.",
			play: playRefusal,
		},
		{
			Name: "veksling", Title: "Et API kaller et annet", Text: "API-et veksler tokenet det fikk, til et for neste API. Personen og virksomheten følger med.",
			login: true, play: playExchange,
		},
	}
}

// push pushes the authorization request of a login and returns where the browser goes.
func (w *walk) push(ctx context.Context, j *tale) (to, state string, err error) {
	state, j.nonce, j.verifier = rand.Text(), rand.Text(), rand.Text()+rand.Text()
	sum := sha256.Sum256([]byte(j.verifier))
	c := w.client(helseid.JournalApp)
	uri, err := c.Push(ctx, &j.Journal, journey.Call{
		Title: "Send forespørselen på forhånd (PAR)", Text: "Systemet sender forespørselen selv, signert med nøkkelen sin. Nettleseren får bare en henvisning til den.",
	}, url.Values{
		"response_type": {"code"}, "redirect_uri": {w.base + "/callback"}, "scope": {"openid profile offline_access " + helseid.IdentityAll + " " + helseid.ScopeHPR + " " + helseid.ScopeJournal},
		"state": {state}, "nonce": {j.nonce}, "code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
		"acr_values": {"Level4"},
	})
	if err != nil {
		return "", "", err
	}
	at, err := c.Discover(ctx)
	if err != nil {
		return "", "", err
	}
	q := url.Values{"client_id": {helseid.JournalApp}, "request_uri": {uri}}
	j.Steps = append(j.Steps, journey.Step{
		Title: "Send nettleseren til HelseID", Text: "Adressen har to parametre. Resten ligger hos HelseID allerede.", Status: http.StatusSeeOther,
		Request: "GET " + at.Authorize + "\n?" + journey.Parameters(q),
	})
	return at.Authorize + "?" + q.Encode(), state, nil
}

// Texts of the two token requests.
const (
	nonceTitle = "Be om et token, uten nonce"
	nonceText  = "Beviset viser at systemet har nøkkelen. HelseID krever at beviset inneholder en verdi som HelseID har laget (nonce), og svarer med den."
	retryTitle = "Be om et token igjen"
	retryText  = "Nå er verdien med i beviset. Tokenet bindes til nøkkelen: cnf er avtrykket av den."
)

func (w *walk) redeem(ctx context.Context, j *tale) (journey.Tokens, error) {
	return w.client(helseid.JournalApp).Token(ctx, &j.Journal,
		journey.Call{Title: nonceTitle, Text: nonceText}, journey.Call{Title: retryTitle, Text: retryText, Token: "Tokenet fra HelseID"},
		url.Values{
			"grant_type": {"authorization_code"}, "code": {j.code}, "redirect_uri": {w.base + "/callback"}, "code_verifier": {j.verifier},
		}, map[string]any{"assertion_details": Child(helseid.Ward)})
}

// Child returns the detail that names a child organisation of a single-tenant client.
func Child(orgno string) any { return Organisation("urn:oid:2.16.578.1.12.4.1.4.101", orgno) }

// Parent returns the detail that names the organisation for which a multi-tenant client acts.
func Parent(orgno string) any { return Organisation("urn:oid:1.0.6523", "NO:ORGNR:"+orgno+":") }

// Organisation returns the detail that names an organisation by an identifier of a system.
func Organisation(system, value string) any {
	return map[string]any{"type": "helseid_authorization", "practitioner_role": map[string]any{
		"organization": map[string]any{"identifier": map[string]any{"system": system, "type": "ENH", "value": value}},
	}}
}

func playPerson(ctx context.Context, w *walk, j *tale) error {
	t, err := w.redeem(ctx, j)
	if err != nil {
		return err
	}
	return w.useJournal(ctx, j, helseid.JournalApp, t.AccessToken)
}

func (w *walk) machineToken(ctx context.Context, j *tale, orgno string) (journey.Tokens, error) {
	return w.client(helseid.LabSystem).Token(ctx, &j.Journal,
		journey.Call{Title: nonceTitle, Text: nonceText}, journey.Call{Title: retryTitle, Text: retryText, Token: "Tokenet fra HelseID"},
		url.Values{"grant_type": {client.ClientCredentials}, "scope": {helseid.ScopeJournal}}, map[string]any{"assertion_details": Parent(orgno)})
}

func playMachine(ctx context.Context, w *walk, j *tale) error {
	t, err := w.machineToken(ctx, j, helseid.Customer)
	if err != nil {
		return err
	}
	return w.useJournal(ctx, j, helseid.LabSystem, t.AccessToken)
}

func playRefusal(ctx context.Context, w *walk, j *tale) error {
	_, err := w.machineToken(ctx, j, helseid.Ward)
	return err
}

// useJournal calls the health API three times: as a bearer token, without a proof, and with one.
func (w *walk) useJournal(ctx context.Context, j *tale, id, token string) error {
	for _, c := range []journey.Call{
		{Title: "Kall API-et som Bearer", Text: "Forespørselen skal avvises: tokenet er bundet til en nøkkel, og den som bare har tokenet, får ingenting.", Bearer: token},
		{Title: "Kall API-et uten bevis", Text: "Forespørselen skal avvises: det mangler et bevis for nøkkelen.", DPoP: token},
	} {
		c.To, c.Accept = w.api, "application/json"
		r, err := j.Send(ctx, w.http, c)
		if err != nil {
			return err
		}
		if r.Status != http.StatusUnauthorized {
			return journey.Refusal{Text: "API-et skulle ha sagt nei"}
		}
	}
	r, err := w.client(id).Call(ctx, &j.Journal, journey.Call{
		Title: "Kall API-et med bevis", Text: "Beviset gjelder denne metoden, denne adressen og dette tokenet, og brukes én gang.", To: w.api,
	}, token)
	if err == nil && r.Status != http.StatusOK {
		err = journey.Said(r)
	}
	return err
}

func playExchange(ctx context.Context, w *walk, j *tale) error {
	t, err := w.redeem(ctx, j)
	if err != nil {
		return err
	}
	_, err = w.client(helseid.JournalAPI).Token(ctx, &j.Journal,
		journey.Call{Title: "Veksle tokenet, uten nonce", Text: "API-et viser hvem det er med sin egen nøkkel. " + nonceText},
		journey.Call{Title: "Veksle tokenet", Text: "Det nye tokenet er til neste API og bundet til API-ets nøkkel. act sier hvem som handler.", Token: "Tokenet til neste API"},
		url.Values{
			"grant_type": {helseid.ExchangeFor}, "subject_token": {t.AccessToken}, "subject_token_type": {"urn:ietf:params:oauth:token-type:access_token"},
			"scope": {helseid.ScopeSummary},
		}, nil)
	return err
}
