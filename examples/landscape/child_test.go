package main

import (
	"bytes"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestPrefixed writes whole lines, however they come.
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
func shell(t *testing.T, script string) *child {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("no shell")
	}
	path, err := exec.LookPath("sh")
	require.NoError(t, err)
	var log bytes.Buffer
	c, err := startChild("shell", path, []string{"-c", script}, &shared{out: &log})
	require.NoError(t, err)
	t.Cleanup(func() { stopAll([]*child{c}, time.Second) })
	return c
}

// TestStopAll asks first, and kills who does not listen, with everybody it started.
func TestStopAll(t *testing.T) {
	t.Parallel()
	polite, deaf := shell(t, "sleep 60"), shell(t, "trap '' TERM; sleep 60; sleep 60")
	time.Sleep(200 * time.Millisecond) // until the trap is set
	began := time.Now()
	stopAll([]*child{polite, deaf}, 500*time.Millisecond)
	require.Less(t, time.Since(began), 10*time.Second)
	require.ErrorContains(t, polite.ended(), "terminated")
	require.ErrorContains(t, deaf.ended(), "killed")
}

// TestReady: a server that ends instead of answering is no reason to wait.
func TestReady(t *testing.T) {
	t.Parallel()
	c := shell(t, "exit 3")
	require.ErrorContains(t, c.ready(t.Context(), outgoing(), "http://127.0.0.1:1/"), "shell stopped by itself: exit status 3")
	_, err := startChild("none", "/no/such/program", nil, &shared{out: &bytes.Buffer{}})
	require.ErrorContains(t, err, "starting none")
}
