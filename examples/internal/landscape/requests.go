package landscape

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"time"

	"github.com/portner-go/portner/examples/internal/journey"
	"github.com/portner-go/portner/exchange"
)

// redeem redeems the code of a login.
func (w *walk) redeem(ctx context.Context, j *tale, text string) (string, error) {
	r, err := j.Send(ctx, w.http, journey.Call{
		Title: "Bytt koden i et token", Text: text, To: j.login.issuer + "/token", Basic: url.UserPassword(j.login.client, personSecret), Token: j.login.tokens,
		Form: url.Values{"grant_type": {"authorization_code"}, "code": {j.code}, "redirect_uri": {w.at.Page + "/callback"}, "code_verifier": {j.verifier}},
	})
	return accessToken(r, err)
}

// sign sends a signed grant to Maskinporten.
func (w *walk) sign(ctx context.Context, j *tale, client, text string, claims object) (string, error) {
	assertion, err := w.machine.grant(client, w.at.Maskinporten, time.Now(), claims)
	if err != nil {
		return "", err
	}
	r, err := j.Send(ctx, w.http, journey.Call{
		Title: "Be Maskinporten om et token", Text: text, To: w.at.Maskinporten + "token", Token: "Tokenet fra Maskinporten",
		Form: url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {assertion}},
	})
	return accessToken(r, err)
}

// exchange exchanges a token at Altinn.
func (w *walk) exchange(ctx context.Context, j *tale, provider, text, token string) (string, error) {
	r, err := j.Send(ctx, w.http, journey.Call{
		Title: "Veksle til et Altinn-token", Text: text, To: w.at.Altinn + "/authentication/api/v1/exchange/" + provider, Bearer: token,
		Token: "Tokenet fra Altinn",
	})
	if err == nil && r.Status != http.StatusOK {
		err = journey.Said(r)
	}
	return journey.FindToken(r.Body), err
}

// swap exchanges a token at ID-porten (RFC 8693). c has the texts, and more has further parameters.
func (w *walk) swap(ctx context.Context, j *tale, client, subject string, c journey.Call, more url.Values) (string, error) {
	c.To, c.Basic = w.at.IDPorten+"/token", url.UserPassword(client, personSecret)
	c.Form = url.Values{
		"grant_type": {exchange.GrantType}, "subject_token": {subject}, "subject_token_type": {exchange.AccessToken}, "scope": {scopePay},
	}
	maps.Copy(c.Form, more)
	return accessToken(j.Send(ctx, w.http, c))
}

// rejected calls an API with a token that it must reject.
func (w *walk) rejected(ctx context.Context, j *tale, title, text, to, token string) error {
	r, err := j.Send(ctx, w.http, journey.Call{Title: title, Text: text, To: to, Bearer: token, Accept: "application/json"})
	if err == nil && r.Status != http.StatusUnauthorized {
		err = journey.Refusal{Text: "API-et skulle ha sagt nei"}
	}
	return err
}

// use calls an API with a token.
func (w *walk) use(ctx context.Context, j *tale, title, text, to, token string) error {
	r, err := j.Send(ctx, w.http, journey.Call{Title: title, Text: text, To: to, Bearer: token, Accept: "application/json"})
	if err == nil && r.Status != http.StatusOK {
		err = journey.Said(r)
	}
	return err
}

func accessToken(r journey.Reply, err error) (string, error) {
	if err == nil && r.Status != http.StatusOK {
		err = journey.Said(r)
	}
	return journey.FindToken(r.Body), err
}

// atAltinn exchanges a token and calls an API with the new one.
func (w *walk) atAltinn(ctx context.Context, j *tale, provider, text, api, token string) error {
	exchanged, err := w.exchange(ctx, j, provider, text, token)
	if err != nil {
		return err
	}
	return w.use(ctx, j, "Kall API-et", "API-et godtar bare tokener fra Altinn, og svarer om den tokenet gjelder.", w.at.Altinn+api, exchanged)
}
