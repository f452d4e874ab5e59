package landscape

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/url"

	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/dpop"
	"github.com/portner-go/portner/examples/internal/journey"
	"github.com/portner-go/portner/resource"
	"github.com/portner-go/portner/storage/memory"
)

const (
	audienceJournal = "nhn:journal"
	claimParent     = "helseid://claims/client/claims/orgnr_parent"
)

// newJournal returns the health API of the page. It accepts tokens of HelseID that are bound to a key, with a proof.
func newJournal(at addresses, hc *http.Client, log *slog.Logger) (http.Handler, error) {
	v, err := resource.New(resource.Config{
		Issuer: at.HelseID, Keys: resource.RemoteKeys{URI: at.HelseID + "/.well-known/openid-configuration/jwks", HTTP: hc}, URL: at.journalAPI(),
		Audience: []string{audienceJournal}, RequireAudience: true, AllowNoSubject: true, DPoP: &dpop.Policy{Replay: memory.New()}, Realm: "journal", Logger: log,
	})
	if err != nil {
		return nil, err
	}
	rules := resource.Rules{Scopes: []string{scopeJournal}, SenderConstrained: true}
	return v.Protect(rules, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var orgno string
		text, _ := resource.FromContext(r.Context()).Claim(claimParent)
		_ = json.Unmarshal(text, &orgno)
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]string{"virksomhet": orgno, "prover": "3 nye svar"})
	})), nil
}

// playHealth gets a token that is bound to a key, and calls the health API as a bearer, without a proof, and with one.
func playHealth(ctx context.Context, w *walk, j *tale) error {
	c := &journey.Client{Issuer: w.at.HelseID, ID: healthClient, Key: w.machine.health, HTTP: w.http}
	t, err := c.Token(ctx, &j.Journal, journey.Call{
		Title: "Be HelseID om et token", Text: "Systemet viser hvem det er, og at det har nøkkelen. HelseID krever at beviset inneholder en verdi som HelseID har laget (nonce), og svarer med den.",
	}, journey.Call{
		Title: "Be HelseID om et token igjen", Text: "Nå er verdien med i beviset. Tokenet bindes til nøkkelen: cnf er avtrykket av den.", Token: "Tokenet fra HelseID",
	}, url.Values{"grant_type": {client.ClientCredentials}, "scope": {scopeJournal}}, object{"assertion_details": object{
		"type": "helseid_authorization", "practitioner_role": object{"organization": object{"identifier": object{
			"system": "urn:oid:1.0.6523", "type": "ENH", "value": "NO:ORGNR:" + customerOrg + ":",
		}}},
	}})
	if err != nil {
		return err
	}
	if err := w.rejected(ctx, j, "Kall API-et som Bearer", "Forespørselen skal avvises: den som bare har tokenet, får ingenting.", w.at.journalAPI(), t.AccessToken); err != nil {
		return err
	}
	r, err := c.Call(ctx, &j.Journal, journey.Call{
		Title: "Kall API-et med bevis", Text: "Beviset gjelder denne metoden, denne adressen og dette tokenet, og brukes én gang.", To: w.at.journalAPI(),
	}, t.AccessToken)
	if err == nil && r.Status != http.StatusOK {
		err = journey.Said(r)
	}
	return err
}
