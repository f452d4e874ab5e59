// Command coldstart measures what a stand-in costs: the time from the start of the process to its first metadata, the processor time until
// then, and the memory it occupies, beside navikt/mock-oauth2-server from Maven Central on the machine's Java.
//
//	go run ./examples/internal/coldstart
//
// The servers are started in turn, so that the load of the machine is the same for all. The first round is not counted.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"time"

	"github.com/portner-go/portner/examples/internal/child"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "coldstart:", err)
		os.Exit(1)
	}
}

// server is a program to measure. Its arguments, environment and metadata address depend on the port.
type server struct {
	name     string
	program  string
	args     func(port string) []string
	env      func(port string) []string
	metadata string // path of the metadata
}

// cost is what was measured at one start.
type cost struct{ wall, cpu, memory float64 } // ms, ms, MiB

func run(ctx context.Context, args []string, out io.Writer) error {
	fs := flag.NewFlagSet("coldstart", flag.ContinueOnError)
	rounds := fs.Int("n", 10, "`starts` of each server")
	mock := fs.String("mock", "6.0.2", "`version` of mock-oauth2-server; empty leaves it out")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if runtime.GOOS != "linux" {
		return errors.New("the memory is read from /proc, which only Linux has")
	}
	dir, err := os.MkdirTemp("", "portner-coldstart")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	program := filepath.Join(dir, "portner")
	if err := child.Release(ctx, "cmd/portner", runtime.GOOS, runtime.GOARCH, program); err != nil {
		return err
	}
	servers := standIns(program)
	if *mock != "" {
		m, err := mockServer(ctx, dir, *mock)
		if err != nil {
			return err
		}
		servers = append(servers, m)
	}
	costs := make([][]cost, len(servers))
	for round := range *rounds + 1 {
		for i, s := range servers {
			c, err := s.start(ctx)
			if err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			if round > 0 {
				costs[i] = append(costs[i], c)
			}
		}
	}
	return table(out, servers, costs)
}

// standIns returns the stand-ins of the program.
func standIns(program string) (list []server) {
	const openid = "/.well-known/openid-configuration"
	for _, s := range []struct{ name, metadata string }{
		{"idporten", openid},
		{"ansattporten", openid},
		{"maskinporten", "/.well-known/oauth-authorization-server"},
		{"altinn", "/authentication/api/v1/openid" + openid},
		{"helseid", openid},
	} {
		list = append(list, server{name: "portner " + s.name, program: program, metadata: s.metadata, args: func(port string) []string {
			return []string{s.name, "-addr", "127.0.0.1:" + port}
		}})
	}
	return list
}

// start starts the server, waits for its metadata, reads what it has cost, and ends it.
func (s server) start(ctx context.Context) (c cost, err error) {
	port, err := freePort()
	if err != nil {
		return c, err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, s.program, s.args(port)...)
	if s.env != nil {
		cmd.Env = append(os.Environ(), s.env(port)...)
	}
	var failure bytes.Buffer
	cmd.Stderr = &failure
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		return c, err
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		cancel()
		close(ended)
	}()
	defer func() { _ = cmd.Process.Kill(); <-ended }()
	if err := first(ctx, "http://127.0.0.1:"+port+s.metadata); err != nil {
		_ = cmd.Process.Kill()
		<-ended
		return c, fmt.Errorf("%w\n%s", err, failure.Bytes())
	}
	c.wall = float64(time.Since(begin).Microseconds()) / 1e3
	c.cpu, c.memory, err = used(cmd.Process.Pid)
	return c, err
}

// first requests the metadata until a response has status 200.
func first(ctx context.Context, url string) error {
	hc := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		if resp, err := hc.Do(req); err == nil {
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: no metadata: %w", url, ctx.Err())
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// freePort returns a port that is free together with the four after it, which the demo of ID-porten uses.
func freePort() (string, error) {
	for range 100 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return "", err
		}
		all := []net.Listener{l}
		port := l.Addr().(*net.TCPAddr).Port
		for i := 1; i < 5 && err == nil; i++ {
			if l, err = net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port+i))); err == nil {
				all = append(all, l)
			}
		}
		for _, l := range all {
			_ = l.Close()
		}
		if err == nil {
			return strconv.Itoa(port), nil
		}
	}
	return "", errors.New("no five free ports in a row")
}

// table prints the medians, and the fastest start, which depends least on what else the machine does.
func table(out io.Writer, servers []server, costs [][]cost) error {
	w := io.Writer(out)
	if _, err := fmt.Fprintf(w, "%s, %s/%s, %d cores; %d starts of each server, in turn\n\n| server | fastest ms | median ms | processor ms | memory MiB | median, ratio | memory, ratio |\n|---|--:|--:|--:|--:|--:|--:|\n",
		runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), len(costs[0])); err != nil {
		return err
	}
	var base cost
	for i, s := range servers {
		var wall, cpu, memory []float64
		for _, c := range costs[i] {
			wall, cpu, memory = append(wall, c.wall), append(cpu, c.cpu), append(memory, c.memory)
		}
		m := cost{median(wall), median(cpu), median(memory)}
		if i == 0 {
			base = m
		}
		if _, err := fmt.Fprintf(w, "| %s | %.0f | %.0f | %.0f | %.1f | %s | %s |\n", s.name, slices.Min(wall), m.wall, m.cpu, m.memory, ratio(m.wall, base.wall), ratio(m.memory, base.memory)); err != nil {
			return err
		}
	}
	return nil
}

func ratio(a, b float64) string { return strconv.FormatFloat(a/b, 'f', 1, 64) }

func median(values []float64) float64 {
	values = slices.Sorted(slices.Values(values))
	return values[len(values)/2]
}
