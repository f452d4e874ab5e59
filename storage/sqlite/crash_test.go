package sqlite_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/storage/sqlite"
)

// writeUntilKilled logs users in with some callers at once. It prints a line before each call, and the name of each login that was
// acknowledged.
func writeUntilKilled(file string) {
	s, err := sqlite.Open(context.Background(), file, sqlite.Config{})
	if err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
	var mu sync.Mutex
	say := func(line string) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Println(line)
	}
	var wg sync.WaitGroup
	for caller := range 3 {
		wg.Go(func() {
			for i := range 100_000 {
				name := fmt.Sprint(os.Getpid(), ".", caller, ".", i)
				for _, step := range steps(s, name) {
					say("call")
					if err := step(context.Background()); err != nil {
						say("failed: " + err.Error())
						os.Exit(1)
					}
				}
				say(name)
			}
		})
	}
	wg.Wait()
	os.Exit(0)
}

// invariants are queries for rows that no crash may leave.
var invariants = map[string]string{
	"a grant of a code that is not consumed":         "SELECT count(*) FROM grants g JOIN codes c ON c.grant_id = g.id WHERE c.consumed = 0",
	"a grant without an access token":                "SELECT count(*) FROM grants WHERE id NOT IN (SELECT grant_id FROM access_tokens)",
	"a token without a grant":                        "SELECT count(*) FROM refresh_tokens WHERE grant_id NOT IN (SELECT id FROM grants)",
	"a rotated token without its successor":          "SELECT count(*) FROM refresh_tokens WHERE consumed_at IS NOT NULL AND successor NOT IN (SELECT hash FROM refresh_tokens)",
	"two live refresh tokens of a grant":             "SELECT count(*) FROM (SELECT 1 FROM refresh_tokens WHERE consumed_at IS NULL GROUP BY grant_id HAVING count(*) > 1)",
	"a code without the consent of the same step":    "SELECT count(*) FROM codes WHERE user_key NOT IN (SELECT user_key FROM consents)",
	"a live session whose code ended with it":        "SELECT count(*) FROM codes WHERE session_id NOT IN (SELECT id FROM sessions)",
	"a reference that does not lead anywhere":        "SELECT count(*) FROM pragma_foreign_key_check",
	"a consumed code without the grant it became":    "SELECT count(*) FROM codes WHERE consumed = 1 AND grant_id NOT IN (SELECT id FROM grants)",
	"a rotation without the access token of it":      "SELECT count(*) FROM (SELECT (SELECT count(*) FROM access_tokens a WHERE a.grant_id = r.grant_id) AS n FROM refresh_tokens r WHERE generation = 1) WHERE n <> 2",
	"a count that differs from the rows it is about": "SELECT (SELECT count(*) FROM replays) <> coalesce((SELECT n FROM usage WHERE name = 'replays' AND client_id = ''), 0)",
}

func requireInvariants(t *testing.T, s *sqlite.Store) {
	t.Helper()
	problems, err := s.IntegrityCheck()
	require.NoError(t, err)
	require.Equal(t, []string{"ok"}, problems)
	for name, sql := range invariants {
		n, err := s.Number(sql)
		require.NoError(t, err, name)
		require.Zero(t, n, name)
	}
}

// A process that is killed while it writes leaves every acknowledged login as a whole, and no part of another. The file opens again,
// also while a second process writes.
func TestKilledProcess(t *testing.T) {
	t.Parallel()
	file := newFile(t)
	beside := openFile(t, file)
	for round := range 8 {
		acknowledged := runUntilKilled(t, file, 25+7*round)
		require.NotEmpty(t, acknowledged)
		s := openFile(t, file)
		requireInvariants(t, s)
		for _, name := range acknowledged {
			requireLoggedIn(t, s, name)
		}
		require.NoError(t, logIn(t.Context(), s, fmt.Sprint("after ", round)))
		require.NoError(t, logIn(t.Context(), beside, fmt.Sprint("beside ", round)), "a process that had the file open goes on")
		requireLoggedIn(t, beside, fmt.Sprint("after ", round))
	}
}

// runUntilKilled starts a process that writes, kills it after some calls have begun, and returns the logins that it acknowledged.
func runUntilKilled(t *testing.T, file string, calls int) (names []string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), "PORTNER_SQLITE_WRITER="+file)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := bufio.NewScanner(out)
	for begun := 0; lines.Scan(); { // also the lines that the process printed before it was killed
		switch line := lines.Text(); {
		case line == "call":
			if begun++; begun == calls {
				require.NoError(t, cmd.Process.Kill())
			}
		default:
			require.False(t, strings.HasPrefix(line, "failed"), line)
			names = append(names, line)
		}
	}
	require.Error(t, cmd.Wait(), "it was killed")
	return names
}
