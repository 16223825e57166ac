package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/fmimg/fmimg/internal/plot"
)

// A row is the score of one training, whose learning rate falls to zero at the end of its minutes.
type row struct {
	Trainer string  `json:"trainer"`
	Minutes float64 `json:"minutes"`
	FID     float64 `json:"fid"`
	Floor   float64 `json:"floor"` // FID of as many real training images
	how
	Machine string `json:"machine"` // the CPU's name
	Threads int    `json:"threads"`
	Date    string `json:"date"` // in UTC
	Command string `json:"command"`
}

// how says how images were measured. All rows of a chart have the same how, or they would not
// compare.
type how struct {
	Count       int     `json:"count"`       // number of images
	Evaluations float64 `json:"evaluations"` // network evaluations for an image
	Data        string  `json:"data"`
	Classifier  string  `json:"classifier"` // the data that the classifier was trained on
}

func (h how) String() string {
	return fmt.Sprintf("%d images of %s by %g evaluations", h.Count, h.Data, h.Evaluations)
}

// rows are the rows of a file, in the order in which they were added.
type rows []row

// readRows reads a file with a row in each line. A missing file has no rows.
func readRows(path string) (rows, error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var all rows
	for d := json.NewDecoder(file); ; {
		var r row
		if err := d.Decode(&r); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, fmt.Errorf("%s: row %d: %w", path, len(all)+1, err)
		}
		all = append(all, r)
	}
}

// write writes each row in a line of JSON.
func (all rows) write(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false) // commands
	for _, r := range all {
		if err := e.Encode(r); err != nil {
			return err
		}
	}
	return nil
}

// has reports whether a row is there already, with any date: scoring the same images again is not
// another run.
func (all rows) has(r row) bool {
	return slices.ContainsFunc(all, func(old row) bool {
		old.Date = r.Date
		return old == r
	})
}

// row makes a row from the report and the flags.
func (o *options) row(machine string, now time.Time) (row, error) {
	e, err := readReport(o.report)
	if err != nil {
		return row{}, err
	}
	if e.FID == nil || e.Floor.FID == nil {
		return row{}, fmt.Errorf("%s: it holds no FID, or none of the floor", o.report)
	}
	r := row{
		Trainer: o.trainer, Minutes: o.time.Minutes(), FID: *e.FID, Floor: *e.Floor.FID,
		how: how{
			Count: e.Count, Evaluations: cmp.Or(o.evaluations, e.Evaluations), Data: e.Data, Classifier: e.Classifier,
		},
		Machine: machine, Threads: o.threads, Date: now.UTC().Format(time.DateOnly), Command: o.command,
	}
	if r.Evaluations == 0 {
		return row{}, fmt.Errorf("%s: it does not say by how many evaluations images were drawn: add -evaluations",
			o.report)
	}
	return r, nil
}

// chart returns a chart of FID against minutes: a line for each trainer, on each machine where
// there are several, and the floor.
func (all rows) chart() (*plot.Chart, error) {
	if len(all) == 0 {
		return nil, errors.New("there are no rows to draw: make quality measures some")
	}
	first := all[0]
	curves := map[string][]plot.Point{}
	floor := plot.Curve{Name: "real training images", Level: true}
	several := slices.ContainsFunc(all, func(r row) bool { return r.trainedOn() != first.trainedOn() })
	for i, r := range all {
		if r.how != first.how {
			return nil, fmt.Errorf("row %d is of %v, and the first of %v: they do not compare: keep rows of one kind",
				i+1, r.how, first.how)
		}
		name := r.Trainer
		if several {
			name += ", " + r.trainedOn()
		}
		curves[name] = append(curves[name], plot.Point{X: r.Minutes, Y: r.FID})
		floor.Points = append(floor.Points, plot.Point{X: r.Minutes, Y: r.Floor})
	}
	c := &plot.Chart{Title: "FID of " + first.how.String(), XTitle: "minutes of training"}
	if !several {
		c.XTitle += " on " + first.trainedOn()
	}
	for name, points := range curves {
		c.Curves = append(c.Curves, plot.Curve{Name: name, Points: points})
	}
	slices.SortFunc(c.Curves, func(a, b plot.Curve) int { return cmp.Compare(a.Name, b.Name) })
	c.Curves = append(c.Curves, floor)
	return c, nil
}

// trainedOn describes what a row was trained on.
func (r row) trainedOn() string {
	if r.Threads == 1 {
		return r.Machine + ", 1 thread"
	}
	return fmt.Sprintf("%s, %d threads", r.Machine, r.Threads)
}
