package standin

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/portner-go/portner/internal/fields"
	"github.com/portner-go/portner/internal/standin/look"
)

const (
	writeTimeout = 15 * time.Second
	// StopWithin limits how long a server waits for the requests in progress at shutdown. No response takes longer.
	StopWithin = writeTimeout + time.Second
)

// Site is one origin of a program: a listener and its handler.
type Site struct {
	Name string
	Base string // scheme, host and port of its URLs
	// Hosts are the values of the Host header field that the site accepts.
	Hosts []string

	own      string       // host and port of the listener, as in Base
	listener net.Listener // nil if the host serves the handler
	tls      *tls.Config  // nil for plain http
	handler  atomic.Pointer[http.Handler]
	measured http.Handler // calls handler and measures it; nil without metrics
	anyHost  bool         // Hosts is not checked
	observe  Observer     // nil if nothing does
	probes   bool         // the site has the paths of probes: the provider has them, and the services of a demo do not
}

// Observer returns a handler around that of a site, which it names, for a host that observes requests and responses.
type Observer func(site string, next http.Handler) http.Handler

// Handle makes h the handler of the requests that arrive from now on. Those in progress keep the handler that they have.
func (s *Site) Handle(h http.Handler) { s.handler.Store(&h) }

// Handler returns the handler of the site. It is nil before Handle.
func (s *Site) Handler() http.Handler {
	if h := s.handler.Load(); h != nil {
		return *h
	}
	return nil
}

// Sites are the origins of a program, the provider first.
type Sites []*Site

// Listen opens a listener for the provider at f.Addr, and one on 127.0.0.1 for each further site, on the ports that follow.
// If the port is 0, each site gets any free port. The further sites do not have the host localhost, so that the browser
// separates their cookies from those of the provider. If f.Addr is "", the provider has no listener, and issuer is its URL.
func Listen(f Flags, issuer string, further ...string) (Sites, error) {
	if f.Addr == "" {
		return inside(f, issuer, further)
	}
	host, port, err := splitAddr("-addr", f.Addr, len(further))
	if err != nil {
		return nil, err
	}
	secure, err := f.TLS.Server()
	if err != nil {
		return nil, err
	}
	provider, err := f.open("provider", host, port, secure)
	if err != nil {
		return nil, fmt.Errorf("%w (-addr chooses another address)", err)
	}
	provider.probes = true
	provider.Hosts = append(provider.Hosts, f.hosts()...)
	sites := Sites{provider}
	for i, name := range further {
		if port != 0 {
			port++
		}
		site, err := f.open(name, "127.0.0.1", port, nil)
		if err != nil {
			sites.Close()
			return nil, fmt.Errorf("%w (the demo uses the %d ports after -addr; -demo=false leaves it out)", err, i+1)
		}
		sites = append(sites, site)
	}
	return sites, nil
}

// CheckAddr returns the error of Listen for an address or a certificate, without opening a listener.
func (f Flags) CheckAddr() error {
	_, _, err := splitAddr("-addr", f.Addr, 0)
	_, failed := f.TLS.Server()
	return errors.Join(err, failed)
}

// inside returns a site that the host serves.
func inside(f Flags, issuer string, further []string) (Sites, error) {
	u, err := url.Parse(issuer)
	switch {
	case len(further) > 0:
		return nil, errors.New("-demo: the demo needs -addr")
	case err != nil || u.Host == "":
		return nil, errors.New("-issuer: must be a URL if there is no -addr")
	}
	return Sites{{Name: "provider", Base: u.Scheme + "://" + u.Host, Hosts: append(f.hosts(), u.Host), probes: true, observe: f.Observe}}, nil
}

// hosts returns the values of -hosts.
func (f Flags) hosts() (all []string) {
	for host := range strings.SplitSeq(f.Hosts, ",") {
		if host = strings.TrimSpace(host); host != "" {
			all = append(all, host)
		}
	}
	return all
}

// checkHosts returns an error if a value of -hosts is no value of a Host field.
func (f Flags) checkHosts() error {
	for _, host := range f.hosts() {
		if u, err := url.Parse("http://" + host); err != nil || u.Host != host || u.Hostname() == "" {
			return fmt.Errorf("-hosts: %q must be HOST or HOST:PORT", host)
		}
	}
	return nil
}

// ListenMTLS opens a listener at addr that requests certificates of clients, with the certificate of f. The host checks the certificates.
func ListenMTLS(f Flags, addr string) (*Site, error) {
	host, port, err := splitAddr("-mtls-addr", addr, 0)
	if err != nil {
		return nil, err
	}
	secure, err := f.TLS.Server()
	if err != nil {
		return nil, err
	}
	if secure == nil {
		return nil, errors.New("-mtls-addr: needs -tls-cert and -tls-key")
	}
	secure.ClientAuth = tls.RequestClientCert
	site, err := f.open("mutual TLS", host, port, secure)
	if err == nil {
		site.probes = true
	}
	return site, err
}

// splitAddr splits the address of a flag. further ports follow its port.
func splitAddr(flag, addr string, further int) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0, fmt.Errorf("%s: %q must be HOST:PORT, such as localhost:8080", flag, addr)
	}
	port, err = strconv.Atoi(text)
	if err != nil || port < 0 || port+further > 65535 {
		return "", 0, fmt.Errorf("%s: %q is not a valid port", flag, text)
	}
	return host, port, nil
}

// open opens the listener of a site that f.Observe observes.
func (f Flags) open(name, host string, port int, secure *tls.Config) (*Site, error) {
	site, err := open(name, host, port, secure)
	if err == nil {
		site.observe = f.Observe
	}
	return site, err
}

func open(name, host string, port int, secure *tls.Config) (*Site, error) {
	l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		return nil, err
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	addr := l.Addr().String()
	_, actual, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	own := net.JoinHostPort(host, actual)
	scheme := "http://"
	if secure != nil {
		scheme = "https://"
	}
	return &Site{Name: name, Base: scheme + own, Hosts: []string{addr, own}, own: own, listener: l, tls: secure}, nil
}

// HasTLS reports whether the site has a certificate.
func (s *Site) HasTLS() bool { return s.tls != nil }

// onLoopback reports whether only this machine reaches the listener.
func (s *Site) onLoopback() bool {
	addr, ok := s.listener.Addr().(*net.TCPAddr)
	return ok && addr.IP.IsLoopback()
}

// Accept adds the host of a URL to Hosts, such as the host of an issuer behind a proxy.
func (s *Site) Accept(rawURL string) {
	if u, err := url.Parse(rawURL); err == nil && u.Host != "" {
		s.Hosts = append(s.Hosts, u.Host)
	}
}

// CheckTest returns an error if other machines can take the server for a real one or reach it, and the configuration does not name it
// as a test environment. A stand-in accepts what a test environment accepts: passwords in clear, http redirect URIs, users that are
// public. Unless test repeats issuer, the issuer and the listener of the provider must be on loopback.
func (s Sites) CheckTest(issuer, test string) error {
	u, err := url.Parse(issuer)
	if err != nil || u.Host == "" {
		return fmt.Errorf("issuer: %q must be a URL, such as http://localhost:8080", issuer)
	}
	if err := s[0].checkScheme(u); err != nil {
		return fmt.Errorf("issuer: %s %w", issuer, err)
	}
	if test != "" {
		if test != issuer {
			return fmt.Errorf("-test-issuer: must be equal to the issuer %s", issuer)
		}
		if u.Scheme == "http" && !fields.PlainHTTP(u.Hostname()) {
			return fmt.Errorf("issuer: %s has http at another host than this machine, which needs -allow-http", issuer)
		}
		return nil
	}
	if !fields.IsLoopback(u.Hostname()) {
		return fmt.Errorf("issuer: %s is not on loopback: a test environment there needs -test-issuer %s (test_issuer in the configuration)", issuer, issuer)
	}
	if s[0].listener == nil {
		return nil // the host serves the handler
	}
	if !s[0].onLoopback() {
		return fmt.Errorf("-addr: %s is not on loopback: a test environment that other machines reach needs -test-issuer %s (test_issuer in the configuration)",
			s[0].listener.Addr(), issuer)
	}
	return nil
}

// checkScheme returns an error if no client can reach an issuer because the scheme is not that of the listener. An https issuer at another
// address is that of a proxy.
func (s *Site) checkScheme(issuer *url.URL) error {
	switch {
	case s.listener == nil:
		return nil // the host serves the handler
	case s.tls != nil && issuer.Scheme == "http":
		return errors.New("must begin with https, because the server has -tls-cert")
	case s.tls == nil && issuer.Scheme == "https" && slices.Contains([]string{s.listener.Addr().String(), s.own}, issuer.Host):
		return errors.New("has https at the address of this server, which needs -tls-cert and -tls-key")
	}
	return nil
}

// Close closes the listeners of sites that were not served.
func (s Sites) Close() {
	for _, site := range s {
		if site.listener != nil {
			_ = site.listener.Close()
		}
	}
}

// Running says how Sites.Serve runs.
type Running struct {
	Log *slog.Logger
	// Store is closed after the last request. It is nil for a program without state.
	Store Store
	// Keys sign tokens. They are nil for a program that signs none.
	Keys *Keys
	// Admin applies the changes of other nodes. It is nil for a program without configuration.
	Admin *Administration
	// Endpoint returns the name of what the provider has at a path, for metrics; "" for other paths.
	Endpoint func(path string) string
	// Drain is how long requests are accepted after the context has ended, while the readiness probe fails.
	Drain time.Duration
}

// Serve handles requests until ctx ends. Then the readiness probe fails, requests are accepted for run.Drain, those in progress are waited
// for, the store is closed, and Serve returns.
func (s Sites) Serve(ctx context.Context, run Running) error {
	if err := run.Admin.measure(s, run); err != nil {
		s.Close()
		return err
	}
	failed := make(chan error, len(s))
	var servers []*gracefulServer
	health := run.health()
	for _, site := range s {
		if site.listener == nil {
			continue
		}
		srv := site.server(run.Log, health)
		servers = append(servers, srv)
		go func() {
			if err := site.serve(srv.Server); !errors.Is(err, http.ErrServerClosed) {
				failed <- fmt.Errorf("%s: %w", site.Name, err)
			}
		}()
	}
	work := startWork(run)
	err := wait(ctx, failed)
	health.draining.Store(true)
	if err == nil && run.Drain > 0 {
		run.Log.Info("draining", "for", run.Drain)
		err = after(run.Drain, failed)
	}
	shutdown(servers)
	work()
	if run.Store != nil {
		err = errors.Join(err, run.Store.Close())
	}
	return err
}

// Handler returns the handler of the provider, for a host that serves it. It does what the listener of Serve would do: it checks the host of
// each request, sets header fields and answers probes.
func (s Sites) Handler(run Running) http.Handler { return s[0].guard(run.health()) }

func (run Running) health() *health { return &health{store: run.Store, keys: run.Keys, log: run.Log} }

// startWork starts what runs beside requests: expired records are deleted, and keys are rotated. The function that it returns ends it.
func startWork(run Running) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	if run.Keys != nil {
		wg.Go(func() { run.Keys.Run(ctx) })
	}
	if run.Store != nil {
		wg.Go(func() { run.Store.Run(ctx) })
	}
	wg.Go(func() { run.Admin.run(ctx) })
	return func() {
		cancel()
		wg.Wait()
	}
}

// wait waits until ctx ends or a listener fails.
func wait(ctx context.Context, failed <-chan error) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-failed:
		return err
	}
}

// after waits for d, or until a listener fails.
func after(d time.Duration, failed <-chan error) error {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	return wait(ctx, failed)
}

// gracefulServer is a server that knows its unused connections.
type gracefulServer struct {
	*http.Server

	mu     sync.Mutex
	unused map[net.Conn]bool // connections without a request yet
}

func (s *Site) server(log *slog.Logger, health *health) *gracefulServer {
	srv := &gracefulServer{unused: map[net.Conn]bool{}, Server: &http.Server{
		Handler: s.guard(health), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: writeTimeout, IdleTimeout: 60 * time.Second, MaxHeaderBytes: 16 << 10,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}}
	srv.ConnState = srv.note
	if s.tls != nil {
		srv.TLSConfig = s.tls.Clone()
	}
	return srv
}

// note records whether a connection is unused.
func (srv *gracefulServer) note(c net.Conn, state http.ConnState) {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	if state == http.StateNew {
		srv.unused[c] = true
	} else {
		delete(srv.unused, c)
	}
}

// closeUnused closes the connections that a browser opened in advance: Shutdown waits for them for five seconds.
func (srv *gracefulServer) closeUnused() {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	for c := range srv.unused {
		_ = c.Close()
	}
}

func (s *Site) serve(srv *http.Server) error {
	if s.tls != nil {
		return srv.ServeTLS(s.listener, "", "")
	}
	return srv.Serve(s.listener)
}

// shutdown closes the listeners and waits for the requests in progress.
func shutdown(servers []*gracefulServer) {
	ctx, cancel := context.WithTimeout(context.Background(), StopWithin)
	defer cancel()
	var wg sync.WaitGroup
	for _, srv := range servers {
		srv.RegisterOnShutdown(srv.closeUnused) // after the listener is closed
		wg.Go(func() {
			if srv.Shutdown(ctx) != nil {
				_ = srv.Close()
			}
		})
	}
	wg.Wait()
}

// guard rejects requests for other hosts (RFC 9110 §7.4) and sets the strictest value of each security header field; handlers
// replace them where they need to. Probes are answered for every host: they come from other machines, which know the address only.
func (s *Site) guard(health *health) http.Handler {
	guarded := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Content-Security-Policy", "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'none'")
		h.Set("Cache-Control", "no-store")
		h.Set("Pragma", "no-cache")
		if r.TLS != nil && !fields.IsLoopback((&url.URL{Host: r.Host}).Hostname()) { // RFC 6797 §8.3: browsers keep it for every port of the host
			h.Set("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
		}
		switch {
		case s.probes && health.answer(w, r):
		case !s.anyHost && !slices.Contains(s.Hosts, r.Host):
			look.Misdirected(w, r, s.Base)
		case s.measured != nil:
			s.measured.ServeHTTP(w, r)
		default:
			s.Handler().ServeHTTP(w, r)
		}
	})
	if s.observe == nil {
		return guarded
	}
	return s.observe(s.Name, guarded)
}
