package keyset

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/portner-go/portner/internal/jose"
)

// The signature algorithms a provider may sign with.
const (
	RS256 = jose.RS256 // the default of OpenID Connect and of ID-porten
	PS256 = jose.PS256
	ES256 = jose.ES256
	EdDSA = jose.EdDSA
)

// supported in the order in which metadata lists them after the default.
var supported = []string{RS256, PS256, ES256, EdDSA}

// typs are the typ headers whose tokens are made often; each is encoded once per key.
var typs = []string{"JWT", "at+jwt", "logout+jwt"}

// Config configures a Set.
type Config struct {
	// Keys are the keys of all phases. At least one.
	Keys []Key
	// DefaultAlg is the algorithm Sign uses when asked for "". "" is RS256 if there is such a key, else the
	// first key's.
	DefaultAlg string
	// IncludeX5C sends x5c in token headers, as ID-porten does, for the keys that have a chain.
	// Tokens grow by the whole chain.
	IncludeX5C bool
	// Rotation is how long keys are published before and after their use.
	Rotation Rotation
}

// Set is a provider's keys. It is safe for concurrent use; reading takes no lock.
type Set struct {
	defaultAlg string
	includeX5C bool
	rotation   Rotation

	mu    sync.Mutex // held to change the keys
	keys  []Key      // as planned: validated, sorted, instants filled in
	ready map[string]ready
	line  atomic.Pointer[timeline]
}

// New reports all problems at once.
func New(cfg Config) (*Set, error) {
	s := &Set{defaultAlg: cfg.DefaultAlg, includeX5C: cfg.IncludeX5C, rotation: cfg.Rotation.withDefaults()}
	if s.defaultAlg == "" && len(cfg.Keys) > 0 {
		s.defaultAlg = cfg.Keys[0].Alg
		if slices.ContainsFunc(cfg.Keys, func(k Key) bool { return k.Alg == RS256 }) {
			s.defaultAlg = RS256
		}
	}
	if err := s.rotation.check(); err != nil {
		return nil, err
	}
	if err := s.Replace(cfg.Keys); err != nil {
		return nil, err
	}
	return s, nil
}

// Replace puts other keys in the place of all present ones, for nodes that read shared keys again.
// It reports all problems at once and then changes nothing. A key that is left out is no longer
// trusted from this moment: that is also how a stolen key is taken out of use.
func (s *Set) Replace(keys []Key) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.replace(keys, nil)
}

// replace prepares those of the keys that are not ready.
func (s *Set) replace(keys []Key, known map[string]ready) error {
	planned, err := s.plan(keys)
	if err != nil {
		return err
	}
	ready, err := s.prepare(planned, known)
	if err != nil {
		return err
	}
	s.keys, s.ready = planned, ready
	s.line.Store(s.newTimeline(planned, ready))
	return nil
}

// Sign returns the compact JWS of payload under the active key of alg ("" is the default).
// typ "" leaves the header out.
func (s *Set) Sign(alg, typ string, payload []byte, now time.Time) (string, error) {
	if alg == "" {
		alg = s.defaultAlg
	}
	signer := s.line.Load().at(now).signers[alg]
	if signer == nil {
		return "", fmt.Errorf("keyset: no active key for alg %q", alg)
	}
	token, err := signer.Sign(typ, payload)
	if err != nil {
		return "", fmt.Errorf("keyset: signing with %s: %w", alg, err)
	}
	return token, nil
}

// Algs returns the algorithms that have an active key, default first: what metadata may promise.
func (s *Set) Algs(now time.Time) []string { return slices.Clone(s.line.Load().at(now).algs) }

// Verify checks a token this set signed and returns its payload and typ header. Keys that no longer
// sign verify until they are removed. Expired claims are not its business, and neither is what kind of
// token it is: compare typ (security row D8).
func (s *Set) Verify(token string, now time.Time) (payload []byte, typ string, err error) {
	v := s.line.Load().at(now)
	t, err := jose.Verify(token, jose.MaxTokenX5C, supported, v.published)
	if err != nil {
		return nil, "", fmt.Errorf("keyset: verifying: %w", err)
	}
	return t.Payload, t.Header.Typ, nil
}

// JWKS returns the published keys as a JSON document and its strong ETag. The bytes are shared: do not change them.
func (s *Set) JWKS(now time.Time) (doc []byte, etag string) {
	v := s.line.Load().at(now)
	return v.doc, v.etag
}

// States returns the keys' lives, sorted by algorithm and start, with the instants that follow from
// one another filled in.
func (s *Set) States() []KeyState {
	s.mu.Lock()
	defer s.mu.Unlock()
	return states(s.keys)
}

// Format writes which keys there are, never the keys.
func (s *Set) Format(f fmt.State, _ rune) {
	var kids []string
	for _, k := range s.States() {
		kids = append(kids, k.Alg+" "+k.KID)
	}
	fmt.Fprintf(f, "keyset[%s]", strings.Join(kids, ", "))
}

// LogValue is Format for slog.
func (s *Set) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(s)) }
