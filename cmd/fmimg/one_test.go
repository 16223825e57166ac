package main

import (
	"os"
	"regexp"
	"testing"
)

// plural matches one of a thing that is called as if there were several.
var plural = regexp.MustCompile(`\b1 (images|classes|steps|channels|threads|evaluations|files|pictures|parameters|tensors|` +
	`epochs|inputs|probes|scales|blocks|heads|norm groups|levels|times|test images|training images|other sizes|other classes|batches)\b`)

// What there is one of is called so: in notes, results, cards and descriptions.
func TestOneOfEach(t *testing.T) {
	s := newShell(t)
	pictures(t, "p/a/0.png")
	const train = " --preset tiny --size 8 --threads 1 --preview-every 1 --validate-every -1 --out "
	for _, line := range []string{
		"data show --data p", "data show --data p --json",
		"train --data p --steps 1 --batch 1 --image-channels gray" + train + "r",
		"train --data p --steps 1 --batch 1 --objective nf --size 8 --threads 1 --out nf",
		"train --data p --steps 1 --stop-after 1 --keep 1" + train + "other",
		"train --resume --out r", "train --resume --out r --steps 2 --stop-after 1",
		"model show r", "model show nf", "model show r --tensors",
		"generate --model r --count 1 --steps 1 --solver euler --out g.png",
		"generate --model r --count 1 --steps 1 --out one/", "generate --model nf --count 1 --out n.png",
		"edit vary --in p/a/0.png --model r --count 1 --steps 1 --solver euler --out e.png",
		"distill --model r --steps 1 --batch 1 --threads 1 --preview-every -1 --pool 1 --out d", "model show d",
		"generate --model d --count 1 --steps 1 --out d.png",
		"likelihood --data mnist --count 1 --solver euler --steps 1",
		"version",
	} {
		s.must(line)
		if found := plural.FindString(s.stdout + s.stderr); found != "" {
			t.Errorf("%s says %q:\n%s%s", line, found, s.stdout, s.stderr)
		}
	}
	for _, card := range []string{"r/README.md", "nf/README.md", "d/README.md"} {
		text, err := os.ReadFile(card)
		if err != nil {
			t.Error(err)
		}
		if found := plural.FindString(string(text)); found != "" {
			t.Errorf("%s says %q", card, found)
		}
	}
}
