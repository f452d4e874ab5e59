// Package serve is what the small example servers share: a listener, the headers every answer has, a check of
// the Host header, and an orderly end.
package serve

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
	"time"
)

const (
	tickEvery  = 10 * time.Second
	stopWithin = 3 * time.Second // what is under way may take this long to finish
)

// Listener is an open port and what it may be called.
type Listener struct {
	net.Listener
	// Base is the address peers use: scheme, host and port.
	Base string
	// Hosts are the values of Host that are answered.
	Hosts []string
	cert  *tls.Certificate
}

// Listen opens a port. certFile and keyFile are PEM files for TLS, or both empty. Port 0 is a free one.
func Listen(addr, certFile, keyFile string) (*Listener, error) {
	l := &Listener{Base: "http://"}
	if certFile != "" {
		cert, err := tls.LoadX509KeyPair(certFile, keyFile)
		if err != nil {
			return nil, fmt.Errorf("-tls-cert, -tls-key: %w", err)
		}
		l.cert, l.Base = &cert, "https://"
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("-addr: %w", err)
	}
	if l.Listener, err = net.Listen("tcp", addr); err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return nil, err
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	own := net.JoinHostPort(host, port)
	l.Base += own
	l.Hosts = []string{l.Addr().String(), own}
	return l, nil
}

// Also answers for the host of a URL too: of an issuer behind a proxy.
func (l *Listener) Also(rawURL string) {
	if u, err := url.Parse(rawURL); err == nil && u.Host != "" {
		l.Hosts = append(l.Hosts, u.Host)
	}
}

// Run answers until ctx ends, finishes what is under way and returns. tick is called every ten seconds, nil
// for never.
func Run(ctx context.Context, l *Listener, h http.Handler, log *slog.Logger, tick func(context.Context, time.Time)) error {
	srv := &http.Server{
		Handler: guard(l, h), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: 15 * time.Second, IdleTimeout: 60 * time.Second, MaxHeaderBytes: 16 << 10,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	errc := make(chan error, 1)
	go func() {
		if l.cert == nil {
			errc <- srv.Serve(l)
			return
		}
		srv.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{*l.cert}}
		errc <- srv.ServeTLS(l, "", "")
	}()
	err := wait(ctx, errc, tick)
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
	defer cancel()
	if srv.Shutdown(stop) != nil { // clients open connections they never use
		_ = srv.Close()
	}
	return err
}

func wait(ctx context.Context, errc <-chan error, tick func(context.Context, time.Time)) error {
	ticker := time.NewTicker(tickEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-errc:
			if errors.Is(err, http.ErrServerClosed) {
				return nil
			}
			return err
		case t := <-ticker.C:
			if tick != nil {
				tick(ctx, t)
			}
		}
	}
}

// guard refuses requests for other hosts and gives every answer the headers it has at least (security rows
// B8 and I1).
func guard(l *Listener, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Content-Security-Policy", "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'none'")
		h.Set("Cache-Control", "no-store")
		if r.TLS != nil {
			h.Set("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
		}
		if !slices.Contains(l.Hosts, r.Host) {
			http.Error(w, "this server does not answer for that host", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}
