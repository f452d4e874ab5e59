//go:build unix

package main

import (
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestSignals: SIGHUP reloads the configuration, the first SIGTERM begins the drain, and a second one ends the process at once.
func TestSignals(t *testing.T) {
	t.Parallel()
	file := write(t, reloadable("", "first"))
	p := startProcess(t, "-addr", "localhost:0", "-config", file, "-drain", "1h")
	signal := func(sig syscall.Signal, until func() bool) {
		t.Helper()
		require.NoError(t, p.cmd.Process.Signal(sig))
		require.Eventually(t, until, 2*time.Minute, 10*time.Millisecond, "%s\n%s", p.out.String(), p.log.String())
	}
	logged := func(text string) func() bool {
		return func() bool { return strings.Contains(p.log.String(), text) }
	}
	require.NoError(t, os.WriteFile(file, []byte(`{"isuer":"x"}`), 0o600))
	signal(syscall.SIGHUP, logged(`isuer: is an unknown member`))
	require.NoError(t, os.WriteFile(file, []byte(reloadable("", "second")), 0o600))
	signal(syscall.SIGHUP, logged("the configuration is reloaded"))

	status := func(path string) int {
		resp, err := http.Get(p.issuer + path)
		require.NoError(t, err)
		_ = resp.Body.Close()
		return resp.StatusCode
	}
	require.Eventually(t, func() bool { return status("/readyz") == http.StatusOK }, time.Minute, time.Millisecond)
	signal(syscall.SIGTERM, func() bool { return status("/readyz") == http.StatusServiceUnavailable })
	require.Equal(t, http.StatusOK, status("/healthz"))
	require.Equal(t, http.StatusOK, status("/.well-known/openid-configuration"))
	signal(syscall.SIGTERM, func() bool {
		select {
		case <-p.ended:
			return true
		default:
			return false
		}
	})
	require.False(t, p.cmd.ProcessState.Success(), "the second signal ends the process without a shutdown")
}
