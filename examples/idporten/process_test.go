package main

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// asProgram makes the test binary run the program in place of its tests.
const asProgram = "PORTNER_TEST_PROGRAM"

// process is the program in a process of its own.
type process struct {
	cmd      *exec.Cmd
	out, log syncBuffer
	ended    chan struct{}
	issuer   string
}

// startProcess starts the program and waits until it accepts requests.
func startProcess(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.CommandContext(context.Background(), os.Args[0], args...), ended: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), asProgram+"=1")
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.log
	require.NoError(t, p.cmd.Start())
	go func() { _ = p.cmd.Wait(); close(p.ended) }()
	t.Cleanup(p.kill)
	require.Eventually(t, func() bool {
		select {
		case <-p.ended:
			return true
		default:
			return strings.Contains(p.out.String(), "Ctrl-C stops it.")
		}
	}, time.Minute, 10*time.Millisecond)
	_, rest, _ := strings.Cut(p.out.String(), "issuer      ")
	p.issuer, _, _ = strings.Cut(rest, "\n")
	require.NotEmpty(t, p.issuer, p.log.String())
	return p
}

// kill ends the process at once.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}
