package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/token"
)

// nodeCommand is the argument with which the program runs as a node.
const nodeCommand = "node"

// nodeConfig is what a node reads from its standard input. It ends when its input does, so that no node outlives the experiment.
type nodeConfig struct {
	Issuer    string
	Listen    string
	Store     string
	Variant   string        // of the store: a defect that a control needs
	Conns     int           // connections to the store at most
	Timeout   time.Duration // of one call of the store
	Skew      time.Duration // of the clock
	Grace     time.Duration // of refresh tokens
	Lifetimes provider.Lifetimes
	History   time.Duration // lifetime of an entry of the login history; 0 is the default of package authorize
	Session   session.Limits
	Sweep     time.Duration // between two sweeps; 0 sweeps only at /control/sweep
	Run       bool          // the store sweeps by itself, about once a minute
	Secret    []byte
	Pairwise  []byte
	Keys      []plannedKey
	JWKS      []byte // of the client that signs assertions
	Fail      failPoint
	Evict     bool // an evicting Redis is accepted
	Verbose   bool
	Speed     int       // how fast the clock runs from Start on; 0 is as fast as that of the machine
	Start     time.Time // with Speed
	Gauge     bool      // the calls of the store are measured
}

// runNode runs a node until the input ends.
func runNode(in io.Reader, out io.Writer) error {
	r := bufio.NewReader(in)
	line, err := r.ReadBytes('\n')
	if err != nil {
		return err
	}
	var cfg nodeConfig
	if err := json.Unmarshal(line, &cfg); err != nil {
		return err
	}
	logger := slog.New(slog.DiscardHandler)
	if cfg.Verbose {
		logger = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	n, err := newServing(ctx, cfg, logger)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler: n.handler(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 15 * time.Second,
		IdleTimeout: time.Minute, ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
	}
	go func() {
		_, _ = io.Copy(io.Discard, r)
		stop, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		_ = server.Shutdown(stop)
	}()
	fmt.Fprintln(out, "ready")
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	n.store.close()
	return nil
}

// serving is a provider on a store, with what an experiment controls.
type serving struct {
	cfg   nodeConfig
	store *opened
	op    *provider.Provider
	gauge *gauge // nil without nodeConfig.Gauge

	mu       sync.Mutex
	disabled map[string]bool
}

func newServing(ctx context.Context, cfg nodeConfig, logger *slog.Logger) (*serving, error) {
	store, err := open(ctx, opening{url: cfg.Store, conns: cfg.Conns, timeout: cfg.Timeout, logger: logger, evict: cfg.Evict, now: cfg.now})
	if err != nil {
		return nil, err
	}
	return newServingOn(ctx, cfg, store, logger)
}

// newServingOn returns a provider on an open store.
func newServingOn(ctx context.Context, cfg nodeConfig, store *opened, logger *slog.Logger) (_ *serving, err error) {
	n := &serving{cfg: cfg, disabled: map[string]bool{}}
	fail := cfg.Fail
	n.store = store
	if store.fullStore, err = variant(ctx, cfg, &fail, store.fullStore); err != nil {
		return nil, err
	}
	if cfg.Gauge {
		n.gauge = &gauge{}
		store.fullStore = gauged{store.fullStore, n.gauge}
	}
	if fail.Name != "" {
		store.fullStore = failing{store.fullStore, &fail}
	}
	keys, err := n.keys()
	if err != nil {
		return nil, err
	}
	clients, scopes, err := registrations(cfg.JWKS)
	if err != nil {
		return nil, err
	}
	n.op, err = provider.New(provider.Config{
		Issuer: cfg.Issuer, Profile: provider.OpenIDConnect(), Store: store, Keys: keys, Clients: clients, Origins: clients.HasOrigin, Scopes: scopes,
		Page: n.page, Secrets: []portner.Secret{cfg.Secret}, PairwiseKey: cfg.Pairwise, PushedRequests: store, History: historyOf(store, cfg.History), Replay: store,
		Users: n, Lifetimes: cfg.Lifetimes, Session: session.Rules{Limits: cfg.Session}, RotationGrace: cfg.Grace, MaxSessionsPerUser: 1000,
		GrantHandlers: []token.GrantHandler{token.ClientCredentials(store)}, Now: n.now, Logger: logger,
	})
	if err != nil {
		return nil, err
	}
	if cfg.Sweep > 0 {
		go n.sweep(ctx)
	}
	if cfg.Run {
		go store.Run(ctx)
	}
	return n, nil
}

func (n *serving) now() time.Time { return n.cfg.now() }

func (c nodeConfig) now() time.Time {
	if c.Speed > 0 {
		return c.Start.Add(time.Duration(c.Speed) * time.Since(c.Start)).Add(c.Skew)
	}
	return time.Now().Add(c.Skew)
}

// plannedKey is a signing key and its life.
type plannedKey struct {
	PEM  []byte
	Life keyset.Life
}

func (n *serving) keys() (*keyset.Set, error) {
	var keys []keyset.Key
	for _, k := range n.cfg.Keys {
		key, err := keyset.ParsePEM(k.PEM, keyset.ES256)
		if err != nil {
			return nil, err
		}
		key.Life = k.Life
		keys = append(keys, key)
	}
	return keyset.New(keyset.Config{Keys: keys})
}

// sweep removes expired records now and then.
func (n *serving) sweep(ctx context.Context) {
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-time.After(n.cfg.Sweep):
			_, _ = n.store.Sweep(ctx, n.now())
		}
	}
}

// User implements token.UserSource.
func (n *serving) User(_ context.Context, subject string) (token.User, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return token.User{Disabled: n.disabled[subject]}, nil
}

// headerCSRF is the field of a page with the value that its form repeats.
const headerCSRF = "X-Csrf"

// page shows a form without content, and logs the user in that the form names.
func (n *serving) page(w http.ResponseWriter, r *http.Request, p *authorize.Pending) *authorize.Decision {
	if r.Method != http.MethodPost {
		w.Header().Set(headerCSRF, p.CSRF())
		w.WriteHeader(http.StatusOK)
		return nil
	}
	return p.LogIn(r.Context(), session.Authentication{
		Identity: session.Identity{Subject: r.PostForm.Get("user")}, ACR: acr.Substantial, AMR: []string{"pwd"},
	})
}

// handler serves the provider, and below /control/ what experiments need.
func (n *serving) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /control/stats", n.stats)
	mux.HandleFunc("GET /control/ready", func(w http.ResponseWriter, r *http.Request) {
		if err := n.store.Ping(r.Context()); err != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	mux.HandleFunc("GET /control/disable", func(w http.ResponseWriter, r *http.Request) {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.disabled[r.URL.Query().Get("user")] = true
	})
	mux.HandleFunc("GET /control/withdraw", n.withdraw)
	mux.HandleFunc("GET /control/sweep", func(w http.ResponseWriter, r *http.Request) {
		removed, err := n.store.Sweep(r.Context(), n.now())
		answer(w, removed, err)
	})
	return n.op.Handler(mux)
}

func answer(w http.ResponseWriter, value any, err error) {
	if err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	_ = json.NewEncoder(w).Encode(value)
}

// withdraw ends what a user authorized the client to do, as package digdir/authorizations does for a page.
func (n *serving) withdraw(w http.ResponseWriter, r *http.Request) {
	key := storage.ConsentKey{UserKey: n.op.Vault.UserKey(r.URL.Query().Get("user")), ClientID: clientID}
	grants, err := n.store.Grants(r.Context(), storage.GrantQuery{UserKey: key.UserKey, Limit: 1}, n.now())
	if err == nil && len(grants) > 0 {
		key.Customer = grants[0].Customer
	}
	if err == nil {
		err = n.store.Revoke(r.Context(), storage.Revocation{Authorization: key}, n.now())
	}
	answer(w, "withdrawn", err)
}

// historyOf returns the login history of a store. Its entries end after life, if that is not 0.
func historyOf(store authorize.HistoryStore, life time.Duration) authorize.HistoryStore {
	if life == 0 {
		return store
	}
	return endingHistory{store, life}
}

type endingHistory struct {
	authorize.HistoryStore
	life time.Duration
}

// RecordLogin implements authorize.HistoryStore.
func (h endingHistory) RecordLogin(ctx context.Context, l storage.Login, now time.Time) error {
	l.ExpiresAt = now.Add(h.life)
	return h.HistoryStore.RecordLogin(ctx, l, now)
}

// nodeStats is what a node says about its process.
type nodeStats struct {
	Goroutines int
	Heap       uint64
	Conns      int
	Files      int   // open files and sockets
	Records    int   // of a store in memory
	Disk       int64 // bytes of the files of SQLite

	Calls, Walls, Steps histogram // with nodeConfig.Gauge
}

func (n *serving) stats(w http.ResponseWriter, _ *http.Request) {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	s := nodeStats{Goroutines: runtime.NumGoroutine(), Heap: m.HeapAlloc, Files: openFiles()}
	if n.store.size != nil {
		s.Records, s.Disk = n.store.size()
	}
	if n.gauge != nil {
		n.gauge.mu.Lock()
		defer n.gauge.mu.Unlock()
		s.Calls, s.Walls, s.Steps = n.gauge.cpu, n.gauge.wall, n.gauge.sweep
	}
	if n.store.conns != nil {
		s.Conns = n.store.conns()
	}
	answer(w, s, nil)
}

// Registrations of the nodes.
const (
	clientID     = "web"
	clientSecret = "q8H2vTz5yWm0RkN7uXc4LbP9sJdF1gAe"
	machineID    = "machine"
	callback     = "http://127.0.0.1:9/callback"
	organisation = "991825827"
	apiScope     = "test:machine"
)

func registrations(jwks []byte) (*client.Registry, scope.Source, error) {
	secret, err := client.NewSecret(clientSecret, time.Time{})
	if err != nil {
		return nil, nil, err
	}
	all := []client.Client{{
		ClientID: clientID, OrganisationNo: organisation, Secrets: []client.Secret{secret}, GrantTypes: []string{client.AuthorizationCode, client.RefreshToken},
		RedirectURIs: []string{callback}, PostLogoutRedirectURIs: []string{callback}, Scopes: []string{"openid", "profile", "email"},
	}}
	if jwks != nil {
		all = append(all, client.Client{
			ClientID: machineID, OrganisationNo: organisation, TokenEndpointAuthMethod: client.PrivateKeyJWT, JWKS: jwks,
			GrantTypes: []string{client.ClientCredentials}, Scopes: []string{apiScope},
		})
	}
	clients, err := client.NewRegistry(client.Environment{Test: true}, all...)
	if err != nil {
		return nil, nil, err
	}
	scopes, err := scope.NewRegistry([]scope.Scope{{Name: apiScope, OwnerOrgno: organisation, Description: "API"}},
		[]scope.Access{{Scope: apiScope, ConsumerOrgno: organisation, State: scope.Approved}})
	return clients, scopes, err
}
