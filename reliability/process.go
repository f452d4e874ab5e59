package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/jose"
	"github.com/portner-go/portner/internal/localdb"
	"github.com/portner-go/portner/keyset"
)

// cluster is some nodes on one store.
type cluster struct {
	*trial
	issuer string
	nodes  []*node
	http   *http.Client
	turn   atomic.Int64
	signer *jose.Signer // of the client that signs assertions
}

// node is a process.
type node struct {
	cfg  nodeConfig
	base string

	mu    sync.Mutex
	cmd   *exec.Cmd
	input io.Closer
	ended chan struct{}
	ready time.Duration // from the start of the process until it served
}

// freeAddr returns a loopback address without a listener.
func freeAddr() (string, error) {
	port, err := localdb.FreePort()
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), err
}

// cluster starts nodes on a store. change may change the configuration of each.
func (t *trial) cluster(store string, count int, change func(i int, cfg *nodeConfig)) *cluster {
	first := t.signingKey(keyset.Life{})
	machine, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	t.must(err)
	kid, err := jose.Thumbprint(machine.Public())
	t.must(err)
	jwk, err := jose.MarshalJWK(jose.PublicKey{Key: machine.Public(), KID: kid, Alg: keyset.ES256})
	t.must(err)
	signer, err := jose.NewSigner(keyset.ES256, kid, machine, nil, "JWT")
	t.must(err)
	transport := &http.Transport{MaxIdleConns: 512, MaxIdleConnsPerHost: 256, IdleConnTimeout: time.Minute}
	t.defer_(transport.CloseIdleConnections)
	c := &cluster{trial: t, signer: signer, http: &http.Client{
		Transport: transport, Timeout: 20 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	secret, pairwise := portner.NewSecret(), portner.NewSecret()
	for i := range count {
		addr, err := freeAddr()
		t.must(err)
		if i == 0 {
			c.issuer = "http://" + addr
		}
		n := &node{base: "http://" + addr, cfg: nodeConfig{
			Issuer: c.issuer, Listen: addr, Store: store, Secret: secret, Pairwise: pairwise, Keys: []plannedKey{first}, JWKS: fmt.Appendf(nil, `{"keys":[%s]}`, jwk), Verbose: t.verbose,
		}}
		if change != nil {
			change(i, &n.cfg)
		}
		c.nodes = append(c.nodes, n)
		t.must(n.start())
		t.defer_(n.stop)
	}
	return c
}

// signingKey makes a key with a planned life.
func (t *trial) signingKey(life keyset.Life) plannedKey {
	key, err := keyset.Generate(keyset.ES256)
	t.must(err)
	pem, err := keyset.MarshalPEM(key)
	t.must(err)
	return plannedKey{pem, life}
}

// start starts the process and returns when it serves.
func (n *node) start() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self, nodeCommand)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	line, err := json.Marshal(&n.cfg)
	if err != nil {
		return err
	}
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		return err
	}
	if _, err := in.Write(append(line, '\n')); err != nil {
		return err
	}
	_, err = bufio.NewReader(out).ReadString('\n')
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	if err != nil {
		return fmt.Errorf("the node %s did not start: %w", n.base, err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cmd, n.input, n.ended, n.ready = cmd, in, ended, time.Since(begin)
	return nil
}

// stop ends the process after its requests.
func (n *node) stop() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cmd == nil {
		return
	}
	_ = n.input.Close()
	select {
	case <-n.ended:
	case <-time.After(6 * time.Second):
		_ = n.cmd.Process.Kill()
		<-n.ended
	}
}

// kill ends the process with SIGKILL.
func (n *node) kill() {
	n.mu.Lock()
	defer n.mu.Unlock()
	_ = n.cmd.Process.Signal(syscall.SIGKILL)
	<-n.ended
}

// dead returns a channel that is closed when the process has ended.
func (n *node) dead() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.ended
}

// startup returns how long the last start took.
func (n *node) startup() time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.ready
}

// next returns the base URL of the nodes in turn.
func (c *cluster) next() string { return c.nodes[int(c.turn.Add(1))%len(c.nodes)].base }

// nodes returns n, or 1 for a store in the memory of the process.
func (t *trial) nodes(n int) int {
	if t.store == kindMemory {
		return 1
	}
	return n
}
