package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
)

// A measurement is what both programs print: images/s of training steps and of forward passes.
type measurement struct {
	Train      float64 `json:"images_per_s"`
	Forward    float64 `json:"forward_images_per_s"`
	Memory     int64   `json:"peak_memory_bytes"`
	Parameters int     `json:"parameters"`
	Percent    float64 `json:"percent_of_direct_limit,omitempty"` // of fmimg alone
}

// A variant is a way to run PyTorch.
type variant struct {
	python       string
	Torch        string `json:"torch"` // its version
	Compiled     bool   `json:"compiled"`
	ChannelsLast bool   `json:"channels_last"`
}

func (v variant) String() string {
	mode, layout := "eager", "contiguous"
	if v.Compiled {
		mode = "compiled"
	}
	if v.ChannelsLast {
		layout = "channels-last"
	}
	return fmt.Sprintf("PyTorch %s, %s, %s", v.Torch, mode, layout)
}

// A tried is a variant with its first measurement.
type tried struct {
	Variant variant     `json:"variant"`
	First   measurement `json:"first"`
}

// An outcome is the comparison on one number of threads.
type outcome struct {
	Threads int     `json:"threads"`
	Tried   []tried `json:"tried"` // all variants, once
	// Train and Forward are duels of fmimg with the best variant for each.
	Train   duel `json:"train"`
	Forward duel `json:"forward"`
}

// A duel is fmimg against one variant: their images/s in each round.
type duel struct {
	Peer        variant   `json:"peer"`
	Ours        []float64 `json:"fmimg"`
	Theirs      []float64 `json:"pytorch"`
	OurMemory   int64     `json:"fmimg_peak_memory_bytes"`
	TheirMemory int64     `json:"pytorch_peak_memory_bytes"`
}

// ratio returns the ratio of medians, and the least and the largest of the rounds.
func (d *duel) ratio() (median, least, most float64) {
	var ratios []float64
	for i := range d.Ours {
		ratios = append(ratios, d.Ours[i]/d.Theirs[i])
	}
	return medianOf(d.Ours) / medianOf(d.Theirs), slices.Min(ratios), slices.Max(ratios)
}

// medianOf returns the median of x.
func medianOf(x []float64) float64 {
	sorted := slices.Sorted(slices.Values(x))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// A comparison runs both programs. command runs one; tests replace it.
type comparison struct {
	options
	command  func(ctx context.Context, stdin string, argv ...string) ([]byte, error)
	progress io.Writer

	variants []variant
	outcomes []outcome
}

// findPeers lists the variants that the interpreters offer, each version of PyTorch once.
func (c *comparison) findPeers(ctx context.Context) error {
	for _, python := range c.pythons {
		out, err := c.command(ctx, "", python, "-c", "import torch; print(torch.__version__)")
		if ctx.Err() != nil {
			return ctx.Err()
		}
		version := strings.TrimSpace(string(out))
		if err != nil || slices.ContainsFunc(c.variants, func(v variant) bool { return v.Torch == version }) {
			continue
		}
		for _, compiled := range []bool{false, true} {
			if compiled && !canCompile(version) {
				continue
			}
			for _, last := range []bool{false, true} {
				c.variants = append(c.variants, variant{python, version, compiled, last})
			}
		}
	}
	if len(c.variants) == 0 {
		return fmt.Errorf("none of %s can import torch:\n"+
			"  pip install torch             # the newest\n"+
			"  apt install python3-torch g++ # Debian's, for /usr/bin/python3; g++ for torch.compile\n"+
			"or name others: make peer PYTHONS=…",
			strings.Join(c.pythons, ", "))
	}
	return nil
}

// canCompile reports whether a version of PyTorch has torch.compile: from 2.0 on.
func canCompile(version string) bool {
	major, _, _ := strings.Cut(version, ".")
	n, err := strconv.Atoi(major)
	return err == nil && n >= 2
}

// measure compares on one number of threads.
func (c *comparison) measure(ctx context.Context, threads int) error {
	o := outcome{Threads: threads}
	for _, v := range c.variants {
		if v.Compiled { // the first run compiles, in several processes, and fills PyTorch's cache
			c.note("%d threads: compiling %v, which can take minutes", threads, v)
			if _, err := c.torch(ctx, v, threads, 0.01); err != nil {
				c.note("it fails and is left out: %v", err)
				continue
			}
		}
		m, err := c.bestOfTries(ctx, v, threads)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			c.note("%v fails and is left out: %v", v, err)
			continue
		}
		c.note("%d threads: %v: %.1f images/s training, %.1f forward", threads, v, m.Train, m.Forward)
		o.Tried = append(o.Tried, tried{v, m})
	}
	if len(o.Tried) == 0 {
		return errors.New("no way to run PyTorch worked")
	}
	if err := c.fight(ctx, &o); err != nil {
		return err
	}
	c.outcomes = append(c.outcomes, o)
	return nil
}

// bestOfTries measures a variant a few times, and takes the best of each figure.
func (c *comparison) bestOfTries(ctx context.Context, v variant, threads int) (top measurement, err error) {
	for range c.tries {
		m, err := c.torch(ctx, v, threads, c.seconds)
		if err != nil {
			return top, err
		}
		top.Train, top.Forward = max(top.Train, m.Train), max(top.Forward, m.Forward)
		top.Memory, top.Parameters = max(top.Memory, m.Memory), m.Parameters
	}
	return top, nil
}

// best returns the variant with the highest rate.
func best(all []tried, rate func(measurement) float64) variant {
	return slices.MaxFunc(all, func(a, b tried) int {
		if rate(a.First) < rate(b.First) {
			return -1
		}
		return 1
	}).Variant
}

// fight runs fmimg and the best variants in turn.
func (c *comparison) fight(ctx context.Context, o *outcome) error {
	o.Train.Peer = best(o.Tried, func(m measurement) float64 { return m.Train })
	o.Forward.Peer = best(o.Tried, func(m measurement) float64 { return m.Forward })
	for round := range c.rounds {
		ours, theirs, err := c.pair(ctx, o.Train.Peer, o.Threads, round)
		if err != nil {
			return err
		}
		o.Train.add(ours.Train, theirs.Train, ours, theirs)
		if o.Forward.Peer != o.Train.Peer {
			if ours, theirs, err = c.pair(ctx, o.Forward.Peer, o.Threads, round); err != nil {
				return err
			}
		}
		o.Forward.add(ours.Forward, theirs.Forward, ours, theirs)
	}
	return nil
}

// add adds a round: the rates, and the measurements that have the memory.
func (d *duel) add(ours, theirs float64, a, b measurement) {
	d.Ours, d.Theirs = append(d.Ours, ours), append(d.Theirs, theirs)
	d.OurMemory, d.TheirMemory = max(d.OurMemory, a.Memory), max(d.TheirMemory, b.Memory)
}

// pair measures fmimg and then a variant.
func (c *comparison) pair(ctx context.Context, v variant, threads, round int) (ours, theirs measurement, err error) {
	if ours, err = c.fmimgOnce(ctx, threads); err != nil {
		return ours, theirs, err
	}
	if theirs, err = c.torch(ctx, v, threads, c.seconds); err != nil {
		return ours, theirs, err
	}
	if ours.Parameters != theirs.Parameters {
		return ours, theirs, fmt.Errorf("the networks differ: %d parameters in fmimg, %d in PyTorch",
			ours.Parameters, theirs.Parameters)
	}
	c.note("%d threads, round %d: fmimg %.1f training, %.1f forward; %v: %.1f, %.1f",
		threads, round+1, ours.Train, ours.Forward, v, theirs.Train, theirs.Forward)
	return ours, theirs, nil
}

// trainShare is the share of the time of bench train for training steps. Forward gets a third of
// that. With the time divided by trainShare, training gets as much time as in PyTorch.
const trainShare = 0.6

// fmimgOnce measures fmimg.
func (c *comparison) fmimgOnce(ctx context.Context, threads int) (measurement, error) {
	return c.once(ctx, "", c.fmimg, "bench", "train", "--json", "--preset", c.preset, "--batch", strconv.Itoa(c.batch),
		"--threads", strconv.Itoa(threads), "--time", fmt.Sprintf("%.3gs", c.seconds/trainShare))
}

// torch measures a variant of PyTorch.
func (c *comparison) torch(ctx context.Context, v variant, threads int, seconds float64) (measurement, error) {
	argv := []string{
		v.python, "-", "--preset", c.preset, "--batch", strconv.Itoa(c.batch), "--threads", strconv.Itoa(threads),
		"--time", strconv.FormatFloat(seconds, 'g', -1, 64),
	}
	if v.Compiled {
		argv = append(argv, "--compile")
	}
	if v.ChannelsLast {
		argv = append(argv, "--channels-last")
	}
	return c.once(ctx, script, argv...)
}

// once runs a program and reads its measurement.
func (c *comparison) once(ctx context.Context, stdin string, argv ...string) (m measurement, err error) {
	out, err := c.command(ctx, stdin, argv...)
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal(out, &m); err != nil {
		return m, fmt.Errorf("%s: its output is not one JSON object: %w", strings.Join(argv, " "), err)
	}
	if !(m.Train > 0) || !(m.Forward > 0) {
		return m, fmt.Errorf("%s: it measured %v and %v images/s", strings.Join(argv, " "), m.Train, m.Forward)
	}
	return m, nil
}

// note tells of the progress.
func (c *comparison) note(format string, args ...any) { fmt.Fprintf(c.progress, format+"\n", args...) }

// write prints the ratios and the measurements behind them.
func (c *comparison) write(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, batch %d, float32, images/s; "+
		"medians of %d rounds in turn, and the ratios of single rounds\n\n",
		c.preset, c.batch, c.rounds)
	fmt.Fprintf(&b, "%-8s %-9s %8s %8s %7s %-13s %-9s %s\n",
		"threads", "", "fmimg", "PyTorch", "ratio", "", "memory", "best PyTorch")
	for i := range c.outcomes {
		o := &c.outcomes[i]
		for _, d := range []struct {
			name string
			*duel
		}{{"training", &o.Train}, {"forward", &o.Forward}} {
			ratio, least, most := d.ratio()
			rounds := fmt.Sprintf("(%.2f–%.2f)", least, most)
			memory := fmt.Sprintf("%d/%d", d.OurMemory/1e6, d.TheirMemory/1e6)
			fmt.Fprintf(&b, "%-8d %-9s %8.1f %8.1f %6.2fx %-13s %-9s %v\n",
				o.Threads, d.name, medianOf(d.Ours), medianOf(d.Theirs), ratio, rounds, memory, d.Peer)
		}
	}
	fmt.Fprintf(&b, "\nevery way to run PyTorch, the best of %d\n\n", c.tries)
	for _, o := range c.outcomes {
		for _, t := range o.Tried {
			fmt.Fprintf(&b, "%-8d training %8.1f, forward %8.1f, %4d MB  %v\n",
				o.Threads, t.First.Train, t.First.Forward, t.First.Memory/1e6, t.Variant)
		}
	}
	if worst := c.unrest(); worst > quiet {
		fmt.Fprintf(&b, "\nThe rates of one program differ by a factor of up to %.2f between rounds: "+
			"something else is running. That slows\n"+
			"PyTorch more, whose threads wait for each other in every layer. Measure again on a quiet machine.\n",
			worst)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// quiet is the largest factor between two rounds on a machine with nothing else to do.
const quiet = 1.15

// unrest returns the largest factor between the rates of two rounds of the same program.
func (c *comparison) unrest() float64 {
	worst := 1.0
	for _, o := range c.outcomes {
		for _, rates := range [][]float64{o.Train.Ours, o.Train.Theirs, o.Forward.Ours, o.Forward.Theirs} {
			worst = max(worst, slices.Max(rates)/slices.Min(rates))
		}
	}
	return worst
}

// save writes all measurements as JSON.
func (c *comparison) save(path string) error {
	text, err := json.MarshalIndent(map[string]any{
		"schema": "fmimg-peer/1", "preset": c.preset, "batch": c.batch, "rounds": c.rounds, "outcomes": c.outcomes,
	}, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}
