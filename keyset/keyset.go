package keyset

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/portner-go/portner/internal/fields"
	"github.com/portner-go/portner/internal/jose"
)

// Signature algorithms.
const (
	RS256 = jose.RS256 // RSASSA-PKCS1-v1_5 with SHA-256, which every OpenID provider supports
	PS256 = jose.PS256 // RSASSA-PSS with SHA-256
	ES256 = jose.ES256 // ECDSA with P-256 and SHA-256
	EdDSA = jose.EdDSA // Ed25519
)

// supported has the order of Algs, except that the default algorithm comes first there.
var supported = []string{RS256, PS256, ES256, EdDSA}

// typs are the typ values of the header that are encoded once per key.
var typs = []string{"JWT", "at+jwt", "logout+jwt"}

// Config configures a Set.
type Config struct {
	// Keys are the keys in every phase. At least one is required.
	Keys []Key
	// DefaultAlg is the algorithm that Sign uses if its argument alg is "". The default is RS256 if there is such a key,
	// otherwise the algorithm of the first key.
	DefaultAlg string
	// IncludeX5C adds the certificate chain of the key to token headers. Every token grows by it.
	IncludeX5C bool
	// Rotation is how long keys are published before and after their use.
	Rotation Rotation
}

// Set holds the keys of a provider. It is safe for concurrent use. Signing, verifying and publishing take no lock.
type Set struct {
	defaultAlg string
	includeX5C bool
	rotation   Rotation
	source     *source // nil unless the set comes from a Directory or Shared

	mu       sync.Mutex // guards changes of the keys
	keys     []Key      // validated and sorted, with derived instants
	prepared map[string]prepared
	line     atomic.Pointer[timeline]

	parts []*Set // of Join; nil for a set with keys of its own
	joint atomic.Pointer[jointView]
}

// New returns a Set. It reports every problem at once, by field name.
func New(cfg Config) (*Set, error) {
	s := &Set{defaultAlg: cfg.DefaultAlg, includeX5C: cfg.IncludeX5C, rotation: cfg.Rotation.withDefaults()}
	if s.defaultAlg == "" && len(cfg.Keys) > 0 {
		s.defaultAlg = cfg.Keys[0].Alg
		if slices.ContainsFunc(cfg.Keys, func(k Key) bool { return k.Alg == RS256 }) {
			s.defaultAlg = RS256
		}
	}
	var c fields.Checker
	c.Join("Rotation", s.rotation.check())
	c.Join("", s.replace(cfg.Keys, nil, time.Time{}))
	if err := c.Err(); err != nil {
		return nil, fmt.Errorf("keyset: %w", err)
	}
	return s, nil
}

// fixed returns why the keys of the set cannot be changed by the host. It returns nil if they can.
func (s *Set) fixed() error {
	switch {
	case s.source != nil:
		return errStored
	case s.parts != nil:
		return errJoint
	}
	return nil
}

var errStored = errors.New("keyset: the keys of this set are those that a Directory or Shared stores")

// Replace replaces every key, for nodes that load shared keys again. If there are problems, it reports all of them and changes
// nothing. A key that is left out is no longer trusted: leave out a stolen key to take it out of use. Replace returns an error for
// the set of a Directory or Shared.
func (s *Set) Replace(keys []Key) error {
	if err := s.fixed(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.replace(keys, nil, time.Time{}); err != nil {
		return fmt.Errorf("keyset: %w", err)
	}
	return nil
}

// replace replaces every key. Keys that are not known are prepared. The set does not sign from until on, unless it is zero.
func (s *Set) replace(keys []Key, known map[string]prepared, until time.Time) error {
	planned, all, err := s.plan(keys, known)
	if err != nil {
		return err
	}
	line := s.newTimeline(planned, all)
	line.until = until
	s.keys, s.prepared = planned, all
	s.line.Store(line)
	return nil
}

// Sign returns the compact JWS of payload, signed by the active key of alg. If alg is "", it is the default algorithm. If typ
// is "", the header has no typ. The set of a Shared that was not loaded in time returns an error that wraps portner.ErrUnavailable.
func (s *Set) Sign(alg, typ string, payload []byte, now time.Time) (string, error) {
	if alg == "" {
		alg = s.defaultAlg
	}
	if s.parts != nil {
		return s.part(alg, now).Sign(alg, typ, payload, now)
	}
	line := s.timeline()
	if err := line.stale(now); err != nil {
		return "", err
	}
	signer := line.at(now).signers[alg]
	if signer == nil {
		return "", fmt.Errorf("keyset: no active key for alg %q", alg)
	}
	token, err := signer.Sign(typ, payload)
	if err != nil {
		return "", fmt.Errorf("keyset: signing with %s: %w", alg, err)
	}
	return token, nil
}

// Ready returns nil if Sign signs at now, without signing, and for a joint set if each of its sets signs. It is meant for a readiness probe:
// Algs and JWKS still return what the set had when the set of a Shared was not loaded in time.
func (s *Set) Ready(now time.Time) error {
	if s.parts != nil {
		return s.eachPart(func(p *Set) error { return p.Ready(now) })
	}
	line := s.timeline()
	if err := line.stale(now); err != nil {
		return err
	}
	if len(line.at(now).algs) == 0 {
		return errors.New("keyset: no active key")
	}
	return nil
}

// Algs returns the algorithms that have an active key, the default first, for metadata.
func (s *Set) Algs(now time.Time) []string { return slices.Clone(s.view(now).algs) }

// VerifyIDToken verifies the signature of an id_token of this set and returns its payload. Retired keys verify until they are removed.
// Every other kind of JWT that the keys sign, such as an access token or a logout token, is rejected. VerifyIDToken does not examine
// the values of claims such as exp.
func (s *Set) VerifyIDToken(token string, now time.Time) (payload []byte, err error) {
	t, err := jose.Verify(token, jose.MaxTokenX5C, supported, s.view(now).published, jose.IDToken)
	if err != nil {
		return nil, fmt.Errorf("keyset: verifying: %w", err)
	}
	return t.Payload, nil
}

// JWKS returns the published keys as a JSON document, and its strong ETag. The bytes must not be changed.
func (s *Set) JWKS(now time.Time) (doc []byte, etag string) {
	v := s.view(now)
	return v.doc, v.etag
}

// States returns the lives of the keys, sorted by algorithm and start. Instants that derive from a successor are filled in.
func (s *Set) States() []KeyState {
	if s.parts != nil {
		return s.jointStates()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return states(s.keys)
}

// Format writes the algorithms and kids for every verb.
func (s *Set) Format(f fmt.State, _ rune) {
	var kids []string
	for _, k := range s.States() {
		kids = append(kids, k.Alg+" "+k.KID)
	}
	fmt.Fprintf(f, "keyset[%s]", strings.Join(kids, ", "))
}

// LogValue returns what Format writes.
func (s *Set) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(s)) }
