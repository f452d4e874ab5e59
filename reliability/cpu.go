package main

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	goredis "github.com/redis/go-redis/v9"
)

// tick is the unit of the times in /proc.
const tick = 10 * time.Millisecond

// processTime returns the processor time of a process and of its children, 0 where there is no /proc.
func processTime(pid int) (total time.Duration) {
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range files {
		text, err := os.ReadFile(file)
		_, rest, found := strings.Cut(string(text), ") ") // the name of the program may have spaces
		f := strings.Fields(rest)
		if err != nil || !found || len(f) < 15 {
			continue
		}
		own, parent := filepath.Base(filepath.Dir(file)) == strconv.Itoa(pid), f[1] == strconv.Itoa(pid)
		if !own && !parent {
			continue
		}
		fields := f[11:13] // utime and stime
		if own {
			fields = f[11:15] // and those of children that have ended
		}
		for _, v := range fields {
			n, _ := strconv.ParseInt(v, 10, 64)
			total += time.Duration(n) * tick
		}
	}
	return total
}

// usage is what a load has used so far.
type usage struct {
	nodes, store time.Duration // of the processors
	log, disk    int64         // bytes of the write-ahead log, and of the tables with their indexes
	memory, keys int64         // of Redis
}

func (c *cluster) usage(b *backend) (u usage) {
	for _, n := range c.nodes {
		n.mu.Lock()
		u.nodes += processTime(n.cmd.Process.Pid)
		n.mu.Unlock()
	}
	switch b.kind {
	case kindPostgres:
		text, _ := os.ReadFile(filepath.Join(b.server.Dir, "postmaster.pid"))
		first, _, _ := strings.Cut(string(text), "\n")
		pid, _ := strconv.Atoi(first)
		u.store = processTime(pid)
		c.must(c.sql(b.url, func(ctx context.Context, conn *pgx.Conn) error {
			return conn.QueryRow(ctx, `select pg_current_wal_insert_lsn() - '0/0'::pg_lsn,
				(select sum(pg_total_relation_size(c.oid))::bigint from pg_class c where relnamespace = 'portner'::regnamespace and relkind = 'r')`).Scan(&u.log, &u.disk)
		}))
	case kindRedis:
		o, err := goredis.ParseURL(b.url)
		c.must(err)
		r := goredis.NewClient(o)
		defer r.Close()
		info := r.InfoMap(c, "cpu", "memory").Val()
		for _, name := range []string{"used_cpu_user", "used_cpu_sys"} {
			s, _ := strconv.ParseFloat(info["CPU"][name], 64)
			u.store += time.Duration(s * float64(time.Second))
		}
		u.memory, _ = strconv.ParseInt(info["Memory"]["used_memory"], 10, 64)
		u.keys = r.DBSize(c).Val()
	}
	return u
}

// perOperation adds what each of n operations used to the line.
func (t *trial) perOperation(name string, n int64, from, to usage) {
	if n == 0 {
		return
	}
	t.count(name+"_node_cpu", (to.nodes-from.nodes)/time.Duration(n))
	t.count(name+"_store_cpu", (to.store-from.store)/time.Duration(n))
	if to.log > 0 {
		t.count(name+"_log_bytes", (to.log-from.log)/n)
		t.count(name+"_disk_bytes", (to.disk-from.disk)/n)
	}
	if to.memory > 0 {
		t.count(name+"_memory_bytes", (to.memory-from.memory)/n)
		t.count(name+"_keys", float64(to.keys-from.keys)/float64(n))
	}
}
