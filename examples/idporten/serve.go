package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"
)

const (
	sweepEvery = 10 * time.Second
	stopWithin = 3 * time.Second // what is under way may take this long to finish
)

// serve runs until ctx ends, then finishes what is under way and returns. Nothing of it is left.
func (s *server) serve(ctx context.Context) error {
	errc := make(chan error, len(s.parts))
	servers := make([]*http.Server, len(s.parts))
	for i, p := range s.parts {
		servers[i] = s.httpServer(p)
		if i == 0 && s.cert != nil {
			servers[i].TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{*s.cert}}
		}
		go func() {
			err := error(nil)
			if i == 0 && s.cert != nil {
				err = servers[i].ServeTLS(p.listener, "", "")
			} else {
				err = servers[i].Serve(p.listener)
			}
			if !errors.Is(err, http.ErrServerClosed) {
				errc <- fmt.Errorf("%s: %w", p.name, err)
			}
		}()
	}
	failed := s.wait(ctx, errc)
	s.outgoing.CloseIdleConnections()
	shutdown(servers)
	s.outgoing.CloseIdleConnections()
	return failed
}

func (s *server) httpServer(p part) *http.Server {
	return &http.Server{
		Handler: s.guard(p), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: 15 * time.Second, IdleTimeout: 60 * time.Second, MaxHeaderBytes: 16 << 10,
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
}

// wait sweeps the store until it is time to stop.
func (s *server) wait(ctx context.Context, errc <-chan error) error {
	sweep := time.NewTicker(sweepEvery)
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

// shutdown waits for answers under way and cuts what takes longer: browsers open connections they
// never use.
func shutdown(servers []*http.Server) {
	ctx, cancel := context.WithTimeout(context.Background(), stopWithin)
	defer cancel()
	var wg sync.WaitGroup
	for _, srv := range servers {
		wg.Go(func() {
			if srv.Shutdown(ctx) != nil {
				_ = srv.Close()
			}
		})
	}
	wg.Wait()
}

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
