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

// newTimeline prepares the keys and cuts time at every instant one of them changes its phase.
func (s *Set) newTimeline(keys []Key) (*timeline, error) {
	signers := make([]*jose.Signer, len(keys))
	publics := make([]jose.PublicKey, len(keys))
	instants := []time.Time{{}}
	var errs []error
	for i, k := range keys {
		publics[i] = jose.PublicKey{KID: k.KID, Alg: k.Alg, Use: "sig", X5C: k.X5C, Key: k.Signer.Public()}
		var chain [][]byte
		if s.includeX5C {
			chain = k.X5C
		}
		var err error
		if signers[i], err = jose.NewSigner(k.Alg, k.KID, k.Signer, chain, typs...); err != nil {
			errs = append(errs, fmt.Errorf("keyset: key %s: %w", k.KID, err))
		}
		instants = append(instants, k.PublishFrom, k.ActiveFrom, k.RetireAt, k.RemoveAt)
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	slices.SortFunc(instants, time.Time.Compare)
	t := &timeline{}
	for _, from := range slices.CompactFunc(instants, time.Time.Equal) {
		v := view{from: from, signers: make(map[string]*jose.Signer)}
		for i, k := range keys {
			switch k.Phase(from) {
			case Planned, Removed:
				continue
			case Active:
				v.signers[k.Alg] = signers[i]
			}
			v.published = append(v.published, publics[i])
		}
		v.algs = s.order(v.signers)
		if err := v.publish(); err != nil {
			return nil, err
		}
		t.views = append(t.views, v)
	}
	return t, nil
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

// publish writes the view's JWKS (RFC 7517 section 5). It holds what jose.MarshalJWK writes of a public
// key and nothing else, so there is no private member to leave out.
func (v *view) publish() error {
	list := make([][]byte, len(v.published))
	for i, k := range v.published {
		var err error
		if list[i], err = jose.MarshalJWK(k); err != nil {
			return fmt.Errorf("keyset: key %s: %w", k.KID, err)
		}
	}
	v.doc = slices.Concat([]byte(`{"keys":[`), bytes.Join(list, []byte(",")), []byte("]}"))
	sum := sha256.Sum256(v.doc)
	v.etag = `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`
	return nil
}
