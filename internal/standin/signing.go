package standin

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/keyset"
)

// Signing are the members about the keys of a server.
type Signing struct {
	// Algorithms are those of the keys. The first one signs tokens whose client registered none. If empty, there is a key for RS256 and
	// for each algorithm that a client registered.
	Algorithms []string `json:"signing_algorithms,omitempty"`
	// KeyCertificates adds a self-signed certificate to each key: as x5c of the JWKS and of the header of every token.
	KeyCertificates *bool `json:"key_certificates,omitempty"`
}

var algorithms = []string{keyset.RS256, keyset.PS256, keyset.ES256, keyset.EdDSA}

// CheckSigning records the problems of the members, and clients whose algorithm has no key.
func (s Signing) CheckSigning(p *Problems, clients []ClientEntry) {
	for i, alg := range s.Algorithms {
		at := fmt.Sprintf("signing_algorithms[%d]", i)
		if !slices.Contains(algorithms, alg) {
			p.Add(at, "%q is none of %s", alg, strings.Join(algorithms, ", "))
		} else if slices.Index(s.Algorithms, alg) != i {
			p.Add(at, "%q occurs twice", alg)
		}
	}
	for i, c := range clients {
		for member, alg := range map[string]string{
			"id_token_signed_response_alg": c.IDTokenSignedResponseAlg, "access_token_signed_response_alg": c.AccessTokenSignedResponseAlg,
		} {
			if alg != "" && len(s.Algorithms) > 0 && !slices.Contains(s.Algorithms, alg) {
				p.Add(fmt.Sprintf("clients[%d].%s", i, member), "must be one of signing_algorithms")
			}
		}
	}
}

// Keeps records the members that a running server cannot change.
func (s Signing) Keeps(p *Problems, old Signing) {
	NeedsRestart(p, !slices.Equal(s.Algorithms, old.Algorithms), "signing_algorithms")
	NeedsRestart(p, !reflect.DeepEqual(s.KeyCertificates, old.KeyCertificates), "key_certificates")
}

// Keys are the signing keys of a server: in the store, if it lasts, or new at each start.
type Keys struct {
	issuer       string
	certificates bool
	state        *State
	log          *slog.Logger

	set atomic.Pointer[keyset.Set]

	mu     sync.Mutex // guards what follows
	own    []keyset.Key
	stored map[string]*keyset.Set // by algorithm
	algs   []string
	run    func(*keyset.Set) // runs a set while the server runs; nil before Run
}

// Keys returns a key for each algorithm. Unless the members say otherwise, keys have a certificate if certificates is true; those in a store
// have none.
func (s Signing) Keys(ctx context.Context, state *State, issuer string, clients []ClientEntry, certificates bool, log *slog.Logger) (*Keys, error) {
	if s.KeyCertificates != nil {
		certificates = *s.KeyCertificates
	}
	k := &Keys{issuer: issuer, certificates: certificates, state: state, log: log, stored: map[string]*keyset.Set{}}
	if state.Lasting && s.KeyCertificates != nil && *s.KeyCertificates {
		return nil, errors.New("key_certificates: keys in a store have no certificate: remove the member, or use -store memory")
	}
	return k, k.Extend(ctx, s, clients)
}

// Set returns the key set.
func (k *Keys) Set() *keyset.Set { return k.set.Load() }

// Ready reports whether keys of all algorithms sign.
func (k *Keys) Ready() bool { return k.Set().Ready(k.state.now()) == nil }

// Run loads and rotates keys that are in a store, until ctx ends.
func (k *Keys) Run(ctx context.Context) {
	var wg sync.WaitGroup
	k.mu.Lock()
	k.run = func(s *keyset.Set) { wg.Go(func() { s.Run(ctx) }) }
	for _, s := range k.stored {
		k.run(s)
	}
	k.mu.Unlock()
	<-ctx.Done()
	k.mu.Lock()
	k.run = nil
	k.mu.Unlock()
	wg.Wait()
}

// Extend makes keys for the algorithms of further clients. Every other key stays.
func (k *Keys) Extend(ctx context.Context, s Signing, clients []ClientEntry) (err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	before := len(k.algs)
	for _, alg := range s.used(clients) {
		if slices.Contains(k.algs, alg) {
			continue
		}
		if k.state.Lasting {
			err = k.open(ctx, alg)
		} else {
			err = k.generate(alg)
		}
		if err != nil {
			return err
		}
		k.algs = append(k.algs, alg)
	}
	if len(k.algs) == before {
		return nil
	}
	var set *keyset.Set
	if k.state.Lasting {
		set, err = k.join()
	} else {
		set, err = keyset.New(keyset.Config{Keys: k.own, DefaultAlg: k.algs[0], IncludeX5C: k.certificates})
	}
	if err == nil {
		k.set.Store(set)
	}
	return err
}

// open opens the keys of an algorithm in the store.
func (k *Keys) open(ctx context.Context, alg string) error {
	set, err := keyset.Shared{
		Store: k.state.Store, Set: k.issuer + " " + alg, Secrets: k.state.Secrets, Alg: alg, Logger: k.log, Now: k.state.now,
	}.Open(ctx)
	if errors.Is(err, portner.ErrUnavailable) {
		return err
	}
	if err != nil {
		return fmt.Errorf("the signing keys of the store: %w\n-secrets must be the file with which the store was made", err)
	}
	k.stored[alg] = set
	if k.run != nil {
		k.run(set)
	}
	return nil
}

// join returns the set of all stored keys.
func (k *Keys) join() (*keyset.Set, error) {
	var sets []*keyset.Set
	for _, alg := range k.algs {
		sets = append(sets, k.stored[alg])
	}
	return keyset.Join(sets...)
}

// generate makes a key that ends with the process.
func (k *Keys) generate(alg string) error {
	newKey := keyset.Generate
	if k.state.newKey != nil {
		newKey = k.state.newKey
	}
	made, err := newKey(alg)
	if err == nil && k.certificates {
		made.X5C, err = selfSigned(made, k.issuer, k.state.now())
	}
	if err == nil {
		made.Created = k.state.now()
		k.own = append(k.own, made)
	}
	return err
}

// used returns the algorithms of the keys, the default first.
func (s Signing) used(clients []ClientEntry) []string {
	if len(s.Algorithms) > 0 {
		return s.Algorithms
	}
	used := []string{keyset.RS256} // which every OpenID provider supports (OIDC Discovery §3)
	for _, c := range clients {
		for _, alg := range [...]string{c.IDTokenSignedResponseAlg, c.AccessTokenSignedResponseAlg} {
			if alg != "" && !slices.Contains(used, alg) {
				used = append(used, alg)
			}
		}
	}
	return used
}

// selfSigned returns a certificate of a key, as in the headers of ID-porten's test environments.
func selfSigned(k keyset.Key, issuer string, now time.Time) ([][]byte, error) {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: "portner test", OrganizationalUnit: []string{issuer}},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(1, 0, 0), KeyUsage: x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, k.Signer.Public(), k.Signer)
	if err != nil {
		return nil, fmt.Errorf("a certificate for the key of %s: %w", k.Alg, err)
	}
	return [][]byte{der}, nil
}
