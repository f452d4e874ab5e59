// Package altinn is a stand-in for Altinn (docs/spec/altinn.md).
package altinn

import (
	"bytes"
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
	"github.com/portner-go/portner/internal/standin/changes"
	"github.com/portner-go/portner/internal/standin/look"
	"github.com/portner-go/portner/internal/standin/systemuser"
	"github.com/portner-go/portner/resource"
)

// Server holds the parts of the program.
type Server struct {
	Options Options
	log     *slog.Logger
	Issuer  string
	Sites   standin.Sites
	// outgoing requests the keys of the providers.
	outgoing *http.Client
	builtin  Config
	State    *standin.State
	Keys     *standin.Keys
	Now      func() time.Time

	source *standin.Source
	admin  *standin.Administration

	file   Config // as it was read
	Config Config // with the built-in entries
}

// path is that of the issuer of Altinn.
const path = "/authentication/api/v1/openid/"

// Open opens the port and builds the server.
func Open(ctx context.Context, opt Options, log *slog.Logger) (*Server, error) {
	s := &Server{Options: opt, log: log, builtin: builtin(opt), Now: opt.Clock(), source: standin.NewSource(opt.Flags), outgoing: opt.Outgoing()}
	d, err := opt.Document()
	if err != nil {
		return nil, err
	}
	if s.file, err = ParseConfig(d); err != nil {
		return nil, err
	}
	s.Config = s.file.with(s.builtin)
	if s.Sites, err = standin.Listen(opt.Flags, cmp.Or(opt.Issuer, s.Config.Issuer)); err != nil {
		return nil, err
	}
	s.Issuer = cmp.Or(opt.Issuer, s.Config.Issuer, s.Sites[0].Base+path)
	s.Sites[0].Accept(s.Issuer)
	if err = s.Sites.CheckTest(s.Issuer, cmp.Or(opt.TestIssuer, s.Config.TestIssuer)); err == nil {
		s.State, err = opt.OpenState(ctx, log)
	}
	if err == nil {
		err = s.administer(ctx)
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
func (s *Server) close() {
	s.Sites.Close()
	if s.State != nil {
		_ = s.State.Store.Close()
	}
}

// start makes the keys and the handler.
func (s *Server) start(ctx context.Context) (err error) {
	if s.Keys, err = s.Config.Keys(ctx, s.State, s.Issuer, nil, false, s.log); err != nil {
		return err
	}
	return s.build()
}

// Reload implements standin.Server.
func (s *Server) Reload(ctx context.Context) error { return s.admin.Reload(ctx) }

// Configure replaces the configuration by a text, as Reload does with a changed file.
func (s *Server) Configure(ctx context.Context, text []byte) error {
	return s.source.Replace(text, func() error { return s.admin.Reload(ctx) })
}

// read reads the configuration with the changes of the administration.
func (s *Server) read() (Config, error) {
	d, err := s.source.Document()
	if err != nil {
		return Config{}, err
	}
	return parseConfig(d, s.admin.Merge)
}

// apply replaces the configuration in use.
func (s *Server) apply(ctx context.Context) error {
	next := *s
	var err error
	if next.file, err = s.read(); err != nil {
		return err
	}
	if err := s.keeps(next.file); err != nil {
		return s.source.Wrap(err)
	}
	next.Config = next.file.with(s.builtin)
	return next.build()
}

// keeps returns the members of a configuration that a running server cannot change.
func (s *Server) keeps(c Config) error {
	var p standin.Problems
	standin.NeedsRestart(&p, cmp.Or(s.Options.Issuer, c.Issuer, s.Sites[0].Base+path) != s.Issuer, "issuer")
	standin.NeedsRestart(&p, cmp.Or(s.Options.TestIssuer, c.TestIssuer) != cmp.Or(s.Options.TestIssuer, s.file.TestIssuer), "test_issuer")
	c.Signing.Keeps(&p, s.file.Signing)
	c.Settings.Keeps(&p, s.file.Settings)
	return p.Err()
}

// build builds the exchange and the API.
func (s *Server) build() error {
	exchange, err := altinn.New(s.exchangeConfig())
	if err != nil {
		return err
	}
	api, err := s.api()
	if err != nil {
		return err
	}
	users, err := s.systemUsers()
	if err != nil {
		return err
	}
	confirm, look := s.confirmPage(users), look.Handler()
	s.Sites[0].Handle(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch path := r.URL.Path; {
		case strings.HasPrefix(path, "/api/"):
			api.ServeHTTP(w, r)
		case path == confirmPath:
			confirm.ServeHTTP(w, r)
		case strings.HasPrefix(path, systemuser.Root+"system"), strings.HasPrefix(path, systemuser.AccessManagement):
			users.ServeHTTP(w, r)
		case strings.HasPrefix(path, "/static/"):
			look.ServeHTTP(w, r)
		default:
			exchange.ServeHTTP(w, r)
		}
	}))
	s.admin.Use(s.inUse())
	return nil
}

// systemUsers returns the register of systems and system users. Its records are in the store.
func (s *Server) systemUsers() (*systemuser.API, error) {
	tokens, err := s.tokens()
	if err != nil {
		return nil, err
	}
	log, err := changes.NewLog(s.State.Store, s.Issuer+" system users", s.State.Secrets...)
	if err != nil {
		return nil, err
	}
	return systemuser.New(systemuser.Config{
		Tokens: tokens, Issuer: s.Issuer, DelegationSources: s.Config.DelegationSources, Platform: s.Base() + "/", ConfirmURL: s.Base() + confirmPath + "?id=",
		Parties: registers{s.Config}, Log: log, Systems: s.Config.systems(), Users: s.Config.systemUsers(), Now: s.clock, Logger: s.log, OnEvent: s.admin.OnEvent(),
	})
}

// exchangeConfig returns the configuration of the exchange. The default lifetimes are those of Altinn.
func (s *Server) exchangeConfig() altinn.Config {
	c := s.Config
	return altinn.Config{
		Issuer: s.Issuer, Keys: s.Keys.Set(),
		Maskinporten:  c.Maskinporten.provider(s.Issuer, "/jwk", "fixed", s.outgoing),
		IDPorten:      c.IDPorten.provider(s.Issuer, "/jwks.json", "copy", s.outgoing),
		Studio:        c.Studio.provider(s.Issuer, "", "fixed", s.outgoing),
		Organisations: registers{c}, Users: registers{c}, PartnerScopes: c.PartnerScopes,
		AllowLegacyRegister: c.LegacyRegister == nil || *c.LegacyRegister, KeepJTI: c.KeepJTI, NegotiateJSON: c.NegotiateJSON,
		RefreshLength: altinn.DefaultLength, Introspection: &altinn.Introspection{Issuers: providerEntry{Issuers: c.IntrospectionIssuers}.provider(s.Issuer, "", "", s.outgoing).Issuers},
		Now: s.clock, Logger: s.log, OnEvent: s.admin.OnEvent(),
	}
}

func (s *Server) clock() time.Time { return s.Now() }

// endpoint returns the name of what is at a path, for metrics. The paths of the API are not told apart.
func (s *Server) endpoint(path string) string {
	metadata := standin.PathOf(s.Issuer) + "/.well-known/openid-configuration"
	switch {
	case strings.HasPrefix(path, altinn.ExchangePath):
		return "exchange"
	case path == altinn.RefreshPath:
		return "refresh"
	case path == altinn.IntrospectionPath:
		return "introspection"
	case strings.HasPrefix(path, "/api/"):
		return "api"
	case path == metadata:
		return "metadata"
	case path == metadata+"/jwks":
		return "jwks"
	}
	return ""
}

// running says how the server runs.
func (s *Server) running() standin.Running {
	return standin.Running{Log: s.log, Store: s.State.Store, Keys: s.Keys, Admin: s.admin, Endpoint: s.endpoint, Drain: s.Options.Drain}
}

// Handler returns the handler of the server, for a host that serves it in place of Serve.
func (s *Server) Handler() http.Handler { return s.Sites.Handler(s.running()) }

// Serve implements standin.Server.
func (s *Server) Serve(ctx context.Context) error {
	return s.Sites.Serve(ctx, s.running())
}

// Base returns the base URL of the paths that are not below the issuer.
func (s *Server) Base() string {
	u, err := url.Parse(s.Issuer)
	if err != nil {
		return s.Sites[0].Base // altinn.New validated the issuer
	}
	return u.Scheme + "://" + u.Host
}

// Greet implements standin.Server.
func (s *Server) Greet(w io.Writer) {
	fmt.Fprintf(w, "portner: a local Altinn\n\n  issuer      %s\n  metadata    %s.well-known/openid-configuration\n", s.Issuer, s.Issuer)
	for _, p := range []struct {
		name string
		of   providerEntry
	}{{"id-porten", s.Config.IDPorten}, {"maskinporten", s.Config.Maskinporten}, {"altinnstudio", s.Config.Studio}} {
		for _, i := range p.of.Issuers {
			fmt.Fprintf(w, "  exchange    %s%s%s  (tokens of %s)\n", s.Base(), altinn.ExchangePath, p.name, i.Issuer)
		}
	}
	fmt.Fprintf(w, "  refresh     %s%s\n  introspect  %s%s\n  systems     %s%ssystemregister/vendor\n  parties     %s%sauthorizedparties\n",
		s.Base(), altinn.RefreshPath, s.Base(), altinn.IntrospectionPath, s.Base(), systemuser.Root, s.Base(), systemuser.AccessManagement)
	for _, path := range apiPaths() {
		fmt.Fprintf(w, "  API         %s%s\n", s.Base(), path)
	}
	fmt.Fprintf(w, "  ApiKey      %s\n", s.Config.APIKeys[0])
	s.admin.Greet(w)
	fmt.Fprint(w, "\n  Ctrl-C stops it.\n\n")
}

// verifier returns the verifier of Altinn's tokens. It loads the keys as an API in another process does, because they change.
func (s *Server) verifier() (*resource.Verifier, error) {
	keys := resource.RemoteKeys{URI: "http://localhost/jwks", HTTP: &http.Client{Transport: ownKeys{s}}, Refetch: time.Second}
	return resource.New(resource.Config{
		Issuer: s.Issuer, Keys: keys, URL: s.Issuer, AllowNoScope: true, Realm: "altinn", Now: s.clock, Logger: s.log, OnEvent: s.admin.OnEvent(),
	})
}

// ownKeys answers every request with the keys of the server.
type ownKeys struct{ s *Server }

// RoundTrip implements http.RoundTripper.
func (k ownKeys) RoundTrip(r *http.Request) (*http.Response, error) {
	jwks, _ := k.s.Keys.Set().JWKS(k.s.Now())
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(jwks)), Request: r}, nil
}
