package main

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"time"

	"github.com/portner-go/portner/exchange"
)

// refusal is an error response.
type refusal struct{ text string }

// Error implements error.
func (r refusal) Error() string { return "refused: " + r.text }

// redeem redeems the code of a login.
func (w *walk) redeem(ctx context.Context, j *journey, text string) (string, error) {
	r, err := j.send(ctx, w.http, call{
		title: "Bytt koden i et token", text: text, to: j.login.issuer + "/token", basic: url.UserPassword(j.login.client, personSecret), token: j.login.tokens,
		form: url.Values{"grant_type": {"authorization_code"}, "code": {j.code}, "redirect_uri": {w.at.Page + "/callback"}, "code_verifier": {j.verifier}},
	})
	return accessToken(r, err)
}

// sign sends a signed grant to Maskinporten.
func (w *walk) sign(ctx context.Context, j *journey, client, text string, claims object) (string, error) {
	assertion, err := w.machine.grant(client, w.at.Maskinporten, time.Now(), claims)
	if err != nil {
		return "", err
	}
	r, err := j.send(ctx, w.http, call{
		title: "Be Maskinporten om et token", text: text, to: w.at.Maskinporten + "token", token: "Tokenet fra Maskinporten",
		form: url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {assertion}},
	})
	return accessToken(r, err)
}

// exchange exchanges a token at Altinn.
func (w *walk) exchange(ctx context.Context, j *journey, provider, text, token string) (string, error) {
	r, err := j.send(ctx, w.http, call{
		title: "Veksle til et Altinn-token", text: text, to: w.at.Altinn + "/authentication/api/v1/exchange/" + provider, bearer: token,
		token: "Tokenet fra Altinn",
	})
	if err == nil && r.status != http.StatusOK {
		err = said(r)
	}
	return findToken(r.body), err
}

// swap exchanges a token at ID-porten (RFC 8693). c has the texts, and more has further parameters.
func (w *walk) swap(ctx context.Context, j *journey, client, subject string, c call, more url.Values) (string, error) {
	c.to, c.basic = w.at.IDPorten+"/token", url.UserPassword(client, personSecret)
	c.form = url.Values{
		"grant_type": {exchange.GrantType}, "subject_token": {subject}, "subject_token_type": {exchange.AccessToken}, "scope": {scopePay},
	}
	maps.Copy(c.form, more)
	return accessToken(j.send(ctx, w.http, c))
}

// rejected calls an API with a token that it must reject.
func (w *walk) rejected(ctx context.Context, j *journey, title, text, to, token string) error {
	r, err := j.send(ctx, w.http, call{title: title, text: text, to: to, bearer: token, accept: "application/json"})
	if err == nil && r.status != http.StatusUnauthorized {
		err = refusal{"API-et skulle ha sagt nei"}
	}
	return err
}

// use calls an API with a token.
func (w *walk) use(ctx context.Context, j *journey, title, text, to, token string) error {
	r, err := j.send(ctx, w.http, call{title: title, text: text, to: to, bearer: token, accept: "application/json"})
	if err == nil && r.status != http.StatusOK {
		err = said(r)
	}
	return err
}

func accessToken(r reply, err error) (string, error) {
	if err == nil && r.status != http.StatusOK {
		err = said(r)
	}
	return findToken(r.body), err
}

// said returns the error of a response.
func said(r reply) error {
	var e struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	_ = json.Unmarshal(r.body, &e)
	switch {
	case e.Error != "":
		return refusal{e.Error + ": " + e.Description}
	case len(r.body) > 0:
		return refusal{pretty(r.body)}
	}
	return refusal{http.StatusText(r.status)}
}

// atAltinn exchanges a token and calls an API with the new one.
func (w *walk) atAltinn(ctx context.Context, j *journey, provider, text, api, token string) error {
	exchanged, err := w.exchange(ctx, j, provider, text, token)
	if err != nil {
		return err
	}
	return w.use(ctx, j, "Kall API-et", "API-et godtar bare tokener fra Altinn, og svarer om den tokenet gjelder.", w.at.Altinn+api, exchanged)
}
