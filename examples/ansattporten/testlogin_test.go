package main

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/standin"
	"github.com/portner-go/portner/internal/standin/ansattporten"
	"github.com/portner-go/portner/internal/standin/standintest"
)

// TestTestLogin: with test_login, a login_hint names a user of the configuration, who logs in without a page and represents the first
// organisation, at http and https. Others are rejected.
func TestTestLogin(t *testing.T) {
	t.Parallel()
	const callback = "http://localhost:1/cb"
	answer := func(s *ansattporten.Server, hint string) url.Values {
		outgoing := standin.TLS{InsecureTrustSelfSigned: true}.Outgoing()
		outgoing.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
			if r.URL.Host == "localhost:1" {
				return http.ErrUseLastResponse
			}
			return nil
		}
		resp, err := outgoing.Get(s.Issuer + "/authorize?" + url.Values{
			"client_id": {"skjema"}, "redirect_uri": {callback}, "response_type": {"code"}, "scope": {"openid"}, "state": {"s"}, "nonce": {"n"}, "login_hint": {hint},
			"code_challenge": {"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"}, "code_challenge_method": {"S256"},
			"authorization_details": {`[{"type":"ansattporten:altinn:service","resource":"` + ansattporten.DemoService + `"}]`},
		}.Encode())
		require.NoError(t, err)
		defer resp.Body.Close()
		at, err := url.Parse(resp.Header.Get("Location"))
		require.NoError(t, err)
		return at.Query()
	}
	cert, key := standintest.SelfSigned(t, nil)
	for _, flags := range [][]string{nil, {"-tls-cert", cert, "-tls-key", key, "-insecure-trust-self-signed"}} {
		s := start(t, append(flags, "-config", configured(t, `"test_login":true,`, callback))...)
		kari := s.Config.Users[0]
		for _, hint := range []string{"testid:" + kari.Username, "testid:" + kari.PID + "_high"} {
			require.NotEmpty(t, answer(s, hint).Get("code"), hint)
		}
		for _, hint := range []string{"testid:nobody", "testid:17912099997_high"} {
			require.Equal(t, "access_denied", answer(s, hint).Get("error"), hint)
		}
	}
	off := start(t, "-config", configured(t, "", callback))
	require.Empty(t, answer(off, "testid:"+off.Config.Users[0].Username), "without test_login there is a page")
}

// configured writes a configuration with one client, and further members.
func configured(t *testing.T, more, callback string) (file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "config.json")
	require.NoError(t, os.WriteFile(file, fmt.Appendf(nil, `{%s"clients":[{"client_id":"skjema","client_secret":"G4t7Qz0nXw2LrYb8VmKc5HsJd1PfAe9U","client_name":"Skjema",
		"client_orgno":"991825827","integration_type":"ansattporten","scopes":["openid"],"redirect_uris":["%s"]}]}`, more, callback), 0o600))
	return file
}
