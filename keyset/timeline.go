package keyset

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/portner-go/portner/internal/jose"
)

// timeline is everything that holds from each instant of change to the next, worked out beforehand:
// a request only looks up its instant. It never changes.
type timeline struct{ views []view }

// view is what holds from an instant on.
type view struct {
	from      time.Time // of the first view: zero
	signers   map[string]*jose.Signer
	algs      []string // of signers, default first
	published []jose.PublicKey
	doc       []byte
	etag      string
}

// at returns the view of an instant. There are a handful, and now is nearly always in one of the last.
func (t *timeline) at(now time.Time) *view {
	i := len(t.views) - 1
	for i > 0 && now.Before(t.views[i].from) {
		i--
	}
	return &t.views[i]
}

// ready is what is made of a key once.
type ready struct {
	signer *jose.Signer
	public jose.PublicKey
	jwk    []byte
}

// prepare makes the keys ready that are not known; it reports all problems at once.
func (s *Set) prepare(keys []Key, known map[string]ready) (map[string]ready, error) {
	all := make(map[string]ready, len(keys))
	var errs []error
	for _, k := range keys {
		r, ok := known[k.KID]
		if !ok {
			var err error
			if r, err = s.prepareKey(k); err != nil {
				errs = append(errs, fmt.Errorf("keyset: key %s: %w", k.KID, err))
			}
		}
		all[k.KID] = r
	}
	return all, errors.Join(errs...)
}

func (s *Set) prepareKey(k Key) (r ready, err error) {
	r.public = jose.PublicKey{KID: k.KID, Alg: k.Alg, Use: "sig", X5C: k.X5C, Key: k.Signer.Public()}
	if r.jwk, err = jose.MarshalJWK(r.public); err != nil {
		return r, err
	}
	var chain [][]byte
	if s.includeX5C {
		chain = k.X5C
	}
	r.signer, err = jose.NewSigner(k.Alg, k.KID, k.Signer, chain, typs...)
	return r, err
}

// newTimeline cuts time at every instant at which a key changes its phase.
func (s *Set) newTimeline(keys []Key, ready map[string]ready) *timeline {
	instants := []time.Time{{}}
	for _, k := range keys {
		instants = append(instants, k.PublishFrom, k.ActiveFrom, k.RetireAt, k.RemoveAt)
	}
	slices.SortFunc(instants, time.Time.Compare)
	t := &timeline{}
	for _, from := range slices.CompactFunc(instants, time.Time.Equal) {
		v := view{from: from, signers: make(map[string]*jose.Signer)}
		var jwks [][]byte
		for _, k := range keys {
			phase := k.Phase(from)
			if phase == Planned || phase == Removed {
				continue
			}
			r := ready[k.KID]
			v.published = append(v.published, r.public)
			jwks = append(jwks, r.jwk)
			if phase == Active {
				v.signers[k.Alg] = r.signer
			}
		}
		v.algs = s.order(v.signers)
		v.publish(jwks)
		t.views = append(t.views, v)
	}
	return t
}

func (s *Set) order(signers map[string]*jose.Signer) []string {
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

// publish writes the view's JWKS (RFC 7517 section 5) from what jose.MarshalJWK writes of public keys:
// there is no private member to leave out.
func (v *view) publish(jwks [][]byte) {
	v.doc = slices.Concat([]byte(`{"keys":[`), bytes.Join(jwks, []byte(",")), []byte("]}"))
	sum := sha256.Sum256(v.doc)
	v.etag = `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`
}
