package landscape

import (
	"bytes"
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/standin/standintest"
)

// output holds the output of a running program.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// running is a running program.
type running struct {
	page string // the address of the walk-through
	out  *output
	errs *output
	stop func() int // Ctrl-C; tells the exit status
}

// start runs the program on free ports and waits for its greeting.
func start(t *testing.T, args ...string) *running {
	t.Helper()
	t.Setenv("TMPDIR", t.TempDir())
	t.Setenv("TMP", os.Getenv("TMPDIR")) // of Windows
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{out: &output{}, errs: &output{}}
	done := make(chan int, 1)
	go func() { done <- Run(ctx, append([]string{"-addr", "127.0.0.1:0"}, args...), r.out, r.errs) }()
	r.stop = sync.OnceValue(func() int {
		cancel()
		return <-done
	})
	t.Cleanup(func() { r.stop() })
	for !strings.Contains(r.out.String(), "Ctrl-C stops all of it.") {
		select {
		case status := <-done:
			done <- status
			t.Fatalf("it ended with %d:\n%s", status, r.errs)
		case <-time.After(20 * time.Millisecond):
		}
	}
	_, rest, _ := strings.Cut(r.out.String(), "Open ")
	r.page, _, _ = strings.Cut(rest, "\n")
	return r
}

// TestRefuses checks that an invalid command line gets one message and exit status 1.
func TestRefuses(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = taken.Close() })
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"unknown flag":  {[]string{"-adr", "x"}, "flag provided but not defined: -adr (did you mean -addr? -h lists the flags)"},
		"argument":      {[]string{"all"}, `unexpected argument "all"`},
		"address":       {[]string{"-addr", "localhost"}, "-addr: \"localhost\" must be HOST:PORT"},
		"port":          {[]string{"-addr", "localhost:x"}, `-addr: "x" must be a port with 69 ports after it`},
		"port too high": {[]string{"-addr", "localhost:65530"}, "must be a port with 69 ports after it"},
		"not loopback":  {[]string{"-addr", "0.0.0.0:8070"}, "must be a loopback address"},
		"half":          {[]string{"-tls-cert", "x"}, "-tls-cert and -tls-key are required together"},
		"no key":        {[]string{"-tls-cert", "none", "-tls-key", "none"}, "-tls-cert, -tls-key: open none"},
		"no secret":     {[]string{"-admin", "-admin-secret", ""}, "-admin-secret: must name a file"},
		"no folder":     {[]string{"-config", filepath.Join(t.TempDir(), "none")}, "-config: open"},
		"empty folder":  {[]string{"-config", t.TempDir()}, "contains none of idporten.json"},
		"other file":    {[]string{"-config", folder(t, "idporten-test.json", "{}")}, "idporten-test.json is not the configuration of idporten,"},
		"no JSON":       {[]string{"-config", folder(t, "altinn.json", "{")}, "altinn.json: unexpected EOF"},
		"no object":     {[]string{"-config", folder(t, "altinn.json", "null")}, "altinn.json: must be one JSON object"},
		"port taken":    {[]string{"-addr", taken.Addr().String()}, "address already in use"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out, errs output
			require.Equal(t, 1, Run(t.Context(), c.args, &out, &errs))
			require.Contains(t, errs.String(), c.want)
			require.Equal(t, 1, strings.Count(errs.String(), "landscape:"), "one message")
			require.Empty(t, out.String())
		})
	}
}

// folder returns a folder with one file.
func folder(t *testing.T, name, content string) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
	return dir
}

// TestMerged checks that lists are concatenated, and users and other members replaced.
func TestMerged(t *testing.T) {
	t.Parallel()
	built := object{"a": []any{"built"}, "b": object{"c": "built", "d": []any{"built"}}, "e": "built", "f": []any{"built"}, "users": []any{"built"}}
	own := object{"users": []any{"own"}, "a": []any{"own"}, "b": object{"c": "own", "d": []any{"own"}}, "e": "own", "g": []any{"own"}}
	require.Equal(t, object{
		"users": []any{"own"}, "a": []any{"own", "built"}, "b": object{"c": "own", "d": []any{"own", "built"}}, "e": "own", "f": []any{"built"}, "g": []any{"own"},
	}, merged(own, built))
}

// TestHelp checks that -h prints the flags to standard output.
func TestHelp(t *testing.T) {
	t.Parallel()
	standintest.RequireFlags(t, Run, standintest.CommonFlags...)
}
