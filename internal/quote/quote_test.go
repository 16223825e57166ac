package quote_test

import (
	"os/exec"
	"testing"

	"pgregory.net/rapid"

	"github.com/fmimg/fmimg/internal/quote"
)

func TestQuote(t *testing.T) {
	for word, want := range map[string]string{
		"runs/mnist": "runs/mnist", "0:6,3:1200": "0:6,3:1200", `C:\runs\a`: `'C:\runs\a'`, "": `""`,
		"My Photos": `"My Photos"`,
		"it's":      `"it's"`, "a$b": "'a$b'", `it's "it"`: `'it'\''s "it"'`, "~me": `"~me"`, "-x": `"-x"`, "a;b": `"a;b"`,
	} {
		if got := quote.Shell(word); got != want {
			t.Errorf("%q becomes %s, want %s", word, got, want)
		}
	}
}

// A shell passes the word on that was quoted.
func TestQuoteInShell(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no sh here")
	}
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.StringMatching("[ -~é\n]*").Draw(t, "word")
		out, err := exec.Command(sh, "-c", "printf %s "+quote.Shell(word)).Output()
		if err != nil || string(out) != word {
			t.Fatalf("%q quoted as %s becomes %q, %v", word, quote.Shell(word), out, err)
		}
	})
}
