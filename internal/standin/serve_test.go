package standin_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/standin"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/storage/memory"
)

// fakeStore is a store whose ping can fail.
type fakeStore struct {
	*memory.Store

	ping   func(ctx context.Context) error
	closed atomic.Bool
	ran    atomic.Bool
}

func (s *fakeStore) Run(ctx context.Context) { s.ran.Store(true); <-ctx.Done() }
func (s *fakeStore) Close() error            { s.closed.Store(true); return nil }
func (s *fakeStore) Ping(ctx context.Context) error {
	return s.ping(ctx)
}

// served is a running server of a test.
type served struct {
	base  string
	sites standin.Sites
	store *fakeStore
	stop  context.CancelFunc
	ended chan error
}

// serveSites serves a handler until the end of the test, or until stop is called.
func serveSites(t *testing.T, h http.Handler, drain time.Duration, ping func(ctx context.Context) error) *served {
	t.Helper()
	sites, err := standin.Listen(standin.Flags{Addr: "localhost:0"}, "")
	require.NoError(t, err)
	sites[0].Handle(h)
	keys, err := standin.Signing{Algorithms: []string{keyset.ES256}}.Keys(t.Context(), &standin.State{}, sites[0].Base, nil, false, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	s := &served{base: sites[0].Base, sites: sites, store: &fakeStore{Store: memory.New(), ping: ping}, ended: make(chan error, 1)}
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	go func() {
		s.ended <- sites.Serve(ctx, standin.Running{Log: slog.New(slog.DiscardHandler), Store: s.store, Keys: keys, Drain: drain})
	}()
	t.Cleanup(stop)
	return s
}

// probe sends a request with another Host than that of the site, as a load balancer does.
func (s *served) probe(t *testing.T, method, path string) (status int, body string, header http.Header) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.base+path, nil)
	require.NoError(t, err)
	r.Host = "10.0.0.7"
	r.Close = true
	resp, err := http.DefaultTransport.RoundTrip(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, strings.TrimSpace(string(text)), resp.Header
}

func fine(context.Context) error { return nil }

// TestProbes: the process is alive also without its store, and ready with it only. The answer names no cause.
func TestProbes(t *testing.T) {
	t.Parallel()
	var down atomic.Bool
	s := serveSites(t, http.NotFoundHandler(), 0, func(context.Context) error {
		if down.Load() {
			return errors.New("dial tcp db.internal:5432: connection refused")
		}
		return nil
	})
	for _, c := range []struct {
		name, path string
		down       bool
		status     int
		body       string
	}{
		{"alive", "/healthz", false, http.StatusOK, `{"status":"ok"}`},
		{"ready", "/readyz", false, http.StatusOK, `{"status":"ok"}`},
		{"alive without the store", "/healthz", true, http.StatusOK, `{"status":"ok"}`},
		{"not ready without the store", "/readyz", true, http.StatusServiceUnavailable, `{"reason":"store","status":"unavailable"}`},
		{"ready again", "/readyz", false, http.StatusOK, `{"status":"ok"}`},
	} {
		down.Store(c.down)
		for method, body := range map[string]string{http.MethodGet: c.body, http.MethodHead: ""} {
			require.Eventually(t, func() bool { // on a slow machine a store that is up may not answer a ping in time
				status, text, header := s.probe(t, method, c.path)
				return status == c.status && text == body && header.Get("Cache-Control") == "no-store" && header.Get("Content-Type") == "application/json"
			}, time.Minute, time.Millisecond, "%s %s", method, c.name)
		}
	}
	status, _, header := s.probe(t, http.MethodPost, "/readyz")
	require.Equal(t, http.StatusMethodNotAllowed, status)
	require.Equal(t, "GET, HEAD", header.Get("Allow"))
	s.stop()
	require.NoError(t, <-s.ended)
	require.True(t, s.store.ran.Load(), "the store deletes what has expired")
	require.True(t, s.store.closed.Load())
}

// TestProbesShareAPing: probes that arrive together ask a slow store once, and get their answer within a second.
func TestProbesShareAPing(t *testing.T) {
	t.Parallel()
	const probes = 20
	var asked atomic.Int32
	s := serveSites(t, http.NotFoundHandler(), 0, func(ctx context.Context) error {
		asked.Add(1)
		<-ctx.Done() // the store does not answer
		return ctx.Err()
	})
	var wg sync.WaitGroup
	for range probes {
		wg.Go(func() {
			status, body, _ := s.probe(t, http.MethodGet, "/readyz")
			if status != http.StatusServiceUnavailable || !strings.Contains(body, `"store"`) {
				t.Errorf("status %d, %s", status, body)
			}
		})
	}
	wg.Wait()
	require.Less(t, asked.Load(), int32(probes), "probes share an answer")
}

// TestDrain: after the end of the context the server is not ready, and accepts requests for the time of the drain.
func TestDrain(t *testing.T) {
	t.Parallel()
	s := serveSites(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }), time.Hour, fine)
	s.probe(t, http.MethodGet, "/healthz")
	s.stop()
	require.Eventually(t, func() bool {
		status, body, _ := s.probe(t, http.MethodGet, "/readyz")
		return status == http.StatusServiceUnavailable && body == `{"reason":"draining","status":"unavailable"}`
	}, time.Minute, time.Millisecond)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.base+"/", nil)
	require.NoError(t, err)
	r.Close = true
	resp, err := http.DefaultTransport.RoundTrip(r)
	require.NoError(t, err, "a new connection is accepted")
	_ = resp.Body.Close()
	require.Equal(t, http.StatusNoContent, resp.StatusCode)
	require.False(t, s.store.closed.Load(), "the store is open")
	s.sites.Close()
	require.Error(t, <-s.ended, "without a listener there is nothing to wait for")
	require.True(t, s.store.closed.Load())
}

// TestRequestInProgress: a request in progress is answered, and the store is closed after it.
func TestRequestInProgress(t *testing.T) {
	t.Parallel()
	arrived, release := make(chan struct{}), make(chan struct{})
	var s *served
	s = serveSites(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(arrived)
		<-release
		if s.store.closed.Load() {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}), 0, fine)
	status := make(chan int, 1)
	go func() {
		resp, err := http.Get(s.base + "/")
		if err != nil {
			t.Error(err)
			status <- 0
			return
		}
		_ = resp.Body.Close()
		status <- resp.StatusCode
	}()
	<-arrived
	s.stop()
	require.Eventually(t, func() bool { // the listener is closed
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.base+"/healthz", nil)
		require.NoError(t, err)
		r.Close = true
		resp, err := http.DefaultTransport.RoundTrip(r)
		if err == nil {
			_ = resp.Body.Close()
		}
		return err != nil
	}, time.Minute, time.Millisecond)
	select {
	case err := <-s.ended:
		t.Fatal("it ended during a request: ", err)
	default:
	}
	close(release)
	require.Equal(t, http.StatusNoContent, <-status)
	require.NoError(t, <-s.ended)
	require.True(t, s.store.closed.Load())
}
