package changes

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/portner-go/portner/storage"
)

// KeeperConfig configures a [Keeper].
type KeeperConfig struct {
	Lists []List
	// Log keeps the changes. Required.
	Log *Log
	// Apply reads the configuration again, with Keeper.Merge, and replaces the one in use as a whole. After an error nothing has changed.
	// Calls do not overlap. Required.
	Apply func(context.Context) error
	// Logger receives the errors of Run. Required.
	Logger *slog.Logger
	// Now is the clock. If nil, time.Now.
	Now func() time.Time
}

// Refused is the error of a change that Apply refused.
type Refused struct {
	Err  error
	keys map[string][]string // of the merged configuration, by list
}

// Error returns the text of Err.
func (r *Refused) Error() string { return r.Err.Error() }

// Unwrap returns Err.
func (r *Refused) Unwrap() error { return r.Err }

// Split returns the list, the key and the member of a path such as clients[2].redirect_uris[0]. The key is "" for a path that leads to no entry.
func (r *Refused) Split(path string) (list, key, member string) {
	list, rest, found := strings.Cut(path, "[")
	index, member, closed := strings.Cut(rest, "]")
	i, err := strconv.Atoi(index)
	if keys := r.keys[list]; found && closed && err == nil && i >= 0 && i < len(keys) {
		return list, keys[i], strings.TrimPrefix(member, ".")
	}
	return "", "", path
}

// Keeper changes the configuration of a running server: one change at a time, on top of the last revision of the log.
type Keeper struct {
	cfg KeeperConfig

	mu       sync.Mutex // held during Apply
	revision int64
	current  atomic.Pointer[Changes]
	failed   int64                  // the revision of another node that Apply refused last
	file     atomic.Pointer[[]byte] // as Merge received it
	merged   atomic.Pointer[[]byte] // as Merge returned it
}

// Open returns a keeper with the last revision of the log. It does not call Apply.
func Open(ctx context.Context, cfg KeeperConfig) (*Keeper, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	k := &Keeper{cfg: cfg}
	c, revision, err := cfg.Log.Load(ctx)
	if err != nil {
		return nil, err
	}
	k.revision = revision
	k.current.Store(&c)
	return k, nil
}

// Changes returns the changes that Merge merges.
func (k *Keeper) Changes() Changes { return *k.current.Load() }

// Merge returns a configuration file with the changes.
func (k *Keeper) Merge(file []byte) ([]byte, error) {
	merged, err := k.Changes().Merge(file, k.cfg.Lists)
	k.file.Store(&file)
	k.merged.Store(&merged)
	return merged, err
}

// InFile reports whether the file that Merge received last has an entry in a list.
func (k *Keeper) InFile(list string) bool {
	var members map[string]json.RawMessage
	var entries []json.RawMessage
	file := k.file.Load()
	return file != nil && json.Unmarshal(*file, &members) == nil && json.Unmarshal(members[list], &entries) == nil && len(entries) > 0
}

// refused returns an error of Apply with the keys of what it read.
func (k *Keeper) refused(err error) error {
	r := &Refused{Err: err, keys: map[string][]string{}}
	members := map[string]json.RawMessage{}
	if text := k.merged.Load(); text == nil || json.Unmarshal(*text, &members) != nil {
		return r
	}
	for _, list := range k.cfg.Lists {
		var entries []Entry
		if json.Unmarshal(members[list.Member], &entries) != nil {
			continue
		}
		for _, e := range entries {
			r.keys[list.Member] = append(r.keys[list.Member], list.Key(e))
		}
	}
	return r
}

// Reload calls Apply: the configuration file may have changed.
func (k *Keeper) Reload(ctx context.Context) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.cfg.Apply(ctx)
}

// attempts bounds how often Change starts again because another node made a change.
const attempts = 10

// errBusy wraps storage.ErrConflict.
type errBusy struct{}

// Error returns the reason.
func (errBusy) Error() string { return "other nodes change the configuration all the time" }

// Unwrap returns storage.ErrConflict.
func (errBusy) Unwrap() error { return storage.ErrConflict }

// Change applies what edit returns, and keeps it. edit may be called more than once: if another node made a change at the same time, it is
// called with the changes of that one. An error of Apply is a *Refused. After an error nothing has changed, unless the store failed after it had kept the change: then Run
// applies it.
func (k *Keeper) Change(ctx context.Context, edit func(Changes) (Changes, error)) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	for range attempts {
		if err := k.follow(ctx); err != nil {
			return err
		}
		before := k.Changes()
		next, err := edit(before)
		if err != nil {
			return err
		}
		k.current.Store(&next)
		if err := k.cfg.Apply(ctx); err != nil {
			k.current.Store(&before)
			return k.refused(err)
		}
		err = k.cfg.Log.Append(ctx, k.revision, next, k.cfg.Now())
		if err == nil {
			k.revision++
			return nil
		}
		k.current.Store(&before)
		if undo := k.cfg.Apply(context.WithoutCancel(ctx)); undo != nil {
			k.cfg.Logger.Error("a change that could not be kept applies until the next one", "error", undo)
		}
		if !errors.Is(err, storage.ErrConflict) {
			return err
		}
	}
	return errBusy{}
}

// follow applies the last revision if it is a newer one.
func (k *Keeper) follow(ctx context.Context) error {
	c, revision, err := k.cfg.Log.Load(ctx)
	if err != nil || revision == k.revision {
		return err
	}
	before := k.Changes()
	k.current.Store(&c)
	if err := k.cfg.Apply(ctx); err != nil {
		k.current.Store(&before)
		if k.failed != revision {
			k.failed = revision
			k.cfg.Logger.Error("a change of another node does not fit the configuration of this one", "revision", revision, "error", err)
		}
		return err
	}
	k.revision = revision
	k.cfg.Logger.Info("the configuration was changed on another node", "revision", revision)
	return nil
}

// followEvery is how often Run looks for changes of other nodes.
const followEvery = 2 * time.Second

// Run applies the changes of other nodes, until ctx ends.
func (k *Keeper) Run(ctx context.Context) {
	ticker := time.NewTicker(followEvery)
	defer ticker.Stop()
	down := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		k.mu.Lock()
		failed := k.failed
		err := k.follow(ctx)
		logged := k.failed != failed
		k.mu.Unlock()
		if err != nil && !down && !logged && ctx.Err() == nil {
			k.cfg.Logger.Error("the changes of other nodes cannot be read", "error", err)
		}
		down = err != nil
	}
}
