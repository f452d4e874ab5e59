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
)

const (
	stopWithin  = 6 * time.Second // a server finishes what is under way within half of that
	readyWithin = 30 * time.Second
)

// child is one server that runs.
type child struct {
	name string
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	err  error         // how; read it after done
}

// startChild runs a program. Its log goes to out, every line with the child's name before it; what it
// prints on standard output is for somebody who started it alone.
func startChild(name, program string, args []string, out io.Writer) (*child, error) {
	c := &child{name: name, cmd: exec.Command(program, args...), done: make(chan struct{})}
	c.cmd.Stderr = &prefixed{out: out, prefix: fmt.Sprintf("%-12s | ", name)}
	c.cmd.WaitDelay = time.Second
	ownGroup(c.cmd)
	started := make(chan error, 1)
	go func() {
		// The signal that a child gets when its parent dies is sent when this very thread does: stay on it.
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

// ready waits until the child answers at an address.
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

// ended says how the child ended by itself.
func (c *child) ended() error {
	if c.err == nil {
		return fmt.Errorf("%s stopped by itself", c.name)
	}
	return fmt.Errorf("%s stopped by itself: %w", c.name, c.err)
}

// stopAll asks all children to stop at once, and kills those that take too long.
func stopAll(children []*child, within time.Duration) {
	var wg sync.WaitGroup
	for _, c := range children {
		wg.Go(func() {
			_ = ask(c.cmd)
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

// prefixed writes whole lines with a prefix. Its out must take writes from several goroutines.
type prefixed struct {
	out    io.Writer
	prefix string
	rest   []byte
}

// Write puts the name of the child in front of each line.
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

// shared lets several children write to one place, a line at a time.
type shared struct {
	mu  sync.Mutex
	out io.Writer
}

// Write lets one writer in at a time.
func (s *shared) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.Write(b)
}
