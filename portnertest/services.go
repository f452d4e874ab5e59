package portnertest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/digdir/altinn"
	"github.com/portner-go/portner/digdir/ansattporten"
	"github.com/portner-go/portner/digdir/maskinporten"
	"github.com/portner-go/portner/dpop"
	"github.com/portner-go/portner/nhn/helseid"
	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/rar"
	"github.com/portner-go/portner/resource"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/storage/memory"
	"github.com/portner-go/portner/token"
)

// NewMaskinporten starts a Maskinporten. The client "app" signs its grants with the key of ClientKey.
func NewMaskinporten(t testing.TB, cfg Config) *Provider {
	t.Helper()
	return start(t, cfg, "maskinporten", buildMaskinporten, openMaskinporten)
}

// delegationSource is the issuer of delegations, as in Maskinporten's test environment.
const delegationSource = "https://tt02.altinn.no/"

func buildMaskinporten(p *Provider) error {
	p.Issuer += "/"
	clients, err := newRegistry(&p.cfg, client.Client{
		ClientID: ClientID, ClientName: "The tested app", OrganisationNo: Organisation, IntegrationType: "maskinporten",
		TokenEndpointAuthMethod: client.PrivateKeyJWT, GrantTypes: []string{client.JWTBearer},
	}, false, p.now)
	if err != nil {
		return err
	}
	p.clients, clients.delegationSource = clients, delegationSource
	store := p.store.(*memory.Store) //nolint:forcetypeassert // of start
	handler, err := maskinporten.New(maskinporten.Config{
		Issuer: p.Issuer, Clients: clients, Scopes: clients, Replay: store, Keys: p.keys, Now: p.Now, Logger: logger(p.t),
		Delegations: map[string]maskinporten.DelegationSource{delegationSource: delegations{p}},
	})
	p.system = system{handler: handler, metadata: ".well-known/oauth-authorization-server", levels: &acr.Levels{}, mint: p.mintMachine}
	return err
}

// delegations are those of Config, and of MintToken.
type delegations struct{ p *Provider }

// Delegated implements maskinporten.DelegationSource.
func (d delegations) Delegated(_ context.Context, consumer, supplier, _ string) (bool, error) {
	d.p.mu.Lock()
	defer d.p.mu.Unlock()
	return slices.Contains(d.p.cfg.Delegations, Delegation{consumer, supplier}), nil
}

// mintMachine requests a token of Maskinporten.
func (p *Provider) mintMachine(tok Token) (minted, error) {
	if tok.Supplier != "" && tok.Consumer == "" {
		return minted{}, invalid("Consumer", "is required with Supplier")
	}
	of, further := tok.Consumer, map[string]any{"scope": scopeText(tok.Scopes)}
	if tok.Supplier != "" {
		p.mu.Lock()
		p.cfg.Delegations = append(slices.Clone(p.cfg.Delegations), Delegation{tok.Consumer, tok.Supplier})
		p.mu.Unlock()
		of, further["consumer_org"] = tok.Supplier, tok.Consumer
	}
	if len(tok.Scopes) == 0 {
		return minted{}, invalid("Scopes", "Maskinporten issues no token without a scope")
	}
	if isResource(tok.Audience) {
		further["resource"] = tok.Audience
	}
	c, err := p.clientOf(tok.ClientID, of)
	if err != nil {
		return minted{}, err
	}
	grant, err := p.assertion(c.ClientID, further)
	if err != nil {
		return minted{}, err
	}
	answer, err := p.form("token", url.Values{"grant_type": {client.JWTBearer}, "assertion": {grant}}, nil, tok.DPoP)
	access, _ := answer["access_token"].(string)
	return minted{access: access}, err
}

// NewAltinn starts an Altinn that exchanges tokens of other providers of this package, a Maskinporten or an ID-porten.
func NewAltinn(t testing.TB, cfg Config, trusted ...*Provider) *Provider {
	t.Helper()
	if slices.Contains(trusted, nil) || len(trusted) == 0 && cfg.File == "" {
		t.Fatalf("portnertest: NewAltinn: trusted: at least one provider is required, and none may be nil")
	}
	return start(t, cfg, "altinn", func(p *Provider) error { return buildAltinn(p, trusted) }, openAltinn(trusted))
}

func buildAltinn(p *Provider, trusted []*Provider) error {
	p.Issuer += altinnPath
	clients, err := newRegistry(&p.cfg, client.Client{
		ClientID: ClientID, OrganisationNo: Organisation, IntegrationType: "maskinporten", TokenEndpointAuthMethod: client.PrivateKeyJWT,
		GrantTypes: []string{client.JWTBearer},
	}, false, p.now)
	if err != nil {
		return err
	}
	p.clients = clients
	cfg := altinn.Config{Issuer: p.Issuer, Keys: p.keys, Users: altinnUsers{p}, Now: p.Now, Logger: logger(p.t)}
	for _, o := range trusted {
		jwks := resource.RemoteKeys{URI: o.endpointURL("jwks_uri"), HTTP: o.HTTP}
		issuer := altinn.Issuer{Issuer: o.Issuer, Keys: jwks}
		if !o.system.login {
			cfg.Maskinporten.Issuers = append(cfg.Maskinporten.Issuers, issuer)
		} else {
			cfg.IDPorten.Issuers = append(cfg.IDPorten.Issuers, issuer)
		}
	}
	handler, err := altinn.New(cfg)
	p.system = system{
		handler: handler, metadata: ".well-known/openid-configuration", levels: &acr.Levels{}, exchanges: true,
		mint: func(tok Token) (minted, error) { return p.mintAltinn(tok, trusted) },
	}
	return err
}

// mintAltinn exchanges a token of the first trusted provider that issues it.
func (p *Provider) mintAltinn(tok Token, trusted []*Provider) (minted, error) {
	if len(trusted) == 0 {
		return minted{}, errors.New("NewAltinn trusts no provider")
	}
	from, name := trusted[0], "maskinporten"
	for _, o := range trusted {
		if tok.User != "" && o.system.login {
			from = o
		}
	}
	if from.system.login {
		name = "id-porten"
	}
	outer := tok
	outer.Claims, outer.Fault, outer.Audience = nil, NoFault, ""
	token, err := from.mint(outer)
	if err != nil {
		return minted{}, err
	}
	r, err := http.NewRequest(http.MethodGet, p.origin+altinn.ExchangePath+name, nil)
	if err != nil {
		return minted{}, err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	body, err := p.send(r)
	return minted{access: string(body)}, err
}

// User implements altinn.UserSource.
func (d altinnUsers) User(_ context.Context, pid norway.PID) (altinn.User, error) {
	for i, name := range slices.Sorted(maps.Keys(d.p.cfg.Users)) {
		if d.p.cfg.Users[name].PID == pid.Reveal() {
			id := int64(20000 + i)
			return altinn.User{ID: id, Username: name, PartyID: 50000000 + id, PartyUUID: fmt.Sprintf("00000000-0000-4000-8000-%012d", id)}, nil
		}
	}
	return altinn.User{}, storage.ErrNotFound
}

// altinnUsers is the altinn.UserSource of a provider.
type altinnUsers struct{ p *Provider }

// NewAnsattporten starts an Ansattporten. Users represent the organisations of User.Represents at every resource.
func NewAnsattporten(t testing.TB, cfg Config) *Provider {
	t.Helper()
	return start(t, cfg, "ansattporten", func(p *Provider) error {
		return p.buildProvider(ansattporten.Profile(), client.Client{
			ClientID: ClientID, ClientName: "The tested app", OrganisationNo: Organisation, GrantTypes: []string{"authorization_code", "refresh_token"},
			IntegrationType: "ansattporten",
		}, false, func(c *provider.Config) (err error) {
			p.system.authenticate = p.atWork
			c.AuthorizationDetails, err = rar.NewRegistry(
				ansattporten.ServiceType(reportees{p}), ansattporten.ResourceType(reportees{p}), ansattporten.OrgnoType(reportees{p}))
			return err
		})
	}, openAnsattporten)
}

// atWork returns a login with the name of the user.
func (p *Provider) atWork(name string, u User, level string) (session.Authentication, error) {
	a, err := authenticate(name, u, level)
	full, _ := u.Claims["name"].(string)
	a.Identity.Attributes = map[string]string{"name": full}
	return a, err
}

// reportees finds whom users represent.
type reportees struct{ p *Provider }

// Exist implements ansattporten.ReporteeSource: every resource exists.
func (reportees) Exist(context.Context, []string) error { return nil }

// Reportees implements ansattporten.ReporteeSource.
func (r reportees) Reportees(_ context.Context, pid norway.PID, resources []string) ([]ansattporten.Resource, error) {
	all := make([]ansattporten.Resource, len(resources))
	for i, name := range resources {
		all[i] = ansattporten.Resource{Name: name}
		for _, u := range r.p.cfg.Users {
			if u.PID == pid.Reveal() {
				all[i].Reportees = u.Represents
			}
		}
	}
	return all, nil
}

// Employers implements ansattporten.EmployerSource.
func (r reportees) Employers(_ context.Context, subject string) ([]ansattporten.Reportee, error) {
	return r.p.cfg.Users[strings.TrimPrefix(subject, subjectPrefix)].Represents, nil
}

// NewHelseID starts a HelseID. Its clients push their requests, sign assertions with the key of ClientKey or their own, and prove a DPoP key.
func NewHelseID(t testing.TB, cfg Config) *Provider {
	t.Helper()
	return start(t, cfg, "helseid", buildHelseID, openHelseID)
}

func buildHelseID(p *Provider) error {
	var apis []helseid.API
	for _, s := range p.cfg.Scopes {
		if name, _, ok := strings.Cut(s.Name, "/"); ok {
			apis = append(apis, helseid.API{Name: name, Scopes: []string{s.Name}, Claims: helseid.APIClaims()})
		}
	}
	h, err := helseid.New(helseid.Config{Registrations: tenancies{}, APIs: apis, PseudonymKey: portner.NewSecret()})
	if err != nil {
		return err
	}
	return p.buildProvider(h.Profile(), client.Client{
		ClientID: ClientID, ClientName: "The tested app", OrganisationNo: Organisation, TokenEndpointAuthMethod: client.PrivateKeyJWT,
		GrantTypes: []string{client.AuthorizationCode, client.RefreshToken, client.ClientCredentials}, DPoPBoundAccessTokens: true,
		RequirePushedAuthorizationRequests: true,
	}, true, func(c *provider.Config) error {
		p.system.lowest, p.system.bound = "Level4", true
		p.system.authenticate = func(_ string, u User, level string) (session.Authentication, error) { return healthLogin(h, u, level) }
		types, err := rar.NewRegistry(h.DetailTypes()...)
		if err != nil {
			return err
		}
		store := p.store.(*memory.Store) //nolint:forcetypeassert // of start
		nonces, err := dpop.NewNonces(p.Issuer, c.Secrets...)
		c.AuthorizationDetails, c.DPoP = types, &dpop.Policy{Replay: store, Algorithms: helseid.Algorithms(), Nonces: nonces}
		c.GrantHandlers = []token.GrantHandler{token.ClientCredentials(store), h.TokenExchange(store)}
		c.Users = nil
		return err
	})
}

// tenancies are the registrations of organisations: every client acts for its own.
type tenancies struct{}

// Registration implements helseid.RegistrationSource.
func (tenancies) Registration(context.Context, string) (helseid.Registration, error) {
	return helseid.Registration{Tenancy: helseid.SingleTenant}, nil
}

func healthLogin(h *helseid.Service, u User, level string) (session.Authentication, error) {
	pid, err := norway.ParsePID(u.PID)
	if err != nil {
		return session.Authentication{}, err
	}
	text := func(name string) string { s, _ := u.Claims[name].(string); return s }
	security := strings.TrimPrefix(level, "Level")
	if level == "High" {
		security = "4"
	}
	return h.Authentication(helseid.Login{
		PID: pid, HPRNumber: text("helseid://claims/hpr/hpr_number"), SecurityLevel: security, AssuranceLevel: "high", Network: "internett", IDP: "testidp-oidc",
		AMR: u.methods(), GivenName: text("given_name"), MiddleName: text("middle_name"), FamilyName: text("family_name"),
	})
}
