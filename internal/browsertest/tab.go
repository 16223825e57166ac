//go:build !js

package browsertest

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// A Tab is a page in a real browser. It notes what a person would not see: errors of scripts, and
// requests to other servers.
type Tab struct {
	*testing.T
	Ctx    context.Context // of the browser's commands
	origin string

	mu       sync.Mutex
	faults   []string
	expected []string // parts of faults that a test means to provoke
}

// patience is how long a test waits for what is to be: much longer than it takes on a machine that
// does nothing else.
const patience = 90 * time.Second

// browser is the browser that all tests share; nil where there is none.
var browser context.Context

// Run runs the tests of a package with a browser that it ends behind them. TestMain calls it.
func Run(m *testing.M) {
	if path := browserPath(); path != "" {
		options := append(chromedp.DefaultExecAllocatorOptions[:],
			chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.WindowSize(1280, 900),
			chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true))
		allocator, end := chromedp.NewExecAllocator(context.Background(), options...)
		defer end()
		ctx, cancel := chromedp.NewContext(allocator)
		defer cancel()
		if err := chromedp.Do(ctx); err != nil {
			panic(fmt.Sprintf("the browser does not start: %v", err))
		}
		browser = ctx
	}
	m.Run()
}

// Need skips a test where there is no browser.
func Need(t *testing.T) {
	t.Helper()
	if browser == nil {
		t.Skip("SKIPPED: there is no Chromium to test the page in")
	}
}

// browserPath returns the path of Chromium, or an empty one.
func browserPath() string {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// Open opens a tab without a past, at a path of a server. What is done first is done before that.
func Open(t *testing.T, origin, path string, first ...chromedp.Action[chromedp.Void]) *Tab {
	t.Helper()
	Need(t)
	b := &Tab{T: t, origin: origin}
	ctx, cancel := chromedp.NewContext(browser, chromedp.WithNewBrowserContext(), chromedp.WithListener(b.hear))
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(ctx, log.Enable, cdp.Empty{}); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(ctx, network.Enable, network.EnableParams{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.check)
	ctx, stop := context.WithTimeout(ctx, 4*time.Minute)
	t.Cleanup(stop)
	b.Ctx = ctx
	b.Do(append(first, chromedp.Navigate(origin+path))...)
	return b
}

// hear notes what goes wrong.
func (b *Tab) hear(event any) {
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		b.fault("exception: %s %+v", e.ExceptionDetails.Text, e.ExceptionDetails.Exception)
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning {
			b.fault("console: %s", e.Args[0].Value)
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning {
			b.fault("log: %s %s", e.Entry.Text, e.Entry.URL)
		}
	case *network.EventRequestWillBeSent:
		address, err := url.Parse(e.Request.URL)
		own := err == nil && address.Scheme+"://"+address.Host == b.origin
		if !own && address.Scheme != "data" && address.Scheme != "blob" {
			b.fault("request to %s", e.Request.URL)
		}
	}
}

func (b *Tab) fault(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.faults = append(b.faults, fmt.Sprintf(format, args...))
}

// Expect says that a fault with some words is meant to be.
func (b *Tab) Expect(words string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.expected = append(b.expected, words)
}

// check fails the test for each fault that was not expected.
func (b *Tab) check() {
	b.mu.Lock()
	defer b.mu.Unlock()
next:
	for _, fault := range b.faults {
		for _, words := range b.expected {
			if strings.Contains(fault, words) {
				continue next
			}
		}
		b.Error(fault)
	}
}

// Do does things as a person would.
func (b *Tab) Do(actions ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	if err := chromedp.Do(b.Ctx, actions...); err != nil {
		b.Picture("failed")
		b.Fatal(err)
	}
}

// Click clicks the first element of a CSS selector, once it is there.
func (b *Tab) Click(selector string) {
	b.Helper()
	b.Do(chromedp.Click(chromedp.CSS(selector)))
}

// Set writes into a control as a person would: with the events that come of it.
func (b *Tab) Set(selector, text string) {
	b.Helper()
	Value[chromedp.Void](b, fmt.Sprintf(`(() => {
		const control = document.querySelector(%q);
		control.value = %q;
		control.dispatchEvent(new Event("input", { bubbles: true }));
		control.dispatchEvent(new Event("change", { bubbles: true }));
	})()`, selector, text))
}

// Press presses keys, on what has the focus.
func (b *Tab) Press(keys ...string) {
	b.Helper()
	for _, key := range keys {
		b.Do(chromedp.KeyEvent(key))
	}
}

// Value returns what an expression is in the page.
func Value[T any](b *Tab, expression string) T {
	b.Helper()
	v, err := chromedp.Run(b.Ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		b.Picture("failed")
		b.Fatalf("%s: %v", expression, err)
	}
	return v
}

// Wait waits until an expression is true in the page.
func (b *Tab) Wait(what, expression string) {
	b.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if Value[bool](b, "Boolean("+expression+")") {
			return
		}
	}
	b.Picture("failed")
	b.Fatalf("waited in vain: %s", what)
}

// Picture keeps a picture of what is seen, in the folder that FMIMG_PICTURES names.
func (b *Tab) Picture(name string) {
	folder := os.Getenv("FMIMG_PICTURES")
	if folder == "" {
		return
	}
	png, err := chromedp.Run(b.Ctx, chromedp.CaptureScreenshot())
	if err != nil {
		b.Error(err)
		return
	}
	file := strings.ReplaceAll(b.Name(), "/", "-") + "-" + name + ".png"
	if err := os.WriteFile(filepath.Join(folder, file), png, 0o644); err != nil {
		b.Error(err)
	}
}
