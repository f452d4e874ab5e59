package resource_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/portner-go/portner/internal/jose"
	"github.com/portner-go/portner/resource"
	"github.com/stretchr/testify/require"
)

// TestClockWasAhead: what a verifier stored while its clock was ahead does not count after the clock is set right: new keys are
// fetched, withdrawn keys are rejected, and responses are requested again.
func TestClockWasAhead(t *testing.T) {
	t.Parallel()
	start := time.Now()
	keyA, keyB := ecKey(), ecKey()

	t.Run("keys", func(t *testing.T) {
		t.Parallel()
		for name, ahead := range map[string]string{"a failed search": "unknown", "new keys": "a"} {
			clock := start
			f := &fakeIssuer{}
			f.serves(one(t, "a", keyA))
			v := verifier(t, resource.Config{
				Issuer: maskinporten, URL: api, Now: func() time.Time { return clock },
				Keys: resource.RemoteKeys{URI: maskinporten + "jwk", HTTP: &http.Client{Transport: f}},
			})
			verify := func(kid string) error {
				now := clock.Unix()
				key := keyA
				if kid == "b" {
					key = keyB
				}
				_, err := v.Verify(t.Context(), resource.Bearer(signWith(t, jose.ES256, kid, key, "", machine(t).with("iat", now, "exp", now+100).json(t))))
				return err
			}
			if name == "a failed search" {
				require.NoError(t, verify("a"), name)
			}
			clock = start.Add(24 * time.Hour)
			_ = verify(ahead)
			clock = start.Add(time.Minute)
			f.serves(one(t, "b", keyB))
			require.NoError(t, verify("b"), name)
			require.Equal(t, "key_unknown", rejection(t, verify("a")).Reason, name)
		}
	})

	t.Run("withdrawn key", func(t *testing.T) {
		t.Parallel()
		clock := start.Add(24 * time.Hour)
		f := &fakeIssuer{}
		f.serves(one(t, "a", keyA))
		v := verifier(t, resource.Config{
			Issuer: maskinporten, URL: api, Now: func() time.Time { return clock },
			Keys: resource.RemoteKeys{URI: maskinporten + "jwk", HTTP: &http.Client{Transport: f}},
		})
		verify := func() error {
			now := clock.Unix()
			_, err := v.Verify(t.Context(), resource.Bearer(signWith(t, jose.ES256, "a", keyA, "", machine(t).with("iat", now, "exp", now+100).json(t))))
			return err
		}
		require.NoError(t, verify())
		clock = start
		f.serves(one(t, "b", keyB))
		require.Equal(t, "key_unknown", rejection(t, verify()).Reason)
	})

	t.Run("response", func(t *testing.T) {
		t.Parallel()
		clock := start.Add(24 * time.Hour)
		a := &endpoint{}
		a.responds(200, active(t, "iat", start.Unix(), "exp", start.Unix()+50*3600))
		cfg := a.config(t)
		cfg.Introspection.CacheFor = time.Minute
		cfg.Now = func() time.Time { return clock }
		v := verifier(t, cfg)
		_, err := v.Verify(t.Context(), resource.Bearer("token"))
		require.NoError(t, err)
		clock = start
		a.responds(200, `{"active":false}`)
		_, err = v.Verify(t.Context(), resource.Bearer("token"))
		require.Equal(t, "token_inactive", rejection(t, err).Reason)
	})
}
