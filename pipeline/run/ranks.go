package run

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/fmimg/fmimg/cluster"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/engine"
)

// A LostError says that the ranks of a run have lost each other. The last checkpoint is whole.
type LostError struct {
	Err  error // a [*cluster.Error]
	Kept string
	GoOn pipeline.Action // goes on from the checkpoint; the zero Action where there is none
}

// Error returns one line.
func (e *LostError) Error() string { return e.Err.Error() + e.Kept }

// Unwrap returns the error of the connection.
func (e *LostError) Unwrap() error { return e.Err }

// lost adds, to an error after which the ranks have lost each other, how to go on.
func (r *Run) lost(err error) error {
	if _, lost := errors.AsType[*cluster.Error](err); !lost || r.Dir == nil {
		return err
	}
	e := &LostError{Err: err, Kept: r.kept(r.Saved)}
	if r.Saved >= 0 {
		e.GoOn = goOn(r.Job.Command(), r.Dir.Path)
	}
	return e
}

// ranks returns the connection to the other ranks.
func (r *Run) ranks() cluster.Comm { return r.Settings.Ranks }

// alone reports whether one process does the run.
func (r *Run) alone() bool { return r.ranks().Size() == 1 }

// Leads reports whether this process is the one that owns the folder, decides by its clock, and
// tells of the run. Of several ranks it is rank 0; the others write nothing.
func (r *Run) Leads() bool { return r.ranks().Rank() == 0 }

// Agree brings the ranks to one mind about an error of their own, see [cluster.Agree].
func (o *Options) Agree(err error) error {
	if o.Ranks == nil {
		return err
	}
	if err != nil && o.Ranks.Rank() > 0 && o.Words != nil {
		err = &worded{err, option.ErrorIn(err, o.Words)}
	}
	return cluster.Agree(o.Ranks, err)
}

// agree is Agree for a run.
func (r *Run) agree(err error) error { return r.Settings.Agree(err) }

// A worded error is in the words of the command, for a rank that does not know them.
type worded struct {
	error
	text string
}

func (w *worded) Error() string { return w.text }
func (w *worded) Unwrap() error { return w.error }

// lead does work on rank 0 alone. All ranks return its error.
func (r *Run) lead(work func() error) error { return pipeline.Lead(r.ranks(), work) }

// settleRanks has rank 0 watch the others, which send no events.
func (o *Options) settleRanks() {
	if o.Ranks == nil {
		o.Ranks = cluster.Alone()
	}
	if o.Ranks.Rank() > 0 {
		o.OnEvent = nil
	} else if _, settled := o.Ranks.(*watched); !settled && o.Ranks.Size() > 1 {
		o.Ranks = &watched{Comm: o.Ranks}
	}
}

// FindOn is [Find] on rank 0, whose answer all ranks have.
func FindOn(ranks cluster.Comm, path string) (string, Config, error) {
	var found struct {
		Path string
		Config
	}
	if ranks == nil || ranks.Size() == 1 {
		return Find(path)
	}
	var err error
	if ranks.Rank() == 0 {
		found.Path, found.Config, err = Find(path)
	}
	if err := cluster.Agree(ranks, err); err != nil {
		return "", Config{}, err
	}
	err = cluster.BroadcastValue(ranks, 0, &found)
	found.Dir = found.Path
	return found.Path, found.Config, err
}

// folderOn opens a folder on rank 0. The others know its path, and do not write there.
func (r *Run) folderOn(open func() (*Folder, error)) (*Folder, error) {
	var dir *Folder
	err := r.lead(func() (err error) {
		dir, err = open()
		return err
	})
	if err != nil {
		if dir != nil {
			dir.close()
		}
		return nil, err
	}
	var path string
	if r.Leads() {
		path = dir.Path
	} else {
		dir = &Folder{}
	}
	if err := cluster.BroadcastValue(r.ranks(), 0, &path); err != nil {
		return dir, err
	}
	dir.Path = path
	return dir, nil
}

// Meet brings the ranks together before the run: it returns an error where one of them failed until
// now (err), or has another machine, other options or other data than rank 0. data describes the
// data. Meet also divides the micro-batches among the ranks.
func (r *Run) Meet(err error, data string) error {
	if r.alone() {
		return err
	}
	if err := r.agree(err); err != nil {
		return err
	}
	options, _ := r.Job.Config()
	if err := pipeline.CompareRanks(r.ranks(), pipeline.Identity{
		Arithmetic: r.Settings.Arithmetic, Options: fmt.Sprint(FieldsOf(options)), Data: data,
	}); err != nil {
		return err
	}
	r.cuts, err = engine.Divide(r.ranks(), r.Settings.Recipe.engine().MicroBatches(), r.Settings.Threads)
	return err
}

// sameWeights returns an error where a rank begins with other weights than rank 0.
func (r *Run) sameWeights() error {
	if r.alone() {
		return nil
	}
	sum := sha256.Sum256(cluster.FloatBytes(r.model.Params().Values))
	return pipeline.CompareRanks(r.ranks(), pipeline.Identity{
		Arithmetic: r.Settings.Arithmetic, Data: fmt.Sprintf("first weights with SHA-256 %x…", sum[:6]),
	})
}

// openState opens the state of the run. Of several ranks, rank 0 reads it for all.
func (r *Run) openState(path string) (io.ReadCloser, error) {
	if r.alone() {
		return os.Open(path)
	}
	var text []byte
	err := r.lead(func() (err error) {
		text, err = os.ReadFile(path)
		return err
	})
	if err == nil {
		text, err = cluster.BroadcastBytes(r.ranks(), 0, text)
	}
	return io.NopCloser(bytes.NewReader(text)), err
}

// orders are what rank 0 decides after a step by its clock, and all ranks do.
type orders struct {
	Total                   int // the new estimate of the steps of the run; 0 for none
	Validate, Preview, Save bool
	Failed                  string // why rank 0 cannot go on
}

// decide settles what is to be done after a step. due is the new estimate of the steps, 0 for none.
func (r *Run) decide(due int) error {
	p, o := &r.Progress, orders{Total: due}
	if due > 0 {
		p.Schedule = p.Schedule.Revise(p.Step, due)
	}
	if r.Leads() {
		o.Validate = r.Validated && r.pace.validationDue(r.Settings, p, &r.meter, r.over())
		o.Preview = r.pace.previewDue(r.Settings, p, &r.meter)
		o.Save = r.pace.saveDue(r.Settings, p)
	}
	if r.alone() {
		r.orders = o
		return nil
	}
	return r.order(o)
}

// order brings what rank 0 decided to all ranks.
func (r *Run) order(o orders) error {
	if r.owed != nil {
		o.Failed = option.ErrorIn(r.owed, r.words())
	}
	if err := cluster.BroadcastValue(r.ranks(), 0, &o); err != nil {
		return err
	}
	r.orders = o
	switch p := &r.Progress; {
	case r.owed != nil:
		return r.owed
	case o.Failed != "":
		return &cluster.RankError{Text: o.Failed}
	case o.Total > 0:
		p.Schedule = p.Schedule.Revise(p.Step, o.Total)
	}
	return nil
}

// words returns the words in which errors are told.
func (r *Run) words() pipeline.Words {
	if r.Settings.Words == nil {
		return pipeline.Plain
	}
	return r.Settings.Words
}

// owe keeps an error of rank 0, which ends the run on all ranks at their next decision. Alone the
// error ends the run at once.
func (r *Run) owe(err error) error {
	if r.alone() {
		return err
	}
	if r.owed == nil {
		r.owed = err
	}
	return nil
}
