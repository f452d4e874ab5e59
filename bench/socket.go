package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// connections is the number of keep-alive connections of the load over loopback HTTP.
const connections = 8

// socketTable measures what operations cost a server process with net/http and connections. The load comes from the parent, whose time
// does not count.
func (b *bench) socketTable() ([]row, error) {
	var rows []row
	for _, op := range operations() {
		if !op.socket {
			continue
		}
		r, err := b.socketRow(&op)
		if err != nil {
			return rows, err
		}
		rows = append(rows, r)
		fmt.Fprintf(b.log, "loopback, %-32s %s\n", op.name, r)
	}
	return rows, nil
}

func (b *bench) socketRow(op *operation) (r row, err error) {
	where := "loopback, " + op.name
	g, err := b.open(where, op, es256)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, g.close()) }()
	r = row{op: op, alg: es256, costs: map[string]*cost{}}
	clients := map[string]*load{}
	for _, p := range g.processes {
		l, err := newLoad(p)
		if err != nil {
			if err = b.survive(where, err); err != nil {
				return r, err
			}
			continue
		}
		defer l.client.CloseIdleConnections()
		clients[p.subject.name] = l
	}
	n := max(b.n/(b.blocks*slicesPerBlock/2), 1)
	for range b.blocks {
		for _, p := range g.processes {
			if p.ended != nil {
				continue
			}
			if err := clients[p.subject.name].block(p, &r, n, g); err != nil {
				if err = b.survive(where, err); err != nil {
					return r, err
				}
				delete(r.costs, p.subject.name)
			}
		}
	}
	for _, c := range r.costs {
		c.allocs /= float64(n * b.blocks * slicesPerBlock / 2)
		c.bytes /= float64(n * b.blocks * slicesPerBlock / 2)
	}
	return r, nil
}

// load sends requests to one server.
type load struct {
	client *http.Client
	addr   string
}

func newLoad(p *process) (*load, error) {
	r, err := p.call(command{Do: "listen"})
	if err != nil {
		return nil, err
	}
	l := &load{addr: r.Addr}
	l.client = &http.Client{
		Timeout: 30 * time.Second,
		Transport: &http.Transport{
			MaxIdleConnsPerHost: connections, DisableCompression: true,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				var d net.Dialer
				return d.DialContext(ctx, "tcp", l.addr)
			},
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return l, nil
}

// block adds a block of n requests for each slice to a row.
func (l *load) block(p *process, r *row, n int, g *group) error {
	var took time.Duration
	for range slicesPerBlock / 2 {
		result, err := l.run(p, r.op, n, g)
		if err != nil {
			return err
		}
		took += result.CPU
		r.add(p.subject.name, result)
	}
	c := r.costs[p.subject.name]
	c.micros = append(c.micros, took.Seconds()*1e6/float64(n*slicesPerBlock/2))
	return nil
}

// run sends n requests over all connections, measures the server and verifies every answer.
func (l *load) run(p *process, op *operation, n int, g *group) (result reply, err error) {
	prepared, err := p.call(command{Do: "prepare", N: n})
	if err != nil {
		return result, err
	}
	before, err := p.call(command{Do: "usage"})
	if err != nil {
		return result, err
	}
	answers, errs := make([]answer, n), make([]error, connections)
	var wg sync.WaitGroup
	for k := range connections {
		wg.Go(func() {
			for i := k; i < n; i += connections {
				answers[i].Client, answers[i].Nonce = prepared.Calls[i].Client, prepared.Calls[i].Nonce
				if errs[k] = l.do(&prepared.Calls[i], &answers[i]); errs[k] != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	after, err := p.call(command{Do: "usage"}) // the error says why the server ended, if it did
	if err = cmp.Or(err, errors.Join(errs...)); err != nil {
		return result, err
	}
	for i := range answers {
		if err := p.verify(op, &answers[i], g.public); err != nil {
			return result, err
		}
	}
	return reply{CPU: after.CPU - before.CPU, Allocs: after.Allocs - before.Allocs, Bytes: after.Bytes - before.Bytes}, nil
}

func (l *load) do(c *call, a *answer) error {
	u, err := url.Parse("http://" + strings.TrimPrefix(issuer, "https://") + c.Path)
	if err != nil {
		return err
	}
	r := &http.Request{Method: c.Method, URL: u, Header: http.Header{}, Host: u.Host}
	c.header(r.Header)
	if c.Form != "" {
		r.ContentLength, r.Body = int64(len(c.Form)), io.NopCloser(strings.NewReader(c.Form))
	}
	resp, err := l.client.Do(r)
	if err != nil {
		return err
	}
	var body bytes.Buffer
	if _, err := body.ReadFrom(resp.Body); err != nil {
		return errors.Join(err, resp.Body.Close())
	}
	a.Status, a.Location, a.Body = resp.StatusCode, resp.Header.Get("Location"), body.Bytes()
	return resp.Body.Close()
}
