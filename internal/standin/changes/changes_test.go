package changes_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/standin/changes"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/storage/memory"
)

var lists = []changes.List{
	{Member: "clients", Key: changes.By("client_id")},
	{Member: "scopes", Key: changes.ScopeName},
	{Member: "scope_access", Key: changes.By("scope", "consumer_orgno")},
	{Member: "parties", Key: changes.By("party_id")},
}

func TestMerge(t *testing.T) {
	t.Parallel()
	const file = `{"issuer":"http://localhost","clients":[{"client_id":"a","x":1},{"client_id":"b"},{"no":"key"}],"other":[{"client_id":"a"}]}`
	raw := func(text string) json.RawMessage { return json.RawMessage(text) }
	for name, c := range map[string]struct {
		file    string
		changes changes.Changes
		want    string
	}{
		"no change leaves the file": {"{ }", nil, "{ }"},
		"a changed entry keeps its place": {
			file, changes.Changes{}.With("clients", "a", raw(`{"client_id":"a","x":2}`)),
			`{"issuer":"http://localhost","clients":[{"client_id":"a","x":2},{"client_id":"b"},{"no":"key"}],"other":[{"client_id":"a"}]}`,
		},
		"new entries are at the end in the order of the keys": {
			file, changes.Changes{}.With("clients", "d", raw(`{"client_id":"d"}`)).With("clients", "c", raw(`{"client_id":"c"}`)),
			`{"issuer":"http://localhost","clients":[{"client_id":"a","x":1},{"client_id":"b"},{"no":"key"},{"client_id":"c"},{"client_id":"d"}],"other":[{"client_id":"a"}]}`,
		},
		"a removed entry is left out, also one that the file does not have": {
			file, changes.Changes{}.With("clients", "a", nil).With("clients", "z", nil),
			`{"issuer":"http://localhost","clients":[{"client_id":"b"},{"no":"key"}],"other":[{"client_id":"a"}]}`,
		},
		"an entry without its change": {
			file, changes.Changes{}.With("clients", "a", nil).With("scopes", "p:s", raw(`{"name":"p:s"}`)).Without("clients", "a"),
			`{"issuer":"http://localhost","clients":[{"client_id":"a","x":1},{"client_id":"b"},{"no":"key"}],"other":[{"client_id":"a"}],"scopes":[{"name":"p:s"}]}`,
		},
		"an entry that is there twice is replaced by one": {
			`{"clients":[{"client_id":"a"},{"client_id":"a"}]}`, changes.Changes{}.With("clients", "a", raw(`{"client_id":"a","x":3}`)),
			`{"clients":[{"client_id":"a","x":3}]}`,
		},
		"without a file": {"", changes.Changes{}.With("clients", "a", raw(`{"client_id":"a"}`)), `{"clients":[{"client_id":"a"}]}`},
		"by two members, by a number, and by the parts of a name": {
			`{"scope_access":[{"scope":"p:s","consumer_orgno":"1","state":"APPROVED"}],"parties":[{"party_id":50012345}],"scopes":[{"prefix":"p","subscope":"s"}]}`,
			changes.Changes{}.With("scope_access", "p:s 1", raw(`{"new":1}`)).With("parties", "50012345", raw(`{"new":2}`)).With("scopes", "p:s", raw(`{"new":3}`)),
			`{"scope_access":[{"new":1}],"parties":[{"new":2}],"scopes":[{"new":3}]}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			merged, err := c.changes.Merge([]byte(c.file), lists)
			require.NoError(t, err)
			if c.changes.Len() == 0 {
				require.Equal(t, c.want, string(merged))
				return
			}
			require.JSONEq(t, c.want, string(merged))
		})
	}
}

// TestMergeKeepsRepeatedMembers: a repeated member of an entry reaches the decoder that refuses it.
func TestMergeKeepsRepeatedMembers(t *testing.T) {
	t.Parallel()
	entry := json.RawMessage(`{"client_id":"a","client_id":"b"}`)
	merged, err := changes.Changes{}.With("clients", "b", entry).Merge(nil, lists)
	require.NoError(t, err)
	require.Equal(t, `{"clients":[`+string(entry)+`]}`, string(merged))
}

// node is a server: its configuration is the merged file.
type node struct {
	*changes.Keeper

	mu      sync.Mutex
	config  string
	refuse  error
	applied int
}

// refuses makes the node refuse what it is to apply.
func (n *node) refuses(err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.refuse = err
}

// state returns the configuration, and how often it was applied.
func (n *node) state() (config string, applied int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.config, n.applied
}

func newNode(t *testing.T, store changes.Store, secrets ...portner.Secret) *node {
	n := &node{}
	log, err := changes.NewLog(store, "https://op.example", secrets...)
	require.NoError(t, err)
	n.Keeper, err = changes.Open(t.Context(), changes.KeeperConfig{
		Lists: lists, Log: log, Logger: slog.New(slog.DiscardHandler), Apply: func(context.Context) error {
			n.mu.Lock()
			defer n.mu.Unlock()
			merged, err := n.Merge([]byte("{}"))
			if err == nil {
				err = n.refuse
			}
			if err == nil {
				n.config = string(merged)
				n.applied++
			}
			return err
		},
	})
	require.NoError(t, err)
	return n
}

func (n *node) set(ctx context.Context, client string) error {
	return n.Change(ctx, func(c changes.Changes) (changes.Changes, error) {
		return c.With("clients", client, json.RawMessage(`{"client_id":"`+client+`"}`)), nil
	})
}

func TestChangesLast(t *testing.T) {
	t.Parallel()
	store, secret := memory.New(), portner.NewSecret()
	first := newNode(t, store, secret)
	require.NoError(t, first.set(t.Context(), "a"))
	require.False(t, first.InFile("clients"), "the change is not in the file")
	require.NoError(t, first.set(t.Context(), "b"))
	require.NoError(t, first.Change(t.Context(), func(c changes.Changes) (changes.Changes, error) { return c.With("clients", "z", nil), nil }))

	restarted := newNode(t, store, portner.NewSecret(), secret) // after a rotation of the secrets
	require.NoError(t, restarted.Reload(t.Context()))
	require.Equal(t, first.config, restarted.config)
	require.JSONEq(t, `{"clients":[{"client_id":"a"},{"client_id":"b"}]}`, restarted.config)

	log, err := changes.NewLog(store, "https://op.example", portner.NewSecret())
	require.NoError(t, err)
	_, _, err = log.Load(t.Context())
	require.ErrorContains(t, err, "sealed with none of the secrets")
}

// renamed returns the records of one set as those of another.
type renamed struct {
	*memory.Store

	from, to string
}

func (r renamed) SigningKeys(ctx context.Context, set string) ([]storage.SigningKey, error) {
	records, err := r.Store.SigningKeys(ctx, strings.Replace(set, r.to, r.from, 1))
	return records, err
}

func TestChangesOfAnotherIssuer(t *testing.T) {
	t.Parallel()
	t.Run("configuration changes", func(t *testing.T) {
		t.Parallel()
		store, secret := memory.New(), portner.NewSecret()
		require.NoError(t, newNode(t, store, secret).set(t.Context(), "a"))
		log, err := changes.NewLog(renamed{store, "https://op.example", "https://other.example"}, "https://other.example", secret)
		require.NoError(t, err)
		_, _, err = log.Load(t.Context())
		require.ErrorContains(t, err, "sealed with none of the secrets")
	})
}

// TestStoredChangesAreSealed: a revision has secrets of clients and numbers of persons.
func TestStoredChangesAreSealed(t *testing.T) {
	t.Parallel()
	store := memory.New()
	n := newNode(t, store, portner.NewSecret())
	for range 4 {
		require.NoError(t, n.set(t.Context(), "canary-client"))
	}
	records, err := store.SigningKeys(t.Context(), "https://op.example changes")
	require.NoError(t, err)
	require.Len(t, records, 4)
	for i, r := range records {
		require.NotContains(t, string(r.Key), "canary")
		require.Equal(t, i < 2, len(r.Key) == 0, "the last revision and the one before are kept")
	}
}

func TestRefusedChangeChangesNothing(t *testing.T) {
	t.Parallel()
	store := memory.New()
	n := newNode(t, store, portner.NewSecret())
	require.NoError(t, n.set(t.Context(), "a"))
	before := n.config
	refusal := errors.New("clients[1].scopes: must not be empty")

	n.refuse = refusal
	err := n.set(t.Context(), "b")
	require.ErrorIs(t, err, refusal)
	var refused *changes.Refused
	require.ErrorAs(t, err, &refused)
	for path, want := range map[string][3]string{
		"clients[1].scopes": {"clients", "b", "scopes"}, "clients[0]": {"clients", "a", ""}, "clients[2].scopes": {"", "", "clients[2].scopes"},
		"issuer": {"", "", "issuer"}, "clients[x]": {"", "", "clients[x]"}, "clients[-1]": {"", "", "clients[-1]"}, "other[0].x": {"", "", "other[0].x"},
	} {
		list, key, member := refused.Split(path)
		require.Equal(t, want, [3]string{list, key, member})
	}
	n.refuse = nil
	require.ErrorIs(t, n.Change(t.Context(), func(changes.Changes) (changes.Changes, error) { return nil, refusal }), refusal)
	require.Equal(t, before, n.config)
	require.Equal(t, 1, n.Changes().Len())
	records, err := store.SigningKeys(t.Context(), "https://op.example changes")
	require.NoError(t, err)
	require.Len(t, records, 1)
}

// failing is a store whose inserts fail.
type failing struct {
	*memory.Store

	err error
}

func (f *failing) InsertSigningKey(ctx context.Context, k storage.SigningKey) error {
	if f.err != nil {
		return f.err
	}
	return f.Store.InsertSigningKey(ctx, k)
}

// TestChangeThatCannotBeKeptIsUndone: a change that would end with the process does not stay in use.
func TestChangeThatCannotBeKeptIsUndone(t *testing.T) {
	t.Parallel()
	store := &failing{Store: memory.New()}
	n := newNode(t, store, portner.NewSecret())
	require.NoError(t, n.set(t.Context(), "a"))
	before := n.config
	store.err = portner.ErrUnavailable
	require.ErrorIs(t, n.set(t.Context(), "b"), portner.ErrUnavailable)
	require.Equal(t, before, n.config)
	store.err = storage.ErrConflict
	require.ErrorIs(t, n.set(t.Context(), "b"), storage.ErrConflict, "it ends")
	require.Equal(t, before, n.config)
	store.err = nil
	require.NoError(t, n.set(t.Context(), "b"))
}

func TestTooLargeChange(t *testing.T) {
	t.Parallel()
	n := newNode(t, memory.New(), portner.NewSecret())
	large, err := json.Marshal(map[string]string{"client_id": "a", "description": strings.Repeat("x", 5<<20)})
	require.NoError(t, err)
	require.ErrorIs(t, n.Change(t.Context(), func(c changes.Changes) (changes.Changes, error) { return c.With("clients", "a", large), nil }), changes.ErrSize)
	require.Zero(t, n.Changes().Len())
}

// TestNodesChangeTogether: no change of one node is lost by a change of another.
func TestNodesChangeTogether(t *testing.T) {
	t.Parallel()
	store, secret := memory.New(), portner.NewSecret()
	nodes := []*node{newNode(t, store, secret), newNode(t, store, secret), newNode(t, store, secret)}
	const each = 20
	var wg sync.WaitGroup
	for i, n := range nodes {
		wg.Go(func() {
			for j := range each {
				err := error(storage.ErrConflict)
				for range 100 { // a busy node is told so
					if err = n.set(t.Context(), fmt.Sprintf("client-%d-%d", i, j)); !errors.Is(err, storage.ErrConflict) {
						break
					}
				}
				assert.NoError(t, err)
			}
		})
	}
	wg.Wait()
	last := newNode(t, store, secret)
	require.Equal(t, len(nodes)*each, last.Changes().Len())
}

// TestOtherNodesFollow: a change reaches the other nodes in two seconds, and one that does not fit a node is not applied there.
func TestOtherNodesFollow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store, secret := memory.New(), portner.NewSecret()
		a, b := newNode(t, store, secret), newNode(t, store, secret)
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		go b.Run(ctx)
		follows := func(after time.Duration) bool {
			time.Sleep(after)
			synctest.Wait()
			wanted, _ := a.state()
			has, _ := b.state()
			return wanted == has
		}
		require.NoError(t, a.set(ctx, "a"))
		require.True(t, follows(2*time.Second))

		b.refuses(errors.New("does not fit"))
		require.NoError(t, a.set(ctx, "b"))
		require.False(t, follows(4*time.Second))
		require.Equal(t, 1, b.Changes().Len())

		b.refuses(nil)
		require.True(t, follows(2*time.Second))
		_, applied := b.state()
		require.True(t, follows(time.Minute))
		_, again := b.state()
		require.Equal(t, applied, again, "a revision is applied once")
	})
}
