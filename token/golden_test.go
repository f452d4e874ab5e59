package token_test

import (
	"context"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/optest"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/token"
)

var update = flag.Bool("update", false, "rewrite golden files")

// seed holds the tokens in appendix A of the ID-porten specification, which the service issued.
type seed struct {
	IDToken     part `json:"id_token"`
	AccessToken part `json:"access_token"`
	Response    struct {
		TokenType string `json:"token_type"`
		ExpiresIn int    `json:"expires_in"`
		Scope     string `json:"scope"`
	} `json:"response"`
}

type part struct {
	Header map[string]any `json:"header"`
	Claims map[string]any `json:"claims"`
}

// Tokens with the settings of the seed have exactly its members, and the same values except random ones, derived ones and names of
// clients.
func TestTokensOfTheService(t *testing.T) {
	t.Parallel()
	var want seed
	require.NoError(t, json.Unmarshal(must(os.ReadFile("testdata/appendix-a.json")), &want))
	f, a := seedLogin(t)
	require.Equal(t, want.Response.TokenType, a.str("token_type"))
	require.EqualValues(t, want.Response.ExpiresIn, a.body["expires_in"])
	require.Equal(t, want.Response.Scope, a.str("scope"))
	for name, w := range map[string]part{"id_token": want.IDToken, "access_token": want.AccessToken} {
		header, claims := segments(t, a.str(name))
		require.ElementsMatch(t, keys(w.Claims), keys(claims), name)
		for claim, value := range w.Claims {
			switch claim {
			case "sub", "jti", "sid": // same type and form
				require.Equal(t, reflect.TypeOf(value), reflect.TypeOf(claims[claim]), claim)
				require.Regexp(t, `^[A-Za-z0-9_-]{11,43}$`, claims[claim])
			default:
				require.Equal(t, value, claims[claim], "%s %s", name, claim)
			}
		}
		require.ElementsMatch(t, withoutX5C(w.Header), keys(header), name)
		require.Equal(t, "RS256", header["alg"])
		require.Regexp(t, `^[A-Za-z0-9_-]{43}$`, header["kid"], "an RFC 7638 thumbprint")
		optest.Verified(t, f.keys, a.str(name), f.clock())
	}
}

// withoutX5C leaves out x5c, which is optional: the key of the test has no certificate.
func withoutX5C(header map[string]any) []string {
	delete(header, "x5c")
	return keys(header)
}

// seedLogin issues tokens with the settings of the seed.
func seedLogin(t *testing.T) (*fixture, answer) {
	key := must(keyset.ParsePEM(must(os.ReadFile("../internal/jose/testdata/rsa2048.pem")), keyset.RS256))
	f := newFixture(t, func(c *token.Config) {
		c.Keys = must(keyset.New(keyset.Config{Keys: []keyset.Key{key}}))
	})
	f.keys = f.cfg.Keys
	c := f.clients["web"]
	delete(f.clients, "web")
	c.ClientID, c.AccessTokenLifetime, c.FrontchannelLogoutSessionRequired = "democlient_idporten_systest", 600, true
	f.clients[c.ClientID] = c
	a := f.redeem(c.ClientID, f.code(forClient(c.ClientID), func(c *storage.AuthorizationCode) {
		c.Nonce, c.Grant.SID = "S6tRrJ3tWsilRZl7hqySoORosHDDq4l6du3dxDhXoWc", "iZZbp-a_wSUffOSwmn1Weo9EoauyyQL6pqv0_-8bRHk"
	}))
	require.Equal(t, 200, a.Code, a.Body.String())
	return f, a
}

// TestGoldenTokens compares every kind of token with a file in testdata.
func TestGoldenTokens(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		scopes []string
		config func(*token.Config)
		change func(*storage.AuthorizationCode)
	}{
		"idporten":              {scopes: []string{"openid", "profile"}},
		"idporten-pseudonymous": {scopes: []string{"openid", "profile", "api:pseudo"}},
		"idporten-eidas":        {scopes: []string{"openid", "profile"}, change: identity(everything)},
		"idporten-onbehalfof": {scopes: []string{"openid", "api:aud"}, change: func(c *storage.AuthorizationCode) {
			c.Grant.Customer, c.Grant.Resources = goldenParty, []string{"urn:other"}
			withDetails(`[{"type":"example"}]`)(c)
		}},
		"idporten-compatible": {
			scopes: []string{"openid"},
			config: func(c *token.Config) { c.Claims = append(c.Claims, compatibleClaims) },
			change: func(c *storage.AuthorizationCode) { c.Grant.Customer = goldenParty },
		},
		"openid": {scopes: []string{"openid", "profile"}, config: withProfile(provider.OpenIDConnect())},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, func(c *token.Config) {
				if tt.config != nil {
					tt.config(c)
				}
			})
			if tt.change == nil {
				tt.change = func(*storage.AuthorizationCode) {}
			}
			f.clients["web"].OnBehalfOf = onBehalfOf
			f.clients["web"].SupplierOrgno = ownerOrgno
			a := f.redeem("web", f.code(forClient("web", tt.scopes...), tt.change))
			require.Equal(t, 200, a.Code, a.Body.String())
			got := map[string]any{}
			for _, jwt := range []string{"id_token", "access_token"} {
				header, claims := segments(t, a.str(jwt))
				got[jwt] = part{steady(header), steady(claims)}
			}
			for _, random := range []string{"id_token", "access_token", "refresh_token"} {
				a.body[random] = "..."
			}
			got["response"] = a.body
			doc := append(must(json.MarshalIndent(got, "", "  ")), '\n')
			file := filepath.Join("testdata", "golden-"+name+".json")
			if *update {
				require.NoError(t, os.WriteFile(file, doc, 0o644))
			}
			require.Equal(t, string(must(os.ReadFile(file))), string(doc), strings.TrimSpace("run with -update after a wanted change"))
		})
	}
}

// compatibleClaims adds claims under deprecated names.
func compatibleClaims(_ context.Context, d *token.Document) error {
	switch d.Kind {
	case token.AccessToken:
		d.SetString("client_orgno", d.Client.OrganisationNo)
	case token.IDToken:
		customer, _ := d.Client.CustomerOf(d.Grant.Customer)
		d.SetString("aud_onbehalfof", customer.Value)
	}
	return nil
}

// steady replaces the values that differ between runs.
func steady(m map[string]any) map[string]any {
	for _, name := range []string{"jti", "kid"} {
		if m[name] != nil {
			m[name] = "..."
		}
	}
	return m
}

// goldenParty is the customer of the golden tokens.
var goldenParty = (&client.Client{OrganisationNo: consumerOrgno, SupplierOrgno: ownerOrgno}).Party(onBehalfOf[0])
