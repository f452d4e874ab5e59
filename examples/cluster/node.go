//go:build unix

package main

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/portner-go/portner/examples/internal/child"
	"github.com/portner-go/portner/internal/localdb"
	"github.com/portner-go/portner/internal/standin"
)

// node is one server. It has the same address each time that it starts.
type node struct {
	name, program string
	args          []string
	base          string
	url           *url.URL
	log           io.Writer
	http          *http.Client
	ready         atomic.Bool // as the proxy has seen last

	mu    sync.Mutex
	child *child.Child // nil if it is stopped
}

// newNode chooses the address of a server.
func newNode(name, program string, args []string, log io.Writer) (*node, error) {
	port, err := localdb.FreePort()
	if err != nil {
		return nil, err
	}
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	n := &node{name: name, program: program, args: append(slices.Clone(args), "-addr", addr), base: "http://" + addr, log: log, http: standin.TLS{}.Outgoing()}
	n.url, err = url.Parse(n.base)
	return n, err
}

// start starts the server and waits until it is ready.
func (n *node) start(ctx context.Context) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	c, err := child.Start(n.name, n.program, n.args, n.log)
	if err != nil {
		return err
	}
	n.child = c
	if err := c.Ready(ctx, n.http, n.base+standin.PathReady); err != nil {
		return err
	}
	n.ready.Store(true)
	return nil
}

// kill ends the process at once, as a crash does.
func (n *node) kill() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.child != nil {
		n.child.Kill()
		n.child = nil
	}
}

// stop sends the server a signal to stop, and waits until its process has ended.
func (n *node) stop() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.child != nil {
		child.StopAll([]*child.Child{n.child}, child.StopWithin)
		n.child = nil
	}
}

// each calls f for all nodes at the same time, and returns their errors.
func each(nodes []*node, f func(*node) error) error {
	errs := make([]error, len(nodes))
	var wg sync.WaitGroup
	for i, n := range nodes {
		wg.Go(func() { errs[i] = f(n) })
	}
	wg.Wait()
	return errors.Join(errs...)
}
