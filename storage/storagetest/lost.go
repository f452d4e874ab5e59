package storagetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/portner-go/portner"
)

// RunLostResponses checks a store of a server whose connections break: before the server has a request, or before the store has the
// response, at each message of a method. NewBackend makes an empty backend and returns what open needs to find it, and the address of the
// server; open connects to another address, behind which is the server.
func RunLostResponses(t *testing.T, newBackend func(t *testing.T) (backend, server string), open func(t *testing.T, backend, addr string) Node) {
	backend, server := newBackend(t)
	p := newProxy(t, server)
	direct, through := open(t, backend, server), open(t, backend, p.addr())
	for _, name := range slices.Sorted(maps.Keys(changes)) {
		t.Run("Lost responses/"+name, func(t *testing.T) {
			explain(t, "a method whose connection breaks made its change as a whole or not at all, reports that the store is unavailable or the right verdict, and can be called again")
			for _, cut := range []cutting{{requests: true}, {requests: false}} {
				for cut.message = 1; cut.message <= size(2, 6, 12); cut.message++ {
					if !lose(t, direct, through, p, name, cut) {
						break
					}
				}
			}
		})
	}
}

// lose breaks a connection during a change. It reports whether the change had as many messages.
func lose(t *testing.T, direct, through Node, p *proxy, name string, cut cutting) bool {
	t.Helper()
	r := newRecords(fmt.Sprintf("%s %v", name, cut))
	r.insert(t, direct)
	via := changes[name](reader{through}, r)
	broken := false
	err := interrupt(t, fmt.Sprintf("%s with %v", name, cut), changes[name](reader{direct}, r), func() error {
		ctx, cancel := context.WithTimeout(bg, patience(t))
		defer cancel()
		p.arm(cut)
		err := via.do(ctx)
		broken = p.disarm()
		return err
	})
	if err != nil && !errors.Is(err, portner.ErrUnavailable) {
		t.Errorf("%s with %v: got %v, want an error that wraps portner.ErrUnavailable", name, cut, err)
	}
	return broken
}

// cutting says which message is lost with its connection, counted from 1: one of the requests, or one of the responses.
type cutting struct {
	requests bool
	message  int
}

// String returns the message for the name of a test, such as "response 1 lost".
func (c cutting) String() string {
	what := map[bool]string{true: "request", false: "response"}[c.requests]
	return fmt.Sprintf("%s %d lost", what, c.message)
}

// proxy passes connections on to a server.
type proxy struct {
	listener net.Listener
	server   string

	mu   sync.Mutex
	cut  cutting // message is what is left to count; 0 cuts nothing
	done bool    // a connection was cut since the proxy was armed
}

func newProxy(t *testing.T, server string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err, "listening")
	p := &proxy{listener: l, server: server}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go p.pass(c)
		}
	}()
	return p
}

func (p *proxy) addr() string { return p.listener.Addr().String() }

func (p *proxy) arm(c cutting) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut, p.done = c, false
}

// disarm reports whether a connection was cut.
func (p *proxy) disarm() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut.message = 0
	return p.done
}

// lost reports whether a message is the one that is lost.
func (p *proxy) lost(request bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cut.message == 0 || p.cut.requests != request {
		return false
	}
	p.cut.message--
	p.done = p.done || p.cut.message == 0
	return p.cut.message == 0
}

// pass passes a connection on until one side closes it or a message is lost.
func (p *proxy) pass(client net.Conn) {
	server, err := net.DialTimeout("tcp", p.server, 10*time.Second)
	if err != nil {
		_ = client.Close()
		return
	}
	var both sync.WaitGroup
	for request, c := range map[bool][2]net.Conn{true: {client, server}, false: {server, client}} {
		both.Go(func() {
			defer client.Close()
			defer server.Close()
			message := make([]byte, 64<<10)
			for {
				n, err := c[0].Read(message)
				if n > 0 && p.lost(request) {
					return
				}
				if _, e := c[1].Write(message[:n]); err != nil || e != nil {
					return
				}
			}
		})
	}
	both.Wait()
}
