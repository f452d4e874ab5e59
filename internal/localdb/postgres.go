package localdb

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
)

// StartPostgres makes a database cluster and starts PostgreSQL on it. Its superuser is postgres, without a password. The files are not
// synchronised while the cluster is made, and commits are durable afterwards unless Settings say otherwise.
func StartPostgres(cfg Config) (*Server, error) {
	return startPostgres(cfg, func(dir string, attr *syscall.SysProcAttr) error {
		initdb, err := postgresProgram("initdb")
		if err != nil {
			return err
		}
		return runAs(attr, initdb, "-D", dir, "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync")
	})
}

// StartStandby copies the cluster of primary and starts PostgreSQL on the copy as its streaming standby. The settings of the primary must
// have wal_level=replica, which is the default. Promote makes it a primary.
func StartStandby(cfg Config, primary *Server) (*Server, error) {
	return startPostgres(cfg, func(dir string, attr *syscall.SysProcAttr) error {
		backup, err := postgresProgram("pg_basebackup")
		if err != nil {
			return err
		}
		return runAs(attr, backup, "-D", dir, "-d", primary.URL, "-R", "-X", "stream", "-c", "fast", "--no-sync")
	})
}

// Promote makes a standby the primary. It returns when the server accepts writes.
func (s *Server) Promote() error {
	attr, err := account("postgres")
	if err != nil {
		return err
	}
	ctl, err := postgresProgram("pg_ctl")
	if err != nil {
		return err
	}
	return runAs(attr, ctl, "promote", "-w", "-D", s.Dir)
}

func startPostgres(cfg Config, fill func(dir string, attr *syscall.SysProcAttr) error) (*Server, error) {
	postgres, err := postgresProgram("postgres")
	if err != nil {
		return nil, err
	}
	attr, err := account("postgres")
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
	if err := fill(dir, attr); err != nil {
		return nil, err
	}
	addr := "127.0.0.1:" + strconv.Itoa(port)
	s := &Server{URL: "postgres://postgres@" + addr + "/postgres?sslmode=disable", Addr: addr, Dir: dir, stop: syscall.SIGINT} // SIGINT: fast shutdown
	args := []string{"-D", dir, "-p", strconv.Itoa(port), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="}
	for _, name := range slices.Sorted(maps.Keys(cfg.Settings)) {
		args = append(args, "-c", name+"="+cfg.Settings[name])
	}
	s.start = func() (*exec.Cmd, error) {
		log, err := os.OpenFile(dir+".log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return nil, err
		}
		cmd := exec.Command(postgres, args...)
		cmd.Dir, cmd.SysProcAttr = "/", &syscall.SysProcAttr{Credential: attr.Credential}
		cmd.Stdout, cmd.Stderr = log, log
		return cmd, nil
	}
	isready, err := postgresProgram("pg_isready")
	if err != nil {
		return nil, err
	}
	s.ready = func(ctx context.Context) error { return exec.CommandContext(ctx, isready, "-q", "-d", s.URL).Run() }
	return s, s.Start()
}

func postgresProgram(name string) (string, error) {
	return find(name, "PostgreSQL 14 or later (Debian: postgresql)", "/usr/lib/postgresql/*/bin/"+name, "/opt/homebrew/opt/postgresql*/bin/"+name, "/usr/local/opt/postgresql*/bin/"+name)
}

// runAs runs a program under an account.
func runAs(attr *syscall.SysProcAttr, name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.SysProcAttr = "/", &syscall.SysProcAttr{Credential: attr.Credential}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("localdb: %s: %w: %s", name, err, out)
	}
	return nil
}
