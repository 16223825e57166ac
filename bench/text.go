package bench

import (
	"fmt"
	"io"
	"strings"

	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/feed"
)

// WriteText writes a description of the machine, in lines.
func (m Machine) WriteText(w io.Writer) error {
	var caches []string
	for _, c := range []struct {
		name  string
		bytes int
	}{{"L1", m.Processor.L1D}, {"L2", m.Processor.L2}, {"L3", m.Processor.L3}} {
		if c.bytes > 0 {
			caches = append(caches, c.name+" "+spellBytes(c.bytes))
		}
	}
	lines := []string{
		fmt.Sprintf("%s, %s, fmimg %s, %s", m.Processor.Name, m.System, m.Version, m.Go),
		fmt.Sprintf("threads: %d of %d", m.Threads, max(m.Processor.Threads, m.Threads)),
		"instruction sets: " + strings.Join(m.ISAs, ", "),
	}
	if len(caches) > 0 {
		lines = append(lines, "caches: "+strings.Join(caches, ", "))
	}
	if f := relevantFeatures(m.Processor); len(f) > 0 {
		lines = append(lines, "features: "+strings.Join(f, " "))
	}
	_, err := io.WriteString(w, strings.Join(lines, "\n")+"\n")
	return err
}

// spellBytes writes a size in the largest unit that leaves it whole.
func spellBytes(n int) string {
	switch {
	case n%(1<<20) == 0:
		return fmt.Sprintf("%d MiB", n>>20)
	case n%(1<<10) == 0:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d B", n)
}

// nameWidth is the width of the column for the name of a kernel.
const nameWidth = 44

// WriteText writes the heading of the results of an instruction set and a number of threads.
func (l Limit) WriteText(w io.Writer) error {
	bf16 := ""
	if l.BF16 > 0 {
		bf16 = fmt.Sprintf("bf16 peak %s GFLOP/s, ", spell(l.BF16))
	}
	_, err := fmt.Fprintf(w, "\n%s, %s: FMA peak %s GFLOP/s, %smemory %s GB/s\n%-*s %8s %-15s %7s %7s %7s\n",
		l.ISA, spellThreads(l.Threads), spell(l.GFLOPs), bf16, spell(l.Bandwidth),
		nameWidth, "kernel/shape/pass/algorithm", "median", "quartiles", "of peak", "x plain", "of work")
	return err
}

// spellThreads writes a number of threads.
func spellThreads(n int) string {
	if n == 1 {
		return oneThread
	}
	return fmt.Sprintf("%d threads", n)
}

// WriteText writes a result as a line of a table: name, median and quartiles, share of the peak,
// rate over plain Go, and share of the network's work. The name is in brackets where the network
// does not use the algorithm.
func (r *KernelResult) WriteText(w io.Writer) error {
	name := r.Name()
	if !r.Chosen {
		name = "(" + name + ")"
	}
	row := fmt.Sprintf("%-*s %8s %-15s %7s %7s %7s  %s", nameWidth, name, spell(r.Rate.Median),
		spell(r.Rate.Low)+"–"+spell(r.Rate.High), unless0(r.Percent, "%.0f%%"), unless0(r.OverGeneric, "%.1fx"),
		unless0(100*r.Share, "%.1f%%"), r.Unit)
	_, err := fmt.Fprintln(w, row)
	return err
}

// unless0 writes a figure, or nothing for 0.
func unless0(v float64, format string) string {
	if v == 0 {
		return ""
	}
	return fmt.Sprintf(format, v)
}

// WriteSummary writes the end of the results: the rates of all convolutions together, and the
// number of cases for which the time was too short. Options are named in the words of a
// front end.
func (k *KernelReport) WriteSummary(w io.Writer, words option.Words) error {
	var b strings.Builder
	if all := k.Summaries(); len(all) > 0 {
		fmt.Fprintf(&b, "\nall convolutions of %s, weighted by their work\n", k.Preset)
		for _, s := range all {
			name := fmt.Sprintf("%s, %s, %s, %s", s.ISA, spellThreads(s.Threads), inPrecision(s.Precision), s.Pass)
			fmt.Fprintf(&b, "%-*s %8s GFLOP/s %17.0f%% of peak\n", nameWidth, name, spell(s.GFLOPs), s.Percent)
		}
	}
	if k.Skipped > 0 {
		over := option.Say("%d of %d cases were not measured, as the time was over: raise %v, or select fewer with %v",
			k.Skipped, k.Skipped+len(k.Results), option.Setting{Option: "time"}, option.Setting{Option: "run"})
		fmt.Fprintf(&b, "\n%s\n", over.In(words))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// WriteText writes the result as lines.
func (t *TrainResult) WriteText(w io.Writer) error {
	_, err := fmt.Fprintf(w, "train %v, %s\n%s%s", t.Workload, t.Optimizer,
		t.Figures.line("training", t.ImagesPerS, t.Quartiles, t.Percent)+
			t.Figures.line("forward", t.ForwardPerS, t.ForwardQuartiles, t.ForwardPercent),
		t.Figures.resources())
	return err
}

// WriteText writes the result as lines.
func (g *GenerateResult) WriteText(w io.Writer) error {
	_, err := fmt.Fprintf(w, "generate %v, %s with %d steps\n%s%-14s %8s ms\n%s", g.Workload, g.Solver, g.Steps,
		g.Figures.line("images", g.ImagesPerS, g.Quartiles, g.Percent)+
			g.Figures.line("evaluations", g.ForwardPerS, g.ForwardQuartiles, g.ForwardPercent),
		"first image", spell(g.FirstImage), g.Figures.resources())
	return err
}

// String says what is measured, in a line.
func (w Workload) String() string {
	return fmt.Sprintf("%s for %s (%d parameters, %.0f MFLOP an evaluation), batch %d, %s, %s in %s",
		w.Preset, spellShape(w.shape()), w.Parameters, w.FLOPs/1e6, w.Batch, spellThreads(w.Threads), w.ISA,
		inPrecision(w.Precision))
}

// what names the work in a comparison. It leaves out the shape of MNIST's images.
func (w Workload) what() string {
	preset := w.Preset
	if s := w.shape(); s != mnistShape {
		preset += " " + spellShape(s)
	}
	return fmt.Sprintf("%s, batch %d", preset, w.Batch)
}

// spellShape writes the shape of an image, such as 64x64 rgb.
func spellShape(s pipeline.Shape) string {
	return s.Sides() + " " + string(feed.ChannelsOf(s.Channels))
}

// line writes a rate of images.
func (f *Figures) line(what string, rate float64, quartiles [2]float64, percent float64) string {
	return fmt.Sprintf("%-14s %8s images/s (quartiles %s–%s), %.0f%% of the direct limit\n",
		what, spell(rate), spell(quartiles[0]), spell(quartiles[1]), percent)
}

// resources writes the limit, the memory and the allocations.
func (f *Figures) resources() string {
	memory := "unknown"
	if f.PeakMemory > 0 {
		memory = fmt.Sprintf("%.0f", float64(f.PeakMemory)/1e6)
	}
	bf16 := ""
	if f.BF16 > 0 {
		bf16 = fmt.Sprintf("%-14s %8s GFLOP/s\n", "bf16 peak", spell(f.BF16))
	}
	return fmt.Sprintf("%-14s %8s GFLOP/s\n%s%-14s %8s MB\n%-14s %8.4g a step\n",
		"FMA peak", spell(f.Peak), bf16, "peak memory", memory, "allocations", f.Allocations)
}
