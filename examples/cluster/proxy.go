//go:build unix

package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"sync/atomic"
	"time"

	"github.com/portner-go/portner/internal/standin"
)

const (
	maxBody    = 1 << 20
	watchEvery = 300 * time.Millisecond
)

// proxy passes requests on to the nodes in turn. It sends a request to another node if it is idempotent (RFC 9110 §9.2.2), or if it was not
// sent, because no connection was made.
type proxy struct {
	nodes     []*node
	transport *http.Transport
	reverse   *httputil.ReverseProxy
	next      atomic.Uint64
}

func newProxy(nodes []*node, log *slog.Logger) *proxy {
	p := &proxy{nodes: nodes, transport: &http.Transport{
		// On a connection that was used before it is not known whether the other side received a request before it closed it.
		DisableKeepAlives: true, DialContext: (&net.Dialer{Timeout: 2 * time.Second}).DialContext, ResponseHeaderTimeout: 20 * time.Second,
	}}
	p.reverse = &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.Out.Host = r.In.Host }, // the nodes have the host of the issuer
		Transport: p,
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			log.Warn("a request failed", "error", err)
			http.Error(w, "The server stopped during this request. Go back and try again.", http.StatusBadGateway)
		},
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	return p
}

// ServeHTTP implements http.Handler.
func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	clear(w.Header()) // those of the node
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, "The request is too large.", http.StatusRequestEntityTooLarge)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body)) // each attempt reads it from the start
	r = r.WithContext(context.WithValue(r.Context(), bodyKey{}, body))
	p.reverse.ServeHTTP(w, r)
}

type bodyKey struct{}

// RoundTrip implements http.RoundTripper.
func (p *proxy) RoundTrip(r *http.Request) (resp *http.Response, err error) {
	body, _ := r.Context().Value(bodyKey{}).([]byte)
	for _, n := range p.order() {
		attempt := r.Clone(r.Context())
		attempt.URL.Scheme, attempt.URL.Host = n.url.Scheme, n.url.Host
		attempt.Body, attempt.ContentLength = http.NoBody, int64(len(body))
		if len(body) > 0 {
			attempt.Body = io.NopCloser(bytes.NewReader(body))
		}
		resp, err = p.transport.RoundTrip(attempt)
		if err == nil || r.Context().Err() != nil || !repeatable(r.Method, err) {
			return resp, err
		}
	}
	return nil, err
}

// order returns the nodes in the order in which they are tried: the ones that are ready first, each time another one.
func (p *proxy) order() []*node {
	first := int(p.next.Add(1) % uint64(len(p.nodes)))
	var ready, others []*node
	for i := range p.nodes {
		n := p.nodes[(first+i)%len(p.nodes)]
		if n.ready.Load() {
			ready = append(ready, n)
		} else {
			others = append(others, n)
		}
	}
	return append(ready, others...)
}

// repeatable reports whether a request that failed may be sent again: it changes nothing, or it was not sent.
func repeatable(method string, err error) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return true
	}
	failed, ok := errors.AsType[*net.OpError](err)
	return ok && failed.Op == "dial"
}

// watch polls whether the nodes are ready, until ctx ends.
func (p *proxy) watch(ctx context.Context) {
	for sleep(ctx, watchEvery) {
		_ = each(p.nodes, func(n *node) error {
			n.ready.Store(p.isReady(ctx, n))
			return nil
		})
	}
}

func (p *proxy) isReady(ctx context.Context, n *node) bool {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, n.base+standin.PathReady, nil)
	if err != nil {
		return false
	}
	resp, err := p.transport.RoundTrip(r)
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}
