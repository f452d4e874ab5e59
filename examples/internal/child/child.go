// Package child builds example servers, and runs them as processes of another program.
package child

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

	"github.com/portner-go/portner/internal/standin"
)

const (
	// StopWithin is how long a server may take to stop.
	StopWithin  = standin.StopWithin + 3*time.Second
	readyWithin = 2 * time.Minute // a slow machine is no fault
)

// Child is a running server.
type Child struct {
	name string
	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended
	err  error         // valid after done is closed
}

// Start starts a program. It writes the log of the program to out, with the name in front of each line, and discards the
// standard output.
func Start(name, program string, args []string, out io.Writer) (*Child, error) {
	c := &Child{name: name, cmd: exec.Command(program, args...), done: make(chan struct{})}
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

// Ready waits until a request for url gets status 200.
func (c *Child) Ready(ctx context.Context, hc *http.Client, url string) error {
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
			return c.Ended()
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer at %s: %w", c.name, url, ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Ended returns the error of a child that ended without being stopped.
func (c *Child) Ended() error {
	if c.err == nil {
		return fmt.Errorf("%s ended unexpectedly", c.name)
	}
	return fmt.Errorf("%s ended unexpectedly: %w", c.name, c.err)
}

// Done is closed when the process has ended.
func (c *Child) Done() <-chan struct{} { return c.done }

// Kill ends the process at once, and waits for its end.
func (c *Child) Kill() {
	_ = kill(c.cmd)
	<-c.done
}

// StopAll interrupts all children and kills those that do not end in time.
func StopAll(children []*Child, within time.Duration) {
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

// Log is a writer for several children.
type Log struct {
	mu  sync.Mutex
	out io.Writer
}

// NewLog returns a Log that writes to out.
func NewLog(out io.Writer) *Log { return &Log{out: out} }

// Write implements io.Writer. It is safe for concurrent use.
func (s *Log) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.Write(b)
}
