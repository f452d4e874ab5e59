package keyset

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/jose"
)

// timeline holds a view for each instant at which a key changes its phase. It is immutable; a request only finds its view.
type timeline struct {
	views []view
	until time.Time // the set does not sign from then on; zero for no end
}

// view is what a set signs with and publishes from an instant on.
type view struct {
	from      time.Time // zero for the first view
	signers   map[string]*jose.Signer
	algs      []string // algorithms of signers, default first
	published []jose.PublicKey
	jwks      [][]byte // of published
	doc       []byte
	etag      string
}

// at returns the view of an instant. A linear search is fast: there are few views, and now is nearly always in one of the last.
func (t *timeline) at(now time.Time) *view {
	i := len(t.views) - 1
	for i > 0 && now.Before(t.views[i].from) {
		i--
	}
	return &t.views[i]
}

// noKeys is the timeline of a Set that New has not made.
var noKeys = func() *timeline {
	t := &timeline{views: []view{{}}}
	t.views[0].setJWKS()
	return t
}()

// timeline returns what the set does at each instant.
func (s *Set) timeline() *timeline {
	if t := s.line.Load(); t != nil {
		return t
	}
	return noKeys
}

// stale returns an error if the set does not sign at now, because it was not loaded in time.
func (t *timeline) stale(now time.Time) error {
	if t.until.IsZero() || now.Before(t.until) {
		return nil
	}
	return fmt.Errorf("keyset: %w: the keys must be loaded again: other nodes may sign with a newer one since %v", portner.ErrUnavailable, t.until)
}

// prepared is what a set computes once for a key.
type prepared struct {
	signer *jose.Signer
	public jose.PublicKey
	jwk    []byte
}

func (s *Set) prepare(k Key) (p prepared, err error) {
	p.public = jose.PublicKey{KID: k.KID, Alg: k.Alg, Use: "sig", X5C: k.X5C, Key: k.Signer.Public()}
	if p.jwk, err = jose.MarshalJWK(p.public); err != nil {
		return p, err
	}
	var chain [][]byte
	if s.includeX5C {
		chain = k.X5C
	}
	p.signer, err = jose.NewSigner(k.Alg, k.KID, k.Signer, chain, typs...)
	return p, err
}

// newTimeline computes a view for every instant at which a key changes its phase.
func (s *Set) newTimeline(keys []Key, all map[string]prepared) *timeline {
	instants := []time.Time{{}}
	for _, k := range keys {
		instants = append(instants, k.PublishFrom, k.ActiveFrom, k.RetireAt, k.RemoveAt)
	}
	slices.SortFunc(instants, time.Time.Compare)
	t := &timeline{}
	for _, from := range slices.CompactFunc(instants, time.Time.Equal) {
		v := view{from: from, signers: make(map[string]*jose.Signer)}
		for _, k := range keys {
			phase := k.Phase(from)
			if phase == Planned || phase == Removed {
				continue
			}
			p := all[k.KID]
			v.published = append(v.published, p.public)
			v.jwks = append(v.jwks, p.jwk)
			if phase == Active {
				v.signers[k.Alg] = p.signer
			}
		}
		v.algs = s.algsOf(v.signers)
		v.setJWKS()
		t.views = append(t.views, v)
	}
	return t
}

// algsOf returns the algorithms of signers, the default first.
func (s *Set) algsOf(signers map[string]*jose.Signer) []string {
	var algs []string
	for _, alg := range supported {
		if signers[alg] == nil {
			continue
		}
		if alg == s.defaultAlg {
			algs = slices.Insert(algs, 0, alg)
		} else {
			algs = append(algs, alg)
		}
	}
	return algs
}

// setJWKS sets the JWKS of the view (RFC 7517 §5). The keys are encoded by jose.MarshalJWK, which has no private members.
func (v *view) setJWKS() {
	v.doc = slices.Concat([]byte(`{"keys":[`), bytes.Join(v.jwks, []byte(",")), []byte("]}"))
	sum := sha256.Sum256(v.doc)
	v.etag = `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`
}
