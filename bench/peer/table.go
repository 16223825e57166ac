package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
)

// A row sets a figure of fmimg beside the best of PyTorch.
type row struct {
	Name      string  `json:"name"`
	Precision string  `json:"fmimg_precision"`
	Ours      float64 `json:"fmimg_images_per_s"`
	F32       *duel   `json:"pytorch_f32,omitempty"`           // the best in float32
	Any       *duel   `json:"pytorch_any_precision,omitempty"` // the best in any precision
}

// A duel is a figure of fmimg against one contestant: the ratio of medians, and the least and the
// largest of single rounds.
type duel struct {
	Peer   way     `json:"peer"`
	Letter string  `json:"-"`
	Theirs float64 `json:"images_per_s"`
	Ratio  float64 `json:"ratio"`
	Least  float64 `json:"least"`
	Most   float64 `json:"most"`
}

// rowKinds are the rows: which figure of fmimg stands beside which of PyTorch. Users of fmimg train
// by Muon, and most users of PyTorch by AdamW.
var rowKinds = []struct {
	name         string
	ours, theirs figure
}{
	{"training, Muon", trainMuon, trainMuon},
	{"training, AdamW", trainAdamW, trainAdamW},
	{"Muon, AdamW there", trainMuon, trainAdamW},
	{"forward", forward, forward},
}

// rows returns the rows of an outcome: for each kind, fmimg in each precision that was measured.
func (o *outcome) rows() []row {
	var rows []row
	for _, kind := range rowKinds {
		for _, one := range o.Contestants {
			if one.Program != fmimgName || len(one.Rounds) == 0 {
				continue
			}
			rows = append(rows, row{
				Name: kind.name, Precision: one.Precision, Ours: one.median(kind.ours),
				F32: o.duel(one, kind.ours, f32, kind.theirs), Any: o.duel(one, kind.ours, "", kind.theirs),
			})
		}
	}
	return rows
}

// duel compares a figure of fmimg with a figure of the best PyTorch in a precision. It returns nil
// where there is none.
func (o *outcome) duel(one *contestant, ours figure, precision string, theirs figure) *duel {
	peer := best(o, torchName, precision, theirs)
	if peer == nil {
		return nil
	}
	d := &duel{
		Peer: peer.way, Letter: letter(slices.Index(o.Contestants, peer)), Theirs: peer.median(theirs),
		Ratio: one.median(ours) / peer.median(theirs),
	}
	for i := range min(len(one.Rounds), len(peer.Rounds)) {
		ratio := one.Rounds[i].Rates[ours] / peer.Rounds[i].Rates[theirs]
		d.Least, d.Most = min(cmp.Or(d.Least, ratio), ratio), max(d.Most, ratio)
	}
	return d
}

// letter names a contestant of a table.
func letter(i int) string {
	if i < 26 {
		return string(rune('A' + i))
	}
	return fmt.Sprint(i + 1)
}

// text returns the ratios and the measurements behind them, and where they were measured.
func (c *comparison) text() string {
	var b strings.Builder
	m := c.machine
	fmt.Fprintf(&b, "%s, %d threads, %s; fmimg %s (%s, %s)", m.CPU, m.Threads, m.System, m.Version, m.ISA, m.Go)
	for _, t := range c.torches() {
		fmt.Fprintf(&b, "; PyTorch %s (%s, Python %s)", t.Torch, t.Capability, t.Python)
	}
	fmt.Fprintf(&b, "\n%s, images/s, medians of %d rounds in turn; in brackets the ratios of single rounds\n",
		c.preset, c.rounds)
	for _, o := range c.Outcomes {
		o.write(&b)
	}
	if worst := c.unrest(); worst > quiet {
		fmt.Fprintf(&b, "\nThe rates of one program differ by a factor of up to %.2f between rounds: "+
			"something else is running. That slows\n"+
			"PyTorch more, whose threads wait for each other in every layer. Measure again on a quiet machine.\n",
			worst)
	}
	return b.String()
}

// torches returns what each version of PyTorch tells of itself.
func (c *comparison) torches() []about {
	var all []about
	for _, o := range c.Outcomes {
		for _, one := range o.Contestants {
			known := slices.ContainsFunc(all, func(a about) bool { return a.Torch == one.About.Torch })
			if one.About.Torch != "" && !known {
				all = append(all, one.About)
			}
		}
	}
	return all
}

// write writes the tables of an outcome.
func (o *outcome) write(b *strings.Builder) {
	fmt.Fprintf(b, "\n%v\n\n%-23s %8s   %-34s%s\n", o, "", "fmimg", "best PyTorch in f32",
		"best PyTorch of any precision")
	for _, r := range o.rows() {
		line := fmt.Sprintf("%-18s %-4s %8s   %-34s%v", r.Name, r.Precision, spell(r.Ours), r.F32, r.Any)
		fmt.Fprintln(b, strings.TrimRight(line, " "))
	}
	fmt.Fprintf(b, "\n   %8s %8s %8s %6s %6s\n", "Muon", "AdamW", "forward", "MB", "rounds")
	for i, one := range o.Contestants {
		line := fmt.Sprintf("%-2s %8s %8s %8s %6s %6s  %v", letter(i), spell(one.median(trainMuon)),
			spell(one.median(trainAdamW)), spell(one.median(forward)), spell(one.memory()/1e6), spell(float64(len(one.Rounds))),
			one.way)
		fmt.Fprintln(b, line+one.remarks())
	}
}

// remarks tells of a contestant what is no figure.
func (c *contestant) remarks() string {
	text := ""
	var steps []string
	for name, ms := range c.About.MuonSteps {
		steps = append(steps, fmt.Sprintf("%s %.0f ms", name, ms))
	}
	if slices.Sort(steps); len(steps) > 0 {
		text += "; Muon: " + strings.Join(steps, ", ") + " a step"
	}
	switch {
	case c.LeftOut == "":
	case len(c.Rounds) == 0:
		text += "; left out: " + c.LeftOut
	default:
		text += "; measured no more: " + c.LeftOut
	}
	return text
}

// memory returns the peak memory of training, in bytes.
func (c *contestant) memory() (most float64) {
	for _, r := range c.Rounds {
		most = max(most, float64(r.Memory))
	}
	return most
}

func (d *duel) String() string {
	if d == nil {
		return "none"
	}
	return fmt.Sprintf("%8s %s %6.2fx (%.2f–%.2f)", spell(d.Theirs), d.Letter, d.Ratio, d.Least, d.Most)
}

// spell writes a figure with three or more digits, and nothing measured as a dash.
func spell(v float64) string {
	switch {
	case v == 0:
		return "–"
	case v >= 100 || v == float64(int(v)):
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

func spellThreads(n int) string {
	if n == 1 {
		return "1 thread"
	}
	return fmt.Sprintf("%d threads", n)
}

// quiet is the largest factor between two rounds on a machine with nothing else to do.
const quiet = 1.15

// unrest returns the largest factor between the rates of two rounds of the same contestant.
func (c *comparison) unrest() float64 {
	worst := 1.0
	for _, o := range c.Outcomes {
		for _, one := range o.Contestants {
			for _, f := range figures {
				var rates []float64
				for _, r := range one.Rounds {
					rates = append(rates, r.Rates[f])
				}
				if one.median(f) > 0 {
					worst = max(worst, slices.Max(rates)/slices.Min(rates))
				}
			}
		}
	}
	return worst
}

// save writes all measurements as JSON.
func (c *comparison) save(path string) error {
	type saved struct {
		*outcome
		Rows []row `json:"rows"`
	}
	var outcomes []saved
	for _, o := range c.Outcomes {
		outcomes = append(outcomes, saved{o, o.rows()})
	}
	text, err := json.MarshalIndent(map[string]any{
		"schema": "fmimg-peer/2", "machine": c.machine, "preset": c.preset, "rounds": c.rounds,
		"seconds": c.seconds, "outcomes": outcomes,
	}, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}
