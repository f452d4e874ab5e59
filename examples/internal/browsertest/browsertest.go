// Package browsertest drives headless Chromium through the pages of the example servers, checks the pages and takes screenshots.
package browsertest

import (
	"bytes"
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/portner-go/portner/examples/internal/axe"
)

// Limits against a browser that hangs. They are long, because a slow machine is no fault.
const (
	windowWithin = 14 * time.Minute // all steps of a window
	stepWithin   = 2 * time.Minute
)

// CSS is a selector of an element.
type CSS = chromedp.CSS

// Browser is one Chromium window. A failed step ends the test and reports the address and the HTML of the page.
type Browser struct {
	t     *testing.T
	ctx   context.Context
	shots string // prefix of the files of screenshots; "" for none
	axe   string // axe-core; "" if it is not installed
}

// New opens a window with cookies of its own. All tests of a package share one Chromium, which the first one starts and Main stops. If
// there is no Chromium, the test is skipped, or fails if the environment has CI=true. Screenshots are written to the folder of the
// environment variable PORTNER_SHOTS; their names begin with prefix.
func New(t *testing.T, prefix string) *Browser {
	t.Helper()
	parent, err := shared.start(chromium(t))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := chromedp.NewContext(parent, chromedp.WithNewBrowserContext())
	ctx, cancelTime := context.WithTimeout(ctx, windowWithin)
	t.Cleanup(func() { cancelTime(); cancel() })
	b := &Browser{t: t, ctx: ctx, axe: findAxe(t)}
	if dir := os.Getenv("PORTNER_SHOTS"); dir != "" {
		b.must(os.MkdirAll(dir, 0o755))
		b.shots = dir + string(filepath.Separator) + prefix
	}
	b.begin()
	return b
}

// begin opens the tab. It has the focus, although others share the screen.
func (b *Browser) begin() {
	b.t.Helper()
	b.must(chromedp.Do(b.ctx, chromedp.EmulateViewport(1100, 900), func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, t, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true})
		return chromedp.Void{}, err
	}))
}

// Tab opens a further tab of the same browser, with the same cookies.
func (b *Browser) Tab() *Browser {
	b.t.Helper()
	ctx, cancel := chromedp.NewContext(b.ctx)
	b.t.Cleanup(cancel)
	tab := &Browser{t: b.t, ctx: ctx, shots: b.shots, axe: b.axe}
	tab.begin()
	return tab
}

// Main runs the tests of a package that calls New: func TestMain(m *testing.M) { browsertest.Main(m) }.
func Main(m *testing.M, stop ...func()) {
	status := m.Run()
	shared.stop()
	for _, f := range stop {
		f()
	}
	os.Exit(status)
}

// process is a Chromium without windows of tests.
type process struct {
	mu   sync.Mutex
	ctx  context.Context // nil before the start
	stop func()
}

// shared is the Chromium of the tests of a package.
var shared = &process{stop: func() {}}

// start returns the context of the running Chromium.
func (p *process) start(path string) (context.Context, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ctx != nil {
		return p.ctx, nil
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.WSURLReadTimeout(stepWithin),
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.WindowSize(1100, 900),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-back-forward-cache", true), // chromedp loses a page that comes from it
		chromedp.Flag("lang", "nb"))
	alloc, stop := chromedp.NewExecAllocator(context.Background(), opts...)
	ctx, cancel := chromedp.NewContext(alloc)
	p.stop = func() { cancel(); stop() }
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil {
		return nil, err
	}
	p.ctx = ctx
	return ctx, nil
}

// browsers are the names of Chromium. The headless shell is the same engine without the window, tabs and menus of a desktop browser, which
// has no use here: it needs a third of the CPU time.
var browsers = []string{"chromium-headless-shell", "chrome-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable"}

func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range browsers {
		if p, err := exec.LookPath(name); err == nil {
			return p
		}
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("no Chromium on this machine: the pages cannot be tested")
	}
	t.Skip("no Chromium on this machine: the pages are not tested")
	return ""
}

func (b *Browser) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// Do runs steps.
func (b *Browser) Do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, stepWithin)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.fail(err)
	}
}

// Ask runs a step that returns a value.
func Ask[T any](b *Browser, a chromedp.Action[T]) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, stepWithin)
	defer cancel()
	v, err := chromedp.Run(ctx, a)
	if err != nil {
		b.fail(err)
	}
	return v
}

func (b *Browser) fail(err error) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 5*time.Second)
	defer cancel()
	at, _ := chromedp.Run(ctx, chromedp.Location())
	html, _ := chromedp.Run(ctx, chromedp.OuterHTML(CSS("html")))
	b.t.Fatalf("%v\nat %s\n%s", err, at, html)
}

// patient is how often a step looks for its element: each look is a question to three processes.
var patient = chromedp.RetryInterval(25 * time.Millisecond)

// Open loads an address and waits for an element.
func (b *Browser) Open(url string, wait CSS) {
	b.t.Helper()
	b.Do(chromedp.Navigate(url), chromedp.WaitVisible(wait, patient))
}

// OpenTogether loads an address in each tab at the same time, and waits for an element.
func OpenTogether(tabs []*Browser, urls []string, wait CSS) {
	failed := make([]error, len(tabs))
	var all sync.WaitGroup
	for i, tab := range tabs {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(tab.ctx, stepWithin)
			defer cancel()
			failed[i] = chromedp.Do(ctx, chromedp.Navigate(urls[i]), chromedp.WaitVisible(wait))
		})
	}
	all.Wait()
	for i, tab := range tabs {
		if failed[i] != nil {
			tab.fail(failed[i])
		}
	}
}

// ClickTwice clicks an element, and again at the same place when between returns.
func (b *Browser) ClickTwice(sel CSS, between func()) {
	b.t.Helper()
	b.Do(chromedp.WaitVisible(sel))
	quoted, err := json.Marshal(sel)
	b.must(err)
	at := Ask(b, chromedp.Evaluate[[]float64]("(e => { e.scrollIntoView(); const r = e.getBoundingClientRect(); return [r.x + r.width/2, r.y + r.height/2] })(document.querySelector("+string(quoted)+"))"))
	b.Do(chromedp.MouseClickXY(at[0], at[1]))
	between()
	b.Do(chromedp.MouseClickXY(at[0], at[1]))
}

// Back presses the back button and waits for an element.
func (b *Browser) Back(wait CSS) {
	b.t.Helper()
	b.Do(chromedp.NavigateBack(), chromedp.WaitVisible(wait))
}

// Reload loads the page again, with the form that led to it, and waits for an element.
func (b *Browser) Reload(wait CSS) {
	b.t.Helper()
	b.Do(chromedp.Reload(), chromedp.WaitVisible(wait))
}

// NoDeadEnd fails unless the page is that of a service (of a Broker), or has a visible link or button in its main part that leads on.
func (b *Browser) NoDeadEnd() {
	b.t.Helper()
	const leadsOn = `document.querySelector("#service") !== null ||
		[...document.querySelectorAll("main a[href], main form button:not([disabled])")].some(e => e.checkVisibility())`
	if !Ask(b, chromedp.Evaluate[bool](leadsOn)) {
		b.fail(errors.New("a dead end"))
	}
}

// Wait waits for an element of a page that the browser opens by itself.
func (b *Browser) Wait(sel CSS) {
	b.t.Helper()
	b.Do(chromedp.WaitVisible(sel, patient))
}

// Click clicks an element and waits for an element of the next page. If this page has such an element too, it waits until the page
// is replaced: otherwise the next step would find the old page, or none.
func (b *Browser) Click(sel, wait CSS) {
	b.t.Helper()
	b.Do(chromedp.WaitVisible(sel, patient))
	if b.Has(string(wait)) {
		Ask(b, chromedp.Evaluate[bool]("document.documentElement.dataset.left = true"))
		wait = "html:not([data-left]) " + wait
	}
	b.Do(chromedp.Click(sel), chromedp.WaitVisible(wait, patient))
}

// Toggle clicks an element of a form without leaving the page.
func (b *Browser) Toggle(sel CSS) {
	b.t.Helper()
	b.Do(chromedp.WaitVisible(sel, patient), chromedp.Click(sel))
}

// ClickAway clicks an element that leads to an address which Chromium cannot show, such as one with the scheme of an app. It waits until
// Chromium has decided to open an address with the prefix, and returns that address. Use another tab afterwards: Chromium may show a dialog
// in this one.
func (b *Browser) ClickAway(sel CSS, prefix string) string {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, stepWithin)
	defer cancel()
	opened := make(chan string, 1)
	b.must(chromedp.Listen(ctx, func(ev any) {
		if e, ok := ev.(*network.EventRequestWillBeSent); ok && strings.HasPrefix(e.Request.URL, prefix) {
			select {
			case opened <- e.Request.URL:
			default:
			}
		}
	}))
	b.Do(chromedp.WaitVisible(sel), chromedp.Click(sel))
	select {
	case address := <-opened:
		return address
	case <-ctx.Done():
		b.fail(fmt.Errorf("the browser did not open %s", prefix))
		return ""
	}
}

// Fill types into a field.
func (b *Browser) Fill(sel CSS, text string) {
	b.t.Helper()
	b.Do(chromedp.WaitVisible(sel, patient), chromedp.SendKeys(sel, text))
}

// Text returns the text of an element, visible or not.
func (b *Browser) Text(sel CSS) string {
	b.t.Helper()
	return strings.TrimSpace(Ask(b, chromedp.TextContent(sel)))
}

// Has reports whether the page has an element.
func (b *Browser) Has(sel string) bool {
	b.t.Helper()
	quoted, err := json.Marshal(sel)
	b.must(err)
	return Ask(b, chromedp.Evaluate[bool]("document.querySelector("+string(quoted)+") !== null"))
}

// Title returns the title of the window.
func (b *Browser) Title() string {
	b.t.Helper()
	return Ask(b, chromedp.Title())
}

// Location returns the address of the page.
func (b *Browser) Location() string {
	b.t.Helper()
	return Ask(b, chromedp.Location())
}

//go:embed audit.js
var auditScript string

// view is how a page is looked at.
type view struct {
	suffix string
	pixels int64 // width of the window
	media  []*emulation.MediaFeature
	zoom   int    // size of the text in percent; 0 is 100
	axe    string // options of axe.run besides those of runAxe; "" if it does not run
	shot   bool
}

// allRules are the rules of axe-core that are on by default, and that for the size of targets.
const allRules = "rules: {'target-size': {enabled: true}}"

// views are a desk, a dark one, a phone, and text of twice the size in the colours of a user who forces them.
var views = []view{
	{suffix: "desk", pixels: 1100, axe: allRules, shot: true},
	{suffix: "dark", pixels: 1100, axe: "runOnly: ['color-contrast', 'link-in-text-block']", shot: true, media: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}}},
	{suffix: "phone", pixels: 320, axe: allRules, shot: true},
	{suffix: "forced", pixels: 640, zoom: 200, media: []*emulation.MediaFeature{{Name: "forced-colors", Value: "active"}}},
}

// Look is Audit with screenshots.
func (b *Browser) Look(name string) {
	b.t.Helper()
	b.eachView(name, func(v view) {
		if b.shots != "" && v.shot {
			shot := compact(b, Ask(b, chromedp.FullScreenshot(100)))
			b.must(os.WriteFile(b.shots+name+"-"+v.suffix+".png", shot, 0o644))
		}
	})
}

// Audit checks a page in every view: with axe-core, and for headings, contrast, targets and overflow.
func (b *Browser) Audit(name string) {
	b.t.Helper()
	b.eachView(name, func(view) {})
}

func (b *Browser) eachView(name string, then func(view)) {
	b.t.Helper()
	for _, v := range views {
		if bad := b.auditAt(v); len(bad) > 0 {
			b.t.Fatalf("%s, %s:\n%s", name, v.suffix, strings.Join(bad, "\n"))
		}
		then(v)
	}
	b.emulate(view{pixels: 1100})
}

// settled is a promise that resolves when the page has its style sheet and fonts, and has been laid out for a window of this width. An
// element is visible before that: a measurement would be of a page without style or of the previous width.
const settled = `new Promise(resolve => {
  document.documentElement.style.fontSize = '%d%%';
  const check = () => {
    if (innerWidth === %d && document.readyState === 'complete' && document.fonts.status === 'loaded') resolve(true);
    else requestAnimationFrame(check);
  };
  requestAnimationFrame(check);
})`

// emulate sets the window, the media features and the size of the text.
func (b *Browser) emulate(v view) {
	b.t.Helper()
	b.Do(func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: v.media})
		return chromedp.Void{}, err
	}, chromedp.EmulateViewport(v.pixels, 900))
	Ask(b, chromedp.Evaluate[bool](fmt.Sprintf(settled, cmp.Or(v.zoom, 100), v.pixels), chromedp.EvalAwaitPromise))
}

// auditAt returns what is wrong with a page in a view.
func (b *Browser) auditAt(v view) []string {
	b.t.Helper()
	b.emulate(v)
	if wide := Ask(b, chromedp.Evaluate[int64](`document.documentElement.scrollWidth`)); wide > v.pixels {
		return []string{fmt.Sprintf("the page is %d pixels wide on a screen of %d", wide, v.pixels)}
	}
	bad := Ask(b, chromedp.Evaluate[[]string](fmt.Sprintf("(%s)(%t)", auditScript, v.suffix == "forced")))
	if v.axe != "" && b.axe != "" {
		bad = append(bad, b.violations(v.axe)...)
	}
	return bad
}

// runAxe runs rules on the page. Frames are pages of others. Dark differs from light by its colours only.
const runAxe = `axe.run(document, {iframes: false, resultTypes: ['violations'], %s}).then(
  r => r.violations.map(v => 'axe-core: ' + v.id + ': ' + v.help + ': ' + v.nodes.map(n => n.html.slice(0, 120) + ' ' + n.any.concat(n.all, n.none).map(c => c.message).join('; ')).join(' | ')))`

// violations returns what axe-core finds with options.
func (b *Browser) violations(options string) []string {
	b.t.Helper()
	if Ask(b, chromedp.Evaluate[bool]("typeof axe === 'undefined'")) {
		b.Do(chromedp.Evaluate[chromedp.Void](b.axe + ";undefined"))
	}
	return Ask(b, chromedp.Evaluate[[]string](fmt.Sprintf(runAxe, options), chromedp.EvalAwaitPromise))
}

// findAxe returns axe-core. If it is not installed, the pages are tested without it, or the test fails if the environment has CI=true.
func findAxe(t *testing.T) string {
	t.Helper()
	script, err := axe.Source()
	switch {
	case err == nil:
	case os.Getenv("CI") == "true" || !errors.Is(err, fs.ErrNotExist):
		t.Fatal(err)
	default:
		t.Log("NOT TESTED WITH AXE-CORE:", err)
	}
	return script
}

// compact encodes a screenshot with 256 colours, which are enough for a page of text.
func compact(b *Browser, shot []byte) []byte {
	b.t.Helper()
	full, err := png.Decode(bytes.NewReader(shot))
	b.must(err)
	few := image.NewPaletted(full.Bounds(), palette(full))
	draw.Draw(few, few.Bounds(), full, image.Point{}, draw.Src)
	var out bytes.Buffer
	b.must((&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, few))
	return out.Bytes()
}

// palette returns the most frequent colour of each hue, then the most frequent of the others.
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
