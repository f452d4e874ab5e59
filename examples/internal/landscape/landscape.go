package landscape

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/portner-go/portner/examples/internal/programs"
	"github.com/portner-go/portner/internal/standin"
)

// addresses are the URLs of the servers. Those of issuers are equal to the iss of their tokens.
type addresses struct {
	Page                                         string
	IDPorten, Ansattporten, Maskinporten, Altinn string
	HelseID, KRR                                 string
}

// addressesFrom returns the URLs of the servers.
func addressesFrom(scheme, host string, base int) addresses {
	local := func(host string, offset int) string {
		return scheme + "://" + net.JoinHostPort(host, strconv.Itoa(base+offset))
	}
	return addresses{
		Page:         local(host, 0),
		IDPorten:     local("localhost", portsIDPorten),
		Ansattporten: local("127.0.0.1", portsAnsattporten), // not the host of ID-porten: cookies are not separated by port
		Maskinporten: local("localhost", portsMaskinporten) + "/",
		Altinn:       local("localhost", portsAltinn),
		HelseID:      local("localhost", portsHelseID),
		KRR:          local("localhost", portsKRR),
	}
}

// part is a server.
type part struct {
	name, about string
	args        []string
	at          string // base URL
	admin       string // base URL of the administration; "" without
	command     standin.Command
	server      standin.Server // nil before it is open
	served      bool
}

// landscape holds the parts of the program.
type landscape struct {
	at       addresses
	secure   *tls.Config // of the page; nil for plain http
	listener net.Listener
	http     *http.Client
	log      *slog.Logger
	folder   string // of programs and configuration files
	stderr   io.Writer
	machine  *machine
	own      map[string]object // files of -config, by server
	metrics  standin.Sites     // empty without -metrics

	opt   options
	parts []part
}

// newLandscape opens the port of the page and writes the configuration files. It starts no server.
func newLandscape(opt options, stderr io.Writer) (*landscape, error) {
	host, base, err := locate(opt.addr)
	if err != nil {
		return nil, err
	}
	own, err := readOwn(opt.config)
	if err != nil {
		return nil, err
	}
	secure, err := opt.tls.Server()
	if err != nil {
		return nil, err
	}
	out := &lines{w: stderr}
	l := &landscape{opt: opt, secure: secure, at: addressesFrom(opt.tls.Scheme(), host, base), own: own, stderr: out, http: opt.tls.Outgoing(), log: slog.New(slog.NewTextHandler(out, nil))}
	if l.listener, err = net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(base))); err != nil {
		return nil, err
	}
	if err := l.prepare(); err != nil {
		return nil, errors.Join(err, l.listener.Close(), l.close())
	}
	return l, nil
}

func (l *landscape) prepare() (err error) {
	if l.folder, err = os.MkdirTemp("", "landscape-"); err != nil {
		return err
	}
	if l.machine, err = newMachine(time.Now()); err != nil {
		return err
	}
	if err = l.machine.set.Write(l.testCA()); err != nil {
		return err
	}
	l.parts, err = l.configure()
	return err
}

// testCA returns the folder of the test authority.
func (l *landscape) testCA() string { return filepath.Join(l.folder, "testca") }

// open opens the ports of the servers. The flags and variables of this program are not those of the servers.
func (l *landscape) open() error {
	if err := l.measure(); err != nil {
		return err
	}
	for i := range l.parts {
		p := &l.parts[i]
		p.command.Environ = []string{}
		s, err := p.command.Prepare(append(p.args, l.opt.args(*p)...), l.logger(p.name))
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		p.server = s
	}
	return nil
}

// measure opens the port of the metrics, and makes the servers measure themselves.
func (l *landscape) measure() error {
	if l.opt.metrics.Metrics == "" {
		return nil
	}
	meters := programs.NewMeters()
	site, err := standin.ListenMetrics(l.opt.metrics.Metrics, meters.Handler())
	if err != nil {
		return err
	}
	l.metrics = standin.Sites{site}
	for _, p := range l.parts {
		if p.command.Stateless {
			continue
		}
		if p.command.Flags.Meter, err = meters.Meter(p.name); err != nil {
			return fmt.Errorf("-metrics: %s: %w", p.name, err)
		}
	}
	return nil
}

// serve handles requests until ctx ends or a server ends. The servers accept requests for the time of -drain then, and the page as long as they.
func (l *landscape) serve(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	w, err := newWalk(l.at, l.machine, l.http, l.log)
	if err != nil {
		return err
	}
	srv := &http.Server{
		Handler: l.probes(ctx, w.handler()), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: 60 * time.Second, IdleTimeout: 60 * time.Second, MaxHeaderBytes: 16 << 10,
		ErrorLog: slog.NewLogLogger(l.log.Handler(), slog.LevelDebug),
	}
	page := make(chan error, 1)
	go func() {
		err := l.accept(srv)
		stop()
		page <- err
	}()
	defer standin.Reloading(ctx, l.ownFiles(), func() { l.reload(ctx) }, stop)()
	errs := make([]error, len(l.parts)+1)
	var wg sync.WaitGroup
	if len(l.metrics) > 0 {
		wg.Go(func() {
			errs[len(l.parts)] = l.metrics.Serve(ctx, standin.Running{Log: l.log, Drain: l.opt.drain})
			stop()
		})
	}
	for i, p := range l.parts {
		l.parts[i].served = true
		wg.Go(func() {
			errs[i] = p.server.Serve(ctx)
			stop()
		})
	}
	wg.Wait()
	err = srv.Close()
	if failed := <-page; !errors.Is(failed, http.ErrServerClosed) {
		err = errors.Join(err, failed)
	}
	return errors.Join(append(errs, err)...)
}

// probes answers the probes of the page as each server does: it is ready if all of them are.
func (l *landscape) probes(ctx context.Context, page http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != standin.PathAlive && r.URL.Path != standin.PathReady {
			page.ServeHTTP(w, r)
			return
		}
		status, body := http.StatusOK, `{"status":"ok"}`
		if r.URL.Path == standin.PathReady && (ctx.Err() != nil || !l.ready(r.Context())) {
			status, body = http.StatusServiceUnavailable, `{"status":"unavailable"}`
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body+"\n")
	})
}

// ready reports whether every server is ready.
func (l *landscape) ready(ctx context.Context) bool {
	for _, p := range l.parts {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(p.at, "/")+standin.PathReady, nil)
		if err != nil {
			return false
		}
		resp, err := l.http.Do(r)
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return false
		}
	}
	return true
}

// reload reads the files of -config again, and makes each server read its configuration.
func (l *landscape) reload(ctx context.Context) {
	own, err := readOwn(l.opt.config)
	if err == nil {
		l.own = own
		_, err = l.configure()
	}
	if err != nil {
		l.log.Error("the configuration is not reloaded", "error", err)
		return
	}
	for _, p := range l.parts {
		p.command.Reload(ctx, p.server, l.logger(p.name))
	}
}

// logger returns the logger of a server.
func (l *landscape) logger(name string) *slog.Logger {
	return standin.Logger(l.stderr, slog.LevelInfo).With("server", name)
}

// accept handles the requests of the page, over TLS if the flags name a certificate.
func (l *landscape) accept(srv *http.Server) error {
	if l.secure != nil {
		srv.TLSConfig = l.secure.Clone()
		return srv.ServeTLS(l.listener, "", "")
	}
	return srv.Serve(l.listener)
}

// close releases what was not served, and removes all files.
func (l *landscape) close() error {
	ended, end := context.WithCancel(context.Background())
	end()
	var errs []error
	for _, p := range l.parts {
		if p.server != nil && !p.served {
			errs = append(errs, p.server.Serve(ended)) // closes its ports and its store
		}
	}
	l.http.CloseIdleConnections()
	l.metrics.Close()
	_ = l.listener.Close()
	if l.folder != "" {
		errs = append(errs, os.RemoveAll(l.folder))
	}
	return errors.Join(errs...)
}

// write writes a configuration file and returns its path.
func (l *landscape) write(name string, content object) (string, error) {
	data, err := json.Marshal(content)
	if err != nil {
		return "", fmt.Errorf("the configuration of %s: %w", name, err)
	}
	if own := l.own[name]; own != nil {
		var built any
		if err := json.Unmarshal(data, &built); err != nil {
			return "", fmt.Errorf("the configuration of %s: %w", name, err)
		}
		if data, err = json.Marshal(merged(own, built)); err != nil {
			return "", fmt.Errorf("the configuration of %s: %w", name, err)
		}
	}
	path := filepath.Join(l.folder, name+".json")
	return path, os.WriteFile(path, data, 0o600)
}

// greet prints the addresses.
func (l *landscape) greet(w io.Writer) {
	fmt.Fprint(w, "portner: a local token landscape\n\n")
	for _, p := range l.parts {
		fmt.Fprintf(w, "  %-13s %-24s %s\n", p.name, p.at, p.about)
	}
	if l.opt.admin {
		fmt.Fprint(w, "\n  Administration:\n")
	}
	for _, p := range l.parts {
		if l.opt.admin && p.admin != "" {
			fmt.Fprintf(w, "  %-13s %s\n", p.name, p.admin)
		}
	}
	for _, s := range l.metrics {
		fmt.Fprintf(w, "\n  Metrics: %s%s\n", s.Base, standin.PathMetrics)
	}
	fmt.Fprintf(w, "\n  Open %s\n\n  Ctrl-C stops all of it.\n\n", l.at.Page)
}

// lines is an output of several servers.
type lines struct {
	mu sync.Mutex
	w  io.Writer
}

// Write implements io.Writer.
func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

// ownFiles returns the files of -config.
func (l *landscape) ownFiles() (files []string) {
	for name := range l.own {
		files = append(files, filepath.Join(l.opt.config, name+".json"))
	}
	return files
}
