package sample

import (
	"context"
	"sync"

	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/picture"
)

// Draw draws o.Count images. Several goroutines may call it at once on one checkpoint. Each call
// has o.Threads workers of its own. When ctx ends, Draw returns ctx.Err() at once, and its workers
// end after the evaluation that they are in. For many small batches, a [Sampler] keeps the workers.
// A mistake in the options is a [*pipeline.OptionError].
func Draw(ctx context.Context, c *model.Checkpoint, o Options) (*picture.Images, error) {
	if count := o.WithDefaults().Count; !FitsMemory(c.Shape(), count) {
		return nil, option.Errorf("count", count,
			"so many images do not fit into memory at once: draw them in parts, with NewSampler")
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	gate := &eventGate{next: o.OnEvent}
	if o.OnEvent != nil {
		o.OnEvent = gate.event
	}
	s, err := NewSampler(c, o)
	if err != nil {
		return nil, err
	}
	var images *picture.Images
	done := make(chan error, 1)
	go func() {
		defer s.Close()
		var err error
		images, err = s.Draw(ctx, 0, s.opt.Count)
		done <- err
	}()
	select {
	case err := <-done:
		if err != nil {
			return nil, err
		}
		return images, nil
	case <-ctx.Done():
		gate.close()
		return nil, ctx.Err()
	}
}

// An eventGate passes events on until it is closed.
type eventGate struct {
	mu   sync.Mutex
	next func(pipeline.Event)
}

func (g *eventGate) event(e pipeline.Event) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.next != nil {
		g.next(e)
	}
}

func (g *eventGate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.next = nil
}
