package commit_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portner-go/portner/internal/commit"
	"github.com/portner-go/portner/internal/slow"
	"github.com/stretchr/testify/require"
)

type key struct{}

// begin returns the context of a change, and a function that ends the context of its request.
func begin(t *testing.T) (c *commit.Context, disconnect func()) {
	t.Helper()
	request, end := context.WithCancelCause(context.WithValue(t.Context(), key{}, "value"))
	return commit.New(request, time.Second), func() { end(errors.New("disconnected")) }
}

// ended reports whether Done is closed, once every goroutine waits.
func ended(c context.Context) bool {
	synctest.Wait()
	select {
	case <-c.Done():
		return true
	default:
		return false
	}
}

// TestDeadline: the context ends at its deadline, whether or not Done was called before, and the error does not change.
func TestDeadline(t *testing.T) {
	t.Parallel()
	for _, early := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			c, disconnect := begin(t)
			defer disconnect()
			want := time.Now().Add(time.Second)
			if at, ok := c.Deadline(); !ok || !at.Equal(want) {
				t.Fatal(at, ok)
			}
			if early && ended(c) {
				t.Fatal("ended before its deadline")
			}
			time.Sleep(time.Second - time.Nanosecond)
			require.NoError(t, c.Err())
			time.Sleep(time.Nanosecond)
			if early { // the timer fires at this instant, too
				synctest.Wait()
			}
			require.Equal(t, context.DeadlineExceeded, c.Err())
			require.True(t, ended(c))
			c.Cancel()
			require.Equal(t, context.DeadlineExceeded, c.Err())
			require.Equal(t, context.DeadlineExceeded, context.Cause(c))
		})
	}
}

// TestDisconnect: the context has the values of its parent, and does not end with it.
func TestDisconnect(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, disconnect := begin(t)
		disconnect()
		for range 2 { // before and after Done
			require.Equal(t, "value", c.Value(key{}))
			require.NoError(t, c.Err())
			require.NoError(t, context.Cause(c), "the cause is that of the parent")
			require.False(t, ended(c))
		}
		c.Cancel()
	})
}

// TestCancel: Cancel ends the context at once, before and after Done was called, and no timer remains.
func TestCancel(t *testing.T) {
	t.Parallel()
	for _, early := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			c, disconnect := begin(t)
			disconnect()
			if early {
				require.False(t, ended(c))
			}
			c.Cancel()
			c.Cancel()
			require.Equal(t, context.Canceled, c.Err())
			require.Equal(t, context.Canceled, context.Cause(c), "the cause is that of the request")
			require.True(t, ended(c))
			time.Sleep(2 * time.Second)
			require.Equal(t, context.Canceled, c.Err())
			require.Equal(t, context.Canceled, context.Cause(c))
		})
	}
	t.Run("after the deadline", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c, disconnect := begin(t)
			defer disconnect()
			time.Sleep(time.Second)
			c.Cancel()
			require.True(t, ended(c))
			require.Equal(t, context.DeadlineExceeded, c.Err())
		})
	})
}

// TestChildren: contexts that derive from it end with it, by its deadline and by Cancel.
func TestChildren(t *testing.T) {
	t.Parallel()
	for _, by := range []string{"deadline", "Cancel"} {
		synctest.Test(t, func(t *testing.T) {
			c, disconnect := begin(t)
			defer disconnect()
			child, cancel := context.WithCancel(c)
			defer cancel()
			var ran bool
			defer context.AfterFunc(c, func() { ran = true })()
			stopped := context.AfterFunc(c, func() { t.Error("stopped before") })
			require.True(t, stopped())
			require.False(t, ended(child))
			want := context.Canceled
			if by == "Cancel" {
				c.Cancel()
			} else {
				time.Sleep(time.Second)
				want = context.DeadlineExceeded
			}
			require.True(t, ended(child))
			require.True(t, ran)
			require.Equal(t, want, child.Err())
			require.Equal(t, "value", child.Value(key{}))
		})
	}
}

// TestNoGoroutine: a child of the context needs no goroutine, which package context starts for contexts that it does not know. synctest fails
// a test that leaves a goroutine.
func TestNoGoroutine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, disconnect := begin(t)
		defer disconnect()
		context.AfterFunc(c, func() { t.Error("the context ended") })
		child, cancel := context.WithCancel(c)
		cancel()
		require.Error(t, child.Err())
		require.NoError(t, c.Err(), "the child ended its parent")
	})
}

// TestConcurrent is for the race detector.
func TestConcurrent(t *testing.T) {
	t.Parallel()
	c := commit.New(context.WithValue(t.Context(), key{}, "value"), time.Minute)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if c.Value(key{}) != "value" {
				t.Error("no value")
			}
			if err := c.Err(); err != nil && err != context.Canceled {
				t.Error(err)
			}
			<-c.Done()
		})
		all.Go(c.Cancel)
	}
	all.Wait()
	require.Equal(t, context.Canceled, c.Err())
}

// TestAllocations: a change of a store that reads Err only makes one allocation for its context.
func TestAllocations(t *testing.T) { // not parallel: the allocations of the whole process are counted
	parent := t.Context()
	require.LessOrEqual(t, slow.Allocations(t, 100, func() {
		c := commit.New(parent, time.Second)
		if c.Err() != nil {
			t.Fail()
		}
		c.Cancel()
	}), 1.0)
}
