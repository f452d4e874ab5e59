package main

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
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
	t   *testing.T
	ctx context.Context
}

// css is how tests name elements.
type css = chromedp.CSS

// openBrowser starts Chromium. Without one the test is skipped, loudly, and fails under CI=true.
func openBrowser(t *testing.T) *browser {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("no Chromium on this machine: the pages cannot be tested")
		}
		t.Skip("NOT TESTED: no Chromium on this machine, the pages were not looked at")
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.WindowSize(1100, 900), chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("lang", "nb"))
	alloc, stop := chromedp.NewExecAllocator(context.Background(), opts...)
	ctx, cancel := chromedp.NewContext(alloc)
	ctx, cancelTime := context.WithTimeout(ctx, 2*time.Minute)
	t.Cleanup(func() { cancelTime(); cancel(); stop() })
	require.NoError(t, chromedp.Do(ctx, chromedp.Navigate("about:blank"))) // starts the browser
	return &browser{t, ctx}
}

func (b *browser) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 20*time.Second)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		ctx, cancel := context.WithTimeout(b.ctx, 5*time.Second)
		defer cancel()
		html, _ := chromedp.Run(ctx, chromedp.OuterHTML(css("html")))
		b.t.Fatalf("%v\n%s", err, html)
	}
}

func ask[T any](b *browser, a chromedp.Action[T]) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 20*time.Second)
	defer cancel()
	v, err := chromedp.Run(ctx, a)
	require.NoError(b.t, err)
	return v
}

func (b *browser) open(url string, wait css) {
	b.t.Helper()
	b.do(chromedp.Navigate(url), chromedp.WaitVisible(wait))
}

// click clicks an element and waits for another one, on the next page.
func (b *browser) click(sel, wait css) {
	b.t.Helper()
	b.do(chromedp.WaitVisible(sel), chromedp.Click(sel), chromedp.WaitVisible(wait))
}

// pick clicks choices and stays.
func (b *browser) pick(ids ...string) {
	b.t.Helper()
	for _, id := range ids {
		b.do(chromedp.Click(css("#choice-" + id)))
	}
}

func (b *browser) text(sel css) string {
	b.t.Helper()
	return strings.TrimSpace(ask(b, chromedp.TextContent(sel)))
}

func (b *browser) has(sel string) bool {
	b.t.Helper()
	return ask(b, chromedp.Evaluate[bool]("document.querySelector("+string(must(json.Marshal(sel)))+") !== null"))
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// look audits the page at both widths as the login example's pages are, and takes screenshots if asked to.
func (b *browser) look(name string) {
	b.t.Helper()
	script := string(must(os.ReadFile(filepath.Join("..", "idporten", "audit.js"))))
	for suffix, width := range map[string]int64{"desk": 1100, "phone": 320} {
		b.do(chromedp.EmulateViewport(width, 900))
		require.LessOrEqual(b.t, ask(b, chromedp.Evaluate[int64](`document.documentElement.scrollWidth`)), width, "%s is wider than the %s screen", name, suffix)
		require.Empty(b.t, ask(b, chromedp.Evaluate[[]string](script)), "%s at %s width", name, suffix)
		if shots := os.Getenv("PORTNER_SHOTS"); shots != "" {
			require.NoError(b.t, os.WriteFile(filepath.Join(shots, "ansattporten-"+name+"-"+suffix+".png"), ask(b, chromedp.FullScreenshot(100)), 0o644))
		}
	}
	b.do(chromedp.EmulateViewport(1100, 900))
}

// details are what the demo service was told.
func (b *browser) details() []map[string]any {
	b.t.Helper()
	var all []map[string]any
	require.NoError(b.t, json.Unmarshal([]byte(b.text("#details")), &all))
	return all
}

// organisations are the IDs of the reportees of all details.
func organisations(details []map[string]any) []string {
	var ids []string
	for _, d := range details {
		list, _ := d["reportees"].([]any)
		for _, r := range list {
			ids = append(ids, r.(map[string]any)["ID"].(string))
		}
	}
	return ids
}

// TestRepresentation chooses one organisation, nobody, several, oneself, and where somebody is required.
func TestRepresentation(t *testing.T) {
	s := start(t)
	b := openBrowser(t)
	b.open(s.demoAt, "#story-en")

	// One: the first time with a login, then without, but with the page each time.
	b.click("#story-en", "#login-form")
	b.look("login")
	b.click("#user-kari", "#representation-form")
	require.False(t, b.has("input[type=checkbox]"))
	require.False(t, b.has("#choice-910753614"), "deleted organisations were not asked for")
	b.look("representation-one")
	b.pick("987464291")
	b.click("#representation-continue", "#logged-in")
	require.Equal(t, []string{"0192:987464291"}, organisations(b.details()))
	require.Equal(t, "Kari Testesen", b.text("#id-name"))
	require.Equal(t, "21879498012", b.text("#id-pid"), "tokens speak of who logged in")
	require.Equal(t, "high", b.text("#id-acr"))
	require.Contains(t, b.text("#at-authorization_details"), "0192:987464291")
	require.Contains(t, b.text("#id-authorization_details"), "0192:987464291")
	b.look("service")
	b.click("#refresh", "#refreshed")
	require.Equal(t, []string{"0192:987464291"}, organisations(b.details()), "a refresh changes nothing of it")

	// Nobody, said in two ways; oneself.
	for _, nobody := range [][]string{{"nobody"}, nil} {
		b.click("#story-en", "#representation-form")
		b.pick(nobody...)
		b.click("#representation-continue", "#logged-in")
		require.Empty(t, b.details())
	}
	b.click("#story-en", "#representation-form")
	b.pick("self")
	b.click("#representation-continue", "#logged-in")
	require.Equal(t, []map[string]any{{"type": "ansattporten:altinn:service"}}, b.details())

	// Several, a deleted one among them.
	b.click("#story-flere", "#representation-form")
	require.False(t, b.has("input[type=radio]"))
	b.look("representation-several")
	b.pick("991825827", "910753614")
	b.click("#representation-continue", "#logged-in")
	require.Equal(t, []string{"0192:991825827", "0192:910753614"}, organisations(b.details()))

	// Required: the page asks again, cancel ends it, an organisation is let in.
	b.click("#story-krevd", "#representation-form")
	require.False(t, b.has("#choice-nobody") || b.has("#choice-self"))
	b.click("#representation-continue", "#representation-missing")
	b.look("representation-required")
	b.click("#representation-cancel", "#rp-notice")
	require.Contains(t, b.text("#rp-notice"), "access_denied")
	b.click("#story-krevd", "#representation-form")
	b.pick("991825827")
	b.click("#representation-continue", "#logged-in")
	require.Equal(t, []string{"0192:991825827"}, organisations(b.details()))
}

// TestOtherTypes: a resource of Altinn 3, an employer, a mandate; and people who have none.
func TestOtherTypes(t *testing.T) {
	s := start(t)
	b := openBrowser(t)
	b.open(s.demoAt, "#story-ressurs")
	b.click("#story-ressurs", "#login-form")
	b.click("#user-kari", "#representation-form")
	b.pick("991825827")
	b.click("#representation-continue", "#logged-in")
	require.Contains(t, b.text("#details"), `"authority": "iso6523-actorid-upis"`)
	b.click("#story-arbeidsgiver", "#representation-form")
	b.pick("991825827")
	b.click("#representation-continue", "#logged-in")
	require.Equal(t, "ansattporten:orgno", b.details()[0]["type"])
	b.click("#story-fullmakt", "#representation-form")
	b.look("mandate")
	b.pick("mandate-0")
	b.click("#representation-continue", "#logged-in")
	require.Equal(t, "45840375084", b.details()[0]["authorizer"].(map[string]any)["pid"])
	require.Equal(t, "21879498012", b.text("#id-pid"), "no impersonation")
	b.click("#story-selv", "main:not(:has(#details)) #logged-in")
	require.False(t, b.has("#details"))

	other := openBrowser(t)
	other.open(s.demoAt, "#story-en")
	other.click("#story-en", "#login-form")
	other.click("#user-ola", "#logged-in")
	require.Empty(t, other.details(), "nobody to represent: no page, and a login")
	other.click("#story-krevd", "#rp-notice")
	require.Contains(t, other.text("#rp-notice"), "access_denied")
	other.click("#story-fullmakt", "#error-page")
	require.Equal(t, "access_denied", other.text("#error-code"))
	other.look("no-mandate")
}

// TestLanguages: the chooser in each of the four, the choice kept.
func TestLanguages(t *testing.T) {
	s := start(t)
	b := openBrowser(t)
	b.open(s.demoAt, "#story-en")
	b.click("#story-en", "#login-form")
	b.click("#user-kari", "#representation-form")
	for lang, want := range map[string]string{"nn": "Kven representerer du?", "en": "Whom do you represent?", "se": "Gean don ovddastat?"} {
		button := css("#lang-" + lang)
		b.click(button, button+"[aria-current=true]")
		require.Equal(t, want, b.text("h1"))
	}
	b.pick("991825827")
	b.click("#representation-continue", "#logged-in")
	require.Equal(t, []string{"0192:991825827"}, organisations(b.details()))
}
