package localdb

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
)

// StartPgBouncer starts PgBouncer in transaction mode in front of a PostgreSQL: each transaction of a client may run on another connection
// of the server. It has size connections for each database.
func StartPgBouncer(cfg Config, to *Server, size int) (*Server, error) {
	program, err := find("pgbouncer", "PgBouncer (Debian: pgbouncer)", "/usr/sbin/pgbouncer")
	if err != nil {
		return nil, err
	}
	attr, err := account("postgres") // it does not run as root either
	if err != nil {
		return nil, err
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
	host, serverPort, err := net.SplitHostPort(to.Addr)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "pgbouncer.ini")
	text := fmt.Sprintf(`[databases]
* = host=%s port=%s user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = %d
max_client_conn = 500
ignore_startup_parameters = extra_float_digits
logfile = %s
`, host, serverPort, port, size, filepath.Join(dir, "pgbouncer.log"))
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		return nil, err
	}
	addr := "127.0.0.1:" + strconv.Itoa(port)
	s := &Server{URL: "postgres://postgres@" + addr + "/postgres?sslmode=disable", Addr: addr, Dir: dir, stop: syscall.SIGINT}
	s.start = func() (*exec.Cmd, error) {
		cmd := exec.Command(program, "-q", file)
		cmd.Dir, cmd.SysProcAttr = "/", &syscall.SysProcAttr{Credential: attr.Credential}
		return cmd, nil
	}
	isready, err := postgresProgram("pg_isready")
	if err != nil {
		return nil, err
	}
	s.ready = func(ctx context.Context) error { return exec.CommandContext(ctx, isready, "-q", "-d", s.URL).Run() }
	return s, s.Start()
}
