package main

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
	"time"

	"github.com/portner-go/portner/examples/internal/child"
	"github.com/portner-go/portner/internal/standin"
)

// addresses are the URLs of the servers. Those of issuers are equal to the iss of their tokens.
type addresses struct {
	Page                                         string
	IDPorten, Ansattporten, Maskinporten, Altinn string
	HelseID                                      string
	Contacts                                     string // the demo API of ID-porten
}

// addressesFrom returns the URLs of the servers. The demo API of ID-porten is always at http.
func addressesFrom(scheme, host string, base int) addresses {
	local := func(host string, offset int) string {
		return scheme + "://" + net.JoinHostPort(host, strconv.Itoa(base+offset))
	}
	return addresses{
		Page:         local(host, 0),
		IDPorten:     local("localhost", portsIDPorten),
		Contacts:     "http://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(base+portsIDPorten+4)),
		Ansattporten: local("127.0.0.1", portsAnsattporten), // not the host of ID-porten: cookies are not separated by port
		Maskinporten: local("localhost", portsMaskinporten) + "/",
		Altinn:       local("localhost", portsAltinn),
		HelseID:      local("localhost", portsHelseID),
	}
}

// part is a server.
type part struct {
	name, about string
	args        []string
	at, ready   string // base URL, and a URL with status 200 when the server accepts requests
}

// landscape holds the parts of the program.
type landscape struct {
	at       addresses
	tls      standin.TLS
	secure   *tls.Config // of the page; nil for plain http
	listener net.Listener
	http     *http.Client
	log      *slog.Logger
	folder   string // of programs and configuration files
	stderr   io.Writer
	machine  *machine
	own      map[string]object // files of -config, by server

	parts    []part
	children []*child.Child
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
	out := child.NewLog(stderr)
	l := &landscape{tls: opt.tls, secure: secure, at: addressesFrom(opt.tls.Scheme(), host, base), own: own, stderr: out, http: opt.tls.Outgoing(), log: slog.New(slog.NewTextHandler(out, nil))}
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
	l.parts, err = l.configure()
	return err
}

// start builds and starts the servers and waits until all are ready.
func (l *landscape) start(ctx context.Context) error {
	if err := child.Build(ctx, l.folder, "", servers...); err != nil {
		return err
	}
	for _, p := range l.parts {
		c, err := child.Start(p.name, child.Binary(l.folder, p.name), append(p.args, l.tls.Args()...), l.stderr)
		if err != nil {
			return err
		}
		l.children = append(l.children, c)
	}
	for i, p := range l.parts {
		if err := l.children[i].Ready(ctx, l.http, p.ready); err != nil {
			return err
		}
	}
	return nil
}

// serve handles requests until ctx ends or a server ends.
func (l *landscape) serve(ctx context.Context) error {
	w, err := newWalk(l.at, l.machine, l.http, l.log)
	if err != nil {
		return err
	}
	srv := &http.Server{
		Handler: w.handler(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: 60 * time.Second, IdleTimeout: 60 * time.Second, MaxHeaderBytes: 16 << 10,
		ErrorLog: slog.NewLogLogger(l.log.Handler(), slog.LevelDebug),
	}
	ended := make(chan error, len(l.children)+1)
	go func() { ended <- l.accept(srv) }()
	for _, c := range l.children {
		go func() {
			<-c.Done()
			ended <- c.Ended()
		}()
	}
	select {
	case <-ctx.Done():
	case err = <-ended:
	}
	return errors.Join(err, srv.Close())
}

// accept handles the requests of the page, over TLS if the flags name a certificate.
func (l *landscape) accept(srv *http.Server) error {
	if l.secure != nil {
		srv.TLSConfig = l.secure.Clone()
		return srv.ServeTLS(l.listener, "", "")
	}
	return srv.Serve(l.listener)
}

// close stops the servers and removes all files.
func (l *landscape) close() error {
	child.StopAll(l.children, child.StopWithin)
	l.http.CloseIdleConnections()
	_ = l.listener.Close()
	if l.folder == "" {
		return nil
	}
	return os.RemoveAll(l.folder)
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
	fmt.Fprintf(w, "\n  Open %s\n\n  Ctrl-C stops all of it.\n\n", l.at.Page)
}
