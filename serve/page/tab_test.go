//go:build !js

package page_test

import (
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/fmimg/fmimg/internal/browsertest"
)

// A tab is a page in a browser, with what people do on this page.
type tab struct{ *browsertest.Tab }

// TestMain runs the tests with a browser and a server that it ends behind them.
func TestMain(m *testing.M) {
	defer endServed()
	browsertest.Run(m)
}

// open opens a tab without a past, at a path of a server. What is done first is done before that.
func open(t *testing.T, origin, path string, first ...chromedp.Action[chromedp.Void]) *tab {
	t.Helper()
	return &tab{browsertest.Open(t, origin, path, first...)}
}

// value returns what an expression is in the page.
func value[T any](b *tab, expression string) T {
	b.Helper()
	return browsertest.Value[T](b.Tab, expression)
}
