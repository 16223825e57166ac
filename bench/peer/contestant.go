package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// The precisions, as both programs name them.
const (
	f32  = "f32"
	bf16 = "bf16"
)

// A way is one to run a program.
type way struct {
	Program      string `json:"program"`
	Version      string `json:"version"`
	Precision    string `json:"precision"`
	Compiled     bool   `json:"compiled,omitempty"`
	ChannelsLast bool   `json:"channels_last,omitempty"`

	interpreter string // of PyTorch
}

func (w way) String() string {
	if w.Program == fmimgName {
		return fmt.Sprintf("%s %s, %s", w.Program, w.Version, w.Precision)
	}
	mode, layout := "eager", "contiguous"
	if w.Compiled {
		mode = "compiled"
	}
	if w.ChannelsLast {
		layout = "channels-last"
	}
	return fmt.Sprintf("%s %s, %s, %s, %s", w.Program, w.Version, w.Precision, mode, layout)
}

const (
	fmimgName = "fmimg"
	torchName = "PyTorch"
)

// A contestant is a way to run a program, on one work and number of threads.
type contestant struct {
	way
	// LeftOut says why it was not measured, or not in all rounds.
	LeftOut string  `json:"left_out,omitempty"`
	Rounds  []round `json:"rounds"`
	About   about   `json:"about"`

	program program // of PyTorch, which waits between rounds
}

// An about is what PyTorch tells of itself before it is measured.
type about struct {
	Torch      string             `json:"torch,omitempty"`
	Python     string             `json:"python,omitempty"`
	Capability string             `json:"capability,omitempty"`
	Parameters int                `json:"parameters,omitempty"`
	Prepare    float64            `json:"prepare_s,omitempty"` // compiling, and the first steps
	MuonSteps  map[string]float64 `json:"muon_step_ms,omitempty"`
}

// A round is one measurement: images/s of each figure, and the memory of training.
type round struct {
	Rates  map[figure]float64 `json:"images_per_s"`
	Memory int64              `json:"peak_memory_bytes"`
}

// A figure is what is measured.
type figure string

// The figures. An optimiser is that of a training step.
const (
	trainMuon  figure = "train_muon"
	trainAdamW figure = "train_adamw"
	forward    figure = "forward"
)

var figures = []figure{trainMuon, trainAdamW, forward}

// check returns an error unless every rate of a round is a positive number. PyTorch before 2.9 has
// no Muon of its own, but it has the other, so that no figure may lack.
func (r *round) check() error {
	for _, f := range figures {
		if !(r.Rates[f] > 0) {
			return fmt.Errorf("it measured %v images/s for %s", r.Rates[f], f)
		}
	}
	return nil
}

// median returns the median rate of a figure, 0 for a contestant that was not measured.
func (c *contestant) median(f figure) float64 {
	if len(c.Rounds) == 0 {
		return 0
	}
	var rates []float64
	for _, r := range c.Rounds {
		rates = append(rates, r.Rates[f])
	}
	return medianOf(rates)
}

// medianOf returns the median of x.
func medianOf(x []float64) float64 {
	sorted := slices.Sorted(slices.Values(x))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// findWays lists the ways to run both programs. Each version of PyTorch is there once.
func (c *comparison) findWays(ctx context.Context) error {
	help, err := c.output(ctx, c.fmimg, "bench", "train", "--help")
	if err != nil {
		return err
	}
	c.precise = strings.Contains(help, "--precision")
	for _, precision := range []string{f32, bf16} {
		c.ways = append(c.ways, way{Program: fmimgName, Version: c.machine.Version, Precision: precision})
	}
	before := len(c.ways)
	for _, interpreter := range c.pythons {
		out, err := c.output(ctx, interpreter, "-c", "import torch; print(torch.__version__)")
		if ctx.Err() != nil {
			return ctx.Err()
		}
		version := strings.TrimSpace(out)
		if err == nil && !slices.ContainsFunc(c.ways, func(w way) bool { return w.Version == version }) {
			c.ways = append(c.ways, waysOf(interpreter, version)...)
		}
	}
	if len(c.ways) > before {
		c.ways = slices.DeleteFunc(c.ways, func(w way) bool {
			return w.Program == torchName && c.only != nil && !c.only.MatchString(w.String())
		})
		if len(c.ways) == before {
			return fmt.Errorf("-only %v: no way to run PyTorch matches", c.only)
		}
		return nil
	}
	return errNoTorch(c.pythons)
}

// errNoTorch says how to get PyTorch.
func errNoTorch(pythons []string) error {
	return fmt.Errorf("none of %s can import torch:\n"+
		"  pip install torch             # the newest\n"+
		"  apt install python3-torch g++ # Debian's, for /usr/bin/python3; g++ for torch.compile\n"+
		"or name others: make peer PYTHONS=…",
		strings.Join(pythons, ", "))
}

// waysOf lists the ways to run a version of PyTorch.
func waysOf(interpreter, version string) []way {
	var ways []way
	for _, precision := range []string{f32, bf16} {
		for _, compiled := range []bool{false, true} {
			for _, last := range []bool{false, true} {
				if !compiled || canCompile(version) {
					ways = append(ways, way{torchName, version, precision, compiled, last, interpreter})
				}
			}
		}
	}
	return ways
}

// canCompile reports whether a version of PyTorch has torch.compile: from 2.0 on.
func canCompile(version string) bool {
	major, _, _ := strings.Cut(version, ".")
	n, err := strconv.Atoi(major)
	return err == nil && n >= 2
}

// torchArgs returns the command line that measures PyTorch.
func (c *comparison) torchArgs(w way, on work, threads int, seconds float64) []string {
	argv := []string{
		w.interpreter, c.scripts + "/torch_unet.py", "--preset", c.preset, "--precision", w.Precision,
		"--size", strconv.Itoa(on.Side), "--channels", strconv.Itoa(on.Channels), "--batch", strconv.Itoa(on.Batch),
		"--threads", strconv.Itoa(threads), "--rounds", strconv.Itoa(c.rounds), "--wait",
		"--time", strconv.FormatFloat(seconds, 'g', -1, 64),
	}
	if w.Compiled {
		argv = append(argv, "--compile")
	}
	if w.ChannelsLast {
		argv = append(argv, "--channels-last")
	}
	return argv
}

// trainShare is the share of the time of bench train for training steps. Forward gets a third of
// that. With the time divided by trainShare, training gets as much time as in PyTorch.
const trainShare = 0.6

// fmimgArgs returns the command line that measures fmimg.
func (c *comparison) fmimgArgs(w way, on work, threads int) []string {
	argv := []string{
		c.fmimg, "bench", "train", "--json", "--preset", c.preset, "--optimizer", "muon,adamw",
		"--size", strconv.Itoa(on.Side), "--image-channels", colours[on.Channels], "--batch", strconv.Itoa(on.Batch),
		"--threads", strconv.Itoa(threads), "--time", fmt.Sprintf("%.3gs", c.seconds/trainShare),
	}
	if c.precise {
		argv = append(argv, "--precision", w.Precision)
	}
	return argv
}

// errNoPrecision says that the built fmimg computes in float32 alone.
var errNoPrecision = errors.New("this fmimg has no option for it: fmimg bench train knows no --precision")

// fmimgOnce measures fmimg.
func (c *comparison) fmimgOnce(ctx context.Context, w way, on work, threads int) (r round, parameters int, err error) {
	if w.Precision != f32 && !c.precise {
		return r, 0, errNoPrecision
	}
	p, err := c.start(ctx, c.fmimgArgs(w, on, threads)...)
	if err != nil {
		return r, 0, err
	}
	defer p.close()
	var out struct {
		Train []struct {
			Optimizer  string  `json:"optimizer"`
			Train      float64 `json:"images_per_s"`
			Forward    float64 `json:"forward_images_per_s"`
			Memory     int64   `json:"peak_memory_bytes"`
			Parameters int     `json:"parameters"`
		} `json:"train"`
	}
	if err := p.read(&out); err != nil {
		return r, 0, err
	}
	r.Rates = map[figure]float64{}
	for _, t := range out.Train {
		r.Rates[figure("train_"+t.Optimizer)] = t.Train
		if t.Optimizer == "muon" { // the default of training, whose memory counts
			r.Rates[forward], r.Memory, parameters = t.Forward, t.Memory, t.Parameters
		}
	}
	err = r.check()
	return r, parameters, err
}
