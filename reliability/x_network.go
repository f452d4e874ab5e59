package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// partition separates one node from the store, cuts connections to the store at random, and repeats requests of clients.
func partition(t *trial) { partitionWith(t, "", time.Duration(t.size(9, 120))*time.Second) }

func partitionControl(t *trial) { partitionWith(t, outageVerdict, 6*time.Second) }

func partitionWith(t *trial, defect string, length time.Duration) {
	b := t.backend(nil)
	proxies := []*proxy{t.proxy(b.server.Addr), t.proxy(b.server.Addr)}
	c := t.cluster(b.url, 2, func(i int, cfg *nodeConfig) {
		cfg.Grace, cfg.Store, cfg.Variant = time.Minute, b.at(proxies[i].addr()), defect
	})
	l := &load{cluster: c, patience: 20 * time.Second, longest: 6500 * time.Millisecond, repeat: 20}
	stop := l.start(6)
	r := newSource(t.seed, 3)
	cuts := 0
	for phase := range 3 {
		if phase == 1 { // the second node alone has no store
			proxies[1].set(mode{drop: true})
		}
		for until := time.Now().Add(length / 3); time.Now().Before(until); cuts++ {
			t.sleep(r.between(50*time.Millisecond, 300*time.Millisecond))
			proxies[r.intn(phase%2+1)%2].cut()
		}
		if phase == 1 {
			a := &cluster{trial: t, issuer: c.issuer, nodes: c.nodes[:1], http: c.http}
			login := a.again(func() *reply {
				_, last, err := a.browser("alone").authorize("openid", true)
				if err != nil && last.err == nil {
					last.status = http.StatusServiceUnavailable
				}
				return last
			})
			t.check(!login.unavailable(), "the node with the store does not serve while the other has none: %s", login)
			ready := a.control(c.nodes[1], "ready")
			t.check(ready.status == http.StatusServiceUnavailable, "the node without the store says that it is ready: %s", ready)
			proxies[1].set(mode{})
			proxies[1].cut()
		}
	}
	stop()
	l.verify()
	t.count("cuts", cuts)
	t.count("repeated", l.repeated.Load())
	l.replies()
	if b.kind == kindPostgres && defect == "" {
		t.invariants(b)
	}
}

// diskFull fills the disk of PostgreSQL under load.
func diskFull(t *trial) { fillDisk(t, "") }

func diskFullControl(t *trial) { fillDisk(t, outageVerdict) }

func fillDisk(t *trial, defect string) {
	disk := t.smallDisk()
	t.dir = filepath.Join(disk, "server")
	b := t.ownPostgres(map[string]string{"min_wal_size": "32MB", "max_wal_size": "64MB", "wal_recycle": "off"})
	c := t.cluster(b.url, 2, func(_ int, cfg *nodeConfig) { cfg.Grace, cfg.Variant = time.Minute, defect })
	l := &load{cluster: c, patience: 25 * time.Second, longest: 6500 * time.Millisecond, pause: 5 * time.Millisecond}
	families := c.families(8, "openid email")
	stop := l.start(4)
	t.sleep(time.Second)
	filler, err := os.Create(filepath.Join(disk, "filler"))
	t.must(err)
	before := l.statuses[http.StatusServiceUnavailable].Load()
	_, _ = io.Copy(filler, io.LimitReader(zeros{}, 1<<30)) // until the disk is full
	for range 40 {                                         // until the database needs a page
		if l.statuses[http.StatusServiceUnavailable].Load() > before {
			break
		}
		t.sleep(250 * time.Millisecond)
		_, _ = io.Copy(filler, io.LimitReader(zeros{}, 1<<30))
	}
	for _, f := range families { // the users of the load may all be at a login
		answer := l.see(c.refresh(f.field("refresh_token")))
		t.check(answer.ok() || answer.unavailable(), "a refresh token was refused while the disk was full: %s", answer)
	}
	t.sleep(time.Second)
	refused := l.statuses[http.StatusServiceUnavailable].Load() - before
	t.must(filler.Close())
	t.must(os.Remove(filler.Name()))
	freed := time.Now()
	for l.succeeded().Before(freed) && time.Since(freed) < 3*time.Second {
		t.sleep(20 * time.Millisecond)
	}
	if l.succeeded().Before(freed) { // PostgreSQL ended because it could not write its log: an operator starts it
		b.server.Stop()
		t.must(b.server.Start())
		t.count("restarted", true)
	}
	t.sleep(time.Second)
	stop()
	l.verify()
	t.count("refused", refused)
	l.replies()
	t.check(refused > 0, "the disk was never full")
	t.check(l.succeeded().After(freed), "no success after the disk had room")
	if defect == "" {
		t.invariants(b)
	}
}

// smallDiskVariable names a directory on a file system of at most smallDisk bytes, for those who may not mount one.
const (
	smallDiskVariable = "PORTNER_SMALL_DISK"
	smallDisk         = 512 << 20
)

// smallDisk returns an empty directory on a file system that the trial may fill.
func (t *trial) smallDisk() string {
	if given := os.Getenv(smallDiskVariable); given != "" {
		var size syscall.Statfs_t
		t.must(syscall.Statfs(given, &size))
		if all := size.Blocks * uint64(size.Bsize); all > smallDisk {
			t.must(fmt.Errorf("%s: the file system has %d MiB, more than %d", smallDiskVariable, all>>20, smallDisk>>20))
		}
		disk, err := os.MkdirTemp(given, "")
		t.must(err)
		t.defer_(func() { _ = os.RemoveAll(disk) })
		t.must(os.Chmod(disk, 0o755))
		return disk
	}
	disk := t.path("disk")
	t.must(os.Mkdir(disk, 0o755))
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=160m", "tmpfs", disk).CombinedOutput(); err != nil {
		t.skip(fmt.Sprintf("a small disk cannot be mounted (%v: %s); %s may name a directory on one", err, bytes.TrimSpace(out), smallDiskVariable))
	}
	t.defer_(func() { _ = exec.Command("umount", "-l", disk).Run() })
	return disk
}

// zeros is an endless reader.
type zeros struct{}

// Read implements io.Reader.
func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
