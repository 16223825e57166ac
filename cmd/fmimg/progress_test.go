package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/fmimg/fmimg/pipeline"
)

func step(n, total int) pipeline.Event {
	return pipeline.Event{Kind: pipeline.Stepped, Step: n, Total: total, Images: 100 * n, Smooth: 0.25, Rate: 140.4, Left: 432.4}
}

// Lines about steps come every ten seconds, news at once.
func TestPlainLines(t *testing.T) {
	var out bytes.Buffer
	clock := time.Unix(0, 0)
	p := &plainLines{w: &out, now: func() time.Time { return clock }}
	p.event(pipeline.Event{Kind: pipeline.Started, Path: "runs/a", Text: "mnist"})
	for n := 1; n <= 25; n++ {
		clock = clock.Add(time.Second)
		p.event(step(n, 0))
	}
	p.event(pipeline.Event{Kind: pipeline.Previewed, Step: 25, Path: "p.png"})
	p.event(pipeline.Event{Kind: pipeline.Saved, Step: 25, Path: "runs/a"})
	p.event(pipeline.Event{Kind: pipeline.Finished, Step: 25, Images: 2500, Path: "runs/a", Loss: 0.2, Seconds: 75})
	want := `runs/a: mnist
step 11  loss 0.2500  140 images/s  7m12s left
step 21  loss 0.2500  140 images/s  7m12s left
step 25: preview in p.png
finished 25 steps (2500 images) in 1m15s, loss 0.2000: runs/a
`
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}

// The start of a drawing names the model, that of a run its folder, and images from elsewhere
// neither.
func TestWithPath(t *testing.T) {
	for want, e := range map[string]pipeline.Event{
		"runs/a: mnist":        {Path: "runs/a", Text: "mnist"},
		"model a.st (5 steps)": {Path: "a.st", Text: "a.st (5 steps)"},
		"drawn: against mnist": {Text: "drawn: against mnist"},
	} {
		if got := withPath(e); got != want {
			t.Errorf("%+v: %q, want %q", e, got, want)
		}
	}
}

// A terminal has no bar where it takes no sequences, or where its text is kept.
func TestMovesCursor(t *testing.T) {
	for _, c := range []struct {
		environment string
		want        bool
	}{
		{"", true}, {"TERM=xterm-256color", true}, {"TERM=dumb", false}, {"TERM=", true},
		{"NO_COLOR=1", false}, {"NO_COLOR=0", false}, {"NO_COLOR=", true},
		{"CI=true", false}, {"CI=1", false}, {"CI=woodpecker", false}, {"CI=false", true}, {"CI=0", true}, {"CI=", true},
		{"TERM=xterm CI=True", false}, {"TERM=dumb CI=false FORCE_COLOR=1", false},
	} {
		environ := func(name string) (string, bool) {
			for pair := range strings.FieldsSeq(c.environment) {
				if key, value, _ := strings.Cut(pair, "="); key == name {
					return value, true
				}
			}
			return "", false
		}
		if got := movesCursor(environ); got != c.want {
			t.Errorf("%s: %t", c.environment, got)
		}
	}
}

// A bar ends, full or not, and the last line comes after it.
func TestBarEnds(t *testing.T) {
	for _, last := range []int{0, 3, 10} {
		var out bytes.Buffer
		b := newBar(&out)
		b.event(pipeline.Event{Kind: pipeline.Started, Path: "runs/a", Text: "mnist"})
		for n := 1; n <= last; n++ {
			b.event(step(n, 10))
		}
		b.event(pipeline.Event{Kind: pipeline.Finished, Path: "runs/a", Text: "the end"})
		closed := make(chan struct{})
		go func() { b.close(); close(closed) }()
		select {
		case <-closed:
		case <-time.After(10 * time.Second):
			t.Fatalf("the bar hangs after step %d", last)
		}
		if !strings.HasSuffix(out.String(), "runs/a: the end\n") {
			t.Errorf("the bar ends with %q", out.String())
		}
	}
}
