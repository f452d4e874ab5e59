package main

import (
	"bytes"
	"cmp"
	"context"
	_ "embed"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"io"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// start runs the example server as the command does, on free ports.
func start(t *testing.T, args ...string) *server {
	t.Helper()
	opt, err := parseFlags(append([]string{"-addr", "localhost:0"}, args...), io.Discard)
	require.NoError(t, err)
	s, err := newServer(opt, slog.New(slog.NewTextHandler(testLog{t}, nil)))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
	return s
}

// testLog hands the server's log to the test.
type testLog struct{ t *testing.T }

func (l testLog) Write(b []byte) (int, error) {
	l.t.Log(strings.TrimSpace(string(b)))
	return len(b), nil
}

// browser is one headless Chromium window.
type browser struct {
	t     *testing.T
	ctx   context.Context
	shots string // folder for screenshots; "" takes none
}

// openBrowser starts Chromium. Without one the test is skipped, loudly, and fails under CI=true.
func openBrowser(t *testing.T) *browser {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("no Chromium on this machine: the pages cannot be tested")
		}
		t.Skip("NOT TESTED: no Chromium on this machine, the pages were not looked at")
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.WindowSize(1100, 900), chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-sync", true), chromedp.Flag("lang", "nb"))
	alloc, stop := chromedp.NewExecAllocator(context.Background(), opts...)
	ctx, cancel := chromedp.NewContext(alloc)
	ctx, cancelTime := context.WithTimeout(ctx, 2*time.Minute)
	t.Cleanup(func() { cancelTime(); cancel(); stop() })
	b := &browser{t: t, ctx: ctx, shots: os.Getenv("PORTNER_SHOTS")}
	require.NoError(t, chromedp.Do(ctx, chromedp.Navigate("about:blank"))) // starts the browser
	return b
}

// css is how tests name elements.
type css = chromedp.CSS

func (b *browser) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 20*time.Second)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.fail(err)
	}
}

func ask[T any](b *browser, a chromedp.Action[T]) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 20*time.Second)
	defer cancel()
	v, err := chromedp.Run(ctx, a)
	if err != nil {
		b.fail(err)
	}
	return v
}

// fail shows where the browser was.
func (b *browser) fail(err error) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 5*time.Second)
	defer cancel()
	at, _ := chromedp.Run(ctx, chromedp.Location())
	html, _ := chromedp.Run(ctx, chromedp.OuterHTML(css("html")))
	b.t.Fatalf("%v\nat %s\n%s", err, at, html)
}

// open goes to an address and waits for an element.
func (b *browser) open(url string, wait css) {
	b.t.Helper()
	b.do(chromedp.Navigate(url), chromedp.WaitVisible(wait))
}

// click clicks an element and waits for another one, on the next page.
func (b *browser) click(sel, wait css) {
	b.t.Helper()
	b.do(chromedp.WaitVisible(sel), chromedp.Click(sel), chromedp.WaitVisible(wait))
}

// toggle clicks an element and stays.
func (b *browser) toggle(sel css) {
	b.t.Helper()
	b.do(chromedp.WaitVisible(sel), chromedp.Click(sel))
}

func (b *browser) fill(sel css, text string) {
	b.t.Helper()
	b.do(chromedp.WaitVisible(sel), chromedp.SendKeys(sel, text))
}

func (b *browser) text(sel css) string {
	b.t.Helper()
	return strings.TrimSpace(ask(b, chromedp.TextContent(sel)))
}

func (b *browser) has(sel string) bool {
	b.t.Helper()
	return ask(b, chromedp.Evaluate[int]("document.querySelectorAll(`"+sel+"`).length")) > 0
}

func (b *browser) location() string {
	b.t.Helper()
	return ask(b, chromedp.Location())
}

//go:embed audit.js
var auditScript string

// look audits a page and takes screenshots of it, at desk and phone width.
func (b *browser) look(name string) {
	b.t.Helper()
	for _, v := range widths {
		b.auditAt(name, v)
		if b.shots != "" {
			require.NoError(b.t, os.MkdirAll(b.shots, 0o755))
			require.NoError(b.t, os.WriteFile(filepath.Join(b.shots, name+"-"+v.suffix+".png"), compact(b.t, ask(b, chromedp.FullScreenshot(100))), 0o644))
		}
	}
	b.do(chromedp.EmulateViewport(1100, 900))
}

// audit checks a page at both widths: labels, headings, contrast, what sticks out.
func (b *browser) audit(name string) {
	b.t.Helper()
	for _, v := range widths {
		b.auditAt(name, v)
	}
	b.do(chromedp.EmulateViewport(1100, 900))
}

type width struct {
	suffix string
	pixels int64
}

var widths = []width{{"desk", 1100}, {"phone", 320}}

func (b *browser) auditAt(name string, v width) {
	b.t.Helper()
	b.do(chromedp.EmulateViewport(v.pixels, 900))
	scroll := ask(b, chromedp.Evaluate[int64](`document.documentElement.scrollWidth`))
	require.LessOrEqual(b.t, scroll, v.pixels, "%s is wider than the %s screen", name, v.suffix)
	require.Empty(b.t, ask(b, chromedp.Evaluate[[]string](auditScript)), "%s at %s width", name, v.suffix)
}

// compact writes a screenshot with 256 colours: a page of text has few others.
func compact(t *testing.T, shot []byte) []byte {
	t.Helper()
	full, err := png.Decode(bytes.NewReader(shot))
	require.NoError(t, err)
	few := image.NewPaletted(full.Bounds(), palette(full))
	draw.Draw(few, few.Bounds(), full, image.Point{}, draw.Src)
	var out bytes.Buffer
	require.NoError(t, (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, few))
	return out.Bytes()
}

// palette holds the commonest colour of each hue, and then the commonest of all.
func palette(m image.Image) color.Palette {
	counts := map[color.RGBA]int{}
	for y := range m.Bounds().Dy() {
		for x := range m.Bounds().Dx() {
			counts[color.RGBAModel.Convert(m.At(x, y)).(color.RGBA)]++
		}
	}
	common := slices.SortedFunc(maps.Keys(counts), func(a, b color.RGBA) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a.R, b.R), cmp.Compare(a.G, b.G), cmp.Compare(a.B, b.B))
	})
	var first, rest color.Palette
	seen := map[[3]uint8]bool{}
	for _, c := range common {
		if hue := [3]uint8{c.R >> 6, c.G >> 6, c.B >> 6}; !seen[hue] {
			seen[hue] = true
			first = append(first, c)
			continue
		}
		rest = append(rest, c)
	}
	all := append(first, rest...)
	return all[:min(256, len(all))]
}
