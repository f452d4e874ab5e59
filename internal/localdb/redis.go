package localdb

import (
	"bufio"
	"context"
	"fmt"
	"maps"
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// StartRedis starts Redis, or Valkey if there is no Redis. It keeps an append-only file unless Settings say otherwise.
func StartRedis(cfg Config) (*Server, error) {
	program, err := find("redis-server", "Redis 7 or later, or Valkey (Debian: redis-server)")
	if err != nil {
		if program, err = find("valkey-server", "Redis 7 or later, or Valkey (Debian: redis-server)"); err != nil {
			return nil, err
		}
	}
	attr, err := account("redis")
	if err != nil {
		attr = &syscall.SysProcAttr{} // Redis runs as root, too
	}
	port, err := freePort(cfg.Port)
	if err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(cfg.Dir)
	if err != nil {
		return nil, err
	}
	if err := makeDir(dir, attr); err != nil {
		return nil, err
	}
	addr := "127.0.0.1:" + strconv.Itoa(port)
	s := &Server{URL: "redis://" + addr + "/0", Addr: addr, Dir: dir, stop: syscall.SIGTERM}
	settings := map[string]string{"appendonly": "yes", "save": "", "maxmemory-policy": "noeviction"}
	maps.Copy(settings, cfg.Settings)
	args := []string{"--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", dir, "--logfile", "redis.log"}
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		args = append(args, "--"+name, settings[name])
	}
	s.start = func() (*exec.Cmd, error) {
		cmd := exec.Command(program, args...)
		cmd.Dir, cmd.SysProcAttr = "/", &syscall.SysProcAttr{Credential: attr.Credential}
		return cmd, nil
	}
	s.ready = func(ctx context.Context) error { return pingRedis(ctx, addr) }
	return s, s.Start()
}

// pingRedis returns nil if the server has loaded its data and answers.
func pingRedis(ctx context.Context, addr string) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline)
	}
	if _, err = conn.Write([]byte("PING\r\n")); err != nil {
		return err
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return err
	}
	if !strings.HasPrefix(line, "+PONG") {
		return fmt.Errorf("localdb: redis answers %q", strings.TrimSpace(line))
	}
	return nil
}
