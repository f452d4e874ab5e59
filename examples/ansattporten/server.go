package main

import (
	"context"
	"crypto/rand"
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
	"github.com/portner-go/portner/digdir/ansattporten"
	"github.com/portner-go/portner/examples/internal/demo"
	"github.com/portner-go/portner/examples/internal/look"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/storage/memory"
)

// server is everything the command runs.
type server struct {
	opt    options
	cfg    config
	log    *slog.Logger
	issuer string
	demoAt string // of the demo service; "" without it

	store     *memory.Store
	directory *directory
	op        *provider.Provider
	parts     []part // the provider first
}

// part is one listener and what answers there.
type part struct {
	hosts    []string // what Host may say
	listener net.Listener
	handler  http.Handler
}

// newServer opens the ports and builds everything. It answers nobody yet.
func newServer(opt options, log *slog.Logger) (*server, error) {
	s := &server{opt: opt, log: log, store: memory.New()}
	var err error
	if opt.configFile != "" {
		if s.cfg, err = readConfig(opt.configFile); err != nil {
			return nil, err
		}
	}
	if err = s.listen(); err == nil {
		err = s.build()
	}
	if err != nil {
		for _, p := range s.parts {
			_ = p.listener.Close()
		}
		return nil, err
	}
	return s, nil
}

// listen opens the listeners before anything is built, so that free ports (-addr host:0) are known.
func (s *server) listen() error {
	host, port, err := net.SplitHostPort(s.opt.addr)
	if err != nil {
		return fmt.Errorf("-addr: %w", err)
	}
	n, err := strconv.Atoi(port)
	if err != nil || n < 0 || n >= 65535 {
		return fmt.Errorf("-addr: %q is no port", port)
	}
	if err := s.open(host, n); err != nil {
		return err
	}
	_, port, _ = net.SplitHostPort(s.parts[0].listener.Addr().String())
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	s.issuer = "http://" + net.JoinHostPort(host, port)
	for _, issuer := range []string{s.cfg.Issuer, s.opt.issuer} {
		if issuer != "" {
			s.issuer = issuer
		}
	}
	s.parts[0].hosts = append(s.parts[0].hosts, net.JoinHostPort(host, port))
	if u, err := url.Parse(s.issuer); err == nil && u.Host != "" {
		s.parts[0].hosts = append(s.parts[0].hosts, u.Host)
	}
	if !s.opt.demo {
		return nil
	}
	if n != 0 {
		n++
	}
	if err := s.open("127.0.0.1", n); err != nil { // another site than localhost, as a real service is
		return err
	}
	s.demoAt = "http://" + s.parts[1].listener.Addr().String()
	return nil
}

func (s *server) open(host string, port int) error {
	l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		return err
	}
	s.parts = append(s.parts, part{listener: l, hosts: []string{l.Addr().String()}})
	return nil
}

func (s *server) build() error {
	if s.opt.demo {
		s.cfg = s.cfg.with(s.demoAt)
	}
	s.directory = &directory{s.cfg.Users, s.cfg.Resources}
	pages := newPages(s)
	cfg, err := s.providerConfig()
	if err != nil {
		return err
	}
	cfg.ErrorPage = pages.failed
	if s.op, err = provider.New(cfg); err != nil {
		return err
	}
	s.parts[0].handler = pages.routes()
	if s.opt.demo {
		s.parts[1].handler = demo.NewService(demo.ServiceConfig{
			Name: "Tjeneste for ansatte", Class: "second", Text: "Logg inn på vegne av en virksomhet.", Provider: "Ansattporten",
			Base: s.demoAt, Issuer: s.issuer, ClientID: demoClient, Secret: demoSecret, Stories: stories(),
			HTTP: &http.Client{Timeout: 10 * time.Second}, Log: s.log,
		}).Handler(look.Handler())
	}
	return nil
}

func (s *server) providerConfig() (provider.Config, error) {
	clients, cerr := s.cfg.clientRegistry()
	scopes, serr := scope.NewRegistry(s.cfg.Scopes, s.cfg.ScopeAccess)
	types, terr := s.directory.types()
	key, kerr := keyset.Generate(keyset.RS256)
	if err := errors.Join(cerr, serr, terr, kerr); err != nil {
		return provider.Config{}, err
	}
	keys, err := keyset.New(keyset.Config{Keys: []keyset.Key{key}})
	return provider.Config{
		Issuer: s.issuer, Profile: ansattporten.Profile(), Environment: client.Environment{Test: true},
		Store: s.store, Keys: keys, Clients: clients, Scopes: scopes, AuthorizationDetails: types,
		// No scope of this server needs consent: nobody is sent there.
		Pages:   authorize.PageURLs{Login: "/login", Representation: "/representation", Consent: "/consent"},
		Secrets: []portner.Secret{random()}, PairwiseKey: random(),
		PushedRequests: s.store, Replay: s.store, Logger: s.log,
	}, err
}

func random() portner.Secret {
	b := make([]byte, 32)
	rand.Read(b)
	return b
}

// guard keeps strangers out of a part (security row B8).
func (p part) guard() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !slices.Contains(p.hosts, r.Host) {
			http.Error(w, "this server does not answer for that host", http.StatusMisdirectedRequest)
			return
		}
		p.handler.ServeHTTP(w, r)
	})
}

// serve runs until ctx ends, then finishes what is under way and returns.
func (s *server) serve(ctx context.Context) error {
	errc := make(chan error, len(s.parts))
	servers := make([]*http.Server, len(s.parts))
	for i, p := range s.parts {
		servers[i] = &http.Server{
			Handler: p.guard(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
			WriteTimeout: 15 * time.Second, IdleTimeout: 60 * time.Second, MaxHeaderBytes: 16 << 10,
			ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
		}
		go func() {
			if err := servers[i].Serve(p.listener); !errors.Is(err, http.ErrServerClosed) {
				errc <- err
			}
		}()
	}
	failed := s.wait(ctx, errc)
	stopping, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	var wg sync.WaitGroup
	for _, srv := range servers {
		wg.Go(func() {
			if srv.Shutdown(stopping) != nil { // browsers open connections they never use
				_ = srv.Close()
			}
		})
	}
	wg.Wait()
	return failed
}

// wait sweeps the store until it is time to stop.
func (s *server) wait(ctx context.Context, errc <-chan error) error {
	sweep := time.NewTicker(10 * time.Second)
	defer sweep.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-errc:
			return err
		case t := <-sweep.C:
			if _, err := s.store.Sweep(ctx, t); err != nil && ctx.Err() == nil {
				s.log.Error("sweep", "error", err)
			}
		}
	}
}

// greet prints what to open.
func (s *server) greet(w io.Writer) {
	fmt.Fprintf(w, "portner: a local Ansattporten\n\n  issuer      %s\n  metadata    %s/.well-known/openid-configuration\n", s.issuer, s.issuer)
	if s.opt.demo {
		fmt.Fprintf(w, "\n  Open %s  (Tjeneste for ansatte)\n", s.demoAt)
	}
	var names []string
	for _, u := range s.cfg.Users {
		names = append(names, u.Username)
	}
	fmt.Fprintf(w, "\n  Users: %s\n\n  Ctrl-C stops it.\n\n", strings.Join(names, ", "))
}
