package main

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
)

// part is one listener and what answers there.
type part struct {
	name     string
	hosts    []string // what Host may say
	listener net.Listener
	handler  http.Handler
}

// demoParts stand beside the provider.
var demoParts = []string{"first", "second", "isolated", "api"}

// listen opens all listeners before anything is built, so that free ports (-addr host:0) are known.
func (s *server) listen() error {
	host, port, err := net.SplitHostPort(s.opt.addr)
	if err != nil {
		return fmt.Errorf("-addr: %w", err)
	}
	n, err := strconv.Atoi(port)
	if err != nil || n < 0 || n+len(demoParts) > 65535 {
		return fmt.Errorf("-addr: %q is no port", port)
	}
	if err := s.open("provider", host, n); err != nil {
		return fmt.Errorf("%w (-addr chooses another address)", err)
	}
	if s.opt.demo {
		for i, name := range demoParts {
			if n != 0 {
				n++
			}
			// Another site than localhost: cookies behave as between real services.
			if err := s.open(name, "127.0.0.1", n); err != nil {
				return fmt.Errorf("%w (the demo uses the %d ports after -addr; -demo=false leaves it out)", err, i+1)
			}
		}
	}
	return s.locate(host)
}

func (s *server) open(name, host string, port int) error {
	l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		s.close()
		return err
	}
	s.parts = append(s.parts, part{name: name, listener: l, hosts: []string{l.Addr().String()}})
	return nil
}

// locate works out the addresses people and services use.
func (s *server) locate(host string) error {
	_, port, err := net.SplitHostPort(s.parts[0].listener.Addr().String())
	if err != nil {
		return fmt.Errorf("-addr: %w", err)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	own := net.JoinHostPort(host, port)
	s.issuer = "http://" + own
	if s.cert != nil {
		s.issuer = "https://" + own
	}
	if s.cfg.Issuer != "" {
		s.issuer = s.cfg.Issuer
	}
	if s.opt.issuer != "" {
		s.issuer = s.opt.issuer
	}
	s.parts[0].hosts = append(s.parts[0].hosts, own)
	if u, err := url.Parse(s.issuer); err == nil && u.Host != "" {
		s.parts[0].hosts = append(s.parts[0].hosts, u.Host)
	}
	if s.opt.demo {
		s.at = addresses{first: s.base(1), second: s.base(2), isolated: s.base(3), api: s.base(4)}
	}
	return nil
}

// base is the address of a part of the demo.
func (s *server) base(i int) string { return "http://" + s.parts[i].listener.Addr().String() }

func (s *server) close() {
	for _, p := range s.parts {
		_ = p.listener.Close()
	}
}

// certificate reads -tls-cert and -tls-key; nil without them.
func certificate(opt options) (*tls.Certificate, error) {
	if opt.tlsCert == "" {
		return nil, nil
	}
	c, err := tls.LoadX509KeyPair(opt.tlsCert, opt.tlsKey)
	if err != nil {
		return nil, fmt.Errorf("-tls-cert, -tls-key: %w", err)
	}
	return &c, nil
}
