// Package ansattporten is a stand-in for Ansattporten (docs/spec/ansattporten.md).
package ansattporten

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"

	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/digdir/ansattporten"
	"github.com/portner-go/portner/internal/standin"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/session"
)

// Server holds the parts of the program.
type Server struct {
	*standin.Parts[Config]

	Options   Options
	DemoAt    string // URL of the demo service; "" without it
	directory *directory
	op        *provider.Provider
}

// Open opens the ports and builds the server.
func Open(ctx context.Context, opt Options, log *slog.Logger) (*Server, error) {
	s := &Server{Options: opt}
	spec := standin.Spec[Config]{
		Name: "Ansattporten", Lists: lists(), Sessions: true, Parse: parseConfig,
		Endpoint: func(path string) string { return s.op.Endpoint(path) },
	}
	if opt.Demo {
		spec.Further = []string{"demo"}
		spec.With = func(p *standin.Parts[Config], file Config) Config { return file.with(p.Sites[1].Base, p.Admin) }
	}
	return standin.Open(ctx, opt.Flags, log, s, spec, standin.Builder[Config, Server]{
		Set: func(s *Server, p *standin.Parts[Config]) { s.Parts = p }, Build: (*Server).build, Start: (*Server).start,
	})
}

// start makes the handlers.
func (s *Server) start() error {
	if s.Options.Demo {
		s.DemoAt = s.Sites[1].Base
	}
	if err := s.build(); err != nil {
		return err
	}
	if s.Options.Demo {
		s.Sites[1].Handle(s.Options.NewDemo(Demo{Issuer: s.Issuer, Base: s.DemoAt, Secret: demoSecret, HTTP: s.Options.Outgoing(), Log: s.Log}))
	}
	return nil
}

// Demo is what the demo service knows. Its client is demoClient.
type Demo struct {
	Issuer string
	Base   string // base URL of the service
	Secret string
	HTTP   *http.Client // for requests to the provider
	Log    *slog.Logger
}

func (s *Server) build() error {
	s.directory = &directory{s.Config.Users, s.Config.Resources}
	pages := newPages(s)
	cfg, err := s.providerConfig()
	if err != nil {
		return err
	}
	cfg.Page, cfg.ErrorPage, cfg.LogoutPages = pages.show, pages.authorizeError, pages.LogoutPages()
	if cfg.TestLogin, err = s.testLogin(); err != nil {
		return err
	}
	if s.op, err = provider.New(cfg); err != nil {
		return err
	}
	s.Sites[0].Handle(pages.routes())
	s.Admin.Use(s.inUse())
	return nil
}

// testLogin returns the test login, or nil unless the configuration has one.
func (s *Server) testLogin() (*authorize.TestLogin, error) {
	if !s.Config.TestLogin {
		return nil, nil
	}
	return standin.NewTestLogin(s.Issuer, s.TestIssuer(), func(match func(pid, username string) bool) (session.Authentication, bool, error) {
		u, ok := s.directory.find(func(u user) bool { return match(u.PID, u.Username) })
		return u.authentication(), ok, nil
	})
}

func (s *Server) providerConfig() (provider.Config, error) {
	clients, cerr := s.Config.ClientRegistry(environment, s.Now())
	scopes, serr := scope.NewRegistry(s.Config.Scopes, s.Config.ScopeAccess)
	types, terr := s.directory.types()
	profile := ansattporten.Profile()
	if s.Config.ConfirmLogout != nil {
		profile.ConfirmLogout = *s.Config.ConfirmLogout
	}
	certs, verr := s.Config.Certificates.Verifier(s.Log)
	return provider.Config{
		Issuer: s.Issuer, Profile: profile, Environment: environment, Certificates: certs,
		Store: s.State.Store, Keys: s.Keys.Set(), Clients: clients, Origins: clients.HasOrigin, Scopes: scopes, AuthorizationDetails: types,
		Secrets: s.State.Secrets, PairwiseKey: s.State.PairwiseKey,
		PushedRequests: s.State.Store, Replay: s.State.Store, Now: s.Clock, Logger: s.Log, OnEvent: s.Admin.OnEvent(),
	}, errors.Join(cerr, serr, terr, verr)
}

// Greet implements standin.Server.
func (s *Server) Greet(w io.Writer) {
	fmt.Fprintf(w, "portner: a local Ansattporten\n\n  issuer      %s\n  metadata    %s/.well-known/openid-configuration\n", s.Issuer, s.Issuer)
	if s.Options.Demo {
		fmt.Fprintf(w, "\n  Open %s  (Tjeneste for ansatte)\n", s.DemoAt)
	}
	var names []string
	for _, u := range s.Config.Users {
		names = append(names, u.Username)
	}
	fmt.Fprintf(w, "\n  Users: %s\n", strings.Join(names, ", "))
	s.Admin.Greet(w)
	fmt.Fprint(w, "\n  Ctrl-C stops it.\n\n")
}
