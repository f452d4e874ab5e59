package child

import (
	"bytes"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/standin"
)

// TestPrefixed checks that prefixed writes whole lines for all splits of the input.
func TestPrefixed(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	p := &prefixed{out: &out, prefix: "altinn | "}
	for _, piece := range []string{"on", "e\ntwo\n\nth", "ree\n", "half"} {
		n, err := p.Write([]byte(piece))
		require.NoError(t, err)
		require.Len(t, piece, n)
	}
	require.Equal(t, "altinn | one\naltinn | two\naltinn | \naltinn | three\n", out.String())
}

// shell starts a child that runs a script.
func shell(t *testing.T, script string) *Child {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("no shell")
	}
	path, err := exec.LookPath("sh")
	require.NoError(t, err)
	started := make(ready, 1)
	c, err := Start("shell", path, []string{"-c", script}, started)
	require.NoError(t, err)
	t.Cleanup(c.Kill)
	if strings.Contains(script, "echo ready") {
		<-started
	}
	return c
}

// ready receives a value when a child writes its first line.
type ready chan struct{}

func (r ready) Write(b []byte) (int, error) {
	if len(b) > 0 {
		select {
		case r <- struct{}{}:
		default:
		}
	}
	return len(b), nil
}

// TestStopAll checks that a child that ignores the signal is killed with the processes that it started.
func TestStopAll(t *testing.T) {
	t.Parallel()
	polite, deaf := shell(t, "sleep 60"), shell(t, "trap '' TERM; echo ready >&2; sleep 60; sleep 60")
	StopAll([]*Child{polite}, time.Minute)
	StopAll([]*Child{deaf}, time.Millisecond)
	require.ErrorContains(t, polite.Ended(), "terminated")
	require.ErrorContains(t, deaf.Ended(), "killed")
}

// TestReady checks that Ready does not wait for a child that has ended.
func TestReady(t *testing.T) {
	t.Parallel()
	c := shell(t, "exit 3")
	require.ErrorContains(t, c.Ready(t.Context(), standin.TLS{}.Outgoing(), "http://127.0.0.1:1/"), "shell ended unexpectedly: exit status 3")
	_, err := Start("none", "/no/such/program", nil, NewLog(&bytes.Buffer{}))
	require.ErrorContains(t, err, "starting none")
}
