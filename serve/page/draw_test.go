package page_test

import (
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

const (
	drawn = `document.querySelectorAll("#grid button:not(:disabled)").length`
	idle  = `document.querySelector("#cancel").disabled`
)

// The page draws as soon as it is opened, and shows each state on the way.
func TestDrawsAtOnce(t *testing.T) {
	_, server := newFake(t)
	b := open(t, server.URL, "/")
	b.wait("images are drawn", drawn+` === 8 && `+idle)
	b.picture("light")
	last := value[string](b, `document.querySelector("#grid img").src`)
	b.do(chromedp.Focus(chromedp.CSS("#way")))
	b.press(kb.Home)
	first := value[string](b, `document.querySelector("#grid img").src`)
	if first == last || first == "" {
		t.Error("the slider shows no noise")
	}
	b.picture("noise")
}
