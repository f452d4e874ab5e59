package provider_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/optest"
	"github.com/portner-go/portner/provider"
)

// OIDC Front-Channel Logout §3: if the metadata says that sessions are supported, every id_token has a sid. The ID-porten profile
// follows ID-porten instead: sid is for clients that register for it.
func TestSIDAgreesWithTheMetadata(t *testing.T) {
	t.Parallel()
	for name, profile := range map[string]provider.Profile{"OpenID Connect": provider.OpenIDConnect(), "ID-porten": provider.IDPorten()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var plain, front, back client.Client
			for _, c := range []struct {
				id string
				at *client.Client
			}{{"plain", &plain}, {"front", &front}, {"back", &back}} {
				*c.at = optest.Clients(t)[0]
				c.at.ClientID, c.at.FrontchannelLogoutURI, c.at.FrontchannelLogoutSessionRequired, c.at.BackchannelLogoutURI = c.id, "", false, ""
				c.at.RedirectURIs = []string{optest.RedirectURI(c.id)}
			}
			front.FrontchannelLogoutURI, front.FrontchannelLogoutSessionRequired = front.RedirectURIs[0], true
			back.BackchannelLogoutURI = back.RedirectURIs[0]
			op := optest.New(t, optest.Options{Clients: []client.Client{plain, front, back}, Change: func(c *provider.Config) { c.Profile = profile }})
			w := httptest.NewRecorder()
			op.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, optest.Issuer+"/.well-known/openid-configuration", nil))
			var meta map[string]any
			require.NoError(t, json.Unmarshal(w.Body.Bytes(), &meta))
			require.Equal(t, true, meta["frontchannel_logout_session_supported"])
			b := op.Browser()
			for _, id := range []string{"plain", "front", "back"} {
				r := op.Request(id, "openid")
				page := b.Get(t, r.URL())
				if page.Left == nil {
					page = op.Browser().Login(t, r, "kari")
				}
				raw, err := base64.RawURLEncoding.DecodeString(strings.Split(op.Exchange(t, r, page.Code(t)).String("id_token"), ".")[1])
				require.NoError(t, err)
				var claims map[string]any
				require.NoError(t, json.Unmarshal(raw, &claims))
				require.Equal(t, name == "OpenID Connect" || id != "plain", claims["sid"] != nil, id)
			}
		})
	}
}
