package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/digdir/maskinporten"
	"github.com/portner-go/portner/examples/internal/serve"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/rar"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/storage/memory"
)

// server is everything the command runs.
type server struct {
	opt      options
	cfg      config
	log      *slog.Logger
	issuer   string
	listener *serve.Listener
	store    *memory.Store
	handler  http.Handler
}

// newServer opens the port and builds everything. It answers nobody yet.
func newServer(opt options, log *slog.Logger) (*server, error) {
	s := &server{opt: opt, log: log, store: memory.New()}
	var err error
	if opt.configFile != "" {
		if s.cfg, err = readConfig(opt.configFile); err != nil {
			return nil, err
		}
	}
	s.cfg = s.cfg.with(builtin())
	if s.listener, err = serve.Listen(opt.addr, opt.tlsCert, opt.tlsKey); err != nil {
		return nil, err
	}
	s.issuer = cmp.Or(opt.issuer, s.cfg.Issuer, s.ownIssuer())
	s.listener.Also(s.issuer)
	if s.handler, err = s.build(); err != nil {
		_ = s.listener.Close()
		return nil, err
	}
	return s, nil
}

// ownIssuer is made of the address. Skyporten's issuers have no slash.
func (s *server) ownIssuer() string {
	if s.cfg.Skyporten {
		return s.listener.Base
	}
	return s.listener.Base + "/"
}

func (s *server) build() (http.Handler, error) {
	clients, err := s.clientRegistry(time.Now())
	if err != nil {
		return nil, err
	}
	scopes, err := scope.NewRegistry(s.cfg.Scopes, s.cfg.ScopeAccess)
	if err != nil {
		return nil, err
	}
	s.warnScopes(scopes)
	key, err := keyset.Generate(keyset.RS256)
	if err != nil {
		return nil, err
	}
	keys, err := keyset.New(keyset.Config{Keys: []keyset.Key{key}})
	if err != nil {
		return nil, err
	}
	certs, err := s.certificates()
	if err != nil {
		return nil, err
	}
	known := altinn{s.cfg}
	details, err := rar.NewRegistry(maskinporten.SystemUserType(known), maskinporten.ConsentType(known))
	if err != nil {
		return nil, err
	}
	service, err := maskinporten.New(maskinporten.Config{
		Issuer: s.issuer, Clients: clients, Scopes: scopes, Replay: s.store, Keys: keys, Certificates: certs,
		Delegations: s.delegationSources(known), Details: details, ErrorURI: s.at("errors/"),
		Skyporten: s.cfg.Skyporten, RequireJTI: s.cfg.RequireJTI, StrictIssuedAt: s.cfg.StrictIat, LegacyForbidden: s.cfg.LegacyForbidden,
		Logger: s.log,
	})
	if err != nil {
		return nil, err
	}
	return s.routes(service), nil
}

// at is an address below the issuer.
func (s *server) at(path string) string { return strings.TrimSuffix(s.issuer, "/") + "/" + path }

// routes puts the explanations of errors beside the service.
func (s *server) routes(service http.Handler) http.Handler {
	prefix := pathOf(s.at("errors/"))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && strings.HasPrefix(r.URL.Path, prefix) {
			explain(w, r)
			return
		}
		service.ServeHTTP(w, r)
	})
}

// delegationSources are all that scopes name; one list of delegations answers for all of them.
func (s *server) delegationSources(known altinn) map[string]maskinporten.DelegationSource {
	sources := map[string]maskinporten.DelegationSource{}
	for i := range s.cfg.Scopes {
		if name := s.cfg.Scopes[i].DelegationSource; name != "" {
			sources[name] = known
		}
	}
	return sources
}

func (s *server) clientRegistry(now time.Time) (*client.Registry, error) {
	var all []client.Client
	for _, e := range s.cfg.Clients {
		all = append(all, *e.registration(now))
	}
	return client.NewRegistry(environment, all...)
}

// warnScopes tells of scopes that clients registered and would be refused. It is no error: the owner of a
// scope may mean it.
func (s *server) warnScopes(src scope.Source) {
	for _, e := range s.cfg.Clients {
		c := e.registration(time.Time{})
		asks := scope.Client{ID: c.ClientID, ConsumerOrgno: c.ConsumerOrgno(), IntegrationType: c.IntegrationType, Scopes: c.RegisteredScopes()}
		for _, r := range scope.CheckRegistration(asks, src) {
			s.log.Warn("a client would be refused a scope it registered", "client_id", c.ClientID, "scope", r.Scope, "reason", string(r.Reason))
		}
	}
}

func (s *server) serve(ctx context.Context) error {
	return serve.Run(ctx, s.listener, s.handler, s.log, func(ctx context.Context, now time.Time) {
		if _, err := s.store.Sweep(ctx, now); err != nil && ctx.Err() == nil {
			s.log.Error("sweep", "error", err)
		}
	})
}

// greet prints what there is.
func (s *server) greet(w io.Writer) {
	fmt.Fprintf(w, "portner: a local Maskinporten\n\n  issuer      %s\n  metadata    %s\n  token       %s\n\n  Clients:\n",
		s.issuer, s.at(".well-known/oauth-authorization-server"), s.at("token"))
	for _, e := range s.cfg.Clients {
		fmt.Fprintf(w, "    %-24s %s, %s: %s\n", e.ClientID, e.ClientOrgno, s.cfg.name(e.ClientOrgno), strings.Join(e.Scopes, " "))
	}
	if s.opt.testCA != "" {
		fmt.Fprintf(w, "\n  Business certificates: %s (client %s)\n", s.opt.testCA, demoCertificate)
	}
	fmt.Fprintf(w, "\n  A token: go run ./examples/maskinporten -print-token -issuer %s\n\n  Ctrl-C stops it.\n\n", s.issuer)
}
