package main

import (
	"io"
	"net"
	"sync"
	"time"
)

// proxy forwards TCP connections, and disturbs them as its mode says.
type proxy struct {
	listener net.Listener

	mu     sync.Mutex
	target string
	mode   mode
	conns  map[net.Conn]bool
	change chan struct{} // closed when the mode changes
}

// mode is what a proxy does with the bytes.
type mode struct {
	delay  time.Duration // of each piece, in both directions
	drop   bool          // bytes are read and thrown away, and new connections are accepted
	half   bool          // bytes to the server pass, those from it do not
	refuse bool          // connections are closed at once
}

// proxy starts a proxy to an address.
func (t *trial) proxy(target string) *proxy {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	t.must(err)
	p := &proxy{listener: l, target: target, conns: map[net.Conn]bool{}, change: make(chan struct{})}
	t.defer_(func() { _ = l.Close(); p.cut() })
	go p.accept()
	return p
}

func (p *proxy) addr() string { return p.listener.Addr().String() }

// set changes the mode, also for the connections that exist.
func (p *proxy) set(m mode) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mode = m
	close(p.change)
	p.change = make(chan struct{})
}

// aim forwards new connections to another address.
func (p *proxy) aim(target string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = target
}

// cut closes every connection.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.Close()
	}
	clear(p.conns)
}

func (p *proxy) state() (mode, string, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mode, p.target, p.change
}

func (p *proxy) accept() {
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return
		}
		go p.serve(c)
	}
}

func (p *proxy) serve(from net.Conn) {
	m, target, _ := p.state()
	if m.refuse {
		_ = from.Close()
		return
	}
	to, err := net.DialTimeout("tcp", target, time.Second)
	if err != nil {
		_ = from.Close()
		return
	}
	p.mu.Lock()
	p.conns[from], p.conns[to] = true, true
	p.mu.Unlock()
	var wg sync.WaitGroup
	wg.Go(func() { p.copy(to, from, false); _ = to.Close(); _ = from.Close() })
	wg.Go(func() { p.copy(from, to, true); _ = to.Close(); _ = from.Close() })
	wg.Wait()
	p.mu.Lock()
	delete(p.conns, from)
	delete(p.conns, to)
	p.mu.Unlock()
}

// copy forwards bytes in one direction.
func (p *proxy) copy(to io.Writer, from io.Reader, back bool) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			m, _, change := p.state()
			switch {
			case m.drop || m.half && back:
				n = 0
			case m.delay > 0:
				select {
				case <-time.After(m.delay):
				case <-change:
				}
			}
			if n > 0 {
				if _, err := to.Write(buffer[:n]); err != nil {
					return
				}
			}
		}
		if err != nil {
			return
		}
	}
}
