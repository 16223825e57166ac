package bench

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/fmimg/fmimg/internal/atomicfile"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/pipeline"
)

// Schema names the format of a report. The number rises with a change that a reader of this version
// would misread.
const Schema = schemaName + "1"

const schemaName = "fmimg-bench/"

// A Report has all that was measured on one machine. Commands of the bench write it as a JSON file.
type Report struct {
	Schema   string           `json:"schema"`
	Label    string           `json:"label,omitempty"` // the owner's name for the machine
	Machine  Machine          `json:"machine"`
	Kernels  *KernelReport    `json:"kernels,omitempty"`
	Train    []TrainResult    `json:"train,omitempty"`
	Generate []GenerateResult `json:"generate,omitempty"`
	Cluster  []ClusterResult  `json:"cluster,omitempty"`
}

// A Stamp says when and by which program something was measured.
type Stamp struct {
	Version string    `json:"fmimg"`
	Time    time.Time `json:"time"`
}

// newStamp returns the stamp of a measurement that is made now.
func newStamp() Stamp { return Stamp{pipeline.Version(), time.Now().UTC().Truncate(time.Second)} }

// ReadReport reads a report from a file.
func ReadReport(path string) (*Report, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	defer file.Close()
	r, err := decodeReport(file)
	if err != nil {
		return nil, fmt.Errorf("report %s: %w", path, err)
	}
	return r, nil
}

// maxReport is the most bytes to read from a report. A whole report has some 200 kB.
const maxReport = 64 << 20

// writes is what makes a report.
var writes = option.Action{Command: "bench", Settings: []option.Setting{{Option: "out"}}}

// decodeReport reads a report, and checks its schema and what comparing relies on.
func decodeReport(in io.Reader) (*Report, error) {
	var r Report
	text, err := io.ReadAll(io.LimitReader(in, maxReport))
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, option.Faultf("it is no report of %v: %v", writes, err)
	}
	switch {
	case !strings.HasPrefix(r.Schema, schemaName):
		return nil, option.Faultf("it is no report of %v: its schema is %q", writes, r.Schema)
	case r.Schema != Schema:
		return nil, fmt.Errorf("its schema is %s and this program reads %s: use the version of fmimg that wrote "+
			"it, or measure anew", r.Schema, Schema)
	case r.Machine.Processor.Name == "":
		return nil, errors.New("it names no CPU")
	}
	return &r, nil
}

// A Section is a part of a report that one command measures.
type Section interface {
	// addTo adds the section to a report, in place of an older section with the same settings.
	addTo(r *Report)
}

func (k *KernelReport) addTo(r *Report) { r.Kernels = k }

func (t *TrainResult) addTo(r *Report) {
	r.Train = replace(r.Train, *t, func(o TrainResult) bool {
		return o.Workload.same(t.Workload) && o.Optimizer == t.Optimizer
	})
}

func (g *GenerateResult) addTo(r *Report) {
	r.Generate = replace(r.Generate, *g, func(o GenerateResult) bool {
		return o.Workload.same(g.Workload) && o.Solver == g.Solver && o.Steps == g.Steps
	})
}

func (r *ClusterResult) addTo(to *Report) {
	to.Cluster = replace(to.Cluster, *r, func(o ClusterResult) bool {
		return o.Workload.same(r.Workload) && o.Optimizer == r.Optimizer && o.Ranks == r.Ranks &&
			o.Connection == r.Connection
	})
}

// replace puts value in the place of the first element that is the same, or at the end.
func replace[T any](list []T, value T, same func(T) bool) []T {
	if i := slices.IndexFunc(list, same); i >= 0 {
		list[i] = value
		return list
	}
	return append(list, value)
}

// Destination checks, before anything is measured, that a report can be recorded at path. path may
// be a new file or a report of this machine. Destination returns that report, or an empty one.
func Destination(path string) (*Report, error) {
	machine := ThisMachine()
	if info, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) || err == nil && !info.Mode().IsRegular() {
		return &Report{Schema: Schema, Machine: machine}, probe(path)
	}
	r, err := ReadReport(path)
	if err != nil {
		return nil, fmt.Errorf("%w: name a new file, or a report of this machine to add to", err)
	}
	if !r.Machine.same(machine) {
		return nil, fmt.Errorf("report %s: it is of another machine (%s, %d threads) than this (%s, %d threads): "+
			"name a new file",
			path, r.Machine.Processor.Name, r.Machine.Threads, machine.Processor.Name, machine.Threads)
	}
	return r, probe(path)
}

// errProbe ends a write before the write changes anything.
var errProbe = errors.New("no more than an attempt")

// probe finds out whether a file can be written.
func probe(path string) error {
	err := atomicfile.Write(path, func(io.Writer) error { return errProbe })
	if errors.Is(err, errProbe) {
		return nil
	}
	return err
}

// Record adds a section to the report at path, or makes the report. A label that is not empty names
// the machine.
func Record(path, label string, s Section) error {
	r, err := Destination(path)
	if err != nil {
		return err
	}
	r.Machine = ThisMachine()
	if label != "" {
		r.Label = label
	}
	s.addTo(r)
	return atomicfile.Write(path, func(w io.Writer) error {
		enc := json.NewEncoder(w)
		enc.SetIndent("", " ")
		return enc.Encode(r)
	})
}
