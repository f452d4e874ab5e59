package main

import (
	"context"
	"encoding/json"
	"net/url"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/examples/internal/browsertest"
	"github.com/portner-go/portner/internal/slow"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/rar"
)

// payment is a type of authorization_details that the user approves on the consent page.
func payment() rar.Type {
	return rar.Type{
		Name: "betaling", Members: []string{"beløp", "til"},
		Describe: func(_ context.Context, _ rar.Request, details []rar.Detail) ([]rar.Text, error) {
			texts := make([]rar.Text, len(details))
			for i, d := range details {
				var of struct{ Beløp, Til string }
				if err := json.Unmarshal(d.JSON, &of); err != nil {
					return nil, err
				}
				texts[i] = rar.Text{Title: "Betale " + of.Beløp, Lines: []string{"Til " + of.Til + ", <b>én</b> gang"}}
			}
			return texts, nil
		},
		Grant: func(_ context.Context, _ rar.Request, details []rar.Detail, _ []string) (all []json.RawMessage, err error) {
			for _, d := range details {
				all = append(all, d.JSON)
			}
			return all, nil
		},
	}
}

// TestDetailsOnTheConsentPage shows details of authorization_details with their texts and JSON. None is approved without a click.
func TestDetailsOnTheConsentPage(t *testing.T) {
	slow.Test(t)
	s := prepare(t)
	cfg, err := s.ProviderConfig(time.Now())
	require.NoError(t, err)
	cfg.AuthorizationDetails, err = rar.NewRegistry(payment())
	require.NoError(t, err)
	s.Provider, err = provider.New(cfg)
	require.NoError(t, err)
	s.Sites[0].Handle(s.Pages.Routes())
	serve(t, s)

	b := browsertest.New(t, "details-")
	b.Open(s.At.First, "#story-login")
	b.Click("#story-login", "#login-form")
	request, err := url.Parse(b.Location())
	require.NoError(t, err)
	require.Equal(t, "/login", request.Path)
	b.Click("#user-kari", "#logged-in")
	b.Open(s.Issuer+"/authorize?"+url.Values{
		"client_id": {"min-tjeneste"}, "redirect_uri": {s.At.First + "/callback"}, "response_type": {"code"}, "scope": {"openid"}, "state": {"s"}, "nonce": {"n"},
		"code_challenge": {"HC9NRzz4QUaVMvl2TUYrWg_L54PBleKON4hapcIOydk"}, "code_challenge_method": {"S256"},
		"authorization_details": {`[{"type":"betaling","beløp":"100 kr","til":"Strøm & Nett AS"},{"type":"betaling","beløp":"7 kr","til":"Kiosken"}]`},
	}.Encode(), "#consent-form")
	require.Equal(t, "Min tjeneste", b.Text("#client-name"))
	require.Contains(t, b.Text("#detail-0-more"), "Til Strøm & Nett AS, <b>én</b> gang")
	require.False(t, b.Has("#detail-0-more b"), "texts are escaped")
	require.False(t, b.Has("input:checked"), "the user approves each detail")
	b.Look("consent")
	b.Do(chromedp.Click("#detail-1-more summary"))
	require.Contains(t, b.Text("#detail-1-more pre"), `"til":"Kiosken"`)
	b.Audit("consent-open")
	b.Toggle("#detail-1")
	b.Click("#consent-approve", "#rp-notice")
	require.Contains(t, b.Location(), s.At.First)
}
