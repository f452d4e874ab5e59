package standin

import (
	"context"
	"crypto/sha256"
	"os"
	"time"
)

// watchEvery is how often a server looks at its configuration file.
const watchEvery = time.Second

// watch calls changed when the content of a file changes, until ctx ends. It reads the file only if its time or size has changed. A file that
// is missing, such as between two steps of an editor, is looked at again.
func watch(ctx context.Context, file string, every time.Duration, changed func()) {
	state := func() (time.Time, int64) {
		info, err := os.Stat(file)
		if err != nil {
			return time.Time{}, -1
		}
		return info.ModTime(), info.Size()
	}
	sum := func() (s [sha256.Size]byte, ok bool) {
		text, err := os.ReadFile(file)
		return sha256.Sum256(text), err == nil
	}
	at, size := state()
	content, _ := sum()
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		nowAt, nowSize := state()
		if nowAt.Equal(at) && nowSize == size {
			continue
		}
		next, ok := sum()
		if !ok {
			continue
		}
		at, size = nowAt, nowSize
		if next != content {
			content = next
			changed()
		}
	}
}
