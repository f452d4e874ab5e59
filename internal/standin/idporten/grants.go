package idporten

import (
	"context"
	"fmt"
	"slices"

	"github.com/portner-go/portner/exchange"
	"github.com/portner-go/portner/internal/standin"
	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/token"
)

// tokenExchange configures token exchange (RFC 8693). Clients register the grant type.
type tokenExchange struct {
	MaxLifetime       int            `json:"max_lifetime,omitempty"`       // seconds; 0 is that of the presented token
	ActorOrganisation string         `json:"actor_organisation,omitempty"` // name of the member of act and may_act with an organisation number
	Rules             []exchangeRule `json:"rules,omitempty"`              // a client can narrow its own tokens without a rule
}

// exchangeRule permits a client to exchange the tokens of another one, or of its own.
type exchangeRule struct {
	Client        string   `json:"client"`
	SubjectClient string   `json:"subject_client"`
	Scopes        []string `json:"scopes,omitempty"`      // bounds the scopes; absent: those of the token
	Audience      []string `json:"audience,omitempty"`    // audiences beside those of the token
	Impersonate   bool     `json:"impersonate,omitempty"` // the new token does not name the client in act
	MayAct        *mayAct  `json:"may_act,omitempty"`
}

// mayAct is the party that may act for the subject of the new token.
type mayAct struct {
	Sub      string `json:"sub,omitempty"`
	Iss      string `json:"iss,omitempty"`
	ClientID string `json:"client_id,omitempty"`
	Orgno    string `json:"orgno,omitempty"`
}

// grantHandlers returns the grant types beside authorization_code and refresh_token. Clients register those that they use.
func (s *Server) grantHandlers(cfg *provider.Config) (all []token.GrantHandler, err error) {
	if s.Config.openid() { // ID-porten has no client_credentials
		all = append(all, token.ClientCredentials(s.State.Store))
	}
	x := s.Config.TokenExchange
	if x == nil {
		return all, nil
	}
	vault, err := session.NewVault(cfg.Issuer, cfg.Secrets...)
	if err != nil {
		return nil, err
	}
	g, err := exchange.New(exchange.Config{
		Issuer: cfg.Issuer, Store: s.State.Store, Vault: vault, Scopes: cfg.Scopes, Policy: x.decide,
		MaxLifetime: standin.Seconds(x.MaxLifetime), ActorOrganisation: x.ActorOrganisation,
	})
	if err != nil {
		return nil, err
	}
	return append(all, g), nil
}

// decide is the policy of exchange.
func (x *tokenExchange) decide(_ context.Context, r *exchange.Request) (exchange.Decision, error) {
	i := slices.IndexFunc(x.Rules, func(rule exchangeRule) bool {
		return rule.Client == r.Client.ClientID && rule.SubjectClient == r.Subject.ClientID
	})
	switch {
	case i >= 0:
		return x.Rules[i].decision(), nil
	case r.Own:
		return exchange.Decision{}, nil
	}
	return exchange.Decision{}, exchange.ErrRejected
}

func (r *exchangeRule) decision() exchange.Decision {
	d := exchange.Decision{Scopes: r.Scopes, Audience: r.Audience, Impersonate: r.Impersonate}
	if m := r.MayAct; m != nil {
		d.MayAct = &exchange.Party{Subject: m.Sub, Issuer: m.Iss, ClientID: m.ClientID, Orgno: m.Orgno}
	}
	return d
}

// checkTokenExchange validates token_exchange.
func (c *Config) checkTokenExchange(p *standin.Problems) {
	x := c.TokenExchange
	if x == nil {
		return
	}
	if x.MaxLifetime < 0 {
		p.Add("token_exchange.max_lifetime", "must not be negative")
	}
	for i, r := range x.Rules {
		at := fmt.Sprintf("token_exchange.rules[%d]", i)
		if r.Client == "" || r.SubjectClient == "" {
			p.Add(at, "needs client and subject_client")
		}
		m := r.MayAct
		if m == nil {
			continue
		}
		if m.Sub == "" && m.ClientID == "" && m.Orgno == "" {
			p.Add(at+".may_act", "needs sub, client_id or orgno")
		}
		if _, err := norway.ParseOrgno(m.Orgno); m.Orgno != "" && err != nil {
			p.Add(at+".may_act.orgno", "%v", err)
		}
		if m.Orgno != "" && x.ActorOrganisation == "" {
			p.Add(at+".may_act.orgno", "requires token_exchange.actor_organisation")
		}
	}
}
