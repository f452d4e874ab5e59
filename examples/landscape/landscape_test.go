package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// output takes what a running command writes.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// running is the command, started as people start it.
type running struct {
	page string // the address of the walk-through
	errs *output
	stop func() int // Ctrl-C; tells the exit status
}

// start runs the command on free ports and waits until it says what to open.
func start(t *testing.T) *running {
	t.Helper()
	t.Setenv("TMPDIR", t.TempDir())
	ctx, cancel := context.WithCancel(context.Background())
	var out output
	r := &running{errs: &output{}}
	done := make(chan int, 1)
	go func() { done <- run(ctx, []string{"-addr", "127.0.0.1:0"}, &out, r.errs) }()
	r.stop = sync.OnceValue(func() int {
		cancel()
		return <-done
	})
	t.Cleanup(func() { r.stop() })
	for !strings.Contains(out.String(), "Ctrl-C stops all of it.") {
		select {
		case status := <-done:
			done <- status
			t.Fatalf("it ended with %d:\n%s", status, r.errs)
		case <-time.After(20 * time.Millisecond):
		}
	}
	_, rest, _ := strings.Cut(out.String(), "Open ")
	r.page, _, _ = strings.Cut(rest, "\n")
	return r
}

// TestStops: Ctrl-C ends every server, frees every port and removes every file.
func TestStops(t *testing.T) {
	r := start(t)
	base := 0
	_, err := fmt.Sscanf(r.page, "http://127.0.0.1:%d", &base)
	require.NoError(t, err)
	at := addressesFrom("127.0.0.1", base)
	for _, url := range []string{at.Page, at.IDPorten, at.Ansattporten} {
		resp, err := http.Get(url)
		require.NoError(t, err)
		require.Equal(t, 200, resp.StatusCode, url)
		_ = resp.Body.Close()
	}
	require.Zero(t, r.stop(), r.errs)
	require.True(t, rowIsFree(base), "a port is still taken")
	left, err := filepath.Glob(filepath.Join(os.TempDir(), "landscape-*"))
	require.NoError(t, err)
	require.Empty(t, left)
}

// TestRefuses: one clear message, exit status 1, and nothing started.
func TestRefuses(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = taken.Close() })
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"unknown flag":  {[]string{"-adr", "x"}, "flag provided but not defined: -adr (-h lists the flags)"},
		"argument":      {[]string{"all"}, `unexpected argument "all"`},
		"address":       {[]string{"-addr", "localhost"}, "-addr: address localhost: missing port"},
		"port":          {[]string{"-addr", "localhost:x"}, `-addr: "x" is no port`},
		"port too high": {[]string{"-addr", "localhost:65530"}, "is no port with 49 more after it"},
		"everybody":     {[]string{"-addr", "0.0.0.0:8070"}, "is not this machine's own"},
		"port taken":    {[]string{"-addr", taken.Addr().String()}, "address already in use"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out, errs output
			require.Equal(t, 1, run(t.Context(), c.args, &out, &errs))
			require.Contains(t, errs.String(), c.want)
			require.Equal(t, 1, strings.Count(errs.String(), "landscape:"), "one message")
			require.Empty(t, out.String())
		})
	}
}

// TestHelp goes to where one looks for it.
func TestHelp(t *testing.T) {
	t.Parallel()
	var out, errs output
	require.Zero(t, run(t.Context(), []string{"-h"}, &out, &errs))
	require.Empty(t, errs.String())
	require.Contains(t, out.String(), "  -addr")
}
