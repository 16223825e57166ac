package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"

	"github.com/fmimg/fmimg/internal/text"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/feed"
)

// A reporter shows the events of a run: a bar on a terminal, lines otherwise, or JSON lines.
type reporter interface {
	event(e pipeline.Event)
	close() // ends the display, before anything else is written
}

func (a *app) newReporter(asJSON bool) reporter {
	if asJSON {
		return jsonLines{json.NewEncoder(a.stdout)}
	}
	if isTerminal(a.stderr) && movesCursor(a.environ) {
		return newBar(a.stderr)
	}
	return &plainLines{w: a.stderr, now: time.Now}
}

// isTerminal reports whether a writer is a terminal, which a person reads.
func isTerminal(w io.Writer) bool {
	if checked, ok := w.(*checkedWriter); ok {
		w = checked.Writer
	}
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// movesCursor reports whether a terminal takes the sequences that a bar is drawn with, and is not
// recorded in a log. no-color.org asks for no more than no colours; who sets NO_COLOR reads a log,
// or has a terminal without sequences.
func movesCursor(environ func(name string) (value string, ok bool)) bool {
	if term, _ := environ("TERM"); term == "dumb" {
		return false
	}
	if value, _ := environ("NO_COLOR"); value != "" {
		return false
	}
	ci, _ := environ("CI")
	return slices.Contains([]string{"", "0", "false", "no", "off"}, strings.ToLower(ci))
}

// jsonLines writes each event as a line.
type jsonLines struct{ enc *json.Encoder }

func (j jsonLines) event(e pipeline.Event) {
	e.Text = textOf(e)
	_ = j.enc.Encode(e) // stdout keeps the error for the end: it does not stop the training
}

func (jsonLines) close() {}

// lineEvery is the time between lines about steps.
const lineEvery = 10 * time.Second

// plainLines writes news at once, and every now and then how far the run is.
type plainLines struct {
	w    io.Writer
	now  func() time.Time
	last time.Time // of the last line about steps
}

func (p *plainLines) event(e pipeline.Event) {
	if e.Kind == pipeline.Stepped || e.Kind == pipeline.Sampled || e.Kind == pipeline.Reading {
		now := p.now()
		if p.last.IsZero() {
			p.last = now
		}
		if now.Sub(p.last) < lineEvery {
			return
		}
		p.last = now
		fmt.Fprintln(p.w, strings.TrimSpace(where(e)+"  "+how(e)))
		return
	}
	if line := news(e); line != "" {
		fmt.Fprintln(p.w, line)
	}
}

func (*plainLines) close() {}

// news words an event on one line; "" for an event that is not news.
func news(e pipeline.Event) string { return harmless(words(e)) }

func words(e pipeline.Event) string {
	switch e.Kind {
	case pipeline.Started:
		if e.Text == "" || e.Step == 0 {
			return withPath(e)
		}
		return fmt.Sprintf("%s, from step %d", withPath(e), e.Step)
	case pipeline.Previewed:
		return fmt.Sprintf("step %d: preview in %s", e.Step, e.Path)
	case pipeline.Noted:
		return textOf(e)
	case pipeline.Finished:
		if e.Text != "" {
			return e.Path + ": " + e.Text
		}
		return fmt.Sprintf("finished %s (%s) in %s, loss %.4f%s: %s", text.Count(e.Step, "step", "steps"), text.Count(e.Images, "image", "images"), text.Seconds(e.Seconds), e.Loss, measured(e), e.Path)
	}
	return ""
}

// textOf returns the text of an event, in the words of the command.
func textOf(e pipeline.Event) string {
	if e.Message.Format == "" {
		return e.Text
	}
	return e.Message.In(flags{})
}

// noteJoin says on stderr that an output lies in a folder of data, where it does.
func (a *app) noteJoin(out string, data ...string) {
	if note, ok := feed.JoinNote(out, data...); ok {
		fmt.Fprintln(a.stderr, news(note))
	}
}

// withPath words the start of a run behind its path, or of a drawing behind its model. Images that
// are drawn already have neither.
func withPath(e pipeline.Event) string {
	switch {
	case e.Path == "":
		return e.Text
	case strings.HasPrefix(e.Text, e.Path):
		return "model " + e.Text
	}
	return e.Path + ": " + e.Text
}

// where says how far a run has come.
func where(e pipeline.Event) string {
	switch {
	case e.Kind == "":
		return "starting"
	case e.Kind == pipeline.Sampled:
		return fmt.Sprintf("image %d/%d", e.Images, e.Total)
	case e.Kind == pipeline.Reading:
		return fmt.Sprintf("reading file %d/%d", e.Images, e.Total)
	case e.Total == 0:
		return fmt.Sprintf("step %d", e.Step)
	}
	return fmt.Sprintf("step %d/%d", e.Step, e.Total)
}

// how says how well a run goes.
func how(e pipeline.Event) string {
	if e.Kind != pipeline.Stepped {
		return ""
	}
	if e.Text != "" {
		return e.Text
	}
	return fmt.Sprintf("loss %.4f%s  %.0f images/s  %s left", e.Smooth, validation(e, "  "), e.Rate, text.Seconds(e.Left))
}

// validation words the latest validation loss behind a separator; "" before the first.
func validation(e pipeline.Event, separator string) string {
	if e.Validation == 0 {
		return ""
	}
	return fmt.Sprintf("%svalidation %.4f", separator, e.Validation)
}

// measured words, behind a comma, what a finished run measured on held-out images.
func measured(e pipeline.Event) string {
	text := validation(e, ", ")
	if e.Accuracy > 0 {
		text += fmt.Sprintf(", accuracy %.2f %%", 100*e.Accuracy)
	}
	return text
}

// barScale is the total of the bar. The total of a run may change while the run measures itself.
const barScale = 1000

// A bar shows the latest event in the last line of the terminal, and news above that line. It is
// full only when it is closed: the run goes on after the last step, with a preview for example.
type bar struct {
	w        io.Writer
	progress *mpb.Progress
	bar      *mpb.Bar
	end      string // the last line, shown when the bar is closed

	mu   sync.Mutex
	last pipeline.Event
}

func newBar(w io.Writer) *bar {
	b := &bar{w: w, progress: mpb.New(mpb.WithOutput(w), mpb.WithWidth(24))}
	show := func(text func(pipeline.Event) string) decor.Decorator {
		return decor.Any(func(decor.Statistics) string {
			b.mu.Lock()
			defer b.mu.Unlock()
			return text(b.last)
		})
	}
	b.bar = b.progress.New(barScale, mpb.BarStyle(),
		mpb.PrependDecorators(show(where), decor.Name(" ")), mpb.AppendDecorators(decor.Name(" "), show(how)))
	return b
}

func (b *bar) event(e pipeline.Event) {
	switch e.Kind {
	case pipeline.Stepped, pipeline.Sampled, pipeline.Reading:
		b.move(e)
	case pipeline.Finished:
		b.end = news(e)
	default:
		if line := news(e); line != "" {
			fmt.Fprintln(b.progress, line)
		}
	}
}

func (b *bar) move(e pipeline.Event) {
	b.mu.Lock()
	b.last = e
	b.mu.Unlock()
	if e.Total > 0 {
		b.bar.SetCurrent(int64(min(barScale*done(e)/e.Total, barScale-1)))
	}
}

// done returns how many of the things that Total counts are done: steps, or images.
func done(e pipeline.Event) int {
	if e.Kind == pipeline.Sampled || e.Kind == pipeline.Reading {
		return e.Images
	}
	return e.Step
}

func (b *bar) close() {
	b.mu.Lock()
	last := b.last
	b.mu.Unlock() // before the bar draws, which takes the lock
	if last.Total > 0 && done(last) >= last.Total {
		b.bar.SetCurrent(barScale)
	}
	b.bar.Abort(false) // does nothing to a full bar
	b.progress.Wait()
	if b.end != "" {
		fmt.Fprintln(b.w, b.end)
	}
}
