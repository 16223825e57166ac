//go:build !js

package page_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/fmimg/fmimg/internal/browsertest"
)

const bannerHidden = `document.querySelector("#connection").hidden`

// The page says that its server is gone, and goes on when it is back.
func TestServerGoesAway(t *testing.T) {
	browsertest.Need(t)
	folder := t.TempDir()
	if err := os.Mkdir(filepath.Join(folder, "data"), 0o755); err != nil {
		t.Fatal(err)
	}
	origin, end, err := start(folder, "127.0.0.1:0", "")
	if err != nil {
		t.Fatal(err)
	}
	b := openDrawn(t, origin, "/#draw?model=mnist&count=2&steps=2")
	b.Expect("ERR_CONNECTION_REFUSED")
	end()
	b.Click("#draw-button")
	b.Wait("the banner says so", `!`+bannerHidden)
	b.Picture("gone")
	_, end, err = start(folder, origin[len("http://"):], "")
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	b.Wait("the banner goes", bannerHidden)
	b.Click("#draw-button")
	b.Wait("images are drawn", drawn+` === 2 && `+idle)
}

// A server with a token asks for it once, and takes no other.
func TestToken(t *testing.T) {
	browsertest.Need(t)
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
	b.Expect("401 (Unauthorized)")
	b.Wait("the token is asked for", `document.querySelector("#login").open`)
	b.Picture("asked")
	b.Do(chromedp.SendKeys(chromedp.CSS("#token"), "wrong"))
	b.Press(kb.Enter)
	b.Wait("it is refused", `document.querySelector("#login .problem").textContent !== ""`)
	b.Set("#token", "")
	b.Do(chromedp.SendKeys(chromedp.CSS("#token"), secret))
	b.Press(kb.Enter)
	b.Wait("images are drawn", drawn+` === 2 && `+idle)
	b.Do(chromedp.Reload())
	b.Wait("they are drawn again, and nothing is asked", drawn+` === 2 && `+idle+` && !document.querySelector("#login").open`)
}
