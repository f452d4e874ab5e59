package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"runtime"
	"sync"
	"time"

	"github.com/portner-go/portner/examples/internal/standin"
)

const (
	stopWithin  = standin.StopWithin + 3*time.Second
	readyWithin = 30 * time.Second
)

// child is a running server.
type child struct {
	name string
	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended
	err  error         // valid after done is closed
}

// startChild starts a program. It writes the log of the program to out, with the name in front of each line, and discards the
// standard output.
func startChild(name, program string, args []string, out io.Writer) (*child, error) {
	c := &child{name: name, cmd: exec.Command(program, args...), done: make(chan struct{})}
	c.cmd.Stderr = &prefixed{out: out, prefix: fmt.Sprintf("%-12s | ", name)}
	c.cmd.WaitDelay = time.Second
	ownGroup(c.cmd)
	started := make(chan error, 1)
	go func() {
		// On Linux the child gets its signal when the thread that started it ends. Keep the thread.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := c.cmd.Start()
		started <- err
		if err == nil {
			c.err = c.cmd.Wait()
			close(c.done)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	return c, nil
}

// ready waits until a request for url gets status 200.
func (c *child) ready(ctx context.Context, hc *http.Client, url string) error {
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		if resp, err := hc.Do(req); err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-c.done:
			return c.ended()
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer at %s: %w", c.name, url, ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// ended returns the error of a child that ended without being stopped.
func (c *child) ended() error {
	if c.err == nil {
		return fmt.Errorf("%s ended unexpectedly", c.name)
	}
	return fmt.Errorf("%s ended unexpectedly: %w", c.name, c.err)
}

// stopAll interrupts all children and kills those that do not end in time.
func stopAll(children []*child, within time.Duration) {
	var wg sync.WaitGroup
	for _, c := range children {
		wg.Go(func() {
			_ = interrupt(c.cmd)
			select {
			case <-c.done:
			case <-time.After(within):
				_ = kill(c.cmd)
				<-c.done
			}
		})
	}
	wg.Wait()
}

// prefixed writes whole lines with a prefix to out, which must be safe for concurrent use.
type prefixed struct {
	out    io.Writer
	prefix string
	rest   []byte
}

// Write implements io.Writer.
func (p *prefixed) Write(b []byte) (int, error) {
	p.rest = append(p.rest, b...)
	var lines bytes.Buffer
	for {
		line, rest, found := bytes.Cut(p.rest, []byte("\n"))
		if !found {
			break
		}
		lines.WriteString(p.prefix)
		lines.Write(line)
		lines.WriteByte('\n')
		p.rest = rest
	}
	if _, err := p.out.Write(lines.Bytes()); err != nil {
		return 0, err
	}
	return len(b), nil
}

// shared is a writer for several children.
type shared struct {
	mu  sync.Mutex
	out io.Writer
}

// Write implements io.Writer. It is safe for concurrent use.
func (s *shared) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.Write(b)
}
