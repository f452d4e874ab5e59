package stores_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/examples/internal/stores"
	"github.com/portner-go/portner/internal/standin"
	"github.com/portner-go/portner/keyset"
)

// prepared parses the flags of a program, which opens its state. It returns nil if the flags are refused.
func prepared(t *testing.T, args ...string) (*standin.State, error) {
	t.Helper()
	f := standin.Flags{StateFlags: standin.StateFlags{Stores: stores.All()}}
	var state *standin.State
	c := standin.Command{Name: "idporten", Addr: "localhost:0", Flags: &f, Open: func(ctx context.Context, log *slog.Logger) (standin.Server, error) {
		var err error
		state, err = f.StateFlags.Open(ctx, log)
		return nil, err
	}}
	_, err := c.Prepare(args, slog.New(slog.DiscardHandler))
	if state != nil {
		t.Cleanup(func() { _ = state.Store.Close() })
	}
	return state, err
}

// TestStoreFlags: each value that cannot be used is refused with what to do.
func TestStoreFlags(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	none := filepath.Join(dir, "none")
	for value, want := range map[string]string{
		"":                           "-store: names no file; write -store sqlite:FILE",
		"sqlite:":                    "-store: names no file; write -store sqlite:FILE",
		"sqlite:" + dir:              "is a folder; write the name of a file in it",
		dir:                          "is a folder; write the name of a file in it",
		"sqlite:" + none + "/x.db":   "there is no folder " + none + ": mkdir -p " + none,
		"sqlite://" + none + "/x.db": "write sqlite:FILE, without //",
		":memory:":                   "write -store memory",
		"sqlite::memory:":            "write -store memory",
		"mysql://localhost/x":        "the scheme mysql is none of sqlite, postgres and redis",
		"postgres:localhost":         "write postgres://HOST:PORT/",
		"redis:localhost":            "write redis://HOST:PORT/",
	} {
		_, err := prepared(t, "-store", value)
		require.ErrorContains(t, err, want, value)
	}
}

// TestSecretsFile: the secrets are made once, for the owner only, and stay those of the store.
func TestSecretsFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "portner.db")
	first, err := prepared(t, "-store", file)
	require.NoError(t, err)
	info, err := os.Stat(file + ".secrets")
	require.NoError(t, err)
	if runtime.GOOS != "windows" {
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	}
	require.NoError(t, first.Store.Close())
	again, err := prepared(t, "-store", "sqlite:"+file)
	require.NoError(t, err)
	require.True(t, bytes.Equal(first.Secrets[0], again.Secrets[0]))
	require.True(t, bytes.Equal(first.PairwiseKey, again.PairwiseKey))
	require.True(t, bytes.Equal(first.Derived("x"), again.Derived("x")))
	require.False(t, bytes.Equal(first.Derived("x"), again.Derived("y")))
	require.False(t, bytes.Equal(first.Secrets[0], first.PairwiseKey))
	require.NoError(t, again.Store.Close())

	// A store without its secrets is not opened: with new ones it could not be read, and users would get another sub.
	require.NoError(t, os.Rename(file+".secrets", filepath.Join(dir, "moved")))
	_, err = prepared(t, "-store", file)
	require.ErrorContains(t, err, "cannot be read without it: restore it from a backup, or delete "+file)
	_, err = prepared(t, "-store", file, "-secrets", filepath.Join(dir, "moved"))
	require.NoError(t, err)

	// Without a store the file keeps sub.
	memory, err := prepared(t, "-secrets", filepath.Join(dir, "moved"))
	require.NoError(t, err)
	require.True(t, bytes.Equal(first.PairwiseKey, memory.PairwiseKey))
	fresh, err := prepared(t)
	require.NoError(t, err)
	require.False(t, bytes.Equal(first.PairwiseKey, fresh.PairwiseKey))
}

// TestSecretsFileRefused: every problem of the file is named, and no value of it is shown.
func TestSecretsFileRefused(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "secrets")
	const good = "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA="
	for text, want := range map[string][]string{
		`{"secrets":["` + good + `"],"pairwise_key":"short","sekret":1}`: {"sekret: is an unknown member"},
		`{"secrets":["?"],"pairwise_key":"c2hvcnQ="}`:                    {"secrets[0]: must be base64", "pairwise_key: must be at least 32 random bytes"},
		`{}`: {"secrets: is required", "pairwise_key: is required"},
		`{`:  {"line 1:"},
	} {
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		_, err := prepared(t, "-secrets", file)
		for _, w := range want {
			require.ErrorContains(t, err, w, text)
		}
		require.NotContains(t, err.Error(), good)
	}
	if runtime.GOOS == "windows" {
		return
	}
	require.NoError(t, os.Chmod(file, 0o640))
	_, err := prepared(t, "-secrets", file)
	require.ErrorContains(t, err, "chmod 600 "+file)
}

// TestSecretsAreMadeOnce: nodes that start at the same time make one file.
func TestSecretsAreMadeOnce(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "secrets")
	var all [8]portner.Secret
	var wg sync.WaitGroup
	for i := range all {
		wg.Go(func() {
			s, err := standin.StateFlags{Store: "memory", Secrets: file}.Open(t.Context(), slog.New(slog.NewTextHandler(io.Discard, nil)))
			if err != nil {
				t.Error(err)
				return
			}
			all[i] = s.PairwiseKey
		})
	}
	wg.Wait()
	for _, s := range all {
		require.True(t, bytes.Equal(all[0], s))
	}
	names, err := filepath.Glob(filepath.Join(filepath.Dir(file), "*"))
	require.NoError(t, err)
	require.Equal(t, []string{file}, names, "no other file is left")
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.True(t, strings.HasSuffix(string(text), "\n"))
}

// TestStorePasswordStaysSecret: a mistyped URL of a server is neither quoted in the error nor taken for the name of a file.
func TestStorePasswordStaysSecret(t *testing.T) {
	t.Parallel()
	secrets := filepath.Join(t.TempDir(), "secrets")
	for _, value := range []string{
		"Postgres://kari:hunter2@localhost/x", "REDIS://:hunter2@localhost:6379", "postgres //kari:hunter2@localhost/x",
		"host=localhost user=kari password=hunter2 dbname=x", "kari:hunter2@localhost/x", "my_sql://kari:hunter2@localhost/x",
		"redis://:hunter2@localhost:63 79/0", "redis://:hunter2@localhost:6379/\x7f", "redis://kari:hunter2",
		"rediss://:hunter2%zz@localhost", "redis://localhost?password=hunter2",
		"postgres://kari:hunter2@local host/x", "postgres://kari:hunter2@localhost:port/x", "postgres://kari:hunter2",
		"postgres://kari:a:hunter2@localhost/x\x7f", "postgres://kari:a@hunter2@localhost:x/y",
	} {
		_, err := prepared(t, "-store", value, "-secrets", secrets)
		require.Error(t, err, value)
		require.NotContains(t, err.Error(), "hunter2", value)
	}
}

// TestStaleKeysAreNotReady: a server whose keys were not loaded for so long that it signs nothing is not ready, although the store is up.
func TestStaleKeysAreNotReady(t *testing.T) {
	t.Parallel()
	state, err := prepared(t, "-store", "memory")
	require.NoError(t, err)
	state.Lasting = true
	synctest.Test(t, func(t *testing.T) {
		keys, err := standin.Signing{Algorithms: []string{keyset.EdDSA, keyset.ES256}}.Keys(t.Context(), state, "https://op.example", nil, false, slog.New(slog.DiscardHandler))
		require.NoError(t, err)
		require.True(t, keys.Ready())
		time.Sleep(keyset.DefaultEvery + keyset.DefaultPublishLead)
		_, err = keys.Set().Sign("", "", []byte(`{}`), time.Now())
		require.ErrorIs(t, err, portner.ErrUnavailable)
		require.False(t, keys.Ready())
	})
}

// TestRefusedStoreHasNoSecrets: a value of -store that names no database leaves no file of secrets behind, and nobody is told to delete a file
// that is no database.
func TestRefusedStoreHasNoSecrets(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text := filepath.Join(dir, "text")
	require.NoError(t, os.WriteFile(text, []byte("a text"), 0o600))
	for at, want := range map[string]string{
		"sqlite:file:x.db?mode=ro": "is a URI", "sqlite:postgres://u:hunter2@localhost/x": "is a URI", text: "is no SQLite file", "sqlite:" + text: "is no SQLite file",
	} {
		_, err := prepared(t, "-store", at)
		require.ErrorContains(t, err, want, at)
		require.NotContains(t, err.Error(), "delete", at)
		require.NotContains(t, err.Error(), "hunter2", at)
	}
	for _, left := range []string{text + ".secrets", "file:x.db?mode=ro.secrets"} {
		require.NoFileExists(t, left)
	}
}

// TestOtherSecrets: a server with other secrets than those of the store says which flag is wrong.
func TestOtherSecrets(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for i, secrets := range []string{"first", "second"} {
		state, err := prepared(t, "-store", filepath.Join(dir, "portner.db"), "-secrets", filepath.Join(dir, "first"))
		require.NoError(t, err)
		if secrets == "second" {
			state.Secrets = []portner.Secret{portner.NewSecret()}
		}
		_, err = standin.Signing{}.Keys(t.Context(), state, "http://localhost", nil, false, slog.New(slog.DiscardHandler))
		if i == 0 {
			require.NoError(t, err)
		} else {
			require.ErrorContains(t, err, "-secrets must be the file with which the store was made")
		}
		require.NoError(t, state.Store.Close())
	}
}
