package bench

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/fmimg/fmimg/internal/option"
)

// A Comparison sets figures of several reports side by side.
type Comparison struct {
	Machines []Compared `json:"machines"`
	// Drift says that all reports are of one machine: what differs is time, or the program.
	Drift bool  `json:"drift"`
	Rows  []Row `json:"rows"`
}

// Compared describes a report in a comparison.
type Compared struct {
	Name    string `json:"name"` // the report's label, or else the name of its file
	Path    string `json:"path"`
	CPU     string `json:"cpu"`
	Threads int    `json:"threads"`
	ISA     string `json:"isa"` // the best instruction set of the machine
	Stamp
}

// A Row is one figure of every report.
type Row struct {
	Group string `json:"group"`
	Name  string `json:"name"`
	Unit  string `json:"unit"`
	Cells []Cell `json:"cells"` // one for each report

	what string  // the name without the setting
	on   setting // the setting of the figure
}

// A Cell is one figure of one report, with its quartiles where it is a median.
type Cell struct {
	Value float64 `json:"value"` // 0: the report lacks it
	Low   float64 `json:"low,omitempty"`
	High  float64 `json:"high,omitempty"`
}

// The groups of rows, in their order.
const (
	groupLimits  = "Limits"
	groupNetwork = "Network"
	groupConvs   = "Convolutions of the network, weighted by their work"
	groupKernels = "Kernels"
)

const (
	allThreads = "all threads"
	oneThread  = "1 thread"
	imagesPerS = "images/s"
)

// Compare reads reports and sets their figures side by side. A figure without an instruction set in
// its name is for the best one of each machine. pattern is a regular expression that selects
// kernels by name, beside the figures of whole networks. The empty pattern selects none.
func Compare(paths []string, pattern string) (*Comparison, error) {
	var match *regexp.Regexp
	if pattern != "" {
		var err error
		if match, err = regexp.Compile(pattern); err != nil {
			return nil, option.Errorf("run", option.Quoted(pattern), "it is no regular expression: %v", err)
		}
	}
	var reports []*Report
	for _, path := range paths {
		r, err := ReadReport(path)
		if err != nil {
			return nil, err
		}
		reports = append(reports, r)
	}
	if len(reports) == 0 {
		return nil, errors.New("no report to compare")
	}
	return sideBySide(paths, reports, match), nil
}

func sideBySide(paths []string, reports []*Report, match *regexp.Regexp) *Comparison {
	c := &Comparison{Drift: len(reports) > 1}
	t := table{columns: len(reports), index: map[string]int{}}
	for i, r := range reports {
		c.Machines = append(c.Machines, describe(paths[i], r))
		c.Drift = c.Drift && r.Machine.same(reports[0].Machine)
		t.column = i
		t.addReport(r, match)
	}
	for _, group := range []string{groupLimits, groupNetwork, groupConvs, groupKernels} {
		for _, row := range t.rows {
			if row.Group == group {
				c.Rows = append(c.Rows, row)
			}
		}
	}
	return c
}

// describe describes a report, with the date of its newest section.
func describe(path string, r *Report) Compared {
	m := Compared{
		Name: cmp.Or(r.Label, strings.TrimSuffix(filepath.Base(path), ".json")), Path: filepath.ToSlash(path),
		CPU: r.Machine.Processor.Name, Threads: r.Machine.Threads, ISA: r.Machine.Best,
	}
	stamps := []Stamp{}
	if r.Kernels != nil {
		stamps = append(stamps, r.Kernels.Stamp)
	}
	for _, t := range r.Train {
		stamps = append(stamps, t.Stamp)
	}
	for _, g := range r.Generate {
		stamps = append(stamps, g.Stamp)
	}
	for _, s := range stamps {
		if s.Time.After(m.Time) {
			m.Stamp = s
		}
	}
	return m
}

// A table collects rows, report by report.
type table struct {
	columns, column int // number of columns, and the column of the current report
	rows            []Row
	index           map[string]int // index of a row, by group, name and unit
}

// set puts a figure into the current column of a row, which it adds if it is new.
func (t *table) set(group, what string, on setting, unit string, cell Cell) {
	name := join(what, on.String())
	key := strings.Join([]string{group, name, unit}, "\x00")
	i, ok := t.index[key]
	if !ok {
		i = len(t.rows)
		t.index[key] = i
		cells := make([]Cell, t.columns)
		t.rows = append(t.rows, Row{Group: group, Name: name, Unit: unit, Cells: cells, what: what, on: on})
	}
	t.rows[i].Cells[t.column] = cell
}

// addReport sets all figures of a report.
func (t *table) addReport(r *Report, match *regexp.Regexp) {
	if r.Kernels != nil {
		t.addKernels(r, r.Kernels, match)
	}
	for _, n := range r.Train {
		trained := n.Workload.what()
		if n.Optimizer != "" {
			trained = join(trained, string(n.Optimizer))
		}
		t.addFigures("train "+trained, "forward "+n.Workload.what(), settingOf(r, n.ISA, n.Precision, n.Threads), n.Figures)
	}
	for _, g := range r.Generate {
		work := fmt.Sprintf("generate %s, %s %d", g.Workload.what(), g.Solver, g.Steps)
		on := settingOf(r, g.ISA, g.Precision, g.Threads)
		t.addFigures(work, "", on, g.Figures)
		t.set(groupNetwork, join(work, "first image"), on, "ms", Cell{Value: g.FirstImage})
	}
}

func (t *table) addKernels(r *Report, k *KernelReport, match *regexp.Regexp) {
	for _, l := range k.Limits {
		on := settingOf(r, l.ISA, "", l.Threads)
		t.set(groupLimits, "FMA peak", on, gflops, Cell{Value: l.GFLOPs})
		if l.BF16 > 0 {
			t.set(groupLimits, "bf16 peak", on, gflops, Cell{Value: l.BF16})
		}
		t.set(groupLimits, "memory bandwidth", on, gbytes, Cell{Value: l.Bandwidth})
	}
	for _, s := range k.Summaries() {
		what, on := k.Preset+" "+s.Pass, settingOf(r, s.ISA, s.Precision, s.Threads)
		t.set(groupConvs, what, on, gflops, Cell{Value: s.GFLOPs})
		t.set(groupConvs, what, on, "% of peak", Cell{Value: s.Percent})
	}
	for i := range k.Results {
		if res := &k.Results[i]; match != nil && match.MatchString(res.Name()) {
			name := res.Name()
			if res.Chosen { // so a row has the algorithm that each machine uses
				name = res.base()
			}
			cell := Cell{res.Rate.Median, res.Rate.Low, res.Rate.High}
			t.set(groupKernels, name, settingOf(r, res.ISA, "", res.Threads), res.Unit, cell)
		}
	}
}

// addFigures sets the figures of training or generating. work and forward name their rows. forward
// is empty where the evaluations are part of the work.
func (t *table) addFigures(work, forward string, on setting, f Figures) {
	t.set(groupNetwork, work, on, imagesPerS, Cell{f.ImagesPerS, f.Quartiles[0], f.Quartiles[1]})
	t.set(groupNetwork, work, on, "% of direct limit", Cell{Value: f.Percent})
	if forward != "" {
		t.set(groupNetwork, forward, on, imagesPerS, Cell{f.ForwardPerS, f.ForwardQuartiles[0], f.ForwardQuartiles[1]})
		t.set(groupNetwork, forward, on, "% of direct limit", Cell{Value: f.ForwardPercent})
	}
	if f.PeakMemory > 0 {
		t.set(groupNetwork, join(work, "peak memory"), on, "MB", Cell{Value: float64(f.PeakMemory) / 1e6})
	}
}

// A setting says on what a figure was measured. Machines share a row: a setting says "all threads",
// however many there are, and does not name the best instruction set.
type setting struct {
	isa       string // empty: the best of the machine
	precision string // empty: f32
	threads   string
}

func settingOf(r *Report, isa, precision string, threads int) setting {
	s := setting{isa: isa, precision: unlessF32(precision), threads: fmt.Sprintf("%d threads", threads)}
	switch threads {
	case 1:
		s.threads = oneThread
	case r.Machine.Threads:
		s.threads = allThreads
	}
	if isa == r.Machine.Best {
		s.isa = ""
	}
	return s
}

func (s setting) String() string {
	return join(s.isa, s.precision, s.threads)
}

// join joins the parts that are not empty.
func join(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(part string) bool { return part == "" }), ", ")
}

// WriteText writes the comparison as a table. Each report but the first has its difference from the
// first: in percent where all reports are from one machine, or else as a factor. A star marks a
// difference beyond the spread, where the quartiles do not overlap.
func (c *Comparison) WriteText(w io.Writer) error {
	var b strings.Builder
	for i, m := range c.Machines {
		fmt.Fprintf(&b, "%s  %s: %s, %d threads, %s, fmimg %s, %s\n",
			letter(i), m.Name, m.CPU, m.Threads, m.ISA, m.Version, m.Time.Format("2006-01-02"))
	}
	width := 0
	for _, row := range c.Rows {
		width = max(width, len(row.label()))
	}
	group, starred := "", false
	for _, row := range c.Rows {
		if row.Group != group {
			group = row.Group
			fmt.Fprintf(&b, "\n%-*s%s\n", width, group, c.header(len(group)-width))
		}
		text, star := row.text(c.Drift)
		starred = starred || star
		fmt.Fprintln(&b, strings.TrimRight(fmt.Sprintf("%-*s%s", width, row.label(), text), " "))
	}
	if starred {
		b.WriteString("\n* the quartiles do not overlap: more than chance\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// The widths of a table's columns: a figure, and its difference from the first report.
const (
	figureWidth   = 10
	relationWidth = 10
)

// header names the columns. taken is by how much a group's name is longer than the labels: it takes
// that room.
func (c *Comparison) header(taken int) string {
	text := ""
	for i := range c.Machines {
		text += fmt.Sprintf("%*s", figureWidth, letter(i))
		if i > 0 && i < len(c.Machines)-1 {
			text += strings.Repeat(" ", relationWidth)
		}
	}
	return text[min(max(taken, 0), figureWidth-1):]
}

// letter names a column: A, B, … Z, then numbers.
func letter(i int) string {
	if i < 26 {
		return string(rune('A' + i))
	}
	return fmt.Sprint(i + 1)
}

func (r *Row) label() string { return r.Name + ", " + r.Unit }

// text returns the cells, and whether one has a star.
func (r *Row) text(drift bool) (text string, starred bool) {
	first := r.Cells[0]
	for i, cell := range r.Cells {
		if cell.Value == 0 {
			text += fmt.Sprintf("%*s", figureWidth, "–")
		} else {
			text += fmt.Sprintf("%*s", figureWidth, spell(cell.Value))
		}
		if i == 0 {
			continue
		}
		relation := ""
		if first.Value != 0 && cell.Value != 0 {
			relation = compareValues(first.Value, cell.Value, drift)
			if first.apart(cell) {
				relation += "*"
				starred = true
			}
		}
		text += fmt.Sprintf("  %-*s", relationWidth-2, relation)
	}
	return text, starred
}

func compareValues(from, to float64, drift bool) string {
	if drift {
		return fmt.Sprintf("%+.1f%%", 100*(to/from-1))
	}
	return fmt.Sprintf("%.2fx", to/from)
}

// apart reports whether the quartiles of two figures are known and do not overlap.
func (c Cell) apart(o Cell) bool {
	return c.High > 0 && o.High > 0 && (c.High < o.Low || o.High < c.Low)
}

// spell writes a figure with three or more digits.
func spell(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}
