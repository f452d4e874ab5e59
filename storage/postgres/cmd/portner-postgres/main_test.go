package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/localdb"
	"github.com/portner-go/portner/storage/postgres"
)

func TestCommands(t *testing.T) {
	server, err := localdb.StartPostgres(localdb.Config{Dir: filepath.Join(t.TempDir(), "postgres")})
	if errors.Is(err, localdb.ErrNotInstalled) && os.Getenv("CI") != "true" {
		t.Skip("SKIPPED: " + err.Error())
	}
	require.NoError(t, err)
	t.Cleanup(server.Stop)
	now := time.Date(2031, time.March, 4, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		args []string
		out  string
		err  error
	}{
		{args: []string{"sweep"}, err: postgres.ErrSchema},
		{args: []string{"migrate"}, out: "the schema portner is up to date\n"},
		{args: []string{"migrate"}, out: "the schema portner is up to date\n"},
		{args: []string{"sweep"}, out: "removed 0 records\n"},
		{
			args: []string{"fence", "-replicated", "2031-03-04T11:59:58Z", "-idle", "30m"},
			out:  "ended 0 sessions, codes and grants that were touched since 2031-03-04T11:29:58Z\n",
		},
		{args: []string{"fence"}, err: errUsage},
		{args: []string{"fence", "-replicated", "yesterday"}, err: errUsage},
		{args: []string{"sweep", "now"}, err: errUsage},
		{args: []string{"drop"}, err: errUsage},
		{args: nil, err: errUsage},
	} {
		var out, diagnostics bytes.Buffer
		err := run(t.Context(), append([]string{"-database", server.URL}, c.args...), &out, &diagnostics, now)
		require.ErrorIs(t, err, c.err, "%v", c.args)
		require.Equal(t, c.out, out.String(), "%v", c.args)
	}
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), []string{"print"}, &out, &out, now))
	require.Contains(t, out.String(), "-- 0001_tables.sql")
	require.Contains(t, out.String(), "CREATE FUNCTION portner.redeem_code_1")
}

// TestPasswordIsNotPrinted: neither the usage nor the error about a URL that cannot be parsed shows the password of the database.
func TestPasswordIsNotPrinted(t *testing.T) {
	for _, url := range []string{
		"postgres://kari:hunter2@localhost:1/x", "postgres://kari:hunter2", "postgres://kari:a@hunter2@localhost:x/y",
		"postgres://kari:hunter2@localhost/x?sslmode=wrong", "host=localhost password = hunter2 sslmode=wrong",
	} {
		t.Setenv("PORTNER_DATABASE", url)
		for _, args := range [][]string{{"-h"}, {"-unknown"}, {"migrate"}, {"sweep"}} {
			var out, diagnostics bytes.Buffer
			err := run(t.Context(), args, &out, &diagnostics, time.Now())
			require.Error(t, err)
			require.NotContains(t, err.Error()+out.String()+diagnostics.String(), "hunter2", "%s %q", url, args)
		}
	}
}
