//go:build !js

package page_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

const bannerHidden = `document.querySelector("#connection").hidden`

// The page says that its server is gone, and goes on when it is back.
func TestServerGoesAway(t *testing.T) {
	if browser == nil {
		t.Skip("SKIPPED: there is no Chromium to test the page in")
	}
	folder := t.TempDir()
	if err := os.Mkdir(filepath.Join(folder, "data"), 0o755); err != nil {
		t.Fatal(err)
	}
	origin, end, err := start(folder, "127.0.0.1:0", "")
	if err != nil {
		t.Fatal(err)
	}
	b := openDrawn(t, origin, "/#draw?model=mnist&count=2&steps=2")
	b.expect("ERR_CONNECTION_REFUSED")
	end()
	b.click("#draw-button")
	b.wait("the banner says so", `!`+bannerHidden)
	b.picture("gone")
	_, end, err = start(folder, origin[len("http://"):], "")
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	b.wait("the banner goes", bannerHidden)
	b.click("#draw-button")
	b.wait("images are drawn", drawn+` === 2 && `+idle)
}

// A server with a token asks for it once, and takes no other.
func TestToken(t *testing.T) {
	if browser == nil {
		t.Skip("SKIPPED: there is no Chromium to test the page in")
	}
	folder := t.TempDir()
	token := filepath.Join(folder, "token")
	const secret = "0123456789abcdef0123456789abcdef"
	if err := os.WriteFile(token, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(folder, "data"), 0o755); err != nil {
		t.Fatal(err)
	}
	origin, end, err := start(folder, "127.0.0.1:0", token)
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	b := open(t, origin, "/#draw?model=mnist&count=2&steps=2")
	b.expect("401 (Unauthorized)")
	b.wait("the token is asked for", `document.querySelector("#login").open`)
	b.picture("asked")
	b.do(chromedp.SendKeys(chromedp.CSS("#token"), "wrong"))
	b.press(kb.Enter)
	b.wait("it is refused", `document.querySelector("#login .problem").textContent !== ""`)
	b.set("#token", "")
	b.do(chromedp.SendKeys(chromedp.CSS("#token"), secret))
	b.press(kb.Enter)
	b.wait("images are drawn", drawn+` === 2 && `+idle)
	b.do(chromedp.Reload())
	b.wait("they are drawn again, and nothing is asked", drawn+` === 2 && `+idle+` && !document.querySelector("#login").open`)
}
