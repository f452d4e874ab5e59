//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/slow"
)

// engine runs the image as a container engine does, without one: each container is a process whose root has the files of the image and
// what the engine adds, with the user, the environment and the entrypoint of the image. It has the network of the machine, with an address
// of 127.0.0.0/8 for each host name.
type engine struct {
	image tree
	dir   string            // the unpacked image
	hosts map[string]string // addresses by host name
}

// container is what a document says of a container.
type container struct {
	name  string            // its host name
	args  []string          // after the entrypoint
	env   map[string]string // beside that of the image
	files map[string]string // contents of mounted files by path
}

// unpackedImage has the image of this machine's processor, built and unpacked once for all tests.
var unpackedImage struct {
	sync.Once
	tree tree
	dir  string
}

// newEngine returns an engine with its host names. It skips the test where no image can run.
func newEngine(t *testing.T, hosts ...string) *engine {
	t.Helper()
	slow.Test(t)
	p := platform{"linux", runtime.GOARCH}
	if _, ok := variants[p.arch]; !ok {
		t.Skipf("NOT TESTED: there is no image for %s", p.arch)
	}
	unpackedImage.Do(func() {
		binary, err := build(context.Background(), p)
		require.NoError(t, err)
		archive, _, err := pack("portner:latest", []image{{platform: p, program: binary}})
		require.NoError(t, err)
		dir, err := os.MkdirTemp("", "portner-image")
		require.NoError(t, err)
		i := read(t, archive).images(t, "latest")["linux/"+p.arch]
		i.extract(t, dir)
		unpackedImage.tree, unpackedImage.dir = i, dir
	})
	require.NotEmpty(t, unpackedImage.dir, "the image could not be built: see the first test")
	e := &engine{image: unpackedImage.tree, dir: unpackedImage.dir, hosts: map[string]string{"localhost": "127.0.0.1"}}
	for _, host := range hosts {
		var b [3]byte
		_, _ = rand.Read(b[:])
		e.hosts[host] = fmt.Sprintf("127.%d.%d.%d", 1+b[0]%254, b[1], 1+b[2]%254)
	}
	return e
}

func TestMain(m *testing.M) {
	code := m.Run()
	if unpackedImage.dir != "" {
		_ = os.RemoveAll(unpackedImage.dir)
	}
	os.Exit(code)
}

// root makes the root of a container: the folders of the image, its files as links, and what is mounted.
func (e *engine) root(t *testing.T, c container) string {
	t.Helper()
	root := t.TempDir()
	require.NoError(t, filepath.WalkDir(e.dir, func(name string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(e.dir, name)
		if err != nil || rel == "." {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		into := filepath.Join(root, rel)
		if !d.IsDir() {
			return os.Link(name, into)
		}
		if err := os.MkdirAll(into, 0o755); err != nil {
			return err
		}
		if s, ok := info.Sys().(*syscall.Stat_t); ok && os.Geteuid() == 0 {
			if err := os.Chown(into, int(s.Uid), int(s.Gid)); err != nil {
				return err
			}
		}
		return os.Chmod(into, info.Mode())
	}))
	var hosts strings.Builder
	for _, name := range slices.Sorted(maps.Keys(e.hosts)) {
		fmt.Fprintf(&hosts, "%s %s\n", e.hosts[name], name)
	}
	for name, content := range c.files {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(root, name), []byte(content), 0o444))
	}
	require.NoError(t, os.WriteFile(filepath.Join(root, "etc/hosts"), []byte(hosts.String()), 0o444))
	return root
}

// running is a container that accepts requests.
type running struct {
	cmd      *exec.Cmd
	greeting string // what it printed
	out      io.Reader
	log      *bytes.Buffer
	stop     context.CancelFunc
	ended    bool
}

// try starts a container and waits until it accepts requests or ends. Where it listens on every address, it listens on that of its name.
func (e *engine) try(t *testing.T, c container) *running {
	t.Helper()
	args := slices.Concat(e.image.Config.Entrypoint[1:], c.args)
	if len(c.args) == 0 {
		args = slices.Concat(args, e.image.Config.Cmd)
	}
	own := strings.NewReplacer("0.0.0.0:", e.hosts[c.name]+":")
	for i := range args {
		args[i] = own.Replace(args[i])
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{cmd: exec.CommandContext(ctx, e.image.Config.Entrypoint[0], args...), log: new(bytes.Buffer), stop: cancel}
	r.cmd.Dir, r.cmd.Env = e.image.Config.WorkingDir, slices.Clone(e.image.Config.Env)
	for name, value := range c.env {
		r.cmd.Env = append(r.cmd.Env, name+"="+own.Replace(value))
	}
	r.cmd.SysProcAttr = isolated(e.root(t, c))
	r.cmd.Stderr, r.cmd.WaitDelay = r.log, time.Second
	r.cmd.Cancel = func() error { return r.cmd.Process.Signal(syscall.SIGTERM) }
	out, err := r.cmd.StdoutPipe()
	require.NoError(t, err)
	if err := r.cmd.Start(); err != nil {
		cancel()
		if os.Getenv("CI") == "true" || !errors.Is(err, syscall.EPERM) {
			require.NoError(t, err, "an empty root")
		}
		t.Skipf("NOT TESTED: the program in an empty root, because this machine lets neither chroot nor user namespaces: %v", err)
	}
	t.Cleanup(func() { cancel(); _ = r.cmd.Wait() })
	buffered := bufio.NewReader(out)
	r.out = buffered
	for !strings.Contains(r.greeting, "Ctrl-C") {
		line, err := buffered.ReadString('\n')
		r.greeting += line
		if err != nil {
			_ = r.cmd.Wait()
			r.ended = true
			break
		}
	}
	return r
}

// start starts a container and waits until it accepts requests.
func (e *engine) start(t *testing.T, c container) *running {
	t.Helper()
	r := e.try(t, c)
	require.False(t, r.ended, "%s %q ended: %s\n%s", c.name, c.args, r.greeting, r.log)
	return r
}

// isolated returns the attributes of a process with its own root, as the user of the image.
func isolated(root string) *syscall.SysProcAttr {
	if os.Geteuid() == 0 {
		return &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	}
	return &syscall.SysProcAttr{ // a user namespace in which the user of the test is that of the image
		Chroot: root, Cloneflags: syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: uid, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: uid, HostID: os.Getgid(), Size: 1}},
	}
}

// client returns an HTTP client that resolves the host names of the containers, and reaches no other host.
func (e *engine) client() *http.Client {
	dialer := new(net.Dialer)
	return &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		host, port, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, err
		}
		if ip, ok := e.hosts[host]; ok {
			host = ip
		}
		if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
			return nil, fmt.Errorf("%s is not a host of the document", host)
		}
		return dialer.DialContext(ctx, network, net.JoinHostPort(host, port))
	}}}
}

// memory returns the most memory that the container has occupied, in MiB.
func (r *running) memory(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", r.cmd.Process.Pid))
	require.NoError(t, err)
	_, after, ok := strings.Cut(string(status), "VmHWM:")
	require.True(t, ok)
	kib, err := strconv.Atoi(strings.Fields(after)[0])
	require.NoError(t, err)
	return kib / 1024
}

func fetch(t *testing.T, hc *http.Client, url string) string {
	t.Helper()
	resp, err := hc.Get(url)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode, "%s: %s", url, body)
	return string(body)
}
