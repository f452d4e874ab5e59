package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/slow"
)

// TestMain runs the test binary as a node, as the program runs itself.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == nodeCommand {
		if err := runNode(os.Stdin, os.Stdout); err != nil {
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// runTrial runs an experiment of one function and its control, and returns whether it passed and what it printed.
func runTrial(e *experiment) (bool, string) {
	var out bytes.Buffer
	e.stores = []string{kindMemory}
	ok := e.runOn(context.Background(), options{profile: "ci", seed: 1}, &out)
	return ok, out.String()
}

// An experiment passes only if nothing is broken, and each control breaks a rule.
func TestVerdicts(t *testing.T) {
	t.Parallel()
	good := func(t *trial) { t.count("n", 1) }
	bad := func(t *trial) { t.fail("twice") }
	fails := func(t *trial) { t.must(io.ErrUnexpectedEOF) }
	for name, c := range map[string]struct {
		e    experiment
		want bool
		text string
	}{
		"good":             {experiment{run: good}, true, "PASS x memory profile=ci seed=1 n=1"},
		"broken":           {experiment{run: bad}, false, "broken: twice"},
		"fault":            {experiment{run: fails}, false, "fault: unexpected EOF"},
		"panic":            {experiment{run: func(*trial) { panic("x") }}, false, "panic: x"},
		"control found":    {experiment{run: good, controls: []control{{defect: "d", run: bad}}}, true, "control (d): found, 1 times, first: twice"},
		"control passes":   {experiment{run: good, controls: []control{{defect: "d", run: good}}}, false, "control (d): not found"},
		"control faults":   {experiment{run: good, controls: []control{{defect: "d", run: fails}}}, false, "control (d): not found"},
		"second not found": {experiment{run: good, controls: []control{{defect: "d", run: bad}, {defect: "e", run: good}}}, false, "control (e): not found"},
	} {
		c.e.name = "x"
		ok, text := runTrial(&c.e)
		require.Equal(t, c.want, ok, name)
		require.Contains(t, text, c.text, name)
		require.Equal(t, c.want, strings.HasPrefix(text, "PASS "), name)
	}
}

// What fails after a signal is no verdict, and no other store is tried.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	e := experiment{name: "x", stores: []string{kindMemory, kindSQLite}, run: func(t *trial) {
		stop()
		t.fail("twice")
	}}
	var out strings.Builder
	require.False(t, e.runOn(ctx, options{profile: "ci", seed: 1}, &out))
	require.Equal(t, "INTERRUPTED x memory profile=ci seed=1\n", out.String())
}

// The command line names experiments that exist.
func TestChoose(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for _, e := range experiments() {
		require.False(t, names[e.name], e.name)
		names[e.name] = true
		require.NotEmpty(t, e.about, e.name)
		require.NotEmpty(t, e.stores, e.name)
	}
	chosen, err := choose(options{name: "redemption,kills"})
	require.NoError(t, err)
	require.Len(t, chosen, 2)
	_, err = choose(options{name: "nothing"})
	require.Error(t, err)
	_, err = choose(options{name: "redemption", store: "mysql"})
	require.ErrorContains(t, err, "-store is postgres, redis, sqlite or memory")
	_, err = choose(options{name: "sessions", store: "redis"}) // not a success without any experiment
	require.ErrorContains(t, err, "runs on postgres")
	ci, err := choose(options{name: "all", profile: "ci", skip: "redemption"})
	require.NoError(t, err)
	full, err := choose(options{name: "all", profile: "full"})
	require.NoError(t, err)
	require.Less(t, len(ci), len(full))
}

// A seed repeats the decisions.
func TestSource(t *testing.T) {
	t.Parallel()
	a, b, other := newSource(7, 1), newSource(7, 1), newSource(7, 2)
	same := 0
	for range 1000 {
		n := a.intn(1_000_000)
		require.Equal(t, n, b.intn(1_000_000))
		if n == other.intn(1_000_000) {
			same++
		}
	}
	require.Less(t, same, 10)
	require.Equal(t, 3*time.Second, percentile([]time.Duration{time.Second, 3 * time.Second, 2 * time.Second}, 0.99))
	require.Zero(t, percentile(nil, 0.5))
}

// A whole story on one node with a store in memory breaks no rule.
func TestStory(t *testing.T) {
	t.Parallel()
	e := &experiment{name: "story", run: func(t *trial) {
		c := t.cluster(kindMemory+":", 1, func(_ int, cfg *nodeConfig) { cfg.Grace = time.Minute })
		l := &load{cluster: c, patience: time.Second}
		for i := range 8 {
			l.tell(0, i, newSource(t.seed, uint64(i)))
		}
		l.verify()
		for _, s := range l.stories {
			t.check(s.session && len(s.refresh) == 4, "the story did not end: %d refresh tokens", len(s.refresh))
		}
	}}
	ok, text := runTrial(e)
	require.True(t, ok, text)
	require.Contains(t, text, "stories=8")
}

// A proxy forwards, and disturbs connections as its mode says.
func TestProxy(t *testing.T) {
	t.Parallel()
	e := &experiment{name: "proxy", run: func(tr *trial) {
		echo, err := net.Listen("tcp", "127.0.0.1:0")
		tr.must(err)
		tr.defer_(func() { _ = echo.Close() })
		go func() {
			for {
				c, err := echo.Accept()
				if err != nil {
					return
				}
				go func() { _, _ = io.Copy(c, c) }()
			}
		}()
		p := tr.proxy(echo.Addr().String())
		c, err := net.Dial("tcp", p.addr())
		tr.must(err)
		defer c.Close()
		said := func(within time.Duration) (string, error) {
			_, _ = c.Write([]byte("hi"))
			_ = c.SetReadDeadline(time.Now().Add(within))
			b := make([]byte, 2)
			n, err := io.ReadFull(c, b)
			return string(b[:n]), err
		}
		text, err := said(time.Minute)
		tr.check(err == nil && text == "hi", "%q %v", text, err)
		for _, m := range []mode{{drop: true}, {half: true}} {
			p.set(m)
			_, err = said(300 * time.Millisecond)
			tr.check(err != nil, "%+v: a reply", m)
		}
		p.set(mode{})
		p.cut()
		_, err = said(time.Minute)
		tr.check(err != nil, "cut: a reply")
	}}
	ok, text := runTrial(e)
	require.True(t, ok, text)
}

// TestFastClock runs the soak for two seconds, and its controls for one: a leak and a lock that is held are found.
func TestFastClock(t *testing.T) {
	slow.WithoutRaceDetector(t) // with it a call uses many times the processor time
	t.Parallel()
	for defect, want := range map[string]string{"": "PASS ", leaking: "files grew", holding: "used more than 2ms"} {
		if defect == holding && threadTime() == 0 {
			continue
		}
		length := 2 * time.Second
		ok, text := runTrial(&experiment{name: "fast", run: func(t *trial) { fast(t, defect, time.Minute/speed, length) }})
		require.Equal(t, defect == "", ok, text)
		require.Contains(t, text, want)
	}
}

// TestHistogram: a step is at most a sixteenth shorter than what it counts.
func TestHistogram(t *testing.T) {
	t.Parallel()
	var h histogram
	for d := time.Duration(1); d < time.Second; d += d/7 + 1 {
		require.LessOrEqual(t, atLeast(step(d)), d)
		require.Less(t, d-d/16-1, atLeast(step(d)), d)
		require.Equal(t, step(atLeast(step(d))), step(d))
		h.add(d)
	}
	all, long := h.total(longHold)
	require.Positive(t, long)
	require.Greater(t, all, long)
	require.LessOrEqual(t, h.percentile(0.5), h.percentile(0.99))
	require.LessOrEqual(t, h.percentile(1), h.Longest)
}
