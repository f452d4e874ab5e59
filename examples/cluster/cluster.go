//go:build unix

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/portner-go/portner/examples/internal/child"
	"github.com/portner-go/portner/examples/internal/demo"
	"github.com/portner-go/portner/internal/localdb"
	"github.com/portner-go/portner/internal/standin"
	"github.com/portner-go/portner/internal/standin/look"
	"github.com/portner-go/portner/norway"
)

// drain is how long a server that is stopped accepts requests: the proxy polls its readiness more often.
const drain = time.Second

// cluster holds the parts of the program.
type cluster struct {
	opt    options
	out    io.Writer
	folder string          // of the database, the program of the servers and their files
	db     *localdb.Server // nil with -store
	sites  standin.Sites   // the proxy, two services and their API
	nodes  []*node
	proxy  *proxy
	log    *slog.Logger
}

// newCluster starts the database and the servers, and waits until all are ready.
func newCluster(ctx context.Context, opt options, stdout, stderr io.Writer) (*cluster, error) {
	c := &cluster{opt: opt, out: stdout, log: standin.Logger(stderr, slog.LevelInfo)}
	if opt.load != nil {
		stderr = problems{stderr}
	}
	err := c.start(ctx, child.NewLog(stderr))
	if err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

func (c *cluster) start(ctx context.Context, stderr io.Writer) (err error) {
	if c.sites, err = standin.Listen(standin.Flags{Addr: c.opt.addr}, "", "first", "second", "api"); err != nil {
		return err
	}
	if err = c.sites.CheckTest(c.sites[0].Base, ""); err != nil {
		return err
	}
	if c.folder, err = os.MkdirTemp("", "cluster-"); err != nil {
		return err
	}
	if c.opt.store == "" {
		c.db, err = localdb.StartPostgres(localdb.Config{Dir: filepath.Join(c.folder, "postgres")})
		if errors.Is(err, localdb.ErrNotInstalled) {
			return fmt.Errorf("%w, or name a database with -store postgres://… or -store redis://…", err)
		}
		if err != nil {
			return err
		}
		c.opt.store = c.db.URL
	}
	c.log.Info("compiling the servers, which takes a minute the first time")
	if err = child.Build(ctx, c.folder, "servers", "idporten"); err != nil {
		return err
	}
	args, err := c.arguments()
	if err != nil {
		return err
	}
	for i := range c.opt.nodes {
		n, err := newNode(fmt.Sprintf("node %d", i+1), child.Binary(c.folder, "idporten"), args, stderr)
		if err != nil {
			return err
		}
		c.nodes = append(c.nodes, n)
	}
	if err = each(c.nodes, func(n *node) error { return n.start(ctx) }); err != nil {
		return err
	}
	c.proxy = newProxy(c.nodes, c.log)
	c.sites[0].Handle(c.proxy)
	return c.buildDemo()
}

// arguments writes the configuration of the servers, and returns the flags that all of them have.
func (c *cluster) arguments() ([]string, error) {
	text, err := json.Marshal(configuration(c.sites[1].Base, c.sites[2].Base, c.opt))
	if err != nil {
		return nil, err
	}
	file := filepath.Join(c.folder, "idporten.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return nil, err
	}
	return []string{
		"-issuer", c.sites[0].Base, "-config", file, "-store", c.opt.store, "-secrets", filepath.Join(c.folder, "secrets"), "-drain", drain.String(),
	}, nil
}

// buildDemo builds the services in front of the provider, and their API.
func (c *cluster) buildDemo() error {
	outgoing := standin.TLS{}.Outgoing()
	for i, sv := range services() {
		sv.Base, sv.Issuer, sv.Secret, sv.API, sv.HTTP, sv.Log = c.sites[i+1].Base, c.sites[0].Base, secret, c.sites[3].Base, outgoing, c.log
		sv.Others = []demo.Link{{Name: services()[1-i].Name, URL: c.sites[2-i].Base}}
		c.sites[i+1].Handle(demo.NewService(sv).Handler(look.Handler()))
	}
	api, err := demo.NewAPI(demo.APIConfig{
		Issuer: c.sites[0].Base, Introspection: c.sites[0].Base + "/tokeninfo", JWKS: c.sites[0].Base + "/jwks.json",
		ClientID: apiClient, Secret: secret, Contacts: func(norway.PID) demo.Contact { return demo.Contact{} }, HTTP: outgoing, Log: c.log,
	})
	c.sites[3].Handle(api)
	return err
}

// replay replays the record day and prints what it has found.
func (c *cluster) replay(ctx context.Context) error {
	serving, stop := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() { served <- c.serve(serving) }()
	fmt.Fprintf(c.out, "portner: replaying a record day at %s on %d servers and %s, which takes %s\n",
		c.sites[0].Base, len(c.nodes), c.where(), time.Duration(24/c.opt.load.speed*float64(time.Hour)).Round(time.Second))
	c.opt.load.issuer = c.sites[0].Base
	c.opt.load.run(ctx)
	stop()
	return errors.Join(c.opt.load.report(c.out), <-served)
}

// serve handles requests until ctx ends, and stops a node now and then.
func (c *cluster) serve(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.disturb(ctx)
	}()
	go c.proxy.watch(ctx)
	err := c.sites.Serve(ctx, standin.Running{Log: c.log})
	cancel()
	<-done
	return err
}

// disturb stops the nodes in turn, and starts each again after half the time. It kills every second one, and stops the others gracefully.
func (c *cluster) disturb(ctx context.Context) {
	if c.opt.every == 0 {
		return
	}
	for i := 0; ; i++ {
		n := c.nodes[i%len(c.nodes)]
		if !sleep(ctx, c.opt.every/2) {
			return
		}
		if i%2 == 0 {
			fmt.Fprintf(c.out, "  %s is killed\n", n.name)
			n.kill()
		} else {
			fmt.Fprintf(c.out, "  %s is asked to stop\n", n.name)
			n.stop()
		}
		if !sleep(ctx, c.opt.every/2) {
			return
		}
		if err := n.start(ctx); err != nil {
			if ctx.Err() == nil {
				c.log.Error("a node does not start", "node", n.name, "error", err)
			}
			continue
		}
		fmt.Fprintf(c.out, "  %s is back\n", n.name)
	}
}

// sleep waits for d. It returns false if ctx has ended.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// close stops everything and removes all files.
func (c *cluster) close() error {
	_ = each(c.nodes, func(n *node) error { n.stop(); return nil })
	c.sites.Close()
	if c.db != nil {
		c.db.Stop()
	}
	if c.folder == "" {
		return nil
	}
	return os.RemoveAll(c.folder)
}

func (c *cluster) greet() {
	fmt.Fprintf(c.out, "portner: %d servers of a local ID-porten behind one proxy\n\n  issuer      %s\n", len(c.nodes), c.sites[0].Base)
	for _, n := range c.nodes {
		fmt.Fprintf(c.out, "  %s      %s\n", n.name, n.base)
	}
	fmt.Fprintf(c.out, "  store       %s\n\n  Open %s  (Min tjeneste)\n       %s  (Annen tjeneste: single sign-on)\n\n  Users: kari, ola (passord)\n", c.where(), c.sites[1].Base, c.sites[2].Base)
	if c.opt.every > 0 {
		fmt.Fprintf(c.out, "\n  A server is stopped every %v. Go on clicking.\n", c.opt.every)
	}
	fmt.Fprint(c.out, "\n  Ctrl-C stops it.\n\n")
}

// where returns the store for the greeting. A URL of -store may have a password.
func (c *cluster) where() string {
	if c.db == nil {
		return "that of -store"
	}
	return c.db.URL
}
