package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/portner-go/portner/digdir/altinn"
	"github.com/portner-go/portner/internal/standin"
	"github.com/portner-go/portner/resource"
)

// server holds the parts of the program.
type server struct {
	opt    options
	log    *slog.Logger
	issuer string
	sites  standin.Sites
	// outgoing requests the keys of the providers.
	outgoing *http.Client
	builtin  config
	state    *standin.State
	keys     *standin.Keys
	now      func() time.Time

	file config // as it was read
	cfg  config // with the built-in entries
}

// path is that of the issuer of Altinn.
const path = "/authentication/api/v1/openid/"

// newServer opens the port and builds the server.
func newServer(ctx context.Context, opt options, log *slog.Logger) (*server, error) {
	s := &server{opt: opt, log: log, builtin: builtin(opt), now: time.Now, outgoing: opt.TLS.Outgoing()}
	var err error
	if opt.ConfigFile != "" {
		if s.file, err = readConfig(opt.ConfigFile); err != nil {
			return nil, err
		}
	}
	s.cfg = s.file.with(s.builtin)
	if s.sites, err = standin.Listen(opt.Flags); err != nil {
		return nil, err
	}
	s.issuer = cmp.Or(opt.Issuer, s.cfg.Issuer, s.sites[0].Base+path)
	s.sites[0].Accept(s.issuer)
	if err = s.sites.CheckTest(s.issuer, cmp.Or(opt.TestIssuer, s.cfg.TestIssuer)); err == nil {
		s.state, err = opt.StateFlags.Open(ctx, log)
	}
	if err == nil {
		err = s.start(ctx)
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// close releases what a server that was not served has opened.
func (s *server) close() {
	s.sites.Close()
	if s.state != nil {
		_ = s.state.Store.Close()
	}
}

// start makes the keys and the handler.
func (s *server) start(ctx context.Context) (err error) {
	if s.keys, err = s.cfg.Keys(ctx, s.state, s.issuer, nil, false, s.log); err != nil {
		return err
	}
	return s.build()
}

// Reload implements standin.Server.
func (s *server) Reload(ctx context.Context) error {
	next := *s
	var err error
	if next.file, err = readConfig(s.opt.ConfigFile); err != nil {
		return err
	}
	if err := s.keeps(next.file); err != nil {
		return fmt.Errorf("%s:\n%w", s.opt.ConfigFile, err)
	}
	next.cfg = next.file.with(s.builtin)
	return next.build()
}

// keeps returns the members of a configuration that a running server cannot change.
func (s *server) keeps(c config) error {
	var p standin.Problems
	standin.NeedsRestart(&p, cmp.Or(s.opt.Issuer, c.Issuer, s.sites[0].Base+path) != s.issuer, "issuer")
	standin.NeedsRestart(&p, cmp.Or(s.opt.TestIssuer, c.TestIssuer) != cmp.Or(s.opt.TestIssuer, s.file.TestIssuer), "test_issuer")
	c.Signing.Keeps(&p, s.file.Signing)
	return p.Err()
}

// build builds the exchange and the API.
func (s *server) build() error {
	exchange, err := altinn.New(s.exchangeConfig())
	if err != nil {
		return err
	}
	api, err := s.api()
	if err != nil {
		return err
	}
	s.sites[0].Handle(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/api/") {
			api.ServeHTTP(w, r)
			return
		}
		exchange.ServeHTTP(w, r)
	}))
	return nil
}

// exchangeConfig returns the configuration of the exchange. The default lifetimes are those of Altinn.
func (s *server) exchangeConfig() altinn.Config {
	c := s.cfg
	return altinn.Config{
		Issuer: s.issuer, Keys: s.keys.Set(),
		Maskinporten:  c.Maskinporten.provider(s.issuer, "/jwk", "fixed", s.outgoing),
		IDPorten:      c.IDPorten.provider(s.issuer, "/jwks.json", "copy", s.outgoing),
		Studio:        c.Studio.provider(s.issuer, "", "fixed", s.outgoing),
		Organisations: registers{c}, Users: registers{c}, PartnerScopes: c.PartnerScopes,
		AllowLegacyRegister: c.LegacyRegister == nil || *c.LegacyRegister, KeepJTI: c.KeepJTI, NegotiateJSON: c.NegotiateJSON,
		Now: s.clock, Logger: s.log,
	}
}

func (s *server) clock() time.Time { return s.now() }

// Serve implements standin.Server.
func (s *server) Serve(ctx context.Context) error {
	return s.sites.Serve(ctx, standin.Running{Log: s.log, Store: s.state.Store, Keys: s.keys, Drain: s.opt.Drain})
}

// base returns the base URL of the paths that are not below the issuer.
func (s *server) base() string {
	u, err := url.Parse(s.issuer)
	if err != nil {
		return s.sites[0].Base // altinn.New validated the issuer
	}
	return u.Scheme + "://" + u.Host
}

// Greet implements standin.Server.
func (s *server) Greet(w io.Writer) {
	fmt.Fprintf(w, "portner: a local Altinn\n\n  issuer      %s\n  metadata    %s.well-known/openid-configuration\n", s.issuer, s.issuer)
	for _, p := range []struct {
		name string
		of   providerEntry
	}{{"id-porten", s.cfg.IDPorten}, {"maskinporten", s.cfg.Maskinporten}, {"altinnstudio", s.cfg.Studio}} {
		for _, i := range p.of.Issuers {
			fmt.Fprintf(w, "  exchange    %s%s%s  (tokens of %s)\n", s.base(), altinn.Path, p.name, i.Issuer)
		}
	}
	for _, path := range apiPaths() {
		fmt.Fprintf(w, "  API         %s%s\n", s.base(), path)
	}
	fmt.Fprintf(w, "  ApiKey      %s\n", s.cfg.APIKeys[0])
	fmt.Fprint(w, "\n  Ctrl-C stops it.\n\n")
}

// verifier returns the verifier of Altinn's tokens. An API in another process would read the keys from the metadata.
func (s *server) verifier() (*resource.Verifier, error) {
	jwks, _ := s.keys.Set().JWKS(s.now())
	return resource.New(resource.Config{
		Issuer: s.issuer, Keys: resource.StaticKeys(jwks), URL: s.issuer, AllowNoScope: true, Realm: "altinn", Now: s.clock, Logger: s.log,
	})
}
