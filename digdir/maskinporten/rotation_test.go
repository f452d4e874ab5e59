package maskinporten_test

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"math/big"
	"net/http"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/digdir/maskinporten"
)

// replaceable is a source with one client, whose registration another process may replace.
type replaceable struct{ current atomic.Pointer[client.Client] }

// Client implements client.Source.
func (r *replaceable) Client(ctx context.Context, id string) (*client.Client, error) {
	return must(client.NewRegistry(client.Environment{Test: true}, *r.current.Load())).Client(ctx, id)
}

// keySet returns a JWKS of keys by kid.
func keySet(keys map[string]*rsa.PrivateKey) json.RawMessage {
	var all []any
	for kid, k := range keys {
		all = append(all, map[string]any{"kty": "RSA", "use": "sig", "kid": kid, "n": b64(k.N.Bytes()), "e": b64(big.NewInt(int64(k.E)).Bytes())})
	}
	return must(json.Marshal(map[string]any{"keys": all}))
}

// TestRotatedKeys replaces the keys of a client while the server runs. The next assertion is verified with the new set, and a set expires a year
// after it was registered (docs/spec/maskinporten.md §1.14).
func TestRotatedKeys(t *testing.T) {
	t.Parallel()
	source := &replaceable{}
	w := newWorld(t, func(c *maskinporten.Config) { c.Clients, c.Certificates = source, nil })
	posted := issuedAt(v4())
	register := func(at time.Time, keys map[string]*rsa.PrivateKey) {
		c := clients()[0]
		c.JWKS, c.KeysUploadedAt = keySet(keys), at
		source.current.Store(&c)
	}
	old, renewed := rsaKey(), strangerKey()
	jti := 0
	send := func(kid string, key *rsa.PrivateKey) answer {
		jti++
		iat := w.cfg.Now().Unix()
		payload := v4().with("jti", strconv.Itoa(jti), "iat", iat, "exp", iat+120)
		header := object{"alg": "RS256", "kid": kid}
		if key == renewed {
			return w.send(t, otherKey(header, payload))
		}
		return w.send(t, sign(header.json(), payload.json()))
	}
	accepted := func(kid string, key *rsa.PrivateKey) {
		t.Helper()
		require.Equal(t, http.StatusOK, send(kid, key).status)
	}

	register(posted, map[string]*rsa.PrivateKey{"k1": old})
	accepted("k1", old)
	w.requireRejection(t, send("k2", renewed), catalogue["kid"])

	register(posted, map[string]*rsa.PrivateKey{"k1": old, "k2": renewed}) // both, while the instances of the client change over
	accepted("k1", old)
	accepted("k2", renewed)

	register(posted, map[string]*rsa.PrivateKey{"k2": renewed})
	w.requireRejection(t, send("k1", old), catalogue["kid"])
	accepted("k2", renewed)

	register(posted, map[string]*rsa.PrivateKey{"k2": old}) // another key with the name of the last one
	w.requireRejection(t, send("k2", renewed), catalogue["MP-124"])
	accepted("k2", old)

	year := posted.Add(365 * 24 * time.Hour)
	w.at(year.Add(-time.Second))
	accepted("k2", old)
	w.at(year)
	w.requireRejection(t, send("k2", old), catalogue["MP-121"])
	w.requireRejection(t, send("k1", old), catalogue["MP-121"])
	register(year, map[string]*rsa.PrivateKey{"k2": old}) // the same key again renews it
	accepted("k2", old)
}
