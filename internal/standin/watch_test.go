package standin

import (
	"context"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// TestWatch: a change of the content is noticed once. A file that is missing for a moment, or is written again with the same content, is not
// changed.
func TestWatch(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "config.json")
	at := time.Now()
	write := func(text string) {
		at = at.Add(time.Second) // the time of the file may be coarse
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		require.NoError(t, os.Chtimes(file, at, at))
	}
	write("first")
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		var changed atomic.Int32
		go watch(ctx, file, time.Second, func() { changed.Add(1) })
		look := func() int {
			time.Sleep(1100 * time.Millisecond)
			synctest.Wait()
			return int(changed.Load())
		}
		require.Zero(t, look())
		write("first")
		require.Zero(t, look(), "the same content")
		write("other")
		require.Equal(t, 1, look(), "the same size")
		require.NoError(t, os.Remove(file))
		require.Equal(t, 1, look(), "missing")
		write("other")
		require.Equal(t, 1, look(), "back")
		write("third text")
		require.Equal(t, 2, look())
	})
}
