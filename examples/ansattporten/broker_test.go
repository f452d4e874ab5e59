package main

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/examples/internal/browsertest"
	"github.com/portner-go/portner/internal/standin/ansattporten"
)

// TestServiceBehindABroker: the browser reaches a service whose redirect URI redirects to further origins from the representation page.
func TestServiceBehindABroker(t *testing.T) {
	t.Parallel()
	broker := browsertest.NewBroker(t, "")
	file := filepath.Join(t.TempDir(), "config.json")
	require.NoError(t, os.WriteFile(file, fmt.Appendf(nil, `{"clients":[
		{"client_id":"megler","client_secret":"G4t7Qz0nXw2LrYb8VmKc5HsJd1PfAe9U","client_name":"Megler","client_orgno":"991825827","integration_type":"ansattporten","scopes":["openid"],"redirect_uris":["%[1]s/cb"]},
		{"client_id":"skjema","client_secret":"G4t7Qz0nXw2LrYb8VmKc5HsJd1PfAe9U","client_name":"Skjema","client_orgno":"991825827","integration_type":"ansattporten","scopes":["openid"],"response_modes":["form_post"],"redirect_uris":["%[1]s/cb"]}]}`,
		broker.Base), 0o600))
	s := start(t, "-config", file)
	b := openBrowser(t)
	for _, clientID := range []string{"megler", "skjema"} {
		b.Open(s.Issuer+"/authorize?"+url.Values{
			"client_id": {clientID}, "redirect_uri": {broker.Base + "/cb"}, "response_type": {"code"}, "scope": {"openid"}, "prompt": {"login"}, "state": {"inn"}, "nonce": {"n"},
			"code_challenge": {"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"}, "code_challenge_method": {"S256"},
			"authorization_details": {`[{"type":"ansattporten:altinn:service","resource":"` + ansattporten.DemoService + `"}]`},
		}.Encode(), "#login-form")
		b.Click("#user-kari", "#representation-form")
		b.pick("987464291")
		b.Click("#representation-continue", "#service")
		require.NotEmpty(t, b.Arrived().Get("code"), b.Arrived())
		require.Equal(t, "inn", b.Arrived().Get("state"))
	}
}
