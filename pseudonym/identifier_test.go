package pseudonym_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/pseudonym"

	"github.com/portner-go/portner/internal/slow"
)

func identifier(t testing.TB, typ, value string) pseudonym.Identifier {
	t.Helper()
	id, err := pseudonym.NewIdentifier(typ, value)
	require.NoError(t, err)
	return id
}

func TestIdentifier(t *testing.T) {
	t.Parallel()
	id := identifier(t, "pid", pid)
	require.Equal(t, "pid", id.Type())
	require.Equal(t, pid, id.Reveal())
	require.False(t, id.IsZero())

	var zero pseudonym.Identifier
	require.Empty(t, zero.Type())
	require.Empty(t, zero.Reveal())
	require.True(t, zero.IsZero())

	for _, empty := range [][2]string{{"", pid}, {"pid", ""}, {"", ""}} {
		id, err := pseudonym.NewIdentifier(empty[0], empty[1])
		require.ErrorIs(t, err, pseudonym.ErrIdentifier)
		require.NotContains(t, err.Error(), pid)
		require.True(t, id.IsZero())
	}
}

func TestIdentifierRedactsItself(t *testing.T) {
	t.Parallel()
	id := identifier(t, "pid", pid)
	type private struct{ id pseudonym.Identifier }
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x", "%X", "%q", "%p", "%t"} {
		if verb != "%p" { // fmt handles %p itself
			require.Equal(t, "REDACTED", fmt.Sprintf(verb, id), verb)
		}
		for _, holder := range []any{id, private{id}, &private{id}, []private{{id}}, map[string]private{"a": {id}}} {
			out := fmt.Sprintf(verb, holder)
			require.NotContains(t, out, pid, verb)
			require.NotContains(t, out, fmt.Sprintf("%x", pid), verb)
		}
	}
	require.Equal(t, "REDACTED", id.String())
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "id", id, "in", []pseudonym.Identifier{id})
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "id", id, "in", []pseudonym.Identifier{id})
	require.NotContains(t, log.String(), pid)

	for _, doc := range []any{id, &id, private{id}, map[string]any{"pid": id}} {
		out, err := json.Marshal(doc)
		require.NotContains(t, string(out), pid)
		require.NotContains(t, string(out), "REDACTED")
		if _, ok := doc.(private); !ok {
			require.Error(t, err)
		}
	}
	_, err := id.MarshalText()
	require.Error(t, err)
}

func TestIdentifierDoesNotAllocate(t *testing.T) {
	value := string([]byte(pid))
	n := slow.Allocations(t, 100, func() {
		id, err := pseudonym.NewIdentifier("pid", value)
		if err != nil || id.Reveal() != value {
			t.Fatal("another value")
		}
	})
	require.Zero(t, n)
}
