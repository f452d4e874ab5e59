package portnertest

import (
	"context"
	"crypto/tls"
	_ "embed"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/cryptotest"
	"time"

	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/storage/memory"
)

// Provider is a server on a loopback address. Its clock moves only with Advance. It is safe for concurrent use.
type Provider struct {
	// Issuer is the issuer identifier.
	Issuer string
	// HTTP trusts the certificate of the provider. The tested app calls the provider with it.
	HTTP *http.Client

	t         testing.TB
	cfg       Config
	origin    string // scheme and host of the issuer
	transport http.RoundTripper
	clients   registrations
	store     provider.Store
	keys      *keyset.Set
	system    system
	closed    chan struct{} // closed when the test ends

	mu        sync.Mutex
	now       time.Time
	rotations int
	signing   []keyset.Key
	pushed    map[string]string // acr_values of pushed requests
	reported  map[string]bool
	faults    []*fault
	requests  []Request
	plays     map[string]*play // by the identifier of a header field
	playOf    map[storage.Hash]*play
	browsers  []*browser
	history   history

	metadata   map[string]any
	probedApps map[string]bool
	sent       []delivery // logout tokens
	changed    map[storage.Hash]change
}

// system is what differs between the services.
type system struct {
	handler  http.Handler
	login    bool   // users log in
	bound    bool   // requests are pushed, and tokens are bound by DPoP
	metadata string // path of the metadata
	// exchanges reports an Altinn, whose endpoint is not in its metadata.
	exchanges bool
	// authenticate returns the login of a user, at a level.
	authenticate func(name string, u User, level string) (session.Authentication, error)
	levels       *acr.Levels
	mint         func(Token) (minted, error)
	lowest       string // level of a request without acr_values
}

// New starts an ID-porten, or a provider with another profile, and stops it when the test ends. Mistakes of the tested app fail the test
// with the name of the rule.
func New(t testing.TB, cfg Config) *Provider {
	t.Helper()
	return start(t, cfg, "idporten", buildLogin, openIDPorten)
}

// start opens the listener and builds the service: from the Config, or with open from the stand-in of its file.
func start(t testing.TB, cfg Config, name string, build func(*Provider) error, open opener) *Provider {
	t.Helper()
	p := &Provider{
		t: t, cfg: cfg, closed: make(chan struct{}), now: cfg.Start,
		reported: map[string]bool{}, plays: map[string]*play{}, playOf: map[storage.Hash]*play{}, history: newHistory(), metadata: map[string]any{},
		probedApps: map[string]bool{}, changed: map[storage.Hash]change{}, pushed: map[string]string{},
	}
	if err := cfg.check(name); err != nil {
		t.Fatalf("portnertest: Config: %v", err)
	}
	if cfg.Users == nil && cfg.File == "" {
		p.cfg.Users = users()
	}
	if cfg.Seed != 0 {
		seed(t, cfg.Seed)
	}
	now := time.Now
	if p.now.IsZero() {
		p.now = now().Truncate(time.Second)
		if cfg.Seed != 0 {
			p.now = time.Date(2030, time.January, 2, 12, 0, 0, 0, time.UTC)
		}
	}
	p.listen(name)
	var err error
	if cfg.File != "" {
		err = p.openFile(name, open)
	} else if _, err = p.newKey(keyset.RS256); err == nil {
		p.store = memory.New()
		p.keys, err = keyset.New(keyset.Config{Keys: p.signing})
		if err == nil {
			err = build(p)
		}
	}
	if err == nil {
		err = p.checkLevels()
	}
	if err == nil {
		err = p.readMetadata(p.Issuer + p.system.metadata)
	}
	if err != nil {
		t.Fatalf("portnertest: %v", err)
	}
	return p
}

// seed makes the random numbers of the process those of a seed.
func seed(t testing.TB, seed uint64) {
	t.Helper()
	test, ok := t.(*testing.T)
	if !ok {
		t.Fatal("portnertest: Seed needs a *testing.T")
	}
	cryptotest.SetGlobalRandom(test, seed)
}

// listen starts the server. It refuses requests until the service is built.
func (p *Provider) listen(name string) {
	srv := httptest.NewUnstartedServer(p)
	srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	if p.cfg.Seed != 0 {
		srv.Start()
		p.origin = "https://" + name + ".example.com"
		p.transport = &plain{host: name + ".example.com", to: strings.TrimPrefix(srv.URL, "http://"), base: &http.Transport{}}
	} else {
		srv.StartTLS()
		p.origin = srv.URL
		base := srv.Client().Transport.(*http.Transport)
		p.transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: base.TLSClientConfig.RootCAs}}
	}
	p.Issuer, p.HTTP = p.origin, &http.Client{Transport: p.transport}
	p.t.Cleanup(func() {
		close(p.closed)
		p.transport.(interface{ CloseIdleConnections() }).CloseIdleConnections()
		srv.Close()
	})
}

// plain sends the requests for a host without TLS to an address.
type plain struct {
	host, to string
	base     *http.Transport
}

// RoundTrip implements http.RoundTripper.
func (p *plain) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host != p.host {
		return p.base.RoundTrip(r)
	}
	sent := r.Clone(r.Context())
	sent.URL.Scheme, sent.URL.Host = "http", p.to
	sent.Host = p.host
	resp, err := p.base.RoundTrip(sent)
	if resp != nil {
		resp.Request = r
	}
	return resp, err
}

// CloseIdleConnections is called by http.Client.
func (p *plain) CloseIdleConnections() { p.base.CloseIdleConnections() }

// owns reports whether a URL is one of the provider.
func (p *Provider) owns(u *url.URL) bool { return u.Scheme+"://"+u.Host == p.origin }

// Now returns the time of the clock.
func (p *Provider) Now() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now
}

// Advance moves the clock forward. Codes, tokens and sessions whose time has come are expired. A negative d fails the test.
func (p *Provider) Advance(d time.Duration) {
	p.t.Helper()
	if d < 0 {
		p.t.Fatalf("portnertest: Advance(%v): the clock moves forward only", d)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now = p.now.Add(d)
}

// keysPEM holds four RSA keys. They are public: whoever trusts them trusts everyone. The provider signs with the first one, the second one
// is that of the first rotation, the third one signs what no key of the provider signed, and the fourth one is that of clients.
//
//go:embed keys.pem
var keysPEM []byte

// Positions in keysPEM.
const foreignKey, clientKey = 2, 3

// testKeys are the keys of keysPEM. They are parsed once, because that takes longer than everything else in New.
var testKeys = sync.OnceValues(func() (keys []keyset.Key, err error) {
	for rest := keysPEM; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return keys, nil
		}
		k, err := keyset.ParsePEM(pem.EncodeToMemory(block), keyset.RS256)
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
})

func testKey(i int) (keyset.Key, error) {
	keys, err := testKeys()
	if err != nil {
		return keyset.Key{}, err
	}
	if i >= len(keys) {
		return keyset.Key{}, fmt.Errorf("there is no key %d", i)
	}
	return keys[i], nil
}

// RotateKeys makes another key sign, at once: a provider in production publishes a key long before it signs. The JWKS has the earlier keys,
// too, unless they are withdrawn. An app that keeps the JWKS must load it again.
func (p *Provider) RotateKeys(t testing.TB, withdraw bool) {
	t.Helper()
	if err := p.rotate(withdraw); err != nil {
		t.Fatalf("portnertest: RotateKeys: %v", err)
	}
}

func (p *Provider) rotate(withdraw bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rotations++
	alg := p.signing[0].Alg
	next, err := testKey(1)
	if p.rotations > 1 || alg != keyset.RS256 {
		next, err = keyset.Generate(alg)
	}
	if err != nil {
		return err
	}
	var others, own []keyset.Key
	for _, k := range p.signing {
		if k.Alg != alg {
			others = append(others, k)
		} else if !withdraw {
			own = append(own, k)
		}
	}
	own = append(own, next)
	for i := range own { // each one retires when the next one begins; the last one begins now
		own[i].Life = keyset.Life{ActiveFrom: p.now.Add(time.Duration(i+1-len(own)) * time.Second)}
	}
	p.signing = append(own, others...)
	return p.keys.Replace(p.signing)
}

// newKey returns the first signing key for an algorithm.
func (p *Provider) newKey(alg string) (key keyset.Key, err error) {
	if alg == keyset.RS256 {
		key, err = testKey(0)
	} else {
		key, err = keyset.Generate(alg)
	}
	p.signing = append(p.signing, key)
	return key, err
}

// Revoke revokes the grant of an access token. APIs that introspect reject the token from then on.
func (p *Provider) Revoke(t testing.TB, accessToken string) {
	t.Helper()
	if err := p.revoke(accessToken); err != nil {
		t.Fatalf("portnertest: Revoke: %v", err)
	}
}

func (p *Provider) revoke(accessToken string) error {
	now := p.Now()
	p.mu.Lock()
	if known, ok := p.changed[storage.HashOf(accessToken)]; ok {
		accessToken = known.base
	}
	p.mu.Unlock()
	_, grant, err := p.store.AccessToken(context.Background(), storage.HashOf(accessToken), now)
	if err != nil {
		return fmt.Errorf("the token is none that this service can revoke: %w", err)
	}
	return p.store.Revoke(context.Background(), storage.Revocation{GrantID: grant.ID}, now)
}
