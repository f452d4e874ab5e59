package resource_test

import (
	"context"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/resource"
)

// TestIntrospectionIsShared checks that requests with a token that is being introspected share one response, and that it does not
// end with the first of them. Without a cache each request is introspected.
func TestIntrospectionIsShared(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		cacheFor time.Duration
		want     int64
	}{{"with a cache", time.Minute, 1}, {"without", 0, 100}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := &endpoint{}
				doc := active(t)
				a.answers(func(*http.Request) (*http.Response, error) {
					time.Sleep(time.Second)
					return response(200, []byte(doc)), nil
				})
				cfg := a.config(t)
				cfg.Introspection.CacheFor = tt.cacheFor
				v := verifier(t, cfg)
				first, cancel := context.WithCancel(t.Context())
				var failed atomic.Int64
				var wg sync.WaitGroup
				for i := range 100 {
					ctx := t.Context()
					if i == 0 {
						ctx = first
					}
					wg.Go(func() {
						if _, err := v.Verify(ctx, resource.Bearer("one-opaque-token")); err != nil {
							failed.Add(1)
						}
					})
					synctest.Wait()
				}
				cancel()
				wg.Wait()
				require.Equal(t, tt.want, a.fetched.Load())
				require.LessOrEqual(t, failed.Load(), int64(1), "only the caller that left")
				_, err := v.Verify(t.Context(), resource.Bearer("one-opaque-token"))
				require.NoError(t, err)
			})
		})
	}
}

// TestIntrospectionPanics checks that a panic of the host's function is an error of every caller, and that the next request is made
// again.
func TestIntrospectionPanics(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := &endpoint{}
		a.responds(200, active(t))
		cfg := a.config(t)
		cfg.Introspection.CacheFor = time.Minute
		panics := true
		cfg.Introspection.Authenticate = func(*http.Request, url.Values) error {
			if panics {
				panic("secret of the host")
			}
			return nil
		}
		v := verifier(t, cfg)
		_, err := v.Verify(t.Context(), resource.Bearer("one-opaque-token"))
		require.ErrorIs(t, err, portner.ErrUnavailable)
		require.NotContains(t, err.Error(), "secret of the host")
		panics = false
		_, err = v.Verify(t.Context(), resource.Bearer("one-opaque-token"))
		require.NoError(t, err)
	})
}
