package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/portner-go/portner/internal/localdb"
)

// Kinds of stores.
const (
	kindMemory   = "memory"
	kindSQLite   = "sqlite"
	kindPostgres = "postgres"
	kindRedis    = "redis"
)

// backend is a store that nodes share.
type backend struct {
	kind   string
	url    string // for nodes and for this process
	server *localdb.Server
}

// backend starts or prepares an empty store of the kind of the trial. Settings are those of a server of its own.
func (t *trial) backend(settings map[string]string) *backend {
	switch t.store {
	case kindPostgres:
		if settings == nil {
			return t.sharedPostgres()
		}
		return t.ownPostgres(settings)
	case kindRedis:
		return t.ownRedis(settings)
	case kindSQLite:
		return &backend{kind: kindSQLite, url: "sqlite:" + t.path("store.db")}
	}
	return &backend{kind: kindMemory, url: kindMemory + ":"}
}

// ownPostgres starts a PostgreSQL of the trial.
func (t *trial) ownPostgres(settings map[string]string) *backend {
	s, err := localdb.StartPostgres(localdb.Config{Dir: t.path("postgres"), Settings: settings})
	t.must(err)
	t.defer_(s.Stop)
	b := &backend{kind: kindPostgres, url: s.URL, server: s}
	t.must(migrate(t, b.url))
	return b
}

// ownRedis starts a Redis of the trial.
func (t *trial) ownRedis(settings map[string]string) *backend {
	s, err := localdb.StartRedis(localdb.Config{Dir: t.path("redis"), Settings: settings})
	t.must(err)
	t.defer_(s.Stop)
	return &backend{kind: kindRedis, url: s.URL, server: s}
}

// shared is the PostgreSQL of the trials that do not stop it. Each trial has a database of its own.
var shared struct {
	sync.Mutex
	server *localdb.Server
	dir    string
	serial int
}

func (t *trial) sharedPostgres() *backend {
	shared.Lock()
	defer shared.Unlock()
	if shared.server == nil {
		dir, err := os.MkdirTemp("", "reliability-postgres-")
		t.must(err)
		s, err := localdb.StartPostgres(localdb.Config{Dir: filepath.Join(dir, "data"), Settings: map[string]string{"max_connections": "200"}})
		if err != nil {
			_ = os.RemoveAll(dir)
			t.must(err)
		}
		shared.server, shared.dir = s, dir
	}
	shared.serial++
	name := fmt.Sprintf("trial_%d", shared.serial)
	ctx, cancel := context.WithTimeout(t, 30*time.Second)
	defer cancel()
	c, err := pgx.Connect(ctx, shared.server.URL)
	t.must(err)
	defer c.Close(ctx)
	_, err = c.Exec(ctx, "create database "+name)
	t.must(err)
	t.defer_(func() { dropDatabase(name) })
	u, err := url.Parse(shared.server.URL)
	t.must(err)
	u.Path = "/" + name
	b := &backend{kind: kindPostgres, url: u.String(), server: shared.server}
	t.must(migrate(t, b.url))
	return b
}

// dropDatabase removes the database of a trial, so that the sweeping of tables of earlier trials costs nothing.
func dropDatabase(name string) {
	shared.Lock()
	defer shared.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c, err := pgx.Connect(ctx, shared.server.URL)
	if err != nil {
		return
	}
	defer c.Close(ctx)
	_, _ = c.Exec(ctx, "drop database "+name+" with (force)")
}

// stopShared stops the PostgreSQL of the trials.
func stopShared() {
	shared.Lock()
	defer shared.Unlock()
	if shared.server != nil {
		shared.server.Stop()
		_ = os.RemoveAll(shared.dir)
		shared.server = nil
	}
}

// at returns the URL of the backend at another address, for a proxy or after a failover.
func (b *backend) at(addr string) string { return strings.Replace(b.url, b.server.Addr, addr, 1) }

// sql calls f with a connection to the database of the backend, for at most a minute.
func (t *trial) sql(url string, f func(ctx context.Context, c *pgx.Conn) error) error {
	ctx, cancel := context.WithTimeout(t, time.Minute)
	defer cancel()
	return connected(ctx, url, f)
}

// connected calls f with a connection.
func connected(ctx context.Context, url string, f func(ctx context.Context, c *pgx.Conn) error) error {
	c, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer c.Close(context.WithoutCancel(ctx))
	return f(ctx, c)
}

// number returns the number that a query selects.
func (t *trial) number(url, query string, args ...any) int {
	n := 0
	t.must(t.sql(url, func(ctx context.Context, c *pgx.Conn) error { return c.QueryRow(ctx, query, args...).Scan(&n) }))
	return n
}
