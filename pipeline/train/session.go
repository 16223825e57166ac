package train

import (
	"context"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/pipeline/engine"
	"github.com/fmimg/fmimg/unet"
)

// A Session is a training by flow matching without a run folder. The caller takes its steps. It is
// not safe for concurrent use.
type Session struct {
	Trainer *engine.Trainer
	Model   *unet.Model
	Data    dataset.Source
	Options Options // with everything resolved

	run *training
}

// NewSession opens the data, makes a network, with random weights or those of Init, and starts the
// workers, which Close ends. A mistake in the options is a [*pipeline.OptionError].
func NewSession(ctx context.Context, o Options) (*Session, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	r := newTraining(o)
	isa, err := r.Settle()
	if err != nil {
		return nil, err
	}
	if err := r.openData(ctx); err != nil {
		return nil, err
	}
	lesson := &matchLesson{}
	if err := r.Meet(lesson.resolve(r, isa), r.dataDigest()); err != nil {
		return nil, err
	}
	if err := r.MakeTrainer(lesson.build(r, isa)); err != nil {
		return nil, err
	}
	return &Session{Trainer: r.Trainer, Model: lesson.network, Data: r.data, Options: r.options, run: r}, nil
}

// Close ends the workers.
func (s *Session) Close() { s.run.Close() }
