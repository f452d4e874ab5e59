package token_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/token"
)

// brokenFields changes a valid configuration, and names the field that New reports.
var brokenFields = map[string]func(*token.Config){
	"Issuer":                    func(c *token.Config) { c.Issuer = "login.example.no" },
	"Clients":                   func(c *token.Config) { c.Clients = nil },
	"Scopes":                    func(c *token.Config) { c.Scopes = nil },
	"Keys":                      func(c *token.Config) { c.Keys = nil },
	"Authenticator":             func(c *token.Config) { c.Authenticator = nil },
	"Pairwise":                  func(c *token.Config) { c.Pairwise = nil },
	"Vault":                     func(c *token.Config) { c.Vault = nil },
	"Claims[1]":                 func(c *token.Config) { c.Claims = append(c.Claims, nil) },
	`ScopeClaims["profile"][1]`: func(c *token.Config) { c.ScopeClaims = map[string][]string{"profile": {"name", "sub"}} },
	"Lifetimes.AccessToken":     func(c *token.Config) { c.Lifetimes.AccessToken = -time.Second },
	"Lifetimes.RefreshToken":    func(c *token.Config) { c.Lifetimes.RefreshToken = 1500 * time.Millisecond },
	"Lifetimes.Authorization":   func(c *token.Config) { c.Lifetimes.Authorization = time.Millisecond },
	"Lifetimes.IDToken":         func(c *token.Config) { c.Lifetimes.IDToken = 1 },
	"SubjectType":               func(c *token.Config) { c.SubjectType = "Public" },
	"RotationGrace":             func(c *token.Config) { c.RotationGrace = token.MaxRotationGrace + 1 },
	"GrantHandlers[0].Type":     func(c *token.Config) { c.GrantHandlers = []token.GrantHandler{{Handle: noTokens}} },
	"GrantHandlers[0].Handle":   func(c *token.Config) { c.GrantHandlers = []token.GrantHandler{{Type: "x"}} },
	"GrantHandlers[1].Type": func(c *token.Config) {
		c.GrantHandlers = []token.GrantHandler{{Type: "x", Handle: noTokens}, {Type: "x", Handle: noTokens}}
	},
}

func noTokens(context.Context, *token.Request, *token.Minter) (*token.Response, error) {
	return nil, nil
}

func TestNewReportsFields(t *testing.T) {
	t.Parallel()
	valid := newFixture(t).cfg
	for field, breaks := range brokenFields {
		t.Run(field, func(t *testing.T) {
			t.Parallel()
			cfg := valid
			breaks(&cfg)
			_, err := token.New(cfg)
			require.Equal(t, []string{field}, fieldNames(err))
		})
	}
	_, err := token.New(token.Config{})
	require.ElementsMatch(t, []string{"Issuer", "Clients", "Scopes", "Keys", "Store"}, fieldNames(err), "every problem at once")
	cfg := valid
	cfg.Store, cfg.Authenticator = nil, nil
	cfg.GrantHandlers = []token.GrantHandler{{Type: "x", Handle: noTokens}, {Type: client.RefreshToken, Unauthenticated: true, Handle: noTokens}}
	_, err = token.New(cfg)
	require.Equal(t, []string{"GrantHandlers[0]"}, fieldNames(err), "nothing authenticates its clients")
	cfg.Store = valid.Store
	_, err = token.New(cfg)
	require.ElementsMatch(t, []string{"Authenticator", "GrantHandlers[0]", "GrantHandlers[1].Type"}, fieldNames(err))
}

func fieldNames(err error) (names []string) {
	for _, e := range portner.FieldErrors(err) {
		names = append(names, e.Field)
	}
	return names
}
