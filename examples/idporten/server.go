package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/examples/internal/demo"
	"github.com/portner-go/portner/examples/internal/look"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/logout"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage/memory"
	"github.com/portner-go/portner/token"
)

// server is everything the command runs.
type server struct {
	opt      options
	cfg      config
	log      *slog.Logger
	issuer   string
	hosts    []string // what Host may say
	at       addresses
	outgoing *http.Client

	store *memory.Store
	op    *provider.Provider
	pages *pages
	users *directory

	parts []part
}

// part is one listener and what answers there.
type part struct {
	name     string
	listener net.Listener
	handler  http.Handler
}

func newServer(opt options, log *slog.Logger) (*server, error) {
	s := &server{opt: opt, log: log, outgoing: outgoing(opt.insecureTrustSelfSign)}
	if opt.configFile != "" {
		c, err := readConfig(opt.configFile)
		if err != nil {
			return nil, err
		}
		s.cfg = c
	}
	if err := s.listen(); err != nil {
		return nil, err
	}
	if err := s.build(); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// listen opens all listeners before anything is built, so that free ports (-addr host:0) are known.
func (s *server) listen() error {
	host, port, err := net.SplitHostPort(s.opt.addr)
	if err != nil {
		return fmt.Errorf("-addr: %w", err)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		return fmt.Errorf("-addr: %w", err)
	}
	names := []string{"provider"}
	if s.opt.demo {
		names = append(names, "first", "second", "isolated", "api")
	}
	for i, name := range names {
		h, p := host, n
		if i > 0 {
			h = "127.0.0.1" // another site than localhost: cookies behave as between real services
			if n != 0 {
				p = n + i
			}
		}
		l, err := net.Listen("tcp", net.JoinHostPort(h, strconv.Itoa(p)))
		if err != nil {
			s.close()
			return fmt.Errorf("%s: %w", name, err)
		}
		s.parts = append(s.parts, part{name: name, listener: l})
	}
	s.locate(host)
	return nil
}

// locate works out the addresses people and services use.
func (s *server) locate(host string) {
	_, port, _ := net.SplitHostPort(s.parts[0].listener.Addr().String())
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	scheme := "http"
	if s.opt.tlsCert != "" {
		scheme = "https"
	}
	own := net.JoinHostPort(host, port)
	for _, candidate := range []string{s.opt.issuer, s.cfg.Issuer, scheme + "://" + own} {
		if candidate != "" {
			s.issuer = candidate
			break
		}
	}
	s.hosts = []string{own, s.parts[0].listener.Addr().String()}
	if u, err := url.Parse(s.issuer); err == nil {
		s.hosts = append(s.hosts, u.Host)
	}
	base := func(i int) string { return "http://" + s.parts[i].listener.Addr().String() }
	if s.opt.demo {
		s.at = addresses{first: base(1), second: base(2), isolated: base(3), api: base(4)}
	}
}

func (s *server) build() error {
	if s.opt.demo {
		b := builtin(s.at)
		s.cfg.Clients = append(b.Clients, s.cfg.Clients...)
		s.cfg.Scopes = append(b.Scopes, s.cfg.Scopes...)
		s.cfg.ScopeAccess = append(b.ScopeAccess, s.cfg.ScopeAccess...)
		if len(s.cfg.Users) == 0 {
			s.cfg.Users = b.Users
		}
	}
	if err := s.buildProvider(); err != nil {
		return err
	}
	s.parts[0].handler = s.routes()
	if s.opt.demo {
		s.buildDemo()
	}
	return nil
}

func (s *server) buildProvider() error {
	now := time.Now()
	profile := provider.IDPorten()
	if s.cfg.Profile == "openid" {
		profile = provider.OpenIDConnect()
	}
	clients, err := registrations(s.cfg.Clients, now)
	if err != nil {
		return err
	}
	scopes, err := scope.NewRegistry(append(slices.Clone(profile.Scopes), s.cfg.Scopes...), s.cfg.ScopeAccess)
	if err != nil {
		return err
	}
	keys, err := generateKeys()
	if err != nil {
		return err
	}
	var testLogin *authorize.TestLogin
	if s.cfg.TestLogin {
		if testLogin, err = authorize.NewTestLogin(authorize.TestLoginConfig{Issuer: s.issuer}); err != nil {
			return err
		}
	}
	s.store = memory.New()
	s.users = newDirectory(s.cfg.Users)
	s.pages = newPages(s)
	s.op, err = provider.New(provider.Config{
		Issuer: s.issuer, Environment: client.Environment{Test: true}, Profile: profile, Store: s.store, Keys: keys, Clients: clients, Scopes: scopes,
		Pages:   authorize.PageURLs{Login: "/login", Consent: "/consent"},
		Secrets: []portner.Secret{random()}, PairwiseKey: random(),
		PushedRequests: s.store, Consents: s.store, Replay: s.store, Users: s.users,
		Session: session.Rules{Limits: session.Limits{Max: seconds(s.cfg.Session.Max), Idle: seconds(s.cfg.Session.Idle)}},
		Lifetimes: provider.Lifetimes{
			Lifetimes: token.Lifetimes{
				AccessToken: seconds(s.cfg.Lifetimes.AccessToken), RefreshToken: seconds(s.cfg.Lifetimes.RefreshToken),
				Authorization: seconds(s.cfg.Lifetimes.Authorization), IDToken: seconds(s.cfg.Lifetimes.IDToken),
			},
			Code: seconds(s.cfg.Lifetimes.Code), PushedRequest: seconds(s.cfg.Lifetimes.PushedRequest),
		},
		ErrorPage: s.pages.authorizeError, LogoutPages: s.pages, TestLogin: testLogin,
		Backchannel: logout.NewSender(logout.SenderConfig{AllowHTTP: true, AllowPrivate: true, TLS: tlsConfig(s.opt.insecureTrustSelfSign)}), // services on this machine
		Logger:      s.log,
	})
	return err
}

// generateKeys makes a key of each algorithm, so that every id_token_signed_response_alg can be tried.
func generateKeys() (*keyset.Set, error) {
	var keys []keyset.Key
	for _, alg := range []string{keyset.RS256, keyset.ES256, keyset.PS256, keyset.EdDSA} {
		k, err := keyset.Generate(alg)
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	return keyset.New(keyset.Config{Keys: keys})
}

func random() portner.Secret {
	b := make([]byte, 32)
	rand.Read(b)
	return b
}

func (s *server) buildDemo() {
	services := []struct {
		name, class, text, id string
		stories               []demo.Story
	}{
		{"Min tjeneste", "first", "En offentlig tjeneste som bruker ID-porten. Velg en historie.", "min-tjeneste", stories()},
		{"Annen tjeneste", "second", "Er du innlogget et annet sted, kommer du rett inn her (SSO).", "annen-tjeneste", loginOnly()},
		{"Isolert tjeneste", "isolated", "Deltar ikke i felles SSO: her må du alltid logge inn først.", "isolert-tjeneste", loginOnly()},
	}
	for i, sv := range services {
		var others []demo.Link
		for j, o := range services {
			if j != i {
				others = append(others, demo.Link{Name: o.name, URL: s.base(j + 1)})
			}
		}
		rp := demo.NewService(demo.ServiceConfig{
			Name: sv.name, Class: sv.class, Text: sv.text, Base: s.base(i + 1), Issuer: s.issuer, ClientID: sv.id, Secret: demoSecret,
			API: s.at.api, Stories: sv.stories, Others: others, HTTP: s.outgoing,
		})
		s.parts[i+1].handler = rp.Handler(look.Handler())
	}
	s.parts[4].handler = demo.NewAPI(s.issuer, s.issuer+"/tokeninfo", s.issuer+"/jwks.json", demoAPIClient, demoAPISecret, s.outgoing)
}

func (s *server) base(i int) string { return "http://" + s.parts[i].listener.Addr().String() }

// outgoing is for calls to other servers: services to the provider, the provider's back-channel logout.
func outgoing(trustAnything bool) *http.Client {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.Proxy = nil
	t.TLSClientConfig = tlsConfig(trustAnything)
	return &http.Client{
		Transport: t, Timeout: 10 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// tlsConfig trusts the system's roots, or anything behind the flag that says so.
func tlsConfig(trustAnything bool) *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: trustAnything}
}

// greet prints what to open.
func (s *server) greet(w io.Writer) {
	fmt.Fprintf(w, "portner: a local ID-porten\n\n  issuer      %s\n  metadata    %s/.well-known/openid-configuration\n", s.issuer, s.issuer)
	if s.opt.demo {
		fmt.Fprintf(w, "\n  Open %s  (Min tjeneste)\n", s.at.first)
		fmt.Fprintf(w, "       %s  (Annen tjeneste: single sign-on)\n", s.at.second)
		fmt.Fprintf(w, "       %s  (Isolert tjeneste)\n", s.at.isolated)
		fmt.Fprintf(w, "  API  %s/api/inntekt\n", s.at.api)
	}
	names := make([]string, 0, len(s.cfg.Users))
	for _, u := range s.cfg.Users {
		names = append(names, u.Username)
	}
	if len(names) > 0 {
		fmt.Fprintf(w, "\n  Users: %s\n", strings.Join(names, ", "))
	}
	fmt.Fprint(w, "\n  Ctrl-C stops it.\n\n")
}

// serve runs until ctx ends, then finishes what is under way and returns.
func (s *server) serve(ctx context.Context) error {
	errc := make(chan error, len(s.parts))
	servers := make([]*http.Server, len(s.parts))
	for i, p := range s.parts {
		servers[i] = &http.Server{
			Handler: p.handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
			WriteTimeout: 15 * time.Second, IdleTimeout: 60 * time.Second, MaxHeaderBytes: 16 << 10,
			ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
		}
		go func() {
			err := error(nil)
			if i == 0 && s.opt.tlsCert != "" {
				servers[i].TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
				err = servers[i].ServeTLS(p.listener, s.opt.tlsCert, s.opt.tlsKey)
			} else {
				err = servers[i].Serve(p.listener)
			}
			if !errors.Is(err, http.ErrServerClosed) {
				errc <- fmt.Errorf("%s: %w", p.name, err)
			}
		}()
	}
	var failed error
	sweep := time.NewTicker(10 * time.Second)
	defer sweep.Stop()
loop:
	for {
		select {
		case <-ctx.Done():
			break loop
		case failed = <-errc:
			break loop
		case t := <-sweep.C:
			_, _ = s.store.Sweep(ctx, t)
		}
	}
	return errors.Join(failed, shutdown(servers))
}

func shutdown(servers []*http.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	errs := make([]error, len(servers))
	var wg sync.WaitGroup
	for i, srv := range servers {
		wg.Go(func() { errs[i] = srv.Shutdown(ctx) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (s *server) close() {
	for _, p := range s.parts {
		_ = p.listener.Close()
	}
}
