package client_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/storage"
	"github.com/stretchr/testify/require"
)

// counting returns a source that counts its calls. It finds every client whose identifier does not begin with "no".
func counting(calls *atomic.Int64) client.SourceFunc {
	return func(_ context.Context, id string) (*client.Client, error) {
		calls.Add(1)
		if len(id) >= 2 && id[:2] == "no" {
			return nil, storage.ErrNotFound
		}
		return &client.Client{ClientID: id}, nil
	}
}

func TestCacheExpires(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		s := client.Cache(counting(&calls), 10, time.Minute)
		first, err := s.Client(t.Context(), "a")
		require.NoError(t, err)
		time.Sleep(time.Minute - time.Nanosecond)
		again, err := s.Client(t.Context(), "a")
		require.NoError(t, err)
		require.Same(t, first, again)
		require.EqualValues(t, 1, calls.Load())
		time.Sleep(time.Nanosecond)
		again, err = s.Client(t.Context(), "a")
		require.NoError(t, err)
		require.NotSame(t, first, again, "expired after one minute, although it was used")
		require.EqualValues(t, 2, calls.Load())
	})
}

// TestCacheAge: the lifetime of an entry begins before the source is called, so that a slow source does not extend it.
func TestCacheAge(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		s := client.Cache(client.SourceFunc(func(_ context.Context, id string) (*client.Client, error) {
			calls++
			time.Sleep(time.Minute)
			return &client.Client{ClientID: id}, nil
		}), 10, time.Minute)
		for range 2 {
			_, err := s.Client(t.Context(), "a")
			require.NoError(t, err)
		}
		require.Equal(t, 2, calls)
	})
}

func TestCacheForgetsErrors(t *testing.T) {
	t.Parallel()
	broken, calls := errors.New("connection refused"), 0
	s := client.Cache(client.SourceFunc(func(_ context.Context, id string) (*client.Client, error) {
		switch calls++; calls {
		case 1:
			return nil, broken
		case 2:
			return nil, storage.ErrNotFound
		case 3:
			return nil, nil
		case 4:
			return &client.Client{ClientID: "other"}, nil
		}
		return &client.Client{ClientID: id}, nil
	}), 10, time.Hour)
	_, err := s.Client(t.Context(), "a")
	require.ErrorIs(t, err, broken)
	_, err = s.Client(t.Context(), "a")
	require.ErrorIs(t, err, storage.ErrNotFound)
	for range 2 {
		_, err = client.Lookup(t.Context(), s, "a")
		require.ErrorContains(t, err, "another client")
	}
	for range 3 {
		_, err = client.Lookup(t.Context(), s, "a")
		require.NoError(t, err)
	}
	require.Equal(t, 5, calls)
}

// TestCacheIsBounded: at most max clients are remembered, and those that are looked up often are among them.
func TestCacheIsBounded(t *testing.T) {
	t.Parallel()
	for _, limit := range []int{1, 2, 3, 10, 101} {
		var calls atomic.Int64
		s := client.Cache(counting(&calls), limit, time.Hour)
		for i := range 1000 {
			_, err := s.Client(t.Context(), fmt.Sprint("c", i))
			require.NoError(t, err)
			_, _ = s.Client(t.Context(), fmt.Sprint("no", i))
			if limit > 1 {
				_, err = s.Client(t.Context(), "often")
				require.NoError(t, err)
			}
		}
		want := int64(2000)
		if limit > 1 {
			want++
		}
		require.Equal(t, want, calls.Load(), limit)
		calls.Store(0)
		for i := range 1000 { // the most recent first
			_, _ = s.Client(t.Context(), fmt.Sprint("c", 999-i))
		}
		require.GreaterOrEqual(t, calls.Load(), int64(1000-limit), limit)
	}
}

func TestCacheWithoutLimits(t *testing.T) {
	t.Parallel()
	require.Nil(t, client.Cache(nil, 1, time.Hour))
	var calls atomic.Int64
	for _, s := range []client.Source{client.Cache(counting(&calls), 0, time.Hour), client.Cache(counting(&calls), 1, 0)} {
		calls.Store(0)
		for range 2 {
			_, err := s.Client(t.Context(), "a")
			require.NoError(t, err)
		}
		require.EqualValues(t, 2, calls.Load(), "nothing is remembered")
	}
}

func TestCacheConcurrently(t *testing.T) {
	t.Parallel()
	var calls atomic.Int64
	s := client.Cache(counting(&calls), 8, time.Millisecond)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 2000 {
				id := fmt.Sprint("c", i%16)
				c, err := s.Client(t.Context(), id)
				if err != nil || c.ClientID != id {
					t.Errorf("%s: %v %v", id, c, err)
				}
			}
		})
	}
	wg.Wait()
}
