package main

import (
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"syscall"
	"time"
)

// Each subject of each operation is in a process of its own, so that the collection of garbage costs each what its own heap costs. The
// parent sends commands over stdin, and the child replies over stdout.

// command is what a child has to do.
type command struct {
	Do      string
	Set     settings // of "open"
	N       int      // operations
	Workers int      // goroutines of "run", and processors
}

// reply is the result of a command.
type reply struct {
	Err            string
	CPU            time.Duration // user and system time of the process
	Wait           time.Duration // of goroutines for mutexes
	Allocs, Bytes  uint64
	Heap           uint64
	Calls          []call
	Answers        []answer
	Addr           string
	Lacks, Expires bool
}

// child is the state of a process.
type child struct {
	subject subject
	op      *operation
	srv     *server
	party   *party
	done    int    // prepared operations
	arena   []byte // bodies of the answers of a run
	out     []answer
}

// serveChild runs commands until stdin ends.
func serveChild(name string, in io.Reader, out io.Writer) error {
	s, err := find(name)
	if err != nil {
		return err
	}
	c, dec, enc := &child{subject: s}, gob.NewDecoder(in), gob.NewEncoder(out)
	for {
		var cmd command
		if err := dec.Decode(&cmd); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		r, err := c.do(cmd)
		if err != nil {
			r = reply{Err: err.Error()}
		}
		if err := enc.Encode(r); err != nil {
			return err
		}
	}
}

func (c *child) do(cmd command) (reply, error) {
	switch cmd.Do {
	case "open":
		return c.open(cmd.Set)
	case "use": // another operation with the same store
		op, err := operationNamed(cmd.Set.Op)
		c.op, c.done = op, 0
		return reply{}, err
	case "run":
		return c.run(cmd.N, max(cmd.Workers, 1))
	case "prepare":
		calls, err := c.prepare(cmd.N)
		return reply{Calls: calls}, err
	case "fill":
		return c.fill(cmd.N)
	case "heap":
		return heap(), nil
	case "collect":
		return collect(), nil
	case "expire":
		return reply{}, c.srv.expire()
	case "listen":
		return c.listen()
	case "usage":
		return usage(), nil
	}
	return reply{}, fmt.Errorf("no command %q", cmd.Do)
}

func (c *child) open(s settings) (r reply, err error) {
	if c.op, err = operationNamed(s.Op); err != nil {
		return r, err
	}
	s.Opaque = s.Opaque || c.op.opaque
	if c.srv, err = c.subject.open(s); err != nil {
		return r, err
	}
	client, err := s.clientSigner()
	if err != nil {
		return r, err
	}
	c.party = &party{via: newRecorder(c.srv), srv: c.srv, client: client}
	return reply{Expires: c.srv.expire != nil, Lacks: c.op.prepare == nil && c.srv.check == nil}, nil
}

func (c *child) prepare(n int) ([]call, error) {
	calls := make([]call, n)
	for i := range calls {
		var err error
		if calls[i], err = c.op.prepare(c.party, c.done); err != nil {
			return nil, fmt.Errorf("preparing %s: %w", c.op.name, err)
		}
		c.done++
	}
	return calls, nil
}

// run prepares n operations, and measures them without the preparation.
func (c *child) run(n, workers int) (reply, error) {
	var work func(worker int) error
	if c.op.prepare == nil {
		work = func(worker int) error { return c.checks(worker, workers, n) }
	} else {
		calls, err := c.prepare(n)
		if err != nil {
			return reply{}, err
		}
		c.out = make([]answer, n)
		if len(c.arena) < n*answerSize {
			c.arena = make([]byte, n*answerSize)
		}
		if c.op.login {
			work = func(worker int) error { return c.logins(calls, worker, workers) }
		} else {
			requests := make([]*http.Request, n)
			for i := range calls {
				requests[i] = calls[i].request()
				c.out[i].Client, c.out[i].Nonce = calls[i].Client, calls[i].Nonce
			}
			work = func(worker int) error { c.requests(requests, worker, workers); return nil }
		}
	}
	if workers > 1 {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(workers))
	}
	before := usage()
	begin := cpu()
	err := parallel(workers, work)
	took := cpu() - begin // without the cost of usage
	r := usage()
	r.CPU, r.Wait, r.Allocs, r.Bytes = took, r.Wait-before.Wait, r.Allocs-before.Allocs, r.Bytes-before.Bytes
	r.Answers, c.out = c.out, nil
	return r, err
}

// answerSize is more than any answer has, so that a body is copied and does not make the arena grow.
const answerSize = 4096

// slot returns where the i-th answer has its body.
func (c *child) slot(i int) []byte { return c.arena[i*answerSize : i*answerSize : (i+1)*answerSize] }

func (c *child) requests(requests []*http.Request, worker, workers int) {
	w := newRecorder(c.srv)
	for i := worker; i < len(requests); i += workers {
		a := &c.out[i]
		w.serve(requests[i], a)
		a.Body, a.cookies = append(c.slot(i), a.Body...), nil
	}
}

func (c *child) logins(calls []call, worker, workers int) error {
	p := *c.party
	p.via = newRecorder(c.srv)
	for i := worker; i < len(calls); i += workers {
		a := &c.out[i]
		code, _, err := p.follow(&calls[i], a)
		if err != nil {
			return err
		}
		if c.op.tokens {
			next, err := p.exchange(&calls[i], code)
			if err != nil {
				return err
			}
			if err := p.via.do(&next, a); err != nil {
				return err
			}
		}
		a.Body, a.cookies = append(c.slot(i), a.Body...), nil
		a.Client, a.Nonce = calls[i].Client, calls[i].Nonce
	}
	return nil
}

func (c *child) checks(worker, workers, n int) error {
	for i := worker; i < n; i += workers {
		if err := c.srv.check(); err != nil {
			return err
		}
	}
	return nil
}

// parallel calls work in as many goroutines as there are workers.
func parallel(workers int, work func(worker int) error) error {
	if workers == 1 {
		return work(0)
	}
	errs := make([]error, workers)
	var wg sync.WaitGroup
	for worker := range workers {
		wg.Go(func() { errs[worker] = work(worker) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// fill logs n users in, whose sessions and tokens stay. Without an id_token and with opaque access tokens, where the subject has them, no
// signature is made.
func (c *child) fill(n int) (reply, error) {
	for range n {
		if _, _, err := c.party.login(opaqueClient, c.srv.plainScopes); err != nil {
			return reply{}, err
		}
	}
	return reply{}, nil
}

// heap returns the bytes of the heap after a collection.
func heap() reply {
	var m runtime.MemStats
	for range 3 { // a sync.Pool and a finalizer need more than one
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return reply{Heap: m.HeapAlloc}
}

// collect measures a collection of garbage: its CPU time, and the bytes that are allocated between two of them. After it, the process does not
// collect.
func collect() reply {
	debug.SetGCPercent(100)
	runtime.GC() // what was there before
	r, begin, n := reply{}, cpu(), 0
	for ; r.CPU < 50*time.Millisecond; n++ {
		runtime.GC()
		r.CPU = cpu() - begin
	}
	r.CPU /= time.Duration(n)
	heap := []metrics.Sample{{Name: "/gc/heap/goal:bytes"}, {Name: "/gc/heap/live:bytes"}}
	metrics.Read(heap)
	r.Bytes = heap[0].Value.Uint64() - heap[1].Value.Uint64()
	debug.SetGCPercent(-1)
	return r
}

// usage returns what the process has used.
func usage() reply {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	wait := []metrics.Sample{{Name: "/sync/mutex/wait/total:seconds"}}
	metrics.Read(wait)
	return reply{CPU: cpu(), Wait: time.Duration(wait[0].Value.Float64() * 1e9), Allocs: m.Mallocs, Bytes: m.TotalAlloc}
}

// cpu returns the user and system time of the process.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // EINVAL and EFAULT are impossible
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// listen serves the subject on a loopback port until the process ends.
func (c *child) listen() (reply, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return reply{}, err
	}
	s := &http.Server{Handler: c.srv, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 10 * time.Second}
	go func() { fmt.Fprintln(os.Stderr, s.Serve(l)) }()
	return reply{Addr: l.Addr().String()}, nil
}
