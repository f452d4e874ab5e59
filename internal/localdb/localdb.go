// Package localdb starts a PostgreSQL or Redis server of this machine for one program: for tests, experiments and the example cluster.
// Each server has a directory of its own below that of its Config and listens on a loopback port. It ends with Stop, and on Linux also when
// its program ends without Stop.
package localdb

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// ErrNotInstalled reports that the program of a server is not on this machine. The error names the package to install.
var ErrNotInstalled = errors.New("not installed")

// Config says where a server runs.
type Config struct {
	Dir      string            // directory of the data, which must not exist. Required; it is removed by whoever made its parent
	Port     int               // 0 is any free port
	Settings map[string]string // settings of postgresql.conf or redis.conf
}

// Server is a running server.
type Server struct {
	URL  string // postgres://… or redis://…
	Addr string // host and port
	Dir  string // of its data

	start func() (*exec.Cmd, error)
	ready func(ctx context.Context) error
	stop  syscall.Signal
	cmd   *exec.Cmd
	ended chan struct{}
}

// startTimeout bounds how long a server may take to accept connections. It is long, because a slow machine is no fault.
const startTimeout = 2 * time.Minute

// Start starts the server again after Stop or Kill, on the same port with the same data.
func (s *Server) Start() error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	for {
		err := s.startOnce(ctx)
		if err == nil || ctx.Err() != nil {
			return err
		}
		// The processes of a PostgreSQL that was killed end a moment later, and it does not start before.
		time.Sleep(50 * time.Millisecond)
	}
}

// startOnce starts the process and waits until the server accepts connections.
func (s *Server) startOnce(ctx context.Context) error {
	cmd, err := s.start()
	if err != nil {
		return err
	}
	cmd.SysProcAttr.Setpgid = true // an interrupt of the terminal is for the program, which then stops the server
	endWith(cmd.SysProcAttr, s.stop)
	started, ended := make(chan error, 1), make(chan struct{})
	go func() {
		// On Linux the server gets its signal when the thread that started it ends. Keep the thread.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		if log, ok := cmd.Stdout.(*os.File); ok {
			_ = log.Close() // the server has its own descriptor
		}
		started <- err
		if err == nil {
			_ = cmd.Wait()
			close(ended)
		}
	}()
	if err := <-started; err != nil {
		return err
	}
	s.cmd, s.ended = cmd, ended
	for {
		err := s.ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ended:
			return fmt.Errorf("localdb: %s ended at once: %w", cmd.Path, err)
		case <-ctx.Done():
			s.Kill()
			return fmt.Errorf("localdb: %s accepts no connections: %w", cmd.Path, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Stop ends the server after its transactions, or at once if it does not end in ten seconds. It returns when the process has ended.
func (s *Server) Stop() {
	_ = s.cmd.Process.Signal(s.stop)
	select {
	case <-s.ended:
	case <-time.After(10 * time.Second):
		s.Kill()
	}
}

// Signal sends a signal to the server.
func (s *Server) Signal(sig syscall.Signal) error { return s.cmd.Process.Signal(sig) }

// Kill ends the server and its children with SIGKILL.
func (s *Server) Kill() {
	_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL)
	<-s.ended
}

// account returns the account under which a server runs. PostgreSQL does not run as root, so a program of root uses the one of the package.
func account(name string) (*syscall.SysProcAttr, error) {
	attr := &syscall.SysProcAttr{}
	if os.Geteuid() != 0 {
		return attr, nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		return nil, fmt.Errorf("localdb: %w", err)
	}
	uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
	attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return attr, errors.Join(err1, err2)
}

// makeDir makes the directory of a server for its account, which must be able to reach it.
func makeDir(dir string, attr *syscall.SysProcAttr) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if attr.Credential == nil {
		return nil
	}
	if err := os.Chown(dir, int(attr.Credential.Uid), int(attr.Credential.Gid)); err != nil {
		return err
	}
	// A directory of testing.T is below directories of mode 0700 that belong to root.
	for up := filepath.Dir(dir); len(up) > len(os.TempDir()) && up != filepath.Dir(up); up = filepath.Dir(up) {
		info, err := os.Stat(up)
		if err != nil {
			return err
		}
		if err := os.Chmod(up, info.Mode().Perm()|0o011); err != nil {
			return err
		}
	}
	return nil
}

// find returns the path of a program: on the PATH, or the newest one of some patterns.
func find(name, install string, patterns ...string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	for _, pattern := range patterns {
		if found, _ := filepath.Glob(pattern); len(found) > 0 {
			return slices.Max(found), nil
		}
	}
	return "", fmt.Errorf("%s is %w: install %s", name, ErrNotInstalled, install)
}

// freePort returns port, or a free one if it is 0.
func freePort(port int) (int, error) {
	if port != 0 {
		return port, nil
	}
	return FreePort()
}

// given has the ports that FreePort has returned.
var given sync.Map

// FreePort returns a loopback port for a server that a process will start, and start again. It is below the ports that the kernel chooses for
// connections and for listeners without a port: none of them takes it while no server listens. A process gets a port once. On Linux no
// other process that calls FreePort gets it before this one ends.
func FreePort() (int, error) {
	const low, high = 10_000, 20_000
	for i := range high - low {
		port := low + (61*os.Getpid()+i)%(high-low)
		if _, again := given.LoadOrStore(port, true); again || !reserve(port) {
			continue
		}
		if l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
			return port, l.Close()
		}
	}
	return 0, errors.New("localdb: no free port")
}
