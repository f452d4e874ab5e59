package main

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/standin"
)

// A slow machine is no fault.
func init() { healthWithin = time.Minute }

// TestHealth: the status is 0 only if the server says that it is ready.
func TestHealth(t *testing.T) {
	t.Parallel()
	var status atomic.Int32
	answer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		require.Equal(t, standin.PathReady, r.URL.Path)
		w.WriteHeader(int(status.Load()))
		_, _ = w.Write([]byte("{}\n"))
	})
	plain, secure := httptest.NewServer(answer), httptest.NewTLSServer(answer)
	t.Cleanup(plain.Close)
	t.Cleanup(secure.Close)
	for _, c := range []struct {
		name   string
		args   []string
		status int32
		exit   int
		says   string
	}{
		{"ready", []string{plain.URL}, 200, 0, ""},
		{"with a slash", []string{plain.URL + "/"}, 200, 0, ""},
		{"not ready", []string{plain.URL}, 503, 1, "status 503"},
		{"a certificate that is not trusted", []string{secure.URL}, 200, 1, "certificate"},
		{"a certificate that is accepted", []string{secure.URL, "-insecure-trust-self-signed"}, 200, 0, ""},
		{"no server", []string{"http://localhost:1"}, 200, 1, "refused"},
		{"no URL", nil, 200, 1, "usage: portner health URL"},
		{"a path", []string{plain.URL + "/readyz"}, 200, 1, "without a path"},
	} {
		status.Store(c.status)
		exit, out, errs := ran(t, append([]string{"health"}, c.args...)...)
		require.Equal(t, c.exit, exit, c.name)
		require.Contains(t, errs, c.says, c.name)
		require.Equal(t, c.exit == 0, out == "{}\n", c.name)
	}
}
